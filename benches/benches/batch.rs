//! What reading costs: a session that is caught up, a batch, and a sweep in which every session
//! takes the same messages.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roomcast::time::Instant;
use roomcast::{Budget, Publish, Source};
use roomcast_benches::{is_test_run, payload, room_of, unlimited};
use std::hint::black_box;
use std::time::Duration;

fn idle(c: &mut Criterion) {
    let (mut room, sessions) = room_of(&unlimited().build().expect("a valid configuration"), 1);
    c.bench_function("batch/caught_up", |b| {
        b.iter(|| black_box(room.next_batch(Instant::ZERO, sessions[0], Budget::default())));
    });
}

/// Time for each delivery: so many messages are published, then each of so many sessions takes its
/// batch.
fn sweep(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch/sweep_by_delivery");
    group.sample_size(10);
    for (sessions, messages) in [(1_000, 1), (1_000, 2), (1_000, 10), (100_000, 2), (1_000_000, 2)]
    {
        let count = if is_test_run() { 100 } else { sessions };
        let (mut room, ids) = room_of(&unlimited().build().expect("a valid configuration"), count);
        let deliveries = u64::from(count) * messages;
        group.throughput(Throughput::Elements(deliveries));
        group.bench_function(BenchmarkId::from_parameter(format!("{sessions}x{messages}")), |b| {
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

criterion_group!(benches, idle, sweep);
criterion_main!(benches);
