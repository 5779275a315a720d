//! What an admission is, in an order that no slot and no hash decides: for checks that a refusal
//! changes nothing. Promises nothing.

use super::Admission;
use super::accounts::Denied;
use crate::ledger::RefusalReason;
use crate::message::{Payload, Publish};
use crate::time::Instant;
use alloc::string::String;
use core::fmt::Write;

impl<M: Payload> Admission<M> {
    /// Writes all of it, as it is at `now`.
    pub(crate) fn digest(&self, now: Instant, to: &mut String) {
        let now = self.clock.peek(now);
        self.intake.digest(now, to);
        self.pipeline.digest(now, to);
        self.reviews.digest(to);
        let people = (self.people.users(), self.people.online(), self.people.recent_users());
        let _ = writeln!(to, "{people:?} {:?} {:?}", self.moderation, self.snapshot(now));
        let attributes = self.attributes().collect::<alloc::vec::Vec<_>>();
        let counters = self.counters().collect::<alloc::vec::Vec<_>>();
        let _ = writeln!(to, "{} {attributes:?} {counters:?}", self.attributes_version());
    }

    /// Books that a message was offered and not let in.
    pub(crate) fn book_refusal(&mut self, publish: Publish<M>, reason: RefusalReason) {
        let size = publish.payload.size();
        let (level, units) = (self.settings.levels.level(publish.priority), publish.units);
        let id = self.accounts.submit(level, units);
        if publish.relayed.is_some() {
            self.accounts.receive(level, units);
        }
        let remains = self.remains_of_offer(id, publish, size);
        let denied = Denied::because(reason);
        drop(self.accounts.refuse(self.clock.at(), (level, units), denied, remains));
    }

    /// The time is what it is there.
    pub(crate) fn take_clock_of(&mut self, other: &Self) {
        self.clock = other.clock;
    }
}
