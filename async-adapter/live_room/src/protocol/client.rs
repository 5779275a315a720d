//! What a page says: who it is, and what it wants.

use serde::Deserialize;

use super::orders::{MAX_SECONDS, Order, out_of};
use crate::crowd::{MAX_GIFTS_PER_MINUTE, MAX_LIKES_PER_SECOND, Speed};
use crate::gifts::{GIFTS, names};
use crate::tip::{Speak, Speakers};

/// The largest frame a page may send: a text of [`MAX_TEXT_CHARS`] with every character escaped fits.
pub(crate) const MAX_FRAME_BYTES: usize = 8 * 1024;

const MAX_NICK_CHARS: usize = 20;
const MAX_KEY_CHARS: usize = 64;
pub(super) const MAX_TEXT_CHARS: usize = 500;
pub(super) const MAX_GIFT_COUNT: u32 = 99;
pub(super) const MAX_LIKE_COUNT: u32 = 100;

/// Who opens the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// Someone who reads only.
    Guest,
    /// Someone who may speak.
    Named {
        /// Under this nick.
        nick: String,
        /// The browser's secret, which keeps others from taking the nick; empty where there is none.
        key: String,
    },
}

/// What a page asks for. `id` is the page's own number for it, and comes back in the outcome.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Request {
    /// Says something to the room.
    Say {
        /// The page's number.
        id: u64,
        /// The words: 1 to 500 characters that are not all blank.
        text: String,
    },
    /// Gives something.
    Gift {
        /// The page's number.
        id: u64,
        /// The kind: one of [`GIFTS`].
        name: String,
        /// How many: 1 to 99.
        count: u32,
    },
    /// Likes.
    Like {
        /// The page's number.
        id: u64,
        /// How many: 1 to 100.
        count: u32,
    },
    /// Does something to someone: for the owner and the admins.
    Moderate(Order),
    /// Lets only the owner and the admins speak, or everyone again: for the owner and the admins.
    #[serde(rename = "mute-room")]
    MuteRoom {
        /// The page's number.
        id: u64,
        /// Whether the room is to be muted.
        muted: bool,
    },
    /// Speaks to everyone as the host: for the owner and the admins.
    Notice {
        /// The page's number.
        id: u64,
        /// The words: 1 to 500 characters that are not all blank.
        text: String,
    },
    /// Pins words above the chat: for the owner and the admins.
    Pin {
        /// The page's number.
        id: u64,
        /// The words: 1 to 500 characters that are not all blank.
        text: String,
    },
    /// Unpins words: for the owner and the admins.
    Unpin {
        /// The page's number.
        id: u64,
        /// The number of what is pinned.
        pin: u64,
    },
    /// Says who may speak: for the owner and the admins.
    #[serde(rename = "speak-mode")]
    SpeakMode {
        /// The page's number.
        id: u64,
        /// Who.
        mode: Speak,
    },
    /// Takes a message back: one's own, or for the owner and the admins.
    Retract {
        /// The page's number.
        id: u64,
        /// The message's number in the room.
        seq: u64,
    },
    /// Changes the crowd.
    Controls(ControlsChange),
    /// Starts the recording again.
    Reset,
}

/// New settings of the crowd; what is left out stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ControlsChange {
    /// The speed of the recording, 1 to 100.
    pub(crate) speed: Option<f64>,
    /// Likes a second.
    pub(crate) likes: Option<u32>,
    /// Gifts a minute.
    pub(crate) gifts: Option<u32>,
    /// The share of the simulated viewers that are slow, in percent.
    pub(crate) slow: Option<u8>,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It is no request at all: the connection is to be closed with this reason.
    Malformed(String),
    /// It asks for what cannot be: answer it, with its `id` if it has one, and go on.
    Invalid {
        /// The page's number for it.
        id: Option<u64>,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// The token in the query of the WebSocket's address with which a page comes back.
pub(crate) fn token_of(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix("token=")).map(percent_decoded)
}

impl Visitor {
    /// Reads the query of the WebSocket's address; the error is a line for the visitor.
    pub(crate) fn from_query(query: &str) -> Result<Self, String> {
        let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let value =
            |key| pairs().find(|&(found, _)| found == key).map(|(_, value)| percent_decoded(value));
        match pairs().find(|(key, _)| matches!(*key, "guest" | "name")) {
            Some(("guest", _)) => Ok(Self::Guest),
            Some((_, name)) => {
                Ok(Self::Named { nick: nick(&percent_decoded(name))?, key: key(value("key"))? })
            }
            None => Err("nobody is named: want /ws?name=… or /ws?guest".to_owned()),
        }
    }
}

