//! A message on its way: what a host offers, what the audience gets, and what the sender is told.
//!
//! Admission and audience meet in this module and in no other.

use crate::ids::{MessageId, Seq, SessionId, Tag, UserId};
use crate::keyed::Quota;
use crate::ledger::{DropReason, RefusalReason};
use crate::priority::Priority;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// What a host sends. The engine never looks inside; it asks for the size and nothing else.
///
/// A payload is stored once and never copied, whatever the size of the audience.
pub trait Payload {
    /// The size in bytes, as the limits count it. It must not change.
    fn size(&self) -> usize;
}

macro_rules! payload_by_len {
    ($($type:ty),*) => {$(
        impl Payload for $type {
            fn size(&self) -> usize {
                self.len()
            }
        }
    )*};
}
payload_by_len!(Arc<[u8]>, Arc<str>, Box<[u8]>, Box<str>, Vec<u8>, String, &'static [u8], &'static str);
#[cfg(feature = "bytes")]
payload_by_len!(bytes::Bytes);

/// What a message is (clause A17). It travels with the message; the payload stays opaque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// What people write.
    #[default]
    Text,
    /// Anything of the host's own: a gift, a like, a kick.
    Custom,
    /// Something happened in the room.
    Tip,
    /// The host speaks to the room.
    Notice,
}

/// Where a message comes from, as the host says when it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A session of the room.
    Session(SessionId),
    /// The host itself: a gift server, a bot. It needs no session; the room's rate counts it all the same (clause A14).
    Host,
}

/// Who speaks, as the audience sees it. All sessions of a user are one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// The host.
    Host,
    /// A user.
    User(UserId),
}

/// How the publisher wants to hear of the outcome when the call itself cannot tell it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Not at all: the ledger has it. The default of `Low` and `Lowest`.
    CountedOnly,
    /// As an [`Event::Outcome`](crate::Event::Outcome) that carries this tag.
    Event(Tag),
    /// As [`Event`](Self::Event), for the layer that drives the core: the tag of a caller that awaits the outcome, in a number space apart from
    /// the host's own tags.
    Answer(Tag),
}

/// A message that a host offers to a room.
///
/// ```
/// use roomcast_core::{Kind, Priority, Publish, Report, Source, Tag};
///
/// let gift = Publish::new(Source::Host, "rocket").priority(Priority::High).kind(Kind::Custom).report(Report::Event(Tag(7)));
/// assert_eq!(gift.priority, Priority::High);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Publish<M> {
    /// Where it comes from.
    pub source: Source,
    /// Its priority; `Normal` unless said.
    pub priority: Priority,
    /// Its kind; `Text` unless said.
    pub kind: Kind,
    /// How to report the outcome; `None` asks the room's configuration for the level's default.
    pub report: Option<Report>,
    /// What it carries.
    pub payload: M,
}

impl<M> Publish<M> {
    /// A text of `Normal` priority.
    pub const fn new(source: Source, payload: M) -> Self {
        Self { source, priority: Priority::Normal, kind: Kind::Text, report: None, payload }
    }

    /// With this priority.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Of this kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// With the outcome reported this way.
    #[must_use]
    pub fn report(mut self, report: Report) -> Self {
        self.report = Some(report);
        self
    }
}

/// What `publish` answers for a message that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a receipt may already hold the outcome, and a decided outcome is told only here"]
pub struct Receipt {
    /// The message.
    pub id: MessageId,
    /// Its fate, if the call has already decided it; then no event follows. `None`: it waits in the queue.
    pub outcome: Option<Outcome>,
}

/// The one final fate of a message that was let in (clause B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It went out to the audience.
    Dispatched {
        /// Its sequence number in the room.
        seq: Seq,
        /// When it went out.
        at: Instant,
    },
    /// It was let in and never went out.
    Dropped {
        /// Why.
        reason: DropReason,
        /// The limit that decided, if one did.
        limit: Option<Limit>,
        /// The earliest instant at which the same message could go out if nothing else wanted to; `None` when that is never.
        retry_at: Option<Instant>,
    },
}

