//! What a room holds in bytes, and what gives way:
//! [clause B25](crate::rulebook#b25-memory-of-all-rooms).

use super::RoomState;
use crate::audience::Audience;
use crate::memory::{Memory, RoomBytes, Trimmed};
use crate::message::Payload;

impl<M: Payload> RoomState<M> {
    /// What the room holds, in bytes, by kind. O(1).
    ///
    /// ```
    /// use roomcast_core::{Instant, Publish, RoomConfig, RoomState, Source, UserId};
    ///
    /// let mut room = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let now = Instant::from_secs(1);
    /// let _ = room.publish(now, Publish::new(Source::Host, "twelve bytes"))?;
    /// assert_eq!((room.bytes().logged, room.bytes().total()), (12, 12));
    /// assert_eq!(room.trim(12, 0).bytes, 12);
    /// assert_eq!(room.bytes().total(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bytes(&self) -> RoomBytes {
        let shards = self.shards.iter().map(Audience::bytes);
        shards.fold(self.admission.bytes(), |sum, shard| sum.and(&shard))
    }

    /// Tells the room how much is left of the memory that all rooms share: it goes by that until it
    /// is told otherwise. An [`Engine`](crate::Engine) does so itself. O(1).
    pub fn set_memory(&mut self, memory: Memory) {
        self.admission.set_memory(memory);
    }

    /// How much is left of the memory that all rooms share, as this one was told last.
    pub fn memory(&self) -> Memory {
        self.admission.memory()
    }

    /// How many messages were refused as
    /// [`MemoryFull`](crate::ledger::RefusalReason::MemoryFull). O(1).
    pub fn memory_refusals(&self) -> u64 {
        self.admission.memory_refusals()
    }

    /// Messages give way until so many bytes are free, or 4,096 have gone, or none are left.
    /// `limit` is what all rooms may hold, as those are told whose messages are dropped.
    ///
    /// First the logs of Lowest, Low and Normal give way, the oldest first: whoever had not read
    /// them has missed them. Then what waits at these levels is dropped as
    /// [`MemoryFull`](crate::ledger::DropReason::MemoryFull), level by level, in the queue and then
    /// under review; within a level as the policy of eviction says. High comes last, and in the
    /// same order. No time passes by this call, and nothing falls due. Costs what goes.
    pub fn trim(&mut self, bytes: u64, limit: u64) -> Trimmed {
        let trimmed = self.halves().trim(bytes, limit);
        self.clear_deferred_drops();
        trimmed
    }

    /// As [`trim`](Self::trim), and at most so many messages.
    pub(crate) fn trim_at_most(&mut self, bytes: u64, limit: u64, most: u32) -> Trimmed {
        let trimmed = self.halves().trim_at_most(bytes, limit, most);
        self.clear_deferred_drops();
        trimmed
    }
}
