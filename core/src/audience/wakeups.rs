//! When those who wait are told that there is something new.

use crate::priority::{PerLevel, Priority};
use crate::time::{Duration, Instant};
use alloc::boxed::Box;

/// The next time that those who wait are to be told.
#[derive(Debug)]
pub(super) struct Wakeups {
    /// `None` once they have been.
    wake: Option<Instant>,
    /// How long a message of each level may wait for others to share its wake-up.
    /// None where none waits.
    coalesce: Option<Box<PerLevel<Duration>>>,
}

impl Wakeups {
    /// With nothing to tell yet.
    pub(super) fn new(coalesce: PerLevel<Duration>) -> Self {
        Self { wake: None, coalesce: waits(coalesce) }
    }

    /// What comes from now on waits so long.
    pub(super) fn reconfigure(&mut self, coalesce: PerLevel<Duration>) {
        self.coalesce = waits(coalesce);
    }

    /// Something came that is to be told then, or before.
    #[inline]
    pub(super) fn by(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// A message came, which may wait for others.
    #[inline]
    pub(super) fn by_message(&mut self, level: Priority, dispatched_at: Instant) {
        let window = self.coalesce.as_ref().map_or(Duration::ZERO, |coalesce| coalesce[level]);
        self.by(dispatched_at + window);
    }

    /// Returns when the next wake-up is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.wake
    }

    /// Returns whether a wake-up is due; then it counts as done.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.wake.take_if(|wake| *wake <= now).is_some()
    }

    /// Those who wait have been told, whenever that was due.
    pub(super) fn told(&mut self) {
        self.wake = None;
    }
}

/// How long messages wait, if any do.
fn waits(coalesce: PerLevel<Duration>) -> Option<Box<PerLevel<Duration>>> {
    coalesce.values().any(|window| !window.is_zero()).then(|| Box::new(coalesce))
}
