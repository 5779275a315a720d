//! The hot state of sessions: four cursors and four start positions each, laid out for sweeping.
//!
//! Positions are 64 bits wide; a session keeps the low half of each and the log's head supplies the rest (decision D5). That is exact
//! while a session is less than 2³² messages behind, and the audience's hand sees to it that it is.

use super::reading::Verdict;
use crate::chunked::{Chunked, NIL};
use crate::ids::{Group, SessionId};
use crate::part::Part;
use crate::priority::{PerLevel, Priority};
use core::ops::Range;

/// Positions of one session, one for each level: the low halves.
pub(super) type Positions = [u32; Priority::NUM];

#[derive(Debug)]
pub(super) struct Sessions {
    /// The room numbers its slots over all its parts; here and in all of the audience a slot is the place among this part's.
    part: Part,
    cursors: Chunked<Positions>,
    starts: Chunked<Positions>,
    generations: Chunked<u32>,
    marks: Chunked<Marks>,
    /// The first free slot; the others are chained through their first start position.
    free: u32,
    len: u32,
}

/// Where a session stands.
pub(super) enum Stand<'a> {
    /// At these cursors, with nothing aside.
    Plain(&'a Positions),
    /// In this slot, with something aside.
    Aside(u32),
}

/// One byte beside the cursors: two bits, and above them the number of the session's group.
#[derive(Clone, Copy, Debug, Default)]
struct Marks(u8);

impl Marks {
    /// Someone holds the slot.
    const HELD: u8 = 1;
    /// The session has state aside: something of its own in the log, skips, an end.
    const ASIDE: u8 = 2;

    /// A session of this group with nothing aside.
    const fn plain(group: Group) -> u8 {
        Self::HELD | group.number() << 2
    }
}

/// The whole position of which `low` is the low half, given a `head` that it is at most 2³² behind.
const fn widen(head: u64, low: u32) -> u64 {
    head.wrapping_sub((head as u32).wrapping_sub(low) as u64)
}

impl Sessions {
    pub(super) fn new(part: Part) -> Self {
        Self {
            part,
            cursors: Chunked::new(),
            starts: Chunked::new(),
            generations: Chunked::new(),
            marks: Chunked::new(),
            free: NIL,
            len: 0,
        }
    }

    /// Sessions that are in.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Slots, taken or free.
    #[inline]
    pub(super) fn slots(&self) -> u32 {
        self.marks.len() as u32
    }

    /// Takes a slot whose cursors start at `heads`.
    pub(super) fn insert(&mut self, guest: bool, group: Group, heads: PerLevel<u64>) -> SessionId {
        let positions = heads.0.map(|head| head as u32);
        let slot = self.free;
        let slot = if slot == NIL {
            let slot = self.slots();
            self.cursors.push(positions);
            self.starts.push(positions);
            self.generations.push(0);
            self.marks.push(Marks::default());
            slot
        } else {
            self.free = self.starts[slot][0];
            self.cursors[slot] = positions;
            self.starts[slot] = positions;
            slot
        };
        let generation = SessionId::next_generation(self.generations[slot], guest);
        self.generations[slot] = generation;
        self.marks[slot] = Marks(Marks::plain(group));
        self.len += 1;
        SessionId::new(self.part.slot(slot), generation)
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.marks[slot] = Marks::default();
        self.starts[slot][0] = self.free;
        self.free = slot;
        self.len -= 1;
    }

