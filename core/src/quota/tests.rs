//! Known answers for the token bucket: years of time, jumps of the clock, extreme rates, polls at
//! every distance.

use alloc::vec::Vec;

use super::*;

const SECOND: u64 = super::SECOND.get();

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn bucket(per_second: u32, burst: u32) -> TokenBucket {
    TokenBucket::new(Rate::per_second(nz(per_second)), nz(burst))
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn take_all(bucket: &mut TokenBucket, now: Instant) -> u32 {
    let mut taken = 0;
    while bucket.try_take(now).is_ok() {
        taken += 1;
    }
    taken
}

#[test]
fn it_starts_full_and_gives_exactly_the_burst() {
    for (rate, burst) in [(1, 1), (40, 40), (u32::MAX, 1_000_000)] {
        assert_eq!(take_all(&mut bucket(rate, burst), Instant::ZERO), burst);
    }
}

/// It does not come before.
#[test]
fn the_next_token_comes_to_the_nanosecond() {
    // 3 a second: 333,333,333.3 ns for each. Rounding down would let the second come a nanosecond
    // early.
    let mut bucket = bucket(3, 1);
    assert!(bucket.try_take(at(0)).is_ok());
    let mut times = Vec::new();
    for _ in 0..6 {
        let early = bucket.next_at(at(0), 0).unwrap();
        assert!(bucket.try_take(at(early.as_nanos() - 1)).is_err());
        assert_eq!(bucket.try_take(early), Ok(()));
        times.push(early.as_nanos());
    }
    // A burst of 1 loses the fraction it cannot hold, so each wait is the ceiling of 1/3 s.
    assert_eq!(times, (1..=6).map(|n| n * 333_333_334).collect::<Vec<_>>());
}

#[test]
fn a_bucket_that_is_never_full_loses_no_fraction() {
    // Room for more than one token: the fractions stay, and the third token is there at the full
    // second.
    let mut bucket = bucket(3, 2);
    assert_eq!(take_all(&mut bucket, at(0)), 2);
    assert!(bucket.try_take(at(333_333_334)).is_ok());
    assert!(bucket.try_take(at(666_666_667)).is_ok());
    assert!(bucket.try_take(at(SECOND - 1)).is_err());
    assert!(bucket.try_take(at(SECOND)).is_ok());
}

#[test]
fn a_century_of_steady_polling_drifts_by_nothing() {
    // 7 a second polled at odd distances for 100 years in big steps: passed = burst + floor(7 × T).
    let mut bucket = bucket(7, u32::MAX);
    let burst = u128::from(u32::MAX);
    assert_eq!(u128::from(bucket.available(at(0))), burst);
    // Empty it in one go by moving its units, as four billion calls would.
    bucket.units = 0;
    let century = 100 * 365 * 86_400 * SECOND;
    let mut passed = 0_u128;
    let mut now = 0;
    let step = 86_400 * SECOND + 1_234_567_891;
    while now + step <= century {
        now += step;
        let tokens = bucket.available(at(now));
        passed += u128::from(tokens);
        bucket.units = bucket.units_at(at(now)) - u128::from(tokens) * u128::from(SECOND);
        bucket.last = at(now);
    }
    assert_eq!(passed, 7 * u128::from(now) / u128::from(SECOND));
}

/// The distances are all those in nanoseconds.
#[test]
fn polls_at_any_distance_lose_nothing() {
    // Rates whose token takes 7.0, 6.99…, 3.14… ns, polled each 1..=50 ns: exactly floor(rate × T)
    // pass.
    for rate in [142_857_143, 143_000_001, 318_000_000, 1_000_000_000, 999_999_999, 1, 40] {
        for distance in 1..=50_u64 {
            let mut bucket = bucket(rate, u32::MAX);
            bucket.units = 0;
            let mut passed = 0_u64;
            for poll in 1..=2_000 {
                passed += u64::from(take_all(&mut bucket, at(poll * distance)));
            }
            let exact = u128::from(rate) * u128::from(2_000 * distance) / u128::from(SECOND);
            assert_eq!(u128::from(passed), exact, "rate {rate}, a poll each {distance} ns");
        }
    }
}

#[test]
fn the_law_holds_in_every_window() {
    // Greedy takers at irregular times; every pair of grants spans a legal window.
    let (rate, burst) = (40_u128, 10_u128);
    let mut bucket = bucket(40, 10);
    let mut grants = Vec::new();
    let mut now = 0_u64;
    for step in 0..5_000_u64 {
        now += (step * step * 7_919) % 60_000_000;
        while bucket.try_take(at(now)).is_ok() {
            grants.push(now);
        }
    }
    for (first, &start) in grants.iter().enumerate() {
        for (last, &end) in grants.iter().enumerate().skip(first).take(200) {
            let passed = (last - first + 1) as u128;
            assert!(passed <= burst + rate * u128::from(end - start) / u128::from(SECOND));
        }
    }
}

#[test]
fn clock_jumps_bring_the_burst_at_most() {
    let mut bucket = bucket(40, 40);
    assert_eq!(take_all(&mut bucket, at(SECOND)), 40);
    // Backwards: standing still.
    assert_eq!(take_all(&mut bucket, Instant::ZERO), 0);
    assert_eq!(bucket.next_at(Instant::ZERO, 0), Some(at(SECOND + 25_000_000)));
    // To the end of time: one burst, and no overflow.
    assert_eq!(take_all(&mut bucket, Instant::MAX), 40);
    assert_eq!(take_all(&mut bucket, Instant::MAX), 0);
    assert_eq!(bucket.next_at(Instant::MAX, 0), None);
    // And back again.
    assert_eq!(take_all(&mut bucket, at(SECOND)), 0);
}

#[test]
fn very_low_and_very_high_rates_are_exact() {
    let year = Duration::from_secs(365 * 86_400);
    let mut yearly = TokenBucket::new(Rate::new(nz(1), year).unwrap(), nz(1));
    assert!(yearly.try_take(at(5)).is_ok());
    let refused = yearly.try_take(at(6)).unwrap_err();
    assert_eq!(refused.retry_at, Some(at(5) + year));
    assert!(yearly.try_take(at(5 + 365 * 86_400 * SECOND - 1)).is_err());
    assert!(yearly.try_take(at(5) + year).is_ok());

    let mut fast =
        TokenBucket::new(Rate::new(nz(u32::MAX), Duration::from_nanos(1)).unwrap(), nz(u32::MAX));
    fast.units = 0;
    assert_eq!(fast.available(at(1)), u32::MAX);
    assert_eq!(fast.available(Instant::MAX), u32::MAX);

    let slowest = TokenBucket::new(Rate::new(nz(1), Duration::MAX).unwrap(), nz(u32::MAX));
    assert_eq!(slowest.available(at(0)), u32::MAX);
    assert_eq!(Rate::new(nz(1), Duration::ZERO), None);
}

#[test]
fn a_reserve_is_kept_and_says_when_it_is_over() {
    let mut bucket = bucket(10, 5);
    for _ in 0..3 {
        assert!(bucket.try_take_keeping(at(0), 2).is_ok());
    }
    let refused = bucket.try_take_keeping(at(0), 2).unwrap_err();
    assert_eq!(refused.retry_at, Some(at(SECOND / 10)));
    assert_eq!(take_all(&mut bucket, at(0)), 2);
    assert_eq!(bucket.try_take_keeping(at(0), 5), Err(NotYet { retry_at: None }));
    assert_eq!(bucket.try_take_keeping(at(0), u32::MAX), Err(NotYet { retry_at: None }));
}

#[test]
fn looking_changes_nothing() {
    let mut bucket = bucket(40, 40);
    assert_eq!(take_all(&mut bucket, at(0)), 40);
    for now in 0..1_000 {
        bucket.available(at(now * SECOND));
        bucket.next_at(at(now * SECOND), 0);
    }
    assert_eq!(take_all(&mut bucket, at(0)), 0);
    assert_eq!(take_all(&mut bucket, at(SECOND / 40)), 1);
}

/// Fractions are rounded down.
#[test]
fn a_change_keeps_gains_and_rounds_down() {
    let quota = |count, nanos, burst| Quota {
        rate: Rate::new(nz(count), Duration::from_nanos(nanos)).unwrap(),
        burst: nz(burst),
    };
    let mut bucket = quota(10, SECOND, 10).bucket();
    assert_eq!(take_all(&mut bucket, at(0)), 10);
    // Two tokens and a half; of the period of three nanoseconds half a token is one of its three
    // parts, rounded down.
    bucket.change(at(SECOND / 4), quota(1, 3, 7));
    assert_eq!((bucket.units, bucket.available(at(SECOND / 4))), (2 * 3 + 1, 2));
    // A clock that ran backwards brings nothing twice.
    bucket.change(at(0), quota(1, 3, 7));
    assert_eq!((bucket.units, bucket.available(at(SECOND / 4))), (2 * 3 + 1, 2));
    bucket.change(at(SECOND / 4), quota(u32::MAX, u64::MAX, 1));
    assert_eq!(bucket.units, u128::from(u64::MAX));
    bucket.change(Instant::MAX, quota(1, 1, u32::MAX));
    assert_eq!(bucket.available(Instant::MAX), 1);
    // The most that there can be, said in the longest period.
    let mut most = quota(1, u64::MAX - 1, u32::MAX).bucket();
    most.change(at(5), quota(1, u64::MAX, u32::MAX));
    assert_eq!(most.available(at(5)), u32::MAX);
}

/// It holds in every window.
#[test]
fn the_law_holds_across_random_changes() {
    // In every window: the burst where it begins, and what each rate brings in its time; counted in
    // parts of which a token has six thousand million.
    const PERIODS: [u64; 4] = [SECOND, 2 * SECOND, 3 * SECOND, SECOND / 10];
    let mut rng = crate::index::Rng::new(3);
    let changed = |rng: &mut crate::index::Rng| {
        let period = PERIODS[rng.below(4) as usize];
        Quota {
            rate: Rate::new(nz(1 + rng.below(50)), Duration::from_nanos(period)).unwrap(),
            burst: nz(1 + rng.below(9)),
        }
    };
    for _ in 0..60 {
        let quota = changed(&mut rng);
        let (mut bucket, mut now) = (quota.bucket(), 0_u64);
        // Since when which quota holds, and when one passed and under which.
        let (mut regimes, mut grants) = (Vec::from([(0_u64, quota)]), Vec::new());
        for _ in 0..400 {
            now += u64::from(rng.below(90_000_000));
            if rng.below(8) == 0 {
                let quota = changed(&mut rng);
                bucket.change(at(now), quota);
                regimes.push((now, quota));
                assert!(bucket.available(at(now)) <= quota.burst.get());
            }
            for _ in 0..rng.below(4) {
                if bucket.try_take(at(now)).is_ok() {
                    grants.push((now, regimes.len() - 1));
                }
            }
        }
        let brought = |start: u64, end: u64| -> u128 {
            let ends = regimes.iter().skip(1).map(|&(since, _)| since).chain([u64::MAX]);
            let gained = regimes.iter().zip(ends).map(|(&(since, quota), until)| {
                let time = end.min(until).saturating_sub(start.max(since));
                // Each period divides six seconds.
                let period = quota.rate.period_nanos.get();
                u128::from(time)
                    * u128::from(quota.rate.count.get())
                    * u128::from(6 * SECOND / period)
            });
            gained.sum()
        };
        for (first, &(start, regime)) in grants.iter().enumerate() {
            for (last, &(end, _)) in grants.iter().enumerate().skip(first).take(60) {
                let passed = (last - first + 1) as u128 * u128::from(6 * SECOND);
                let burst = u128::from(regimes[regime].1.burst.get()) * u128::from(6 * SECOND);
                assert!(passed <= burst + brought(start, end), "from {start} to {end}");
            }
        }
        assert!(grants.len() > 50, "only {}", grants.len());
    }
}

/// What is foretold is what comes about where each is taken as soon as it may.
#[test]
fn what_will_pass_is_what_passes_one_by_one() {
    for (rate, burst, keep) in
        [(3, 1, 0), (3, 2, 1), (7, 3, 2), (7, 3, 0), (3, 5, 2), (40, 2, 0), (1_000, 9, 8)]
    {
        let mut bucket = bucket(rate, burst);
        assert_eq!(bucket.burst().get(), burst);
        while bucket.try_take_keeping(at(5), keep).is_ok() {}
        let (mut taken, last) = (bucket, at(5 + 2 * SECOND));
        let mut times = Vec::new();
        while let Some(next) = taken.next_at(at(5), keep).filter(|&next| next <= last) {
            assert!(taken.take_keeping(next, keep));
            times.push(next);
        }
        let case = (rate, burst, keep);
        assert_eq!(bucket.passing(at(5), last, keep) as usize, times.len(), "{case:?}");
        for (count, time) in (1..).zip(times) {
            assert_eq!(bucket.passed_at(at(5), keep, count), Some(time), "{count} of {case:?}");
        }
        assert_eq!(bucket.passing(at(5), last, burst), 0, "{case:?}");
    }
}
