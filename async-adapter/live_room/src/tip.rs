//! What the room tells everyone about itself: short lines beside the chat.

use std::time::Duration;

use roomcast::moderation::{MaySpeak, SpeakMode};
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
    /// Someone may speak where only the marked may.
    Marked {
        /// Who.
        name: String,
    },
    /// Someone is not marked any more.
    Unmarked {
        /// Who.
        name: String,
    },
    /// Others may speak than before.
    SpeakMode(Speak),
}

/// Who may speak beside the owner and the admins, and whether what others have just said may be said again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Speak {
    /// Who.
    pub(crate) who: Speakers,
    /// Of members: how long they have to have been here, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<u32>,
    /// Whether nobody may say what somebody has just said.
    #[serde(default)]
    pub(crate) unique: bool,
}

/// Who may speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Speakers {
    /// Everyone who comes by name.
    #[default]
    Everyone,
    /// Whoever has been here for some time.
    Members,
    /// Whoever was marked.
    Marked,
    /// Nobody else.
    Admins,
}

/// For so long nobody may repeat what somebody has said, where messages are to be unique.
const UNIQUE_WITHIN: Duration = Duration::from_secs(30);

impl From<Speak> for SpeakMode {
    fn from(Speak { who, seconds, unique }: Speak) -> Self {
        let mode = Self::new(match who {
            Speakers::Everyone => MaySpeak::Everyone,
            Speakers::Members => {
                MaySpeak::MembersFor(Duration::from_secs(seconds.unwrap_or_default().into()))
            }
            Speakers::Marked => MaySpeak::Marked,
            Speakers::Admins => MaySpeak::Admins,
        });
        if unique { mode.unique_within(UNIQUE_WITHIN) } else { mode }
    }
}

impl From<SpeakMode> for Speak {
    fn from(mode: SpeakMode) -> Self {
        let (who, seconds) = match mode.who {
            MaySpeak::MembersFor(time) => {
                (Speakers::Members, Some(u32::try_from(time.as_secs()).unwrap_or(u32::MAX)))
            }
            MaySpeak::Marked => (Speakers::Marked, None),
            MaySpeak::Admins => (Speakers::Admins, None),
            _ => (Speakers::Everyone, None),
        };
        Self { who, seconds, unique: mode.unique_within.is_some() }
    }
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
            | Self::Marked { name }
            | Self::Unmarked { name }
            | Self::AdminRemoved { name } => name.len(),
            Self::RoomMuted | Self::RoomUnmuted | Self::SpeakMode(_) => 0,
        }
    }
}
