//! The host's verdict before a message enters the queue: a ticket goes out with the receipt, the
//! verdict comes in.
//!
//! Nothing waits for it but the message itself. FIFO and deadlines count from the entry into the
//! queue.

use super::entry::Entered;
use super::queued::{Queued, QueuedExt};
use super::{Admission, RoomStatus};
use crate::chunked::Slab;
use crate::config::ReviewTimeout;
use crate::ids::{SessionId, Ticket};
use crate::ledger::DropReason;
use crate::list::{Links, List};
use crate::message::{Kind, Limit, Outcome, OutcomeSink, Payload, Sender};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use crate::work::WorkLimit;
use alloc::vec::Vec;

/// What the host says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewDecision<M> {
    /// It goes on as it is.
    Allow,
    /// It is dropped as [`DropReason::Denied`]; its sender can be told the code, which is the
    /// host's own.
    Deny {
        /// Why.
        code: u32,
    },
    /// It goes on with another payload. Everything else stays.
    Rewrite(M),
}

/// Why a verdict was not taken. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError<M> {
    /// This room never gave such a ticket out.
    #[error("{ticket} is none of this room's")]
    Unknown {
        /// The ticket.
        ticket: Ticket,
    },
    /// Its message waits no more: the time was over, a verdict has come, its sender was taken out,
    /// or the room was closed. A payload that was to take its place is dropped.
    #[error("{ticket} has lapsed: its message waits for a verdict no more")]
    Lapsed {
        /// The ticket.
        ticket: Ticket,
    },
    /// The payload that was to take the place is too large; it comes back, and the message still
    /// waits.
    #[error("the payload has {size} bytes; this room takes at most {max}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most it may be.
        max: usize,
        /// The payload.
        payload: M,
    },
}

impl<M> core::fmt::Debug for ReviewError<M> {
    /// Without the payload, which need not be printable.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ReviewError({self})")
    }
}

/// A message that waits for a verdict.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PendingReview<'a, M> {
    /// Who speaks.
    pub sender: Sender,
    /// The session that sent it.
    pub session: Option<SessionId>,
    /// Its priority.
    pub priority: Priority,
    /// Its kind.
    pub kind: Kind,
    /// When it is too late for a verdict.
    pub deadline: Instant,
    /// What it carries.
    pub payload: &'a M,
}

/// The messages that wait for a verdict.
#[derive(Debug)]
pub(super) struct Reviews<M> {
    pending: Slab<Pending<M>>,
    /// Those of each level, in order of their coming.
    levels: PerLevel<List>,
}

#[derive(Debug)]
struct Pending<M> {
    waiting: Queued<M>,
    level: Priority,
    sender: Sender,
    came: Instant,
    links: Links,
}

fn links<M>(pending: &mut Pending<M>) -> &mut Links {
    &mut pending.links
}

impl<M> Reviews<M> {
    pub(super) fn new() -> Self {
        Self { pending: Slab::new(), levels: PerLevel([List::EMPTY; 4]) }
    }

    pub(super) fn len(&self) -> u32 {
        self.pending.len()
    }

    fn insert(
        &mut self,
        now: Instant,
        level: Priority,
        sender: Sender,
        waiting: Queued<M>,
    ) -> Ticket {
        let id = waiting.id;
        let slot =
            self.pending.insert(Pending { waiting, level, sender, came: now, links: Links::NONE });
        self.levels[level].push_back(&mut self.pending, slot, links);
        Ticket { id, slot }
    }

    fn get(&self, ticket: Ticket) -> Option<&Pending<M>> {
        self.pending.get(ticket.slot).filter(|pending| pending.waiting.id == ticket.id)
    }

    fn take(&mut self, slot: u32) -> Option<Pending<M>> {
        let level = self.pending.get(slot)?.level;
        self.levels[level].unlink(&mut self.pending, slot, links);
        self.pending.remove(slot)
    }

    /// The oldest of the lowest level.
    fn lowest(&self) -> Option<(Priority, u32)> {
        Priority::ALL.into_iter().rev().find_map(|level| Some((level, self.levels[level].front()?)))
    }

