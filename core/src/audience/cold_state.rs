//! What only some sessions need, made when it is needed: their own messages in the log, skips, a
//! mask, direct messages, an end.

use super::directs::Inbox;
use crate::chunked::{Chunked, NIL, Slab};
use crate::event::EndReason;
use crate::index::Hasher;
use crate::level_set::LevelSet;
use crate::list::{Links, List};
use crate::priority::PerLevel;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct ColdState<M> {
    slot: u32,
    pub(super) levels: PerLevel<AsideLevel>,
    /// The levels that it does not want. Of a live session, their cursors stand where the mask was
    /// set.
    pub(super) mask: LevelSet,
    pub(super) ending: Option<Ending>,
    /// What was sent to it directly and it has not read.
    pub(super) inbox: Option<Box<Inbox<M>>>,
    /// The place among the sessions that end.
    links: Links,
}

/// One level of a session's cold state.
#[derive(Debug, Default)]
pub(super) struct AsideLevel {
    /// Missed, over the session's whole life.
    pub(super) skipped: u64,
    /// Missed and not told yet.
    pub(super) untold: u64,
    /// Its own messages and those of a level while that was masked, over its whole life; of the
    /// latter those before the cursor.
    pub(super) excluded: u64,
    /// Dispatched before the start position that the session keeps now: the part of its books that
    /// the hand has folded.
    pub(super) folded: u64,
    /// Positions of its own messages that it has not passed yet, and that the log still held when
    /// space was last looked for.
    own: VecDeque<u64>,
    /// More such messages, which have fallen out of the log.
    own_lost: u64,
}

impl AsideLevel {
    /// Own messages that the session has not passed yet.
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

    pub(super) fn is_own(&self, position: u64) -> bool {
        self.own.binary_search(&position).is_ok()
    }

    /// Own messages below `position` that it has not passed yet. `position` is at or past the log's
    /// tail or the session's end.
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
}

/// A session that was closed from outside: it takes what it is due up to here, then the reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) reason: EndReason,
    pub(super) until: Instant,
    pub(super) ends: PerLevel<u64>,
}

impl<M> ColdState<M> {
    /// Whether the session would be no different without it.
    pub(super) fn is_blank(&self) -> bool {
        let is_blank = |level: &AsideLevel| {
            (level.skipped, level.untold, level.excluded, level.folded) == (0, 0, 0, 0)
        };
        self.mask.is_empty()
            && self.ending.is_none()
            && self.inbox.is_none()
            && self.levels.values().all(is_blank)
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
}

impl<M> ColdStates<M> {
    pub(super) fn new(_: Hasher) -> Self {
        Self {
            slab: Slab::new(),
            places: Chunked::new(),
            ending: List::EMPTY,
            early: BTreeSet::new(),
        }
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
