//! The books: what became of every message, and of every delivery, as plain counters.
//! [Clause B2](crate::rulebook#b2-books-that-balance).
//!
//! They balance to the integer at any instant; [`LevelLedger::balances`] and
//! [`Deliveries::balances`] say so.

mod deliveries;
mod reasons;

pub use crate::gap::Skips;
pub use deliveries::Deliveries;
pub use reasons::{DropReason, Reason, RefusalReason, Tally};

use crate::priority::{PerLevel, Priority};
use core::fmt;
use core::iter::Sum;
use core::ops::Add;

/// The messages of one priority, from publish to their fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct LevelLedger {
    /// Publish calls.
    pub submitted: u64,
    /// Of those, what came from edges ([`EdgeMessage`](crate::message::EdgeMessage)).
    pub from_edges: u64,
    /// Not let in, by reason.
    pub refused: Tally<RefusalReason>,
    /// Let in and never dispatched, by reason.
    pub dropped: Tally<DropReason>,
    /// Folded into another message.
    pub merged: u64,
    /// Sent out to the audience.
    pub dispatched: u64,
    /// Waiting in the queue now.
    pub queued: u64,
    /// Waiting for the host's verdict now.
    pub under_review: u64,
    /// The same in units: what a message stands for, once or many times.
    pub units: Units,
}

/// The units of the messages of one priority, modulo 2⁶⁴. What is merged stays in it, with the
/// message that carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Units {
    /// Of all publish calls.
    pub submitted: u64,
    /// Of those that came from edges.
    pub from_edges: u64,
    /// Of those not let in.
    pub refused: u64,
    /// Of those let in and never dispatched, what they carried included.
    pub dropped: u64,
    /// Sent out to the audience.
    pub dispatched: u64,
    /// Waiting in the queue now.
    pub queued: u64,
    /// Waiting for the host's verdict now.
    pub under_review: u64,
}

impl Units {
    /// `submitted = refused + dropped + dispatched + queued + under_review`.
    pub fn balances(&self) -> bool {
        let fates = [self.refused, self.dropped, self.dispatched, self.queued, self.under_review];
        self.submitted == fates.into_iter().fold(0, u64::wrapping_add)
    }
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            submitted: self.submitted.wrapping_add(other.submitted),
            from_edges: self.from_edges.wrapping_add(other.from_edges),
            refused: self.refused.wrapping_add(other.refused),
            dropped: self.dropped.wrapping_add(other.dropped),
            dispatched: self.dispatched.wrapping_add(other.dispatched),
            queued: self.queued.wrapping_add(other.queued),
            under_review: self.under_review.wrapping_add(other.under_review),
        }
    }
}

impl LevelLedger {
    /// The right side of law L1: everything that a submitted message can have come to.
    pub fn accounted(&self) -> u64 {
        let fates = [self.merged, self.dispatched, self.queued, self.under_review];
        let given_up = self.refused.total().wrapping_add(self.dropped.total());
        fates.into_iter().fold(given_up, u64::wrapping_add)
    }

    /// Law L1: `submitted = refused + dropped + merged + dispatched + queued + under_review`, in
    /// messages; and in units.
    pub fn balances(&self) -> bool {
        self.submitted == self.accounted() && self.units.balances()
    }

    /// A message is offered.
    pub(crate) fn submit(&mut self, units: u64) {
        self.submitted += 1;
        self.units.submitted = self.units.submitted.wrapping_add(units);
    }

    /// It comes from an edge.
    pub(crate) fn receive(&mut self, units: u64) {
        self.from_edges += 1;
        self.units.from_edges = self.units.from_edges.wrapping_add(units);
    }

    /// It is not let in.
    pub(crate) fn refuse(&mut self, reason: RefusalReason, units: u64) {
        self.refused.add(reason);
        self.units.refused = self.units.refused.wrapping_add(units);
    }

    /// It waits in the queue.
    pub(crate) fn queue(&mut self, units: u64) {
        self.queued += 1;
        self.units.queued = self.units.queued.wrapping_add(units);
    }

    /// It waits in the queue no more.
    pub(crate) fn leave_queue(&mut self, units: u64) {
        self.queued -= 1;
        self.units.queued = self.units.queued.wrapping_sub(units);
    }

    /// It waits for a verdict.
    pub(crate) fn review(&mut self, units: u64) {
        self.under_review += 1;
        self.units.under_review = self.units.under_review.wrapping_add(units);
    }

    /// It waits for a verdict no more.
    pub(crate) fn leave_review(&mut self, units: u64) {
        self.under_review -= 1;
        self.units.under_review = self.units.under_review.wrapping_sub(units);
    }

    /// It became one with a message that waits.
    pub(crate) fn merge(&mut self, units: u64) {
        self.merged += 1;
        self.units.queued = self.units.queued.wrapping_add(units);
    }

    /// It is dropped, with all that it carries.
    pub(crate) fn drop(&mut self, reason: DropReason, units: u64) {
        self.dropped.add(reason);
        self.units.dropped = self.units.dropped.wrapping_add(units);
    }

    /// It goes out.
    pub(crate) fn dispatch(&mut self, units: u64) {
        self.dispatched += 1;
        self.units.dispatched = self.units.dispatched.wrapping_add(units);
    }
}

impl Add for LevelLedger {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.submitted += other.submitted;
        self.from_edges += other.from_edges;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.merged += other.merged;
        self.dispatched += other.dispatched;
        self.queued += other.queued;
        self.under_review += other.under_review;
        self.units = self.units + other.units;
        self
    }
}

impl Sum for LevelLedger {
    fn sum<I: Iterator<Item = Self>>(levels: I) -> Self {
        levels.fold(Self::default(), Add::add)
    }
}

