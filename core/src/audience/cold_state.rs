//! What only some sessions need, for a time: their own messages that they have not passed yet, gaps
//! that they have not been told, a mask, direct messages, an end. It is made when it is needed, and
//! let go when the session is even again:
//! [decision D47](crate::design#d47-cold-state-comes-and-goes).

use super::accounts::Stage;
use super::inbox::{Inbox, InboxLimits};
use crate::chunked::Chunked;
use crate::event::EndReason;
use crate::gap::Skips;
use crate::level_set::LevelSet;
use crate::list::{Links, List};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use core::ops::{Index, IndexMut, Range};

/// What one session has aside.
#[derive(Debug)]
pub(super) struct ColdState<M> {
    levels: PerLevel<AsideLevel>,
    /// The levels that it does not want. Of a live session, their cursors stand where the mask was
    /// set.
    mask: LevelSet,
    ending: Option<Ending>,
    /// Below which positions lies what was there before it came, of the levels of which it has yet
    /// to read such.
    history: Option<Box<PerLevel<u64>>>,
    /// What was sent to it directly and it has not read.
    inbox: Option<Box<Inbox<M>>>,
    /// The place among the sessions that end.
    links: Links,
}

/// One level of a session's cold state.
#[derive(Debug)]
pub(super) struct AsideLevel {
    /// Missed and not told yet.
    untold: Skips,
    /// Positions of its own messages that it has not passed yet, and that the log still held when
    /// space was last looked for.
    own: VecDeque<u64>,
    /// More such messages, which have fallen out of the log.
    own_lost: OwnLost,
}

/// Own messages that have fallen out of the log and are only counted.
#[derive(Clone, Copy, Debug)]
struct OwnLost {
    /// Those below the position where the log's overrun ended when the last was counted, and the
    /// others.
    counts: Skips,
    /// That position.
    overrun: u64,
}

impl OwnLost {
    const NONE: Self = Self { counts: Skips::NONE, overrun: 0 };

    /// Where the log's overrun ends here: one that has grown reaches past all that had fallen out.
    fn seen_from(self, overrun: u64) -> Self {
        let Self { counts, overrun: before } = self;
        if overrun == before {
            return self;
        }
        Self { counts: Skips { overrun: counts.total(), ..Skips::NONE }, overrun }
    }
}

impl AsideLevel {
    const NOTHING: Self =
        Self { untold: Skips::NONE, own: VecDeque::new(), own_lost: OwnLost::NONE };

    /// Returns how many of its own messages the session has not passed yet.
    pub(super) fn own_unread(&self) -> u64 {
        self.own.len() as u64 + self.own_lost.counts.total()
    }

    /// Notes a message of the session's own, where the log begins at `tail` and its overrun ends
    /// there or before. The memory is bounded by what the log holds: what has fallen out is only
    /// counted.
    #[inline]
    pub(super) fn add_own(&mut self, position: u64, tail: u64, overrun: u64) {
        // Looked for only when there is no space left: nobody asks for the position of one that has
        // fallen out.
        if self.own.len() == self.own.capacity() {
            self.own_lost = self.own_lost.seen_from(overrun);
            let lost = &mut self.own_lost.counts;
            while let Some(&first) = self.own.front().filter(|&&first| first < tail) {
                self.own.pop_front();
                *if first < overrun { &mut lost.overrun } else { &mut lost.age } += 1;
            }
        }
        self.own.push_back(position);
    }

    /// Returns whether a position is that of a message of the session's own.
    pub(super) fn is_own(&self, position: u64) -> bool {
        self.own.binary_search(&position).is_ok()
    }

    /// Returns how many of its own messages stand below `position` that it has not passed yet.
    /// `position` is at or past the log's tail or the session's end.
    pub(super) fn own_below(&self, position: u64) -> u64 {
        self.own_lost.counts.total() + self.own.partition_point(|&own| own < position) as u64
    }

