//! What the books say of one session, and of all of them.

use super::super::cold_state::ColdState;
use super::super::life_counters::Ahead;
use super::Crowd;
use crate::direct::Directs;
use crate::gap::Skips;
use crate::ledger::Deliveries;
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};

impl<M: Payload> Crowd<M> {
    /// Returns the books of one level over all sessions that are and were in.
    pub(in crate::audience) fn deliveries(&self, log: &Log<M>, level: Priority) -> Deliveries {
        self.accounts.sum_of(level, log.head(level))
    }

    /// Returns what was skipped of each level, by cause.
    pub(in crate::audience) fn skips(&self) -> PerLevel<Skips> {
        self.accounts.skips()
    }

    /// Returns what became of every direct message, by level.
    pub(in crate::audience) fn directs(&self) -> PerLevel<Directs> {
        self.accounts.directs()
    }

    /// Returns the bytes of the direct messages that wait.
    pub(in crate::audience) fn direct_bytes(&self) -> u64 {
        self.accounts.direct_bytes()
    }

    /// Returns the books of one session at one level.
    pub(in crate::audience) fn deliveries_of(
        &self,
        log: &Log<M>,
        slot: u32,
        level: Priority,
    ) -> Deliveries {
        let cold = self.cold(slot);
        // An ending session's positions are seen from where it ends: the head moves on, and
        // nobody's hand follows it.
        let ending = cold.and_then(ColdState::ending);
        let end = ending.map_or(log.head(level), |ending| ending.ends[level]);
        let ahead = match cold {
            Some(cold) if cold.mask().contains(level) => Ahead::Masked,
            _ => Ahead::Delivery { own: cold.map_or(0, |cold| cold.level(level).own_unread()) },
        };
        let counts = self.life_counters.get(slot, level);
        counts.deliveries(self.sessions.span(slot, level, end), ahead)
    }

    /// Returns what one session has skipped of each level, by cause.
    pub(in crate::audience) fn skips_of(&self, slot: u32) -> PerLevel<Skips> {
        PerLevel::from_fn(|level| self.life_counters.get(slot, level).skipped())
    }
}
