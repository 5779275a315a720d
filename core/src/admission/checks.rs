//! Who may speak, and what: the checks before the queue, in their order.
//!
//! A check looks and changes nothing; the first that fails decides. The order is that of DESIGN:
//! room open → sender is a member (who is banned is none) → muted, room muted → payload and profile
//! size → said already → the sender's own quota, or the notices' → the counter → a slot for the
//! outcome; then review and queue. What is taken from a quota, and a key, is taken when the message
//! has been let in.

use super::moderation::{Moderation, MuteReason};
use super::people::People;
use super::room_data::RoomData;
use crate::config::Settings;
use crate::dedup::Dedup;
use crate::event::EventQueue;
use crate::ids::UserId;
use crate::keyed::KeyedLimit;
use crate::ledger::RefusalReason;
use crate::message::{Kind, Limit, OutcomeSink, Payload, Publish, Sender, Source};
use crate::priority::PerLevel;
use crate::quota::TokenBucket;
use crate::time::Instant;
use alloc::boxed::Box;

/// A refusal that has not got its payload back yet: why, the limit that decided, and when to try
/// again.
pub(super) type Denied = (RefusalReason, Option<Limit>, Option<Instant>);

/// What the checks look at.
pub(super) struct Checks<'a, M> {
    pub(super) open: bool,
    pub(super) settings: &'a Settings,
    pub(super) people: &'a People<M>,
    pub(super) moderation: &'a Moderation,
    pub(super) duplicates: &'a Dedup,
    pub(super) quotas: &'a PerLevel<Option<Box<KeyedLimit>>>,
    pub(super) notices: &'a TokenBucket,
    pub(super) data: &'a RoomData<M>,
    pub(super) events: &'a EventQueue,
}

impl<M: Payload> Checks<'_, M> {
    /// Returns who speaks.
    #[inline]
    pub(super) fn check(&self, now: Instant, publish: &Publish<M>) -> Result<Sender, Denied> {
        if !self.open {
            return Err((RefusalReason::RoomClosed, None, None));
        }
        let sender = sender(self.people, publish.source)?;
        if let Source::Edge { user, .. } = publish.source
            && let Some(until) = self.moderation.banned(now, user)
        {
            // Elsewhere, who is banned is no member.
            return Err((RefusalReason::Banned, None, until.instant()));
        }
        if let Sender::User(user) = sender {
            match self.moderation.mute_reason(self.settings, now, user) {
                Some(MuteReason::Muted(until)) => {
                    return Err((RefusalReason::Muted, None, until.instant()));
                }
                Some(MuteReason::RoomMuted) => return Err((RefusalReason::RoomMuted, None, None)),
                None => {}
            }
        }
        payload_size(self.settings, &publish.payload)?;
        if let (Source::Edge { .. }, Some(profile)) = (publish.source, &publish.profile) {
            profile_size(self.settings, &**profile)?;
        }
        if let Some(until) =
            publish.dedup_key.and_then(|key| self.duplicates.refused_until(now, sender, key))
        {
            let limit = Limit::Duplicates { window: self.settings.dedup_window.window };
            return Err((RefusalReason::Duplicate, Some(limit), Some(until)));
        }
        if let (Sender::User(user), Some(quota)) = (sender, &self.quotas[publish.priority])
            && let Err(not_yet) = quota.check(now, user.0)
        {
            let limit = Limit::SenderQuota { quota: quota.quota() };
            return Err((RefusalReason::SenderQuota, Some(limit), not_yet.retry_at));
        }
        if is_notice(sender, publish) && self.notices.available(now) == 0 {
            let limit = Limit::Notices { max: self.settings.notices.get() };
            return Err((RefusalReason::NoticeQuota, Some(limit), self.notices.next_at(now, 0)));
        }
        if let Some(counter) = publish.counter
            && let Err(error) = self.data.counters().check_add(counter, as_delta(publish.units))
        {
            return Err((RefusalReason::Counter, Some(Limit::Counter { error }), None));
        }
        // The call itself tells the fate of a notice.
        let is_told = outcome_sink(self.settings, publish) != OutcomeSink::CountedOnly
            && !is_notice(sender, publish);
        if is_told && !self.events.has_room(publish.priority) {
            let max = self.settings.outcomes[publish.priority];
            return Err((RefusalReason::OutcomesFull, Some(Limit::Outcomes { max }), None));
        }
        Ok(sender)
    }
}

/// Whether the host speaks to the room.
pub(super) fn is_notice<M>(sender: Sender, publish: &Publish<M>) -> bool {
    sender == Sender::Host && publish.kind == Kind::Notice
}

/// What a counter adds for so many units; nobody has seen more than it can add.
pub(super) fn as_delta(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// How the publisher wants to hear of the outcome, or what the room does where nothing is said.
pub(super) fn outcome_sink<M>(settings: &Settings, publish: &Publish<M>) -> OutcomeSink {
    publish.outcome_sink.unwrap_or_else(|| settings.outcome_sink[publish.priority].into())
}

fn sender<M>(people: &People<M>, source: Source) -> Result<Sender, Denied> {
    match source {
        Source::Host => Ok(Sender::Host),
        Source::Edge { user, .. } => Ok(Sender::User(user)),
        Source::Session(session) => match people.user_of(session) {
            Some(user) => Ok(Sender::User(user)),
            None if session.is_guest() => Err((RefusalReason::Guest, None, None)),
            None => Err((RefusalReason::NotMember, None, None)),
        },
    }
}

fn payload_size<M: Payload>(settings: &Settings, payload: &M) -> Result<(), Denied> {
    let (size, max) = (payload.size(), settings.payload_bytes as usize);
    if size > max {
        Err((RefusalReason::TooLarge, Some(Limit::PayloadBytes { size, max }), None))
    } else {
        Ok(())
    }
}

fn profile_size<M: Payload>(settings: &Settings, profile: &M) -> Result<(), Denied> {
    let (size, max) = (profile.size(), settings.profile_bytes as usize);
    if size > max {
        Err((RefusalReason::TooLarge, Some(Limit::ProfileBytes { size, max }), None))
    } else {
        Ok(())
    }
}

/// Whether `user` owns the room.
pub(super) fn is_owner(settings: &Settings, user: UserId) -> bool {
    settings.owner == Some(user)
}