    /// Returns what of a range of positions was skipped, and for which cause, where the log's
    /// overrun ends at `overrun`: all but its own. The range starts where the session stands, and
    /// ends at or past the log's tail or at the session's end.
    pub(super) fn skips(&self, range: &Range<u64>, overrun: u64) -> Skips {
        let all = split(range, overrun);
        let end = range.start + all.overrun;
        let lost = self.own_lost.seen_from(overrun).counts;
        let own = lost.overrun + self.own.partition_point(|&own| own < end) as u64;
        all - Skips { overrun: own, age: self.own_below(range.end) - own, ..Skips::NONE }
    }

    /// The session passes all positions below `to`, which is at or past the log's tail or the
    /// session's end. Returns how many of them were its own.
    pub(super) fn pass(&mut self, to: u64) -> u64 {
        let mut own = core::mem::replace(&mut self.own_lost, OwnLost::NONE).counts.total();
        while self.own.front().is_some_and(|&first| first < to) {
            self.own.pop_front();
            own += 1;
        }
        if self.own.is_empty() {
            self.own = VecDeque::new();
        }
        own
    }

    /// The session has missed so many messages, and has not been told.
    pub(super) fn miss(&mut self, skips: Skips) {
        self.untold += skips;
    }

    /// Returns how many messages the session has missed and not been told of.
    pub(super) fn untold(&self) -> Skips {
        self.untold
    }

    /// The session is told what it missed; returns what that was.
    pub(super) fn tell(&mut self) -> Skips {
        core::mem::replace(&mut self.untold, Skips::NONE)
    }

    fn is_blank(&self) -> bool {
        self.untold.total() == 0 && self.own_unread() == 0
    }
}

/// What a range of positions holds, by the cause for which it was skipped, where the log's overrun
/// ends at `overrun`.
pub(super) fn split(range: &Range<u64>, overrun: u64) -> Skips {
    let end = overrun.clamp(range.start, range.end);
    Skips { overrun: end - range.start, age: range.end - end, ..Skips::NONE }
}

/// A session that was closed from outside: it takes what it is due up to here, then the reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) reason: EndReason,
    pub(super) until: Instant,
    pub(super) ends: PerLevel<u64>,
}

impl<M> ColdState<M> {
    /// Nothing.
    const NONE: Self = Self {
        levels: PerLevel([const { AsideLevel::NOTHING }; Priority::NUM]),
        mask: LevelSet::EMPTY,
        ending: None,
        history: None,
        inbox: None,
        links: Links::NONE,
    };

    #[inline]
    pub(super) fn level(&self, level: Priority) -> &AsideLevel {
        &self.levels[level]
    }

    #[inline]
    pub(super) fn level_mut(&mut self, level: Priority) -> &mut AsideLevel {
        &mut self.levels[level]
    }

    /// Returns whether the session has missed something, at any level, that it has not been told.
    pub(super) fn has_untold(&self) -> bool {
        self.levels.values().any(|level| level.untold.total() > 0)
    }

    /// Returns the levels that the session does not want.
    #[inline]
    pub(super) fn mask(&self) -> LevelSet {
        self.mask
    }

    pub(super) fn set_masked_levels(&mut self, mask: LevelSet) {
        self.mask = mask;
    }

    /// Returns below which position of a level lies what was there before the session came; 0 where
    /// it has passed all that.
    #[inline]
    pub(super) fn history(&self, level: Priority) -> u64 {
        self.history.as_ref().map_or(0, |history| history[level])
    }

    /// The session has yet to read what was there before it came, below these positions.
    pub(super) fn begin_with_history(&mut self, below: PerLevel<u64>) {
        self.history = Some(Box::new(below));
    }

    /// The session passes all positions of a level below `to`.
    #[inline]
    pub(super) fn pass_history(&mut self, level: Priority, to: u64) {
        if let Some(history) = &mut self.history
            && to >= history[level]
        {
            history[level] = 0;
            self.history.take_if(|history| history.values().all(|&below| below == 0));
        }
    }

    /// Returns up to where the session reads, and why, if it ends.
    #[inline]
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Returns whether more becomes due for the session.
    #[inline]
    pub(super) fn stage(&self) -> Stage {
        if self.ending.is_some() { Stage::Ending } else { Stage::Live }
    }

