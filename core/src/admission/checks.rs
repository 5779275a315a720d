//! The checks before the queue: who may speak, and what.
//! [Clause B11](crate::rulebook#b11-the-order-of-the-checks) has their order.
//!
//! A check looks and changes nothing, and the first that fails decides. What is taken from a quota,
//! and a key, is taken once the message has been let in.

use super::accounts::{self, Accounts, Denied};
use super::intake::{Intake, OverQuota};
use super::moderation::{Moderation, MuteReason};
use super::people::People;
use super::queued::Lane;
use super::room_data::RoomData;
use super::speech::Unheard;
use super::status::RoomStatus;
use crate::config::Settings;
use crate::ids::UserId;
use crate::ledger::RefusalReason;
use crate::memory::Memory;
use crate::message::{Kind, Limit, OutcomeSink, Payload, Publish, Sender, Source};
use crate::quota::NotYet;
use crate::time::{Duration, Instant};

/// Who offers a message, as far as the room knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// The host.
    Host,
    /// A user who has a session here.
    Member(UserId),
    /// A user whom an edge vouches for.
    AtEdge(UserId),
    /// A session that is no user's: it is a guest's, has gone, or has never been.
    Stranger,
}

/// What the checks look at.
pub(super) struct Checks<'a, M> {
    pub(super) status: RoomStatus,
    pub(super) settings: &'a Settings,
    pub(super) people: &'a People<M>,
    pub(super) moderation: &'a Moderation,
    pub(super) intake: &'a Intake,
    pub(super) data: &'a RoomData<M>,
    pub(super) accounts: &'a Accounts<M>,
    pub(super) memory: Memory,
}

