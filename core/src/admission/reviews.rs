//! The messages that wait for the host's verdict, and what the host may say to them.

use super::queued::{Lane, Queued};
use crate::chunked::Slab;
use crate::ids::{SessionId, Ticket};
use crate::list::{Links, List};
use crate::message::{Kind, Sender};
use crate::priority::{PerLevel, Priority};
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// What the host says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewDecision<M> {
    /// It goes on as it is.
    Allow,
    /// It is dropped as [`DropReason::Denied`](crate::ledger::DropReason::Denied); its sender can be told
    /// the code, which is the host's own.
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

/// The messages that wait for a verdict.
#[derive(Debug)]
pub(super) struct Reviews<M> {
    pending: Slab<Pending<M>>,
    /// Those of each level, in order of their coming.
    levels: PerLevel<List>,
}

#[derive(Debug)]
struct Pending<M> {
    reviewed: Reviewed<M>,
    came: Instant,
    links: Links,
}

/// A message that waits for a verdict no more.
#[derive(Debug)]
pub(super) struct Reviewed<M> {
    pub(super) lane: Lane,
    pub(super) waiting: Queued<M>,
}

fn links<M>(pending: &mut Pending<M>) -> &mut Links {
    &mut pending.links
}

impl<M> Reviews<M> {
    pub(super) fn new() -> Self {
        Self { pending: Slab::new(), levels: PerLevel([List::EMPTY; 4]) }
    }

    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.pending.len()
    }

    /// Adds a message; returns the ticket that a verdict on it must name.
    pub(super) fn insert(&mut self, now: Instant, lane: Lane, waiting: Queued<M>) -> Ticket {
        let id = waiting.id;
        let reviewed = Reviewed { lane, waiting };
        let slot = self.pending.insert(Pending { reviewed, came: now, links: Links::NONE });
        self.levels[lane.level].push_back(&mut self.pending, slot, links);
        Ticket { id, slot }
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
        let Pending { reviewed: Reviewed { lane, waiting }, came, .. } = self.get(ticket)?;
        Some(PendingReview {
            sender: lane.sender,
            session: waiting.session.map(|key| key.in_life(life)),
            priority: lane.level,
            kind: waiting.kind,
            deadline: *came + timeout,
            payload: &waiting.payload,
        })
    }

    fn get(&self, ticket: Ticket) -> Option<&Pending<M>> {
        self.pending.get(ticket.slot).filter(|pending| pending.reviewed.waiting.id == ticket.id)
    }

    /// Takes out the message in a slot.
    pub(super) fn take(&mut self, slot: u32) -> Option<Reviewed<M>> {
        let level = self.pending.get(slot)?.reviewed.lane.level;
        self.levels[level].unlink(&mut self.pending, slot, links);
        self.pending.remove(slot).map(|pending| pending.reviewed)
    }

    /// Takes out the message that came first.
    pub(super) fn take_oldest(&mut self) -> Option<Reviewed<M>> {
        let (_, slot) = self.oldest()?;
        self.take(slot)
    }

    /// Takes out the message that came first, if it has waited for so long.
    pub(super) fn take_overdue(&mut self, now: Instant, timeout: Duration) -> Option<Reviewed<M>> {
        let (_, slot) = self.oldest().filter(|&(came, _)| now >= came + timeout)?;
        self.take(slot)
    }

    /// Takes out the oldest of the lowest level, unless that is above `level`.
    pub(super) fn take_lowest(&mut self, level: Priority) -> Option<Reviewed<M>> {
        let mut levels = Priority::ALL.into_iter().rev();
        let (lowest, slot) = levels.find_map(|level| Some((level, self.levels[level].front()?)))?;
        if lowest <= level { self.take(slot) } else { None }
    }

    /// Returns when the first of those that wait will have waited for so long.
    pub(super) fn next_deadline(&self, timeout: Duration) -> Option<Instant> {
        self.oldest().map(|(came, _)| came + timeout)
    }

    /// Returns the one that came first; of several, the highest.
    fn oldest(&self) -> Option<(Instant, u32)> {
        let fronts = Priority::ALL.into_iter().filter_map(|level| self.levels[level].front());
        fronts.map(|slot| (self.pending[slot].came, slot)).min_by_key(|&(came, _)| came)
    }

    /// Returns those of some senders, each with its sender's place in the list: in the order of the
    /// list, of each sender the highest level first, of each level the oldest first. O(those that
    /// wait), once for all senders.
    pub(super) fn all_of(&self, senders: &[Sender]) -> Vec<(usize, u32)> {
        let of_level =
            |level: Priority| self.levels[level].iter(&self.pending, |pending| pending.links);
        let sender_of = |slot: u32| self.pending[slot].reviewed.lane.sender;
        let place = |slot: u32| senders.iter().position(|&sender| sender == sender_of(slot));
        let mut found: Vec<_> = Priority::ALL
            .into_iter()
            .flat_map(of_level)
            .filter_map(|slot| Some((place(slot)?, slot)))
            .collect();
        found.sort_by_key(|&(place, _)| place);
        found
    }
}
