//! The stats of one task of a pump, for all to read.

use super::PumpStats;
use crate::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident),*) => {
        /// What one task has counted, and what handles have refused for its connections.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($name: AtomicU64,)*
            /// Control frames that did not find a place.
            pub(super) controls_dropped: AtomicU64,
            /// Those that a newer one took the place of.
            pub(super) controls_replaced: AtomicU64,
        }

        impl Counters {
            /// The task puts its stats down.
            pub(super) fn set(&self, stats: &PumpStats) {
                $(self.$name.store(stats.$name, Ordering::Relaxed);)*
            }

            pub(crate) fn add_to(&self, stats: &mut PumpStats) {
                $(stats.$name += self.$name.load(Ordering::Relaxed);)*
                stats.controls_dropped += self.controls_dropped.load(Ordering::Relaxed);
                stats.controls_replaced += self.controls_replaced.load(Ordering::Relaxed);
            }
        }
    };
}
counters!(
    connections,
    blocked,
    held_back,
    writes,
    bytes,
    messages,
    unsent,
    encoded,
    framed,
    stalled,
    high_lost,
    panics
);
