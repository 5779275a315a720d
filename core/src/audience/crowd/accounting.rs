//! What the books say of one session, and of all of them.

use super::super::cold_state::Ahead;
use super::super::positions::Span;
use super::Crowd;
use crate::direct::Directs;
use crate::ledger::Deliveries;
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};

impl<M: Payload> Crowd<M> {
    /// Returns the books of one level over all sessions that are and were in.
    pub(in crate::audience) fn deliveries(&self, log: &Log<M>, level: Priority) -> Deliveries {
        self.accounts.sum_of(level, log.head(level))
    }

    /// Returns what became of every direct message, by level.
    pub(in crate::audience) fn directs(&self) -> PerLevel<Directs> {
        self.accounts.directs()
    }

    /// Returns the books of one session at one level.
    pub(in crate::audience) fn deliveries_of(
        &self,
        log: &Log<M>,
        slot: u32,
        level: Priority,
    ) -> Deliveries {
        let Some(cold) = self.cold(slot) else {
            let Span { start, cursor, end } = self.sessions.span(slot, level, log.head(level));
            return Deliveries {
                due: end - start,
                delivered: cursor - start,
                pending: end - cursor,
                ..Deliveries::default()
            };
        };
        // An ending session's positions are seen from where it ends: the head moves on, and
        // nobody's hand follows it.
        let end = cold.ending().map_or(log.head(level), |ending| ending.ends[level]);
        let ahead = if cold.mask().contains(level) { Ahead::Masked } else { Ahead::Delivery };
        cold.level(level).deliveries(self.sessions.span(slot, level, end), ahead)
    }
}
