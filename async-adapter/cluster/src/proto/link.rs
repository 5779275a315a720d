//! The link of an edge to the owner: what has no fate yet, in the order of its numbers.

use super::Undecided;
use crate::wire::{Forward, Forwards, NodeBooks, What};
use roomcast_core::message::Payload;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, PerLevel};
use std::collections::BTreeMap;

/// The most forwards in one record, and about the most bytes of payloads.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;

/// The link of an edge to the owner.
#[derive(Debug)]
pub(super) struct Link<M> {
    /// The last number that was given out.
    last: u64,
    undecided: BTreeMap<u64, Undecided<M>>,
    /// The epoch that what is sent is for; 0: nothing is sent.
    epoch: u64,
    /// The last forward that was sent in this epoch, and the last that the owner has.
    sent: u64,
    seen: u64,
    /// When what the owner has not seen is sent again.
    resend_at: Option<Instant>,
    beat_at: Instant,
    /// The books of the edge, as long as the log does not have them.
    books: Option<NodeBooks>,
}

impl<M> Link<M> {
    /// One whose numbers follow this one.
    pub(super) fn behind(last: u64) -> Self {
        Self {
            last,
            undecided: BTreeMap::new(),
            epoch: 0,
            sent: 0,
            seen: 0,
            resend_at: None,
            beat_at: Instant::ZERO,
            books: None,
        }
    }
}

impl<M: Payload + Clone> Link<M> {
    /// How many have no fate.
    pub(super) fn len(&self) -> usize {
        self.undecided.len()
    }

    /// The last number that was given out.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Adds one.
    pub(super) fn push(&mut self, what: What<M>, tag: u64) {
        self.last += 1;
        self.undecided.insert(self.last, Undecided { what, tag, sent_in: 0 });
    }

    /// Adds what a counter gained, to a count that was not sent yet if there is one.
    pub(super) fn count(&mut self, key: &str, gained: i64) {
        let unsent = self.undecided.values_mut().filter(|one| one.sent_in == 0);
        for one in unsent {
            if let What::Count { key: its, gained: so_far } = &mut one.what
                && **its == *key
                && let Some(sum) = so_far.checked_add(gained)
            {
                *so_far = sum;
                return;
            }
        }
        self.push(What::Count { key: key.into(), gained }, 0);
    }

    /// The books of the edge go with the next beat.
    pub(super) fn keep_books(&mut self, books: NodeBooks) {
        self.books = Some(books);
    }

    /// The log has these of this edge.
    pub(super) fn booked(&mut self, row: &NodeBooks) {
        if self.books.as_ref().is_some_and(|books| books.books == row.books) {
            self.books = None;
        }
    }

    /// The books that the log does not have, with nothing else: the edge is closed.
    pub(super) fn last_books(&mut self, edge: u64, heads: PerLevel<u64>) -> Option<Forwards<M>> {
        let books = Some(self.books.take()?);
        let (epoch, after) = (self.epoch, self.sent);
        (epoch != 0).then_some(Forwards { edge, epoch, after, heads, forwards: Vec::new(), books })
    }

    /// Another owner has taken over: it is sent all that has no fate.
    pub(super) fn begin(&mut self, epoch: u64) {
        (self.epoch, self.sent, self.seen) = (epoch, 0, 0);
        self.resend_at = None;
        self.beat_at = Instant::ZERO;
    }

    /// The owner has them up to this one.
    pub(super) fn seen(&mut self, epoch: u64, seen: u64) {
        if epoch == self.epoch {
            self.seen = self.seen.max(seen);
        }
    }

    /// One has its fate.
    pub(super) fn decided(&mut self, number: u64) -> Option<Undecided<M>> {
        self.undecided.remove(&number)
    }

    /// Those that were sent, and of which this says that nothing will be heard.
    pub(super) fn lost(&mut self, is_lost: impl Fn(u64, u64) -> bool) -> Vec<Undecided<M>> {
        let lost = self
            .undecided
            .iter()
            .filter(|(number, one)| one.sent_in != 0 && is_lost(**number, one.sent_in));
        let lost: Vec<u64> = lost.map(|(number, _)| *number).collect();
        lost.iter().filter_map(|number| self.undecided.remove(number)).collect()
    }

    /// The room is closed: nothing is sent any more. Returns what has no fate.
    pub(super) fn end(&mut self) -> impl Iterator<Item = Undecided<M>> + use<M> {
        (self.epoch, self.books) = (0, None);
        core::mem::take(&mut self.undecided).into_values()
    }

    /// What is to be sent at `now`: what is new, what the owner has not seen for long, or only that
    /// somebody is in.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        edge: u64,
        heads: PerLevel<u64>,
        (resend, beat): (Duration, Duration),
    ) -> Option<Forwards<M>> {
        if self.epoch == 0 {
            return None;
        }
        if self.resend_at.is_some_and(|at| at <= now) {
            self.resend_at = None;
            // All that is not decided, from the first that it has not seen.
            self.sent = self.sent.min(self.seen);
        }
        let (after, mut bytes) = (self.sent, 0);
        let mut forwards = Vec::new();
        for (&number, one) in self.undecided.range_mut(after + 1..) {
            let size = match &one.what {
                What::Message(message) => {
                    let profile = message.profile.as_ref().map_or(0, |profile| profile.size());
                    message.payload.size().saturating_add(profile)
                }
                What::Command { command, .. } => command.bytes(),
                _ => 0,
            };
            if !forwards.is_empty() && (forwards.len() == BATCH || bytes + size > BATCH_BYTES) {
                break;
            }
            bytes += size;
            one.sent_in = self.epoch;
            self.sent = number;
            forwards.push(Forward { number, what: one.what.clone() });
        }
        let is_beat = now >= self.beat_at;
        if forwards.is_empty() && !is_beat {
            return None;
        }
        if self.sent > self.seen && self.resend_at.is_none() {
            self.resend_at = Some(now + resend);
        }
        let books = if is_beat { self.books.clone() } else { None };
        if is_beat || self.books.is_none() {
            self.beat_at = now + beat;
        }
        Some(Forwards { edge, epoch: self.epoch, after, heads, forwards, books })
    }

    /// When [`poll`](Self::poll) has something, unless it has already.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.epoch == 0 {
            return None;
        }
        let resend = self.resend_at.filter(|_| self.sent > self.seen);
        let new = self.undecided.range(self.sent + 1..).next().map(|_| Instant::ZERO);
        resend.into_iter().chain(new).chain([self.beat_at]).min()
    }
}
