//! The messages that wait for the host's verdict, and what the host may say to them.

use super::queued::{Lane, Queued};
use crate::config::{
    EvictionPolicy, QueueConfig, QueueDiscipline, ReviewConfig, Settings, WhenLate,
};
use crate::ids::{MessageId, SessionId, Ticket};
use crate::message::{Kind, Sender, Urgency};
use crate::priority::{PerLevel, Priority};
use crate::queue::{Popped, Queue};
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// What the host says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewDecision<M> {
    /// It goes on as it is.
    Allow,
    /// It is dropped as [`DropReason::Denied`](crate::ledger::DropReason::Denied); its sender can
    /// be told the code, which is the host's own.
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
    #[error("{ticket} was not issued by this room")]
    Unknown {
        /// The ticket.
        ticket: Ticket,
    },
    /// Its message waits no more: the time was over, a verdict has come, its sender was taken out,
    /// or the room was closed. A payload that was to take its place is dropped.
    #[error("{ticket} has lapsed: its message is no longer under review")]
    Lapsed {
        /// The ticket.
        ticket: Ticket,
    },
    /// The payload that was to take the place is too large; it comes back, and the message still
    /// waits.
    #[error("payload too large: {size} bytes (limit {max})")]
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

/// The messages that wait for a verdict: a queue in which nobody has a turn, and whose times are
/// those of the review. When it is full, whoever has most of the lowest level there gives way.
#[derive(Debug)]
pub(super) struct Reviews<M> {
    /// None while no message has waited for a verdict.
    pending: Option<Box<Queue<Queued<M>>>>,
    review: ReviewConfig,
    seed: u64,
}

/// A message that waits for a verdict no more.
#[derive(Debug)]
pub(super) struct Reviewed<M> {
    pub(super) lane: Lane,
    pub(super) waiting: Queued<M>,
}

/// Those that gave way to one that comes.
pub(super) type Victims<M> = SmallVec<[Reviewed<M>; 1]>;

fn config(review: ReviewConfig) -> QueueConfig {
    QueueConfig {
        messages: review.tickets,
        bytes: u64::MAX,
        discipline: QueueDiscipline::Fifo,
        turn_memory: Duration::ZERO,
        eviction: EvictionPolicy::BiggestSender,
        fresh_within: PerLevel([Some(review.timeout); 4]),
        when_late: WhenLate::Wait,
    }
}

impl<M> Reviews<M> {
    pub(super) fn new(settings: &Settings, seed: u64) -> Self {
        Self { pending: None, review: settings.review, seed }
    }

