//! Levels that a session does not want (clause B10). What is dispatched there is excluded, and so
//! is what it had not taken; what it could not take any more when it masked the level, it has
//! missed, and is told so.

use super::Oracle;
use super::listeners::Listeners;
use crate::rules::Rules;
use crate::violation::{Check, Law, same};
use roomcast_core::level_set::LevelSet;
use roomcast_core::{Instant, SessionId};

impl Listeners {
    /// The levels that a session does not want, from now on. Returns whether the session is in.
    pub fn set_masked_levels(
        &mut self,
        rules: &Rules,
        now: Instant,
        session: SessionId,
        mask: LevelSet,
    ) -> bool {
        let Some(listener) = self.here.get(&session) else { return false };
        let old = listener.mask;
        let added: Vec<_> = mask.levels().filter(|&level| !old.contains(level)).collect();
        for level in added {
            let missed = self.lost(rules, level, &self.here[&session], now);
            let Some(listener) = self.here.get_mut(&session) else { continue };
            let unread = listener.pending[level].drain(..).count();
            listener.counts[level].excluded += (unread - missed.len()) as u64;
            for (_, cause) in missed {
                listener.missed[level].add(cause);
                listener.skip(level, cause);
            }
        }
        self.here.get_mut(&session).map(|listener| listener.mask = mask).is_some()
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
        let now = self.advance_if(self.is_in(session), now);
        let is_in = self.listeners.set_masked_levels(&self.rules, now, session, mask);
        same(Law::Members, "whether the session is in that masks levels", is_in, answer)
    }
}