    /// Returns what was sent to the session directly and it has not read, if there is any.
    #[inline]
    pub(super) fn inbox(&self) -> Option<&Inbox<M>> {
        self.inbox.as_deref()
    }

    /// Returns the place for what is sent to the session directly, made where there is none.
    pub(super) fn inbox_mut(&mut self) -> &mut Inbox<M> {
        self.inbox.get_or_insert_default()
    }

    /// Takes out what was sent to the session directly.
    pub(super) fn take_inbox(&mut self) -> Option<Box<Inbox<M>>> {
        self.inbox.take()
    }

    /// Lets go of an inbox in which nothing waits any more.
    pub(super) fn drop_empty_inbox(&mut self) {
        self.inbox.take_if(|inbox| inbox.is_empty());
    }

    /// Returns whether the session would be no different without it.
    pub(super) fn is_blank(&self) -> bool {
        let is_plain = self.mask.is_empty() && self.ending.is_none() && self.inbox.is_none();
        is_plain && self.history.is_none() && self.levels.values().all(AsideLevel::is_blank)
    }
}

fn links<M>(cold: &mut ColdState<M>) -> &mut Links {
    &mut cold.links
}

/// Each session's cold state, by its slot, where there is some.
#[derive(Debug)]
struct BySlot<M>(Chunked<Option<Box<ColdState<M>>>>);

impl<M> Index<u32> for BySlot<M> {
    type Output = ColdState<M>;

    /// That of a session which the caller knows to have some; else it is a bug in this crate.
    fn index(&self, slot: u32) -> &ColdState<M> {
        let cold = self.0.get(slot).and_then(Option::as_deref);
        cold.unwrap_or_else(|| unreachable!("the session in slot {slot} has no cold state"))
    }
}

impl<M> IndexMut<u32> for BySlot<M> {
    fn index_mut(&mut self, slot: u32) -> &mut ColdState<M> {
        let cold = self.0.get_mut(slot).and_then(Option::as_deref_mut);
        cold.unwrap_or_else(|| unreachable!("the session in slot {slot} has no cold state"))
    }
}

/// All cold state. What a session has let go of takes no memory but for its place.
#[derive(Debug)]
pub(super) struct ColdStates<M> {
    by_slot: BySlot<M>,
    len: u32,
    /// The sessions that end, the first to end first.
    ending: List,
    /// Those that end before one that was given earlier: only where the grace has become shorter.
    early: BTreeSet<(Instant, u32)>,
    inbox_limits: InboxLimits,
}

impl<M> ColdStates<M> {
    /// With nothing aside, and these limits of what waits for one session.
    pub(super) fn new(inbox_limits: InboxLimits) -> Self {
        Self {
            by_slot: BySlot(Chunked::new()),
            len: 0,
            ending: List::EMPTY,
            early: BTreeSet::new(),
            inbox_limits,
        }
    }

    /// Returns how much may wait for one session.
    pub(super) fn inbox_limits(&self) -> InboxLimits {
        self.inbox_limits
    }

    /// From now on so much may wait. What waits already stays.
    pub(super) fn set_inbox_limits(&mut self, limits: InboxLimits) {
        self.inbox_limits = limits;
    }