    /// Where a session stands that is in.
    #[inline]
    pub(super) fn stands(&self, session: SessionId) -> Option<Stand<'_>> {
        let slot = self.part.place(session.slot())?;
        let marks = self.marks.get(slot)?.0;
        if marks & Marks::HELD == 0 || self.generations[slot] != session.generation() {
            return None;
        }
        Some(if marks & Marks::ASIDE == 0 { Stand::Plain(&self.cursors[slot]) } else { Stand::Aside(slot) })
    }

    /// The cursors of a session that is in and has nothing aside.
    #[inline]
    pub(super) fn plain_cursors(&mut self, session: SessionId) -> Option<&mut Positions> {
        let slot = self.part.place(session.slot())?;
        let marks = self.marks.get(slot)?.0;
        if marks & (Marks::HELD | Marks::ASIDE) != Marks::HELD || self.generations[slot] != session.generation() {
            return None;
        }
        Some(&mut self.cursors[slot])
    }

    /// The slot of a session that is in.
    #[inline]
    pub(super) fn slot_of(&self, session: SessionId) -> Option<u32> {
        let slot = self.part.place(session.slot())?;
        let held = self.is_held(slot) && self.generations[slot] == session.generation();
        held.then_some(slot)
    }

    /// The session that holds a slot.
    #[inline]
    pub(super) fn holder(&self, slot: u32) -> Option<SessionId> {
        self.is_held(slot).then(|| SessionId::new(self.part.slot(slot), self.generations[slot]))
    }

    /// The first session of a group in a range of slots that is not at `heads`, or has state aside.
    pub(super) fn first_behind(&self, mut slots: Range<u32>, group: Group, heads: Positions) -> Option<u32> {
        let plain = Marks::plain(group);
        slots.find(|&slot| {
            let marks = self.marks[slot].0;
            marks == plain | Marks::ASIDE || (marks == plain && self.cursors[slot] != heads)
        })
    }

    /// Of 64 slots from `first` on, those that `waiting` names: which are free or hold a session that is not at `heads` and has nothing
    /// aside, and which hold one that has something aside.
    #[inline]
    pub(super) fn behind_among(&self, first: u32, waiting: u64, heads: Positions) -> (u64, u64) {
        let (mut behind, mut aside) = (0, 0);
        if first >= self.slots() {
            return (waiting, 0);
        }
        // Chunks are a multiple of 64 long.
        let (marks, cursors) = (self.marks.chunk_from(first), self.cursors.chunk_from(first));
        for (bit, (marks, cursors)) in marks.iter().zip(cursors).take(64).enumerate() {
            let has_aside = marks.0 & Marks::ASIDE != 0;
            let is_behind = !has_aside && (*cursors != heads || marks.0 & Marks::HELD == 0);
            behind |= u64::from(is_behind) << bit;
            aside |= u64::from(has_aside) << bit;
        }
        let known = marks.len().min(64);
        let unknown = if known < 64 { u64::MAX << known } else { 0 };
        ((behind | unknown) & waiting, aside & waiting)
    }

    /// Whether a session of this group holds a slot.
    #[inline]
    pub(super) fn is_in(&self, slot: u32, group: Group) -> bool {
        self.marks.get(slot).is_some_and(|marks| marks.0 & !Marks::ASIDE == Marks::plain(group))
    }

    /// Offers each session of a group that stands `here` to `take`, and moves those that are taken to `there`. Passes over free slots,
    /// other groups and sessions that are at `heads`; stops at the first that stands anywhere else or has state aside, and answers its slot.
    pub(super) fn sweep(
        &mut self,
        mut slots: Range<u32>,
        group: Group,
        here: Positions,
        there: Positions,
        heads: Positions,
        mut take: impl FnMut(SessionId) -> Verdict,
    ) -> u32 {
        let (part, plain) = (self.part, Marks::plain(group));
        while slots.start < slots.end {
            // The three arrays have the same chunks.
            let marks = self.marks.chunk_from(slots.start);
            let generations = self.generations.chunk_from(slots.start);
            let cursors = self.cursors.chunk_from_mut(slots.start);
            let count = marks.len().min((slots.end - slots.start) as usize);
            for (place, ((marks, generation), cursors)) in marks.iter().zip(generations).zip(cursors).take(count).enumerate() {
                let slot = slots.start + place as u32;
                if marks.0 == plain && *cursors == here {
                    if take(SessionId::new(part.slot(slot), *generation)) == Verdict::Taken {
                        *cursors = there;
                    }
                } else if marks.0 == plain | Marks::ASIDE || (marks.0 == plain && *cursors != heads) {
                    return slot;
                }
            }
            slots.start += count as u32;
        }
        slots.end
    }

    #[inline]
    pub(super) fn is_held(&self, slot: u32) -> bool {
        self.marks.get(slot).is_some_and(|marks| marks.0 & Marks::HELD != 0)
    }

    #[inline]
    pub(super) fn has_aside(&self, slot: u32) -> bool {
        self.marks[slot].0 & Marks::ASIDE != 0
    }

    #[inline]
    pub(super) fn mark_aside(&mut self, slot: u32) {
        self.marks[slot].0 |= Marks::ASIDE;
    }

    /// Where a session reads next.
    #[inline]
    pub(super) fn cursor(&self, slot: u32, level: Priority, head: u64) -> u64 {
        widen(head, self.cursors[slot][level.index()])
    }

    #[inline]
    pub(super) fn set_cursor(&mut self, slot: u32, level: Priority, position: u64) {
        self.cursors[slot][level.index()] = position as u32;
    }

    /// Where a session's books start.
    #[inline]
    pub(super) fn start(&self, slot: u32, level: Priority, head: u64) -> u64 {
        widen(head, self.starts[slot][level.index()])
    }

    pub(super) fn set_start(&mut self, slot: u32, level: Priority, position: u64) {
        self.starts[slot][level.index()] = position as u32;
    }

    /// Whether any position of a session is more than `lag` behind.
    #[inline]
    pub(super) fn lags(&self, slot: u32, heads: PerLevel<u64>, lag: u32) -> bool {
        let positions = self.cursors[slot].iter().zip(&self.starts[slot]).zip(heads.0);
        positions.fold(false, |any, ((&cursor, &start), head)| {
            any | ((head as u32).wrapping_sub(cursor) > lag) | ((head as u32).wrapping_sub(start) > lag)
        })
    }

    /// Whether a session has read all that there is. One comparison of 16 bytes.
    #[inline]
    pub(super) fn is_caught_up(&self, slot: u32, heads: Positions) -> bool {
        self.cursors[slot] == heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_widen_across_the_wrap() {
        let border = 1_u64 << 32;
        for (head, position) in [(5, 5), (5, 0), (border + 3, border - 2), (border, border), (3 * border + 1, 2 * border + 2)] {
            assert_eq!(widen(head, position as u32), position);
        }
    }

    #[test]
    fn a_slot_is_used_again_under_another_name() {
        let group = Group::default();
        let mut sessions = Sessions::new(Part::WHOLE);
        let first = sessions.insert(false, group, PerLevel::default());
        sessions.insert(true, group, PerLevel::default());
        sessions.remove(first.slot());
        assert_eq!(sessions.slot_of(first), None);
        let second = sessions.insert(true, group, PerLevel([9; 4]));
        assert_eq!((second.slot(), sessions.len(), sessions.slots()), (first.slot(), 2, 2));
        assert!(second != first && second.is_guest());
        assert_eq!(sessions.slot_of(second), Some(second.slot()));
    }

    #[test]
    fn the_hot_state_of_a_session_is_sixteen_bytes() {
        assert_eq!(size_of::<Positions>(), 16);
        assert_eq!(size_of::<Marks>(), 1);
    }
}
