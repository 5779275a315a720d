//! Rates, quotas and the token bucket: [law L5](crate::design#l5-rate).

mod left;
mod limiter;
#[cfg(test)]
mod tests;
mod window;

pub use left::LimitLeft;
pub(crate) use limiter::Limiter;
pub use limiter::RateLimit;

use crate::time::{Duration, Instant, saturating_nanos};
use core::fmt;
use core::num::{NonZeroU32, NonZeroU64};

/// A non-zero number of events per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    period_nanos: NonZeroU64,
}

const SECOND: NonZeroU64 = NonZeroU64::new(1_000_000_000).unwrap();

impl Rate {
    /// `count` in each second.
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self { count, period_nanos: SECOND }
    }

    /// `count` in each `period`; `None` when the period is zero. One longer than 584 years counts
    /// as 584 years.
    pub const fn new(count: NonZeroU32, period: Duration) -> Option<Self> {
        match NonZeroU64::new(saturating_nanos(period)) {
            Some(period_nanos) => Some(Self { count, period_nanos }),
            None => None,
        }
    }

    /// How many pass in one [`period`](Self::period).
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The time in which [`count`](Self::count) pass.
    pub const fn period(self) -> Duration {
        Duration::from_nanos(self.period_nanos.get())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.period() == Duration::from_secs(1) {
            write!(f, "{} per second", self.count)
        } else {
            write!(f, "{} per {:?}", self.count, self.period())
        }
    }
}

/// A rate and a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many in how long.
    pub rate: Rate,
    /// How many at once.
    pub burst: NonZeroU32,
}

impl Quota {
    /// So many a second, and as many at once.
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self { rate: Rate::per_second(count), burst: count }
    }

    /// A bucket that at `now` lacks so many units of being full: a token is as many as the period
    /// has nanoseconds.
    pub(crate) fn missing(self, now: Instant, units: u128) -> TokenBucket {
        let full = TokenBucket::cost(self.rate, self.burst.get());
        let units = full.saturating_sub(units);
        TokenBucket { rate: self.rate, burst: self.burst, units, last: now }
    }

    /// A bucket that is empty at `now`.
    pub(crate) const fn empty(self, now: Instant) -> TokenBucket {
        TokenBucket { rate: self.rate, burst: self.burst, units: 0, last: now }
    }

    /// A full bucket.
    pub const fn bucket(self) -> TokenBucket {
        TokenBucket::new(self.rate, self.burst)
    }
}

/// A token bucket in exact integer arithmetic: in every window of length T at most
/// `burst + rate × T` tokens pass.
///
/// It never reads a clock. It keeps what it holds in units of which one nanosecond brings `count`
/// and one token costs `period` in nanoseconds, so nothing is ever rounded: no drift over years, no
/// loss however often it is asked. Time that runs backwards counts as standing still; no jump of
/// the clock brings more than the burst.
///
/// Every call is O(1).
///
/// ```
/// use roomcast_core::{Instant, TokenBucket};
/// use roomcast_core::quota::Rate;
/// use std::num::NonZeroU32;
///
/// let ten = NonZeroU32::new(10).unwrap();
/// let mut bucket = TokenBucket::new(Rate::per_second(ten), NonZeroU32::MIN);
/// let start = Instant::from_secs(1);
/// assert!(bucket.try_take(start).is_ok());
/// let refused = bucket.try_take(start).unwrap_err();
/// assert_eq!(refused.retry_at, Some(Instant::from_millis(1_100)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    burst: NonZeroU32,
    /// What was there at `last`; at most `burst × period`, which fits in 96 bits.
    units: u128,
    last: Instant,
}

/// The refusal of a [`TokenBucket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// The first instant at which the same request would be granted if nobody took a token before;
    /// `None` when it never would (more tokens are to stay behind than the bucket can hold, or the
    /// instant is not representable).
    pub retry_at: Option<Instant>,
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_at {
            Some(at) => write!(f, "rate exceeded; retry at {at}"),
            None => {
                f.write_str("never allowed: the bucket cannot hold more than has to be kept back")
            }
        }
    }
}

impl core::error::Error for NotYet {}

impl TokenBucket {
    /// A full bucket of `burst` tokens that refills at `rate`.
    pub const fn new(rate: Rate, burst: NonZeroU32) -> Self {
        Self { rate, burst, units: Self::cost(rate, burst.get()), last: Instant::ZERO }
    }

    /// The rate at which it refills.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How many tokens it holds when full.
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// How many whole tokens are there at `now`. Changes nothing.
    pub fn available(&self, now: Instant) -> u32 {
        // At most `burst`, so it fits.
        (self.units_at(now) / u128::from(self.rate.period_nanos.get())) as u32
    }

    /// Takes one token, or says when there will be one.
    pub fn try_take(&mut self, now: Instant) -> Result<(), NotYet> {
        self.try_take_keeping(now, 0)
    }

    /// Takes one token if at least `keep` are left afterwards, or says when that will be so. With a
    /// reserve for others as `keep`, this is how a lower priority takes only what is not kept back.
    pub fn try_take_keeping(&mut self, now: Instant, keep: u32) -> Result<(), NotYet> {
        if self.take_keeping(now, keep) {
            Ok(())
        } else {
            Err(NotYet { retry_at: self.next_at(now, keep) })
        }
    }

