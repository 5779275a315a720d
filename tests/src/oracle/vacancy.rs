//! A room that nobody is in closes by itself (clause B20).

use super::Oracle;
use roomcast_core::Instant;

/// Whether somebody was in after the last call, and since when nobody is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vacancy {
    was_in: bool,
    since: Option<Instant>,
}

impl Vacancy {
    /// From here on it matters that nobody is in.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }
}

impl Oracle {
    /// Sessions may have come or gone.
    pub(super) fn note_vacancy(&mut self) {
        let is_in = !self.listeners.here.is_empty();
        if self.vacancy.was_in && !is_in {
            self.vacancy.since = Some(self.clock);
        }
        self.vacancy.was_in = is_in;
    }

    /// Time passes in a room that may be empty. A fresh one counts from here.
    pub(super) fn idle_timeout(&mut self) {
        let Some(after) =
            self.rules.idle_timeout.filter(|_| self.is_open() && self.listeners.here.is_empty())
        else {
            return;
        };
        let since = *self.vacancy.since.get_or_insert(self.clock);
        if self.clock >= since + after {
            self.shut(self.clock);
        }
    }

    /// When the room closes if nobody comes.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let after =
            self.rules.idle_timeout.filter(|_| self.is_open() && self.listeners.here.is_empty())?;
        Some(self.vacancy.since.map_or(self.clock, |since| since + after))
    }
}
