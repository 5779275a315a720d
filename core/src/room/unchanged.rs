//! What a room is without the calls that it refused: for checks that a refusal changes nothing.
//! Promises nothing.

use super::RoomState;
use crate::ledger::RefusalReason;
use crate::message::{Payload, Publish, Source};
use crate::time::Instant;
use alloc::string::String;

impl<M: Payload> RoomState<M> {
    /// Does of the messages what is due at `now`, as much as one call does.
    pub fn do_due(&mut self, now: Instant) {
        self.admission.handle_timeout(now);
        self.hand_over();
        self.clear_deferred_drops();
    }

    /// What a publish that was refused leaves behind: what was due is done, it was a sign of life,
    /// and the refusal is booked.
    pub fn book_refusal(&mut self, now: Instant, publish: Publish<M>, reason: RefusalReason) {
        let (mut now, mut is_known) = (now, true);
        if let Source::Session(session) = publish.source {
            if self.shards.has_heartbeat() {
                now = self.show_life(now, session);
            }
            is_known = self.admission.user_of(session).is_some();
        }
        // By a stranger nothing falls due.
        if is_known {
            self.do_due(now);
        }
        self.admission.book_refusal(publish, reason);
    }

    /// The time is what it is there, as after a call that changed nothing.
    pub fn take_clock_of(&mut self, other: &Self) {
        self.admission.take_clock_of(&other.admission);
    }

    /// All that decides what becomes of what waits and what is said, in words, to compare.
    pub fn digest(&self, now: Instant) -> String {
        let mut digest = String::new();
        self.admission.digest(now, &mut digest);
        digest
    }
}
