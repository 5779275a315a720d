//! What all rooms of a hub hold together, where that has a limit:
//! [clause B25](roomcast_core::rulebook#b25-memory-of-all-rooms).

use crate::sync::atomic::{AtomicU64, Ordering};
use roomcast_core::Memory;
use roomcast_core::memory::{MemoryUse, Trimmed};

/// Sums over the rooms, which the rooms add to as they are looked at. Nobody waits for anybody.
#[derive(Debug)]
pub(crate) struct HubMemory {
    limit: u64,
    held: AtomicU64,
    kept: AtomicU64,
    trimmed_messages: AtomicU64,
    trimmed_bytes: AtomicU64,
    refused: AtomicU64,
    /// For each worker, of the room that it would trim first.
    first: Box<[First]>,
}

/// How much can give way in a room, below High and of High.
#[derive(Debug, Default)]
struct First {
    lower: AtomicU64,
    high: AtomicU64,
}

/// What a room adds to the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) held: u64,
    pub(crate) kept: u64,
}

impl HubMemory {
    pub(crate) fn new(limit: u64, workers: usize) -> Self {
        Self {
            limit,
            held: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            trimmed_messages: AtomicU64::new(0),
            trimmed_bytes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            first: (0..workers).map(|_| First::default()).collect(),
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// What rooms are told: two loads.
    #[inline]
    pub(crate) fn memory(&self) -> Memory {
        let load = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        Memory::of(self.limit, load(&self.held), load(&self.kept))
    }

    /// By how many bytes more is held than may be.
    pub(crate) fn excess(&self) -> u64 {
        self.held.load(Ordering::Relaxed).saturating_sub(self.limit)
    }

    /// A room that added `before` adds `after` from now on. Whoever says so is the only one who
    /// speaks for this room.
    pub(crate) fn change(&self, before: Weight, after: Weight) {
        let add = |sum: &AtomicU64, before: u64, after: u64| {
            if before != after {
                sum.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            }
        };
        add(&self.held, before.held, after.held);
        add(&self.kept, before.kept, after.kept);
    }

    /// Messages gave way.
    pub(crate) fn count_trimmed(&self, trimmed: Trimmed) {
        self.trimmed_messages.fetch_add(trimmed.messages.into(), Ordering::Relaxed);
        self.trimmed_bytes.fetch_add(trimmed.bytes, Ordering::Relaxed);
    }

    /// A message was refused.
    pub(crate) fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// In the room that a worker would trim first so much can give way, below High and of High.
    pub(crate) fn set_first(&self, worker: usize, (lower, high): (u64, u64)) {
        self.first[worker].lower.store(lower, Ordering::Relaxed);
        self.first[worker].high.store(high, Ordering::Relaxed);
    }

    /// The worker that trims next: in whose room most can give way, below High as long as there is
    /// any; `None` when nothing can give way anywhere.
    pub(crate) fn first_to_trim(&self) -> Option<usize> {
        let load = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        let sizes = self.first.iter().map(|first| (load(&first.lower), load(&first.high)));
        // Of several, the first.
        let (worker, size) = sizes.enumerate().rev().max_by_key(|&(_, size)| size)?;
        (size > (0, 0)).then_some(worker)
    }

    /// How much the rooms take, and what came of it.
    pub(crate) fn uses(&self) -> MemoryUse {
        let load = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        let mut uses = MemoryUse::default();
        uses.limit = self.limit;
        (uses.held, uses.kept) = (load(&self.held), load(&self.kept));
        uses.trimmed_messages = load(&self.trimmed_messages);
        uses.trimmed_bytes = load(&self.trimmed_bytes);
        uses.refused = load(&self.refused);
        uses
    }
}
