//! Blocks of sessions whose hot state lies together, to be looked at together:
//! [decision D4](crate::design#d4-sixty-four-bytes-for-a-session).

use super::positions::Positions;
use crate::ids::Group;
use crate::priority::Priority;
use core::ops::Range;

/// Sessions in a block: as many as make a chunk of blocks 8,192 sessions. A sweep pays for each
/// border between two chunks, because the processor reads ahead only as long as the next session
/// lies behind the last one; and the first chunk, which grows as a vector does, still copies at
/// most 4,096 sessions in one call.
pub(super) const BLOCK: u32 = 8;

/// The hot state of some sessions that follow each other: a sweep goes through one stretch of
/// memory, and whoever comes or goes meets what belongs to the session in one place.
///
/// The order of the fields is the order in which a sweep looks at them: the other way round it
/// takes twice as long.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Block {
    pub(super) flags: [SlotFlags; BLOCK as usize],
    pub(super) cursors: [Positions; BLOCK as usize],
    pub(super) generations: [u32; BLOCK as usize],
}

impl Block {
    pub(super) const EMPTY: Self = Self {
        cursors: [[0; Priority::NUM]; BLOCK as usize],
        generations: [0; BLOCK as usize],
        flags: [SlotFlags::FREE; BLOCK as usize],
    };

    /// Whether each slot is held by a session of this group that has no cold state and stands
    /// `here`. Without a branch for each.
    #[inline]
    pub(super) fn all_stand(&self, here: Positions, group: Group) -> bool {
        let plain = SlotFlags::plain(group);
        let others = self.flags.iter().fold(0, |any, flags| any | (flags.0 ^ plain.0));
        others == 0 && self.all_at(here)
    }

    /// Whether the cursors in all slots are the same as `here`, and nobody has cold state. Without
    /// a branch for each.
    #[inline]
    pub(super) fn none_behind(&self, here: Positions) -> bool {
        self.flags.iter().fold(0, |any, flags| any | flags.0) & SlotFlags::COLD == 0
            && self.all_at(here)
    }

    #[inline]
    fn all_at(&self, here: Positions) -> bool {
        // Four sessions at a time: what compilers make wide instructions of.
        const WIDE: usize = 4 * Priority::NUM;
        let wanted: [u32; WIDE] = core::array::from_fn(|place| here[place % Priority::NUM]);
        let mut differences = [0; WIDE];
        for cursors in self.cursors.as_flattened().as_chunks::<WIDE>().0 {
            for ((difference, cursor), wanted) in differences.iter_mut().zip(cursors).zip(&wanted) {
                *difference |= cursor ^ wanted;
            }
        }
        differences.iter().fold(0, |any, difference| any | difference) == 0
    }

    /// The first session of a group, of those in some places, that is not at `heads`, or has cold
    /// state.
    #[inline]
    pub(super) fn first_behind(
        &self,
        places: Range<u32>,
        group: Group,
        heads: Positions,
    ) -> Option<u32> {
        let plain = SlotFlags::plain(group);
        let sessions = (0..BLOCK)
            .zip(self.flags.iter().zip(&self.cursors))
            .take(places.end as usize)
            .skip(places.start as usize);
        let is_behind =
            |flags, cursors| flags == plain.with_cold() || (flags == plain && cursors != heads);
        sessions
            .into_iter()
            .find(|&(_, (&flags, &cursors))| is_behind(flags, cursors))
            .map(|(place, _)| place)
    }

    /// Which slots are free or hold a session that is not at `heads` and has no cold state, and
    /// which hold one that has cold state: a bit for each.
    #[inline]
    pub(super) fn behind(&self, heads: Positions) -> (u32, u32) {
        let (mut behind, mut cold) = (0, 0);
        for (place, (flags, cursors)) in self.flags.iter().zip(&self.cursors).enumerate() {
            let is_behind = !flags.is_cold() & ((*cursors != heads) | !flags.is_held());
            behind |= u32::from(is_behind) << place;
            cold |= u32::from(flags.is_cold()) << place;
        }
        (behind, cold)
    }

