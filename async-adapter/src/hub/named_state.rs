//! What a room of names carries over a restart, by names.

#[cfg(feature = "serde")]
mod written;

use super::data::RoomData;
use super::name::Name;
use crate::room::mentions::FIRST_NAMED;
use roomcast_core::admission::{ImportError, PersistedState};
use roomcast_core::dedup::SaidKey;
use roomcast_core::message::Sender;
use roomcast_core::timed::Until;
use roomcast_core::{Payload, UserId};
use std::sync::Arc;

/// What a room carries over, with names in place of the numbers that stand for them in one process:
/// [`RoomData::export_named`](crate::moderation::RoomData::export_named).
///
/// With feature `serde` it is written as [`PersistedState`] is, with its version, and whoever has a
/// name stands under the key `names`. Numbers that stand for names are neither written nor read:
/// they mean nobody elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedState<U = Arc<str>> {
    /// Admins who have a name.
    pub admins: Vec<U>,
    /// Which of those who have a name are muted, and until when.
    pub mutes: Vec<(U, Until)>,
    /// Which of those who have a name are banned, and until when.
    pub bans: Vec<(U, Until)>,
    /// Which of those who have a name are marked.
    pub marks: Vec<U>,
    /// The keys of what those have said who have a name.
    pub said: Vec<(U, SaidKey)>,
    /// All else: attributes, counters, and the users who go by numbers of the host's own.
    pub rest: PersistedState,
}

impl<U> NamedState<U> {
    /// Nobody by name yet, and all this else.
    pub fn new(rest: PersistedState) -> Self {
        let (admins, mutes, bans, marks, said) = Default::default();
        Self { admins, mutes, bans, marks, said, rest }
    }
}

impl<M: Payload + Send + Sync + 'static, U: Name> RoomData<'_, M, U> {
    /// Returns what [`export`](Self::export) does, by names where users have them.
    ///
    /// ```
    /// # use roomcast::{Actor, Hub, RoomConfig};
    /// let config = RoomConfig::default();
    /// let old = Hub::<&str>::builder().spawn_threads()?;
    /// let room = old.open_room("stream-42", &config)?;
    /// room.moderation(Actor::Host).ban(&[room.user_id("bob")], None)?;
    /// let carried = room.data().export_named();
    ///
    /// // In another process, or in another hub.
    /// let new = Hub::<&str>::builder().spawn_threads()?;
    /// let room = new.open_room("stream-42", &config)?;
    /// room.data().import_named(carried)?;
    /// assert!(room.join("bob").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export_named(&self) -> NamedState<U> {
        let mut state = NamedState::new(self.export());
        let rest = &mut state.rest;
        rest.admins.retain(|&user| self.keeps(user, |name| state.admins.push(name)));
        rest.mutes
            .retain(|&(user, until)| self.keeps(user, |name| state.mutes.push((name, until))));
        rest.bans.retain(|&(user, until)| self.keeps(user, |name| state.bans.push((name, until))));
        rest.marks.retain(|&user| self.keeps(user, |name| state.marks.push(name)));
        rest.said.retain(|&(sender, key)| match sender {
            Sender::Host => true,
            Sender::User(user) => self.keeps(user, |name| state.said.push((name, key))),
        });
        state
    }

    /// Takes over what a room carried, in place of what is here: all of it, or with an error
    /// nothing. Each name gets the number that it has here.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub fn import_named(&self, carried: NamedState<U>) -> Result<(), ImportError> {
        let NamedState { admins, mutes, bans, marks, said, rest: mut state } = carried;
        state.admins.extend(admins.into_iter().map(|name| self.number(name)));
        state.marks.extend(marks.into_iter().map(|name| self.number(name)));
        let timed = |(name, until)| (self.number(name), until);
        state.mutes.extend(mutes.into_iter().map(timed));
        state.bans.extend(bans.into_iter().map(timed));
        let said_by = |(name, key)| (Sender::User(self.number(name)), key);
        state.said.extend(said.into_iter().map(said_by));
        self.import(state)
    }

    /// Returns whether a user goes by a number of the host's own; hands out the name if not.
    fn keeps(&self, user: UserId, named: impl FnMut(U)) -> bool {
        if user.0 < FIRST_NAMED {
            return true;
        }
        self.name(user).into_iter().for_each(named);
        false
    }
}