/// The messages of a room by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Ledger {
    /// One row for each priority.
    pub levels: PerLevel<LevelLedger>,
}

impl Ledger {
    /// All priorities in one row.
    pub fn total(&self) -> LevelLedger {
        self.levels.values().copied().sum()
    }

    /// The books of a room and of the edges in front of it, as of one: what the edges shed is
    /// added, and what they forwarded counts where it was published. What was lost between an edge
    /// and the room, or came there twice, shows.
    pub fn with_edges(&self, edges: impl IntoIterator<Item = Self>) -> WithEdges {
        let edges = edges.into_iter().fold(Self::default(), Add::add);
        let mut whole = WithEdges::default();
        for level in Priority::ALL {
            let (room, edges) = (self.levels[level], edges.levels[level]);
            let (forwarded, units) = (edges.dispatched, edges.units.dispatched);
            let ledger = &mut whole.ledger.levels[level];
            *ledger = edges + room;
            ledger.dispatched -= forwarded;
            ledger.submitted = ledger.submitted.wrapping_sub(room.from_edges);
            // From an edge of edges.
            ledger.from_edges = edges.from_edges;
            ledger.units.dispatched = ledger.units.dispatched.wrapping_sub(units);
            ledger.units.submitted = ledger.units.submitted.wrapping_sub(room.units.from_edges);
            ledger.units.from_edges = edges.units.from_edges;
            whole.missing[level] = forwarded.saturating_sub(room.from_edges);
            whole.surplus[level] = room.from_edges.saturating_sub(forwarded);
        }
        whole
    }

    /// Whether each row balances.
    pub fn balances(&self) -> bool {
        self.levels.values().all(LevelLedger::balances)
    }
}

/// The books of a room and of the edges in front of it, as of one: [`Ledger::with_edges`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct WithEdges {
    /// What became of every message, each counted where it was published. Its rows balance where
    /// nothing is missing and nothing too many.
    pub ledger: Ledger,
    /// What the edges forwarded and the room was never offered, by level: it is on its way, or lost.
    pub missing: PerLevel<u64>,
    /// What the room was offered more than the edges forwarded, by level: it came twice. Where some
    /// of a level are lost and others come twice, the two make up for each other.
    pub surplus: PerLevel<u64>,
}

impl WithEdges {
    /// Whether every message that was published anywhere has its one fate: nothing is on its way,
    /// lost, or there twice, and all rows balance.
    pub fn balances(&self) -> bool {
        let is_none = |counts: &PerLevel<u64>| counts.values().all(|&count| count == 0);
        is_none(&self.missing) && is_none(&self.surplus) && self.ledger.balances()
    }
}

impl Add for Ledger {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { levels: PerLevel::from_fn(|level| self.levels[level] + other.levels[level]) }
    }
}

impl fmt::Display for Ledger {
    /// A table with one row for each priority, a column for each fate, and a row for each reason
    /// that occurred.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
            "", "submitted", "refused", "dropped", "merged", "dispatched", "queued"
        )?;
        let mut row = |name: &str, row: &LevelLedger| {
            writeln!(
                f,
                "{:<10}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
                name,
                row.submitted,
                row.refused.total(),
                row.dropped.total(),
                row.merged,
                row.dispatched,
                row.queued + row.under_review
            )
        };
        for (level, ledger) in self.levels.iter() {
            row(level.name(), ledger)?;
        }
        row("total", &self.total())?;
        for (level, ledger) in self.levels.iter() {
            write_reasons(f, level, "refused", &ledger.refused)?;
            write_reasons(f, level, "dropped", &ledger.dropped)?;
        }
        Ok(())
    }
}

fn write_reasons<R: Reason>(
    f: &mut fmt::Formatter<'_>,
    level: Priority,
    what: &str,
    tally: &Tally<R>,
) -> fmt::Result {
    for (reason, count) in tally.iter().filter(|(_, count)| *count > 0) {
        writeln!(f, "  {level:<8}{what} as {:<16}{count:>12}", reason.name())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn one_missing_line_unbalances_the_books() {
        let mut ledger = Ledger::default();
        ledger.levels[Priority::Low].submitted = 2;
        ledger.levels[Priority::Low].dropped.add(DropReason::Expired);
        assert!(!ledger.balances());
        ledger.levels[Priority::Low].refused.add(RefusalReason::Guest);
        assert!(ledger.balances());
        assert_eq!(ledger.total().submitted, 2);
        let table = ledger.to_string();
        assert!(table.contains("low     dropped as expired"), "{table}");
        assert!(!table.contains("evicted"), "{table}");
    }

    #[test]
    fn units_that_miss_one_do_not_balance() {
        let units = Units {
            submitted: 15,
            from_edges: 6,
            refused: 1,
            dropped: 2,
            dispatched: 3,
            queued: 4,
            under_review: 5,
        };
        assert!(units.balances() && !Units { submitted: 14, ..units }.balances());
        let ledger = LevelLedger { units, ..LevelLedger::default() };
        assert!(!LevelLedger { submitted: 1, ..ledger }.balances());
    }

    /// The books of several audiences, levels and edges are summed, column by column.
    #[test]
    fn a_sum_has_every_column() {
        let row = |n: u64| LevelLedger {
            submitted: 21 * n,
            from_edges: 2 * n,
            refused: Tally::default(),
            dropped: Tally::default(),
            merged: 3 * n,
            dispatched: 4 * n,
            queued: 5 * n,
            under_review: 9 * n,
            units: Units {
                submitted: 15 * n,
                from_edges: 6 * n,
                refused: n,
                dropped: 2 * n,
                dispatched: 3 * n,
                queued: 4 * n,
                under_review: 5 * n,
            },
        };
        assert_eq!(row(2) + row(5), row(7));
        assert!(row(7).balances());
    }
}
