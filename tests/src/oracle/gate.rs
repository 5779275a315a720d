//! Who may speak, and what: the checks before a message is let in, in their documented order.

use super::Oracle;
use super::messages::{Offer, counter_error};
use roomcast_core::dedup::SaidKey;
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{DedupKey, Limit, OutcomeSink, Sender};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Kind, Priority, Source};
use std::collections::BTreeSet;

/// Why a message is not let in, the limit that decided, and when to try again.
pub(super) type Denied = (RefusalReason, Option<Limit>, Option<Instant>);

/// A message that was let in under a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    sender: Sender,
    key: DedupKey,
    id: MessageId,
    at: Instant,
    level: Priority,
    /// The message that it was merged into: with that one it is dropped.
    carrier: Option<MessageId>,
}

impl Oracle {
    /// Whether a message is let in. A refusal by a limit that time ends says when: the first
    /// instant at which no such limit refuses it, if nothing else happens until then.
    pub(super) fn gate(&self, offer: &Offer) -> Result<Sender, Denied> {
        self.looked_at(offer).map_err(|(reason, limit, retry_at)| {
            (reason, limit, retry_at.and_then(|_| self.lets_in_at(offer)))
        })
    }

    /// Each limit that time ends says when it does; at the first of these instants at which all of
    /// them have ended, the message is let in as far as time decides.
    fn lets_in_at(&self, offer: &Offer) -> Option<Instant> {
        let mut later = self.clone();
        loop {
            match later.looked_at(offer) {
                Err((
                    RefusalReason::Counter
                    | RefusalReason::OutcomesFull
                    | RefusalReason::AuditFull
                    | RefusalReason::MemoryFull,
                    ..,
                ))
                | Ok(_) => return Some(later.clock),
                Err((_, _, retry_at)) => later.clock = retry_at?,
            }
        }
    }

    /// When a sender may say something at a level again, as far as mutes, the mode and a quota of
    /// its own decide.
    pub(super) fn may_speak_at(&self, level: Priority, sender: Sender) -> Option<Instant> {
        let Sender::User(user) = sender else { return Some(self.clock) };
        let mut later = self.clone();
        loop {
            if let Some((_, _, until)) = later.silence(sender).or_else(|| later.unheard(sender)) {
                later.clock = until?;
            } else if let Some(quotas) = &later.quotas[level]
                && let Err(retry_at) = quotas.check(later.clock, user)
            {
                later.clock = retry_at?;
            } else {
                return Some(later.clock);
            }
        }
    }

    /// Room open, member, muted, room muted, the mode, size, said already, by anybody, the sender's
    /// quota or the notices', the counter, a slot for the outcome, a place in the audit, memory.
    fn looked_at(&self, offer: &Offer) -> Result<Sender, Denied> {
        if !self.is_open() {
            return Err((RefusalReason::RoomClosed, None, None));
        }
        let sender = match offer.source {
            Source::Host => Sender::Host,
            Source::Edge { user, .. } => match self.banned(user) {
                Some(until) => return Err((RefusalReason::Banned, None, until.instant())),
                None => Sender::User(user),
            },
            Source::Session(session) => match self.members.user_of(session) {
                Some(user) => Sender::User(user),
                // Nothing is known of another life's, not even that it is a guest's.
                None if session.is_guest() && session.life() == self.life => {
                    return Err((RefusalReason::Guest, None, None));
                }
                None => return Err((RefusalReason::NotMember, None, None)),
            },
        };
        if let Some(silence) = self.silence(sender) {
            return Err(silence);
        }
        if let Some(unheard) = self.unheard(sender) {
            return Err(unheard);
        }
        let (size, max) = (offer.size, self.rules.payload_bytes as usize);
        if size > max {
            return Err((RefusalReason::TooLarge, Some(Limit::PayloadBytes { size, max }), None));
        }
        if let Some(until) = offer.key.and_then(|key| self.said_until(sender, key)) {
            let limit = Limit::Duplicates { window: self.rules.duplicates.window };
            return Err((RefusalReason::Duplicate, Some(limit), Some(until)));
        }
        if let Some(repeated) = self.is_repeated(offer, sender) {
            return Err(repeated);
        }
        if let (Sender::User(user), Some(quotas)) = (sender, &self.quotas[offer.level])
            && let Err(retry_at) = quotas.check(self.clock, user)
        {
            let quota = quotas.quota();
            let (reason, limit) = if quotas.is_apart(self.clock, user) {
                (RefusalReason::SenderQuota, Limit::SenderQuota { quota })
            } else {
                (RefusalReason::SendersFull, Limit::Senders { max: self.rules.senders, quota })
            };
            return Err((reason, Some(limit), retry_at));
        }
        let is_notice = sender == Sender::Host && offer.kind == Kind::Notice;
        let now = self.clock.as_nanos();
        if is_notice && !self.notices.may_pass(now, 0) {
            let limit = Limit::Notices { max: self.rules.notices };
            return Err((
                RefusalReason::NoticeQuota,
                Some(limit),
                self.notices.next(now, 0).map(Instant::from_nanos),
            ));
        }
        if let Some(error) =
            offer.counter.and_then(|counter| counter_error(self, counter, offer.units))
        {
            return Err((RefusalReason::Counter, Some(Limit::Counter { error }), None));
        }
        let max = self.rules.outcomes[offer.level];
        if self.outcome_sink(offer) != OutcomeSink::CountedOnly
            && !is_notice
            && self.inbox.held[offer.level] >= max
        {
            return Err((RefusalReason::OutcomesFull, Some(Limit::Outcomes { max }), None));
        }
        if let Some(limit) = self.audit_keeps_out() {
            return Err((RefusalReason::AuditFull, Some(limit), None));
        }
        if let Some(max) = self.lacks_memory(offer) {
            return Err((RefusalReason::MemoryFull, Some(Limit::Memory { max }), None));
        }
        Ok(sender)
    }

