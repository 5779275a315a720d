//! A message that is offered, from the call to its fate.

use super::at_once::AtOnce;
use super::going::{Entered, Sent};
use super::line::Entry;
use super::{Oracle, Waiting};
use crate::checked::Crossed;
use crate::payload::{Probe, Watch};
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::audit::Fate;
use roomcast_core::data::DataError;
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit, MergeKey, OutcomeSink, Reviewed, Sender, Urgency};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Kind, Outcome, Priority, Receipt, Refused, Source};

/// A message as it was offered, in so far as the oracle needs to know it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Where it comes from.
    pub source: Source,
    /// Its priority.
    pub level: Priority,
    /// Its kind.
    pub kind: Kind,
    /// How its outcome is to be reported.
    pub outcome_sink: Option<OutcomeSink>,
    /// What it may be merged by.
    pub merge: Option<MergeKey>,
    /// Whether it is marked to go before others.
    pub urgency: Urgency,
    /// What it stands for.
    pub units: u64,
    /// What its repetition would carry.
    pub key: Option<DedupKey>,
    /// Where it is counted.
    pub counter: Option<&'static str>,
    /// What comes with it from an edge, if it comes from one.
    pub hop: Option<Hop>,
    /// The number of its payload.
    pub payload: u64,
    /// The size of its payload.
    pub size: usize,
    /// Its payload in the room and in its twin.
    pub held: [Watch; 2],
}

/// What an edge says of a message that it has let in.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// When it did.
    pub admitted_at: Option<Instant>,
    /// Whether it has had it reviewed.
    pub reviewed: Reviewed,
}

type Answer = Result<Receipt, Refused<Probe>>;

/// Why a counter cannot take what a message stands for.
pub(super) fn counter_error(oracle: &Oracle, counter: &str, units: u64) -> Option<DataError> {
    let mut after = oracle.clone();
    after.count_units(counter, units).err()
}

