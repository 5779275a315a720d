//! The room: what a message carries, which messages matter more, and how the room sheds when it is too hot.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use roomcast::config::SystemMessages;
use roomcast::error::ConfigError;
use roomcast::event::{SystemMessage, SystemMessageKind};
use roomcast::message::content_key;
use roomcast::{Kind, Payload, PerLevel, Priority, Publish, RoomConfig, Source, UserId};

use crate::message::What;
use crate::options::Options;
use crate::tip::Tip;

/// Who owns the room: the first visitor who comes by name, who is nobody yet when the room is made.
pub(crate) const OWNER: UserId = UserId(0);

/// Users with a number from here on are simulated viewers. Whoever speaks has a name.
const FIRST_VIEWER: u64 = 1 << 32;

/// The counter of the likes.
pub(crate) const LIKES: &str = "likes";

/// Whoever comes is handed so many messages that went out last, as history.
const EARLIER: u32 = 24;

/// So far behind a session may be in chat and likes before it skips: stale chat is worse than none.
const LOG_SECONDS: u32 = 4;

/// What a message carries: who says what, encoded for the page at most once, whoever gets it.
#[derive(Debug)]
pub(crate) struct Said {
    /// The sender's name.
    pub(crate) nick: Arc<str>,
    /// What is said.
    pub(crate) what: What,
    /// What the page gets, made by the first connection that needs it.
    pub(crate) encoded: OnceLock<Arc<str>>,
}

impl Payload for Said {
    fn size(&self) -> usize {
        self.nick.len()
            + match &self.what {
                What::Text { text } | What::SuperChat { text, .. } | What::Notice { text } => {
                    text.len()
                }
                What::Tip(tip) => tip.size(),
                What::Gift { name, .. } => name.len(),
                What::Retracted { seqs } => size_of_val(&**seqs),
                What::Pinned { text, .. } => text.len(),
                What::Pins { pins } => size_of_val(&**pins),
                What::Like { .. } | What::Guard { .. } | What::Total { .. } => 0,
            }
    }

    /// Chat is the same in capitals; the rest may always be repeated.
    fn content_key(&self) -> Option<u64> {
        let What::Text { text } = &self.what else { return None };
        Some(content_key(&text.trim().to_lowercase()))
    }

    /// Of what the engine can tell, this room leaves to it what was taken back and what is pinned; the rest
    /// it says itself, with the names of those who did it.
    fn system_message(tip: &SystemMessage<'_>) -> Option<Self> {
        let what = match tip {
            SystemMessage::Retracted { seqs } => {
                What::Retracted { seqs: seqs.iter().map(|seq| seq.0).collect() }
            }
            SystemMessage::Pinned { pinned, .. } => {
                What::Pins { pins: pinned.iter().map(|pin| pin.0).collect() }
            }
            _ => return None,
        };
        Some(Self { nick: "".into(), what, encoded: OnceLock::new() })
    }
}

/// What matters more: what the host says, gifts and what was paid for, then chat, then likes.
pub(crate) fn level(what: &What) -> Priority {
    match what {
        What::Text { .. } | What::Tip(Tip::Joined { .. }) => Priority::Normal,
        What::Like { .. } => Priority::Low,
        What::Gift { .. }
        | What::SuperChat { .. }
        | What::Guard { .. }
        | What::Notice { .. }
        | What::Total { .. }
        | What::Retracted { .. }
        | What::Pinned { .. }
        | What::Pins { .. }
        | What::Tip(_) => Priority::High,
    }
}

/// The message that offers this to the room.
pub(crate) fn offer(source: Source, nick: Arc<str>, what: What) -> Publish<Said> {
    let level = level(&what);
    let kind = match what {
        What::Text { .. } | What::SuperChat { .. } => Kind::Text,
        What::Gift { .. } | What::Like { .. } | What::Guard { .. } => Kind::Custom,
        What::Tip(_) | What::Retracted { .. } | What::Pins { .. } => Kind::System,
        // Beside the room's rate: they reach everyone, however hot the room is.
        What::Notice { .. } | What::Pinned { .. } | What::Total { .. } => Kind::Notice,
    };
    let likes = if let What::Like { count } = what { Some(count) } else { None };
    let said = Said { nick, what, encoded: OnceLock::new() };
    let publish = Publish::new(source, said).priority(level).kind(kind);
    match likes {
        // All of them count, shed or not, unless the sender may not speak.
        Some(likes) => publish.units(likes.into()).counted(LIKES),
        None => publish,
    }
}

/// The user who spoke in the recording under this number.
pub(crate) fn sender(number: u64) -> UserId {
    UserId(1 + number)
}

/// The simulated viewer of this number: every other one is a guest.
pub(crate) fn viewer(number: u32) -> Option<UserId> {
    number.is_multiple_of(2).then(|| UserId(FIRST_VIEWER + u64::from(number)))
}

/// How long a slow viewer looks away each time: always longer than the log reaches back when the room is hot.
pub(crate) fn nap(viewer: u32) -> Duration {
    Duration::from_millis(5_000 + u64::from(viewer % 40) * 100)
}

/// A room that is made to be too hot.
///
/// - A tenth of the tokens is kept for gifts, so that one goes out at once even while chat takes all that comes in.
/// - The senders take turns (`RoundRobin`), and their turns are remembered: a flooder gets no more of the room than anybody else.
/// - When the queue is full, the sender who holds most of the lowest level gives way (`BiggestSender`): he evicts himself.
/// - What cannot go out in time is refused at once: chat and likes within 200 ms, gifts within 3 s; and nobody is handed what is
///   older than 2 s, a gift than a minute. All that, and the memory of turns, is `RoomConfig::default()`.
/// - Whoever comes sees what was said just before.
/// - What is taken back or unpinned is told, so that pages show it no more.
pub(crate) fn config(options: &Options) -> Result<RoomConfig, ConfigError> {
    let recent = options.rate.saturating_mul(LOG_SECONDS).max(64);
    let config = RoomConfig::default()
        .to_builder()
        .owner(OWNER)
        .rate(options.rate)
        .burst(options.rate)
        .reserve(PerLevel([options.rate / 10, 0, 0, 0]))
        .queue_messages(options.queue)
        .queue_bytes((u64::from(options.queue) * 256).max(4 << 20))
        .log_messages(PerLevel([recent.max(512), recent, recent, recent]))
        .replay_on_join(EARLIER)
        .system_messages(
            SystemMessages::NONE
                .with(SystemMessageKind::Retracted, Some(Priority::High))
                .with(SystemMessageKind::Pinned, Some(Priority::High)),
        )
        .seed(options.seed);
    config.build()
}
