//! What the server says: what the room heard, what became of a message, and the engine's books.

use std::collections::BTreeMap;

use roomcast::moderation::Role;
use serde::{Deserialize, Serialize};

use super::client::{MAX_GIFT_COUNT, MAX_LIKE_COUNT, MAX_TEXT_CHARS};
use super::{Level, Levels};
use crate::gifts::{GIFTS, Gift};
use crate::message::What;
use crate::tip::Speak;

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Reply {
    /// The first word: who you are and what this room is like.
    Hello(Hello),
    /// What became of a request.
    Outcome {
        /// The page's number for it.
        id: u64,
        /// Its one final fate.
        #[serde(flatten)]
        fate: Fate,
    },
    /// How the engine is doing.
    Stats(Box<Stats>),
    /// A request was not carried out; the connection goes on.
    Error {
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The last word: the connection is closed.
    Bye {
        /// Why.
        reason: String,
        /// Whether the page is to come again by itself.
        retry: bool,
        /// How long it makes no sense to come again, in milliseconds, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        until_ms: Option<u64>,
    },
}

/// Who you are and what this room is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Hello {
    /// Your nick; none for a guest.
    pub(crate) nick: Option<String>,
    /// Which life of the room this is: the numbers of its messages are its own.
    pub(crate) room: String,
    /// Whether you go on where you were before.
    pub(crate) resumed: bool,
    /// What you are in the room.
    pub(crate) role: Standing,
    /// How often the room was liked so far.
    pub(crate) likes: u64,
    /// The recording's name.
    pub(crate) recording: String,
    /// What can be given.
    pub(crate) gifts: &'static [Gift],
    /// The longest text, in characters.
    pub(crate) max_text: usize,
    /// The most gifts at once.
    pub(crate) max_gifts: u32,
    /// The most likes at once.
    pub(crate) max_likes: u32,
    /// How many messages a second the room dispatches.
    pub(crate) rate: u32,
    /// How many messages may wait.
    pub(crate) queue_capacity: u32,
}

/// What someone is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// Whose room it is.
    Owner,
    /// Named by the owner.
    Admin,
    /// Everyone else who comes by name.
    Member,
    /// Reads only.
    Guest,
}

impl From<Option<Role>> for Standing {
    /// The role that the engine answers for a user; none for a guest.
    fn from(role: Option<Role>) -> Self {
        match role {
            Some(Role::Owner) => Self::Owner,
            Some(Role::Admin) => Self::Admin,
            Some(_) => Self::Member,
            None => Self::Guest,
        }
    }
}

/// One thing that the room heard, or that this page did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Item {
    /// A message.
    Message {
        /// Its number in the room.
        seq: u64,
        /// Its priority.
        level: Level,
        /// Who sent it.
        nick: String,
        /// Whether it went out before this page came.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        history: bool,
        /// What it holds.
        #[serde(flatten)]
        what: What,
    },
    /// Messages that were dispatched and that this page did not get.
    Gap {
        /// Their priority.
        level: Level,
        /// How many.
        count: u64,
        /// Why, in one word: `overrun`, `age`, `bus`.
        cause: String,
    },
}

/// The one final fate of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum Fate {
    /// The room heard it.
    Dispatched {
        /// Its number in the room.
        seq: u64,
        /// How long it waited, in milliseconds.
        waited_ms: f64,
    },
    /// It was let in, and never dispatched.
    Dropped {
        /// Why.
        reason: String,
        /// The engine's short name for that, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// It was not let in.
    Refused {
        /// Why.
        reason: String,
        /// The engine's short name for that, if it was the engine that refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// When to try again, in milliseconds, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
    /// It became part of another message and shares its fate.
    Merged,
    /// It was let in; what becomes of it is counted in the ledger only.
    Counted,
    /// It was no message, and was carried out.
    Done,
}

/// How the engine is doing, in plain numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stats {
    /// Room time in milliseconds.
    pub(crate) at_ms: u64,
    /// Sessions in the room.
    pub(crate) audience: u64,
    /// Users among them, each counted once.
    pub(crate) users: u64,
    /// Open pages.
    pub(crate) visitors: u64,
    /// The nick of the room's owner, once there is one.
    pub(crate) host: Option<String>,
    /// Whether only the owner and the admins may speak.
    pub(crate) room_muted: bool,
    /// Who may speak, where the room is not muted.
    pub(crate) speak: Speak,
    /// Tokens that the room has now.
    pub(crate) tokens: u32,
    /// How many messages wait, by level.
    pub(crate) queue: Levels<u64>,
    /// What became of everything that was ever offered, by level.
    pub(crate) ledger: Levels<LedgerRow>,
    /// What became of everything that was ever due to a session, by level.
    pub(crate) deliveries: Levels<DeliveryRow>,
    /// What the crowd is doing.
    pub(crate) crowd: CrowdState,
}

