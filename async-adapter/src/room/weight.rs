//! What a room adds to what all rooms of its hub hold, where that has a limit.
//!
//! Each half puts down what it holds while its own lock is held. A worker that looks after the room
//! adds both up and brings the hub's sums up to date, and so does whoever makes the room grow by
//! much.

use super::SharedRoom;
use crate::drive::memory::{HubMemory, Weight};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};
use roomcast_core::ids::Seq;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::memory::{RoomBytes, Trimmed};
use roomcast_core::{Admission, Payload};

/// By how many bytes an admission may grow before the hub's sums hear of it.
pub(super) const SLACK: u64 = 16 << 10;

#[derive(Debug)]
pub(super) struct RoomWeight {
    hub: Arc<HubMemory>,
    admission: Half,
    /// What was dispatched and a shard has yet to take over, in bytes, and the last message that
    /// this counts. Written under the admission's lock.
    at_seam: AtomicU64,
    counted: AtomicU64,
    /// What the hub's sums have of this room.
    noted: Mutex<Weight>,
    /// What the admission held when that was noted.
    noted_of_admission: AtomicU64,
}

/// What half of a room holds, as it put that down last.
#[derive(Debug, Default)]
pub(crate) struct Half {
    lower: AtomicU64,
    high: AtomicU64,
    kept: AtomicU64,
}

impl Half {
    /// Puts down what this half holds, under its lock.
    pub(crate) fn put_down(&self, bytes: &RoomBytes) {
        let (lower, all) = (bytes.yielding_first(), bytes.yielding());
        self.lower.store(lower, Ordering::Relaxed);
        self.high.store(all - lower, Ordering::Relaxed);
        self.kept.store(bytes.kept(), Ordering::Relaxed);
    }

    /// So many bytes come from the seam, under the lock. They are put down before they leave it, so
    /// that nobody sees them nowhere.
    pub(crate) fn announce(&self, bytes: u64) {
        self.lower.fetch_add(bytes, Ordering::Relaxed);
    }

    fn load(&self) -> [u64; 3] {
        [&self.lower, &self.high, &self.kept].map(|sum| sum.load(Ordering::Relaxed))
    }
}

impl RoomWeight {
    pub(super) fn new(hub: &Arc<HubMemory>) -> Self {
        Self {
            hub: Arc::clone(hub),
            admission: Half::default(),
            at_seam: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            noted: Mutex::default(),
            noted_of_admission: AtomicU64::new(0),
        }
    }

    /// Tells an admission, which is about to be called, how much is left.
    pub(super) fn tell<M: Payload>(&self, admission: &mut Admission<M>) {
        admission.set_memory(self.hub.memory());
    }

    /// Puts down what the admission holds, under its lock, and what it has dispatched. Returns
    /// whether it has grown by so much that the hub's sums have to hear of it now.
    pub(super) fn put_down<M: Payload>(&self, admission: &Admission<M>) -> bool {
        let bytes = admission.bytes();
        self.admission.put_down(&bytes);
        let (last, counted) = (admission.dispatched(), self.counted.load(Ordering::Relaxed));
        let mut at_seam = self.at_seam.load(Ordering::Relaxed);
        if last.0 != counted {
            at_seam += admission.seam_bytes(Seq(counted));
            self.at_seam.store(at_seam, Ordering::Release);
            self.counted.store(last.0, Ordering::Relaxed);
        }
        let noted = self.noted_of_admission.load(Ordering::Relaxed);
        bytes.total() + at_seam > noted.saturating_add(SLACK)
    }

    /// A shard takes over what was dispatched, under the admission's lock; what every shard has
    /// taken over has left the seam.
    pub(super) fn take_over<M: Payload>(&self, admission: &Admission<M>) {
        let (before, after) = (self.at_seam.load(Ordering::Relaxed), admission.seam_bytes(Seq(0)));
        self.counted.store(admission.dispatched().0, Ordering::Relaxed);
        // Whoever sees that it has left the seam sees that a shard expects it.
        self.at_seam.store(after, Ordering::Release);
        // The hub's sums have it, though not of the admission any more.
        let noted = self.noted_of_admission.load(Ordering::Relaxed);
        let left = before.saturating_sub(after);
        self.noted_of_admission.store(noted.saturating_sub(left), Ordering::Relaxed);
    }

    /// A message was refused.
    #[cold]
    pub(super) fn count_refusal(&self, reason: RefusalReason) {
        if reason == RefusalReason::MemoryFull {
            self.hub.count_refusal();
        }
    }
}

impl Drop for RoomWeight {
    fn drop(&mut self) {
        self.hub.change(*self.noted.lock(), Weight::default());
    }
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Brings the hub's sums up to date with what this room holds. Returns how much can give way
    /// below High, and where that is nothing, of High; `None` where memory has no limit. O(shards).
    pub(crate) fn weigh(&self) -> Option<(u64, u64)> {
        let weight = self.weight.as_deref()?;
        let mut noted = weight.noted.lock();
        let at_seam = weight.at_seam.load(Ordering::Acquire);
        let [mut lower, mut high, mut kept] = weight.admission.load();
        let of_admission = lower + high + kept + at_seam;
        weight.noted_of_admission.store(of_admission, Ordering::Relaxed);
        let mut logged = [0; 2];
        for shard in self.shards() {
            let [log, of_high, directs] = shard.half.load();
            logged = [logged[0].max(log), logged[1].max(of_high)];
            kept += directs;
        }
        (lower, high) = (lower + logged[0], high + logged[1]);
        let now = Weight { held: lower + high + at_seam + kept, kept };
        weight.hub.change(*noted, now);
        *noted = now;
        Some((lower, if lower > 0 { 0 } else { high }))
    }

    /// Messages give way until so many bytes are free, at most 4,096.
    pub(crate) fn trim(self: &Arc<Self>, bytes: u64, limit: u64) -> Trimmed {
        self.in_all(|halves, _| halves.trim(bytes, limit))
    }
}
