//! The receipt, the outcome and the refusal of a message, with the limit that decided:
//! [clause B1](crate::rulebook#b1-one-outcome-for-each-message).

use crate::data::DataError;
use crate::ids::{MessageId, Seq, Ticket};
use crate::ledger::{DropReason, RefusalReason};
use crate::quota::Quota;
use crate::time::{Duration, Instant};
use core::fmt;

/// What `publish` returns for a message that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a receipt may already hold the outcome, and a decided outcome is told only here"]
pub struct Receipt {
    /// The message.
    pub id: MessageId,
    /// Its fate, if the call has already decided it; then no event follows. `None`: it waits in
    /// the queue, or for a verdict.
    pub outcome: Option<Outcome>,
    /// What a verdict on it must name, if it waits for one.
    pub review: Option<Ticket>,
}

/// The one final fate of a message that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
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
        /// The earliest instant at which the same message could go out if nothing else wanted to;
        /// `None` when that is never, or when it has been counted and must not be sent again.
        retry_at: Option<Instant>,
    },
    /// It became one with a message that waited, and shares its fate.
    Merged {
        /// The message that carries it. Its own outcome tells how many it carries.
        carrier: MessageId,
    },
}

/// A limit that decided against a message, with its configured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Limit {
    /// The size of a payload.
    PayloadBytes {
        /// The size of this one.
        size: usize,
        /// The most it may be.
        max: usize,
    },
    /// The size of the profile that comes with a forwarded message.
    ProfileBytes {
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
    /// The messages at an edge that wait to be taken to the room.
    EdgeOutbox {
        /// The most there may be.
        max: u32,
    },
    /// The outcomes of a level that wait to be polled.
    Outcomes {
        /// The most there may be.
        max: u32,
    },
    /// The records that the audit may hold, one for each message that waits included.
    AuditRecords {
        /// The most there may be.
        max: u32,
    },
    /// The payload bytes in the records of the audit.
    AuditBytes {
        /// The most there may be.
        max: u64,
    },
    /// What one sender may say at a level.
    SenderQuota {
        /// The rate and the burst.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
        quota: Quota,
    },
    /// The senders of a level that are told apart. Those that are more share one quota.
    Senders {
        /// The most there may be.
        max: u32,
        /// The rate and the burst that they share.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
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
    /// How long the same message of one sender is refused.
    Duplicates {
        /// The window.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
        window: Duration,
    },
    /// How long a user has to have been in before speaking.
    MemberFor {
        /// The least.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
        min: Duration,
    },
    /// How long what somebody has said is refused, whoever says it.
    Unique {
        /// The window.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
        window: Duration,
    },
    /// The counter that a message would have been counted in.
    Counter {
        /// What it says.
        error: DataError,
    },
    /// The messages that wait for a verdict.
    Reviews {
        /// The most there may be.
        max: u32,
    },
    /// How long a verdict may take.
    ReviewTime {
        /// The longest.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
        max: Duration,
    },
    /// The host's verdict.
    ReviewDecision {
        /// Its code.
        code: u32,
    },
    /// What all rooms together may hold.
    Memory {
        /// The most, in bytes.
        max: u64,
    },
    /// The age at which a message of its level is dispatched no more.
    FreshWithin {
        /// That age.
        #[cfg_attr(feature = "serde", serde(with = "crate::text"))]
        max: Duration,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadBytes { size, max } => {
                write!(f, "payload too large: {size} bytes (limit {max})")
            }
            Self::ProfileBytes { size, max } => {
                write!(f, "profile too large: {size} bytes (limit {max})")
            }
            Self::QueueMessages { max } => write!(f, "queue full (limit {max} messages)"),
            Self::QueueBytes { max } => write!(f, "queue full (limit {max} bytes)"),
            Self::Memory { max } => write!(f, "memory of all rooms full (limit {max} bytes)"),
            Self::EdgeOutbox { max } => write!(f, "edge outbox full (limit {max} messages)"),
            Self::Outcomes { max } => {
                write!(f, "too many outcomes of this priority to be polled (limit {max})")
            }
            Self::AuditRecords { max } => write!(f, "audit full (limit {max} records)"),
            Self::AuditBytes { max } => write!(f, "audit full (limit {max} bytes)"),
            Self::SenderQuota { quota } => {
                write!(f, "sender quota exceeded (limit {}, burst {})", quota.rate, quota.burst)
            }
            Self::Senders { max, quota } => write!(
                f,
                "more senders than are told apart (limit {max}), who share one quota (limit {}, \
                 burst {})",
                quota.rate, quota.burst
            ),
            Self::Notices { max } => write!(f, "notice quota exceeded (limit {max} per second)"),
            Self::DirectMessages { max } => {
                write!(f, "direct message queue full (limit {max} messages)")
            }
            Self::DirectBytes { max } => write!(f, "direct message queue full (limit {max} bytes)"),
            Self::Duplicates { window } => write!(f, "duplicate message (window {window:?})"),
            Self::MemberFor { min } => write!(f, "in the room for less than {min:?}"),
            Self::Unique { window } => write!(f, "said before (window {window:?})"),
            Self::Counter { error } => write!(f, "counter not updated: {error}"),
            Self::Reviews { max } => write!(f, "too many messages under review (limit {max})"),
            Self::ReviewTime { max } => write!(f, "no review decision within {max:?}"),
            Self::ReviewDecision { code } => write!(f, "review code {code}"),
            Self::FreshWithin { max } => write!(f, "not dispatched within {max:?}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dispatched { seq, at } => write!(f, "dispatched as {seq} at {at}"),
            Self::Merged { carrier } => write!(f, "merged into {carrier}"),
            Self::Dropped { reason, limit, retry_at } => {
                f.write_str(match reason {
                    DropReason::Evicted => "dropped: evicted from the queue",
                    DropReason::Expired => "dropped: expired",
                    DropReason::Congested => "dropped: congested",
                    DropReason::MemoryFull => "dropped: gave way to the memory of all rooms",
                    DropReason::Denied => "dropped: denied by review",
                    DropReason::ReviewTimeout => "dropped: review timed out",
                    DropReason::Muted => "dropped: the sender or the room was muted",
                    DropReason::Counter => "dropped",
                    DropReason::SenderOut => "dropped: the sender was kicked or banned",
                    DropReason::Retracted => "dropped: taken back",
                    DropReason::RoomClosed => "dropped: the room was closed",
                    DropReason::RoomRefused => "dropped: the room refused it",
                    DropReason::EdgeLost => "unknown: its edge was taken off the room",
                })?;
                write_limit(f, limit.as_ref())?;
                write_retry(f, *retry_at)
            }
        }
    }
}

fn write_limit(f: &mut fmt::Formatter<'_>, limit: Option<&Limit>) -> fmt::Result {
    limit.map_or(Ok(()), |limit| write!(f, ": {limit}"))
}

fn write_retry(f: &mut fmt::Formatter<'_>, retry_at: Option<Instant>) -> fmt::Result {
    retry_at.map_or(Ok(()), |at| write!(f, "; retry at {at}"))
}

/// A message that was not let in. It hands the payload back.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Refused<M> {
    /// Why.
    pub reason: RefusalReason,
    /// The limit that decided, if one did.
    pub limit: Option<Limit>,
    /// The first instant at which every limit agrees, if nothing else happens; `None` when time
    /// alone will not help. In a full queue it is when the next message leaves.
    pub retry_at: Option<Instant>,
    /// What was to be published.
    pub payload: M,
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            RefusalReason::RoomClosed => "refused: the room is closed",
            RefusalReason::NotMember => "refused: the session is not in the room; join first",
            RefusalReason::Guest => "refused: guests may not speak; join with a user id",
            RefusalReason::Banned => "refused: the sender is banned",
            RefusalReason::Muted => "refused: the sender is muted",
            RefusalReason::RoomMuted => {
                "refused: the room is muted; only the owner and the admins may speak"
            }
            RefusalReason::NotMarked => "refused: only marked users may speak",
            RefusalReason::NotStaff => "refused: only the owner and the admins may speak",
            RefusalReason::Congested => "refused: the room is congested",
            // What these say is the limit that decided.
            RefusalReason::TooNew
            | RefusalReason::Duplicate
            | RefusalReason::NotUnique
            | RefusalReason::SenderQuota
            | RefusalReason::SendersFull
            | RefusalReason::Counter
            | RefusalReason::ReviewsFull
            | RefusalReason::NoticeQuota
            | RefusalReason::TooLarge
            | RefusalReason::OutcomesFull
            | RefusalReason::AuditFull
            | RefusalReason::MemoryFull
            | RefusalReason::QueueFull => "refused",
        })?;
        write_limit(f, self.limit.as_ref())?;
        write_retry(f, self.retry_at)
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
