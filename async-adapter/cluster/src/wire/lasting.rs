//! What lasts of a room beside what a single process would carry over a restart.

use super::persisted::Change;
use roomcast_core::{RoomConfig, UserId};

/// What holds for a room from one owner to the next, beside its
/// [`PersistedState`](roomcast_core::admission::PersistedState).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lasting {
    /// To whom the room was handed over; `None`: it was not, and is whose the configuration says.
    pub owner: Option<UserId>,
}

impl Lasting {
    /// Takes over what a change says.
    pub(crate) fn apply(&mut self, change: &Change) {
        self.owner = change.owner.or(self.owner);
    }

    /// Returns whether a change says something of it.
    pub(crate) fn is_changed_by(change: &Change) -> bool {
        change.owner.is_some()
    }

    /// Returns the configuration by which a room is run that a node opens with `given`.
    #[must_use]
    pub fn configuration(&self, given: &RoomConfig) -> RoomConfig {
        let config = given.clone();
        let owner = self.owner.or(config.owner());
        config.with_owner(owner)
    }
}
