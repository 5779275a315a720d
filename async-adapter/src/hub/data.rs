//! The data of one room: attributes, counters, profiles, export and import.

use super::current::Current;
use super::name::Name;
use super::names::Names;
use crate::sync::Arc;
use roomcast_core::admission::{ImportError, PersistedState};
use roomcast_core::data::DataError;
use roomcast_core::error::ProfileError;
use roomcast_core::{Payload, UserId};

/// A room's attributes at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributesSnapshot {
    /// Their version: what the next change is based on.
    pub version: u64,
    /// Keys and values, by key.
    pub entries: Vec<(String, Arc<[u8]>)>,
}

/// The data of one room: [`Room::data`](crate::Room::data).
///
/// ```
/// # use roomcast::{Hub, RoomConfig, RoomId};
/// let hub = Hub::<&str>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let version = room.data().write_attributes(None, &[("topic", Some(b"rust"))])?;
/// assert_eq!(room.data().attributes().version, version);
/// assert_eq!(room.data().add_counter("likes", 5)?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until something is asked for"]
pub struct RoomData<'a, M: Payload + Send + Sync + 'static, U = Arc<str>> {
    shared: Current<'a, M>,
    names: &'a Names<U>,
}

impl<'a, M: Payload + Send + Sync + 'static, U: Name> RoomData<'a, M, U> {
    pub(super) fn new(shared: Current<'a, M>, names: &'a Names<U>) -> Self {
        Self { shared, names }
    }

    pub(super) fn number(&self, name: U) -> UserId {
        self.names.user_id(self.shared.now(), name)
    }

    pub(super) fn name(&self, user: UserId) -> Option<U> {
        self.names.user_name(user)
    }

    /// Writes attributes, all of these changes or none; returns the new version. See
    /// [`Admission::write_attributes`](crate::core::Admission::write_attributes).
    ///
    /// # Errors
    /// Somebody else wrote first, a key, a value or their sum is too large, there are too many
    /// keys, the second's writes are used up, or the room is closed. Nothing has changed then.
    pub fn write_attributes(
        &self,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        self.shared.admit(|admission, now| admission.write_attributes(now, based_on, changes))
    }

    /// As [`write_attributes`](Self::write_attributes), and what is written ends with the last session
    /// of `owner`, who is in. A tip tells that as any other change.
    ///
    /// ```
    /// # use roomcast::{Hub, RoomConfig};
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// let ann = room.join("ann")?;
    /// let owner = room.user_id("ann");
    /// room.data().write_attributes_of(owner, None, &[("on stage", Some(b"ann"))])?;
    /// room.leave(owner)?;
    /// assert!(room.data().attributes().entries.is_empty());
    /// # drop(ann);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The user is not in, or as [`write_attributes`](Self::write_attributes).
    pub fn write_attributes_of(
        &self,
        owner: UserId,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        self.shared
            .admit(|admission, now| admission.write_attributes_of(now, owner, based_on, changes))
    }

    /// Returns all attributes, at one version. It copies the keys and shares the values.
    pub fn attributes(&self) -> AttributesSnapshot {
        self.shared.peek(|admission| {
            let entries =
                admission.attributes().map(|(key, value)| (key.to_owned(), Arc::clone(value)));
            AttributesSnapshot {
                version: admission.attributes_version(),
                entries: entries.collect(),
            }
        })
    }

    /// Sets a counter, whatever it said; returns what that was.
    ///
    /// # Errors
    /// The key is too long or empty, there are too many counters, or the room is closed.
    pub fn set_counter(&self, key: &str, value: i64) -> Result<Option<i64>, DataError> {
        self.shared.admit(|admission, _| admission.set_counter(key, value))
    }

    /// Adds to a counter; one that is missing starts at 0. Returns the sum, which never wraps.
    ///
    /// # Errors
    /// The sum would overflow, or as [`set_counter`](Self::set_counter).
    pub fn add_counter(&self, key: &str, delta: i64) -> Result<i64, DataError> {
        self.shared.admit(|admission, _| admission.add_counter(key, delta))
    }

    /// Takes a counter away; returns what it said, and `None` when there was none.
    ///
    /// # Errors
    /// The room is closed.
    pub fn remove_counter(&self, key: &str) -> Result<Option<i64>, DataError> {
        self.shared.admit(|admission, _| admission.remove_counter(key))
    }

    /// Returns all counters, by key.
    pub fn counters(&self) -> Vec<(String, i64)> {
        self.shared.peek(|admission| {
            admission.counters().map(|(key, value)| (key.to_owned(), value)).collect()
        })
    }

    /// Returns what the room carries over a restart, or to another machine: everything about people
    /// and data, and the keys of what has gone out; nothing about sessions, and no message. Mutes
    /// and bans end, and keys begin, at instants of the hub's [`Clock`](crate::Clock): those of a
    /// clock of your own must mean the same to whoever imports them, as those of the hub's default
    /// clock do. Users are told by numbers; those of names mean nobody elsewhere, so a host that
    /// has names calls [`export_named`](Self::export_named).
    pub fn export(&self) -> PersistedState {
        self.shared.peek(|admission| admission.export(self.shared.now()))
    }

    /// Takes over what a room carried, in place of what is here: all of it, or with an error
    /// nothing.
    ///
    /// # Errors
    /// A list is longer than this room may have it, or an attribute or a counter is beyond its
    /// limits.
    pub fn import(&self, carried: PersistedState) -> Result<(), ImportError> {
        self.shared.import(carried)
    }

    /// Sets what travels with a user's messages from the next one on; `None` takes it away.
    ///
    /// # Errors
    /// The user is not in, or the profile is too large. The profile comes back.
    pub fn set_profile(&self, user: UserId, profile: Option<M>) -> Result<(), ProfileError<M>> {
        self.shared.admit(|admission, _| admission.set_profile(user, profile))
    }
}
