//! The hot state of sessions: four cursors and four start positions each, laid out for sweeping.
//!
//! Positions are 64 bits wide; a session keeps the low half of each and the log's head supplies the
//! rest. That is exact while a session is less than 2³² messages behind, and the
//! audience's hand sees to it that it is.

#[cfg(test)]
mod tests;

use super::batch::Handoff;
use super::block::{BLOCK, Block, Match, SlotFlags};
use super::positions::{Positions, Span, widen};
use crate::chunked::{Chunked, NIL};
use crate::ids::{Group, SessionKey, SessionKind};
use crate::priority::{PerLevel, Priority};
use crate::shard_index::ShardIndex;
use core::ops::Range;

#[derive(Debug)]
pub(super) struct Sessions {
    /// The room numbers its slots over all its parts; here and in all of the audience a slot is
    /// the place among this part's.
    part: ShardIndex,
    /// Cursors, generations, marks.
    hot: Chunked<Block>,
    /// By blocks, too: few chunks, whose addresses stay in the caches.
    starts: Chunked<[Positions; BLOCK as usize]>,
    /// Slots that were ever taken.
    slots: u32,
    /// The first free slot; the others are chained through their first start position.
    free: u32,
    len: u32,
    /// Sessions that the room may have.
    max: u32,
}

/// Where a session stands.
pub(super) enum CursorState<'a> {
    /// At these cursors, without cold state.
    Plain(&'a Positions),
    /// In this slot, with cold state.
    Cold(u32),
}

/// What a sweep over sessions that are alike did.
pub(super) struct Swept {
    /// The slot at which it stopped.
    pub(super) stopped: u32,
    /// Sessions that were offered what they are due.
    pub(super) handed: u32,
    /// Those that took it.
    pub(super) taken: u32,
}

impl Sessions {
    pub(super) fn new(part: ShardIndex, max: u32) -> Self {
        Self { part, hot: Chunked::new(), starts: Chunked::new(), slots: 0, free: NIL, len: 0, max }
    }

    /// Which part of the room this is.
    pub(super) fn part(&self) -> ShardIndex {
        self.part
    }

    /// Returns how many sessions the room may have, in all its parts.
    pub(super) fn max(&self) -> u32 {
        self.max
    }

    /// From now on the room may have so many sessions. Those that are in stay.
    pub(super) fn set_max(&mut self, max: u32) {
        self.max = max;
    }

    /// Returns whether this part has its share of the room's sessions.
    pub(super) fn is_full(&self) -> bool {
        self.len >= self.part.share(self.max)
    }

    /// Sessions that are in.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Slots, taken or free.
    #[inline]
    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    /// Takes a slot whose cursors start at `heads`.
    #[inline]
    pub(super) fn insert(
        &mut self,
        kind: SessionKind,
        group: Group,
        heads: Positions,
    ) -> SessionKey {
        let slot = self.take_slot(heads);
        let (block, place) = self.at_mut(slot);
        let generation = SessionKey::next_generation(block.generations[place], kind);
        block.cursors[place] = heads;
        block.generations[place] = generation;
        block.flags[place] = SlotFlags::plain(group);
        self.len += 1;
        SessionKey::new(self.part.slot(slot), generation)
    }

    #[inline]
    fn take_slot(&mut self, starts: Positions) -> u32 {
        let slot = self.free;
        if slot != NIL {
            let place = self.starts_mut(slot);
            let next = core::mem::replace(place, starts)[0];
            self.free = next;
            return slot;
        }
        self.add_slot(starts)
    }

    fn add_slot(&mut self, starts: Positions) -> u32 {
        let slot = self.slots;
        if slot.is_multiple_of(BLOCK) {
            self.hot.push(Block::EMPTY);
            self.starts.push([starts; BLOCK as usize]);
        }
        *self.starts_mut(slot) = starts;
        self.slots += 1;
        slot
    }

