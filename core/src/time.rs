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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

    /// The instant so long before this one, or the epoch when that is later.
    pub const fn saturating_sub(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(before)))
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

    /// Where the clock stands.
    #[inline]
    pub(crate) fn at(self) -> Instant {
        self.0
    }

    /// Where it would move.
    #[inline]
    pub(crate) fn peek(self, now: Instant) -> Instant {
        self.0.max(now)
    }
}

/// The clock of a room, or of one half of it: it only moves forward, and one call moves it no
/// further than a largest step.
///
/// The first call tells it what the time is. One that is further ahead later counts as the largest
/// step, and is counted; the clock is behind then, until a call moves it that is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomClock {
    at: Instant,
    /// From this many nanoseconds ahead on, a call is looked at more closely: more than the largest
    /// step, and any while the clock has not begun or is behind.
    look_from: u64,
    max_step: Option<Duration>,
    is_behind: bool,
    cuts: u64,
}

impl RoomClock {
    /// One that has yet to be told the time.
    pub(crate) fn new(max_step: Option<Duration>) -> Self {
        Self { at: Instant::ZERO, look_from: 0, max_step, is_behind: false, cuts: 0 }
    }

    /// Moves to `now`, unless that lies in the past, or as far towards it as one step goes; returns
    /// where the clock stands.
    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        let ahead = now.0.saturating_sub(self.at.0);
        if ahead >= self.look_from {
            self.look(now);
        } else {
            self.at.0 += ahead;
        }
        self.at
    }

    #[cold]
    fn look(&mut self, now: Instant) {
        if self.is_behind && now <= self.at {
            return;
        }
        let at = self.peek(now);
        self.is_behind = at < now;
        self.cuts += u64::from(self.is_behind);
        self.at = at;
        self.look_from = if self.is_behind { 0 } else { self.step().saturating_add(1) };
    }

    /// What `advance` would return.
    #[inline]
    pub(crate) fn peek(&self, now: Instant) -> Instant {
        let has_begun = self.look_from > 0 || self.is_behind;
        let furthest =
            if has_begun { self.at.0.saturating_add(self.step()) } else { Instant::MAX.0 };
        Instant(now.0.min(furthest)).max(self.at)
    }

    /// Where the clock stands.
    #[inline]
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Moves to where another clock of the same room stands, however far that is.
    #[inline]
    pub(crate) fn follow(&mut self, other: Instant) {
        if other > self.at {
            self.at = other;
            self.is_behind = false;
            self.look_from = self.step().saturating_add(1);
        }
    }

    /// From now on with another largest step.
    pub(crate) fn set_max_step(&mut self, max_step: Option<Duration>) {
        self.max_step = max_step;
        if self.look_from > 0 {
            self.look_from = self.step().saturating_add(1);
        }
    }

    /// A clock of the same room for another part of it.
    pub(crate) fn beside(&self) -> Self {
        Self { cuts: 0, ..*self }
    }

    /// When a call is to come for the clock's own sake. The last one that moved it was further ahead
    /// than one step goes: if that was the time, the next one moves on, and if it was not, there is
    /// none before the time is there. `None` where nothing was cut.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.is_behind.then(|| self.at + Duration::from_nanos(1))
    }

    /// How many calls counted as shorter than they were.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts
    }

    fn step(&self) -> u64 {
        self.max_step.map_or(u64::MAX, saturating_nanos)
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
        assert_eq!(Instant::MAX.saturating_sub(Duration::MAX), Instant::ZERO);
        assert_eq!(
            Instant::from_secs(9).saturating_sub(Duration::from_secs(2)),
            Instant::from_secs(7)
        );
        assert_eq!(Instant::from_secs(u64::MAX), Instant::MAX);
    }

    #[test]
    fn a_watermark_never_runs_backwards() {
        let mut clock = Watermark::default();
        assert_eq!(clock.advance(Instant::from_secs(5)), Instant::from_secs(5));
        assert_eq!(clock.advance(Instant::from_secs(3)), Instant::from_secs(5));
    }

    #[test]
    fn a_room_s_clock_moves_one_step_at_most() {
        let secs = Instant::from_secs;
        let mut clock = RoomClock::new(Some(Duration::from_secs(10)));
        // Whatever the first call says.
        assert_eq!(
            (clock.peek(secs(1_000)), clock.advance(secs(1_000))),
            (secs(1_000), secs(1_000))
        );
        assert_eq!(clock.advance(secs(1_010)), secs(1_010));
        assert_eq!((clock.next(), clock.cuts()), (None, 0));
        let far = Instant::MAX;
        for (cuts, at) in [(1, 1_020), (2, 1_030)] {
            assert_eq!((clock.peek(far), clock.advance(far)), (secs(at), secs(at)));
            assert_eq!((clock.next().is_some(), clock.cuts()), (true, cuts));
        }
        // Honest calls: time stands still until they are there.
        assert_eq!(clock.advance(secs(1_011)), secs(1_030));
        let next = clock.next();
        assert_eq!((next, clock.cuts()), (Some(secs(1_030) + Duration::from_nanos(1)), 2));
        assert_eq!((clock.advance(secs(1_030)), clock.next()), (secs(1_030), next));
        assert_eq!((clock.advance(secs(1_040)), clock.next()), (secs(1_040), None));
        clock.follow(secs(5_000));
        assert_eq!((clock.advance(secs(5_011)), clock.next().is_some()), (secs(5_010), true));
        assert_eq!((clock.advance(secs(5_011)), clock.next()), (secs(5_011), None));
        clock.set_max_step(None);
        assert_eq!((clock.advance(far), clock.next(), clock.cuts()), (far, None, 3));
    }

    #[test]
    fn without_a_largest_step_a_room_s_clock_goes_anywhere() {
        let mut clock = RoomClock::new(None);
        for now in [Instant::ZERO, Instant::MAX, Instant::from_secs(1), Instant::MAX] {
            let before = clock.at();
            assert_eq!((clock.peek(now), clock.advance(now)), (before.max(now), before.max(now)));
            assert_eq!((clock.next(), clock.cuts()), (None, 0));
        }
    }
}