    /// The one that came first; of several, the highest.
    fn oldest(&self) -> Option<(Instant, u32)> {
        let fronts = Priority::ALL.into_iter().filter_map(|level| self.levels[level].front());
        fronts.map(|slot| (self.pending[slot].came, slot)).min_by_key(|&(came, _)| came)
    }

    /// Those of some senders, each with its sender's place in the list: in the order of the list,
    /// of each sender the highest level first, of each level the oldest first. O(those that wait),
    /// once for all senders.
    pub(super) fn all_of(&self, senders: &[Sender]) -> Vec<(usize, u32)> {
        let of_level =
            |level: Priority| self.levels[level].iter(&self.pending, |pending| pending.links);
        let place =
            |slot: u32| senders.iter().position(|&sender| sender == self.pending[slot].sender);
        let mut found: Vec<_> = Priority::ALL
            .into_iter()
            .flat_map(of_level)
            .filter_map(|slot| Some((place(slot)?, slot)))
            .collect();
        found.sort_by_key(|&(place, _)| place);
        found
    }
}

impl<M: Payload> Admission<M> {
    /// The message that a ticket stands for; `None` when it waits no more, or the room is closed.
    /// O(1).
    pub fn pending_review(&self, ticket: Ticket) -> Option<PendingReview<'_, M>> {
        let pending = self.reviews.get(ticket).filter(|_| self.state != RoomStatus::Closed)?;
        let Queued { session, kind, payload, .. } = &pending.waiting;
        let (deadline, priority) = (pending.came + self.settings.review.timeout, pending.level);
        Some(PendingReview {
            sender: pending.sender,
            session: *session,
            priority,
            kind: *kind,
            deadline,
            payload,
        })
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
        if self.state == RoomStatus::Closed {
            // Nothing goes out any more: what is still here is dropped.
            self.drop_waiting(now);
            return Err(self.too_late(ticket, decision));
        }
        let mut work = WorkLimit::per_call();
        self.fall_due(now, &mut work);
        if self.reviews.get(ticket).is_none() {
            return Err(self.too_late(ticket, decision));
        }
        let max = self.settings.payload_bytes as usize;
        let decision = match decision {
            ReviewDecision::Rewrite(payload) if payload.size() > max => {
                return Err(ReviewError::TooLarge { size: payload.size(), max, payload });
            }
            decision => decision,
        };
        let Some(mut pending) = self.reviews.take(ticket.slot) else { return Ok(()) };
        match decision {
            ReviewDecision::Deny { code } => {
                self.drop_pending(
                    now,
                    pending,
                    DropReason::Denied,
                    Some(Limit::ReviewDecision { code }),
                );
                self.dispatch(now, &mut work, None);
            }
            ReviewDecision::Rewrite(payload) => {
                self.deferred
                    .add_payload(core::mem::replace(&mut pending.waiting.payload, payload));
                self.go_on(now, pending, &mut work);
            }
            ReviewDecision::Allow => self.go_on(now, pending, &mut work),
        }
        Ok(())
    }

    /// Nothing waits for this verdict; a payload that came with it leaves the lock before it is
    /// dropped.
    fn too_late(&mut self, ticket: Ticket, decision: ReviewDecision<M>) -> ReviewError<M> {
        if let ReviewDecision::Rewrite(payload) = decision {
            self.deferred.add_payload(payload);
        }
        let is_known = ticket.id.0 != 0 && ticket.id.0 <= self.submitted;
        if is_known { ReviewError::Lapsed { ticket } } else { ReviewError::Unknown { ticket } }
    }

    /// Whether a message has to wait for a verdict.
    #[inline]
    pub(super) fn is_reviewed(&self, level: Priority, sender: Sender) -> bool {
        self.settings.review.levels[level] && sender != Sender::Host
    }

    /// A message waits for a verdict, if there is a place; one that is full gives its lowest level
    /// up first. Hands it back when it finds none.
    pub(super) fn put_under_review(
        &mut self,
        now: Instant,
        (level, sender): (Priority, Sender),
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Result<Ticket, Queued<M>> {
        if self.reviews.len() >= self.settings.review.tickets {
            // Where more wait than may, by now, nobody takes anybody's place: so they become fewer.
            let is_over = self.reviews.len() > self.settings.review.tickets;
            match self.reviews.lowest().filter(|&(lowest, _)| lowest <= level && !is_over) {
                Some((_, slot)) => {
                    let limit = Limit::Reviews { max: self.settings.review.tickets };
                    self.time_out(now, slot, limit, work);
                }
                None => return Err(waiting),
            }
        }
        self.ledger.levels[level].review(waiting.units());
        Ok(self.reviews.insert(now, level, sender, waiting))
    }

    /// Deals with those whose time is over, as far as there is work left.
    pub(super) fn time_out_reviews(&mut self, now: Instant, work: &mut WorkLimit) {
        let timeout = self.settings.review.timeout;
        while !work.is_spent() {
            let Some((_, slot)) = self.reviews.oldest().filter(|&(came, _)| now >= came + timeout)
            else {
                break;
            };
            work.take();
            self.time_out(now, slot, Limit::ReviewTime { max: timeout }, work);
        }
    }

    /// When the first of those that wait has waited too long.
    pub(super) fn next_review_deadline(&self) -> Option<Instant> {
        self.reviews.oldest().map(|(came, _)| came + self.settings.review.timeout)
    }

    fn time_out(&mut self, now: Instant, slot: u32, limit: Limit, work: &mut WorkLimit) {
        let Some(pending) = self.reviews.take(slot) else { return };
        match self.settings.review.on_timeout {
            ReviewTimeout::Open => self.go_on(now, pending, work),
            ReviewTimeout::Closed => {
                self.drop_pending(now, pending, DropReason::ReviewTimeout, Some(limit));
            }
        }
    }

    /// Past the review, into the queue.
    fn go_on(&mut self, now: Instant, pending: Pending<M>, work: &mut WorkLimit) {
        let silent = match pending.sender {
            Sender::User(user) => self.moderation.mute_reason(&self.settings, now, user).is_some(),
            Sender::Host => false,
        };
        if silent {
            self.drop_pending(now, pending, DropReason::Muted, None);
            return;
        }
        let Pending { waiting, level, sender, .. } = pending;
        let (id, outcome_sink) = (waiting.id, waiting.outcome_sink);
        let QueuedExt { messages, units, .. } = waiting.ext();
        self.ledger.levels[level].leave_review(units);
        match self.enter(now, (level, sender), waiting, None, work) {
            Entered::Merged { carrier } => {
                if outcome_sink != OutcomeSink::CountedOnly {
                    self.events.outcome(
                        id,
                        level,
                        (messages, units),
                        outcome_sink,
                        Outcome::Merged { carrier },
                    );
                }
            }
            Entered::Full(full) => self.drop_waiting_one(
                now,
                (level, sender),
                full.item,
                DropReason::Evicted,
                Some(full.limit),
            ),
            Entered::Sent(_) | Entered::Waits => {}
        }
    }

    fn drop_pending(
        &mut self,
        now: Instant,
        pending: Pending<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        self.ledger.levels[pending.level].leave_review(pending.waiting.units());
        self.drop_waiting_one(now, (pending.level, pending.sender), pending.waiting, reason, limit);
    }

    /// Drops one that is under review, as its sender is taken out.
    pub(super) fn drop_review_of_sender(&mut self, now: Instant, slot: u32) {
        if let Some(pending) = self.reviews.take(slot) {
            self.drop_pending(now, pending, DropReason::SenderOut, None);
        }
    }

    /// Drops what waits for a verdict in a room that is closed, as far as there is work left.
    pub(super) fn drop_reviews(&mut self, now: Instant, work: &mut WorkLimit) {
        debug_assert_eq!(self.state, RoomStatus::Closed, "only then is nothing reviewed any more");
        while !work.is_spent() {
            let Some((_, slot)) = self.reviews.oldest() else { break };
            let Some(pending) = self.reviews.take(slot) else { break };
            self.drop_pending(now, pending, DropReason::RoomClosed, None);
            work.take();
        }
    }
}