impl Request {
    /// Reads a text frame.
    pub(crate) fn parse(frame: &str) -> Result<Self, Rejection> {
        let request: Self = serde_json::from_str(frame).map_err(|error| {
            Rejection::Malformed(format!("not a request of this protocol: {error}"))
        })?;
        match request.flaw() {
            Some(reason) => Err(Rejection::Invalid { id: request.id(), reason }),
            None => Ok(request),
        }
    }

    fn id(&self) -> Option<u64> {
        match self {
            Self::Say { id, .. }
            | Self::Gift { id, .. }
            | Self::Like { id, .. }
            | Self::MuteRoom { id, .. }
            | Self::Notice { id, .. }
            | Self::Retract { id, .. }
            | Self::Pin { id, .. }
            | Self::Unpin { id, .. }
            | Self::SpeakMode { id, .. }
            | Self::Moderate(Order { id, .. }) => Some(*id),
            Self::Controls(_) | Self::Reset => None,
        }
    }

    fn flaw(&self) -> Option<String> {
        match self {
            Self::Say { text, .. } | Self::Notice { text, .. } | Self::Pin { text, .. }
                if text.trim().is_empty() =>
            {
                Some("the text is empty: say something".to_owned())
            }
            Self::Say { text, .. } | Self::Notice { text, .. } | Self::Pin { text, .. } => {
                let length = text.chars().count();
                (length > MAX_TEXT_CHARS).then(|| {
                    format!("the text has {length} characters: want at most {MAX_TEXT_CHARS}")
                })
            }
            Self::Gift { name, .. } if !GIFTS.iter().any(|gift| gift.name == name) => {
                let shown: String = name.chars().take(MAX_NICK_CHARS).collect();
                Some(format!("no gift is called {shown:?}: want one of {}", names()))
            }
            Self::Gift { count, .. } => out_of("the number of gifts", *count, 1, MAX_GIFT_COUNT),
            Self::Like { count, .. } => out_of("the number of likes", *count, 1, MAX_LIKE_COUNT),
            Self::Moderate(order) => order.flaw(),
            Self::Controls(change) => change.flaw(),
            Self::SpeakMode { mode: Speak { who: Speakers::Members, seconds, .. }, .. } => {
                out_of("the seconds", seconds.unwrap_or_default(), 1, MAX_SECONDS)
            }
            Self::SpeakMode { mode, .. } if mode.seconds.is_some() => {
                Some("only members have seconds: leave them out".to_owned())
            }
            Self::MuteRoom { .. }
            | Self::Retract { .. }
            | Self::Unpin { .. }
            | Self::SpeakMode { .. }
            | Self::Reset => None,
        }
    }
}

impl ControlsChange {
    fn flaw(&self) -> Option<String> {
        let speed = self.speed.filter(|&speed| Speed::new(speed).is_none());
        speed
            .map(|speed| format!("the speed is {speed}: want {} to {}", Speed::MIN, Speed::MAX))
            .or_else(|| out_of("likes a second", self.likes?, 0, MAX_LIKES_PER_SECOND))
            .or_else(|| out_of("gifts a minute", self.gifts?, 0, MAX_GIFTS_PER_MINUTE))
            .or_else(|| out_of("the percentage of slow viewers", self.slow?.into(), 0, 100))
    }
}

fn nick(name: &str) -> Result<String, String> {
    let nick = name.trim();
    let length = nick.chars().count();
    if length == 0 {
        Err("the name is empty: want 1 to 20 characters".to_owned())
    } else if length > MAX_NICK_CHARS {
        Err(format!("the name has {length} characters: want at most {MAX_NICK_CHARS}"))
    } else if nick.chars().any(char::is_control) {
        Err("the name has a control character: want letters, digits, signs".to_owned())
    } else {
        Ok(nick.to_owned())
    }
}

fn key(key: Option<String>) -> Result<String, String> {
    let key = key.unwrap_or_default();
    let length = key.chars().count();
    if length > MAX_KEY_CHARS {
        Err(format!("the key has {length} characters: want at most {MAX_KEY_CHARS}"))
    } else {
        Ok(key)
    }
}

/// Undoes the encoding of a query's value; what is not encoded well stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*first),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
