//! What a session would take now: planned without changing anything.

use super::Audience;
use super::batch::Budget;
use super::cold_state::ColdState;
use super::positions::Positions;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};

/// What one session would take now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    pub(super) levels: PerLevel<LevelRange>,
    /// The room's messages in it, and direct ones.
    pub(super) messages: u32,
    pub(super) directs: u32,
    pub(super) more: bool,
    /// Every session with the same cursors gets the very same.
    pub(super) key: Option<BatchKey>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelRange {
    /// Where the session stands.
    pub(super) cursor: u64,
    /// Where it starts to read: at its cursor, or behind what has fallen out of the log.
    pub(super) from: u64,
    /// Where it will stand.
    pub(super) to: u64,
    /// What it is to be told that it missed.
    pub(super) gap: u64,
    /// Messages of its own from `from` to `to`.
    pub(super) own: u64,
    /// Direct messages.
    pub(super) directs: u32,
}

/// The range that a batch covers: batches with the same key, of the same room, hold the same
/// messages and no gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchKey {
    from: [u64; Priority::NUM],
    to: [u64; Priority::NUM],
}

impl BatchKey {
    pub(super) const fn new(from: [u64; Priority::NUM], to: [u64; Priority::NUM]) -> Self {
        Self { from, to }
    }
}

impl LevelRange {
    /// Nothing is taken.
    const fn standing(cursor: u64) -> Self {
        Self { cursor, from: cursor, to: cursor, gap: 0, own: 0, directs: 0 }
    }
}

impl Plan {
    /// Where a session stands, and where it will stand: the low halves.
    pub(super) fn positions(&self) -> (Positions, Positions) {
        (self.levels.0.map(|level| level.cursor as u32), self.levels.0.map(|level| level.to as u32))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0 && self.directs == 0 && self.levels.values().all(|level| level.gap == 0)
    }

    /// The key, unless there is a gap, something of the session's own, or something that was sent
    /// to it alone.
    fn shared_key(&self) -> Option<BatchKey> {
        let levels = &self.levels.0;
        let alone = self.directs > 0
            || levels
                .iter()
                .any(|level| level.gap > 0 || level.own > 0 || level.from != level.cursor);
        (!alone)
            .then(|| BatchKey::new(levels.map(|level| level.from), levels.map(|level| level.to)))
    }
}

/// Whether a position is that of a message of the session's own.
pub(super) fn is_own<M>(cold: Option<&ColdState<M>>, level: Priority, position: u64) -> bool {
    cold.is_some_and(|cold| cold.levels[level].is_own(position))
}

impl<M: Payload> Audience<M> {
    /// What a session would take now. Changes nothing.
    pub(super) fn plan(&self, slot: u32, budget: Budget) -> Plan {
        let cold = self.cold(slot);
        let ending = cold.and_then(|cold| cold.ending);
        let mut plan = Plan::default();
        let mut left = Budget { messages: budget.messages.max(1), ..budget };
        for level in Priority::ALL {
            let end = ending.map_or(self.log.head(level), |ending| ending.ends[level]);
            plan.levels[level] = self.plan_level(slot, level, end, cold, &mut left, &mut plan);
        }
        plan.key = plan.shared_key();
        plan
    }

    fn plan_level(
        &self,
        slot: u32,
        level: Priority,
        end: u64,
        cold: Option<&ColdState<M>>,
        left: &mut Budget,
        plan: &mut Plan,
    ) -> LevelRange {
        let cursor = self.sessions.cursor(slot, level, end);
        if cursor == end && cold.is_none() {
            return LevelRange::standing(cursor);
        }
        let (untold, own_unread, is_masked) = cold.map_or((0, 0, false), |cold| {
            let of_level = &cold.levels[level];
            (of_level.untold, of_level.own_unread(), cold.mask.contains(level))
        });
        let waiting = cold.and_then(|cold| cold.inbox.as_ref()).map(|inbox| inbox.at(level));
        // Nobody reads a masked level; a gap from before is still told.
        let end = if is_masked { cursor } else { end };
        if left.messages == 0 {
            // Not the distance of two positions: what is left may be the session's own messages,
            // which are not due.
            plan.more |= untold > 0
                || end - cursor > own_unread
                || waiting.is_some_and(|waiting| !waiting.is_empty());
            return LevelRange::standing(cursor);
        }
        let from = cursor.max(self.log.tail(level).min(end));
        let own_lost = cold.map_or(0, |cold| cold.levels[level].own_below(from));
        let gap = untold + (from - cursor - own_lost);
        let (mut to, mut own, mut directs) = (from, 0, 0);
        loop {
            let direct = waiting
                .and_then(|waiting| waiting.get(directs as usize))
                .filter(|held| held.follows <= to || to == end);
            let bytes = if let Some(held) = direct {
                held.direct.bytes()
            } else {
                let Some(message) = (to < end).then(|| self.log.get(level, to)).flatten() else {
                    break;
                };
                if is_own(cold, level, to) {
                    own += 1;
                    to += 1;
                    continue;
                }
                message.bytes()
            };
            if left.messages == 0 || (bytes > left.bytes && plan.messages + plan.directs > 0) {
                left.messages = 0;
                plan.more = true;
                break;
            }
            left.messages -= 1;
            left.bytes = left.bytes.saturating_sub(bytes);
            if direct.is_some() {
                plan.directs += 1;
                directs += 1;
            } else {
                plan.messages += 1;
                to += 1;
            }
        }
        LevelRange { cursor, from, to, gap, own, directs }
    }
}
