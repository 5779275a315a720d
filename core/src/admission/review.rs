//! Review: a message waits for the host's decision before it enters the queue.
//! [Clause A19](crate::rulebook#a19-review-before-sending).
//!
//! A ticket goes out with the receipt, and the decision names it. Nothing waits for the decision
//! but the message itself; order and deadlines count from the entry into the queue.

use super::entry::Entered;
use super::queued::{Lane, Queued};
use super::reviews::Reviewed;
use super::{Admission, PendingReview, ReviewDecision, ReviewError, RoomStatus};
use crate::config::ReviewTimeout;
use crate::ids::Ticket;
use crate::ledger::DropReason;
use crate::message::{Limit, Outcome, Payload, Sender};
use crate::time::Instant;
use crate::work::WorkLimit;

impl<M: Payload> Admission<M> {
    /// The message that a ticket stands for; `None` when it waits no more, or the room is closed.
    /// O(1).
    pub fn pending_review(&self, ticket: Ticket) -> Option<PendingReview<'_, M>> {
        if self.status == RoomStatus::Closed {
            return None;
        }
        self.reviews.show(ticket, self.people.life(), self.settings.review.timeout)
    }

    /// The host's verdict on a message that waits for it. If it goes on, it enters the queue now,
    /// and it is checked once more whether its sender may speak; whoever published it hears of its
    /// outcome by an event. O(1), plus what falls due.
    ///
    /// # Errors
    /// The message waits no more, the room is closed, or the new payload is too large.
    pub fn review(
        &mut self,
        now: Instant,
        ticket: Ticket,
        decision: ReviewDecision<M>,
    ) -> Result<(), ReviewError<M>> {
        let now = self.begin_call(now);
        if self.status == RoomStatus::Closed {
            // Nothing goes out any more: what is still here is dropped.
            self.drop_waiting(now);
            return Err(self.too_late(ticket, decision));
        }
        let mut work = WorkLimit::per_call();
        self.fall_due(now, &mut work);
        if !self.reviews.contains(ticket) {
            return Err(self.too_late(ticket, decision));
        }
        let max = self.settings.payload_bytes as usize;
        let decision = match decision {
            ReviewDecision::Rewrite(payload) if payload.size() > max => {
                return Err(ReviewError::TooLarge { size: payload.size(), max, payload });
            }
            decision => decision,
        };
        let Some(mut reviewed) = self.reviews.take(ticket.slot) else { return Ok(()) };
        match decision {
            ReviewDecision::Deny { code } => {
                let limit = Some(Limit::ReviewDecision { code });
                self.drop_reviewed(now, reviewed, DropReason::Denied, limit);
                self.dispatch(now, &mut work, None);
            }
            ReviewDecision::Rewrite(payload) => {
                let before = core::mem::replace(&mut reviewed.waiting.payload, payload);
                self.accounts.drops().add_payload(before);
                self.go_on(now, reviewed, &mut work);
            }
            ReviewDecision::Allow => self.go_on(now, reviewed, &mut work),
        }
        Ok(())
    }

    /// Nothing waits for this verdict; a payload that came with it leaves the lock before it is
    /// dropped.
    fn too_late(&mut self, ticket: Ticket, decision: ReviewDecision<M>) -> ReviewError<M> {
        if let ReviewDecision::Rewrite(payload) = decision {
            self.accounts.drops().add_payload(payload);
        }
        let is_known = self.accounts.knows(ticket.id);
        if is_known { ReviewError::Lapsed { ticket } } else { ReviewError::Unknown { ticket } }
    }

    /// Whether a message has to wait for a verdict.
    #[inline]
    pub(super) fn is_reviewed(&self, lane: Lane) -> bool {
        self.settings.review.levels[lane.level] && lane.sender != Sender::Host
    }

    /// A message waits for a verdict, if there is a place; one that is full gives its lowest level
    /// up first. Hands it back when it finds none.
    pub(super) fn put_under_review(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Result<Ticket, Queued<M>> {
        let max = self.settings.review.tickets;
        if self.reviews.len() > max {
            // Where more wait than may, by now, nobody takes anybody's place: so they become fewer.
            return Err(waiting);
        }
        if self.reviews.len() == max {
            match self.reviews.take_lowest(lane.level) {
                Some(given_up) => self.time_out(now, given_up, Limit::Reviews { max }, work),
                None => return Err(waiting),
            }
        }
        self.accounts.review(lane.level, waiting.units());
        Ok(self.reviews.insert(now, lane, waiting))
    }

    /// Deals with those whose time is over, as far as there is work left.
    pub(super) fn time_out_reviews(&mut self, now: Instant, work: &mut WorkLimit) {
        let timeout = self.settings.review.timeout;
        while !work.is_spent() {
            let Some(reviewed) = self.reviews.take_overdue(now, timeout) else { break };
            work.take();
            self.time_out(now, reviewed, Limit::ReviewTime { max: timeout }, work);
        }
    }

    fn time_out(
        &mut self,
        now: Instant,
        reviewed: Reviewed<M>,
        limit: Limit,
        work: &mut WorkLimit,
    ) {
        match self.settings.review.on_timeout {
            ReviewTimeout::Open => self.go_on(now, reviewed, work),
            ReviewTimeout::Closed => {
                self.drop_reviewed(now, reviewed, DropReason::ReviewTimeout, Some(limit));
            }
        }
    }

    /// Past the review, into the queue.
    fn go_on(&mut self, now: Instant, reviewed: Reviewed<M>, work: &mut WorkLimit) {
        let is_muted = match reviewed.lane.sender {
            Sender::User(user) => self.moderation.mute_reason(&self.settings, now, user).is_some(),
            Sender::Host => false,
        };
        if is_muted {
            self.drop_reviewed(now, reviewed, DropReason::Muted, None);
            return;
        }
        let Reviewed { lane, waiting } = reviewed;
        let subject = waiting.subject(lane.level);
        self.accounts.leave_review(lane.level, subject.units);
        match self.enter(now, lane, waiting, None, work) {
            Entered::Merged { carrier } => self.accounts.tell(subject, Outcome::Merged { carrier }),
            Entered::Full(full) => {
                let limit = Some(full.limit);
                self.drop_waiting_one(now, lane, full.item, DropReason::Evicted, limit);
            }
            Entered::Sent(_) | Entered::Waits => {}
        }
    }

    /// A message that waited for a verdict is dropped.
    pub(super) fn drop_reviewed(
        &mut self,
        now: Instant,
        reviewed: Reviewed<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let Reviewed { lane, waiting } = reviewed;
        self.accounts.leave_review(lane.level, waiting.units());
        self.drop_waiting_one(now, lane, waiting, reason, limit);
    }

    /// Drops what waits for a verdict in a room that is closed, as far as there is work left.
    pub(super) fn drop_reviews(&mut self, now: Instant, work: &mut WorkLimit) {
        debug_assert_eq!(self.status, RoomStatus::Closed, "only then is nothing reviewed any more");
        while !work.is_spent() {
            let Some(reviewed) = self.reviews.take_oldest() else { break };
            self.drop_reviewed(now, reviewed, DropReason::RoomClosed, None);
            work.take();
        }
    }
}
