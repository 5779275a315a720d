//! A message on its way: what a host offers, what the audience gets, and what the sender is told.
//!
//! Admission and audience meet in this module and in no other.

mod edge_message;
mod outcome;
mod parts;
mod publish;
mod relayed;

pub use edge_message::{EdgeMessage, Forwarded};
pub use outcome::{Limit, Outcome, Receipt, Refused};
pub use parts::MessageParts;
pub use publish::{DedupKey, MergeKey, OutcomeSink, Publish, Urgency};
pub use relayed::{Relayed, Reviewed};

use crate::ids::{Seq, SessionId, SessionKey, UserId};
use crate::priority::Priority;
use crate::system_messages::SystemMessage;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a host sends. The engine never looks inside; it asks for the size, and in a room where what
/// was said may not be said again, for the content's key.
///
/// A payload is stored once and never copied, whatever the size of the audience.
pub trait Payload {
    /// The size in bytes, as the limits count it. It is asked by the call that offers the payload,
    /// before anything of the room changes, and not again.
    fn size(&self) -> usize;

    /// Returns a number that is the same for contents that count as the same: a hash of the text, say,
    /// without the sender and without case. `None`, as by default: it is compared with nothing.
    ///
    /// Only a room whose [speak mode](crate::speak_mode::SpeakMode::unique_within) compares contents
    /// asks for it, by the call that offers the payload, before anything of the room changes.
    /// Payloads of plain bytes and text have the [key of their bytes](content_key).
    fn content_key(&self) -> Option<u64> {
        None
    }

    /// What tells the room of something that happened in it, for types that can; `None`: nothing is
    /// told.
    ///
    /// It is called under the room's lock, at most once in a window for each kind, so it should be
    /// quick. One that is larger than the room's payloads may be is refused, and counted as such.
    fn system_message(tip: &SystemMessage<'_>) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = tip;
        None
    }
}

/// Returns a key of these bytes for [`Payload::content_key`]: the same on every machine, in every
/// version. O(bytes).
///
/// ```
/// use roomcast_core::message::content_key;
///
/// assert_eq!(content_key(b"hello"), content_key("hello"));
/// assert_ne!(content_key(b"hello"), content_key(b"hello!"));
/// ```
pub fn content_key(bytes: &(impl AsRef<[u8]> + ?Sized)) -> u64 {
    // FNV-1a.
    bytes.as_ref().iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

macro_rules! payload_by_len {
    ($($type:ty),*) => {$(
        impl Payload for $type {
            fn size(&self) -> usize {
                self.len()
            }

            fn content_key(&self) -> Option<u64> {
                Some(content_key(&self[..]))
            }
        }
    )*};
}
payload_by_len!(
    Arc<[u8]>,
    Arc<str>,
    Box<[u8]>,
    Box<str>,
    Vec<u8>,
    String,
    &'static [u8],
    &'static str
);
#[cfg(feature = "bytes")]
payload_by_len!(bytes::Bytes);

/// What a message is. It travels with the message; the payload stays opaque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// What people write.
    #[default]
    Text,
    /// Anything of the host's own: a gift, a like, a kick.
    Custom,
    /// Something happened in the room.
    System,
    /// The host speaks to the room.
    Notice,
}

/// Where a message comes from, as the host says when it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A session of the room.
    Session(SessionId),
    /// A user at an edge, whose admission has seen that the user is a member; here it is looked at
    /// whether the user is banned or muted.
    Edge {
        /// The user.
        user: UserId,
        /// The session, which need not be registered here.
        session: Option<SessionId>,
    },
    /// The host itself: a gift server, a bot. It needs no session; the room's rate counts it all
    /// the same.
    Host,
}

/// Who speaks, as the audience sees it. All sessions of a user are one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Sender {
    /// The host.
    Host,
    /// A user.
    User(UserId),
}

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
    /// The session that sent it, if one did; none if it carries others. It is of this life of the
    /// room: [`SessionKey::in_life`] is its id.
    pub session: Option<SessionKey>,
    /// What it stands for: its own units and those of the messages that it carries.
    pub units: u64,
    /// Itself and the messages that were merged into it.
    pub messages: u32,
    /// When it entered the queue, or was let in at the edge that it came from.
    pub admitted_at: Instant,
    /// When it went out.
    pub dispatched_at: Instant,
    /// The sender's profile when the message was let in.
    pub profile: Option<Arc<M>>,
    /// What it carries.
    pub payload: M,
    /// The bytes that the log's budget counts: payload and profile, as they were offered.
    pub(crate) bytes: u64,
}