impl Oracle {
    /// `RoomState::publish` answered this, and this went out.
    pub fn published(
        &mut self,
        now: Instant,
        offer: &Offer,
        answer: &Answer,
        crossed: &[Crossed],
    ) -> Check {
        let mut sent = crossed.iter();
        let mut is_known = true;
        if let Source::Session(session) = offer.source {
            is_known = self.members.user_of(session).is_some();
            // A sign of life, be it a guest's, is one of somebody known.
            let shows_life = self.rules.heartbeat.is_some() && self.is_in(session);
            self.advance_if(is_known || shows_life, now);
            self.shows_life(session);
        } else {
            self.advance(now);
        }
        let now = self.clock;
        // What is due falls due first, all of it, then the call; but by a stranger nothing does.
        if self.is_open() && is_known {
            self.fall_due(now, &mut sent)?;
        }
        self.submitted += 1;
        let number = MessageId(self.submitted);
        self.books[offer.level].submitted += 1;
        self.books[offer.level].units_submitted =
            self.books[offer.level].units_submitted.wrapping_add(offer.units);
        if offer.hop.is_some() {
            let row = &mut self.books[offer.level];
            row.from_edges += 1;
            row.units_from_edges = row.units_from_edges.wrapping_add(offer.units);
        }
        let sender = match self.gate(offer) {
            Ok(sender) => sender,
            Err((reason, limit, retry_at)) => {
                // A refusal changes nothing: what goes out goes without it.
                if self.is_open() && is_known {
                    self.dispatch(now, &mut sent, None)?;
                }
                self.no_more(now, sent)?;
                self.refused(offer, answer, reason, limit, retry_at)?;
                return self.check_held();
            }
        };
        if sender == Sender::Host && offer.kind == Kind::Notice {
            return self.notified(now, (offer, number), answer, sent);
        }
        let waiting = self.waiting(number, offer, sender);
        let age = waiting.age;
        let bound = self.rules.queue.fresh_within[offer.level];
        if bound.is_some_and(|bound| !age.is_zero() && age >= bound) {
            return self.too_late((offer, number), sender, answer, sent);
        }
        let outcome_sink = waiting.outcome_sink;
        self.inbox.reserve(offer.level, outcome_sink);
        let (id, size) = (offer.payload, offer.size as u64);
        let Offer { level, urgency, .. } = *offer;
        let entry = Entry { id, level, urgency, sender, size, entered: now };
        let mut receipt = Receipt { id: number, outcome: None, review: None };
        let has_passed = offer.hop.is_some_and(|hop| hop.reviewed == Reviewed::AtEdge);
        if self.is_reviewed(offer.level, sender) && !has_passed {
            if let Some(ticket) = self.put_under_review(entry, waiting, answer)? {
                self.pay(now, (offer, number), sender, None)?;
                self.dispatch(now, &mut sent, None)?;
                receipt.review = Some(ticket);
                let found = answer.as_ref().ok().copied();
                same(Law::Events, "a receipt", Some(receipt), found)?;
            } else {
                self.inbox.release(offer.level, outcome_sink);
                let limit = Limit::Reviews { max: self.rules.review.tickets };
                // The first whose time is over gives a place up.
                let retry_at = self.next_review();
                self.dispatch(now, &mut sent, None)?;
                self.refused(offer, answer, RefusalReason::ReviewsFull, Some(limit), retry_at)?;
            }
            return self.no_more(now, sent).and_then(|()| self.check_held());
        }
        let entered = self.enter(now, entry, waiting, &mut sent, true)?;
        let is_out = match answer {
            Ok(receipt) => matches!(receipt.outcome, Some(Outcome::Dropped { .. })),
            Err(_) => true,
        };
        match entered {
            Entered::Waits if is_out => {
                let refusal = self.squeezed(id, |squeeze| squeeze.may_refuse());
                same(Law::L7Bounded, "whether a full queue may refuse", true, refusal)?;
                let (reason, limit) = self.shortage(offer.level);
                let refused = self.line.remove(id);
                self.waiting.remove(&id);
                self.inbox.release(offer.level, outcome_sink);
                self.dispatch(now, &mut sent, None)?;
                // What an edge has let in is not refused for want of a place.
                if offer.counter.is_none() && offer.hop.is_none() {
                    let (reason, retry_at) = if reason == DropReason::Congested {
                        let says = answer.as_ref().err().and_then(|refused| refused.retry_at);
                        let at = refused.and_then(|refused| self.uncongested(&refused, says));
                        (RefusalReason::Congested, at)
                    } else {
                        // When the next one leaves there is a place.
                        (RefusalReason::QueueFull, self.next_exit())
                    };
                    self.refused(offer, answer, reason, limit, retry_at)?;
                    self.no_more(now, sent)?;
                    return self.check_held();
                }
                // Nobody is to send it again: it is in, and gives way.
                self.offer_fated(number, offer, Fate::Dropped { reason, limit });
                let row = &mut self.books[offer.level];
                *row.dropped.entry(reason).or_default() += 1;
                row.units_dropped = row.units_dropped.wrapping_add(offer.units);
                receipt.outcome = Some(Outcome::Dropped { reason, limit, retry_at: None });
            }
            Entered::Waits => {
                self.evicted(id)?;
                self.line.backdate(id, now.saturating_sub(age));
            }
            Entered::Sent(outcome) => {
                self.inbox.release(offer.level, outcome_sink);
                receipt.outcome = outcome;
            }
            Entered::Merged(carrier) => {
                self.inbox.release(offer.level, outcome_sink);
                receipt.outcome = Some(Outcome::Merged { carrier });
            }
        }
        self.no_more(now, sent)?;
        self.count(offer)?;
        self.pay(now, (offer, number), sender, receipt.outcome)?;
        match answer {
            Ok(found) => same(Law::Events, "a receipt", receipt, *found)?,
            Err(refused) => {
                return Err(Violation::new(
                    Law::L8NothingLost,
                    "the message is let in",
                    receipt,
                    refused,
                ));
            }
        }
        self.check_held()
    }

