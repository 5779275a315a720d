//! Masks: what a session does not want is settled without a look at the session.
//!
//! The cursor of a masked level stays where the mask was set, and the accounts keep how many such
//! cursors there are and what they add up to: what has been dispatched to them meanwhile is one
//! subtraction.

use super::super::cold_state::ColdState;
use super::super::plan::readable;
use super::Crowd;
use crate::level_set::LevelSet;
use crate::log::Log;
use crate::message::Payload;
use crate::priority::Priority;

impl<M: Payload> Crowd<M> {
    /// Sets the levels that a session does not want, in place of those it did not want before.
    pub(in crate::audience) fn set_masked_levels(
        &mut self,
        log: &Log<M>,
        slot: u32,
        mask: LevelSet,
    ) {
        let old = self.mask_of(slot);
        if mask == old {
            return;
        }
        for level in Priority::ALL {
            match (old.contains(level), mask.contains(level)) {
                (false, true) => self.start_mask(log, slot, level),
                (true, false) => self.stop_mask(log, slot, level),
                _ => {}
            }
        }
        self.cold_mut(slot).set_masked_levels(mask);
        self.drop_blank_aside(slot);
    }

    /// Returns the levels that a session does not want.
    pub(in crate::audience) fn mask_of(&self, slot: u32) -> LevelSet {
        self.cold(slot).map_or(LevelSet::EMPTY, ColdState::mask)
    }

    /// Returns whether the cursor of a level stands still while the head moves on. Not that of a
    /// session that ends: nothing more becomes due for it.
    pub(super) fn is_masked(&self, slot: u32, level: Priority) -> bool {
        self.cold(slot).is_some_and(|cold| cold.mask().contains(level) && cold.ending().is_none())
    }

    /// What the session had not read is excluded, but for what it could not read any more: that
    /// it has missed, and is told. From here on its cursor stands still.
    fn start_mask(&mut self, log: &Log<M>, slot: u32, level: Priority) {
        let head = log.head(level);
        let ending = self.ending(slot);
        let end = ending.map_or(head, |ending| ending.ends[level]);
        let cursor = self.sessions.cursor(slot, level, end);
        let (from, stop) = readable(log, self.cold(slot), level, cursor..end);
        self.skip(log, slot, level, cursor..from, log.overrun(level));
        let mut unread = self.pass(slot, level, from..stop);
        if stop < end {
            // Behind history it could read on only from where messages are young enough.
            let from = log.floor(level).min(end);
            self.skip(log, slot, level, stop..from, log.overrun(level));
            unread += self.pass(slot, level, from..end);
        }
        self.add_excluded(slot, level, unread);
        if ending.is_none() {
            self.accounts.mask(level, head);
        }
    }

    /// What was dispatched meanwhile is excluded for good, and the cursor moves again.
    pub(super) fn stop_mask(&mut self, log: &Log<M>, slot: u32, level: Priority) {
        if self.is_masked(slot, level) {
            self.settle_mask(log, slot, level);
            self.accounts.unmask(level, log.head(level));
        }
    }

    /// Moves the cursor of a masked level to the head.
    pub(super) fn settle_mask(&mut self, log: &Log<M>, slot: u32, level: Priority) {
        let head = log.head(level);
        let passed = head - self.sessions.cursor(slot, level, head);
        self.sessions.set_cursor(slot, level, head);
        self.accounts.move_masked(level, passed);
        self.add_excluded(slot, level, passed);
    }

    pub(super) fn add_excluded(&mut self, slot: u32, level: Priority, count: u64) {
        if count > 0 {
            self.life_counters.exclude(slot, level, count);
            self.accounts.exclude(level, count);
        }
    }
}
