//! What the pumps of a hub have done, those that are gone included.

use crate::pump::counters::Counters;
use crate::stats::PumpStats;
use crate::sync::{Arc, Mutex};

/// The tasks of all pumps.
#[derive(Debug, Default)]
pub(crate) struct PumpBooks(Mutex<Tasks>);

#[derive(Debug, Default)]
struct Tasks {
    there: Vec<Arc<Counters>>,
    /// What those have done that are there no more.
    gone: PumpStats,
}

impl PumpBooks {
    /// One more counts.
    pub(crate) fn add(&self, counters: &Arc<Counters>) {
        self.0.lock().there.push(Arc::clone(counters));
    }

    /// Returns what all have done. O(tasks).
    pub(super) fn stats(&self) -> PumpStats {
        let Tasks { there, gone } = &mut *self.0.lock();
        there.retain(|counters| {
            // Then neither the task nor a handle has it.
            let is_over = Arc::strong_count(counters) == 1;
            if is_over {
                counters.add_to(gone);
            }
            !is_over
        });
        let mut stats = *gone;
        for counters in there {
            counters.add_to(&mut stats);
        }
        stats
    }
}
