//! How a session goes, and the hand that sees to it that none falls too far behind.

use super::positions::widen;
use super::{Audience, MAX_LAG};
use crate::message::Payload;
use crate::priority::Priority;

impl<M: Payload> Audience<M> {
    /// Takes a live session out of the sums that grow: from here on, nothing more becomes due for
    /// it.
    pub(super) fn retire(&mut self, slot: u32) {
        self.live -= 1;
        for level in Priority::ALL {
            self.stop_mask(slot, level);
            let head = self.log.head(level);
            let (start, cursor) =
                (self.sessions.start(slot, level, head), self.sessions.cursor(slot, level, head));
            let own = self.cold(slot).map_or(0, |cold| cold.levels[level].own_unread());
            let sums = &mut self.sums[level];
            sums.starts = sums.starts.wrapping_sub(start);
            sums.cursors = sums.cursors.wrapping_sub(cursor);
            sums.own_unread -= own;
            sums.settled_due += head - start;
            sums.ending_pending += head - cursor - own;
        }
    }

    /// A session ends or is gone: whether it shows life is of no interest any more.
    #[inline]
    pub(super) fn watch_no_more(&mut self, slot: u32) {
        if let Some(wheel) = &mut self.wheel {
            wheel.go(slot);
        }
    }

    /// A session is gone: what it had not read is abandoned.
    pub(super) fn release(&mut self, slot: u32) {
        self.watch_no_more(slot);
        if self.sessions.is_cold(slot) {
            self.release_aside(slot);
        } else {
            self.live -= 1;
            let (starts, cursors) = self.sessions.remove(slot);
            for level in Priority::ALL {
                let head = self.log.head(level);
                let (start, cursor) =
                    (widen(head, starts[level.index()]), widen(head, cursors[level.index()]));
                self.sums[level].add_gone(head, start, cursor);
            }
        }
    }

    /// A session whose grace is over is gone.
    pub(super) fn release_late(&mut self, slot: u32) {
        self.gone.extend(self.sessions.holder(slot));
        self.release(slot);
    }

    fn release_aside(&mut self, slot: u32) {
        if self.ending(slot).is_none() {
            self.retire(slot);
        }
        for level in Priority::ALL {
            let pending = self.deliveries_of(slot, level).pending;
            self.sums[level].ending_pending -= pending;
            self.sums[level].abandoned += pending;
        }
        self.abandon_directs(slot);
        self.cold_states.remove(slot);
        self.sessions.remove(slot);
    }

    pub(super) fn next_slot(&mut self) -> u32 {
        self.hand = if self.hand + 1 < self.sessions.slots() { self.hand + 1 } else { 0 };
        self.hand
    }

    /// Looks at one slot, so that no position ever falls so far behind that its low half could mean
    /// another.
    pub(super) fn move_hand(&mut self) {
        let slot = self.next_slot();
        if !self.sessions.is_held(slot)
            || !self.sessions.lags(slot, self.heads(), MAX_LAG)
            || self.ending(slot).is_some()
        {
            return;
        }
        for level in Priority::ALL {
            let head = self.log.head(level);
            let (cursor, tail) = (self.sessions.cursor(slot, level, head), self.log.tail(level));
            if head - cursor > u64::from(MAX_LAG) && self.is_masked(slot, level) {
                self.settle_mask(slot, level);
            } else if head - cursor > u64::from(MAX_LAG) && cursor < tail {
                self.skip(slot, level, cursor, tail);
            }
            let start = self.sessions.start(slot, level, head);
            let cursor = self.sessions.cursor(slot, level, head);
            if head - start > u64::from(MAX_LAG) && cursor > start {
                self.sessions.set_start(slot, level, cursor);
                self.cold_mut(slot).levels[level].folded += cursor - start;
                self.sums[level].starts = self.sums[level].starts.wrapping_add(cursor - start);
                self.sums[level].settled_due += cursor - start;
            }
        }
    }
}
