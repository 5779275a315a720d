//! The books of the edges, as the owner passes them on.

use super::follow::Follower;
use super::shared::Shared;
use crate::wire::{EdgeBooks, NodeBooks};
use roomcast_core::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Of edges whose nodes are gone, as many have rows of their own; the oldest beyond are one row.
const MAX_GONE: usize = 64;

/// The most rows there are between two such foldings: who says more has made them up.
const MAX_ROWS: usize = 1_024;

/// The books of the edges, by incarnation.
#[derive(Debug)]
pub(super) struct Rows {
    by_edge: BTreeMap<u64, NodeBooks>,
    /// Those that no flight has told.
    untold: BTreeSet<u64>,
    told_at: Instant,
}

impl Rows {
    /// Those that an owner takes over.
    pub(super) fn new(follower: Option<&Follower>) -> Self {
        let by_edge = follower.map(|follower| follower.rows.clone()).unwrap_or_default();
        Self { by_edge, untold: BTreeSet::new(), told_at: Instant::ZERO }
    }

    /// An edge has said what its books are.
    pub(super) fn hear(&mut self, row: NodeBooks) {
        if self.by_edge.len() >= MAX_ROWS && !self.by_edge.contains_key(&row.edge) {
            return;
        }
        let is_new = self.by_edge.get(&row.edge).is_none_or(|before| before.books != row.books);
        if is_new {
            self.untold.insert(row.edge);
        }
        self.by_edge.insert(row.edge, row);
    }

    /// Those that go with a flight: once a beat what is new, and all where it has all that is known.
    pub(super) fn take<M, I>(&mut self, shared: &Shared<M, I>, is_whole: bool) -> Vec<NodeBooks> {
        if is_whole {
            self.fold(|edge| shared.keys.lives(edge) || edge == shared.incarnation);
            self.untold.clear();
            self.told_at = shared.now;
            return self.by_edge.values().cloned().collect();
        }
        if self.untold.is_empty() || shared.now < self.told_at + shared.options.beat {
            return Vec::new();
        }
        self.told_at = shared.now;
        let untold = std::mem::take(&mut self.untold);
        untold.iter().filter_map(|edge| self.by_edge.get(edge).cloned()).collect()
    }

    /// The oldest of those that are gone become one row. It has nobody in.
    fn fold(&mut self, lives: impl Fn(u64) -> bool) {
        let gone = self.by_edge.keys().filter(|&&edge| edge != 0 && !lives(edge));
        let gone: Vec<u64> = gone.copied().collect();
        let Some(beyond) = gone.len().checked_sub(MAX_GONE) else { return };
        for edge in &gone[..beyond] {
            let Some(row) = self.by_edge.remove(edge) else { continue };
            let books = EdgeBooks::default();
            let new = NodeBooks { edge: 0, node: 0, as_of: row.as_of, books };
            let all = self.by_edge.entry(0).or_insert(new);
            all.as_of = all.as_of.max(row.as_of);
            all.books.add(&EdgeBooks { sessions: 0, users: 0, ..row.books });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::NodeOptions;
    use crate::wire::Numbers;
    use roomcast_core::Priority;

    /// However many say that they are edges; and what is folded stays in the sum.
    #[test]
    fn rows_are_bounded_and_what_is_folded_stays_counted() {
        let mut rows = Rows::new(None);
        for edge in 1..=5_000 {
            let mut books = EdgeBooks { sessions: 1, ..EdgeBooks::default() };
            books.messages[Priority::Normal].submitted = 1;
            rows.hear(NodeBooks { edge, node: edge, as_of: Instant::ZERO, books });
        }
        assert_eq!(rows.by_edge.len(), MAX_ROWS);
        let shared = Shared::<String, Numbers>::new(NodeOptions::new(1), Numbers);
        let told = rows.take(&shared, true);
        assert_eq!(told.len(), MAX_GONE + 1);
        let said: u64 = told.iter().map(|row| row.books.messages[Priority::Normal].submitted).sum();
        assert_eq!(said, MAX_ROWS as u64);
        assert_eq!(told.iter().map(|row| row.books.sessions).sum::<u64>(), MAX_GONE as u64);
        assert!(rows.take(&shared, false).is_empty(), "nothing is new");
    }
}