    /// Why somebody may not speak now.
    pub(super) fn silence(&self, sender: Sender) -> Option<Denied> {
        let Sender::User(user) = sender else { return None };
        if let Some(until) = self.muted(user) {
            return Some((RefusalReason::Muted, None, until.instant()));
        }
        self.is_silenced_with_the_room(user).then_some((RefusalReason::RoomMuted, None, None))
    }

    pub(super) fn outcome_sink(&self, offer: &Offer) -> OutcomeSink {
        offer.outcome_sink.unwrap_or_else(|| self.rules.outcome_sink[offer.level].into())
    }

    fn said_until(&self, sender: Sender, key: DedupKey) -> Option<Instant> {
        let said = self.said.iter().find(|said| said.sender == sender && said.key == key)?;
        let until = said.at + self.rules.duplicates.window;
        (self.clock < until).then_some(until)
    }

    /// A message under a key was let in. What has lapsed is forgotten; when there are too many, the
    /// oldest of the lowest level is, but none for a message of a lower level.
    pub(super) fn say(
        &mut self,
        (level, sender): (Priority, Sender),
        key: DedupKey,
        id: MessageId,
    ) {
        let (now, window) = (self.clock, self.rules.duplicates.window);
        self.said
            .retain(|said| now < said.at + window && !(said.sender == sender && said.key == key));
        let max = self.rules.duplicates.keys as usize;
        while max > 0 && self.said.len() >= max {
            self.forgotten += 1;
            if !self.forget_lowest(level) {
                return;
            }
        }
        if max > 0 {
            self.said.push(Said { sender, key, id, at: now, level, carrier: None });
        }
    }

    /// Forgets the oldest of the lowest level, if that is not above this one.
    fn forget_lowest(&mut self, level: Priority) -> bool {
        let lowest = self.said.iter().map(|said| said.level).min();
        let place = self.said.iter().position(|said| Some(said.level) == lowest);
        let place = place.filter(|_| lowest.is_some_and(|lowest| lowest <= level));
        place.map(|place| self.said.remove(place)).is_some()
    }

    /// There is another window and another number of messages to remember: what has lapsed in
    /// either goes, then the oldest of the lowest level.
    pub(super) fn forget_said(&mut self, old: Duration) {
        let now = self.clock;
        for window in [old, self.rules.duplicates.window] {
            self.said.retain(|said| now < said.at + window);
        }
        while self.said.len() > self.rules.duplicates.keys as usize {
            self.forgotten += 1;
            self.forget_lowest(Priority::MAX);
        }
    }

    /// The keys that a restart carries over: of all that was let in, is still refused, and has gone
    /// out, itself or as part of another message. Of each level the oldest first.
    pub(super) fn said_out(&self) -> Vec<(Sender, SaidKey)> {
        let under_review = self.reviews.pending.iter().map(|pending| &pending.waiting);
        let waiting: BTreeSet<MessageId> =
            self.waiting.values().chain(under_review).map(|waiting| waiting.id).collect();
        let is_out = |said: &&Said| {
            self.clock < said.at + self.rules.duplicates.window
                && !waiting.contains(&said.carrier.unwrap_or(said.id))
        };
        let of = |level| {
            let said = self.said.iter().filter(move |said| said.level == level);
            said.filter(is_out).map(move |said| {
                let Said { key, at, .. } = *said;
                (said.sender, SaidKey { key, priority: level, said_at: at })
            })
        };
        Priority::ALL.into_iter().flat_map(of).collect()
    }

    /// A message was merged: its key is free when its carrier is dropped.
    pub(super) fn is_carried(&mut self, id: MessageId, carrier: MessageId) {
        for said in self.said.iter_mut().filter(|said| said.id == id) {
            said.carrier = Some(carrier);
        }
    }

    /// A message was dropped: its key is free, and so are those of all that it carried.
    pub(super) fn unsay(&mut self, id: MessageId) {
        self.said.retain(|said| said.id != id && said.carrier != Some(id));
        self.speaking.unsay(id);
    }
}