impl<M: Payload> Checks<'_, M> {
    /// Returns who speaks. A refusal that time alone can end names the first instant at which every
    /// limit agrees, not only the one that decided.
    #[inline]
    pub(super) fn check(
        &self,
        now: Instant,
        speaker: Speaker,
        publish: &Publish<M>,
        size: usize,
        profile: Option<usize>,
    ) -> Result<Sender, Denied> {
        self.decide(now, speaker, publish, size, profile).map_err(|denied| match denied.retry_at {
            Some(_) => denied.until(self.agree_at(now, speaker, publish, size, profile)),
            None => denied,
        })
    }

    /// Why a session may not speak that is no user's.
    #[cold]
    pub(super) fn stranger(&self, source: &Source) -> Denied {
        if self.status != RoomStatus::Open {
            return Denied::because(RefusalReason::RoomClosed);
        }
        // Of one of another life nothing is known, not even that it is a guest's.
        let is_guest = matches!(*source, Source::Session(session)
            if session.life() == self.people.life() && session.is_guest());
        Denied::because(if is_guest { RefusalReason::Guest } else { RefusalReason::NotMember })
    }

    #[inline]
    fn decide(
        &self,
        now: Instant,
        speaker: Speaker,
        publish: &Publish<M>,
        size: usize,
        profile: Option<usize>,
    ) -> Result<Sender, Denied> {
        if self.status != RoomStatus::Open {
            return Err(Denied::because(RefusalReason::RoomClosed));
        }
        let sender = self.sender(now, speaker, &publish.source)?;
        self.may_speak(now, sender)?;
        self.fits(&publish.source, size, profile)?;
        if let Some(until) =
            publish.dedup_key.and_then(|key| self.intake.said_until(now, sender, key))
        {
            let limit = Limit::Duplicates { window: self.settings.dedup_window.window };
            return Err(Denied::by(RefusalReason::Duplicate, limit).until(Some(until)));
        }
        if self.moderation.asks_of_speech()
            && let Some((window, until)) = self.content_said_until(now, sender)
        {
            let limit = Limit::Unique { window };
            return Err(Denied::by(RefusalReason::NotUnique, limit).until(Some(until)));
        }
        let lane = Lane { level: publish.priority, sender };
        if let Err(over) = self.intake.check_sender(now, lane) {
            return Err(over_quota(over));
        }
        if is_notice(sender, publish)
            && let Err(NotYet { retry_at }) = self.intake.check_notice(now)
        {
            let limit = Limit::Notices { max: self.settings.notices.get() };
            return Err(Denied::by(RefusalReason::NoticeQuota, limit).until(retry_at));
        }
        if let Some(counter) = publish.counter
            && let Err(error) = self.data.check_add(counter, as_delta(publish.units))
        {
            return Err(Denied::by(RefusalReason::Counter, Limit::Counter { error }));
        }
        // The call itself tells the fate of a notice.
        let is_told =
            accounts::is_told(outcome_sink(self.settings, publish)) && !is_notice(sender, publish);
        if is_told && !self.accounts.has_outcome_slot(publish.priority) {
            let max = self.settings.outcomes[publish.priority];
            return Err(Denied::by(RefusalReason::OutcomesFull, Limit::Outcomes { max }));
        }
        if let Some(limit) = self.accounts.audit_keeps_out() {
            return Err(Denied::by(RefusalReason::AuditFull, limit));
        }
        if self.memory != Memory::Free
            && let Some(limit) = self.lacks_memory(publish)
        {
            return Err(Denied::by(RefusalReason::MemoryFull, limit));
        }
        Ok(sender)
    }

    /// Returns the limit that keeps a message out for want of memory, if one does.
    #[cold]
    fn lacks_memory(&self, publish: &Publish<M>) -> Option<Limit> {
        self.memory.refuses(publish.priority, publish.dedup_key.is_some())
    }

    /// Whether a message is small enough. The profile of a user who speaks here was looked at when
    /// it was set; one that comes from an edge is looked at now.
    #[inline]
    fn fits(&self, source: &Source, size: usize, profile: Option<usize>) -> Result<(), Denied> {
        let max = self.settings.payload_bytes as usize;
        if size > max {
            return Err(Denied::by(RefusalReason::TooLarge, Limit::PayloadBytes { size, max }));
        }
        let max = self.settings.profile_bytes as usize;
        match (source, profile) {
            (Source::Edge { .. }, Some(size)) if size > max => {
                Err(Denied::by(RefusalReason::TooLarge, Limit::ProfileBytes { size, max }))
            }
            _ => Ok(()),
        }
    }

    /// Returns the first instant at which every limit that time ends lets this message in, if
    /// nothing else happens; `None` when one never does, or when time does not decide alone.
    #[cold]
    fn agree_at(
        &self,
        now: Instant,
        speaker: Speaker,
        publish: &Publish<M>,
        size: usize,
        profile: Option<usize>,
    ) -> Option<Instant> {
        let (sender, banned) = match speaker {
            Speaker::AtEdge(user) => (Sender::User(user), self.moderation.banned(now, user)),
            _ => (self.sender(now, speaker, &publish.source).ok()?, None),
        };
        self.fits(&publish.source, size, profile).ok()?;
        let mut at = now;
        if let Some(until) = banned {
            at = at.max(until.instant()?);
        }
        if let Some(key) = publish.dedup_key {
            at = at.max(self.intake.said_until(now, sender, key).unwrap_or(now));
        }
        if let Some((_, until)) = self.content_said_until(now, sender) {
            at = at.max(until);
        }
        if is_notice(sender, publish)
            && let Err(NotYet { retry_at }) = self.intake.check_notice(now)
        {
            at = at.max(retry_at?);
        }
        let lane = Lane { level: publish.priority, sender };
        Some(at.max(self.may_speak_at(now, lane)?))
    }

    #[cold]
    fn content_said_until(&self, now: Instant, sender: Sender) -> Option<(Duration, Instant)> {
        self.moderation.content_said_until(self.settings, now, sender)
    }

    /// Returns the first instant at which neither a mute, the room's speak mode nor a quota of its
    /// own keeps a sender from saying something at a level; `None` when that is never.
    pub(super) fn may_speak_at(&self, now: Instant, lane: Lane) -> Option<Instant> {
        let Sender::User(user) = lane.sender else { return Some(now) };
        let unmuted = match self.moderation.mute_reason(self.settings, now, user) {
            Some(MuteReason::Muted(until)) => {
                if self.moderation.is_silenced_with_the_room(self.settings, user) {
                    return None;
                }
                until.instant()?
            }
            Some(MuteReason::RoomMuted) => return None,
            None => now,
        };
        let heard = match self.unheard(now, user) {
            Some(Unheard::TooNew { until, .. }) => unmuted.max(until),
            Some(Unheard::NotMarked | Unheard::NotStaff) => return None,
            None => unmuted,
        };
        match self.intake.check_sender(now, lane) {
            Ok(()) => Some(heard),
            Err(OverQuota { retry_at, .. }) => Some(heard.max(retry_at?)),
        }
    }

    #[inline]
    fn sender(&self, now: Instant, speaker: Speaker, source: &Source) -> Result<Sender, Denied> {
        match speaker {
            Speaker::Host => Ok(Sender::Host),
            Speaker::AtEdge(user) => match self.moderation.banned(now, user) {
                // Elsewhere, who is banned is no member.
                Some(until) => Err(Denied::because(RefusalReason::Banned).until(until.instant())),
                None => Ok(Sender::User(user)),
            },
            Speaker::Member(user) => Ok(Sender::User(user)),
            Speaker::Stranger => Err(self.stranger(source)),
        }
    }

    #[inline]
    fn may_speak(&self, now: Instant, sender: Sender) -> Result<(), Denied> {
        let Sender::User(user) = sender else { return Ok(()) };
        match self.moderation.mute_reason(self.settings, now, user) {
            Some(MuteReason::Muted(until)) => {
                Err(Denied::because(RefusalReason::Muted).until(until.instant()))
            }
            Some(MuteReason::RoomMuted) => Err(Denied::because(RefusalReason::RoomMuted)),
            None => match self.unheard(now, user) {
                Some(unheard) => Err(denied(unheard)),
                None => Ok(()),
            },
        }
    }

    /// Why the room's speak mode keeps a user from speaking, if so. Whoever has no session here is at
    /// an edge, which has looked how long that user has been in.
    #[inline]
    fn unheard(&self, now: Instant, user: UserId) -> Option<Unheard> {
        self.moderation.keeps_from_speaking(self.settings, now, user, || self.people.came_at(user))
    }
}

