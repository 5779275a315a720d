//! The slots of a room, shared out over several audiences.

use crate::chunked::CHUNK;

/// One of the audiences that share a room, so that several cores serve it: its number, and how many
/// there are.
///
/// The room's slots belong to the parts in turn, 1,024 at a time: the first 1,024 to part 0, the
/// next to part 1, and so on round. A session's id says by itself which part it is in, and the
/// sessions that a room may have are shared out evenly.
///
/// ```
/// use roomcast_core::shard_index::ShardIndex;
///
/// let part = ShardIndex::new(1, 4).unwrap();
/// assert_eq!((part.index(), part.of()), (1, 4));
/// assert!(ShardIndex::new(4, 4).is_none() && ShardIndex::new(0, 3).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShardIndex {
    index: u32,
    /// How many parts there are, as a power of two: a place is found without a division.
    bits: u32,
}

/// Slots that go to one part before the next part's turn: a chunk of every table.
const BLOCK: u32 = CHUNK as u32;

impl ShardIndex {
    /// The only part of a room that has one audience.
    pub const WHOLE: Self = Self { index: 0, bits: 0 };
    /// The maximum number of parts. With the most sessions that a room may have, the slots still
    /// are 32-bit numbers.
    pub const MAX: u32 = 1 << 10;

    /// Part `index` of `of`; `None` unless `index < of` and `of` is a power of two and at most
    /// [`MAX`](Self::MAX).
    pub const fn new(index: u32, of: u32) -> Option<Self> {
        if index < of && of.is_power_of_two() && of <= Self::MAX {
            Some(Self { index, bits: of.trailing_zeros() })
        } else {
            None
        }
    }

    /// Its number, from 0.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub const fn of(self) -> u32 {
        1 << self.bits
    }

    /// The part, of as many as this one belongs to, that a slot of the room is in.
    pub const fn at(self, slot: u32) -> Self {
        Self { index: (slot / BLOCK) & (self.of() - 1), bits: self.bits }
    }

    /// The place of a slot of the room among the slots of this part; `None` when it is in another
    /// part.
    #[inline]
    pub const fn place(self, slot: u32) -> Option<u32> {
        let block = slot / BLOCK;
        if block & (self.of() - 1) == self.index {
            Some((block >> self.bits) * BLOCK + slot % BLOCK)
        } else {
            None
        }
    }

    /// The slot of the room at a place of this part.
    pub(crate) const fn slot(self, place: u32) -> u32 {
        ((place / BLOCK) << self.bits | self.index) * BLOCK + place % BLOCK
    }

    /// The first slot of the room behind those that are in the same part as this one and next to
    /// it.
    pub(crate) const fn block_after(slot: u32) -> u32 {
        (slot / BLOCK + 1).saturating_mul(BLOCK)
    }

    /// This part's share of so many sessions; the shares of all parts add up.
    pub(crate) const fn share(self, sessions: u32) -> u32 {
        (sessions >> self.bits) + (self.index < sessions & (self.of() - 1)) as u32
    }

    /// One more than the last slot that any part gives out in a room of so many sessions.
    pub(crate) const fn slots(sessions: u32) -> u32 {
        // Each part may leave one block unfinished; the widest spread has the most parts.
        sessions.saturating_add((BLOCK + 1) * Self::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_slot_is_in_one_part_and_has_one_place() {
        let parts: Vec<ShardIndex> =
            (0..4).map(|index| ShardIndex::new(index, 4).unwrap()).collect();
        for slot in 0..10_000 {
            let homes: Vec<_> =
                parts.iter().filter_map(|part| Some((part, part.place(slot)?))).collect();
            let [(part, place)] = homes[..] else {
                panic!("slot {slot} has {} homes", homes.len())
            };
            assert_eq!((part.slot(place), part.at(slot)), (slot, *part));
        }
        assert_eq!(ShardIndex::WHOLE.place(77), Some(77));
    }

    #[test]
    fn shares_add_up_and_slots_stay_below_the_bound() {
        for (sessions, of) in [(1, 2), (10, 4), (1 << 26, 64), (1 << 30, ShardIndex::MAX)] {
            let parts = (0..of).map(|index| ShardIndex::new(index, of).unwrap());
            assert_eq!(parts.clone().map(|part| part.share(sessions)).sum::<u32>(), sessions);
            let last = parts
                .filter(|part| part.share(sessions) > 0)
                .map(|part| part.slot(part.share(sessions) - 1))
                .max();
            assert!(last.unwrap() < ShardIndex::slots(sessions), "{sessions} over {of}");
        }
    }
}
