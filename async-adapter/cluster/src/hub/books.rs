//! The books of a room, over all of its nodes.

use crate::proto::{ClockOffset, Follower, Node};
use crate::wire::{Books, EdgeBooks, NodeBooks, Wire};
use roomcast::{Payload, PerLevel};
use roomcast_core::Instant;
use std::time::Duration;

/// The books of a room of a cluster, by node, as this node reads them in the room's log:
/// [`ClusterRoom::books`](super::ClusterRoom::books).
///
/// Every node writes down its own about once a second, and each row says how old it is. The row of a node
/// that has died stays as it was last heard; what the node did after that is in no book.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClusterBooks {
    /// One row for each node at which the room is open, or has been: the oldest of those that are gone are
    /// one.
    pub rows: Vec<NodeRow>,
    /// What has gone out, by level: the sequence numbers of the room.
    pub dispatched: PerLevel<u64>,
    /// What else became of the messages that nodes forwarded, as the owners have decided.
    pub decided: Books,
}

/// The books of one node's edge of a room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeRow {
    /// The name of the node; 0: several that are gone.
    pub node: u64,
    /// What tells this start of the node from others; 0: several.
    pub incarnation: u64,
    /// It is the node that was asked.
    pub is_here: bool,
    /// Its lease lives. Else this is what was last heard of it.
    pub lives: bool,
    /// How long ago it said so, without the time that it was on its way: up to about two
    /// [beats](crate::proto::NodeOptions::beat) of a node that lives, or more where nothing changes.
    pub age: Duration,
    /// How far its clock is from the one here; `None`: it is here, or nothing of it was heard. Ages are
    /// reckoned by that, so nobody's clock has to be right; resume tokens are not.
    pub clock: Option<ClockOffset>,
    /// The books.
    pub books: EdgeBooks,
}

impl ClusterBooks {
    pub(super) fn new<M: Payload + Wire + Clone>(
        node: &Node<M>,
        follower: &Follower,
        now: Instant,
    ) -> Self {
        let (keys, here) = (node.keys(), node.incarnation());
        let row = |row: &NodeBooks| NodeRow {
            node: row.node,
            incarnation: row.edge,
            is_here: row.edge == here,
            lives: row.edge == here || keys.lives(row.edge),
            age: now.saturating_since(row.as_of),
            clock: node.clock_offset(row.edge),
            books: row.books.clone(),
        };
        Self {
            rows: follower.rows().map(row).collect(),
            dispatched: follower.heads(),
            decided: follower.books(),
        }
    }

    /// Returns how many sessions are in, at all nodes that live.
    pub fn sessions(&self) -> u64 {
        self.living().map(|row| row.books.sessions).sum()
    }

    /// Returns how many users are online, at all nodes that live. One who sits at two counts twice.
    pub fn users_online(&self) -> u64 {
        self.living().map(|row| row.books.users).sum()
    }

    /// Returns the books of all nodes together, but for who is in: that is of those that live.
    pub fn total(&self) -> EdgeBooks {
        let mut total = EdgeBooks::default();
        for row in &self.rows {
            total.add(&row.books);
        }
        (total.sessions, total.users) = (self.sessions(), self.users_online());
        total
    }

    /// Returns whether every node that ever had the room open still lives, so that nothing is missing but
    /// what is newer than the rows.
    pub fn are_complete(&self) -> bool {
        self.rows.iter().all(|row| row.lives)
    }

    /// Returns the age of the oldest row of a node that lives; `None` where there is none yet.
    pub fn age(&self) -> Option<Duration> {
        self.living().map(|row| row.age).max()
    }

    /// Returns whether every message and every delivery of each row is in exactly one place.
    pub fn balance(&self) -> bool {
        self.rows.iter().all(|row| row.books.balances())
    }

    fn living(&self) -> impl Iterator<Item = &NodeRow> {
        self.rows.iter().filter(|row| row.lives)
    }
}
