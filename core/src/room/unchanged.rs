//! What a room is without the calls that it refused: for checks that a refusal changes nothing.
//! Promises nothing.

use super::RoomState;
use crate::ledger::RefusalReason;
use crate::message::{Payload, Source};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::string::String;

impl<M: Payload> RoomState<M> {
    /// Does of the messages what is due at `now`, as much as one call does.
    pub fn do_due(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.admission.handle_timeout(now);
        self.hand_over();
        self.clear_deferred_drops();
    }

    /// What a publish that was refused leaves behind: what was due is done, it was a sign of life,
    /// and the refusal is booked.
    pub fn book_refusal(
        &mut self,
        now: Instant,
        source: &Source,
        (level, units): (Priority, u64),
        reason: RefusalReason,
    ) {
        let now = self.clock.advance(now);
        if self.shards.has_heartbeat()
            && let Source::Session(session) = *source
        {
            self.show_life(now, session);
        }
        self.do_due(now);
        self.admission.book_refusal(level, units, reason);
    }

    /// The time is what it is there, as after a call that changed nothing.
    pub fn take_clock_of(&mut self, other: &Self) {
        self.clock = other.clock;
        self.admission.take_clock_of(&other.admission);
    }

    /// All that decides what becomes of what waits and what is said, in words, to compare.
    pub fn digest(&self, now: Instant) -> String {
        let mut digest = String::new();
        self.admission.digest(now, &mut digest);
        digest
    }
}
