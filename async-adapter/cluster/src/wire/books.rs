//! The books of one edge, as they stand in the log for every node to read.

use super::parts::List;
use super::record::{EdgeBooksRecord, ReasonRecord};
use roomcast_core::ledger::{Deliveries, Ledger, Reason};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, PerLevel, Priority};
use std::collections::BTreeMap;

/// The most reasons that are told apart; a record with more is none.
const MAX_REASONS: usize = 256;

/// The books of one node's edge of a room: who is in there, what was said there, and what was due to those
/// who listen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBooks {
    /// The incarnation of the node; 0: several that are gone, in one row.
    pub edge: u64,
    /// The name of the node.
    pub node: u64,
    /// When its node had them, by the clock of whoever reads this, and without the time that they were on
    /// their way.
    pub as_of: Instant,
    /// The books.
    pub books: EdgeBooks,
}

/// Counts at an edge, since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeBooks {
    /// Sessions that are in.
    pub sessions: u64,
    /// Users who are online. One who sits at two nodes counts at each.
    pub users: u64,
    /// What was said, by level.
    pub messages: PerLevel<EdgeMessages>,
    /// Of these, what was not let in, by the name of the reason.
    pub refused: BTreeMap<Box<str>, PerLevel<u64>>,
    /// Of these, what was let in and did not go out, by the name of the reason.
    pub dropped: BTreeMap<Box<str>, PerLevel<u64>>,
    /// What was due to the sessions, by level.
    pub deliveries: PerLevel<Deliveries>,
}

/// What was said at an edge, of one level: messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeMessages {
    /// Offered.
    pub submitted: u64,
    /// That went to the room, whose books say what became of them there.
    pub forwarded: u64,
    /// Merged into others here.
    pub merged: u64,
    /// That wait here, or are on their way.
    pub waiting: u64,
}

impl EdgeBooks {
    /// The books of an edge whose ledger and deliveries are these.
    pub fn new(
        (sessions, users): (u64, u64),
        ledger: &Ledger,
        deliveries: PerLevel<Deliveries>,
    ) -> Self {
        let mut books = Self { sessions, users, deliveries, ..Self::default() };
        for (level, row) in ledger.levels.iter() {
            books.messages[level] = EdgeMessages {
                submitted: row.submitted + row.from_edges,
                forwarded: row.dispatched,
                merged: row.merged,
                waiting: row.queued + row.under_review,
            };
            count(&mut books.refused, level, row.refused.iter());
            count(&mut books.dropped, level, row.dropped.iter());
        }
        books
    }

    /// Returns whether every message and every delivery is in exactly one row.
    pub fn balances(&self) -> bool {
        Priority::ALL.into_iter().all(|level| {
            let all = &self.messages[level];
            let by_reason = |rows: &BTreeMap<_, PerLevel<u64>>| {
                rows.values().map(|row| u128::from(row[level])).sum::<u128>()
            };
            let rows = [all.forwarded, all.merged, all.waiting].map(u128::from);
            let accounted = rows.iter().sum::<u128>();
            let accounted = accounted + by_reason(&self.refused) + by_reason(&self.dropped);
            accounted == u128::from(all.submitted) && self.deliveries[level].balances()
        })
    }

    /// Adds those of another edge.
    pub fn add(&mut self, other: &Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.users = self.users.saturating_add(other.users);
        for level in Priority::ALL {
            let (own, more) = (&mut self.messages[level], &other.messages[level]);
            own.submitted = own.submitted.saturating_add(more.submitted);
            own.forwarded = own.forwarded.saturating_add(more.forwarded);
            own.merged = own.merged.saturating_add(more.merged);
            own.waiting = own.waiting.saturating_add(more.waiting);
            let (own, more) = (row(&self.deliveries[level]), row(&other.deliveries[level]));
            let sum = std::array::from_fn(|at| own[at].saturating_add(more[at]));
            self.deliveries[level] = deliveries(sum);
        }
        for (own, more) in
            [(&mut self.refused, &other.refused), (&mut self.dropped, &other.dropped)]
        {
            for (reason, counts) in more {
                let row = own.entry(reason.clone()).or_default();
                *row = PerLevel::from_fn(|level| row[level].saturating_add(counts[level]));
            }
        }
    }
}

fn count<R: Reason>(
    rows: &mut BTreeMap<Box<str>, PerLevel<u64>>,
    level: Priority,
    counts: impl Iterator<Item = (R, u64)>,
) {
    for (reason, count) in counts.filter(|(_, count)| *count > 0) {
        rows.entry(reason.name().into()).or_default()[level] = count;
    }
}

fn row(of: &Deliveries) -> [u64; 6] {
    [of.due, of.delivered, of.skipped, of.pending, of.excluded, of.abandoned]
}

fn deliveries([due, delivered, skipped, pending, excluded, abandoned]: [u64; 6]) -> Deliveries {
    let mut of = Deliveries::default();
    (of.due, of.delivered, of.skipped) = (due, delivered, skipped);
    (of.pending, of.excluded, of.abandoned) = (pending, excluded, abandoned);
    of
}

impl NodeBooks {
    /// The record, as it is sent at `now`: an age crosses, not an instant.
    pub(super) fn record(&self, now: Instant) -> EdgeBooksRecord<'_> {
        let age = now.saturating_since(self.as_of).as_nanos();
        let books = &self.books;
        EdgeBooksRecord {
            edge: self.edge,
            node: self.node,
            age: age.try_into().unwrap_or(u64::MAX),
            sessions: books.sessions,
            users: books.users,
            messages: Priority::ALL.map(|level| {
                let all = &books.messages[level];
                [all.submitted, all.forwarded, all.merged, all.waiting]
            }),
            refused: reasons(&books.refused),
            dropped: reasons(&books.dropped),
            deliveries: Priority::ALL.map(|level| row(&books.deliveries[level])),
        }
    }

    /// Reads one that arrives at `now`.
    pub(super) fn read(record: &EdgeBooksRecord<'_>, now: Instant) -> Result<Self, String> {
        let messages = record.messages.map(|[submitted, forwarded, merged, waiting]| {
            EdgeMessages { submitted, forwarded, merged, waiting }
        });
        let books = EdgeBooks {
            sessions: record.sessions,
            users: record.users,
            messages: PerLevel(messages),
            refused: by_reason(&record.refused)?,
            dropped: by_reason(&record.dropped)?,
            deliveries: PerLevel(record.deliveries.map(deliveries)),
        };
        let as_of = now.saturating_sub(Duration::from_nanos(record.age));
        Ok(Self { edge: record.edge, node: record.node, as_of, books })
    }
}

fn reasons(rows: &BTreeMap<Box<str>, PerLevel<u64>>) -> List<ReasonRecord<'_>> {
    rows.iter().map(|(reason, counts)| ReasonRecord { reason, counts: counts.0 }).collect()
}

fn by_reason(
    records: &List<ReasonRecord<'_>>,
) -> Result<BTreeMap<Box<str>, PerLevel<u64>>, String> {
    if records.0.len() > MAX_REASONS {
        return Err(format!("{} reasons, of at most {MAX_REASONS}", records.0.len()));
    }
    Ok(records.0.iter().map(|row| (row.reason.into(), PerLevel(row.counts))).collect())
}
