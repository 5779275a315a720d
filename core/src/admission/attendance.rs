//! How many sessions are in, over all audiences, and since when nobody is.

use crate::time::{Duration, Instant};

/// The sessions of a room, guests and ending ones included.
#[derive(Debug)]
pub(super) struct Attendance {
    sessions: u32,
    /// How long the room may be empty; `None` is for ever.
    empty_for: Option<Duration>,
    /// Since when nobody is in, as far as that is known: a fresh room counts from the first call
    /// of `handle_timeout`.
    empty_since: Option<Instant>,
}

impl Attendance {
    pub(super) fn new(empty_for: Option<Duration>) -> Self {
        Self { sessions: 0, empty_for, empty_since: None }
    }

    /// From now on the room may be empty for another time. One that could stay so for ever counts
    /// from now.
    pub(super) fn reconfigure(&mut self, now: Instant, empty_for: Option<Duration>) {
        if self.empty_for.is_none() && self.sessions == 0 {
            self.empty_since = Some(now);
        }
        self.empty_for = empty_for;
    }

    /// One comes.
    #[inline]
    pub(super) fn come(&mut self) {
        self.sessions += 1;
    }

    /// One goes.
    #[inline]
    pub(super) fn go(&mut self, now: Instant) {
        self.sessions = self.sessions.saturating_sub(1);
        if self.sessions == 0 {
            self.empty_since = Some(now);
        }
    }

    /// Returns how many are in.
    #[inline]
    pub(super) fn sessions(&self) -> u32 {
        self.sessions
    }

    /// Returns whether nobody has been in for as long as the room may be empty. A fresh room counts
    /// from the first such call.
    pub(super) fn is_vacant(&mut self, now: Instant) -> bool {
        match self.empty_for.filter(|_| self.sessions == 0) {
            Some(after) => now >= *self.empty_since.get_or_insert(now) + after,
            None => false,
        }
    }

    /// Returns when the room will have been empty for as long as it may be, if nobody comes.
    pub(super) fn vacant_at(&self, now: Instant) -> Option<Instant> {
        let after = self.empty_for.filter(|_| self.sessions == 0)?;
        Some(self.empty_since.map_or(now, |since| since + after))
    }
}
