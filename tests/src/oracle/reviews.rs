//! Who waits for a verdict, as a list in order of coming.

use super::going::{Entered, Sent};
use super::line::Entry;
use super::victims::Squeeze;
use super::{Oracle, Waiting};
use crate::checked::Crossed;
use crate::payload::{Probe, Watch};
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::admission::ReviewError;
use roomcast_core::config::ReviewTimeout;
use roomcast_core::ids::Ticket;
use roomcast_core::ledger::DropReason;
use roomcast_core::message::{Limit, Sender};
use roomcast_core::{Instant, Outcome, Priority, Receipt, Refused, RoomState};

/// Those that wait for a verdict, in order of their coming.
#[derive(Clone, Debug, Default)]
pub struct Reviews {
    /// All of them.
    pub pending: Vec<Pending>,
}

/// A message that waits for a verdict.
#[derive(Clone, Debug)]
pub struct Pending {
    /// As it will enter the line; `entered` is when it came.
    pub(super) entry: Entry,
    pub(super) waiting: Waiting,
    ticket: Ticket,
}

/// A verdict, in so far as the oracle needs to know it.
#[derive(Clone, Debug)]
pub enum Said {
    /// It goes on.
    Allow,
    /// It is dropped.
    Deny(u32),
    /// It goes on with another payload: its number, its size, and who still holds it.
    Rewrite(u64, usize, [Watch; 2]),
}

impl Oracle {
    /// What users say at some levels waits for a verdict.
    pub(super) fn is_reviewed(&self, level: Priority, sender: Sender) -> bool {
        self.rules.review.levels[level] && sender != Sender::Host
    }

    /// A message comes to the review: it has to wait for a verdict (`Some(true)`), or is refused (`Some(false)`), or goes on as nobody has
    /// time for it (`None`).
    pub(super) fn put_under_review(
        &mut self,
        now: Instant,
        entry: Entry,
        waiting: Waiting,
        answer: &Result<Receipt, Refused<Probe>>,
        sent: &mut Sent<'_>,
    ) -> Result<Option<bool>, Violation> {
        let max = self.rules.review.tickets;
        if self.reviews.pending.len() as u64 >= u64::from(max) {
            // The oldest of the lowest level gives way, if it is not above the newcomer; none where there may be fewer than there are.
            let is_over = self.reviews.pending.len() as u64 > u64::from(max);
            let lowest = self.reviews.pending.iter().map(|pending| pending.entry.level).min();
            let lowest = lowest.filter(|&lowest| lowest <= entry.level && !is_over);
            let Some(lowest) = lowest else {
                return Ok((self.rules.review.on_timeout == ReviewTimeout::Closed).then_some(false));
            };
            if let Some(place) =
                self.reviews.pending.iter().position(|pending| pending.entry.level == lowest)
            {
                self.time_out(now, place, Limit::Reviews { max }, sent)?;
            }
        }
        let ticket = answer.as_ref().ok().and_then(|receipt| receipt.review);
        let Some(ticket) = ticket else {
            return Err(Violation::new(
                Law::Events,
                "a message under review has a ticket",
                "one",
                answer,
            ));
        };
        same(Law::Events, "the message of a ticket", waiting.id, ticket.message())?;
        self.reviews.pending.push(Pending { entry, waiting, ticket });
        Ok(Some(true))
    }

    fn deadline_of(&self, pending: &Pending) -> Instant {
        pending.entry.entered + self.rules.review.timeout
    }

    /// When the first has waited too long.
    pub(super) fn next_review(&self) -> Option<Instant> {
        self.reviews.pending.iter().map(|pending| self.deadline_of(pending)).min()
    }

    /// The one that came first; of several, the highest.
    fn first_come(&self) -> Option<usize> {
        let come = |place: &usize| {
            (
                self.reviews.pending[*place].entry.entered,
                std::cmp::Reverse(self.reviews.pending[*place].entry.level),
            )
        };
        (0..self.reviews.pending.len()).min_by_key(come)
    }

    pub(super) fn time_out_reviews(&mut self, now: Instant, sent: &mut Sent<'_>) -> Check {
        while let Some(place) =
            self.first_come().filter(|&place| now >= self.deadline_of(&self.reviews.pending[place]))
        {
            self.time_out(now, place, Limit::ReviewTime { max: self.rules.review.timeout }, sent)?;
        }
        Ok(())
    }

    fn time_out(&mut self, now: Instant, place: usize, limit: Limit, sent: &mut Sent<'_>) -> Check {
        let pending = self.reviews.pending.remove(place);
        if self.rules.review.on_timeout == ReviewTimeout::Open {
            return self.go_on(now, pending, sent);
        }
        self.inbox.decide();
        self.drop_waiting(&pending.entry, pending.waiting, DropReason::ReviewTimeout, Some(limit));
        Ok(())
    }

