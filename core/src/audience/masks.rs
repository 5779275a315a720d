//! Masks: what a session does not want is settled without a look at the session.
//!
//! The cursor of a masked level stays where the mask was set, and the room's sums keep how many
//! such cursors there are and what they add up to: what has been dispatched to them meanwhile is
//! one subtraction.

use super::Audience;
use crate::ids::SessionId;
use crate::level_set::LevelSet;
use crate::message::Payload;
use crate::priority::Priority;

impl<M: Payload> Audience<M> {
    /// Sets the levels that a session does not want, in place of those it did not want before.
    /// Returns whether it is in. O(1), plus its own messages in the log.
    ///
    /// What is dispatched at a masked level is `excluded` for the session, whoever sent it. A level
    /// that becomes masked is settled: what the session had not read of it is excluded as well; a
    /// gap that it has not been told yet still is. A level that is masked no longer starts at the
    /// head.
    pub fn set_masked_levels(&mut self, session: SessionId, mask: LevelSet) -> bool {
        let Some(slot) = self.sessions.slot_of(session) else { return false };
        let old = self.mask_of(slot);
        if mask == old {
            return true;
        }
        for level in Priority::ALL {
            match (old.contains(level), mask.contains(level)) {
                (false, true) => self.start_mask(slot, level),
                (true, false) => self.stop_mask(slot, level),
                _ => {}
            }
        }
        self.cold_mut(slot).mask = mask;
        self.drop_blank_aside(slot);
        true
    }

    /// The levels that a session does not want; `None` when it is not in. O(1).
    pub fn masked_levels(&self, session: SessionId) -> Option<LevelSet> {
        self.sessions.slot_of(session).map(|slot| self.mask_of(slot))
    }

    pub(super) fn mask_of(&self, slot: u32) -> LevelSet {
        self.cold(slot).map_or(LevelSet::EMPTY, |cold| cold.mask)
    }

    /// Whether the cursor of a level stands still while the head moves on. Not that of a session
    /// that ends: nothing more becomes due for it.
    pub(super) fn is_masked(&self, slot: u32, level: Priority) -> bool {
        self.cold(slot).is_some_and(|cold| cold.mask.contains(level) && cold.ending.is_none())
    }

    /// What the session had not read is excluded; from here on its cursor stands still.
    fn start_mask(&mut self, slot: u32, level: Priority) {
        let head = self.log.head(level);
        let ending = self.ending(slot);
        let end = ending.map_or(head, |ending| ending.ends[level]);
        let cursor = self.sessions.cursor(slot, level, end);
        let unread = self.pass(slot, level, cursor, end);
        self.add_excluded(slot, level, unread);
        if ending.is_none() {
            self.sums[level].add_mask(head);
        }
    }

    /// What was dispatched meanwhile is excluded for good, and the cursor moves again.
    pub(super) fn stop_mask(&mut self, slot: u32, level: Priority) {
        if self.is_masked(slot, level) {
            self.settle_mask(slot, level);
            self.sums[level].remove_mask(self.log.head(level));
        }
    }

    /// Moves the cursor of a masked level to the head.
    pub(super) fn settle_mask(&mut self, slot: u32, level: Priority) {
        let head = self.log.head(level);
        let passed = head - self.sessions.cursor(slot, level, head);
        self.sessions.set_cursor(slot, level, head);
        self.sums[level].move_mask(passed);
        self.add_excluded(slot, level, passed);
    }

    fn add_excluded(&mut self, slot: u32, level: Priority, count: u64) {
        if count > 0 {
            self.cold_mut(slot).levels[level].excluded += count;
            self.sums[level].excluded += count;
        }
    }
}
