//! What must hold when everything has come to its end.

use super::orders::VOTES;
use super::place::ROOM;
use super::{Seen, World};
use roomcast_cluster::wire::EdgeBooks;
use roomcast_core::PerLevel;
use roomcast_core::admission::PersistedState;
use std::collections::BTreeMap;

impl World {
    /// Nothing has gone wrong for long: everything has come to its end, everywhere the same.
    pub(super) fn finish(mut self) -> Result<Seen, String> {
        self.oracle.check()?;
        let heads = self.oracle.heads();
        let mut state = None;
        let mut gained = 0;
        let mut rows = BTreeMap::new();
        for at in 0..self.machines.len() {
            let its = &mut self.machines[at];
            let now = its.now(self.at);
            let name = its.name;
            let (Some(node), Some(place)) = (&its.node, &mut its.place) else {
                return Err(format!("node {name} has no edge"));
            };
            let follower = node.follower(ROOM).ok_or("an edge without a log")?;
            if node.undecided(ROOM) > 0 {
                return Err(format!(
                    "L12: {} forwards of node {name} have no fate",
                    node.undecided(ROOM)
                ));
            }
            place.read_all(now, &mut self.oracle)?;
            self.oracle.check_withdrawn(place.opened_at, &place.withdrawn)?;
            let gaps =
                place.check_deliveries(heads).map_err(|fault| format!("node {name}: {fault}"))?;
            if gaps > 0 && self.oracle.losses == 0 {
                return Err(format!(
                    "node {name} has {gaps} messages missing, and no log was lost"
                ));
            }
            self.seen.gaps += gaps;
            self.orders.check_directs((at, its.start, its.again), &place.directs)?;
            rows.insert(node.incarnation(), place.edge_books(now));
            let lasting = follower.lasting().clone();
            let owner = lasting.configuration(&self.config).owner();
            if place.edge.owner() != owner {
                return Err(format!("node {name} is {:?}'s, want {owner:?}", place.edge.owner()));
            }
            let pinned: Vec<_> = lasting.pins.iter().map(|(id, _)| *id).collect();
            if place.edge.pinned() != pinned {
                let here = place.edge.pinned();
                return Err(format!("C4: {pinned:?} are pinned, at node {name} {here:?}"));
            }
            let known =
                (sorted(follower.state().clone()), follower.books(), follower.epoch(), lasting);
            if *state.get_or_insert_with(|| known.clone()) != known {
                return Err(format!("nodes know different things: {state:?}, {known:?}"));
            }
            gained += place.gained;
            // L1 at this edge, and over the way to the room.
            let books = place.books(now)?.total();
            let (start, again) = (its.start, its.again);
            let said_at = &self.said_at;
            let mine = |tag: u64| said_at.get(&tag) == Some(&(at, start, again));
            let (by_room, lost) = self.oracle.told(mine);
            let waiting = place.waiting() as u64;
            if waiting > 0 || books.queued > 0 || books.dispatched != by_room + lost {
                return Err(format!(
                    "L1: node {name} forwarded {}, was told of {by_room} and {lost} lost; \
                     {waiting} wait, {} are queued",
                    books.dispatched, books.queued
                ));
            }
            if self.oracle.losses == 0
                && (self.oracle.fates_of(node.incarnation()) as u64) < by_room
            {
                return Err(format!("node {name} was told more than the log says"));
            }
        }
        self.check_rows(&rows)?;
        let machines = &self.machines;
        let lives = |tag: u64| {
            self.said_at.get(&tag).is_some_and(|&(at, start, again)| {
                (machines[at].start, machines[at].again) == (start, again)
            })
        };
        self.oracle.check_fates(lives)?;
        let owners = machines
            .iter()
            .filter(|its| its.node.as_ref().is_some_and(|node| node.owner(ROOM).is_some()));
        let owners = owners.count();
        if owners != 1 {
            return Err(format!("{owners} nodes take themselves for the owner"));
        }
        let (state, books, ..) = state.ok_or("no node at all")?;
        // L1 over all nodes: what the log says of all forwards is what its flights summed up.
        let [dispatched, dropped, refused, merged] = self.oracle.decided();
        let sum = |levels: PerLevel<u64>| levels.values().sum::<u64>();
        let booked = [sum(books.dropped), sum(books.refused), sum(books.merged)];
        if self.oracle.losses == 0
            && (booked != [dropped, refused, merged] || dispatched != sum(heads))
        {
            return Err(format!(
                "L1: the log books {booked:?} and {}, and says {:?} of them",
                sum(heads),
                [dispatched, dropped, refused, merged]
            ));
        }
        let counted = |key: &str| state.counters.iter().find(|(its, _)| **its == *key);
        let votes = counted(VOTES).map_or(0, |(_, votes)| *votes);
        self.orders.check_votes(votes, self.oracle.losses + self.oracle.closes)?;
        // What was counted at an edge that lives is in the room's counter; what died may be.
        let likes = counted("likes").map_or(0, |(_, likes)| *likes);
        let most = gained + self.gained_by_dead;
        if likes > most || (likes < gained && self.oracle.losses == 0) {
            return Err(format!("{likes} likes of {gained} to {most}"));
        }
        self.seen.in_limbo = (most - likes).unsigned_abs();
        self.seen.dispatched = sum(heads);
        Ok(self.seen)
    }
}

impl World {
    /// L1 and L2 over all nodes, as each of them reads it in the log: the books of all that live, to the
    /// message, and those of the dead as they were last heard.
    fn check_rows(&self, of: &BTreeMap<u64, EdgeBooks>) -> Result<(), String> {
        for its in &self.machines {
            let Some(follower) = its.node.as_ref().and_then(|node| node.follower(ROOM)) else {
                return Err("a node without a log".into());
            };
            let mut seen = 0;
            for row in follower.rows() {
                if !row.books.balances() {
                    return Err(format!("L1: a row in the log does not balance: {row:?}"));
                }
                match of.get(&row.edge) {
                    Some(books) if *books == row.books => seen += 1,
                    Some(books) => {
                        return Err(format!(
                            "L1: node {} has {:?} of an edge whose books are {books:?}",
                            its.name, row.books
                        ));
                    }
                    None => {}
                }
            }
            if seen != of.len() {
                return Err(format!(
                    "L1: node {} has rows of {seen} of {} nodes",
                    its.name,
                    of.len()
                ));
            }
        }
        Ok(())
    }
}

/// What is known, but for what lapses and for the order in which it came.
fn sorted(mut state: PersistedState) -> PersistedState {
    state.admins.sort();
    state.mutes.sort();
    state.bans.sort();
    state.attributes.sort();
    state.counters.sort();
    state.said = Vec::new();
    state
}