    /// Into the line, unless its sender may not speak any more.
    fn go_on(&mut self, now: Instant, pending: Pending, sent: &mut Sent<'_>) -> Check {
        let Pending { entry, waiting, .. } = pending;
        if self.silence(entry.sender).is_some() {
            self.inbox.decide();
            self.drop_waiting(&entry, waiting, DropReason::Muted, None);
            return Ok(());
        }
        let (id, level) = (entry.id, entry.level);
        let entry = Entry { entered: now, ..entry };
        match self.enter(now, entry, waiting.clone(), sent, false)? {
            Entered::Merged(carrier) => {
                self.inbox.decide();
                self.conclude(&waiting, level, Outcome::Merged { carrier });
            }
            Entered::Waits => {
                // The rules leave no choice of victims where there are reviews.
                if let Some(limit) = self.line.exceeded() {
                    if let Some(victims) = Squeeze::new(&self.line, id).forced() {
                        self.give_way(victims);
                    } else {
                        self.inbox.decide();
                        if let Some(entry) = self.line.remove(id) {
                            self.drop_entry(&entry, DropReason::Evicted, Some(limit));
                        }
                    }
                }
            }
            Entered::Sent(_) => {}
        }
        Ok(())
    }

    /// `RoomState::review` answered this, and this went out.
    pub fn reviewed(
        &mut self,
        now: Instant,
        ticket: Ticket,
        said: Said,
        answer: &Result<(), ReviewError<Probe>>,
        crossed: &[Crossed],
    ) -> Check {
        let now = self.advance(now);
        let mut sent = crossed.iter();
        if self.is_open() {
            self.fall_due(now, &mut sent)?;
        }
        let what = "a verdict";
        let place = self.reviews.pending.iter().position(|pending| pending.ticket == ticket);
        let max = self.rules.payload_bytes as usize;
        match (place, &said) {
            (None, _) => {
                let lapsed = matches!(answer, Err(ReviewError::Lapsed { ticket: found }) if *found == ticket);
                same(Law::Events, "a verdict that comes too late", true, lapsed)?;
            }
            (Some(_), Said::Rewrite(id, size, _)) if *size > max => {
                let back = match answer {
                    Err(ReviewError::TooLarge { payload, .. }) => Some(payload.id()),
                    _ => None,
                };
                same(
                    Law::L8NothingLost,
                    "a payload that is too large comes back",
                    Some(*id),
                    back,
                )?;
            }
            (Some(place), _) => {
                same(Law::Events, what, true, answer.is_ok())?;
                let mut pending = self.reviews.pending.remove(place);
                match said {
                    Said::Allow => self.go_on(now, pending, &mut sent)?,
                    Said::Deny(code) => {
                        self.inbox.decide();
                        let limit = Some(Limit::ReviewDecision { code });
                        self.drop_waiting(
                            &pending.entry,
                            pending.waiting,
                            DropReason::Denied,
                            limit,
                        );
                        self.dispatch(now, &mut sent, None)?;
                    }
                    Said::Rewrite(id, size, held) => {
                        let old = std::mem::replace(&mut pending.waiting.held, held);
                        self.gone.push((pending.entry.id, old));
                        (pending.entry.id, pending.entry.size) = (id, size as u64);
                        self.go_on(now, pending, &mut sent)?;
                    }
                }
            }
        }
        self.no_more(now, sent)?;
        self.check_held()
    }

    /// Whatever a user has under review is dropped: the highest level first, in each the oldest.
    pub(super) fn drop_reviews_of(&mut self, sender: Sender) {
        for level in Priority::ALL {
            while let Some(place) =
                self.reviews.pending.iter().position(|pending| {
                    pending.entry.sender == sender && pending.entry.level == level
                })
            {
                let pending = self.reviews.pending.remove(place);
                self.inbox.decide();
                self.drop_waiting(&pending.entry, pending.waiting, DropReason::SenderOut, None);
            }
        }
    }

    pub(super) fn drop_reviews(&mut self) {
        while let Some(place) = self.first_come() {
            let pending = self.reviews.pending.remove(place);
            self.inbox.decide();
            self.drop_waiting(&pending.entry, pending.waiting, DropReason::RoomClosed, None);
        }
    }

    /// What can be asked of each that waits.
    pub(super) fn inspect_reviews(&self, room: &RoomState<Probe>) -> Check {
        for pending in &self.reviews.pending {
            let found = room.pending_review(pending.ticket).map(|review| {
                (review.sender, review.priority, review.deadline, review.payload.id())
            });
            let Entry { sender, level, id, .. } = pending.entry;
            let expected = Some((sender, level, self.deadline_of(pending), id));
            same(Law::Events, "a message under review", expected, found)?;
        }
        Ok(())
    }
}
