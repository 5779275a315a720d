//! A token bucket in 16 bytes: its quota stands elsewhere, and it is known by when it is full again.

use crate::quota::{Quota, TokenBucket};
use crate::time::Instant;

/// When a bucket is full again: so many nanoseconds less a fraction of one, counted in as many parts
/// as its quota has tokens in a period. Exact, and past the end of time as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FullAt {
    nanos: u64,
    high: u32,
    less: u32,
}

/// The latest that can be told: some trillions of years.
const LATEST: u128 = (1 << 96) - 1;

impl FullAt {
    /// Full at all times.
    pub(super) const ALWAYS: Self = Self { nanos: 0, high: 0, less: 0 };

    fn new(nanos: u128, less: u32) -> Self {
        let nanos = nanos.min(LATEST);
        Self { nanos: nanos as u64, high: (nanos >> 64) as u32, less }
    }

    /// The first whole nanosecond at which it is full.
    pub(super) fn nanos(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.nanos)
    }

    /// Whether it is full at `now`.
    pub(super) fn is_reached(self, now: Instant) -> bool {
        self.high == 0 && self.nanos <= now.as_nanos()
    }

    /// The first instant at which it is full; `None` when that is after the end of time.
    pub(super) fn instant(self) -> Option<Instant> {
        (self.high == 0).then(|| Instant::from_nanos(self.nanos))
    }

    /// Whether it is full before another one.
    #[inline]
    pub(super) fn is_before(self, other: Self) -> bool {
        (self.high, self.nanos) < (other.high, other.nanos)
    }
}

/// What refills the buckets of one quota.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refill {
    quota: Quota,
    /// What one token takes: whole nanoseconds, and parts of one.
    token: (u128, u32),
    /// What all tokens of a burst take.
    burst: (u128, u32),
}

impl Refill {
    pub(super) fn new(quota: Quota) -> Self {
        let period = quota.rate.period().as_nanos();
        let parts = u128::from(quota.rate.count().get());
        let split = |units: u128| (units / parts, (units % parts) as u32);
        let (nanos, rest) = split(period * u128::from(quota.burst.get()));
        // What takes longer than can be told is a token short of billions.
        let latest = LATEST - u128::from(u64::MAX) - 1;
        Self { quota, token: split(period), burst: (nanos.min(latest), rest) }
    }

    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    fn parts(&self) -> u32 {
        self.quota.rate.count().get()
    }

    /// When it is full if a token is taken at `now`, whether or not there is one.
    #[inline]
    fn without_one(&self, full_at: FullAt, now: Instant) -> (u128, u32) {
        let full =
            if full_at.is_reached(now) { FullAt::new(now.as_nanos().into(), 0) } else { full_at };
        let (nanos, parts) = self.token;
        match full.less.checked_sub(parts) {
            Some(less) => (full.nanos() + nanos, less),
            None => (full.nanos() + nanos + 1, self.parts() - (parts - full.less)),
        }
    }

    /// Whether what is full then is empty no earlier than a whole burst before: by how many
    /// nanoseconds `now` is too early, if it is.
    #[inline]
    fn early(&self, (nanos, less): (u128, u32), now: Instant) -> u128 {
        let (burst, parts) = self.burst;
        // A part of a nanosecond more may be in the burst than in what is missing.
        let rounded = u128::from(less > 0 && self.parts() - less <= parts);
        (nanos - rounded).saturating_sub(u128::from(now.as_nanos()) + burst)
    }

    /// Takes a token at `now`; `None` when there is none.
    #[inline]
    pub(super) fn take(&self, full_at: FullAt, now: Instant) -> Option<FullAt> {
        let (nanos, less) = self.without_one(full_at, now);
        (self.early((nanos, less), now) == 0).then(|| FullAt::new(nanos, less))
    }

    /// The first instant from `now` on at which there is a token; `None` when that is after the end
    /// of time.
    pub(super) fn next_at(&self, full_at: FullAt, now: Instant) -> Option<Instant> {
        let early = u64::try_from(self.early(self.without_one(full_at, now), now)).ok()?;
        now.as_nanos().checked_add(early).map(Instant::from_nanos)
    }

    /// The bucket itself, at `now`.
    pub(super) fn bucket(&self, full_at: FullAt, now: Instant) -> TokenBucket {
        let missing = if full_at.is_reached(now) {
            0
        } else {
            let nanos = full_at.nanos() - u128::from(now.as_nanos());
            nanos * u128::from(self.parts()) - u128::from(full_at.less)
        };
        self.quota.missing(now, missing)
    }

    /// When a bucket of this quota is full, as it is at `now`.
    pub(super) fn full_at(&self, bucket: &TokenBucket, now: Instant) -> FullAt {
        let parts = u128::from(self.parts());
        let missing = bucket.missing_at(now);
        let nanos = missing.div_ceil(parts);
        FullAt::new(u128::from(now.as_nanos()) + nanos, (nanos * parts - missing) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Rng;
    use crate::quota::Rate;
    use crate::time::Duration;
    use core::num::NonZeroU32;

    /// Beside the bucket that it stands for, at rates of all kinds.
    #[test]
    fn it_is_the_bucket_that_it_stands_for() {
        let mut rng = Rng::new(7);
        let periods = [1, 3, 7, 999, 1_000_000_007, 1_000_000_000, 200_000_000, u64::MAX];
        for round in 0..2_000 {
            let period = Duration::from_nanos(periods[rng.below(periods.len() as u32) as usize]);
            let count = [1, 2, 3, 7, 40, 1_000, 999_999_937][rng.below(7) as usize];
            let rate = Rate::new(NonZeroU32::new(count).unwrap(), period).unwrap();
            let quota = Quota { rate, burst: NonZeroU32::new(rng.below(5) + 1).unwrap() };
            let refill = Refill::new(quota);
            let (mut full_at, mut bucket) = (FullAt::ALWAYS, quota.bucket());
            let token = (period.as_nanos() as u64 / u64::from(count)).clamp(1, 1 << 40);
            let mut now = Instant::from_nanos(rng.below(1_000).into());
            for _ in 0..100 {
                let next = bucket.next_at(now, 0);
                assert_eq!(refill.next_at(full_at, now), next, "round {round}: {quota:?} at {now}");
                let taken = refill.take(full_at, now);
                assert_eq!(taken.is_some(), bucket.take_keeping(now, 0), "{quota:?} at {now}");
                full_at = taken.unwrap_or(full_at);
                let whole = bucket.next_at(now, quota.burst.get() - 1);
                if let Some(at) = full_at.instant().filter(|&at| at > now) {
                    assert_eq!(Some(at), whole, "{quota:?} at {now}");
                }
                let copy = refill.bucket(full_at, now);
                assert_eq!(copy.missing_at(now), bucket.missing_at(now));
                assert_eq!(
                    refill.bucket(refill.full_at(&copy, now), now).missing_at(now),
                    copy.missing_at(now)
                );
                let step = u64::from(rng.below(64)) * token / 16;
                now = match next.filter(|_| rng.below(3) == 0) {
                    Some(next) => next,
                    None => Instant::from_nanos(now.as_nanos().saturating_add(step)),
                };
            }
        }
    }
}