    /// From now on another time, for what waits as well, and another number of tickets. Nobody
    /// gives way to a smaller one: they become fewer.
    pub(super) fn reconfigure(&mut self, review: ReviewConfig) {
        if let Some(pending) = &mut self.pending {
            pending.reconfigure(&config(review));
        }
        self.review = review;
    }

    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.pending.as_ref().map_or(0, |pending| pending.len())
    }

    /// Returns the payload bytes of those that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.pending.as_ref().map_or(0, |pending| pending.bytes())
    }

    /// Returns those of one level.
    pub(super) fn level_bytes(&self, level: Priority) -> u64 {
        self.pending.as_ref().map_or(0, |pending| pending.level_bytes(level))
    }

    /// Takes out one of a level that gives way: of whoever has most there, the newest.
    pub(super) fn give_way(&mut self, level: Priority) -> Option<Reviewed<M>> {
        self.pending.as_mut()?.give_way(level).map(Reviewed::from)
    }

    /// Adds a message; returns the ticket that a verdict on it must name, and those that give way
    /// to it. When none may, nothing changes and it comes back.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
    ) -> Result<(Ticket, Victims<M>), Queued<M>> {
        if self.len() > self.review.tickets {
            return Err(waiting);
        }
        let id = waiting.id;
        let Lane { level, sender } = lane;
        // No budget of bytes keeps it out.
        let size = u64::from(waiting.size);
        let fresh = || Box::new(Queue::new(config(self.review), self.seed));
        let pending = self.pending.get_or_insert_with(fresh);
        let slot = pending.insert(now, (level, Urgency::Plain), sender, size, waiting);
        let victims = pending.settle(slot, u32::MAX).map_err(|full| full.item)?;
        let victims = victims.slots.into_iter().filter_map(|slot| pending.release(slot));
        Ok((Ticket { id, slot }, victims.map(Reviewed::from).collect()))
    }

    /// Returns whether a ticket's message waits.
    pub(super) fn contains(&self, ticket: Ticket) -> bool {
        self.get(ticket).is_some()
    }

    /// Shows a ticket's message to the host, who has so long for a verdict.
    pub(super) fn show(
        &self,
        ticket: Ticket,
        life: u64,
        timeout: Duration,
    ) -> Option<PendingReview<'_, M>> {
        let (waiting, pending) = (self.get(ticket)?, self.pending.as_ref()?);
        let (priority, came) = pending.place(ticket.slot)?;
        Some(PendingReview {
            sender: pending.sender(ticket.slot)?,
            session: waiting.session.map(|key| key.in_life(life)),
            priority,
            kind: waiting.kind,
            deadline: came + timeout,
            payload: &waiting.payload,
        })
    }

    fn get(&self, ticket: Ticket) -> Option<&Queued<M>> {
        self.pending.as_ref()?.get(ticket.slot).filter(|waiting| waiting.id == ticket.id)
    }

    /// Takes out the message in a slot.
    pub(super) fn take(&mut self, slot: u32) -> Option<Reviewed<M>> {
        self.pending.as_mut()?.take(slot).map(Reviewed::from)
    }

    /// Returns the slot of the message with this number, its sender, and how many it is.
    pub(super) fn find(&self, id: MessageId) -> Option<(u32, Sender, u32)> {
        let pending = self.pending.as_ref()?;
        let slot = pending.find(|waiting| waiting.id == id)?;
        Some((slot, pending.sender(slot)?, pending.get(slot)?.messages()))
    }

    /// Takes out a message: of the highest level that has one, the oldest.
    pub(super) fn take_highest(&mut self) -> Option<Reviewed<M>> {
        self.pending.as_mut()?.pop_highest().map(Reviewed::from)
    }

    /// Takes out a message that has waited too long for a verdict.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<Reviewed<M>> {
        self.pending.as_mut()?.pop_expired(now).map(Reviewed::from)
    }

    /// Returns when the first of those that wait will have waited too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.as_ref()?.next_deadline()
    }

    /// Writes what waits.
    #[cfg(feature = "internals")]
    pub(super) fn digest(&self, to: &mut alloc::string::String) {
        match &self.pending {
            Some(pending) => pending.digest(|waiting| waiting.id, to),
            None => Queue::new(config(self.review), self.seed)
                .digest(|waiting: &Queued<M>| waiting.id, to),
        }
    }

    /// Those that have a key.
    pub(super) fn keyed(&self) -> impl Iterator<Item = MessageId> + '_ {
        let pending = self.pending.iter().flat_map(|pending| pending.items());
        pending.filter(|waiting| waiting.ext.is_some()).map(|waiting| waiting.id)
    }

    /// Returns those of some senders, each with its sender's place in the list: in the order of the
    /// list, of each sender the highest level first, of each level the oldest first.
    pub(super) fn all_of(&mut self, senders: &[Sender]) -> Vec<(usize, u32)> {
        self.pending.as_mut().map_or_else(Vec::new, |pending| pending.all_of(senders))
    }
}

impl<M> From<Popped<Queued<M>>> for Reviewed<M> {
    fn from(Popped { item, priority, sender, .. }: Popped<Queued<M>>) -> Self {
        Self { lane: Lane { level: priority, sender }, waiting: item }
    }
}
