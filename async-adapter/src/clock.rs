//! Where a hub gets its time from.

use roomcast_core::Instant;

/// Tells a hub what time it is.
///
/// It may stand still and it may jump; where it runs backwards, rooms count it as standing still. It is read once for each call, so it
/// should be cheap.
pub trait Clock: Send + Sync + 'static {
    /// The time now, from an epoch of the clock's choosing.
    fn now(&self) -> Instant;
}

/// The clock of the operating system that no one can set: nanoseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}

/// Tokio's clock, which tests can pause and advance.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
}

#[cfg(feature = "tokio")]
impl Default for TokioClock {
    fn default() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

#[cfg(feature = "tokio")]
impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}
