//! Messages on their way: the gate, the line, the tokens, the fates.

use super::line::Entry;
use super::victims::Squeeze;
use super::{Oracle, Waiting};
use crate::parts::Crossed;
use crate::payload::{Probe, Watch};
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::{
    DropReason, Event, Instant, Kind, Limit, MessageId, Outcome, Priority, Receipt, RefusalReason, Refused, Report, Sender, Seq,
    Source,
};
use std::collections::BTreeSet;

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
    pub report: Option<Report>,
    /// The number of its payload.
    pub payload: u64,
    /// The size of its payload.
    pub size: usize,
    /// Its payload in the room and in the halves.
    pub held: [Watch; 2],
}

type Answer = Result<Receipt, Refused<Probe>>;
type Sent<'a> = &'a [Crossed];

impl Oracle {
    /// `Room::publish` answered this, and this went out.
    pub fn published(&mut self, now: Instant, offer: &Offer, answer: &Answer, sent: Sent<'_>) -> Check {
        let now = self.advance(now);
        self.submitted += 1;
        self.books[offer.level].submitted += 1;
        if let Source::Session(session) = offer.source {
            self.shows_life(session);
        }
        let sender = match self.gate(offer) {
            Ok(sender) => sender,
            Err((reason, limit, retry_at)) => {
                same(Law::L5Rate, "what goes out on a refusal at the gate", 0, sent.len())?;
                return self.refused(offer, answer, reason, limit, retry_at);
            }
        };
        self.expire(now);
        if sender == Sender::Host && offer.kind == Kind::Notice {
            return self.notified(now, offer, answer, sent);
        }
        let waiting = self.enter(now, offer, sender);
        let outcome = self.dispatch(now, sent, Some(offer.payload))?;
        if outcome.is_some() {
            self.inbox.release(offer.level, waiting.report);
        }
        let receipt = Receipt { id: waiting.id, outcome };
        if let (Ok(_), Sender::User(user), Some(quotas)) = (answer, sender, &mut self.quotas[offer.level]) {
            same(Law::L5Rate, "every window of the sender's quota holds", true, quotas.pass(now, user))?;
        }
        match (self.line.exceeded(), answer) {
            (Some(limit), Err(_)) => {
                let refusal = Squeeze::new(&self.line, offer.payload).may_refuse();
                same(Law::L7Bounded, "whether a full queue may refuse", true, refusal)?;
                self.line.remove(offer.payload);
                self.waiting.remove(&offer.payload);
                self.inbox.release(offer.level, waiting.report);
                let retry_at = self.next_token(now, offer.level);
                self.refused(offer, answer, RefusalReason::QueueFull, Some(limit), retry_at)?;
            }
            (Some(_), Ok(found)) => {
                same(Law::Events, "a receipt", receipt, *found)?;
                self.evicted(now, offer.payload)?;
            }
            (None, Ok(found)) => same(Law::Events, "a receipt", receipt, *found)?,
            (None, Err(refused)) => return Err(Violation::new(Law::L8NothingLost, "the message is let in", receipt, refused)),
        }
        self.check_held()
    }

    /// A notice goes out at once, by its own rate, before anything that waits (clause A16).
    fn notified(&mut self, now: Instant, offer: &Offer, answer: &Answer, sent: Sent<'_>) -> Check {
        let nanos = now.as_nanos();
        if !self.notices.may_pass(nanos, 0) {
            same(Law::L5Rate, "what goes out with a notice that is refused", 0, sent.len())?;
            let limit = Limit::Notices { max: self.rules.notices };
            let retry_at = self.notices.next(nanos, 0).map(Instant::from_nanos);
            return self.refused(offer, answer, RefusalReason::NoticeQuota, Some(limit), retry_at);
        }
        same(Law::L5Rate, "every window of the notices holds", true, self.notices.pass(nanos))?;
        let Some((notice, others)) = sent.split_first() else {
            return Err(Violation::new(Law::L5Rate, "a notice goes out", offer.payload, "nothing sent"));
        };
        let (seq, position) = (Seq(self.heads.values().sum::<u64>() + 1), self.heads[offer.level]);
        self.heads[offer.level] += 1;
        self.books[offer.level].dispatched += 1;
        let expected = (offer.payload, seq, position, offer.level, Kind::Notice, Sender::Host, None, now, now);
        let m = notice;
        let found = (m.payload.id(), m.seq, m.position, m.priority, m.kind, m.sender, m.session, m.admitted_at, m.dispatched_at);
        same(Law::L4Order, "the notice", expected, found)?;
        self.listeners.dispatched(&self.rules, notice, offer.size as u64);
        self.dispatch(now, others, None)?;
        let receipt = Receipt { id: MessageId(self.submitted), outcome: Some(Outcome::Dispatched { seq, at: now }) };
        same(Law::Events, "a receipt", Some(receipt), answer.as_ref().ok().copied())?;
        self.check_held()
    }

