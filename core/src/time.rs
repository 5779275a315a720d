//! Time as the host tells it: [law L6](crate::design#l6-time).
//!
//! The core has no clock. Every call that depends on time takes an [`Instant`]; between two calls
//! no time passes.

use core::fmt;
use core::ops::Add;
pub use core::time::Duration;

/// A point in time: nanoseconds since an epoch of the host's choosing.
///
/// The range is `0..=u64::MAX`, about 584 years. All arithmetic saturates. An epoch of "when the
/// server started" and one of 1970 serve equally well, as long as one room sees only one of them;
/// what a room exports for another process names instants, so there the epoch has to outlive the
/// process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// The last representable instant.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `micros` microseconds after the epoch; saturates.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The instant `millis` milliseconds after the epoch; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant `secs` seconds after the epoch; saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, or zero when `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(after)))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// A duration in nanoseconds, capped at `u64::MAX`.
pub(crate) const fn saturating_nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// A clock that only moves forward: time that runs backwards counts as standing still.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watermark(Instant);

impl Watermark {
    /// Moves to `now`, unless that lies in the past, and returns where the clock stands.
    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        self.0 = self.0.max(now);
        self.0
    }

    /// What `advance` would return.
    #[inline]
    pub(crate) fn peek(self, now: Instant) -> Instant {
        self.0.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::MAX + Duration::from_secs(1), Instant::MAX);
        assert_eq!(Instant::ZERO + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::ZERO.saturating_since(Instant::MAX), Duration::ZERO);
        assert_eq!(Instant::from_secs(u64::MAX), Instant::MAX);
    }

    #[test]
    fn a_watermark_never_runs_backwards() {
        let mut clock = Watermark::default();
        assert_eq!(clock.advance(Instant::from_secs(5)), Instant::from_secs(5));
        assert_eq!(clock.advance(Instant::from_secs(3)), Instant::from_secs(5));
        assert_eq!(clock.peek(Instant::from_secs(4)), Instant::from_secs(5));
    }
}