    pub(super) fn get(&self, slot: u32) -> Option<&ColdState<M>> {
        self.by_slot.0.get(slot)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut ColdState<M>> {
        self.by_slot.0.get_mut(slot)?.as_deref_mut()
    }

    #[inline]
    pub(super) fn get_or_insert(&mut self, slot: u32) -> &mut ColdState<M> {
        self.by_slot.0.touch_with(slot, || None);
        let place = &mut self.by_slot.0[slot];
        self.len += u32::from(place.is_none());
        place.get_or_insert_with(|| Box::new(ColdState::NONE))
    }

    /// Lets a session end. O(1) for one that ends after those that were given before, as all do
    /// while the grace is the same; else O(log n).
    pub(super) fn end(&mut self, slot: u32, ending: Ending) {
        let last = self.ending.back().and_then(|last| self.by_slot[last].ending);
        self.get_or_insert(slot).ending = Some(ending);
        if last.is_some_and(|last| ending.until < last.until) {
            self.early.insert((ending.until, slot));
        } else {
            self.ending.push_back(&mut self.by_slot, slot, links);
        }
    }

    /// Whether any session ends.
    #[inline]
    pub(super) fn has_ending(&self) -> bool {
        self.ending.front().is_some() || !self.early.is_empty()
    }

    /// The slot of the session that ends first, and when.
    pub(super) fn first_ending(&self) -> Option<(u32, Instant)> {
        let first = self.ending.front().and_then(|slot| {
            let ending = self.by_slot[slot].ending;
            ending.map(|ending| (slot, ending.until))
        });
        match self.early.first() {
            Some(&(until, slot)) if first.is_none_or(|(_, first)| until < first) => {
                Some((slot, until))
            }
            _ => first,
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let Some(cold) = self.get(slot) else { return };
        if let Some(ending) = cold.ending
            && !self.early.remove(&(ending.until, slot))
        {
            self.ending.unlink(&mut self.by_slot, slot, links);
        }
        self.by_slot.0[slot] = None;
        self.len -= 1;
    }

    /// Sessions that have cold state.
    pub(super) fn len(&self) -> u32 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Own messages fall out of the log on either side of where its overrun ends, which moves on.
    #[test]
    fn b21_own_messages_are_skipped_for_no_cause() {
        let mut level = AsideLevel::NOTHING;
        let own = [1, 3, 4, 6, 7, 9, 10, 12];
        for position in own {
            // The log holds four; what is below 5 was given up while it was fresh.
            level.add_own(position, position.saturating_sub(3), 5.min(position.saturating_sub(3)));
        }
        assert!(level.own.len() < own.len(), "some are only counted");
        assert_eq!(level.skips(&(0..9), 5), Skips { overrun: 2, age: 2, bus: 0 });
        // Up to 9 now: all that had fallen out before lies below.
        assert_eq!(level.skips(&(0..9), 9), Skips { overrun: 4, age: 0, bus: 0 });
        assert_eq!((level.pass(9), level.own_unread()), (5, 3));
        assert_eq!(level.skips(&(9..12), 11), Skips { overrun: 0, age: 1, bus: 0 });
    }

    /// The log holds eight messages; the session reads nothing, then some, then all.
    #[test]
    fn d47_own_messages_that_cannot_be_read_are_let_go() {
        let mut level = AsideLevel::NOTHING;
        for position in 0..100_000_u64 {
            level.add_own(position, (position + 1).saturating_sub(8), 0);
            assert!(level.own.len() <= 16 && level.own.capacity() <= 16, "at {position}");
            assert_eq!(level.own_unread(), position + 1);
        }
        assert_eq!(level.own_below(99_996), 99_996);
        assert_eq!((level.pass(99_996), level.own_unread(), level.own.len()), (99_996, 4, 4));
        assert!(level.is_own(99_996) && !level.is_own(99_995) && !level.is_blank());
        assert_eq!((level.pass(100_000), level.own_unread(), level.own.capacity()), (4, 0, 0));
        assert!(level.is_blank());
    }

    #[test]
    fn d47_what_is_needed_no_more_takes_no_memory() {
        let mut states = ColdStates::<()>::new(InboxLimits { messages: 1, bytes: 1 });
        for slot in (0..10_000).rev() {
            states.get_or_insert(slot).level_mut(Priority::Low).miss(Skips {
                overrun: 1,
                age: 0,
                bus: 0,
            });
        }
        let ending = |until| Ending {
            reason: EndReason::Left,
            until: Instant::from_secs(until),
            ends: PerLevel::default(),
        };
        // The second ends before the first.
        states.end(7, ending(9));
        states.end(8, ending(3));
        assert_eq!((states.len(), states.first_ending()), (10_000, Some((8, ending(3).until))));
        for slot in 0..10_000 {
            states.remove(slot);
            assert!(states.get(slot).is_none());
        }
        assert_eq!((states.len(), states.has_ending()), (0, false));
        // What stays is a place for each.
        assert_eq!(size_of::<Option<Box<ColdState<()>>>>(), 8);
    }
}
