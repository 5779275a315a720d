//! What reading costs: a session that is caught up, and a round in which every session takes a batch of
//! the same messages.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roomcast::time::Instant;
use roomcast::{Budget, Publish, Source};
use roomcast_benches::suite::{is_test_run, wants_bench};
use roomcast_benches::{payload, room_of, unlimited};
use std::hint::black_box;
use std::time::Duration;

fn idle(c: &mut Criterion) {
    let (mut room, sessions) = room_of(&unlimited().build().expect("a valid configuration"), 1);
    c.bench_function("batch/caught_up", |b| {
        b.iter(|| black_box(room.next_batch(Instant::ZERO, sessions[0], Budget::default())));
    });
}

/// A round: so many messages are published, which is not timed, then each of so many sessions takes its
/// batch. What criterion calls an element is a delivery.
fn rounds(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch/round");
    group.sample_size(10);
    for (sessions, messages) in [(1_000, 1), (1_000, 2), (1_000, 10), (100_000, 2), (1_000_000, 2)]
    {
        let name = format!("{sessions}_sessions_take_{messages}");
        if !wants_bench(&format!("batch/round/{name}")) {
            continue;
        }
        let count = if is_test_run() { 100 } else { sessions };
        let (mut room, ids) = room_of(&unlimited().build().expect("a valid configuration"), count);
        let deliveries = u64::from(count) * messages;
        group.throughput(Throughput::Elements(deliveries));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|rounds| {
                let mut reading = Duration::ZERO;
                let mut taken = 0;
                for _ in 0..rounds {
                    for _ in 0..messages {
                        let _ = room.publish(Instant::ZERO, Publish::new(Source::Host, payload()));
                    }
                    let start = std::time::Instant::now();
                    for &session in &ids {
                        if let Ok(Some(batch)) =
                            room.next_batch(Instant::ZERO, session, Budget::default())
                        {
                            taken += batch.messages().len() as u64;
                        }
                    }
                    reading += start.elapsed();
                }
                assert_eq!(taken, deliveries * rounds, "every session took every message");
                reading
            });
        });
    }
    group.finish();
}

criterion_group!(benches, idle, rounds);
criterion_main!(benches);
