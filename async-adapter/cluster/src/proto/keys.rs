//! The keys of the bus as this node has heard of them: who lives, and who owns what.

use crate::bus::Key;
use crate::wire::{NodeLease, RoomKey};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, RoomId};
use std::collections::BTreeMap;

/// What is known of the keys. It may be late: whoever acts on it is refused by the bus if it is.
#[derive(Debug, Default)]
pub struct LiveKeys {
    nodes: BTreeMap<u64, Living>,
    rooms: BTreeMap<RoomId, (u64, RoomKey)>,
    /// The latest revision of each key that was heard of, so that nothing older counts.
    heard: BTreeMap<Key, u64>,
}

/// A node's lease as it was last heard of.
#[derive(Clone, Copy, Debug)]
struct Living {
    revision: u64,
    incarnation: u64,
    retires: bool,
    heard_at: Instant,
    /// It has not been renewed for as long as it lasts, and the bus has not said so yet.
    has_lapsed: bool,
}

impl Living {
    /// When it has lapsed, if nothing more is heard of it. This node has to hear of the bus itself, or it
    /// is this one that is alone: `renewed_at` is when it asked for what it had answered last.
    fn lapses_at(&self, renewed_at: Instant, lease: Duration) -> Option<Instant> {
        let is_known = !self.has_lapsed && renewed_at >= self.heard_at + lease / 2;
        is_known.then(|| self.heard_at + lease)
    }
}

/// What a change of a key says of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The incarnation of one that is gone.
    pub(super) gone: Option<u64>,
    /// The incarnation of one that lives, and when it sent that.
    pub(super) sent: Option<(u64, Instant)>,
}

impl LiveKeys {
    /// A key has changed.
    pub(super) fn heard(
        &mut self,
        now: Instant,
        key: Key,
        revision: u64,
        value: Option<&[u8]>,
    ) -> Heard {
        let mut heard = Heard::default();
        let latest = self.heard.entry(key).or_default();
        if revision <= *latest {
            return heard;
        }
        *latest = revision;
        match key {
            Key::Node(name) => {
                let lease = value.and_then(|value| NodeLease::decode(value).ok());
                let before = self.nodes.remove(&name);
                if let Some(lease) = lease {
                    let incarnation =
                        if lease.incarnation == 0 { revision } else { lease.incarnation };
                    let (retires, heard_at, has_lapsed) = (lease.retires, now, false);
                    let living = Living { revision, incarnation, retires, heard_at, has_lapsed };
                    self.nodes.insert(name, living);
                    heard.sent = lease.sent_at.map(|sent_at| (incarnation, sent_at));
                }
                let gone = before.filter(|before| !before.has_lapsed);
                let gone = gone.map(|before| before.incarnation);
                heard.gone = gone.filter(|incarnation| !self.lives(*incarnation));
            }
            Key::Room(room) => match value.and_then(|value| RoomKey::decode(value).ok()) {
                Some(key) => drop(self.rooms.insert(room, (revision, key))),
                None => drop(self.rooms.remove(&room)),
            },
        }
        heard
    }

    /// Returns the incarnation of a node whose lease has lapsed by the clock here, once. A bus may be late
    /// to say so: nats-server looks for what has lapsed no sooner than 250 ms after it looked last.
    ///
    /// `own`: the name of this node, which knows of its own lease by other ways.
    pub(super) fn lapsed(
        &mut self,
        now: Instant,
        own: u64,
        (renewed_at, lease): (Instant, Duration),
    ) -> Option<u64> {
        let mut others = self.nodes.iter_mut().filter(|(name, _)| **name != own);
        let is_due = |its: &Living| its.lapses_at(renewed_at, lease).is_some_and(|at| at <= now);
        let (_, its) = others.find(|(_, its)| is_due(its))?;
        its.has_lapsed = true;
        Some(its.incarnation)
    }

    /// When [`lapsed`](Self::lapsed) says something.
    pub(super) fn next_lapse(
        &self,
        own: u64,
        (renewed_at, lease): (Instant, Duration),
    ) -> Option<Instant> {
        let others = self.nodes.iter().filter(|(name, _)| **name != own);
        others.filter_map(|(_, its)| its.lapses_at(renewed_at, lease)).min()
    }

    /// Everything is told anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether a node with this incarnation has a lease, by the bus and by the clock here.
    pub fn lives(&self, incarnation: u64) -> bool {
        self.living().any(|(_, its)| its.incarnation == incarnation)
    }

    fn living(&self) -> impl Iterator<Item = (u64, &Living)> {
        self.nodes.iter().filter(|(_, its)| !its.has_lapsed).map(|(name, its)| (*name, its))
    }

    /// The revision and the incarnation of the lease with this name.
    pub fn node(&self, name: u64) -> Option<(u64, u64)> {
        self.nodes.get(&name).map(|its| (its.revision, its.incarnation))
    }

    /// The names of the nodes that live, with their incarnations.
    pub fn nodes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.living().map(|(name, its)| (name, its.incarnation))
    }

    /// Those of them that do not retire, and so may take a room.
    pub fn takers(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let takers = self.living().filter(|(_, its)| !its.retires);
        takers.map(|(name, its)| (name, its.incarnation))
    }

    /// The revision and the value of a room's key.
    pub fn room(&self, room: RoomId) -> Option<(u64, RoomKey)> {
        self.rooms.get(&room).copied()
    }

    /// The latest revision of a room's key, whether it is there or not.
    pub(super) fn revision(&self, room: RoomId) -> u64 {
        self.heard.get(&Key::Room(room)).copied().unwrap_or(0)
    }
}
