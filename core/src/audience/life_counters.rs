//! What sessions have counted over their whole lives, in columns beside the cursors.
//!
//! It is nothing that reading needs: a session that only has counts is read on the fast path. A
//! column is made by the chunk, when somebody there counts for the first time.
//! [Decision D47](crate::design#d47-cold-state-comes-and-goes).

use super::positions::Span;
use crate::chunked::Chunked;
use crate::gap::Skips;
use crate::ledger::Deliveries;
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// One count of each session, by slot.
type Column = Chunked<[u16; Priority::NUM]>;

/// The counts of all sessions, by slot.
#[derive(Debug)]
pub(super) struct LifeCounters {
    /// None while nobody has counted anything.
    columns: Option<Box<Columns>>,
}

#[derive(Debug, Default)]
struct Columns {
    /// Skipped as overrun, for their age, and because they never came to this machine.
    overrun: Column,
    aged: Column,
    lost: Column,
    excluded: Column,
    /// What the columns are too narrow for, and what the hand has folded.
    wide: BTreeMap<u32, PerLevel<Counts>>,
}

/// The counts of one session at one level.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Missed, told or not.
    skipped: Skips,
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
            delivered: passed - self.skipped.total() - (self.excluded - own),
            skipped: self.skipped.total(),
            pending: end - cursor - own - masked,
            excluded: self.excluded + masked,
            abandoned: 0,
        }
    }

    /// Returns what the session has missed, by cause.
    pub(super) fn skipped(&self) -> Skips {
        self.skipped
    }
}

impl LifeCounters {
    /// With nothing counted.
    pub(super) const fn new() -> Self {
        Self { columns: None }
    }

    fn columns_mut(&mut self) -> &mut Columns {
        self.columns.get_or_insert_default()
    }

    /// Returns the counts of a session.
    pub(super) fn get(&self, slot: u32, level: Priority) -> Counts {
        let Some(Columns { overrun, aged, lost, excluded, wide }) = self.columns.as_deref() else {
            return Counts::default();
        };
        let wide = if wide.is_empty() { None } else { wide.get(&slot) };
        let mut counts = wide.map_or_else(Counts::default, |wide| wide[level]);
        let of = |column: &Column| column.get(slot).map_or(0, |row| row[level.index()].into());
        counts.skipped += Skips { overrun: of(overrun), age: of(aged), bus: of(lost) };
        counts.excluded += of(excluded);
        counts
    }

    /// A session has missed so many messages.
    pub(super) fn skip(&mut self, slot: u32, level: Priority, skips: Skips) {
        if skips == Skips::NONE {
            return;
        }
        let columns = self.columns_mut();
        let more = Skips {
            overrun: count(&mut columns.overrun, slot, level, skips.overrun),
            age: count(&mut columns.aged, slot, level, skips.age),
            bus: count(&mut columns.lost, slot, level, skips.bus),
        };
        if more != Skips::NONE {
            columns.wide.entry(slot).or_default()[level].skipped += more;
        }
    }

    /// So many messages are not meant for a session.
    #[inline]
    pub(super) fn exclude(&mut self, slot: u32, level: Priority, messages: u64) {
        if messages == 0 {
            return;
        }
        let columns = self.columns_mut();
        let more = count(&mut columns.excluded, slot, level, messages);
        if more > 0 {
            columns.wide.entry(slot).or_default()[level].excluded += more;
        }
    }

    /// The start position that a session keeps moves on so far.
    pub(super) fn fold(&mut self, slot: u32, level: Priority, positions: u64) {
        self.columns_mut().wide.entry(slot).or_default()[level].folded += positions;
    }

    /// A session is gone: whoever takes its slot begins with nothing.
    #[inline]
    pub(super) fn clear(&mut self, slot: u32) {
        let Some(Columns { overrun, aged, lost, excluded, wide }) = self.columns.as_deref_mut()
        else {
            return;
        };
        for column in [overrun, aged, lost, excluded] {
            if let Some(row) = column.get_mut(slot) {
                *row = [0; Priority::NUM];
            }
        }
        if !wide.is_empty() {
            wide.remove(&slot);
        }
    }
}

/// Counts so many messages in a column. Returns what that is too narrow for, with all that stood
/// there.
#[inline]
fn count(column: &mut Column, slot: u32, level: Priority, messages: u64) -> u64 {
    if messages == 0 {
        return 0;
    }
    column.touch(slot, [0; Priority::NUM]);
    let place = &mut column[slot][level.index()];
    let sum = u64::from(*place) + messages;
    *place = u16::try_from(sum).unwrap_or_default();
    sum - u64::from(*place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: Priority = Priority::Low;
    const NONE: (u64, u64, u64, u64) = (0, 0, 0, 0);

    fn counts(counters: &LifeCounters, slot: u32) -> (u64, u64, u64, u64) {
        let Counts { skipped: Skips { overrun, age, bus }, excluded, folded } =
            counters.get(slot, LEVEL);
        assert_eq!(bus, age / 7, "as it is counted below");
        (overrun, age, excluded, folded)
    }

    #[test]
    fn d47_counts_hold_past_the_width_of_their_columns() {
        let mut counters = LifeCounters::new();
        let (mut overrun, mut age, mut excluded) = (0, 0, 0);
        let steps = [1, 65_534, 1, 65_535, 65_536, u64::from(u32::MAX), 1, 1 << 40, 3, 65_532];
        for step in steps.into_iter().cycle().take(1_000) {
            let bus = (age + step / 3) / 7 - age / 7;
            counters.skip(5, LEVEL, Skips { overrun: step, age: step / 3, bus });
            counters.exclude(5, LEVEL, step / 2);
            (overrun, age, excluded) = (overrun + step, age + step / 3, excluded + step / 2);
            assert_eq!(counts(&counters, 5), (overrun, age, excluded, 0));
        }
        for _ in 0..70_000 {
            counters.exclude(1_029, LEVEL, 1);
        }
        counters.fold(1_029, LEVEL, 9);
        assert_eq!(counts(&counters, 1_029), (0, 0, 70_000, 9));
        assert_eq!(counters.get(5, Priority::High).skipped, Skips::NONE);
        // Nobody else has counted, and whoever comes next begins with nothing.
        assert_eq!((counts(&counters, 4), counts(&counters, 6)), (NONE, NONE));
        counters.clear(5);
        assert_eq!((counts(&counters, 5), counts(&counters, 1_029)), (NONE, (0, 0, 70_000, 9)));
        counters.clear(1_029);
        assert_eq!((counts(&counters, 1_029), counters.columns_mut().wide.len()), (NONE, 0));
    }

    /// Eight more are the place of cold state, and eight where a machine has lost messages of another
    /// one's.
    #[test]
    fn d47_a_session_has_at_most_24_bytes_of_counts() {
        let mut counters = LifeCounters::new();
        counters.exclude(3, LEVEL, 1);
        counters.skip(3, LEVEL, Skips { overrun: 0, age: 1, bus: 0 });
        let counters = counters.columns_mut();
        assert_eq!(counters.lost.len(), 0, "nothing is lost on one machine");
        let columns = [&counters.excluded, &counters.aged, &counters.overrun];
        assert_eq!(columns.map(Chunked::len), [4, 4, 0], "made when needed");
        assert_eq!(3 * size_of_val(&counters.excluded[3]), 24);
    }
}
