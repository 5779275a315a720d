//! The plan of a batch: what a session would take now, computed without changing anything.

use super::batch::Budget;
use super::cold_state::{ColdState, split};
use super::positions::{Positions, widen};
use crate::gap::Skips;
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use core::ops::Range;

/// What one session would take now.
#[derive(Clone, Copy, Debug)]
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
    /// Where it starts to read: at its cursor, or behind what has fallen out of the log or is too
    /// old for it.
    pub(super) from: u64,
    /// Where it will stand.
    pub(super) to: u64,
    /// What it is to be told that it missed.
    pub(super) gap: Skips,
    /// Messages of its own from `from` to `to`.
    pub(super) own: u32,
    /// Messages of others there that were taken back.
    pub(super) withdrawn: u32,
    /// Direct messages.
    pub(super) directs: u32,
}

/// Where a session stands and where it will stand, and the messages of each level between the two
/// that it gets: all that has to be known to move one without cold state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) here: Positions,
    pub(super) there: Positions,
    pub(super) counts: PerLevel<u32>,
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
        let gap = Skips::NONE;
        Self { cursor, from: cursor, to: cursor, gap, own: 0, withdrawn: 0, directs: 0 }
    }
}

impl Plan {
    /// Returns what becomes of a session without cold state that takes this.
    ///
    /// Not inlined: out of memory, the positions of a session are one value, which a sweep writes
    /// for each in one go; in registers they would be four.
    #[inline(never)]
    pub(super) fn step(&self) -> Step {
        let levels = &self.levels.0;
        Step {
            here: levels.map(|level| level.cursor as u32),
            there: levels.map(|level| level.to as u32),
            // No log holds more than 32 bits count.
            counts: PerLevel(levels.map(|level| (level.to - level.from) as u32 - level.withdrawn)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0
            && self.directs == 0
            && self.levels.values().all(|level| level.gap == Skips::NONE)
    }

    /// The key, unless there is a gap, something of the session's own, something that was taken back,
    /// something that was sent to it alone, or something from before it came.
    fn shared_key<M>(&self, cold: Option<&ColdState<M>>) -> Option<BatchKey> {
        let levels = &self.levels.0;
        // Only whoever has cold state can be told of a gap and stand where it stood.
        let is_alone =
            |level: &LevelRange| level.own > 0 || level.withdrawn > 0 || level.from != level.cursor;
        let is_told = || levels.iter().any(|level| level.gap != Skips::NONE);
        if self.directs > 0
            || levels.iter().any(is_alone)
            || cold.is_some_and(|cold| is_told() || self.has_history(cold))
        {
            return None;
        }
        Some(BatchKey::new(levels.map(|level| level.from), levels.map(|level| level.to)))
    }
}

impl Plan {
    /// Returns whether any of it was there before the session came.
    pub(super) fn has_history<M>(&self, cold: &ColdState<M>) -> bool {
        let mut levels = self.levels.iter();
        levels.any(|(level, plan)| plan.from < plan.to.min(cold.history(level)))
    }
}

/// Whether a position is that of a message of the session's own.
pub(super) fn is_own<M>(cold: Option<&ColdState<M>>, level: Priority, position: u64) -> bool {
    cold.is_some_and(|cold| cold.level(level).is_own(position))
}

impl Plan {
    /// Plans what a session would take that stands at these cursors.
    pub(super) fn new<M: Payload>(
        log: &Log<M>,
        cold: Option<&ColdState<M>>,
        cursors: &Positions,
        budget: Budget,
    ) -> Self {
        let ending = cold.and_then(ColdState::ending);
        let levels = PerLevel([LevelRange::standing(0); Priority::NUM]);
        let mut plan = Self { levels, messages: 0, directs: 0, more: false, key: None };
        let left = Budget { messages: budget.messages.max(1), ..budget };
        let mut planner = Planner { log, cold, left, plan: &mut plan };
        for level in Priority::ALL {
            let end = ending.map_or(log.head(level), |ending| ending.ends[level]);
            let unread = widen(end, cursors[level.index()])..end;
            planner.plan.levels[level] = planner.add_level(level, unread);
        }
        plan.key = plan.shared_key(cold);
        plan
    }
}

/// A plan on its way, one level after the other.
struct Planner<'a, M> {
    log: &'a Log<M>,
    cold: Option<&'a ColdState<M>>,
    /// What the budget still allows.
    left: Budget,
    plan: &'a mut Plan,
}

impl<M: Payload> Planner<'_, M> {
    /// Plans one level, and counts what that adds.
    fn add_level(&mut self, level: Priority, unread: Range<u64>) -> LevelRange {
        let Self { log, cold, left, plan } = self;
        let cold = *cold;
        let (cursor, end) = (unread.start, unread.end);
        if cursor == end && cold.is_none() {
            return LevelRange::standing(cursor);
        }
        let (untold, own_unread, is_masked) = cold.map_or((Skips::NONE, 0, false), |cold| {
            let of_level = cold.level(level);
            (of_level.untold(), of_level.own_unread(), cold.mask().contains(level))
        });
        let waiting = cold.and_then(ColdState::inbox).map(|inbox| inbox.at(level));
        // Nobody reads a masked level; a gap from before is still told.
        let end = if is_masked { cursor } else { end };
        if left.messages == 0 {
            // Not the distance of two positions: what is left may be the session's own messages,
            // which are not due.
            let is_waited_for = waiting.is_some_and(|waiting| !waiting.is_empty());
            plan.more |= untold != Skips::NONE || end - cursor > own_unread || is_waited_for;
            return LevelRange::standing(cursor);
        }
        let (from, stop) = readable(log, cold, level, cursor..end);
        let mut gap = untold;
        if from > cursor {
            let (missed, overrun) = (cursor..from, log.overrun(level));
            let skips = match cold {
                Some(cold) => cold.level(level).skips(&missed, overrun),
                None => split(&missed, overrun),
            };
            gap += skips.with_lost(log.lost_in(level, &missed));
        }
        let (mut to, mut own, mut withdrawn, mut directs) = (from, 0, 0, 0);
        loop {
            let direct = waiting.and_then(|waiting| waiting.get(directs as usize));
            let direct = direct.filter(|held| held.follows <= to || to == end);
            let bytes = if let Some(held) = direct {
                held.bytes
            } else {
                let message = (to < stop).then(|| log.get(level, to)).flatten();
                let Some(message) = message else { break };
                if is_own(cold, level, to) {
                    own += 1;
                    to += 1;
                    continue;
                }
                if log.is_withdrawn(level, to) {
                    withdrawn += 1;
                    to += 1;
                    continue;
                }
                message.bytes
            };
            let is_first = plan.messages + plan.directs == 0;
            if left.messages == 0 || (bytes > left.bytes && !is_first) {
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
        if stop < end {
            // The next batch goes on with the gap that follows, and nothing lower comes before.
            left.messages = 0;
            plan.more = true;
        }
        LevelRange { cursor, from, to, gap, own, withdrawn, directs }
    }
}

/// Returns where a session starts to read of what is `unread`, and where at the latest the batch
/// ends: what is not in the log any more it has missed; and so it has what is too old, unless that
/// was there before it came. Behind such history, what is too old is a gap, which begins a batch.
pub(super) fn readable<M: Payload>(
    log: &Log<M>,
    cold: Option<&ColdState<M>>,
    level: Priority,
    unread: Range<u64>,
) -> (u64, u64) {
    let end = unread.end;
    let (held, floor) = (unread.start.max(log.tail(level).min(end)), log.floor(level).min(end));
    if floor <= held {
        return (held, end);
    }
    let Some(cold) = cold else { return (floor, end) };
    let (history, of_level) = (cold.history(level).min(end), cold.level(level));
    let is_due = |range: Range<u64>| {
        let own = || of_level.own_below(range.end) - of_level.own_below(range.start);
        range.start < range.end && range.end - range.start > own()
    };
    if !is_due(held..history.min(floor)) {
        return (floor, end);
    }
    if !is_due(history..floor) {
        return (held, end);
    }
    // Its own messages in between it passes.
    (held, (history..floor).find(|&position| !of_level.is_own(position)).unwrap_or(floor))
}
