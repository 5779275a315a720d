//! How a session goes, and the hand that sees to it that none falls too far behind.

use super::super::cold_state::Ending;
use super::super::positions::{MAX_LAG, Span};
use super::Crowd;
use crate::deferred_drops::DeferredDrops;
use crate::event::EndReason;
use crate::log::Log;
use crate::message::Payload;
use crate::priority::Priority;
use crate::time::Instant;

impl<M: Payload> Crowd<M> {
    /// A live session begins to end: it takes what it is due by now, and may do so until then.
    pub(in crate::audience) fn end(
        &mut self,
        log: &Log<M>,
        slot: u32,
        reason: EndReason,
        until: Instant,
    ) {
        self.retire(log, slot);
        self.sessions.mark_aside(slot);
        self.cold_states.end(slot, Ending { reason, until, ends: log.heads() });
    }

    /// A session is gone: what it had not read is abandoned.
    pub(in crate::audience) fn release(
        &mut self,
        log: &Log<M>,
        slot: u32,
        deferred: &mut DeferredDrops<M>,
    ) {
        self.lineage.go(slot);
        if !self.acks.is_empty() {
            self.acks.remove(&slot);
        }
        if self.sessions.is_cold(slot) {
            self.release_aside(log, slot, deferred);
        } else {
            let (starts, cursors) = self.sessions.remove(slot);
            self.accounts.go(|level| {
                let at = level.index();
                Span::widen(starts[at], cursors[at], log.head(level))
            });
        }
        self.life_counters.clear(slot);
    }

    fn release_aside(&mut self, log: &Log<M>, slot: u32, deferred: &mut DeferredDrops<M>) {
        if self.ending(slot).is_none() {
            self.retire(log, slot);
        }
        for level in Priority::ALL {
            self.accounts.abandon(level, self.deliveries_of(log, slot, level).pending);
        }
        self.abandon_directs(slot, deferred);
        self.cold_states.remove(slot);
        self.sessions.remove(slot);
    }

    /// Takes a live session out of the sums that grow: from here on, nothing more becomes due for
    /// it.
    fn retire(&mut self, log: &Log<M>, slot: u32) {
        for level in Priority::ALL {
            self.stop_mask(log, slot, level);
        }
        let (sessions, cold) = (&self.sessions, self.cold_states.get(slot));
        self.accounts.retire(|level| {
            let own_unread = cold.map_or(0, |cold| cold.level(level).own_unread());
            (sessions.span(slot, level, log.head(level)), own_unread)
        });
    }

    /// Moves the hand on to the next slot, which may be free.
    #[inline]
    pub(in crate::audience) fn next_slot(&mut self) -> u32 {
        self.hand = if self.hand + 1 < self.sessions.slots() { self.hand + 1 } else { 0 };
        self.hand
    }

    /// Looks at one slot, so that no position ever falls so far behind that its low half could mean
    /// another.
    #[inline]
    pub(in crate::audience) fn move_hand(&mut self, log: &Log<M>) {
        let slot = self.next_slot();
        let sessions = &self.sessions;
        if sessions.is_held(slot) && sessions.lags(slot, log.heads(), MAX_LAG) {
            self.bring_up(log, slot);
        }
    }

    /// Moves the positions of a session on that are too far behind, unless it ends.
    #[cold]
    fn bring_up(&mut self, log: &Log<M>, slot: u32) {
        if self.ending(slot).is_some() {
            return;
        }
        for level in Priority::ALL {
            let (head, tail) = (log.head(level), log.tail(level));
            let is_far = |position| head - position > u64::from(MAX_LAG);
            let cursor = self.sessions.cursor(slot, level, head);
            if is_far(cursor) && self.is_masked(slot, level) {
                self.settle_mask(log, slot, level);
            } else if is_far(cursor) && cursor < tail {
                self.skip(log, slot, level, cursor..tail, log.overrun(level));
            }
            let Span { start, cursor, .. } = self.sessions.span(slot, level, head);
            if is_far(start) && cursor > start {
                self.sessions.set_start(slot, level, cursor);
                self.life_counters.fold(slot, level, cursor - start);
                self.accounts.fold(level, cursor - start);
            }
        }
    }
}