/// The messages of one level: `submitted` is the sum of all others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerRow {
    /// Offered.
    pub(crate) submitted: u64,
    /// Not let in, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Let in and never dispatched, by reason.
    pub(crate) dropped: BTreeMap<String, u64>,
    /// Became part of another.
    pub(crate) merged: u64,
    /// Heard by the room.
    pub(crate) dispatched: u64,
    /// Waiting.
    pub(crate) queued: u64,
    /// Waiting for the host's verdict.
    pub(crate) under_review: u64,
}

/// The deliveries of one level: `due` is the sum of all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryRow {
    /// Dispatched while a session was in, summed over sessions.
    pub(crate) due: u64,
    /// Handed over.
    pub(crate) delivered: u64,
    /// Missed by a session that was too slow.
    pub(crate) skipped: u64,
    /// Not read yet.
    pub(crate) pending: u64,
    /// Not meant for that session: its own message, or a level it does not want.
    pub(crate) excluded: u64,
    /// Not read when the session left.
    pub(crate) abandoned: u64,
}

/// What the crowd is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CrowdState {
    /// How far the recording is, from 0 to 1.
    pub(crate) progress: f64,
    /// Its settings.
    pub(crate) controls: Controls,
}

/// The settings of the crowd that the page can change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Controls {
    /// The speed of the recording.
    pub(crate) speed: f64,
    /// Likes a second.
    pub(crate) likes: u32,
    /// Gifts a minute.
    pub(crate) gifts: u32,
    /// The share of the simulated viewers that are slow, in percent.
    pub(crate) slow: u8,
}

impl Reply {
    /// The JSON text of a frame.
    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and maps by string: there is nothing in a reply that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Item {
    /// The JSON text of its place in a batch.
    pub(crate) fn to_json(&self) -> String {
        // As above.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The frame that tells a page what the room heard: the texts of messages, and of the gaps where it was too slow, in the order in
/// which they are to be shown; and now and then a token, with which the page comes back to where this frame ends.
pub(crate) fn batch_frame(
    items: impl Iterator<Item = impl AsRef<str>>,
    token: Option<&str>,
) -> String {
    let mut frame = String::from(r#"{"type":"batch","items":["#);
    for (number, item) in items.enumerate() {
        if number > 0 {
            frame.push(',');
        }
        frame.push_str(item.as_ref());
    }
    frame.push(']');
    if let Some(token) = token {
        // It has nothing in it that JSON would escape.
        frame.extend([r#","token":""#, token, "\""]);
    }
    frame.push('}');
    frame
}

impl Hello {
    /// Greets a visitor of the room.
    pub(crate) fn to(
        nick: Option<&str>,
        (room, resumed): (u64, bool),
        role: Standing,
        likes: u64,
        recording: &str,
        (rate, queue_capacity): (u32, u32),
    ) -> Self {
        Self {
            nick: nick.map(str::to_owned),
            room: format!("{room:x}"),
            resumed,
            role,
            likes,
            recording: recording.to_owned(),
            gifts: &GIFTS,
            max_text: MAX_TEXT_CHARS,
            max_gifts: MAX_GIFT_COUNT,
            max_likes: MAX_LIKE_COUNT,
            rate,
            queue_capacity,
        }
    }
}
