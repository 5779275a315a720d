//! How the workers see to it that the rooms of a hub hold no more than they may: the one whose
//! biggest room is the biggest trims it.
//! [Clause B25](roomcast_core::rulebook#b25-memory-of-all-rooms).

use crate::drive::fence::Fence;
use crate::drive::memory::HubMemory;
use crate::drive::worker::Worker;
use crate::room::{Job, SharedRoom};
use crate::sync::{Arc, OnceLock, Weak};
use roomcast_core::Payload;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Rooms that each look at one looks at beside, whether they are still there.
const SUSPECTS: usize = 2;

/// The workers of a hub, once all are made. A worker that knew them for good would keep the hub.
pub(crate) type Peers<M> = Arc<OnceLock<Box<[Weak<Worker<Job<M>>>]>>>;

/// The rooms that begin at one worker, by how much can give way there.
#[derive(Debug)]
pub(crate) struct Trimmer<M> {
    /// The worker's number.
    number: usize,
    memory: Arc<HubMemory>,
    peers: Peers<M>,
    /// By their addresses, which nobody else has while they are here.
    rooms: BTreeMap<usize, Known<M>>,
    /// The first to give way last: by how much can below High, and where that is nothing, by how
    /// much of High; of those that hold equally much, the one with the lowest id.
    by_size: BTreeSet<(Size, Reverse<u64>, usize)>,
    /// Where to look next whether rooms are still there.
    suspect: usize,
}

/// How much can give way in a room below High, and where that is nothing, of High.
type Size = (u64, u64);

/// A room, its id, and how much can give way there.
#[derive(Debug)]
struct Known<M> {
    size: Size,
    id: u64,
    shared: Weak<SharedRoom<M>>,
}

impl<M: Payload + Send + Sync + 'static> Trimmer<M> {
    pub(crate) fn new(number: usize, memory: Arc<HubMemory>, peers: Peers<M>) -> Self {
        let (rooms, by_size) = (BTreeMap::new(), BTreeSet::new());
        Self { number, memory, peers, rooms, by_size, suspect: 0 }
    }

    /// A shard of a room was looked after: with the first, the room is this worker's.
    pub(crate) fn note(&mut self, shared: &Arc<SharedRoom<M>>, shard: u32) {
        let Some(size) = shared.weigh().filter(|_| shard == 0) else { return };
        let key = Arc::as_ptr(shared) as usize;
        if self.rooms.get(&key).map_or((0, 0), |known| known.size) != size {
            self.remove(key);
            if size > (0, 0) {
                let id = shared.id().0;
                self.by_size.insert((size, Reverse(id), key));
                self.rooms.insert(key, Known { size, id, shared: Arc::downgrade(shared) });
            }
        }
        self.look_at_suspects();
        self.tell_first();
    }

    /// Trims one room if this worker has the biggest, and too much is held; else whoever has it is
    /// called. Returns whether there is more to do here.
    pub(crate) fn step(&mut self, fence: &Fence) -> bool {
        while self.memory.excess() > 0
            && let Some(worker) = self.memory.first_to_trim()
        {
            if worker != self.number {
                self.call(worker);
                return false;
            }
            let Some(&((lower, high), _, key)) = self.by_size.last() else {
                self.tell_first();
                continue;
            };
            // Until it is looked at anew: what is held there may be less by now.
            let shared = self.remove(key).and_then(|known| known.shared.upgrade());
            if let Some(shared) = shared {
                // No more of it than what is below High, as long as there is any.
                let most = if lower > 0 { lower } else { high };
                let (bytes, limit) = (self.memory.excess().min(most), self.memory.limit());
                let trimmed = fence.call(|| shared.trim(bytes, limit)).unwrap_or_default();
                self.memory.count_trimmed(trimmed);
                if trimmed.messages > 0 {
                    self.note(&shared, 0);
                } else {
                    shared.weigh();
                }
                self.tell_first();
                return self.memory.excess() > 0;
            }
            self.tell_first();
        }
        false
    }

    fn call(&self, worker: usize) {
        let peer = self.peers.get().and_then(|peers| peers.get(worker)?.upgrade());
        if let Some(peer) = peer {
            peer.signal().raise();
        }
    }

    fn remove(&mut self, key: usize) -> Option<Known<M>> {
        let known = self.rooms.remove(&key)?;
        self.by_size.remove(&(known.size, Reverse(known.id), key));
        Some(known)
    }

    fn tell_first(&self) {
        let first = self.by_size.last().map_or((0, 0), |&(size, ..)| size);
        self.memory.set_first(self.number, first);
    }

    /// Forgets some of those that are not there any more, so that no more than about twice as many
    /// are known as there are.
    fn look_at_suspects(&mut self) {
        for _ in 0..SUSPECTS {
            let Some((&key, known)) = self.rooms.range(self.suspect..).next() else {
                self.suspect = 0;
                return;
            };
            self.suspect = key.saturating_add(1);
            if known.shared.strong_count() == 0 {
                self.remove(key);
            }
        }
    }
}

impl<M> Drop for Trimmer<M> {
    /// Nobody trims these rooms any more, so nobody has to wait for it.
    fn drop(&mut self) {
        self.memory.set_first(self.number, (0, 0));
    }
}