/// A limit that decided against a message, with its configured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// The size of a payload.
    PayloadBytes {
        /// The size of this one.
        size: usize,
        /// The most it may be.
        max: usize,
    },
    /// The messages in the queue.
    QueueMessages {
        /// The most it may hold.
        max: u32,
    },
    /// The payload bytes in the queue.
    QueueBytes {
        /// The most it may hold.
        max: u64,
    },
    /// The outcomes of a level that wait to be polled.
    Outcomes {
        /// The most there may be.
        max: u32,
    },
    /// What one sender may say at a level.
    SenderQuota {
        /// The rate and the burst.
        quota: Quota,
    },
    /// The host's notices.
    Notices {
        /// The most there may be in a second.
        max: u32,
    },
    /// The direct messages that wait for one session.
    DirectMessages {
        /// The most there may be.
        max: u32,
    },
    /// The payload bytes of the direct messages that wait for one session.
    DirectBytes {
        /// The most there may be.
        max: u64,
    },
    /// How long a message of its level may wait.
    MaxWait {
        /// The longest.
        max: Duration,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadBytes { size, max } => write!(f, "the payload has {size} bytes; this room takes at most {max}"),
            Self::QueueMessages { max } => write!(f, "the queue holds its most, {max} messages"),
            Self::QueueBytes { max } => write!(f, "the queue holds its most, {max} bytes"),
            Self::Outcomes { max } => write!(f, "{max} outcomes of this level wait to be polled, the most there may be"),
            Self::SenderQuota { quota } => write!(f, "a sender may say {}, {} at once", quota.rate, quota.burst),
            Self::Notices { max } => write!(f, "the room takes {max} notices a second"),
            Self::DirectMessages { max } => write!(f, "{max} direct messages wait for the session, the most there may be"),
            Self::DirectBytes { max } => write!(f, "the direct messages that wait for the session may have {max} bytes"),
            Self::MaxWait { max } => write!(f, "it may wait {max:?} at most"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dispatched { seq, at } => write!(f, "dispatched as {seq} at {at}"),
            Self::Dropped { reason, limit: None, .. } => write!(f, "dropped: {reason}"),
            Self::Dropped { reason, limit: Some(limit), .. } => write!(f, "dropped: {reason}: {limit}"),
        }
    }
}

/// A message that was not let in. It hands the payload back.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<M> {
    /// Why.
    pub reason: RefusalReason,
    /// The limit that decided, if one did.
    pub limit: Option<Limit>,
    /// The earliest instant at which trying again may help; `None` when time alone will not.
    pub retry_at: Option<Instant>,
    /// What was to be published.
    pub payload: M,
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            RefusalReason::RoomClosed => f.write_str("refused: the room is closed"),
            RefusalReason::NotMember => f.write_str("refused: this session is not in the room; join first"),
            RefusalReason::Guest => f.write_str("refused: guests may not speak; join with a user id"),
            RefusalReason::Muted => f.write_str("refused: the sender is muted"),
            RefusalReason::RoomMuted => f.write_str("refused: the room is muted; only the owner and the admins may speak"),
            RefusalReason::SenderQuota
            | RefusalReason::NoticeQuota
            | RefusalReason::TooLarge
            | RefusalReason::OutcomesFull
            | RefusalReason::QueueFull => f.write_str("refused"),
        }?;
        match &self.limit {
            Some(limit) => write!(f, ": {limit}"),
            None => Ok(()),
        }
    }
}

impl<M> fmt::Debug for Refused<M> {
    /// Without the payload, which need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("reason", &self.reason)
            .field("limit", &self.limit)
            .field("retry_at", &self.retry_at)
            .finish_non_exhaustive()
    }
}

impl<M> core::error::Error for Refused<M> {}

/// A dispatched message, as every session that is due it gets it: stored once, shared by all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<M> {
    /// Its sequence number in the room.
    pub seq: Seq,
    /// How many messages of its priority the room had dispatched before it.
    pub position: u64,
    /// Its priority.
    pub priority: Priority,
    /// Its kind.
    pub kind: Kind,
    /// Who speaks.
    pub sender: Sender,
    /// The session that sent it, if one did.
    pub session: Option<SessionId>,
    /// When it was let in.
    pub admitted_at: Instant,
    /// When it went out.
    pub dispatched_at: Instant,
    /// The sender's profile when the message was let in (clause A18).
    pub profile: Option<Arc<M>>,
    /// What it carries.
    pub payload: M,
}

impl<M: Payload> Message<M> {
    /// The bytes that the log's budget counts: payload and profile.
    pub(crate) fn bytes(&self) -> u64 {
        let profile = self.profile.as_ref().map_or(0, |profile| profile.size());
        (self.payload.size() as u64).saturating_add(profile as u64)
    }
}
