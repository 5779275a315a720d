//! Deduplication: the same message of the same sender is not let in twice.
//! [Clause B11](crate::rulebook#b11-the-order-of-the-checks).

mod persisted;
#[cfg(feature = "internals")]
mod table;
#[cfg(test)]
mod tests;

use crate::chunked::{NIL, Slab};
use crate::ids::MessageId;
use crate::index::{Hasher, Index};
use crate::list::{Links, List};
use crate::memory::RoomBytes;
use crate::message::{DedupKey, Sender};
use crate::priority::{PerLevel, Priority};
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

pub use persisted::SaidKey;
#[cfg(feature = "internals")]
pub use table::DedupTable;

/// How long, and how many: keys are refused within the window, or while there is room for them,
/// whichever is shorter.
///
/// When there are too many, the oldest of the lowest level is forgotten: a flood of likes takes no
/// gift's place. A message that was dropped has no key any more and takes no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DedupWindow {
    /// How long the same message is refused.
    pub window: Duration,
    /// The maximum number of messages that are remembered.
    pub keys: u32,
}

impl Default for DedupWindow {
    /// A minute, 4,096 messages.
    fn default() -> Self {
        Self { window: Duration::from_secs(60), keys: 4_096 }
    }
}

/// The maximum number of entries that have lapsed and that one call forgets.
const MAX_FORGOTTEN: u32 = 64;
/// Entries that are let go of when there may be fewer, or when the message that carries theirs is
/// dropped.
const MAX_MOVED: u32 = 4_096;

#[derive(Debug)]
pub(crate) struct Dedup {
    entries: Slab<Entry>,
    /// Those of each level, in order of time.
    levels: PerLevel<List>,
    index: Index,
    /// The messages that carry others which have keys.
    carriers: Slab<Carrier>,
    /// Carriers that were dropped with more keys than one call frees.
    dropped: Vec<u32>,
    hasher: Hasher,
    limits: DedupWindow,
    /// Keys that were forgotten within their window.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sender: Sender,
    key: DedupKey,
    id: MessageId,
    at: Instant,
    level: Priority,
    /// The neighbours in the level.
    order: Links,
    /// The place of the carrier, if another message carries this one.
    carrier: u32,
    /// The neighbours of the same carrier.
    peers: Links,
}

fn order(entry: &mut Entry) -> &mut Links {
    &mut entry.order
}

fn peers(entry: &mut Entry) -> &mut Links {
    &mut entry.peers
}

#[derive(Debug)]
struct Carrier {
    id: MessageId,
    keys: List,
}

/// The place of the keys of those that a message carries; most messages have none. It says nothing
/// without the number of the carrier, since another one may have it by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarriedKeys(u32);

impl CarriedKeys {
    pub(crate) const NONE: Self = Self(NIL);
}

impl Dedup {
    pub(crate) fn new(limits: DedupWindow, hasher: Hasher) -> Self {
        Self {
            entries: Slab::new(),
            levels: PerLevel([List::EMPTY; 4]),
            index: Index::new(),
            carriers: Slab::new(),
            dropped: Vec::new(),
            hasher,
            limits,
            forgotten: 0,
        }
    }

    /// From now on another window, for what is remembered as well, and another number of messages.
    /// What has lapsed is forgotten first; then the oldest of the lowest level, if there are too
    /// many: at most 4,096 in this call, the others as new ones come.
    pub(crate) fn reconfigure(&mut self, now: Instant, limits: DedupWindow) {
        let old = core::mem::replace(&mut self.limits, limits);
        let mut left = MAX_MOVED;
        for window in [old.window, limits.window] {
            left -= self.forget_lapsed(now, window, left);
        }
        while left > 0 && self.entries.len() > limits.keys && self.forget_lowest(Priority::High) {
            left -= 1;
        }
    }

    /// Until when a message is refused as said already, if so. Changes nothing.
    pub(crate) fn refused_until(
        &self,
        now: Instant,
        sender: Sender,
        key: DedupKey,
    ) -> Option<Instant> {
        let until = self.entries[self.find(sender, key)?].at + self.limits.window;
        (now < until).then_some(until)
    }