    /// As [`try_take_keeping`](Self::try_take_keeping), for who does not ask when: a refusal costs
    /// no division.
    #[inline]
    pub(crate) fn take_keeping(&mut self, now: Instant, keep: u32) -> bool {
        self.units = self.units_at(now);
        self.last = self.last.max(now);
        let granted = self.units >= Self::wanted(self.rate, keep);
        if granted {
            self.units -= Self::cost(self.rate, 1);
        }
        granted
    }

    /// The first instant, not before `now`, at which [`try_take_keeping`](Self::try_take_keeping)
    /// would succeed; `None` when it never would. Changes nothing.
    pub fn next_at(&self, now: Instant, keep: u32) -> Option<Instant> {
        if keep >= self.burst.get() {
            return None;
        }
        self.holds_at(self.last.max(now), Self::wanted(self.rate, keep))
    }

    /// How many could pass from `now` up to and with `last`, each as soon as it may, if at least
    /// `keep` are left after each.
    pub(crate) fn passing(&self, now: Instant, last: Instant, keep: u32) -> u32 {
        let now = self.last.max(now);
        if let Some(step) = self.lone_step(keep) {
            let first = self.next_at(now, keep).filter(|&first| first <= last);
            return first.map_or(0, |first| {
                let further = (last.as_nanos() - first.as_nanos()) / step;
                u32::try_from(further).unwrap_or(u32::MAX).saturating_add(1)
            });
        }
        let elapsed = last.as_nanos().saturating_sub(now.as_nanos());
        // Nothing is lost to the burst: what comes in is taken at once.
        let gained = u128::from(elapsed) * u128::from(self.rate.count.get());
        let units = self.units_at(now) + gained;
        let tokens = u32::try_from(units / u128::from(self.rate.period_nanos.get()));
        if keep < self.burst.get() { tokens.unwrap_or(u32::MAX).saturating_sub(keep) } else { 0 }
    }

    /// The first instant, not before `now`, by which so many could have passed; `None` when that is
    /// never.
    pub(crate) fn passed_at(&self, now: Instant, keep: u32, count: u32) -> Option<Instant> {
        let first = self.next_at(now, keep)?;
        let Some(further) = count.checked_sub(1) else { return Some(self.last.max(now)) };
        if let Some(step) = self.lone_step(keep) {
            let all = step.checked_mul(further.into())?;
            return first.as_nanos().checked_add(all).map(Instant::from_nanos);
        }
        let period = u128::from(self.rate.period_nanos.get());
        self.holds_at(self.last.max(now), period * (u128::from(keep) + u128::from(count)))
    }

    /// The time between two that pass where only one of all that the bucket holds may: then it is
    /// full each time, and what a whole nanosecond brings beyond is lost.
    fn lone_step(&self, keep: u32) -> Option<u64> {
        let step = || self.rate.period_nanos.get().div_ceil(self.rate.count.get().into());
        (keep.saturating_add(1) == self.burst.get()).then(step)
    }

    /// When so many units have come in that is not before.
    fn holds_at(&self, now: Instant, units: u128) -> Option<Instant> {
        let missing = units.saturating_sub(self.units_at(now));
        let count = self.rate.count.get();
        let wait = match u64::try_from(missing) {
            // Nearly always: a division of 128 bits takes as long as ten of these.
            Ok(missing) => missing.div_ceil(u64::from(count)),
            Err(_) => u64::try_from(missing.div_ceil(u128::from(count))).ok()?,
        };
        now.as_nanos().checked_add(wait).map(Instant::from_nanos)
    }

    /// Goes on at another rate and with another burst: what was gained up to `now` counts, as far
    /// as the new burst holds it. A fraction of a token is rounded down where the new period cannot
    /// say it.
    pub(crate) fn change(&mut self, now: Instant, quota: Quota) {
        let (units, old) = (self.units_at(now), u128::from(self.rate.period_nanos.get()));
        let new = u128::from(quota.rate.period_nanos.get());
        // At most 2³² whole tokens, and a fraction of two 64-bit numbers: neither product
        // overflows.
        let converted = (units / old) * new + (units % old) * new / old;
        self.units = converted.min(Self::cost(quota.rate, quota.burst.get()));
        self.last = self.last.max(now);
        (self.rate, self.burst) = (quota.rate, quota.burst);
    }

    /// How many units it lacks of being full.
    pub(crate) fn missing_at(&self, now: Instant) -> u128 {
        Self::cost(self.rate, self.burst.get()) - self.units_at(now)
    }

    fn units_at(&self, now: Instant) -> u128 {
        let elapsed = now.as_nanos().saturating_sub(self.last.as_nanos());
        let gained = u128::from(elapsed) * u128::from(self.rate.count.get());
        (self.units + gained).min(Self::cost(self.rate, self.burst.get()))
    }

    /// What must be there for one token to be taken and `keep` to be left.
    const fn wanted(rate: Rate, keep: u32) -> u128 {
        rate.period_nanos.get() as u128 * (keep as u128 + 1)
    }

    const fn cost(rate: Rate, tokens: u32) -> u128 {
        rate.period_nanos.get() as u128 * tokens as u128
    }
}
