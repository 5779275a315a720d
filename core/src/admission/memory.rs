//! What an admission holds in bytes, and what of it gives way:
//! [clause B25](crate::rulebook#b25-memory-of-all-rooms).

use super::Admission;
use crate::ids::Seq;
use crate::ledger::{DropReason, RefusalReason};
use crate::memory::{Memory, RoomBytes, Trimmed};
use crate::message::{Limit, Payload};
use crate::priority::Priority;

impl<M: Payload> Admission<M> {
    /// What this half holds, in bytes. O(1).
    pub fn bytes(&self) -> RoomBytes {
        RoomBytes {
            queued: self.pipeline.bytes(),
            under_review: self.reviews.bytes(),
            waiting_profiles: self.accounts.waiting_profiles(),
            high_waiting: self.high_waiting(),
            profiles: self.people.profile_bytes(),
            data: self.data.bytes(),
            keys: self.intake.key_bytes(),
            audited: self.accounts.audit_bytes(),
            ..RoomBytes::default()
        }
    }

    fn high_waiting(&self) -> u64 {
        let high = Priority::High;
        let payloads = self.pipeline.level_bytes(high) + self.reviews.level_bytes(high);
        payloads + self.accounts.waiting_profiles_of(high)
    }

    /// Payload and profile bytes of what was dispatched after `seq` and waits at the seam, for
    /// whoever puts each half under a lock of its own. O(messages after `seq`).
    pub fn seam_bytes(&self, seq: Seq) -> u64 {
        self.pipeline.seam_bytes(seq)
    }

    /// How much is left of the memory that all rooms share, as this one was told last.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Tells the room how much is left of the memory that all rooms share: it goes by that until it
    /// is told otherwise. O(1).
    pub fn set_memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// How many messages were refused as [`RefusalReason::MemoryFull`]. O(1).
    pub fn memory_refusals(&self) -> u64 {
        let ledger = self.accounts.ledger();
        ledger.levels.values().map(|row| row.refused.count(RefusalReason::MemoryFull)).sum()
    }

    /// Messages of a level give way, those in the queue first, until so many bytes are free, and at
    /// most so many. No time passes, and nothing falls due.
    pub(crate) fn give_way(
        &mut self,
        level: Priority,
        limit: u64,
        bytes: u64,
        most: u32,
    ) -> Trimmed {
        let (now, limit) = (self.clock.at(), Some(Limit::Memory { max: limit }));
        let mut trimmed = Trimmed::default();
        while trimmed.bytes < bytes && trimmed.messages < most {
            let before = self.bytes().yielding();
            if let Some(popped) = self.pipeline.give_way(level) {
                self.drop_one(now, popped, DropReason::MemoryFull, limit);
            } else if let Some(reviewed) = self.reviews.give_way(level) {
                self.drop_reviewed(now, reviewed, DropReason::MemoryFull, limit);
            } else {
                break;
            }
            trimmed.messages += 1;
            trimmed.bytes += before - self.bytes().yielding();
        }
        trimmed
    }
}
