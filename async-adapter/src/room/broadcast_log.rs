//! The log of what was broadcast to all rooms of a hub:
//! [decision D24](roomcast_core::design#d24-a-broadcast-is-one-log).

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use roomcast_core::broadcasts::{Broadcast, BroadcastLimits, BroadcastRefused, Broadcasts};
use roomcast_core::{Instant, Payload};

/// The broadcasts of a hub, which every room takes over when it is next called.
pub(crate) struct BroadcastLog<M> {
    /// The last lock that anybody takes: a room's admission may be locked.
    broadcasts: Mutex<Broadcasts<M>>,
    /// How many there have been, so that a room can tell without the lock whether it has heard
    /// them all.
    count: AtomicU64,
}

impl<M> std::fmt::Debug for BroadcastLog<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastLog").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<M: Payload> BroadcastLog<M> {
    pub(crate) fn new(limits: BroadcastLimits, seed: u64) -> Self {
        let broadcasts = Mutex::new(Broadcasts::new(limits, seed));
        Self { broadcasts, count: AtomicU64::new(0) }
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
}
