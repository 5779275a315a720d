//! What only some sessions need, made when it is needed: their own messages in the log, skips, a
//! mask, direct messages, an end.

use super::accounts::Stage;
use super::inbox::{Inbox, InboxLimits};
use super::positions::Span;
use crate::chunked::{Chunked, NIL, Slab};
use crate::event::EndReason;
use crate::ledger::Deliveries;
use crate::level_set::LevelSet;
use crate::list::{Links, List};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};

/// What one session has aside.
#[derive(Debug)]
pub(super) struct ColdState<M> {
    slot: u32,
    levels: PerLevel<AsideLevel>,
    /// The levels that it does not want. Of a live session, their cursors stand where the mask was
    /// set.
    mask: LevelSet,
    ending: Option<Ending>,
    /// What was sent to it directly and it has not read.
    inbox: Option<Box<Inbox<M>>>,
    /// The place among the sessions that end.
    links: Links,
}

/// One level of a session's cold state.
#[derive(Debug, Default)]
pub(super) struct AsideLevel {
    /// Missed, over the session's whole life.
    skipped: u64,
    /// Missed and not told yet.
    untold: u64,
    /// Its own messages and those of a level while that was masked, over its whole life; of the
    /// latter those before the cursor.
    excluded: u64,
    /// Dispatched before the start position that the session keeps now: the part of its books that
    /// the hand has folded.
    folded: u64,
    /// Positions of its own messages that it has not passed yet, and that the log still held when
    /// space was last looked for.
    own: VecDeque<u64>,
    /// More such messages, which have fallen out of the log.
    own_lost: u64,
}

impl AsideLevel {
    /// Returns how many of its own messages the session has not passed yet.
    pub(super) fn own_unread(&self) -> u64 {
        self.own.len() as u64 + self.own_lost
    }

    /// Notes a message of the session's own. The memory is bounded by what the log holds: what has
    /// fallen out is only counted.
    #[inline]
    pub(super) fn add_own(&mut self, position: u64, tail: u64) {
        // Looked for only when there is no space left: nobody asks for the position of one that has
        // fallen out.
        if self.own.len() == self.own.capacity() {
            while self.own.front().is_some_and(|&first| first < tail) {
                self.own.pop_front();
                self.own_lost += 1;
            }
        }
        self.own.push_back(position);
        self.excluded += 1;
    }

    /// Returns whether a position is that of a message of the session's own.
    pub(super) fn is_own(&self, position: u64) -> bool {
        self.own.binary_search(&position).is_ok()
    }

    /// Returns how many of its own messages stand below `position` that it has not passed yet.
    /// `position` is at or past the log's tail or the session's end.
    pub(super) fn own_below(&self, position: u64) -> u64 {
        self.own_lost + self.own.partition_point(|&own| own < position) as u64
    }

    /// The session passes all positions below `to`, which is at or past the log's tail or the
    /// session's end. Returns how many of them were its own.
    pub(super) fn pass(&mut self, to: u64) -> u64 {
        let mut own = core::mem::take(&mut self.own_lost);
        while self.own.front().is_some_and(|&first| first < to) {
            self.own.pop_front();
            own += 1;
        }
        own
    }

    /// The session has missed so many messages, and has not been told.
    pub(super) fn skip(&mut self, messages: u64) {
        self.skipped += messages;
        self.untold += messages;
    }

    /// Returns how many messages the session has missed and not been told of.
    pub(super) fn untold(&self) -> u64 {
        self.untold
    }

    /// The session has been told what it missed.
    pub(super) fn tell(&mut self) {
        self.untold = 0;
    }

    /// So many messages were dispatched while the session had masked the level.
    pub(super) fn exclude(&mut self, messages: u64) {
        self.excluded += messages;
    }

    /// The start position that the session keeps moves on so far.
    pub(super) fn fold(&mut self, positions: u64) {
        self.folded += positions;
    }

    /// Returns the session's books; those of a masked level count what is ahead of the cursor as
    /// excluded.
    pub(super) fn deliveries(&self, Span { start, cursor, end }: Span, ahead: Ahead) -> Deliveries {
        let masked = match ahead {
            Ahead::Delivery => 0,
            Ahead::Masked => end - cursor,
        };
        let passed_own = self.excluded - self.own_unread();
        Deliveries {
            due: self.folded + end - start,
            delivered: self.folded + cursor - start - self.skipped - passed_own,
            skipped: self.skipped,
            pending: end - cursor - self.own_unread() - masked,
            excluded: self.excluded + masked,
            abandoned: 0,
        }
    }

