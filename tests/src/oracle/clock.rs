//! What time it is in the room (law L6, clause B13): it never runs backwards, one call moves it by
//! the largest step at most, and a call that names somebody the room does not know moves it not at
//! all.

use super::Oracle;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, SessionId, UserId};

/// What is known of the steps that the clock has made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    /// Whether a call has said what the time is.
    has_begun: bool,
    /// Whether the last step was cut short.
    is_behind: bool,
    /// How many were.
    pub(super) cut: u64,
}

impl Oracle {
    /// A call at this time comes. Returns what the time is in the room.
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        let stood = self.clock;
        self.clock = self.what_time(now);
        let is_cut = self.clock < now;
        self.steps.cut += u64::from(is_cut);
        if now > stood || !self.steps.has_begun {
            self.steps.is_behind = is_cut;
        }
        self.steps.has_begun = true;
        self.clock
    }

    /// What the time would be in the room if a call came at this time.
    pub(super) fn what_time(&self, now: Instant) -> Instant {
        match self.rules.max_step {
            Some(step) if self.steps.has_begun => now.min(self.clock + step).max(self.clock),
            _ => now.max(self.clock),
        }
    }

    /// As [`advance`](Self::advance), if the room knows who calls.
    pub(super) fn advance_if(&mut self, is_known: bool, now: Instant) -> Instant {
        if is_known { self.advance(now) } else { self.clock }
    }

    /// Whether a session is in, though it may end.
    pub(super) fn is_in(&self, session: SessionId) -> bool {
        self.listeners.here.contains_key(&session)
    }

    /// Whether a user has a session here.
    pub(super) fn is_member(&self, user: UserId) -> bool {
        self.members.count(user) > 0
    }

    /// A clock whose last step was cut wants to be told the time again, once there is more of it.
    pub(super) fn next_step(&self) -> Option<Instant> {
        let has_ended = !self.is_open() && self.listeners.here.is_empty() && self.is_idle();
        (self.steps.is_behind && !has_ended).then(|| self.clock + Duration::from_nanos(1))
    }
}
