//! What sessions have counted over their whole lives, in columns beside the cursors.
//!
//! It is nothing that reading needs: a session that only has counts is read on the fast path. A
//! column is made by the chunk, when somebody there counts for the first time.
//! [Decision D47](crate::design#d47-cold-state-comes-and-goes).

use super::positions::Span;
use crate::chunked::Chunked;
use crate::ledger::Deliveries;
use crate::priority::{PerLevel, Priority};
use alloc::collections::BTreeMap;

/// The counts of all sessions, by slot.
#[derive(Debug)]
pub(super) struct LifeCounters {
    skipped: Chunked<[u32; Priority::NUM]>,
    excluded: Chunked<[u16; Priority::NUM]>,
    /// What the columns are too narrow for, and what the hand has folded.
    wide: BTreeMap<u32, PerLevel<Counts>>,
}

/// The counts of one session at one level.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Missed, told or not.
    skipped: u64,
    /// Its own messages, passed or not, and those of a level while that was masked; of the latter
    /// those before the cursor.
    excluded: u64,
    /// Dispatched before the start position that the session keeps now.
    folded: u64,
}

/// What becomes of the messages ahead of a session's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// It is to read them, but for so many of its own.
    Delivery { own: u64 },
    /// It has masked the level.
    Masked,
}

impl Counts {
    /// Returns the books of a session with these counts that stands here.
    pub(super) fn deliveries(&self, Span { start, cursor, end }: Span, ahead: Ahead) -> Deliveries {
        let (own, masked) = match ahead {
            Ahead::Delivery { own } => (own, 0),
            Ahead::Masked => (0, end - cursor),
        };
        let passed = self.folded + cursor - start;
        Deliveries {
            due: self.folded + end - start,
            delivered: passed - self.skipped - (self.excluded - own),
            skipped: self.skipped,
            pending: end - cursor - own - masked,
            excluded: self.excluded + masked,
            abandoned: 0,
        }
    }
}

impl LifeCounters {
    /// With nothing counted.
    pub(super) const fn new() -> Self {
        Self { skipped: Chunked::new(), excluded: Chunked::new(), wide: BTreeMap::new() }
    }

    /// Returns the counts of a session.
    pub(super) fn get(&self, slot: u32, level: Priority) -> Counts {
        let wide = if self.wide.is_empty() { None } else { self.wide.get(&slot) };
        let mut counts = wide.map_or_else(Counts::default, |wide| wide[level]);
        counts.skipped += self.skipped.get(slot).map_or(0, |row| row[level.index()].into());
        counts.excluded += self.excluded.get(slot).map_or(0, |row| row[level.index()].into());
        counts
    }

    /// A session has missed so many messages.
    pub(super) fn skip(&mut self, slot: u32, level: Priority, messages: u64) {
        self.skipped.touch(slot, [0; Priority::NUM]);
        let place = &mut self.skipped[slot][level.index()];
        let sum = u64::from(*place) + messages;
        *place = u32::try_from(sum).unwrap_or_default();
        if u64::from(*place) != sum {
            self.wide.entry(slot).or_default()[level].skipped += sum;
        }
    }

    /// So many messages are not meant for a session.
    #[inline]
    pub(super) fn exclude(&mut self, slot: u32, level: Priority, messages: u64) {
        self.excluded.touch(slot, [0; Priority::NUM]);
        let place = &mut self.excluded[slot][level.index()];
        let sum = u64::from(*place) + messages;
        *place = u16::try_from(sum).unwrap_or_default();
        if u64::from(*place) != sum {
            self.wide.entry(slot).or_default()[level].excluded += sum;
        }
    }

    /// The start position that a session keeps moves on so far.
    pub(super) fn fold(&mut self, slot: u32, level: Priority, positions: u64) {
        self.wide.entry(slot).or_default()[level].folded += positions;
    }

    /// A session is gone: whoever takes its slot begins with nothing.
    #[inline]
    pub(super) fn clear(&mut self, slot: u32) {
        if let Some(row) = self.skipped.get_mut(slot) {
            *row = [0; Priority::NUM];
        }
        if let Some(row) = self.excluded.get_mut(slot) {
            *row = [0; Priority::NUM];
        }
        if !self.wide.is_empty() {
            self.wide.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: Priority = Priority::Low;

    fn counts(counters: &LifeCounters, slot: u32) -> (u64, u64, u64) {
        let Counts { skipped, excluded, folded } = counters.get(slot, LEVEL);
        (skipped, excluded, folded)
    }

    #[test]
    fn d47_counts_hold_past_the_width_of_their_columns() {
        let mut counters = LifeCounters::new();
        let (mut skipped, mut excluded) = (0, 0);
        let steps = [1, 65_534, 1, 65_535, 65_536, u64::from(u32::MAX), 1, 1 << 40, 3, 65_532];
        for step in steps.into_iter().cycle().take(1_000) {
            counters.skip(5, LEVEL, step);
            counters.exclude(5, LEVEL, step / 2);
            (skipped, excluded) = (skipped + step, excluded + step / 2);
            assert_eq!(counts(&counters, 5), (skipped, excluded, 0));
        }
        for _ in 0..70_000 {
            counters.exclude(1_029, LEVEL, 1);
        }
        counters.fold(1_029, LEVEL, 9);
        assert_eq!(counts(&counters, 1_029), (0, 70_000, 9));
        assert_eq!(counters.get(5, Priority::High).skipped, 0);
        // Nobody else has counted, and whoever comes next begins with nothing.
        assert_eq!((counts(&counters, 4), counts(&counters, 6)), ((0, 0, 0), (0, 0, 0)));
        counters.clear(5);
        assert_eq!((counts(&counters, 5), counts(&counters, 1_029)), ((0, 0, 0), (0, 70_000, 9)));
        counters.clear(1_029);
        assert_eq!((counts(&counters, 1_029), counters.wide.len()), ((0, 0, 0), 0));
    }

    /// Eight more are the place of cold state.
    #[test]
    fn d47_a_session_has_at_most_24_bytes_of_counts() {
        let mut counters = LifeCounters::new();
        counters.exclude(3, LEVEL, 1);
        assert_eq!((counters.excluded.len(), counters.skipped.len()), (4, 0), "made when needed");
        assert_eq!(size_of_val(&counters.excluded[3]) + size_of::<[u32; Priority::NUM]>(), 24);
    }
}
