//! How fast a recording is replayed.

use std::ops::RangeInclusive;

/// How many times faster than recorded a recording is replayed: 0.1 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed(f64);

impl Speed {
    /// The speeds that there are.
    pub(crate) const RANGE: RangeInclusive<f64> = 0.1..=100.0;

    /// A speed of `times`; `None` if that is not a number in range.
    pub(crate) fn new(times: f64) -> Option<Self> {
        Self::RANGE.contains(&times).then_some(Self(times))
    }

    /// How many times faster than recorded.
    pub(crate) fn times(self) -> f64 {
        self.0
    }

    /// When something is replayed that was recorded at `recorded_us`, in nanoseconds.
    pub(crate) fn of(self, recorded_us: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and at most 300 days"
        )]
        let at = (recorded_us as f64 * 1e3 / self.0).ceil() as u64;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_time_is_replayed_at_the_speed() {
        let at = |times| Speed::new(times).unwrap().of(1_000_000);
        assert_eq!(
            [at(1.0), at(2.0), at(0.1), at(100.0)],
            [1_000_000_000, 500_000_000, 10_000_000_000, 10_000_000]
        );
    }
}
