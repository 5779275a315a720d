//! What a room carries over a restart, or to another machine: everything about people and data,
//! nothing about sessions and messages.

use super::Admission;
use super::moderation::Moderation;
use crate::data::{Attributes, Counters, DataError};
use crate::ids::UserId;
use crate::index::Hasher;
use crate::message::Payload;
use crate::time::Instant;
use crate::timed::Until;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a room carries over. Plain lists, so that a host can write them as it likes; instants are
/// those of the host's clock.
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
    /// The attributes, by key.
    pub attributes: Vec<(Box<str>, Arc<[u8]>)>,
    /// Their version.
    pub attributes_version: u64,
    /// The counters, by key.
    pub counters: Vec<(Box<str>, i64)>,
}

/// Why what another room carried was not taken over. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A list is longer than this room may have it.
    #[error("{count} {list}; this room may have {max}")]
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

impl<M: Payload> Admission<M> {
    /// What this room carries over a restart. What has lapsed by `now` is left out. Mutes and bans
    /// end at instants: whoever imports them has to count time from the same epoch.
    pub fn export(&self, now: Instant) -> PersistedState {
        let now = self.clock.peek(now);
        let (mut mutes, mut bans) = (self.moderation.mutes(now), self.moderation.bans(now));
        mutes.sort_unstable();
        bans.sort_unstable();
        PersistedState {
            admins: self.moderation.admins().to_vec(),
            mutes,
            bans,
            room_muted: self.moderation.counts().room_muted,
            attributes: self
                .attributes
                .iter()
                .map(|(key, value)| (key.into(), Arc::clone(value)))
                .collect(),
            attributes_version: self.attributes.version(),
            counters: self.counters.iter().map(|(key, value)| (key.into(), value)).collect(),
        }
    }

    /// Takes over what a room carried, in place of what is here: all of it, or with an error
    /// nothing. Whoever is banned by it and in the room stays until they leave; the owner, if named
    /// among the admins, is not one. O(all of it).
    pub fn import(&mut self, now: Instant, carried: PersistedState) -> Result<(), ImportError> {
        let now = self.clock.advance(now);
        let settings = &self.settings;
        for (list, count, max) in [
            ("admins", carried.admins.len(), settings.admins),
            ("mutes", carried.mutes.len(), settings.mutes),
            ("bans", carried.bans.len(), settings.bans),
        ] {
            if count > max as usize {
                return Err(ImportError::TooMany { list, count, max });
            }
        }
        let mut attributes = Attributes::new(settings.data);
        attributes.import(carried.attributes_version, carried.attributes)?;
        let mut counters = Counters::new(settings.data);
        counters.import(carried.counters)?;
        let mut moderation = Moderation::new(settings, Hasher::new(settings.seed()));
        moderation.import(
            settings,
            now,
            &carried.admins,
            (&carried.mutes, &carried.bans),
            carried.room_muted,
        );
        // The quota of the writes is the room's, not what it carried.
        self.attributes.replace(attributes);
        (self.counters, self.moderation) = (counters, moderation);
        Ok(())
    }
}
