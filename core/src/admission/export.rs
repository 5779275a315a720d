//! What a room carries over a restart goes out, and comes in.

use super::moderation::Moderation;
use super::{Admission, ImportError, PersistedState};
use crate::index::Hasher;
use crate::message::Payload;
use crate::speak_mode::MaySpeak;
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// What this room carries over a restart. What has lapsed by `now` is left out. Mutes and bans
    /// end at instants: whoever imports them has to count time from the same epoch.
    pub fn export(&self, now: Instant) -> PersistedState {
        let mut carried = PersistedState::default();
        self.moderation.export(self.clock.peek(now), &mut carried);
        self.data.export(&mut carried);
        let keyed = self.pipeline.keyed().chain(self.reviews.keyed()).collect();
        carried.said = self.intake.export(self.clock.peek(now), &keyed);
        carried
    }

    /// Takes over what a room carried, in place of what is here: all of it, or with an error
    /// nothing. Whoever is banned by it and in the room stays until they leave; the owner, if named
    /// among the admins, is not one. Keys of what was said are added to those that are here, of
    /// messages that may wait; where they are too many, the oldest of the lowest level are
    /// forgotten, as ever. O(n log n) in all of it.
    pub fn import(&mut self, now: Instant, mut carried: PersistedState) -> Result<(), ImportError> {
        let now = self.clock.advance(now);
        let settings = &self.settings;
        carried.check_people(settings)?;
        let mut moderation = Moderation::new(Hasher::new(self.seed));
        moderation.import(settings, now, &carried);
        let who = carried.speak_mode.who;
        let said = core::mem::take(&mut carried.said);
        self.data.import(settings, carried)?;
        self.intake.import(now, &said);
        self.moderation.hand_on_contents(&mut moderation);
        self.moderation = moderation;
        if matches!(who, MaySpeak::MembersFor(_)) {
            self.people.note_comings();
        }
        Ok(())
    }
}
