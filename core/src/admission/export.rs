//! What a room carries over a restart goes out, and comes in.

use super::moderation::Moderation;
use super::{Admission, ImportError, PersistedState};
use crate::data::{Attributes, Counters};
use crate::index::Hasher;
use crate::message::Payload;
use crate::time::Instant;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// What this room carries over a restart. What has lapsed by `now` is left out. Mutes and bans
    /// end at instants: whoever imports them has to count time from the same epoch.
    pub fn export(&self, now: Instant) -> PersistedState {
        let mut carried = PersistedState::default();
        self.moderation.export(self.clock.peek(now), &mut carried);
        let (attributes, counters) = (&self.attributes, &self.counters);
        carried.attributes =
            attributes.iter().map(|(key, value)| (key.into(), Arc::clone(value))).collect();
        carried.attributes_version = attributes.version();
        carried.counters = counters.iter().map(|(key, value)| (key.into(), value)).collect();
        carried
    }

    /// Takes over what a room carried, in place of what is here: all of it, or with an error
    /// nothing. Whoever is banned by it and in the room stays until they leave; the owner, if named
    /// among the admins, is not one. O(all of it).
    pub fn import(&mut self, now: Instant, carried: PersistedState) -> Result<(), ImportError> {
        let now = self.clock.advance(now);
        let settings = &self.settings;
        carried.check_people(settings)?;
        let mut moderation = Moderation::new(settings, Hasher::new(settings.seed()));
        moderation.import(settings, now, &carried);
        let mut attributes = Attributes::new(settings.data);
        attributes.import(carried.attributes_version, carried.attributes)?;
        let mut counters = Counters::new(settings.data);
        counters.import(carried.counters)?;
        // The quota of the writes is the room's, not what it carried.
        self.attributes.replace(attributes);
        (self.counters, self.moderation) = (counters, moderation);
        Ok(())
    }
}
