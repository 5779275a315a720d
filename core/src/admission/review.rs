//! Review: a message waits for the host's decision before it enters the queue.
//! [Clause A19](crate::rulebook#a19-review-before-sending).
//!
//! A ticket goes out with the receipt, and the decision names it. Nothing waits for the decision
//! but the message itself; order and deadlines count from the entry into the queue.

use super::entry::{Entered, drop_reason};
use super::queued::{Lane, Queued};
use super::reviews::Reviewed;
use super::{Admission, PendingReview, ReviewDecision, ReviewError, RoomStatus, checks};
use crate::config::{ReviewConfig, ReviewTimeout};
use crate::ids::Ticket;
use crate::ledger::DropReason;
use crate::message::{self, Limit, Outcome, Payload, Sender};
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
        // To ask runs code of the host's.
        let new_size =
            if let ReviewDecision::Rewrite(payload) = &decision { payload.size() } else { 0 };
        if !self.reviews.contains(ticket) {
            // It moves no clock.
            return Err(self.too_late(ticket, decision));
        }
        let now = self.begin_call(now);
        if self.status == RoomStatus::Closed {
            // Nothing goes out any more: what is still here is dropped.
            self.drop_waiting(now);
            return Err(self.too_late(ticket, decision));
        }
        let mut work = WorkLimit::per_call();
        self.fall_due(now, &mut work);
        if !self.reviews.contains(ticket) {
            self.do_due(now, &mut work);
            return Err(self.too_late(ticket, decision));
        }
        let max = self.settings.payload_bytes as usize;
        let decision = match decision {
            ReviewDecision::Rewrite(payload) if new_size > max => {
                self.do_due(now, &mut work);
                return Err(ReviewError::TooLarge { size: new_size, max, payload });
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
                reviewed.waiting.size = new_size as u32;
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

    /// Deals with those whose time is over, as far as there is work left. They wait in the queue
    /// from now on; what may go of it goes when the call comes to that.
    #[inline(never)]
    pub(super) fn time_out_reviews(&mut self, now: Instant, work: &mut WorkLimit) {
        let ReviewConfig { timeout, on_timeout, .. } = self.settings.review;
        while !work.is_spent() {
            let Some(reviewed) = self.reviews.take_overdue(now) else { break };
            work.take();
            match on_timeout {
                ReviewTimeout::Open => {
                    if let Some((lane, waiting)) = self.pass_review(now, reviewed) {
                        self.enter_due(now, lane, waiting);
                    }
                }
                ReviewTimeout::Closed => {
                    let limit = Some(Limit::ReviewTime { max: timeout });
                    self.drop_reviewed(now, reviewed, DropReason::ReviewTimeout, limit);
                }
            }
        }
        if self.pipeline.exceeds().is_some() {
            // More come than find room: what may go goes now, so that fewer give way.
            self.dispatch(now, work, None);
            self.shed(now, &mut WorkLimit::per_call());
        }
    }

    /// Past the review, into the queue.
    fn go_on(&mut self, now: Instant, reviewed: Reviewed<M>, work: &mut WorkLimit) {
        let Some((lane, waiting)) = self.pass_review(now, reviewed) else { return };
        let subject = waiting.subject(lane.level);
        let age = waiting.age();
        match self.enter(now, lane, waiting, age, None, work) {
            Entered::Merged { carrier } => self.accounts.tell(subject, Outcome::Merged { carrier }),
            Entered::Full(full) => {
                let (reason, limit) = (drop_reason(full.limit), Some(full.limit));
                self.drop_waiting_one(now, lane, full.item, reason, limit);
            }
            Entered::Sent(_) | Entered::Waits => {}
        }
    }

    /// A message has passed the review: it is counted, and may enter the queue. `None` when it has
    /// been dropped, since its sender may not speak any more, or its counter cannot take it.
    fn pass_review(&mut self, now: Instant, reviewed: Reviewed<M>) -> Option<(Lane, Queued<M>)> {
        let is_muted = match reviewed.lane.sender {
            Sender::User(user) => self.moderation.mute_reason(&self.settings, now, user).is_some(),
            Sender::Host => false,
        };
        if is_muted {
            self.drop_reviewed(now, reviewed, DropReason::Muted, None);
            return None;
        }
        let (counter, units) = (reviewed.waiting.counter(), reviewed.waiting.units());
        if let Some(counter) = counter
            && let Err(error) = self.data.add_counter(now, counter, checks::as_delta(units))
        {
            let limit = Some(Limit::Counter { error });
            self.drop_reviewed(now, reviewed, DropReason::Counter, limit);
            return None;
        }
        let Reviewed { lane, mut waiting } = reviewed;
        self.accounts.leave_review(lane.level, units);
        if self.pipeline.is_at_edge() {
            // The room asks for no other verdict.
            waiting.ext_mut().reviewed = message::Reviewed::AtEdge;
        }
        Some((lane, waiting))
    }

    /// A message that waited for a verdict is dropped.
    pub(super) fn drop_reviewed(
        &mut self,
        now: Instant,
        reviewed: Reviewed<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let Reviewed { lane, mut waiting } = reviewed;
        self.accounts.leave_review(lane.level, waiting.units());
        if let Some(ext) = &mut waiting.ext {
            // It has not been counted.
            ext.counter = None;
        }
        self.drop_waiting_one(now, lane, waiting, reason, limit);
    }

    /// Drops what waits for a verdict in a room that is closed, as far as there is work left.
    pub(super) fn drop_reviews(&mut self, now: Instant, work: &mut WorkLimit) {
        debug_assert_eq!(self.status, RoomStatus::Closed, "only then is nothing reviewed any more");
        while !work.is_spent() {
            let Some(reviewed) = self.reviews.take_highest() else { break };
            self.drop_reviewed(now, reviewed, DropReason::RoomClosed, None);
            work.take();
        }
    }
}
