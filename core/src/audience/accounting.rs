//! The books of the audience: sums that are kept, so that no walk is needed.

use super::Audience;
use crate::ledger::Deliveries;
use crate::message::Payload;
use crate::priority::Priority;

/// The books of one level over all sessions, kept so that no walk is needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Of the live sessions: their start positions, their cursors, their own messages that they
    /// have not passed. The positions are summed modulo 2⁶⁴: what is told is how far behind they
    /// are in all, and that fits.
    pub(super) starts: u64,
    pub(super) cursors: u64,
    pub(super) own_unread: u64,
    /// How many live sessions have masked the level, and the sum of their cursors, modulo 2⁶⁴.
    masked: u64,
    masked_cursors: u64,
    /// Of the ending sessions: what they have not read.
    pub(super) ending_pending: u64,
    /// `due` that no longer follows from a start position: of sessions that end or ended, and what
    /// the hand folded.
    pub(super) settled_due: u64,
    pub(super) delivered: u64,
    pub(super) skipped: u64,
    /// Without what stands between the cursors of masked levels and the head.
    pub(super) excluded: u64,
    pub(super) abandoned: u64,
}

impl Sums {
    /// Live sessions without cold state have read so many messages.
    pub(super) fn add_read(&mut self, messages: u64) {
        self.cursors = self.cursors.wrapping_add(messages);
        self.delivered += messages;
    }

    /// A session comes that starts here.
    pub(super) fn add_come(&mut self, start: u64) {
        self.starts = self.starts.wrapping_add(start);
        self.cursors = self.cursors.wrapping_add(start);
    }

    /// A live session without cold state goes.
    pub(super) fn add_gone(&mut self, head: u64, start: u64, cursor: u64) {
        self.starts = self.starts.wrapping_sub(start);
        self.cursors = self.cursors.wrapping_sub(cursor);
        self.settled_due += head - start;
        self.abandoned += head - cursor;
    }

    /// A live session masks the level, with its cursor at `head`.
    pub(super) fn add_mask(&mut self, head: u64) {
        self.masked += 1;
        self.masked_cursors = self.masked_cursors.wrapping_add(head);
    }

    /// It does so no longer.
    pub(super) fn remove_mask(&mut self, head: u64) {
        self.masked -= 1;
        self.masked_cursors = self.masked_cursors.wrapping_sub(head);
    }

    /// The cursor of a masked level moves on.
    pub(super) fn move_mask(&mut self, messages: u64) {
        self.cursors = self.cursors.wrapping_add(messages);
        self.masked_cursors = self.masked_cursors.wrapping_add(messages);
    }
}

impl<M: Payload> Audience<M> {
    /// The books of one level over all sessions that are and were in.
    pub(super) fn sum_of(&self, level: Priority) -> Deliveries {
        let sums = &self.sums[level];
        let reached = u64::from(self.live).wrapping_mul(self.log.head(level));
        let masked =
            sums.masked.wrapping_mul(self.log.head(level)).wrapping_sub(sums.masked_cursors);
        Deliveries {
            due: sums.settled_due + reached.wrapping_sub(sums.starts),
            delivered: sums.delivered,
            skipped: sums.skipped,
            pending: sums.ending_pending + reached.wrapping_sub(sums.cursors)
                - sums.own_unread
                - masked,
            excluded: sums.excluded + masked,
            abandoned: sums.abandoned,
        }
    }

    pub(super) fn deliveries_of(&self, slot: u32, level: Priority) -> Deliveries {
        let cold = self.cold(slot);
        // An ending session's positions are seen from where it ends: the head moves on, and
        // nobody's hand follows it.
        let end = cold
            .and_then(|cold| cold.ending)
            .map_or(self.log.head(level), |ending| ending.ends[level]);
        let (start, cursor) =
            (self.sessions.start(slot, level, end), self.sessions.cursor(slot, level, end));
        let Some(cold) = cold else {
            return Deliveries {
                due: end - start,
                delivered: cursor - start,
                pending: end - cursor,
                ..Deliveries::default()
            };
        };
        let masked = if cold.mask.contains(level) { end - cursor } else { 0 };
        let cold = &cold.levels[level];
        let passed_own = cold.excluded - cold.own_unread();
        Deliveries {
            due: cold.folded + end - start,
            delivered: cold.folded + cursor - start - cold.skipped - passed_own,
            skipped: cold.skipped,
            pending: end - cursor - cold.own_unread() - masked,
            excluded: cold.excluded + masked,
            abandoned: 0,
        }
    }
}
