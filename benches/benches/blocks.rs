//! The blocks by themselves: the token bucket and the four-level queue.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use roomcast::config::{EvictionPolicy, QueueConfig, QueueDiscipline, Rate};
use roomcast::core::{Queue, TokenBucket};
use roomcast::message::{Sender, Urgency};
use roomcast::time::Instant;
use roomcast::{Priority, UserId};
use std::hint::black_box;
use std::num::NonZeroU32;

fn bucket(c: &mut Criterion) {
    let rate = Rate::per_second(NonZeroU32::new(40).expect("40 is not zero"));
    let mut group = c.benchmark_group("bucket");
    let mut granting = TokenBucket::new(rate, NonZeroU32::MAX);
    let mut now = 0;
    group.bench_function("try_take/granted", |b| {
        b.iter(|| {
            now += 25_000_000;
            black_box(granting.try_take(Instant::from_nanos(now)))
        });
    });
    let mut refusing = TokenBucket::new(rate, NonZeroU32::MIN);
    let _ = refusing.try_take(Instant::ZERO);
    group.bench_function("try_take/refused", |b| {
        b.iter(|| black_box(refusing.try_take(black_box(Instant::ZERO))));
    });
    group.finish();
}

/// Pushes into a full queue of 1,024 and pops one for every four: three of four evict or are
/// refused.
fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue/push_full_pop_each_fourth");
    for (name, discipline, eviction) in [
        ("fifo_biggest_sender", QueueDiscipline::Fifo, EvictionPolicy::BiggestSender),
        ("fifo_oldest", QueueDiscipline::Fifo, EvictionPolicy::Oldest),
        ("round_robin_biggest_sender", QueueDiscipline::RoundRobin, EvictionPolicy::BiggestSender),
        ("random_random", QueueDiscipline::Random, EvictionPolicy::Random),
    ] {
        let mut config = QueueConfig::default();
        config.discipline = discipline;
        config.eviction = eviction;
        let mut queue = Queue::new(config, 1);
        let mut count = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                count += 1;
                let level = Priority::ALL[(count % 4) as usize];
                let _ = black_box(queue.push(
                    Instant::from_nanos(count),
                    level,
                    Urgency::Plain,
                    Sender::User(UserId(count % 97)),
                    100,
                    count,
                ));
                if count.is_multiple_of(4) {
                    black_box(queue.pop_highest());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bucket, queue);
criterion_main!(benches);
