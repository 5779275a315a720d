//! Late joiners: where a fresh session starts that gets the last few
//! messages.

use crate::chunked::Deque;
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;

/// The levels of the last dispatches, oldest first: as many as a late joiner gets. The log holds
/// them all, without a hole.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    most: u32,
    levels: Deque<Priority>,
    counts: PerLevel<u32>,
}

impl Replay {
    /// For late joiners who get at most so many; `None` when that is none.
    pub(super) fn new(most: u32) -> Option<Box<Self>> {
        (most > 0)
            .then(|| Box::new(Self { most, levels: Deque::new(), counts: PerLevel::default() }))
    }

    /// A message of `level` was applied, and the log now holds so many of that level. `follows`:
    /// none is missing before it.
    pub(super) fn note(&mut self, level: Priority, held: u32, follows: bool) {
        if !follows {
            self.forget();
        }
        self.levels.push_back(level);
        self.counts[level] += 1;
        if self.levels.len() > self.most as usize {
            self.pop();
        }
        // One that has fallen out takes all along that are older: nobody gets a hole.
        while self.counts[level] > held && self.pop() {}
    }

    /// Some are missing: a late joiner gets only what comes after them.
    pub(super) fn forget(&mut self) {
        while self.pop() {}
    }

    /// The log holds so many of each level, and may hold fewer than it did.
    pub(super) fn limit(&mut self, held: impl Fn(Priority) -> u32) {
        while Priority::ALL.into_iter().any(|level| self.counts[level] > held(level)) && self.pop()
        {
        }
    }

    /// For late joiners who get at most so many, from now on: nobody gets more than
    /// was kept for the others.
    pub(super) fn change(replay: Option<Box<Self>>, most: u32) -> Option<Box<Self>> {
        let mut replay = replay.or_else(|| Self::new(most)).filter(|_| most > 0)?;
        replay.most = most;
        while replay.levels.len() > most as usize && replay.pop() {}
        Some(replay)
    }

    /// Returns how many messages of a level a fresh session gets that were dispatched before it
    /// came.
    pub(super) fn given(&self, level: Priority) -> u32 {
        self.counts[level]
    }

    /// Returns how many messages of each level those are.
    pub(super) fn counts(&self) -> PerLevel<u32> {
        self.counts
    }

    /// Returns how many messages of all levels those are.
    pub(super) fn given_in_all(&self) -> u64 {
        self.levels.len() as u64
    }

    fn pop(&mut self) -> bool {
        let Some(level) = self.levels.pop_front() else { return false };
        self.counts[level] -= 1;
        true
    }
}
