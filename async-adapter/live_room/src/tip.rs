//! What the room tells everyone about itself: short lines beside the chat.

use serde::{Deserialize, Serialize};

/// Something that happened in the room. Whoever did it is the sender of the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tip", rename_all = "kebab-case")]
pub(crate) enum Tip {
    /// Users came in lately: one tip for all of them, however many.
    Joined {
        /// How many.
        count: u64,
        /// The first who came by the page, if anyone did.
        first: Option<String>,
    },
    /// Someone may not speak.
    Muted {
        /// Who.
        name: String,
        /// For how long; `None` is for good.
        seconds: Option<u32>,
    },
    /// Someone may speak again.
    Unmuted {
        /// Who.
        name: String,
    },
    /// Someone was taken out.
    Kicked {
        /// Who.
        name: String,
    },
    /// Someone was taken out and may not come again.
    Banned {
        /// Who.
        name: String,
        /// For how long; `None` is for good.
        seconds: Option<u32>,
    },
    /// Someone may come again.
    Unbanned {
        /// Who.
        name: String,
    },
    /// Someone is an admin now.
    AdminSet {
        /// Who.
        name: String,
    },
    /// Someone is no admin any more.
    AdminRemoved {
        /// Who.
        name: String,
    },
    /// Only the owner and the admins may speak.
    RoomMuted,
    /// Everyone may speak again.
    RoomUnmuted,
}

impl Tip {
    /// The bytes of its words.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Joined { first, .. } => first.as_ref().map_or(0, String::len),
            Self::Muted { name, .. }
            | Self::Unmuted { name }
            | Self::Kicked { name }
            | Self::Banned { name, .. }
            | Self::Unbanned { name }
            | Self::AdminSet { name }
            | Self::AdminRemoved { name } => name.len(),
            Self::RoomMuted | Self::RoomUnmuted => 0,
        }
    }
}