    fn is_blank(&self) -> bool {
        (self.skipped, self.untold, self.excluded, self.folded) == (0, 0, 0, 0)
    }
}

/// What becomes of the messages ahead of a session's cursor, its own left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// It is to read them.
    Delivery,
    /// It has masked the level.
    Masked,
}

/// A session that was closed from outside: it takes what it is due up to here, then the reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) reason: EndReason,
    pub(super) until: Instant,
    pub(super) ends: PerLevel<u64>,
}

impl<M> ColdState<M> {
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
        self.levels.values().any(|level| level.untold > 0)
    }

    /// Returns the levels that the session does not want.
    #[inline]
    pub(super) fn mask(&self) -> LevelSet {
        self.mask
    }

    pub(super) fn set_masked_levels(&mut self, mask: LevelSet) {
        self.mask = mask;
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
        is_plain && self.levels.values().all(AsideLevel::is_blank)
    }
}

fn links<M>(cold: &mut ColdState<M>) -> &mut Links {
    &mut cold.links
}

/// All cold state, found by the session's slot.
#[derive(Debug)]
pub(super) struct ColdStates<M> {
    slab: Slab<ColdState<M>>,
    /// The place in the slab of each session's state, where there is some: a look-up without a
    /// hash.
    places: Chunked<u32>,
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
            slab: Slab::new(),
            places: Chunked::new(),
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

    fn find(&self, slot: u32) -> Option<u32> {
        self.places.get(slot).copied().filter(|&place| place != NIL)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&ColdState<M>> {
        // No slab has as many slots as would make this one full.
        self.slab.get(*self.places.get(slot)?)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut ColdState<M>> {
        self.slab.get_mut(*self.places.get(slot)?)
    }

    #[inline]
    pub(super) fn get_or_insert(&mut self, slot: u32) -> &mut ColdState<M> {
        let place = self.find(slot).unwrap_or_else(|| self.insert(slot));
        &mut self.slab[place]
    }

    fn insert(&mut self, slot: u32) -> u32 {
        let fresh = ColdState {
            slot,
            levels: PerLevel::default(),
            mask: LevelSet::EMPTY,
            ending: None,
            inbox: None,
            links: Links::NONE,
        };
        let place = self.slab.insert(fresh);
        self.places.touch(slot, NIL);
        self.places[slot] = place;
        place
    }

    /// Lets a session end. O(1) for one that ends after those that were given before, as all do
    /// while the grace is the same; else O(log n).
    pub(super) fn end(&mut self, slot: u32, ending: Ending) {
        let last = self.ending.back().and_then(|last| self.slab[last].ending);
        self.get_or_insert(slot).ending = Some(ending);
        if last.is_some_and(|last| ending.until < last.until) {
            self.early.insert((ending.until, slot));
        } else if let Some(place) = self.find(slot) {
            self.ending.push_back(&mut self.slab, place, links);
        }
    }

    /// Whether any session ends.
    #[inline]
    pub(super) fn has_ending(&self) -> bool {
        self.ending.front().is_some() || !self.early.is_empty()
    }

    /// The slot of the session that ends first, and when.
    pub(super) fn first_ending(&self) -> Option<(u32, Instant)> {
        let first = self.ending.front().and_then(|first| {
            let cold = &self.slab[first];
            cold.ending.map(|ending| (cold.slot, ending.until))
        });
        match self.early.first() {
            Some(&(until, slot)) if first.is_none_or(|(_, first)| until < first) => {
                Some((slot, until))
            }
            _ => first,
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(place) = self.find(slot) {
            if let Some(ending) = self.slab[place].ending
                && !self.early.remove(&(ending.until, slot))
            {
                self.ending.unlink(&mut self.slab, place, links);
            }
            self.places[slot] = NIL;
            self.slab.remove(place);
        }
    }

    /// Sessions that have cold state.
    pub(super) fn len(&self) -> u32 {
        self.slab.len()
    }
}
