//! One room a user (clause A8), as one of the rooms sees it.

use super::Oracle;
use roomcast_core::event::EndReason;
use roomcast_core::{Instant, UserId};

impl Oracle {
    /// Whether a user who joins another room has to leave this one: is in, and does not own it.
    pub fn must_leave(&self, user: UserId) -> bool {
        self.members.count(user) > 0 && user != self.rules.owner
    }

    /// A user has joined another room and left this one.
    pub fn left_for_another(&mut self, now: Instant, user: UserId) {
        let now = self.advance(now);
        self.all_end(now, user, EndReason::JoinedElsewhere);
    }
}
