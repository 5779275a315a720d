//! What the host of an edge is told of its silences, and of what had to be read in the log.

use super::Event;
use roomcast_core::RoomId;
use roomcast_core::time::Duration;

/// Since everything was there last.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The host was told that nothing is heard.
    pub(super) is_told: bool,
    /// How long nothing had been heard when something was.
    longest: Duration,
    /// Records that had not come by themselves.
    filled: u64,
}

impl Silence {
    /// Something was heard, after this time.
    pub(super) fn ends(&mut self, after: Duration) {
        self.longest = self.longest.max(after);
    }

    /// A record was read in the log, because it had not come.
    pub(super) fn filled(&mut self) {
        self.filled += 1;
    }

    /// Nothing is missing any more: what the host is told of it, if anything was.
    pub(super) fn caught(&mut self, room: RoomId) -> Option<Event> {
        let is_over = self.is_told && !self.longest.is_zero();
        let Self { longest: silence, filled, .. } = *self;
        (self.longest, self.filled) = (Duration::ZERO, 0);
        if is_over {
            self.is_told = false;
        }
        (is_over || filled > 0).then_some(Event::Caught { room, silence, filled })
    }
}
