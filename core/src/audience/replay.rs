//! Late joiners: where a fresh session starts that gets the last few messages.

use super::Audience;
use crate::chunked::Deque;
use crate::config::RoomConfig;
use crate::event::StartPosition;
use crate::ids::Seq;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use crate::shard_index::ShardIndex;
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

    /// For late joiners who get at most so many, from now on: nobody gets more than was kept for
    /// the others.
    pub(super) fn change(replay: Option<Box<Self>>, most: u32) -> Option<Box<Self>> {
        let mut replay = replay.or_else(|| Self::new(most)).filter(|_| most > 0)?;
        replay.most = most;
        while replay.levels.len() > most as usize && replay.pop() {}
        Some(replay)
    }

    fn pop(&mut self) -> bool {
        let Some(level) = self.levels.pop_front() else { return false };
        self.counts[level] -= 1;
        true
    }
}

impl<M: Payload> Audience<M> {
    /// One of several audiences that share a room, opened beside another one whose messages it
    /// takes over, at most 4,096 of each level: its late joiners, and sessions that are resumed in
    /// it, find there what they would find in the other. See [`shard`](Self::shard). Costs what is
    /// taken over.
    pub fn new_shard(config: &RoomConfig, part: ShardIndex, other: &Self) -> Self {
        Self {
            log: other.log.newest(),
            is_trimming: other.is_trimming,
            low_heads: other.low_heads,
            applied: other.applied,
            clock: other.clock,
            replay: other.replay.clone(),
            closed: other.closed,
            wheel: other.wheel.as_ref().map(|wheel| wheel.beside()),
            ..Self::starting_at(&config.settings, part, other.heads())
        }
    }

    /// How many messages of each level a fresh session gets that were dispatched before it came.
    #[inline]
    pub(super) fn given(&self) -> PerLevel<u32> {
        self.replay.as_ref().map_or(PerLevel::default(), |replay| replay.counts)
    }

    /// The last message that a fresh session does not get, and what that makes it.
    pub(super) fn fresh_start(&self) -> (Seq, StartPosition) {
        match self.replay.as_ref().map_or(0, |replay| replay.levels.len() as u64) {
            0 => (self.applied, StartPosition::Head),
            given => (Seq(self.applied.0 - given), StartPosition::Late),
        }
    }
}
