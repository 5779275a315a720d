//! Who may speak, and what: the checks before a message is let in, in their documented order.

use super::Oracle;
use super::messages::{Offer, counter_error};
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{DedupKey, Limit, OutcomeSink, Sender};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, Kind, Source};

/// Why a message is not let in, the limit that decided, and when to try again.
pub(super) type Denied = (RefusalReason, Option<Limit>, Option<Instant>);

/// A message that was let in under a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    sender: Sender,
    key: DedupKey,
    id: MessageId,
    at: Instant,
    /// It was dropped, or another one stands for it.
    freed: bool,
}

impl Oracle {
    /// Room open, member, muted, room muted, size, said already, the sender's quota or the notices', the counter, a slot for the outcome.
    pub(super) fn gate(&self, offer: &Offer) -> Result<Sender, Denied> {
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
        let (size, max) = (offer.size, self.rules.payload_bytes as usize);
        if size > max {
            return Err((RefusalReason::TooLarge, Some(Limit::PayloadBytes { size, max }), None));
        }
        if let Some(until) = offer.key.and_then(|key| self.said_until(sender, key)) {
            let limit = Limit::Duplicates { window: self.rules.duplicates.window };
            return Err((RefusalReason::Duplicate, Some(limit), Some(until)));
        }
        if let (Sender::User(user), Some(quotas)) = (sender, &self.quotas[offer.level])
            && let Err(retry_at) = quotas.check(self.clock, user)
        {
            let limit = Limit::SenderQuota { quota: quotas.quota() };
            return Err((RefusalReason::SenderQuota, Some(limit), retry_at));
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
        let said = self
            .said
            .iter()
            .find(|said| said.sender == sender && said.key == key && !said.freed)?;
        let until = said.at + self.rules.duplicates.window;
        (self.clock < until).then_some(until)
    }

    /// A message under a key was let in. Of those that are remembered the oldest goes when there are too many; what has lapsed goes anyway.
    pub(super) fn say(&mut self, sender: Sender, key: DedupKey, id: MessageId) {
        for said in self.said.iter_mut().filter(|said| said.sender == sender && said.key == key) {
            said.freed = true;
        }
        let (now, window) = (self.clock, self.rules.duplicates.window);
        while self.said.first().is_some_and(|said| said.freed || now >= said.at + window) {
            self.said.remove(0);
        }
        let max = self.rules.duplicates.keys as usize;
        if self.said.len() >= max && !self.said.is_empty() {
            self.forgotten += u64::from(!self.said.remove(0).freed);
        }
        if max > 0 {
            self.said.push(Said { sender, key, id, at: now, freed: false });
        }
    }

    /// There is another window and another number of messages to remember: what has lapsed in either goes, then the oldest.
    pub(super) fn forget_said(&mut self, old: Duration) {
        let now = self.clock;
        for window in [old, self.rules.duplicates.window] {
            while self.said.first().is_some_and(|said| said.freed || now >= said.at + window) {
                self.said.remove(0);
            }
        }
        while self.said.len() > self.rules.duplicates.keys as usize {
            self.forgotten += u64::from(!self.said.remove(0).freed);
        }
    }

    /// A message was dropped: its key is free.
    pub(super) fn unsay(&mut self, id: MessageId) {
        for said in self.said.iter_mut().filter(|said| said.id == id) {
            said.freed = true;
        }
    }
}