    /// Which sessions of a group, of those in some places, a sweep finds that looks for those that
    /// stand `here`, and passes over those at `heads`. It looks no further than to the first that
    /// stands anywhere else.
    pub(super) fn find(
        &self,
        places: Range<u32>,
        group: Group,
        here: Positions,
        heads: Positions,
    ) -> Match {
        let plain = SlotFlags::plain(group);
        let mut found = Match { due: 0, stop: None };
        let sessions = (0..BLOCK).zip(self.flags.iter().zip(&self.cursors));
        for (place, (flags, cursors)) in sessions.skip(places.start as usize).take(places.len()) {
            let (is_plain, is_here) = (*flags == plain, *cursors == here);
            found.due |= u32::from(is_plain & is_here) << place;
            if *flags == plain.with_cold() || (is_plain && !is_here && *cursors != heads) {
                found.stop = Some(place);
                break;
            }
        }
        found
    }
}

/// Which sessions of a block are of interest.
pub(super) struct Match {
    /// They stand where they are looked for, without cold state: a bit for each.
    pub(super) due: u32,
    /// The place of the first that stands somewhere else, or has cold state.
    pub(super) stop: Option<u32>,
}

/// One byte beside the cursors: two bits, and above them the number of the session's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotFlags(u8);

impl SlotFlags {
    /// Nobody holds the slot.
    pub(super) const FREE: Self = Self(0);
    /// Someone holds the slot.
    const HELD: u8 = 1;
    /// The session has cold state for now: own messages ahead, a gap to be told, a mask, direct
    /// messages, an end.
    const COLD: u8 = 2;

    /// A session of this group without cold state.
    pub(super) const fn plain(group: Group) -> Self {
        Self(Self::HELD | group.number() << 2)
    }

    pub(super) const fn with_cold(self) -> Self {
        Self(self.0 | Self::COLD)
    }

    pub(super) const fn without_cold(self) -> Self {
        Self(self.0 & !Self::COLD)
    }

    pub(super) const fn is_held(self) -> bool {
        self.0 & Self::HELD != 0
    }

    pub(super) const fn is_cold(self) -> bool {
        self.0 & Self::COLD != 0
    }

    pub(super) const fn is_plain(self) -> bool {
        self.0 & (Self::HELD | Self::COLD) == Self::HELD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five more are beside them.
    #[test]
    fn a_sessions_hot_state_is_sixteen_bytes() {
        assert_eq!(size_of::<Positions>(), 16);
        assert_eq!(size_of::<Block>(), BLOCK as usize * (16 + 4 + 1));
    }

    #[test]
    fn a_block_tells_who_stands_where() {
        let (group, heads, here) = (Group::new(3).unwrap(), [5, 6, 7, 8], [5, 6, 7, 7]);
        let plain = SlotFlags::plain(group);
        let mut block = Block {
            cursors: [here; BLOCK as usize],
            flags: [plain; BLOCK as usize],
            ..Block::EMPTY
        };
        assert!(
            block.all_stand(here, group)
                && !block.all_stand(here, Group::DEFAULT)
                && !block.all_stand(heads, group)
        );
        assert!(block.none_behind(here) && !block.none_behind(heads));
        // Free, caught up, behind, with cold state, of another group.
        (block.flags[1], block.cursors[2], block.cursors[3]) = (SlotFlags::FREE, heads, [0; 4]);
        (block.flags[4], block.flags[5]) = (plain.with_cold(), SlotFlags::plain(Group::DEFAULT));
        assert!(!block.all_stand(here, group) && !block.none_behind(here));
        let Match { due, stop } = block.find(0..BLOCK, group, here, heads);
        assert_eq!((due, stop), (0b00_0001, Some(3)));
        let Match { due, stop } = block.find(5..BLOCK, group, here, heads);
        assert_eq!((due, stop), (0b1100_0000, None));
        // Each place counts.
        for place in 0..BLOCK as usize {
            let mut block = Block {
                cursors: [here; BLOCK as usize],
                flags: [plain; BLOCK as usize],
                ..Block::EMPTY
            };
            block.cursors[place][place % 4] ^= 1 << place;
            assert!(!block.all_stand(here, group) && !block.none_behind(here));
            block.cursors[place] = here;
            block.flags[place] = plain.with_cold();
            assert!(!block.all_stand(here, group) && !block.none_behind(here));
        }
    }
}
