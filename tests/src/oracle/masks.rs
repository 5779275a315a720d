//! Levels that a session does not want: what is dispatched there is excluded, and so is what it had not taken.

use super::Oracle;
use super::listeners::Listener;
use crate::violation::{Check, Law, same};
use roomcast_core::level_set::LevelSet;
use roomcast_core::{Instant, SessionId};

impl Listener {
    /// The levels that it does not want, from now on.
    pub fn set_masked_levels(&mut self, mask: LevelSet) {
        let old = std::mem::replace(&mut self.mask, mask);
        mask.levels()
            .filter(|&level| !old.contains(level))
            .for_each(|level| self.exclude_pending(level));
    }
}

impl Oracle {
    /// `RoomState::set_masked_levels` answered this.
    pub fn masked(
        &mut self,
        now: Instant,
        session: SessionId,
        mask: LevelSet,
        answer: bool,
    ) -> Check {
        self.advance(now);
        let listener = self.listeners.here.get_mut(&session);
        same(
            Law::Members,
            "whether the session is in that masks levels",
            listener.is_some(),
            answer,
        )?;
        if let Some(listener) = listener {
            listener.set_masked_levels(mask);
        }
        Ok(())
    }
}
