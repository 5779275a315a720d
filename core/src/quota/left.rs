//! What a limit has left, as plain data: for whoever goes on with it elsewhere.

use super::{Limiter, TokenBucket};
use crate::time::Instant;

/// What a limit has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitLeft {
    /// A token bucket: it is full from then on, if nothing passes before.
    FullAt(Instant),
    /// An aligned window: so many have passed in the one that this instant lies in.
    Passed {
        /// How many.
        count: u32,
        /// When the last did, or any other instant in the window.
        at: Instant,
    },
}

impl TokenBucket {
    /// What is left.
    pub(crate) fn left(&self) -> LimitLeft {
        LimitLeft::FullAt(self.full_at())
    }

    /// Goes on at `now` where another limit stopped. Nothing is there if that was none like this.
    pub(crate) fn go_on(&mut self, now: Instant, left: LimitLeft) {
        match left {
            LimitLeft::FullAt(full_at) => self.fill_by(now, full_at),
            LimitLeft::Passed { .. } => self.fill_by(now, Instant::MAX),
        }
    }

    /// When it is full, if nothing passes before; rounded up to a nanosecond.
    fn full_at(&self) -> Instant {
        let full = Self::cost(self.rate, self.burst.get());
        self.holds_at(self.last, full).unwrap_or(Instant::MAX)
    }

    /// Holds as much at `now` as one does that is full at that instant, and nothing if that is
    /// later than an empty one would be full.
    fn fill_by(&mut self, now: Instant, full_at: Instant) {
        let (full, count) = (Self::cost(self.rate, self.burst.get()), self.rate.count.get());
        let wait = full_at.as_nanos().saturating_sub(now.as_nanos());
        let missing = u128::from(wait) * u128::from(count);
        (self.units, self.last) = (full.saturating_sub(missing), now);
    }
}

impl Limiter {
    /// What is left; `None` where anything passes.
    pub(crate) fn left(&self) -> Option<LimitLeft> {
        match self {
            Self::Bucket(bucket) => Some(bucket.left()),
            Self::Window(window) => Some(window.left()),
            Self::Unlimited => None,
        }
    }

    /// Goes on at `now` where another one stopped. From one way of counting to the other, nothing
    /// is there: the bucket is empty, or the window used up.
    pub(crate) fn go_on(&mut self, now: Instant, left: LimitLeft) {
        match (&mut *self, left) {
            (Self::Bucket(bucket), left) => bucket.go_on(now, left),
            (Self::Window(window), LimitLeft::Passed { count, at }) => window.go_on(now, count, at),
            (Self::Window(window), LimitLeft::FullAt(_)) => window.use_up(now),
            (Self::Unlimited, _) => {}
        }
    }
}
