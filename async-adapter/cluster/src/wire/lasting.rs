//! What lasts of a room beside what a single process would carry over a restart.

use super::direct::{EncodedDirect, Pin};
use super::persisted::{Change, put_each};
use roomcast_core::admission::PersistedState;
use roomcast_core::pins::PinId;
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::{RoomConfig, UserId};

/// What holds for a room from one owner to the next, beside its
/// [`PersistedState`](roomcast_core::admission::PersistedState).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lasting {
    /// To whom the room was handed over; `None`: it was not, and is whose the configuration says.
    pub owner: Option<UserId>,
    /// The configuration that the room was given while it ran, as a file in JSON; `None`: it was not, and
    /// is run by those of its nodes.
    pub config: Option<Box<str>>,
    /// What is pinned, in the order in which it was.
    pub pins: Vec<(PinId, EncodedDirect)>,
}

impl Lasting {
    /// Takes over what a change says.
    pub(crate) fn apply(&mut self, change: &Change) {
        self.owner = change.owner.or(self.owner);
        if change.config.is_some() {
            self.config.clone_from(&change.config);
        }
        put_each(&mut self.pins, change.pins.iter().cloned());
    }

    /// Something is pinned, or unpinned.
    pub(crate) fn pin(&mut self, pin: Pin) {
        put_each(&mut self.pins, [pin]);
    }

    /// Returns whether a change says something of it.
    pub(crate) fn is_changed_by(change: &Change) -> bool {
        change.owner.is_some() || change.config.is_some() || !change.pins.is_empty()
    }

    /// Returns the configuration that the room was given while it ran, which names no owner; `None`: it was
    /// not, or this version cannot read it.
    #[must_use]
    pub fn reconfigured(&self) -> Option<RoomConfig> {
        serde_json::from_str(self.config.as_ref()?).ok()
    }

    /// Returns the configuration by which a room is run that a node opens with `given`: the one that it was
    /// given while it ran, if this version can read it, for the owner that there is.
    #[must_use]
    pub fn configuration(&self, given: &RoomConfig) -> RoomConfig {
        let config = self.reconfigured().unwrap_or_else(|| given.clone());
        let config = config.with_owner(given.owner());
        let owner = self.owner.or(config.owner());
        config.with_owner(owner)
    }
}

impl Change {
    /// The change from nothing to this.
    pub fn whole(state: PersistedState, lasting: &Lasting) -> Self {
        Self {
            owner: lasting.owner,
            config: lasting.config.clone(),
            pins: lasting.pins.iter().map(|(id, pin)| (*id, Some(pin.clone()))).collect(),
            admins: state.admins,
            muted: state.mutes,
            banned: state.bans,
            room_muted: Some(state.room_muted),
            marked: state.marks,
            // Most rooms ask nothing; where nothing is said, it is as it was at first.
            speak_mode: (state.speak_mode != SpeakMode::EVERYONE).then_some(state.speak_mode),
            attributes: state
                .attributes
                .into_iter()
                .map(|(key, value)| (key, Some(value)))
                .collect(),
            attributes_version: Some(state.attributes_version),
            counters: state.counters.into_iter().map(|(key, value)| (key, Some(value))).collect(),
            said: state.said,
            ..Self::default()
        }
    }
}