    fn waiting(&self, id: MessageId, offer: &Offer, sender: Sender) -> Waiting {
        let (session, user) = match (offer.source, sender) {
            (Source::Session(session), Sender::User(user)) => (Some(session), Some(user)),
            // The profile would come with it.
            (Source::Edge { session, .. }, _) => {
                (session.filter(|session| session.life() == self.life), None)
            }
            _ => (None, None),
        };
        Waiting {
            id,
            kind: offer.kind,
            session,
            profile: user.and_then(|user| self.members.profiles.get(&user)).copied(),
            outcome_sink: self.outcome_sink(offer),
            merge: offer.merge,
            units: offer.units,
            messages: 1,
            carries_others: false,
            counter: offer.counter,
            age: self.age(offer),
            admitted_at: self.clock.saturating_sub(self.age(offer)),
            held: offer.held.clone(),
        }
    }

    /// How old a message is as it comes: by the time of the room, and never younger than new.
    fn age(&self, offer: &Offer) -> Duration {
        let at = offer.hop.and_then(|hop| hop.admitted_at).unwrap_or(self.clock);
        self.clock.saturating_since(at)
    }

    /// A message that its edge let in too long ago for its level is in, and expires.
    fn too_late(
        &mut self,
        (offer, number): (&Offer, MessageId),
        sender: Sender,
        answer: &Answer,
        mut sent: Sent<'_>,
    ) -> Check {
        let (now, reason) = (self.clock, DropReason::Expired);
        let limit = self.bound(offer.level);
        self.dispatch(now, &mut sent, None)?;
        self.no_more(now, sent)?;
        let row = &mut self.books[offer.level];
        *row.dropped.entry(reason).or_default() += 1;
        row.units_dropped = row.units_dropped.wrapping_add(offer.units);
        self.gone.push((offer.payload, offer.held.clone()));
        self.offer_fated(number, offer, Fate::Dropped { reason, limit });
        let outcome = Some(Outcome::Dropped { reason, limit, retry_at: None });
        self.count(offer)?;
        self.pay(now, (offer, number), sender, outcome)?;
        let receipt = Receipt { id: number, outcome, review: None };
        same(Law::Events, "a receipt", Some(receipt), answer.as_ref().ok().copied())?;
        self.check_held()
    }

    /// What the message stands for is counted.
    fn count(&mut self, offer: &Offer) -> Check {
        let Some(counter) = offer.counter else { return Ok(()) };
        // The gate has looked.
        let counted = self.count_units(counter, offer.units).is_ok();
        same(Law::L7Bounded, "a counter that the gate has looked at", true, counted)
    }

    /// The message is let in: it takes from its sender's quota, and its key is used. One that is
    /// merged stands and falls with its carrier; one that is dropped may be said again.
    fn pay(
        &mut self,
        now: Instant,
        (offer, id): (&Offer, MessageId),
        sender: Sender,
        outcome: Option<Outcome>,
    ) -> Check {
        if let (Sender::User(user), Some(quotas)) = (sender, &mut self.quotas[offer.level]) {
            same(
                Law::L5Rate,
                "every window of the sender's quota holds",
                true,
                quotas.pass(now, user),
            )?;
        }
        if !matches!(outcome, Some(Outcome::Dropped { .. })) {
            self.note_content(offer, sender, id);
        }
        match (offer.key, outcome) {
            (None, _) | (_, Some(Outcome::Dropped { .. })) => {}
            (Some(key), Some(Outcome::Merged { carrier })) => {
                self.say((offer.level, sender), key, id);
                self.is_carried(id, carrier);
            }
            (Some(key), _) => self.say((offer.level, sender), key, id),
        }
        Ok(())
    }

    /// A notice goes out at once, by its own rate, before anything that waits (clause A16).
    fn notified(
        &mut self,
        now: Instant,
        (offer, number): (&Offer, MessageId),
        answer: &Answer,
        mut sent: Sent<'_>,
    ) -> Check {
        let nanos = now.as_nanos();
        same(Law::L5Rate, "every window of the notices holds", true, self.notices.pass(nanos))?;
        self.count(offer)?;
        self.pay(now, (offer, number), Sender::Host, None)?;
        let Offer { payload, level, units, .. } = *offer;
        let admitted_at = now.saturating_sub(self.age(offer));
        let expected = AtOnce { payload, level, kind: Kind::Notice, units, admitted_at };
        let (notice, seq) = self.goes_at_once(now, "the notice", expected, &mut sent)?;
        self.listeners.dispatched(&self.rules, notice, offer.size as u64);
        self.dispatch(now, &mut sent, None)?;
        self.no_more(now, sent)?;
        let outcome = Some(Outcome::Dispatched { seq, at: now });
        let receipt = Receipt { id: number, outcome, review: None };
        same(Law::Events, "a receipt", Some(receipt), answer.as_ref().ok().copied())?;
        self.check_held()
    }