    /// Frees a slot. Returns the start positions and the cursors.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) -> (Positions, Positions) {
        let (block, place) = self.at_mut(slot);
        block.flags[place] = SlotFlags::FREE;
        let cursors = block.cursors[place];
        let chained = [self.free, 0, 0, 0];
        let starts = core::mem::replace(self.starts_mut(slot), chained);
        self.free = slot;
        self.len -= 1;
        (starts, cursors)
    }

    /// The block of a slot that there is, and the place in it.
    #[inline]
    fn at(&self, slot: u32) -> (&Block, usize) {
        let block = self
            .hot
            .get(slot / BLOCK)
            .unwrap_or_else(|| unreachable!("nobody ever held slot {slot}"));
        (block, (slot % BLOCK) as usize)
    }

    /// As [`at`](Self::at), to change.
    #[inline]
    fn at_mut(&mut self, slot: u32) -> (&mut Block, usize) {
        let block = self
            .hot
            .get_mut(slot / BLOCK)
            .unwrap_or_else(|| unreachable!("nobody ever held slot {slot}"));
        (block, (slot % BLOCK) as usize)
    }

    #[inline]
    fn starts(&self, slot: u32) -> &Positions {
        &self.starts[slot / BLOCK][(slot % BLOCK) as usize]
    }

    #[inline]
    fn starts_mut(&mut self, slot: u32) -> &mut Positions {
        &mut self.starts[slot / BLOCK][(slot % BLOCK) as usize]
    }

    /// The slot of a session that is in, with its block and the place in that.
    #[inline]
    fn find(&self, session: SessionKey) -> Option<(u32, &Block, usize)> {
        let slot = self.part.place(session.slot())?;
        let (block, place) = (self.hot.get(slot / BLOCK)?, (slot % BLOCK) as usize);
        (block.flags[place].is_held() & (block.generations[place] == session.generation()))
            .then_some((slot, block, place))
    }

    /// Where a session stands that is in.
    #[inline]
    pub(super) fn stands(&self, session: SessionKey) -> Option<CursorState<'_>> {
        let (slot, block, place) = self.find(session)?;
        Some(if block.flags[place].is_cold() {
            CursorState::Cold(slot)
        } else {
            CursorState::Plain(&block.cursors[place])
        })
    }

    /// The cursors of a session that is in and has no cold state.
    #[inline]
    pub(super) fn plain_cursors(&mut self, session: SessionKey) -> Option<&mut Positions> {
        let slot = self.part.place(session.slot())?;
        let (block, place) = (self.hot.get_mut(slot / BLOCK)?, (slot % BLOCK) as usize);
        let is_it =
            block.flags[place].is_plain() & (block.generations[place] == session.generation());
        is_it.then(|| &mut block.cursors[place])
    }

    /// The slot of a session that is in.
    #[inline]
    pub(super) fn slot_of(&self, session: SessionKey) -> Option<u32> {
        self.find(session).map(|(slot, ..)| slot)
    }

    /// The session that holds a slot.
    #[inline]
    pub(super) fn holder(&self, slot: u32) -> Option<SessionKey> {
        let (block, place) = (self.hot.get(slot / BLOCK)?, (slot % BLOCK) as usize);
        block.flags[place]
            .is_held()
            .then(|| SessionKey::new(self.part.slot(slot), block.generations[place]))
    }

    /// The first session of a group in a range of slots that is not at `heads`, or has cold state.
    pub(super) fn first_behind(
        &self,
        mut slots: Range<u32>,
        group: Group,
        heads: Positions,
    ) -> Option<u32> {
        while slots.start < slots.end {
            for block in self.hot.chunk_from(slots.start / BLOCK) {
                let place = slots.start % BLOCK;
                let places = place..BLOCK.min(place + (slots.end - slots.start));
                slots.start += places.end - place;
                // A search that begins inside of a block goes on from where one has just stopped:
                // the next is most likely behind as well.
                if (place > 0 || !block.none_behind(heads))
                    && let Some(stop) = block.first_behind(places.clone(), group, heads)
                {
                    return Some(slots.start - places.end + stop);
                }
                if slots.start == slots.end {
                    break;
                }
            }
        }
        None
    }

    /// Of 64 slots from `first` on, those that `waiting` names: which are free or hold a session
    /// that is not at `heads` and has no cold state, and which hold one that has cold state.
    #[inline]
    pub(super) fn behind_among(&self, first: u32, waiting: u64, heads: Positions) -> (u64, u64) {
        let (mut behind, mut cold) = (0, 0);
        if first >= self.slots() {
            return (waiting, 0);
        }
        // Chunks are a multiple of 64 long.
        let mut known = 0;
        for block in self.hot.chunk_from(first / BLOCK).iter().take((64 / BLOCK) as usize) {
            let found = block.behind(heads);
            behind |= u64::from(found.0) << known;
            cold |= u64::from(found.1) << known;
            known += BLOCK;
        }
        let unknown = if known < 64 { u64::MAX << known } else { 0 };
        ((behind | unknown) & waiting, cold & waiting)
    }

    /// Whether a session of this group holds a slot.
    #[inline]
    pub(super) fn is_in(&self, slot: u32, group: Group) -> bool {
        let plain = SlotFlags::plain(group);
        self.hot.get(slot / BLOCK).is_some_and(|block| {
            let flags = block.flags[(slot % BLOCK) as usize];
            flags == plain || flags == plain.with_cold()
        })
    }

    /// Offers each session of a group that stands `here` to `take`, and moves those that are taken
    /// to `there`. Passes over free slots, other groups and sessions that are at `heads`; stops at
    /// the first that stands anywhere else or has cold state.
    ///
    /// Most blocks are all alike, and to see that takes no branch for each session; then a sink
    /// that takes whatever it gets costs little more than the writing of the cursors. Inlined into
    /// the caller's loop, so that what such a sink counts stays in a register.
    #[inline]
    pub(super) fn sweep(
        &mut self,
        slots: Range<u32>,
        group: Group,
        [here, there, heads]: [Positions; 3],
        mut take: impl FnMut(SessionKey) -> Handoff,
    ) -> Swept {
        let part = self.part;
        let mut swept = Swept { stopped: slots.start, handed: 0, taken: 0 };
        while swept.stopped < slots.end {
            for block in self.hot.chunk_from_mut(swept.stopped / BLOCK) {
                let (place, left) = (swept.stopped % BLOCK, slots.end - swept.stopped);
                // The slots of one block follow each other in the room, too.
                let slot = part.slot(swept.stopped - place);
                if place == 0 && left >= BLOCK && block.all_stand(here, group) {
                    swept.handed += BLOCK;
                    for (slot, (&generation, cursors)) in
                        (slot..).zip(block.generations.iter().zip(&mut block.cursors))
                    {
                        if take(SessionKey::new(slot, generation)) == Handoff::Taken {
                            *cursors = there;
                            swept.taken += 1;
                        }
                    }
                } else {
                    let Match { mut due, stop } =
                        block.find(place..BLOCK.min(place + left), group, here, heads);
                    swept.handed += due.count_ones();
                    while due != 0 {
                        let place = due.trailing_zeros();
                        due &= due - 1;
                        if take(SessionKey::new(slot + place, block.generations[place as usize]))
                            == Handoff::Taken
                        {
                            block.cursors[place as usize] = there;
                            swept.taken += 1;
                        }
                    }
                    if let Some(stop) = stop {
                        swept.stopped += stop - place;
                        return swept;
                    }
                }
                swept.stopped += left.min(BLOCK - place);
                if swept.stopped == slots.end {
                    break;
                }
            }
        }
        swept
    }

    #[inline]
    pub(super) fn is_held(&self, slot: u32) -> bool {
        self.hot
            .get(slot / BLOCK)
            .is_some_and(|block| block.flags[(slot % BLOCK) as usize].is_held())
    }

    #[inline]
    pub(super) fn is_cold(&self, slot: u32) -> bool {
        let (block, place) = self.at(slot);
        block.flags[place].is_cold()
    }

    #[inline]
    pub(super) fn mark_aside(&mut self, slot: u32) {
        let (block, place) = self.at_mut(slot);
        block.flags[place] = block.flags[place].with_cold();
    }

    pub(super) fn unmark_aside(&mut self, slot: u32) {
        let (block, place) = self.at_mut(slot);
        block.flags[place] = block.flags[place].without_cold();
    }

    /// The cursors of a slot.
    #[inline]
    pub(super) fn cursors(&self, slot: u32) -> &Positions {
        let (block, place) = self.at(slot);
        &block.cursors[place]
    }

    /// Where a session reads next.
    #[inline]
    pub(super) fn cursor(&self, slot: u32, level: Priority, head: u64) -> u64 {
        widen(head, self.cursors(slot)[level.index()])
    }

    #[inline]
    pub(super) fn set_cursor(&mut self, slot: u32, level: Priority, position: u64) {
        let (block, place) = self.at_mut(slot);
        block.cursors[place][level.index()] = position as u32;
    }

    /// Returns where a session's books start and where it stands, seen from an `end`.
    #[inline]
    pub(super) fn span(&self, slot: u32, level: Priority, end: u64) -> Span {
        let at = level.index();
        Span::widen(self.starts(slot)[at], self.cursors(slot)[at], end)
    }

    /// Lets a session's books start further on.
    pub(super) fn set_start(&mut self, slot: u32, level: Priority, position: u64) {
        self.starts_mut(slot)[level.index()] = position as u32;
    }

    /// Whether any position of a session is more than `lag` behind.
    #[inline]
    pub(super) fn lags(&self, slot: u32, heads: PerLevel<u64>, lag: u32) -> bool {
        let positions = self.cursors(slot).iter().zip(self.starts(slot)).zip(heads.0);
        positions.fold(false, |any, ((&cursor, &start), head)| {
            any | ((head as u32).wrapping_sub(cursor) > lag)
                | ((head as u32).wrapping_sub(start) > lag)
        })
    }

    /// Whether a session has read all that there is. One comparison of 16 bytes.
    #[inline]
    pub(super) fn is_caught_up(&self, slot: u32, heads: Positions) -> bool {
        *self.cursors(slot) == heads
    }
}
