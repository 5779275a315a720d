//! How old what is due may be (clause B21): what a session that was in all the time misses for its
//! age, what the log lets go of, and what is told of why.

use super::listeners::{Listener, Listeners, Logged};
use crate::rules::Rules;
use roomcast_core::ledger::Skips;
use roomcast_core::time::Duration;
use roomcast_core::{GapCause, Instant, PerLevel, Priority};
use std::ops::AddAssign;

/// Messages that were missed, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    overrun: u64,
    age: u64,
}

impl Missed {
    /// One more, for this cause.
    pub(super) fn add(&mut self, cause: GapCause) {
        match cause {
            GapCause::Age => self.age += 1,
            _ => self.overrun += 1,
        }
    }

    /// For whatever cause.
    pub(super) fn total(self) -> u64 {
        self.overrun + self.age
    }

    /// As they are told: those that were overrun first.
    pub(super) fn told(self) -> impl Iterator<Item = (GapCause, u64)> {
        let causes = [(GapCause::Overrun, self.overrun), (GapCause::Age, self.age)];
        causes.into_iter().filter(|&(_, count)| count > 0)
    }
}

impl AddAssign for Missed {
    fn add_assign(&mut self, other: Self) {
        self.overrun += other.overrun;
        self.age += other.age;
    }
}

impl PartialEq<Skips> for Missed {
    fn eq(&self, skips: &Skips) -> bool {
        (self.overrun, self.age, 0) == (skips.overrun, skips.age, skips.bus)
    }
}

/// How old something is that was dispatched then.
fn age(dispatched_at: Instant, now: Instant) -> Duration {
    Duration::from_nanos(now.as_nanos().saturating_sub(dispatched_at.as_nanos()))
}

impl Rules {
    /// At what age the log lets go of messages: not while a session may read or go on with them.
    pub fn effective_log_age(&self) -> Option<Duration> {
        let deliver_within = self.deliver_within.values().flatten().max().copied();
        Some(self.log_age?.max(self.resume_within).max(deliver_within.unwrap_or_default()))
    }

    /// Whether a session that was in all the time gets a message no more.
    pub(super) fn is_too_old(&self, level: Priority, dispatched_at: Instant, now: Instant) -> bool {
        self.deliver_within[level].is_some_and(|within| age(dispatched_at, now) >= within)
    }

    /// Whether a message is as young as its level wants it to be; or, where that wants nothing, as
    /// the log does.
    fn is_fresh(&self, level: Priority, dispatched_at: Instant, now: Instant) -> bool {
        let bound = self.deliver_within[level].or(self.effective_log_age());
        bound.is_none_or(|bound| age(dispatched_at, now) < bound)
    }
}

impl Listeners {
    /// The log gives a message up.
    pub(super) fn give_up(&mut self, rules: &Rules, level: Priority, logged: Logged, now: Instant) {
        if rules.is_fresh(level, logged.dispatched_at, now) {
            self.overrun[level] = logged.position + 1;
        }
    }

    /// What the log may hold no more for its age goes, but for what a late joiner would get.
    pub fn age(&mut self, rules: &Rules, now: Instant) {
        let Some(most) = rules.effective_log_age() else { return };
        let given = self.given(rules.replay_on_join);
        for level in Priority::ALL {
            while let Some(&oldest) = self.log[level].first().filter(|oldest| {
                age(oldest.dispatched_at, now) >= most && !given.contains(&(level, oldest.position))
            }) {
                self.log[level].remove(0);
                self.give_up(rules, level, oldest, now);
            }
        }
    }

    /// When a log to which nothing comes wants to be looked at: once even the last message is too
    /// old for it, if any are to go then.
    pub(super) fn next_aging(&self, rules: &Rules) -> Option<Instant> {
        let most = rules.effective_log_age()?;
        let given = self.given(rules.replay_on_join);
        let goes = |level| {
            let mut logged = self.logged(level);
            logged.any(|(position, _)| !given.contains(&(level, position)))
        };
        let at = self.last + most;
        let is_reached = age(self.last, at) >= most;
        (is_reached && Priority::ALL.into_iter().any(goes)).then_some(at)
    }

    /// Why a session missed a message that it could not take.
    pub(super) fn cause(&self, level: Priority, position: u64) -> GapCause {
        if position < self.overrun[level] { GapCause::Overrun } else { GapCause::Age }
    }

    /// The positions of a level that a session that stands here can take no more at `now`, with why:
    /// what the log does not hold, and what is too old and was not there before the session came.
    pub(super) fn lost(
        &self,
        rules: &Rules,
        level: Priority,
        listener: &Listener,
        now: Instant,
    ) -> Vec<(u64, GapCause)> {
        let is_lost = |&position: &u64| match self.find(level, position) {
            None => true,
            Some(logged) => {
                position >= listener.history[level]
                    && rules.is_too_old(level, logged.dispatched_at, now)
            }
        };
        let lost = listener.pending[level].iter().copied().filter(is_lost);
        lost.map(|position| (position, self.cause(level, position))).collect()
    }
}

impl Listener {
    /// Whether it has yet to take something that was there before it came.
    pub(super) fn has_history(&self) -> bool {
        let is_history =
            |level| self.pending[level].front().is_some_and(|&first| first < self.history[level]);
        Priority::ALL.into_iter().any(is_history)
    }

    /// It passes a message that it does not get, for this cause.
    pub(super) fn skip(&mut self, level: Priority, cause: GapCause) {
        self.counts[level].skipped += 1;
        self.skipped[level].add(cause);
    }

    /// What it has missed and was not told, at all levels.
    pub(super) fn untold(&self) -> PerLevel<u64> {
        PerLevel(self.missed.0.map(Missed::total))
    }
}