    /// What time alone brings about: what is late expires, and reviews time out.
    pub(super) fn fall_due(&mut self, now: Instant, sent: &mut Sent<'_>) -> Check {
        self.tell(now, sent)?;
        self.line.advance(now);
        self.expire(now);
        self.time_out_reviews(now, sent)
    }

    /// `RoomState::handle_timeout` was called, and this went out.
    pub fn timed_out(&mut self, now: Instant, crossed: &[Crossed]) -> Check {
        let now = self.advance(now);
        if self.is_open() {
            let mut sent = crossed.iter();
            self.fall_due(now, &mut sent)?;
            self.dispatch(now, &mut sent, None)?;
            self.no_more(now, sent)?;
        } else {
            same(Law::Events, "what a closed room sends", 0, crossed.len())?;
        }
        if self.next_aging().is_some_and(|due| now >= due) {
            self.listeners.age(&self.rules, now);
        }
        for session in self.listeners.expire(now) {
            self.go(session);
        }
        self.look(now);
        self.note_vacancy();
        self.idle_timeout();
        self.check_held()
    }

    fn refused(
        &mut self,
        offer: &Offer,
        answer: &Answer,
        reason: RefusalReason,
        limit: Option<Limit>,
        retry_at: Option<Instant>,
    ) -> Check {
        let number = MessageId(self.submitted);
        self.offer_fated(number, offer, Fate::Refused { reason, limit });
        let row = &mut self.books[offer.level];
        *row.refused.entry(reason).or_default() += 1;
        row.units_refused = row.units_refused.wrapping_add(offer.units);
        match answer {
            Ok(receipt) => Err(Violation::new(
                Law::L8NothingLost,
                "the message is refused",
                (reason, limit),
                receipt,
            )),
            Err(found) => {
                let is_same = offer.held.iter().any(|watch| found.payload.is(watch));
                same(Law::L8NothingLost, "the refused payload is the very payload", true, is_same)?;
                let found = (found.reason, found.limit, found.retry_at);
                same(Law::L8NothingLost, "a refusal", (reason, limit, retry_at), found)
            }
        }
    }

    /// What waits is still there, and what was dropped is not.
    pub(super) fn check_held(&mut self) -> Check {
        let gone = std::mem::take(&mut self.gone);
        let kept =
            gone.into_iter().find(|(_, held)| held.iter().any(Watch::is_held)).map(|(id, _)| id);
        same(Law::L7Bounded, "a dropped payload that is still held", None, kept)?;
        let reviewed =
            self.reviews.pending.iter().map(|pending| (&pending.entry.id, &pending.waiting));
        match self
            .waiting
            .iter()
            .chain(reviewed)
            .find(|(_, waiting)| !waiting.held.iter().all(Watch::is_held))
        {
            Some((id, _)) => Err(Violation::new(
                Law::L8NothingLost,
                "a waiting payload",
                format_args!("{id} waits"),
                "it is gone",
            )),
            None => Ok(()),
        }
    }

    /// What waits is dropped as the room closes, in the order in which it would have gone; what is
    /// under review first.
    pub(super) fn drop_all(&mut self) {
        self.drop_reviews();
        let mut last = None;
        while let Some(level) = self.line.highest() {
            let Some(&id) = self.line.may_go(level).first() else { break };
            // Random turns are not for us to guess: within a level their outcomes may come in any
            // order.
            if self.rules.queue.discipline != roomcast_core::config::QueueDiscipline::Random
                || last != Some(level)
            {
                self.inbox.decide();
            }
            last = Some(level);
            if let Some(entry) = self.line.go(id) {
                self.drop_entry(&entry, DropReason::RoomClosed, None);
            }
        }
    }
}
