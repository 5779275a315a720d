//! An index of the waiting messages that others may merge with, by their merge keys:
//! [clause B9](crate::rulebook#b9-merging).

use crate::chunked::{NIL, Slab};
use crate::index::{Hasher, Index};
use crate::message::MergeKey;
use crate::priority::Priority;

#[derive(Debug)]
pub(super) struct MergeIndex {
    slab: Slab<Carrier>,
    index: Index,
    hasher: Hasher,
}

#[derive(Clone, Copy, Debug)]
struct Carrier {
    level: Priority,
    key: MergeKey,
    /// Its slot in the queue.
    slot: u32,
}

/// The place of a message among the carriers; most messages have none.
#[derive(Clone, Copy, Debug)]
pub(super) struct CarrierPlace(u32);

impl CarrierPlace {
    pub(super) const NONE: Self = Self(NIL);
}

impl MergeIndex {
    pub(super) fn new(hasher: Hasher) -> Self {
        Self { slab: Slab::new(), index: Index::new(), hasher }
    }

    /// The slot of the message that waits at a level under a key.
    pub(super) fn find(&self, level: Priority, key: MergeKey) -> Option<u32> {
        // Most rooms have none, and pay nothing.
        if self.slab.len() == 0 {
            return None;
        }
        let place = self.index.find(self.hash(level, key), |place| {
            let carrier = &self.slab[place];
            (carrier.level, carrier.key) == (level, key)
        })?;
        Some(self.slab[place].slot)
    }

    /// A message waits that others may be merged into.
    pub(super) fn add(&mut self, level: Priority, key: MergeKey, slot: u32) -> CarrierPlace {
        let hash = self.hash(level, key);
        let place = self.slab.insert(Carrier { level, key, slot });
        let (slab, hasher) = (&self.slab, self.hasher);
        self.index.insert(hash, place, |place| hash_of(hasher, slab[place].level, slab[place].key));
        CarrierPlace(place)
    }

    /// It waits no more; harmless for one that has no place.
    #[inline]
    pub(super) fn remove(&mut self, CarrierPlace(place): CarrierPlace) {
        if place != NIL {
            self.forget(place);
        }
    }

    fn forget(&mut self, place: u32) {
        if let Some(carrier) = self.slab.remove(place) {
            self.index.remove(self.hash(carrier.level, carrier.key), place);
        }
    }

    fn hash(&self, level: Priority, key: MergeKey) -> u64 {
        hash_of(self.hasher, level, key)
    }
}

fn hash_of(hasher: Hasher, level: Priority, key: MergeKey) -> u64 {
    let (scope, number) = match key {
        MergeKey::Number(number) => (0, number),
        MergeKey::Likes => (1, 0),
        MergeKey::Follows => (1, 1),
        MergeKey::Combo { user, gift } => (2 | u64::from(gift) << 2, user.0),
    };
    hasher.hash(number ^ hasher.hash(scope << 2 | level.index() as u64))
}
