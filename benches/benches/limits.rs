//! Taking a token: of one bucket, and of the bucket of a key, beside `governor`, which does the same by
//! an atomic number and keeps its keys in a `HashMap` under a lock or in a `DashMap`.
//!
//! One iteration is one token asked for. Keys are drawn uniformly; all of them are there before. Both
//! are told the time, which goes on by 100 ns for each token, so that most find one: what a clock
//! costs is not in it. Roomcast's limit is bounded and forgets by itself whoever is as good as new;
//! `governor` forgets when it is asked to, all keys at once.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion};
use governor::clock::FakeRelativeClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, HashMapStateStore};
use governor::{Quota as PeerQuota, RateLimiter};
use roomcast::core::KeyedLimit;
use roomcast::core::quota::{Quota, Rate, TokenBucket};
use roomcast::time::Instant;
use roomcast_benches::Draws;
use roomcast_benches::suite::{is_test_run, wants_bench};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

/// What goes by between two tokens.
const STEP: Duration = Duration::from_nanos(100);
/// Tokens at once.
const BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bucket(&mut criterion);
    let sizes: &[u32] = if is_test_run() { &[100] } else { &[100, 10_000, 1_000_000] };
    for &keys in sizes {
        keyed(&mut criterion, keys);
    }
    criterion.final_summary();
}

fn bucket(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bucket");
    group.bench_function("roomcast", |bencher| {
        let rate = Rate::new(NonZeroU32::MIN, STEP).expect("a period");
        let (mut bucket, mut now) = (TokenBucket::new(rate, BURST), Instant::from_secs(1));
        bencher.iter(|| {
            now = now + STEP;
            black_box(bucket.try_take(black_box(now)).is_ok())
        });
    });
    group.bench_function("governor", |bencher| {
        let clock = FakeRelativeClock::default();
        let quota = PeerQuota::with_period(STEP).expect("a period").allow_burst(BURST);
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        bencher.iter(|| {
            clock.advance(STEP);
            black_box(limiter.check().is_ok())
        });
    });
    group.finish();
}

/// Each key gets a token in the time in which all of them ask once.
fn keyed(criterion: &mut Criterion, keys: u32) {
    // Seconds of filling, for a million.
    if !wants_bench(&format!(
        "keyed/roomcast/{keys} keyed/governor, HashMap/{keys} keyed/governor, DashMap/{keys}"
    )) {
        return;
    }
    let period = STEP * keys;
    let mut group = criterion.benchmark_group("keyed");
    group.bench_function(BenchmarkId::new("roomcast", keys), |bencher| {
        let rate = Rate::new(NonZeroU32::MIN, period).expect("a period");
        let mut limit = KeyedLimit::new(Quota { rate, burst: BURST }, keys, 7);
        let (mut draws, mut now) = (Draws::starting_at(3), Instant::from_secs(1));
        for key in 0..keys {
            let _ = limit.take(now, key.into());
        }
        bencher.iter(|| {
            now = now + STEP;
            black_box(limit.take(now, draws.below(keys as usize) as u64).is_ok())
        });
    });
    let quota = PeerQuota::with_period(period).expect("a period").allow_burst(BURST);
    group.bench_function(BenchmarkId::new("governor, HashMap", keys), |bencher| {
        let clock = FakeRelativeClock::default();
        let keys_of = HashMapStateStore::<u64>::default();
        let limiter =
            RateLimiter::<_, _, _, NoOpMiddleware<Nanos>>::new(quota, keys_of, clock.clone());
        peer(bencher, keys, |key| limiter.check_key(&key).is_ok(), || clock.advance(STEP));
    });
    group.bench_function(BenchmarkId::new("governor, DashMap", keys), |bencher| {
        let clock = FakeRelativeClock::default();
        let keys_of = DashMapStateStore::<u64>::default();
        let limiter =
            RateLimiter::<_, _, _, NoOpMiddleware<Nanos>>::new(quota, keys_of, clock.clone());
        peer(bencher, keys, |key| limiter.check_key(&key).is_ok(), || clock.advance(STEP));
    });
    group.finish();
}

fn peer(
    bencher: &mut criterion::Bencher<'_>,
    keys: u32,
    take: impl Fn(u64) -> bool,
    step: impl Fn(),
) {
    let mut draws = Draws::starting_at(3);
    for key in 0..keys {
        take(key.into());
    }
    bencher.iter(|| {
        step();
        black_box(take(draws.below(keys as usize) as u64))
    });
}
