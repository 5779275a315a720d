//! A dispatched message that came over a wire.

use super::{Kind, Message, Payload, Sender};
use crate::ids::{Seq, SessionKey};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;

/// What a dispatched message is made of: the public fields of [`Message`], for hosts that carry them
/// to another machine in a format of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageParts<M> {
    /// See [`Message::seq`].
    pub seq: Seq,
    /// See [`Message::position`].
    pub position: u64,
    /// See [`Message::priority`].
    pub priority: Priority,
    /// See [`Message::kind`].
    pub kind: Kind,
    /// See [`Message::sender`].
    pub sender: Sender,
    /// See [`Message::session`].
    pub session: Option<SessionKey>,
    /// See [`Message::units`].
    pub units: u64,
    /// See [`Message::messages`].
    pub messages: u32,
    /// See [`Message::admitted_at`].
    pub admitted_at: Instant,
    /// See [`Message::dispatched_at`].
    pub dispatched_at: Instant,
    /// See [`Message::profile`].
    pub profile: Option<Arc<M>>,
    /// See [`Message::payload`].
    pub payload: M,
}

impl<M: Payload> Message<M> {
    /// Puts a message together that another machine has dispatched, for an audience here. Asks
    /// payload and profile for their sizes.
    ///
    /// ```
    /// use roomcast_core::ids::Seq;
    /// use roomcast_core::message::{MessageParts, Sender};
    /// use roomcast_core::{Instant, Kind, Message, Priority};
    ///
    /// let message = Message::assemble(MessageParts {
    ///     seq: Seq(12),
    ///     position: 3,
    ///     priority: Priority::High,
    ///     kind: Kind::Custom,
    ///     sender: Sender::Host,
    ///     session: None,
    ///     units: 1,
    ///     messages: 1,
    ///     admitted_at: Instant::from_millis(700),
    ///     dispatched_at: Instant::from_millis(710),
    ///     profile: None,
    ///     payload: "rocket",
    /// });
    /// assert_eq!((message.seq, message.payload), (Seq(12), "rocket"));
    /// ```
    pub fn assemble(parts: MessageParts<M>) -> Self {
        let profile_bytes = parts.profile.as_ref().map_or(0, |profile| profile.size());
        let bytes = (parts.payload.size() as u64).saturating_add(profile_bytes as u64);
        let MessageParts { seq, position, priority, kind, sender, session, .. } = parts;
        let MessageParts { units, messages, admitted_at, dispatched_at, profile, payload, .. } =
            parts;
        Self {
            seq,
            position,
            priority,
            kind,
            sender,
            session,
            units,
            messages,
            admitted_at,
            dispatched_at,
            profile,
            payload,
            bytes,
        }
    }
}

impl<M> From<Message<M>> for MessageParts<M> {
    fn from(message: Message<M>) -> Self {
        let Message { seq, position, priority, kind, sender, session, units, messages, .. } =
            message;
        let Message { admitted_at, dispatched_at, profile, payload, .. } = message;
        Self {
            seq,
            position,
            priority,
            kind,
            sender,
            session,
            units,
            messages,
            admitted_at,
            dispatched_at,
            profile,
            payload,
        }
    }
}
