//! The keys of the bus as this node has heard of them: who lives, and who owns what.

use crate::bus::Key;
use crate::wire::{NodeLease, RoomKey};
use roomcast_core::RoomId;
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
}

impl LiveKeys {
    /// A key has changed. Returns the incarnation of a node that is gone, if this says so.
    pub(super) fn heard(&mut self, key: Key, revision: u64, value: Option<&[u8]>) -> Option<u64> {
        let latest = self.heard.entry(key).or_default();
        if revision <= *latest {
            return None;
        }
        *latest = revision;
        match key {
            Key::Node(name) => {
                let lease = value.and_then(|value| NodeLease::decode(value).ok());
                let before = self.nodes.remove(&name);
                if let Some(lease) = lease {
                    let incarnation =
                        if lease.incarnation == 0 { revision } else { lease.incarnation };
                    let retires = lease.retires;
                    self.nodes.insert(name, Living { revision, incarnation, retires });
                }
                let gone = before.map(|before| before.incarnation);
                gone.filter(|incarnation| !self.lives(*incarnation))
            }
            Key::Room(room) => {
                match value.and_then(|value| RoomKey::decode(value).ok()) {
                    Some(key) => drop(self.rooms.insert(room, (revision, key))),
                    None => drop(self.rooms.remove(&room)),
                }
                None
            }
        }
    }

    /// Everything is told anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether a node with this incarnation has a lease.
    pub fn lives(&self, incarnation: u64) -> bool {
        self.nodes.values().any(|its| its.incarnation == incarnation)
    }

    /// The revision and the incarnation of the lease with this name.
    pub fn node(&self, name: u64) -> Option<(u64, u64)> {
        self.nodes.get(&name).map(|its| (its.revision, its.incarnation))
    }

    /// The names of the nodes that live, with their incarnations.
    pub fn nodes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.nodes.iter().map(|(name, its)| (*name, its.incarnation))
    }

    /// Those of them that do not retire, and so may take a room.
    pub fn takers(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let takers = self.nodes.iter().filter(|(_, its)| !its.retires);
        takers.map(|(name, its)| (*name, its.incarnation))
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