#[cold]
fn denied(unheard: Unheard) -> Denied {
    match unheard {
        Unheard::TooNew { min, until } => {
            Denied::by(RefusalReason::TooNew, Limit::MemberFor { min }).until(Some(until))
        }
        Unheard::NotMarked => Denied::because(RefusalReason::NotMarked),
        Unheard::NotStaff => Denied::because(RefusalReason::NotStaff),
    }
}

#[cold]
fn over_quota(OverQuota { quota, shared_beyond, retry_at }: OverQuota) -> Denied {
    let denied = match shared_beyond {
        None => Denied::by(RefusalReason::SenderQuota, Limit::SenderQuota { quota }),
        Some(max) => Denied::by(RefusalReason::SendersFull, Limit::Senders { max, quota }),
    };
    denied.until(retry_at)
}

/// Returns whether the host speaks to the room.
pub(super) fn is_notice<M>(sender: Sender, publish: &Publish<M>) -> bool {
    sender == Sender::Host && publish.kind == Kind::Notice
}

/// Returns what a counter adds for so many units; nobody has seen more than it can add.
pub(super) fn as_delta(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// Returns how the publisher wants to hear of the outcome, or what the room does where nothing is
/// said.
pub(super) fn outcome_sink<M>(settings: &Settings, publish: &Publish<M>) -> OutcomeSink {
    publish.outcome_sink.unwrap_or_else(|| settings.outcome_sink[publish.priority].into())
}

/// Returns whether `user` owns the room.
pub(super) fn is_owner(settings: &Settings, user: UserId) -> bool {
    settings.owner == Some(user)
}
