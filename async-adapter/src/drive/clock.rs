//! The clocks that a hub may run on.

use roomcast_core::Instant;

/// Tells a hub what time it is.
///
/// It may stand still and it may jump; where it runs backwards, rooms count it as standing still.
/// It is read once for each call, so it should be cheap.
pub trait Clock: Send + Sync + 'static {
    /// The time now, from an epoch of the clock's choosing.
    fn now(&self) -> Instant;
}

/// The clock of the operating system that no one can set, counted from 1970.
///
/// What the time is, it asks when it is made; from then on nothing sets it. So a ban for an hour
/// that one process exports is over at the same time in the next one, or on another machine, as far
/// as their clocks agree.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: std::time::Instant,
    at: Instant,
}

impl SystemClock {
    /// One that says `at` now.
    pub fn starting_at(at: Instant) -> Self {
        Self { start: std::time::Instant::now(), at }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::starting_at(since_1970())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        self.at + self.start.elapsed()
    }
}

/// Tokio's clock, which tests can pause and advance; counted from 1970, as [`SystemClock`].
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
    at: Instant,
}

#[cfg(feature = "tokio")]
impl TokioClock {
    /// One that says `at` now: for tests that pause it and are to run the same every time.
    pub fn starting_at(at: Instant) -> Self {
        Self { start: tokio::time::Instant::now(), at }
    }
}

#[cfg(feature = "tokio")]
impl Default for TokioClock {
    fn default() -> Self {
        Self::starting_at(since_1970())
    }
}

#[cfg(feature = "tokio")]
impl Clock for TokioClock {
    fn now(&self) -> Instant {
        self.at + self.start.elapsed()
    }
}

/// A machine that believes to be before 1970 is at its beginning.
fn since_1970() -> Instant {
    Instant::ZERO + std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn b20_two_clocks_made_in_a_row_agree() {
        let first = SystemClock::default();
        let then = first.now();
        let second = SystemClock::default();
        // A second is far more than lies between the two, and far less than what a clock says that
        // begins when it is made.
        let apart = second
            .now()
            .saturating_since(first.now())
            .max(first.now().saturating_since(second.now()));
        assert!(apart < Duration::from_secs(60), "{apart:?}");
        assert!(then > Instant::from_secs(1_700_000_000), "{then}");
        let own = SystemClock::starting_at(Instant::from_secs(5)).now();
        assert!(own >= Instant::from_secs(5) && own < Instant::from_secs(65));
    }
}
