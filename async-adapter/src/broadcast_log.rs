//! What all rooms of a hub share: what was broadcast to them, and who reviews.

use crate::shared_room::SharedRoom;
use parking_lot::Mutex;
use roomcast_core::{
    Broadcast, BroadcastLimits, BroadcastRefused, Broadcasts, Instant, Payload, Ticket,
};
use slab::Slab;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Has a message reviewed that waits for a verdict. It runs outside every lock.
type Reviewer<M> = dyn Fn(&Arc<SharedRoom<M>>, Ticket) + Send + Sync;

/// Rooms that are looked at under one lock, on the way of a broadcast to all of them.
const ROOMS_A_STEP: usize = 64;

pub(crate) struct BroadcastLog<M> {
    /// The last lock that anybody takes: a room's admission may be locked.
    broadcasts: Mutex<Broadcasts<M>>,
    /// How many there have been, so that a room can tell without the lock whether it has heard them
    /// all.
    count: AtomicU64,
    /// The rooms, by places that stay: so that a broadcast can go from one to the next.
    rooms: Mutex<Slab<Weak<SharedRoom<M>>>>,
    reviewer: OnceLock<Box<Reviewer<M>>>,
}

impl<M> std::fmt::Debug for BroadcastLog<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastLog").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<M: Payload> BroadcastLog<M> {
    pub(crate) fn new(limits: BroadcastLimits, seed: u64) -> Self {
        let broadcasts = Mutex::new(Broadcasts::new(limits, seed));
        Self {
            broadcasts,
            count: AtomicU64::new(0),
            rooms: Mutex::default(),
            reviewer: OnceLock::new(),
        }
    }

    /// A room is there, at a place that it keeps until [`leave`](Self::leave).
    pub(crate) fn enter(&self, shared: Weak<SharedRoom<M>>) -> usize {
        self.rooms.lock().insert(shared)
    }

    pub(crate) fn leave(&self, place: usize) {
        self.rooms.lock().try_remove(place);
    }

    /// The rooms at some places from this one on, and the place to go on at; `None` when those were
    /// the last.
    pub(crate) fn rooms_from(&self, place: usize) -> (Vec<Arc<SharedRoom<M>>>, Option<usize>) {
        let rooms = self.rooms.lock();
        let end = place + ROOMS_A_STEP;
        let some = (place..end).filter_map(|place| rooms.get(place)?.upgrade()).collect();
        (some, (end < rooms.capacity()).then_some(end))
    }

    /// How many broadcasts there have been.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn broadcast(
        &self,
        now: Instant,
        broadcast: Broadcast<M>,
    ) -> Result<(), BroadcastRefused<M>>
    where
        M: Clone,
    {
        let mut broadcasts = self.broadcasts.lock();
        let old = broadcasts.publish(now, broadcast);
        self.count.store(broadcasts.count(), Ordering::Release);
        drop(broadcasts);
        // Dropped outside the lock.
        old.map(drop)
    }

    /// Runs a call with what was broadcast.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&Broadcasts<M>) -> R) -> R {
        call(&self.broadcasts.lock())
    }

    /// Returns whether there was none yet.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_reviewer(&self, reviewer: Box<Reviewer<M>>) -> bool {
        self.reviewer.set(reviewer).is_ok()
    }

    /// Has a message reviewed, if anybody does.
    pub(crate) fn review(&self, shared: &Arc<SharedRoom<M>>, ticket: Ticket) {
        if let Some(reviewer) = self.reviewer.get() {
            reviewer(shared, ticket);
        }
    }
}