    /// A message of a level has been let in. O(1). When there are as many as may be, it takes the
    /// place of none above its own level.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        level: Priority,
        sender: Sender,
        key: DedupKey,
        id: MessageId,
    ) {
        self.free_dropped(MAX_FORGOTTEN);
        // One that has lapsed gives its place up.
        if let Some(slot) = self.find(sender, key) {
            self.remove(slot);
        }
        self.forget_lapsed(now, self.limits.window, MAX_FORGOTTEN);
        // One goes for one that comes; more, where there may be fewer than there are.
        for _ in 0..MAX_FORGOTTEN {
            if self.entries.len() < self.limits.keys.max(1) {
                break;
            }
            if self.forget_lapsed(now, self.limits.window, 1) == 0 && !self.forget_lowest(level) {
                self.forgotten += 1;
                return;
            }
        }
        if self.limits.keys == 0 {
            return;
        }
        let slot = self.insert(Entry {
            sender,
            key,
            id,
            at: now,
            level,
            order: Links::NONE,
            carrier: NIL,
            peers: Links::NONE,
        });
        self.levels[level].push_back(&mut self.entries, slot, order);
    }

    /// Adds an entry that is found by its key from now on; the list of its level has to follow.
    fn insert(&mut self, entry: Entry) -> u32 {
        let Entry { sender, key, .. } = entry;
        let slot = self.entries.insert(entry);
        let (entries, hasher) = (&self.entries, self.hasher);
        self.index.insert(hash(hasher, sender, key), slot, |slot| {
            hash(hasher, entries[slot].sender, entries[slot].key)
        });
        slot
    }

    /// The message was dropped: it may be said again.
    pub(crate) fn free(&mut self, sender: Sender, key: DedupKey, id: MessageId) {
        if let Some(slot) = self.find_of(sender, key, id) {
            self.remove(slot);
        }
    }

    /// A message that was let in under a key is carried by another one, and shares its fate.
    /// `place` is that of the carrier's so far; returns that from now on.
    pub(crate) fn carry(
        &mut self,
        carrier: MessageId,
        place: CarriedKeys,
        (sender, key, id): (Sender, DedupKey, MessageId),
    ) -> CarriedKeys {
        let Some(slot) = self.find_of(sender, key, id) else { return place };
        let at = if self.carrier(carrier, place).is_some() {
            place.0
        } else {
            self.carriers.insert(Carrier { id: carrier, keys: List::EMPTY })
        };
        self.entries[slot].carrier = at;
        self.carriers[at].keys.push_back(&mut self.entries, slot, peers);
        CarriedKeys(at)
    }

    /// A message was dropped with those that it carries: they may be said again. At most 4,096 are
    /// freed in this call, the others in the next ones.
    pub(crate) fn free_carried(&mut self, carrier: MessageId, place: CarriedKeys) {
        if self.carrier(carrier, place).is_some() {
            self.dropped.push(place.0);
            self.free_dropped(MAX_MOVED);
        }
    }

    /// What the keys hold that are kept, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        const { assert!(size_of::<Entry>() as u64 <= RoomBytes::PER_KEY) }
        u64::from(self.entries.len()) * RoomBytes::PER_KEY
    }

    /// Keys that are kept, lapsed ones included; and how many were forgotten within their window.
    pub(crate) fn counts(&self) -> (u32, u64) {
        (self.entries.len(), self.forgotten)
    }

    /// Writes the keys in order of time, by level, with the carriers of those that have one.
    #[cfg(feature = "internals")]
    pub(crate) fn digest(&self, to: &mut alloc::string::String) {
        use core::fmt::Write;
        for level in Priority::ALL {
            for slot in self.levels[level].iter(&self.entries, |entry| entry.order) {
                let Entry { sender, key, id, at, carrier, .. } = self.entries[slot];
                let carrier = self.carriers.get(carrier).map(|carrier| carrier.id);
                let _ = writeln!(to, "said {level} {sender:?} {key:?} {id} {at} {carrier:?}");
            }
        }
    }

    fn carrier(&self, id: MessageId, CarriedKeys(place): CarriedKeys) -> Option<&Carrier> {
        self.carriers.get(place).filter(|carrier| carrier.id == id)
    }

    fn free_dropped(&mut self, most: u32) {
        for _ in 0..most {
            let Some(&place) = self.dropped.last() else { return };
            match self.carriers.get(place).and_then(|carrier| carrier.keys.front()) {
                Some(slot) => self.remove(slot),
                None => _ = self.dropped.pop(),
            }
        }
    }

    /// Forgets what has lapsed, at most so many; returns how many it were.
    fn forget_lapsed(&mut self, now: Instant, window: Duration, most: u32) -> u32 {
        let mut forgotten = 0;
        for level in Priority::ALL {
            while forgotten < most
                && let Some(slot) = self.levels[level].front()
                && now >= self.entries[slot].at + window
            {
                self.remove(slot);
                forgotten += 1;
            }
        }
        forgotten
    }

    /// Forgets the oldest of the lowest level that has one, if that is not above `level`.
    fn forget_lowest(&mut self, level: Priority) -> bool {
        let mut levels = Priority::ALL.into_iter().rev();
        let lowest = levels.find_map(|level| Some((level, self.levels[level].front()?)));
        let Some((_, slot)) = lowest.filter(|&(lowest, _)| lowest <= level) else { return false };
        self.forgotten += 1;
        self.remove(slot);
        true
    }

    fn remove(&mut self, slot: u32) {
        let Some(&Entry { sender, key, level, carrier, .. }) = self.entries.get(slot) else {
            return;
        };
        self.levels[level].unlink(&mut self.entries, slot, order);
        if let Some(of) = self.carriers.get_mut(carrier) {
            of.keys.unlink(&mut self.entries, slot, peers);
            if of.keys.front().is_none() {
                self.dropped.retain(|&place| place != carrier);
                self.carriers.remove(carrier);
            }
        }
        self.index.remove(hash(self.hasher, sender, key), slot);
        self.entries.remove(slot);
    }

    fn find(&self, sender: Sender, key: DedupKey) -> Option<u32> {
        self.index.find(hash(self.hasher, sender, key), |slot| {
            let entry = &self.entries[slot];
            (entry.sender, entry.key) == (sender, key)
        })
    }

    /// As [`find`](Self::find), if it is this message that stands there: after the window, or when
    /// that one has been forgotten, it may be another.
    fn find_of(&self, sender: Sender, key: DedupKey, id: MessageId) -> Option<u32> {
        self.find(sender, key).filter(|&slot| self.entries[slot].id == id)
    }
}

fn hash(hasher: Hasher, sender: Sender, key: DedupKey) -> u64 {
    match sender {
        Sender::User(user) => hasher.hash(hasher.hash(user.0) ^ key.0),
        Sender::Host => hasher.hash(key.0),
    }
}
