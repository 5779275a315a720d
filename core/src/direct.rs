//! Direct messages: what a host sends to one session, or to the sessions of one user, in the stream
//! that they read anyhow. [Decision D37](crate::design#d37-personal-messages-are-in-the-stream).

use crate::ids::{PinId, SessionId, UserId};
use crate::message::{Kind, Limit, Payload, Sender};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Add;

/// Whom a direct message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// Every session of a user that is in the room.
    User(UserId),
    /// One session, a guest's too.
    Session(SessionId),
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Session(session) => session.fmt(f),
        }
    }
}

/// A message of the host's to one session or to one user: an answer, a warning, the farewell before
/// a kick.
///
/// It waits in a bounded queue of each session that it is for, and comes in a batch of that
/// session: at its level, behind what the room had dispatched before it and before what was
/// dispatched later. Direct messages of one level keep their order. The payload is stored once,
/// however many sessions it is for. It passes beside the room's rate and its queue, has no receipt
/// to wait for, and masks do not touch it.
///
/// ```
/// use roomcast_core::{Direct, Kind, Priority};
///
/// let farewell = Direct::new("you were warned").priority(Priority::High).kind(Kind::Custom);
/// assert_eq!(farewell.priority, Priority::High);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Direct<M> {
    /// Its priority; `Normal` unless said.
    pub priority: Priority,
    /// Its kind; `Text` unless said.
    pub kind: Kind,
    /// Who speaks; the host unless said.
    pub sender: Sender,
    /// Under which number it is pinned, if it comes because it is.
    pub pin: Option<PinId>,
    /// When it was sent, or pinned, by the room's clock; `None` until then, whatever the host says.
    pub sent_at: Option<Instant>,
    /// What it carries.
    pub payload: M,
}

impl<M> Direct<M> {
    /// A text of `Normal` priority, by the host.
    pub const fn new(payload: M) -> Self {
        let (priority, kind, sender) = (Priority::Normal, Kind::Text, Sender::Host);
        Self { priority, kind, sender, pin: None, sent_at: None, payload }
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

    /// By this sender. The room does not check it.
    #[must_use]
    pub fn sender(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    /// Has each of some sessions, those of `to`, take it. When none does, the payload comes back;
    /// the reason is that a queue was full, if one was: of messages, if any was, else of bytes.
    pub(crate) fn send(
        self,
        to: Recipient,
        sessions: impl IntoIterator<Item = SessionId>,
        mut send: impl FnMut(SessionId, &Arc<Self>) -> Result<(), DirectReason>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        let direct = Arc::new(self);
        let mut receipt = DirectReceipt { sessions: 0, refused: 0 };
        let mut reason = DirectReason::NoRecipient { to };
        for session in sessions {
            match send(session, &direct) {
                Ok(()) => receipt.sessions += 1,
                Err(DirectReason::NoRecipient { .. }) => {}
                Err(error) => {
                    receipt.refused += 1;
                    // Whatever the order of the sessions.
                    if !matches!(
                        reason,
                        DirectReason::QueueFull { limit: Limit::DirectMessages { .. } }
                    ) {
                        reason = error;
                    }
                }
            }
        }
        if receipt.sessions > 0 {
            return Ok(receipt);
        }
        match Arc::into_inner(direct) {
            Some(direct) => Err(DirectRefused { reason, payload: direct.payload }),
            // Somebody keeps it who said that he did not.
            None => Ok(receipt),
        }
    }
}

impl<M: Payload> Direct<M> {
    /// The bytes that budgets and queues count.
    pub(crate) fn bytes(&self) -> u64 {
        self.payload.size() as u64
    }
}

/// How many sessions a direct message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "some of the user's sessions may not have taken it"]
pub struct DirectReceipt {
    /// Sessions that will get it, unless they go before; at least one.
    pub sessions: u32,
    /// Other sessions of the user whose queue was full.
    pub refused: u32,
}

/// Why a direct message was sent to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectReason {
    /// The room is closed.
    #[error("the room is closed")]
    RoomClosed,
    /// It is larger than a payload of this room may be, or than a session's whole queue.
    #[error("payload too large: {size} bytes (limit {max})")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most it may be.
        max: u64,
    },
    /// It is not High, and what rooms hold that does not give way takes more than half of the
    /// memory that all may take, or the memory is full.
    #[error("{limit}")]
    MemoryFull {
        /// The limit that decided.
        limit: Limit,
    },
    /// The user has no session in the room, or the session is not in or is about to end.
    #[error("{to} is not in the room")]
    NoRecipient {
        /// Whom it was for.
        to: Recipient,
    },
    /// As much waits for the session as may.
    #[error("{limit}")]
    QueueFull {
        /// The limit that decided.
        limit: Limit,
    },
}

/// A direct message that was sent to nobody. It hands the payload back.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectRefused<M> {
    /// Why.
    pub reason: DirectReason,
    /// What was to be sent.
    pub payload: M,
}

impl<M> fmt::Display for DirectRefused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not sent: {}", self.reason)
    }
}

impl<M> fmt::Debug for DirectRefused<M> {
    /// Without the payload, which need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectRefused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<M> core::error::Error for DirectRefused<M> {}

/// The books of direct messages, each counted once for each session that it was for. What was
/// refused before any session was found is not in them: the error tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Directs {
    /// Offered to a session.
    pub sent: u64,
    /// Not taken by it: its queue was full.
    pub refused: u64,
    /// Handed over in a batch.
    pub delivered: u64,
    /// Waiting for the session to read.
    pub pending: u64,
    /// Unread when the session ended.
    pub abandoned: u64,
}

impl Directs {
    /// Whether `sent = refused + delivered + pending + abandoned`.
    pub fn balances(&self) -> bool {
        let fates = [self.refused, self.delivered, self.pending, self.abandoned];
        self.sent == fates.into_iter().fold(0, u64::wrapping_add)
    }
}

impl Add for Directs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            refused: self.refused + other.refused,
            delivered: self.delivered + other.delivered,
            pending: self.pending + other.pending,
            abandoned: self.abandoned + other.abandoned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_miss_one_do_not_balance() {
        let books = Directs { sent: 10, refused: 1, delivered: 2, pending: 3, abandoned: 4 };
        assert!(books.balances());
        assert!(!Directs { sent: 9, ..books }.balances());
    }
}
