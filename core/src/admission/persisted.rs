//! The state that a room carries over a restart, or to another machine: everything about people and
//! data, and the keys of what was said; nothing about sessions and messages.
//! [Clause B20](crate::rulebook#b20-restart-move-expiry).

#[cfg(feature = "serde")]
mod written;

use crate::config::Settings;
use crate::data::DataError;
use crate::dedup::SaidKey;
use crate::ids::UserId;
use crate::message::Sender;
use crate::speak_mode::SpeakMode;
use crate::timed::Until;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a room carries over. Plain lists, so that a host can write them as it likes; instants are
/// those of the host's clock.
///
/// With feature `serde` it is written with a [`VERSION`](Self::VERSION), to any format that says
/// itself what comes next, as JSON and CBOR do. What a reader does not know it leaves out, what
/// is not said is as in an empty room, and what a newer version wrote is refused. Users go by their
/// numbers.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use roomcast_core::admission::PersistedState;
/// use roomcast_core::{Actor, Instant, RoomConfig, RoomState, UserId};
///
/// let config = RoomConfig::av_chat_room(UserId(1));
/// let mut old: RoomState<&str> = RoomState::new(&config);
/// let now = Instant::from_secs(1);
/// old.ban(now, Actor::Host, &[UserId(7)], None)?;
/// let file = serde_json::to_string(&old.export(now))?;
///
/// let mut new: RoomState<&str> = RoomState::new(&config);
/// new.import(now, serde_json::from_str(&file)?)?;
/// assert!(new.banned_until(now, UserId(7)).is_some());
///
/// let newer = r#"{"version": 2, "banned": []}"#;
/// let error = serde_json::from_str::<PersistedState>(newer).unwrap_err();
/// assert!(error.to_string().contains("written by version 2, and this reads up to version 1"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistedState {
    /// Admins.
    pub admins: Vec<UserId>,
    /// Who is muted, and until when.
    pub mutes: Vec<(UserId, Until)>,
    /// Who is banned, and until when.
    pub bans: Vec<(UserId, Until)>,
    /// Whether the whole room is muted.
    pub room_muted: bool,
    /// Who is marked.
    pub marks: Vec<UserId>,
    /// What the room asks of those who speak. What was said, and since when who is in, are not
    /// carried.
    pub speak_mode: SpeakMode,
    /// The attributes, by key.
    pub attributes: Vec<(Box<str>, Arc<[u8]>)>,
    /// Their version.
    pub attributes_version: u64,
    /// The counters, by key.
    pub counters: Vec<(Box<str>, i64)>,
    /// The keys of what has gone out, by sender: a client that tries again after the restart is
    /// refused as before it. What still waited had not gone out and may be said again.
    pub said: Vec<(Sender, SaidKey)>,
}

/// Why what another room carried was not taken over. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A list is longer than this room may have it.
    #[error("too many {list}: {count} (limit {max})")]
    TooMany {
        /// Which list.
        list: &'static str,
        /// Its length.
        count: usize,
        /// The most.
        max: u32,
    },
    /// An attribute or a counter is beyond this room's limits.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl PersistedState {
    /// Checks that no list of people is longer than a room with these settings may have it.
    pub(super) fn check_people(&self, settings: &Settings) -> Result<(), ImportError> {
        for (list, count, max) in [
            ("admins", self.admins.len(), settings.admins),
            ("mutes", self.mutes.len(), settings.mutes),
            ("bans", self.bans.len(), settings.bans),
            ("marks", self.marks.len(), settings.marks),
        ] {
            if count > max as usize {
                return Err(ImportError::TooMany { list, count, max });
            }
        }
        Ok(())
    }
}
