//! The time of a run, which goes on when somebody waits for it. One for each thread of the
//! operating system, and a run of `shuttle` has one.

use roomcast_core::Instant;
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn now() -> Instant {
    Instant::from_nanos(NOW.get())
}

/// A run begins.
pub(crate) fn begin() {
    NOW.set(0);
}

/// It is this late by now, or later.
pub(crate) fn reach(at: Instant) {
    NOW.set(NOW.get().max(at.as_nanos()));
}

pub(crate) fn pass(time: Duration) {
    reach(now() + time);
}
