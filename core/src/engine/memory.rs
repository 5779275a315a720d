//! A limit on what all rooms hold together: [clause B25](crate::rulebook#b25-memory-of-all-rooms).

use super::Engine;
use crate::ids::RoomId;
use crate::log::MOVED;
use crate::memory::{MemoryUse, RoomBytes};
use crate::message::Payload;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::cmp::Reverse;

/// What all rooms hold together.
#[derive(Debug)]
pub(super) struct Shared {
    uses: MemoryUse,
    /// The rooms in which something can give way, the first to do so last.
    by_size: BTreeSet<Place>,
}

/// By how much below High can give way in a room, and where that is nothing, by how much of High;
/// of rooms that hold equally much, the one with the lowest id comes last. With each its slot.
type Place = (u64, u64, Reverse<u64>, u32);

/// What a room adds to that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    bytes: RoomBytes,
    refused: u64,
}

impl Shared {
    /// A room that added `before` adds `after` from now on.
    fn change(&mut self, (id, slot): (RoomId, u32), before: Weight, after: Weight) {
        let (old, new) = (before.bytes, after.bytes);
        self.uses.held = self.uses.held + new.total() - old.total();
        self.uses.kept = self.uses.kept + new.kept() - old.kept();
        self.uses.refused += after.refused - before.refused;
        let place = |bytes: RoomBytes| {
            let first = bytes.yielding_first();
            let high = if first > 0 { 0 } else { bytes.yielding() };
            (first, high, Reverse(id.0), slot)
        };
        if place(old) != place(new) {
            self.by_size.remove(&place(old));
            if new.yielding() > 0 {
                self.by_size.insert(place(new));
            }
        }
    }

    /// By how much the room gives way that is the first to do so, and its slot, if too much is held
    /// and any can: no more of a room than what is below High, as long as there is any, and no more
    /// than it has. Asked for more, it would let go of messages without a byte.
    fn excess(&self) -> Option<(u64, u32)> {
        let excess = self.uses.excess();
        let &(first, high, _, slot) = self.by_size.last().filter(|_| excess > 0)?;
        Some((excess.min(if first > 0 { first } else { high }), slot))
    }
}

impl<M: Payload> Engine<M> {
    /// This engine with a limit on the bytes that all its rooms hold together, by the sum of
    /// [`RoomBytes::total`]. Default none: then each room has its own bounds, and those times the
    /// number of rooms is the bound of all.
    ///
    /// As soon as the rooms hold more, the room gives way in which most below High can, and where
    /// nothing is left but High, most of that; of those that hold equally much, the one with the
    /// lowest id. What gives way there, and in which order, is told
    /// at [`RoomState::trim`](crate::RoomState::trim). That is done when the
    /// [`RoomMut`](super::RoomMut) is dropped by which a room was called: at most 4,096 messages
    /// then, and as many in each [`handle_timeout`](Self::handle_timeout), for which
    /// [`poll_timeout`](Self::poll_timeout) asks at once. Where that is not enough, messages below
    /// High are refused as [`MemoryFull`](crate::ledger::RefusalReason::MemoryFull) from 110 % on.
    /// What does not give way (profiles, attributes, keys of messages, direct messages below High)
    /// is refused while it takes more than half of the limit.
    ///
    /// With a limit, a call that changes what a room holds costs O(log rooms) more.
    ///
    /// ```
    /// use roomcast_core::{Engine, Instant, Publish, RoomConfig, RoomId, Source};
    ///
    /// let mut engine: Engine<&str> = Engine::new(1_000, 0).memory_limit(20);
    /// let now = Instant::from_secs(1);
    /// for id in [1, 2, 2] {
    ///     engine.create_room(RoomId(id), &RoomConfig::av_chat_room(None)).ok();
    ///     let publish = Publish::new(Source::Host, "ten bytes!");
    ///     let _ = engine.room_mut(RoomId(id))?.publish(now, publish)?;
    /// }
    /// let held = [1, 2].map(|id| engine.room(RoomId(id)).map(|room| room.bytes().total()));
    /// assert_eq!(held, [Ok(10), Ok(10)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        let uses = MemoryUse { limit: bytes, ..self.memory().unwrap_or_default() };
        let by_size = self.memory.take().map(|shared| shared.by_size).unwrap_or_default();
        self.memory = Some(Box::new(Shared { uses, by_size }));
        (0..self.rooms.slots()).for_each(|slot| self.weigh(slot));
        self
    }

    /// How much memory all rooms take together; `None` without a
    /// [limit](Self::memory_limit). O(1).
    pub fn memory(&self) -> Option<MemoryUse> {
        self.memory.as_ref().map(|shared| shared.uses)
    }

    /// Tells a room, which is about to be called, how much is left.
    #[inline]
    pub(super) fn tell_memory(&mut self, slot: u32) {
        if let Some(shared) = &self.memory
            && let Some(entry) = self.rooms.get_mut(slot)
        {
            entry.room.set_memory(shared.uses.memory());
        }
    }

    /// Notes what a room holds after a call.
    pub(super) fn weigh(&mut self, slot: u32) {
        let (Some(shared), Some(entry)) = (&mut self.memory, self.rooms.get_mut(slot)) else {
            return;
        };
        let (bytes, refused) = (entry.room.bytes(), entry.room.memory_refusals());
        let after = Weight { bytes, refused };
        let before = core::mem::replace(&mut entry.weight, after);
        shared.change((entry.id, slot), before, after);
    }

    /// A room goes, with all that it holds.
    pub(super) fn weigh_no_more(&mut self, slot: u32) {
        let (Some(shared), Some(entry)) = (&mut self.memory, self.rooms.get_mut(slot)) else {
            return;
        };
        let before = core::mem::take(&mut entry.weight);
        let after = Weight { refused: before.refused, ..Weight::default() };
        shared.change((entry.id, slot), before, after);
    }

    /// What is held too much gives way, as much as one call may.
    pub(super) fn trim(&mut self) {
        let mut left = MOVED;
        while left > 0
            && let Some(shared) = &mut self.memory
            && let Some((excess, slot)) = shared.excess()
        {
            let limit = shared.uses.limit;
            let trimmed = self.rooms[slot].room.trim_at_most(excess, limit, left);
            shared.uses.trimmed_messages += u64::from(trimmed.messages);
            shared.uses.trimmed_bytes += trimmed.bytes;
            debug_assert!(trimmed.messages > 0, "what is held is held by something");
            left -= trimmed.messages.clamp(1, left);
            self.note_wants(slot);
            self.weigh(slot);
        }
    }

    /// When more is to give way: at once, if any is.
    pub(super) fn next_trim(&self) -> Option<Instant> {
        self.memory.as_ref()?.excess().map(|_| Instant::ZERO)
    }
}