    /// Which level is served next, and what its message must leave behind: the highest that waits; but once so many have passed a lower
    /// one over, the lowest, whatever the reserves (clause B5).
    pub(super) fn turn(&self) -> Option<(Priority, u32)> {
        let (highest, lowest) = (self.line.highest()?, self.line.lowest()?);
        let is_floors = self.rules.floor.is_some_and(|floor| highest != lowest && self.passed_over + 1 >= floor);
        Some(if is_floors { (lowest, 0) } else { (highest, self.rules.kept(highest)) })
    }

    /// `Room::handle_timeout` was called, and this went out.
    pub fn timed_out(&mut self, now: Instant, sent: Sent<'_>) -> Check {
        let now = self.advance(now);
        if self.is_open() {
            self.expire(now);
            self.dispatch(now, sent, None)?;
        } else {
            same(Law::Events, "what a closed room sends", 0, sent.len())?;
        }
        self.listeners.expire(now);
        self.look(now);
        self.note_vacancy();
        self.expire_empty();
        self.check_held()
    }

    /// The checks in their documented order: room open, member, muted, room muted, size, a slot for the outcome.
    fn gate(&self, offer: &Offer) -> Result<Sender, (RefusalReason, Option<Limit>, Option<Instant>)> {
        if !self.is_open() {
            return Err((RefusalReason::RoomClosed, None, None));
        }
        let sender = match offer.source {
            Source::Host => Sender::Host,
            Source::Session(session) => match self.members.user_of(session) {
                Some(user) => Sender::User(user),
                None if session.is_guest() => return Err((RefusalReason::Guest, None, None)),
                None => return Err((RefusalReason::NotMember, None, None)),
            },
        };
        if let Sender::User(user) = sender {
            if let Some(until) = self.muted(user) {
                return Err((RefusalReason::Muted, None, until.instant()));
            }
            if self.is_silenced_with_the_room(user) {
                return Err((RefusalReason::RoomMuted, None, None));
            }
        }
        let (size, max) = (offer.size, self.rules.payload_bytes as usize);
        if size > max {
            return Err((RefusalReason::TooLarge, Some(Limit::PayloadBytes { size, max }), None));
        }
        if let (Sender::User(user), Some(quotas)) = (sender, &self.quotas[offer.level])
            && let Err(retry_at) = quotas.check(self.clock, user)
        {
            let limit = Limit::SenderQuota { quota: quotas.quota() };
            return Err((RefusalReason::SenderQuota, Some(limit), retry_at));
        }
        let max = self.rules.outcomes[offer.level];
        let is_notice = sender == Sender::Host && offer.kind == Kind::Notice;
        if self.report(offer) != Report::CountedOnly && !is_notice && self.inbox.held[offer.level] >= max {
            return Err((RefusalReason::OutcomesFull, Some(Limit::Outcomes { max }), None));
        }
        Ok(sender)
    }

    fn report(&self, offer: &Offer) -> Report {
        offer.report.unwrap_or_else(|| self.rules.report[offer.level].into())
    }

    fn refused(
        &mut self,
        offer: &Offer,
        answer: &Answer,
        reason: RefusalReason,
        limit: Option<Limit>,
        retry_at: Option<Instant>,
    ) -> Check {
        *self.books[offer.level].refused.entry(reason).or_default() += 1;
        match answer {
            Ok(receipt) => Err(Violation::new(Law::L8NothingLost, "the message is refused", (reason, limit), receipt)),
            Err(found) => {
                let is_same = offer.held.iter().any(|watch| found.payload.is(watch));
                same(Law::L8NothingLost, "the refused payload is the very payload", true, is_same)?;
                let found = (found.reason, found.limit, found.retry_at);
                same(Law::L8NothingLost, "a refusal", (reason, limit, retry_at), found)
            }
        }
    }

    fn enter(&mut self, now: Instant, offer: &Offer, sender: Sender) -> Waiting {
        let (session, user) = match (offer.source, sender) {
            (Source::Session(session), Sender::User(user)) => (Some(session), Some(user)),
            _ => (None, None),
        };
        let waiting = Waiting {
            id: MessageId(self.submitted),
            kind: offer.kind,
            session,
            profile: user.and_then(|user| self.members.profiles.get(&user)).copied(),
            report: self.report(offer),
            held: offer.held.clone(),
        };
        self.inbox.reserve(offer.level, waiting.report);
        let (id, size) = (offer.payload, offer.size as u64);
        self.line.enter(Entry { id, level: offer.level, sender, size, entered: now });
        self.waiting.insert(offer.payload, waiting.clone());
        waiting
    }

