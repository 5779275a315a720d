//! Publishing into many rooms of one hub, from one thread and from two. No coalescing window.
//!
//! Each room holds one guest who does not read, so that every message is dispatched and logged and
//! none waits for a reader. The rooms' shards run on threads of their own. The time is that of the
//! whole: from the first publisher's start until the last one's end.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roomcast::message::OutcomeSink;
use roomcast::{Hub, HubBuilder, Join, Publish, Room, RoomId, Source, Subscription};
use roomcast_benches::suite::{is_test_run, wants_bench};
use roomcast_benches::{Draws, payload, unlimited};
use std::sync::Barrier;
use std::time::{Duration, Instant};

struct Rooms {
    handles: Vec<Room<Bytes>>,
    _guests: Vec<Subscription<Bytes>>,
    #[cfg_attr(not(feature = "observe"), allow(dead_code))]
    hub: Hub<Bytes>,
}

impl Rooms {
    fn new(count: u64, builder: HubBuilder<Bytes>) -> Self {
        let hub = builder.spawn_threads().expect("threads for the shards");
        let config = unlimited().build().expect("a valid configuration");
        let handles: Vec<_> = (0..count)
            .map(|id| hub.create_room(RoomId(id), &config).expect("a new room"))
            .collect();
        let guests = handles
            .iter()
            .map(|room| room.join(Join::guest()).expect("the room takes a guest"))
            .collect();
        Self { handles, _guests: guests, hub }
    }

    /// Publishes so many messages, each into a room drawn at random.
    fn publish(&self, mut draws: Draws, messages: u64) {
        for _ in 0..messages {
            let room = &self.handles[draws.below(self.handles.len())];
            let message =
                Publish::new(Source::Host, payload()).outcome_sink(OutcomeSink::CountedOnly);
            let receipt = room.try_publish(message).expect("the room takes it");
            assert!(receipt.outcome.is_some(), "it was dispatched in the call");
        }
    }

    /// Publishes so many messages in all, spread over threads. Answers the time from the first
    /// publisher's start to the last one's end.
    fn publish_on(&self, threads: usize, messages: u64) -> Duration {
        let all_ready = Barrier::new(threads);
        let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
            let publishers: Vec<_> = (0..threads as u64)
                .map(|number| {
                    let share =
                        messages / threads as u64 + u64::from(number < messages % threads as u64);
                    let all_ready = &all_ready;
                    scope.spawn(move || {
                        all_ready.wait();
                        let start = Instant::now();
                        self.publish(Draws::starting_at(number), share);
                        (start, Instant::now())
                    })
                })
                .collect();
            publishers
                .into_iter()
                .map(|publisher| publisher.join().expect("a publisher does not panic"))
                .collect()
        });
        let first = spans.iter().map(|&(start, _)| start).min();
        let last = spans.iter().map(|&(_, end)| end).max();
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first)
    }
}

fn publishers(c: &mut Criterion) {
    let mut group = c.benchmark_group("many_rooms/publish");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for rooms in [1, 100, 10_000] {
        let names = [1, 2].map(|threads| (threads, format!("{rooms}_rooms_{threads}_threads")));
        if !names.iter().any(|(_, name)| wants_bench(&format!("many_rooms/publish/{name}"))) {
            continue;
        }
        let count = if is_test_run() { rooms.min(10) } else { rooms };
        let hub = Rooms::new(count, Hub::builder());
        for (threads, name) in names {
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter_custom(|messages| hub.publish_on(threads, messages));
            });
        }
    }
    group.finish();
}

/// What one look of the hub at the books of its rooms costs, with no recorder.
#[cfg(feature = "observe")]
fn looks(c: &mut Criterion) {
    let mut group = c.benchmark_group("many_rooms/look");
    group.sample_size(20);
    for rooms in [1, 10_000] {
        if !wants_bench(&format!("many_rooms/look/{rooms}_rooms")) {
            continue;
        }
        let count = if is_test_run() { rooms.min(10) } else { rooms };
        let mut options = roomcast::observe::ObserveOptions::default();
        options.every = Duration::from_secs(3_600);
        let hub = Rooms::new(count, Hub::builder().observe(options));
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(format!("{rooms}_rooms")), |b| {
            b.iter(|| assert!(hub.hub.observe_now()));
        });
    }
    group.finish();
}

#[cfg(not(feature = "observe"))]
criterion_group!(benches, publishers);
#[cfg(feature = "observe")]
criterion_group!(benches, publishers, looks);
criterion_main!(benches);
