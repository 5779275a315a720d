//! Who waits for a verdict, as a list in order of coming.

use super::going::{Entered, Sent};
use super::line::{Entry, Line};
use super::victims::Squeeze;
use super::{Oracle, Waiting};
use crate::checked::Crossed;
use crate::payload::{Probe, Watch};
use crate::rules::queue;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::admission::ReviewError;
use roomcast_core::config::{EvictionPolicy, QueueDiscipline, ReviewTimeout, WhenLate};
use roomcast_core::ids::Ticket;
use roomcast_core::ledger::DropReason;
use roomcast_core::message::{Limit, Sender, Urgency};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Outcome, Priority, Receipt, Refused, RoomState};
use std::collections::BTreeSet;

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

/// A message as it stands where nobody goes before others.
fn plain(entry: &Entry) -> Entry {
    Entry { urgency: Urgency::Plain, ..entry.clone() }
}

impl Oracle {
    /// What users say at some levels waits for a verdict.
    pub(super) fn is_reviewed(&self, level: Priority, sender: Sender) -> bool {
        self.rules.review.levels[level] && sender != Sender::Host
    }

    /// A message comes to the review; answers its ticket, or nothing if it is refused. When as many
    /// wait as may, whoever has most of the lowest level there gives way, unless that is the
    /// newcomer; nobody goes on without a verdict for it.
    pub(super) fn put_under_review(
        &mut self,
        entry: Entry,
        waiting: Waiting,
        answer: &Result<Receipt, Refused<Probe>>,
    ) -> Result<Option<Ticket>, Violation> {
        let max = self.rules.review.tickets;
        let mut table = self.review_table();
        let (id, was_over) = (entry.id, table.exceeded().is_some());
        table.enter(plain(&entry));
        let ticket = match answer {
            Ok(Receipt { review: Some(ticket), .. }) => *ticket,
            Ok(_) => {
                let what = "a message under review has a ticket";
                return Err(Violation::new(Law::Events, what, "one", answer));
            }
            Err(_) => {
                let may_refuse = table.exceeded().is_some()
                    && (was_over || Squeeze::new(&table, id).may_refuse());
                same(Law::L7Bounded, "whether the review may refuse", true, may_refuse)?;
                return Ok(None);
            }
        };
        same(Law::Events, "the message of a ticket", waiting.id, ticket.message())?;
        let is_gone = |pending: &&Pending| !pending.waiting.held[0].is_held();
        let victims: BTreeSet<u64> =
            self.reviews.pending.iter().filter(is_gone).map(|pending| pending.entry.id).collect();
        let allowed = if table.exceeded().is_some() {
            !was_over && Squeeze::new(&table, id).may_evict(&victims)
        } else {
            victims.is_empty()
        };
        let what = format!("whether {victims:?} may give way to {id} under review");
        same(Law::L7Bounded, what, true, allowed)?;
        self.inbox.decide();
        while let Some(place) =
            self.reviews.pending.iter().position(|pending| victims.contains(&pending.entry.id))
        {
            let pending = self.reviews.pending.remove(place);
            self.drop_uncounted(pending, DropReason::Evicted, Some(Limit::Reviews { max }));
        }
        self.reviews.pending.push(Pending { entry, waiting, ticket });
        Ok(Some(ticket))
    }

    /// Those that wait for a verdict, as a line in which nobody goes before others.
    pub(super) fn review_table(&self) -> Line {
        let mut table = Line::new(queue(
            self.rules.review.tickets,
            u64::MAX,
            QueueDiscipline::Fifo,
            EvictionPolicy::BiggestSender,
            ([None; 4], WhenLate::Wait),
            Duration::ZERO,
        ));
        self.reviews.pending.iter().for_each(|pending| table.enter(plain(&pending.entry)));
        table
    }

    /// One is dropped that has not been counted yet.
    pub(super) fn drop_uncounted(
        &mut self,
        pending: Pending,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let Pending { entry, waiting, .. } = pending;
        self.drop_waiting(&entry, Waiting { counter: None, ..waiting }, reason, limit);
    }

    fn deadline_of(&self, pending: &Pending) -> Instant {
        pending.entry.entered + self.rules.review.timeout
    }

    /// When the first has waited too long.
    pub(super) fn next_review(&self) -> Option<Instant> {
        self.reviews.pending.iter().map(|pending| self.deadline_of(pending)).min()
    }

    /// The oldest of the highest level of those that pass a test.
    fn highest(&self, test: impl Fn(&Pending) -> bool) -> Option<usize> {
        let of_level = |level| move |pending: &Pending| pending.entry.level == level;
        Priority::ALL.into_iter().find_map(|level| {
            let is_of_level = of_level(level);
            self.reviews.pending.iter().position(|pending| is_of_level(pending) && test(pending))
        })
    }