    /// Tokens go to the highest level that waits while there are any; what went out must be exactly that. Answers the outcome of `own`.
    fn dispatch(&mut self, now: Instant, sent: Sent<'_>, own: Option<u64>) -> Result<Option<Outcome>, Violation> {
        let mut sent = sent.iter();
        let mut answer = None;
        while let Some((level, kept)) = self.turn() {
            if !self.tokens.may_pass(now.as_nanos(), kept) {
                break;
            }
            let (highest, lowest) = (self.line.highest(), self.line.lowest());
            let Some(message) = sent.next() else {
                return Err(Violation::new(Law::L5Rate, "a token that is there is granted", level, "nothing sent"));
            };
            let id = message.payload.id();
            same(Law::L3Priority, "the level that is served", level, message.priority)?;
            let may_go = self.line.may_go(level);
            if !may_go.contains(&id) {
                return Err(Violation::new(Law::L4Order, "whose turn it is", may_go, id));
            }
            same(Law::L5Rate, "every window holds", true, self.tokens.pass(now.as_nanos()))?;
            if self.rules.floor.is_some() && highest != lowest {
                self.passed_over = if Some(level) == highest { self.passed_over + 1 } else { 0 };
            }
            let (outcome, waiting) = self.sent(now, message)?;
            if own == Some(id) {
                answer = Some(outcome);
            } else {
                self.inbox.decide();
                self.conclude(waiting.id, level, waiting.report, outcome);
            }
        }
        match sent.next() {
            None => Ok(answer),
            Some(message) => {
                let tokens = self.tokens.whole(now.as_nanos());
                Err(Violation::new(Law::L5Rate, format!("no more goes out with {tokens} tokens"), "nothing sent", message))
            }
        }
    }

    fn sent(&mut self, now: Instant, message: &Crossed) -> Result<(Outcome, Waiting), Violation> {
        let (Some(entry), Some(waiting)) = (self.line.go(message.payload.id()), self.waiting.remove(&message.payload.id())) else {
            return Err(Violation::new(Law::L4Order, "what goes out has waited", "a waiting message", message));
        };
        let level = entry.level;
        let (seq, position) = (Seq(self.heads.values().sum::<u64>() + 1), self.heads[level]);
        self.heads[level] += 1;
        self.books[level].dispatched += 1;
        let expected = (seq, position, waiting.kind, entry.sender, waiting.session, entry.entered, now);
        let m = message;
        let found = (m.seq, m.position, m.kind, m.sender, m.session, m.admitted_at, m.dispatched_at);
        same(Law::L4Order, "the dispatched message", expected, found)?;
        let profile = message.profile.as_ref().map(|profile| profile.id());
        same(Law::Members, "the profile at admission", waiting.profile.map(|(id, _)| id), profile)?;
        let bytes = entry.size + waiting.profile.map_or(0, |(_, size)| size as u64);
        self.listeners.dispatched(&self.rules, message, bytes);
        Ok((Outcome::Dispatched { seq, at: now }, waiting))
    }

    fn conclude(&mut self, id: MessageId, priority: Priority, report: Report, outcome: Outcome) {
        if report != Report::CountedOnly {
            self.inbox.outcome(Event::Outcome { id, priority, report, outcome });
        }
    }

    fn expire(&mut self, now: Instant) {
        for entry in self.line.expire(now) {
            let limit = self.rules.queue.max_wait[entry.level].map(|max| Limit::MaxWait { max });
            let retry_at = self.next_token(now, entry.level);
            self.inbox.decide();
            self.drop_entry(&entry, DropReason::Expired, limit, retry_at);
        }
    }

    pub(super) fn drop_entry(&mut self, entry: &Entry, reason: DropReason, limit: Option<Limit>, retry_at: Option<Instant>) {
        *self.books[entry.level].dropped.entry(reason).or_default() += 1;
        if let Some(waiting) = self.waiting.remove(&entry.id) {
            if waiting.held.iter().any(Watch::is_held) {
                self.kept_too_long = Some(entry.id);
            }
            self.conclude(waiting.id, entry.level, waiting.report, Outcome::Dropped { reason, limit, retry_at });
        }
    }

    /// Who gave way is seen by whose payload is gone.
    fn evicted(&mut self, now: Instant, newcomer: u64) -> Check {
        let gone = |side: usize| -> BTreeSet<u64> {
            self.waiting.iter().filter(|(_, waiting)| !waiting.held[side].is_held()).map(|(&id, _)| id).collect()
        };
        let victims = gone(0);
        same(Law::L9Deterministic, "who gave way", &victims, &gone(1))?;
        let allowed = Squeeze::new(&self.line, newcomer).may_evict(&victims);
        same(Law::L7Bounded, format!("whether {victims:?} may give way to {newcomer}"), true, allowed)?;
        let entries: Vec<Entry> = victims.into_iter().filter_map(|id| self.line.remove(id)).collect();
        let limit = Some(self.line.limit_of_eviction());
        self.inbox.decide();
        for entry in entries {
            let retry_at = self.next_token(now, entry.level);
            self.drop_entry(&entry, DropReason::Evicted, limit, retry_at);
        }
        Ok(())
    }

    /// What waits is still there, and what was dropped is not.
    pub(super) fn check_held(&self) -> Check {
        same(Law::L7Bounded, "a dropped payload that is still held", None, self.kept_too_long)?;
        match self.waiting.iter().find(|(_, waiting)| !waiting.held.iter().all(Watch::is_held)) {
            Some((id, _)) => Err(Violation::new(Law::L8NothingLost, "a waiting payload", format!("{id} waits"), "it is gone")),
            None => Ok(()),
        }
    }
}
