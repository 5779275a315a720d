//! A limiter: a token bucket, an aligned window or none, whichever is configured.
//! [Decision D14](crate::design#d14-two-kinds-of-quota).

use super::window::Window;
use super::{Quota, Rate, TokenBucket};
use crate::time::Instant;

/// What may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// A token bucket: in every span of time T at most `burst + rate × T`.
    Bucket(Quota),
    /// So many in each aligned window: those of 200 ms begin at every fifth of a second of the
    /// host's clock.
    Window(Rate),
    /// Anything.
    Unlimited,
}

impl RateLimit {
    /// The rate; `None` where anything may pass.
    pub const fn rate(self) -> Option<Rate> {
        match self {
            Self::Bucket(quota) => Some(quota.rate),
            Self::Window(rate) => Some(rate),
            Self::Unlimited => None,
        }
    }

    /// The most that can pass at one instant; `u32::MAX` where anything may.
    pub const fn burst(self) -> u32 {
        match self {
            Self::Bucket(quota) => quota.burst.get(),
            Self::Window(rate) => rate.count().get(),
            Self::Unlimited => u32::MAX,
        }
    }

    pub(crate) const fn limiter(self) -> Limiter {
        match self {
            Self::Bucket(quota) => Limiter::Bucket(quota.bucket()),
            Self::Window(rate) => Limiter::Window(Window::new(rate)),
            Self::Unlimited => Limiter::Unlimited,
        }
    }
}

impl core::fmt::Display for RateLimit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bucket(quota) => write!(f, "{}, burst {}", quota.rate, quota.burst),
            Self::Window(rate) => write!(f, "{rate}, in aligned windows"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// A [`RateLimit`] in use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limiter {
    Bucket(TokenBucket),
    Window(Window),
    Unlimited,
}

impl Limiter {
    /// Goes on under another allowance. The same one changes nothing; from one way of counting to
    /// the other, nothing is there at `now`: the bucket is empty, or the window used up.
    pub(crate) fn change(&mut self, now: Instant, rate_limit: RateLimit) {
        match (&mut *self, rate_limit) {
            (Self::Bucket(bucket), RateLimit::Bucket(quota)) => bucket.change(now, quota),
            (Self::Window(window), RateLimit::Window(rate)) => window.change(now, rate),
            (_, RateLimit::Bucket(quota)) => *self = Self::Bucket(quota.empty(now)),
            (_, RateLimit::Unlimited) => *self = Self::Unlimited,
            (_, RateLimit::Window(rate)) => *self = Self::Window(Window::used_up(now, rate)),
        }
    }

    /// Whether it counts in aligned windows.
    pub(crate) const fn is_window(&self) -> bool {
        matches!(self, Self::Window(_))
    }

    /// How many may pass at `now`.
    #[inline]
    pub(crate) fn available(&self, now: Instant) -> u32 {
        match self {
            Self::Bucket(bucket) => bucket.available(now),
            Self::Window(window) => window.available(now),
            Self::Unlimited => u32::MAX,
        }
    }

    /// Lets one pass if at least `keep` could still pass after it.
    #[inline]
    pub(crate) fn take_keeping(&mut self, now: Instant, keep: u32) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.take_keeping(now, keep),
            Self::Window(window) => window.take_keeping(now, keep),
            Self::Unlimited => true,
        }
    }

    /// The first instant, not before `now`, at which [`take_keeping`](Self::take_keeping) would
    /// grant; `None` when it never would.
    #[inline]
    pub(crate) fn next_at(&self, now: Instant, keep: u32) -> Option<Instant> {
        match self {
            Self::Bucket(bucket) => bucket.next_at(now, keep),
            Self::Window(window) => window.next_at(now, keep),
            Self::Unlimited => Some(now),
        }
    }

    /// How many could pass from `now` up to and with `last`, each as soon as it may, if at least
    /// `keep` could still pass after each.
    pub(crate) fn passing(&self, now: Instant, last: Instant, keep: u32) -> u32 {
        match self {
            Self::Bucket(bucket) => bucket.passing(now, last, keep),
            Self::Window(window) => window.passing(now, last, keep),
            Self::Unlimited => u32::MAX,
        }
    }

    /// The first instant, not before `now`, by which so many could have passed; `None` when that is
    /// never.
    pub(crate) fn passed_at(&self, now: Instant, keep: u32, count: u32) -> Option<Instant> {
        match self {
            Self::Bucket(bucket) => bucket.passed_at(now, keep, count),
            Self::Window(window) => window.passed_at(now, keep, count),
            Self::Unlimited => Some(now),
        }
    }
}