    /// Those whose time is over go on, or are dropped. They wait from now on: whoever comes in this
    /// very call may still go before them.
    pub(super) fn time_out_reviews(&mut self, now: Instant, sent: &mut Sent<'_>) -> Check {
        while let Some(place) = self.highest(|pending| now >= self.deadline_of(pending)) {
            let pending = self.reviews.pending.remove(place);
            self.inbox.decide();
            if self.rules.review.on_timeout == ReviewTimeout::Closed {
                let limit = Limit::ReviewTime { max: self.rules.review.timeout };
                self.drop_uncounted(pending, DropReason::ReviewTimeout, Some(limit));
            } else if let Some((entry, waiting)) = self.passes(now, pending) {
                let age = waiting.age;
                if let Some(carrier) = self.merge(&entry, &waiting) {
                    self.is_carried(waiting.id, carrier);
                    self.conclude(&waiting, entry.level, Outcome::Merged { carrier });
                    self.gone.push((entry.id, waiting.held));
                } else {
                    self.waiting.insert(entry.id, waiting);
                    let urgency = self.stands(&entry);
                    let id = entry.id;
                    self.line.enter(Entry { urgency, ..entry });
                    self.line.backdate(id, now.saturating_sub(age));
                }
            }
        }
        if self.line.exceeded().is_some() {
            // More than find room: what may go goes, then somebody gives way.
            self.dispatch(now, sent, None)?;
            let limit = self.line.exceeded();
            let victims = Squeeze::of_old(&self.line).forced_to_shed();
            self.inbox.decide();
            for id in victims {
                if let Some(entry) = self.line.remove(id) {
                    self.drop_entry(&entry, DropReason::Evicted, limit);
                }
            }
        }
        Ok(())
    }

    /// Past the review: it is counted, and may wait for its turn, unless its sender may not speak
    /// any more or its counter cannot take it.
    fn passes(&mut self, now: Instant, pending: Pending) -> Option<(Entry, Waiting)> {
        if self.silence(pending.entry.sender).is_some() {
            self.inbox.decide();
            self.drop_uncounted(pending, DropReason::Muted, None);
            return None;
        }
        let Waiting { counter, units, .. } = pending.waiting;
        if let Some(Err(error)) = counter.map(|counter| self.count_units(counter, units)) {
            self.inbox.decide();
            self.drop_uncounted(pending, DropReason::Counter, Some(Limit::Counter { error }));
            return None;
        }
        // The time that a verdict took does not count.
        let admitted_at = now.saturating_sub(pending.waiting.age);
        let waiting = Waiting { admitted_at, ..pending.waiting };
        Some((Entry { entered: now, ..pending.entry }, waiting))
    }

    /// Into the line, unless it may not.
    fn go_on(&mut self, now: Instant, pending: Pending, sent: &mut Sent<'_>) -> Check {
        let Some((entry, waiting)) = self.passes(now, pending) else { return Ok(()) };
        let (id, level) = (entry.id, entry.level);
        match self.enter(now, entry, waiting.clone(), sent, false)? {
            Entered::Merged(carrier) => {
                self.inbox.decide();
                self.is_carried(waiting.id, carrier);
                self.conclude(&waiting, level, Outcome::Merged { carrier });
            }
            Entered::Waits => {
                // Who gave way is seen by whose payload is gone: maybe this one's.
                if self.lost()?.contains(&id) {
                    let refusal = self.squeezed(id, |squeeze| squeeze.may_refuse());
                    same(Law::L7Bounded, "whether a full queue may drop", true, refusal)?;
                    let (reason, limit) = self.shortage(level);
                    self.inbox.decide();
                    if let Some(entry) = self.line.remove(id) {
                        self.drop_entry(&entry, reason, limit);
                    }
                } else {
                    self.evicted(id)?;
                    self.line.backdate(id, now.saturating_sub(waiting.age));
                }
            }
            Entered::Sent(_) => {}
        }
        Ok(())
    }

    /// Whether a message waits for this verdict.
    pub fn is_under_review(&self, ticket: Ticket) -> bool {
        self.reviews.pending.iter().any(|pending| pending.ticket == ticket)
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
        let mut sent = crossed.iter();
        if !self.is_under_review(ticket) {
            let lapsed =
                matches!(answer, Err(ReviewError::Lapsed { ticket: found }) if *found == ticket);
            same(Law::Events, "a verdict on what is not under review", true, lapsed)?;
            return self.no_more(self.clock, sent);
        }
        let now = self.advance(now);
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
                if self.is_open() {
                    self.dispatch(now, &mut sent, None)?;
                }
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
                self.dispatch(now, &mut sent, None)?;
            }
            (Some(place), _) => {
                same(Law::Events, what, true, answer.is_ok())?;
                let mut pending = self.reviews.pending.remove(place);
                match said {
                    Said::Allow => self.go_on(now, pending, &mut sent)?,
                    Said::Deny(code) => {
                        self.inbox.decide();
                        let limit = Some(Limit::ReviewDecision { code });
                        self.drop_uncounted(pending, DropReason::Denied, limit);
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
                self.drop_uncounted(pending, DropReason::SenderOut, None);
            }
        }
    }

    pub(super) fn drop_reviews(&mut self) {
        while let Some(place) = self.highest(|_| true) {
            let pending = self.reviews.pending.remove(place);
            self.inbox.decide();
            self.drop_uncounted(pending, DropReason::RoomClosed, None);
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
