//! Beside `tokio::sync::broadcast`: one sender, a task for each receiver, one thread, no coalescing window.
//!
//! `send` is what the sender pays for one message while all receivers wait. `delivery` is the time from the send until the last receiver
//! has taken the message, divided by the receivers; every receiver counts what it was handed, and the bench checks the sum.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roomcast::{Hub, Join, Publish, RoomHandle, RoomId, Source};
use roomcast_benches::{is_test_run, payload, unlimited};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast;
use tokio::task::{LocalSet, yield_now};

const RECEIVERS: [u64; 3] = [1, 1_000, 100_000];

/// Someone who sends to many.
trait Peer {
    fn with_receivers(receivers: u64, handed: &Rc<Cell<u64>>) -> Self;
    fn send(&self);
}

struct Tokio(broadcast::Sender<Bytes>);

impl Peer for Tokio {
    fn with_receivers(receivers: u64, handed: &Rc<Cell<u64>>) -> Self {
        let (sender, _) = broadcast::channel(256);
        for _ in 0..receivers {
            let mut receiver = sender.subscribe();
            let handed = Rc::clone(handed);
            tokio::task::spawn_local(async move {
                while receiver.recv().await.is_ok() {
                    handed.set(handed.get() + 1);
                }
            });
        }
        Self(sender)
    }

    fn send(&self) {
        self.0.send(payload()).expect("receivers wait");
    }
}

struct Roomcast(RoomHandle<Bytes>);

impl Peer for Roomcast {
    fn with_receivers(receivers: u64, handed: &Rc<Cell<u64>>) -> Self {
        let hub = Hub::<Bytes>::builder().shards(1).spawn();
        let room = hub.create_room(RoomId(1), &unlimited().build().expect("a valid configuration")).expect("a new room");
        for _ in 0..receivers {
            let mut subscription = room.join(Join::guest()).expect("the room takes them all");
            let handed = Rc::clone(handed);
            tokio::task::spawn_local(async move {
                while let Ok(batch) = subscription.next_batch().await {
                    handed.set(handed.get() + batch.messages().len() as u64);
                }
            });
        }
        Self(room)
    }

    fn send(&self) {
        let _ = self.0.try_publish(Publish::new(Source::Host, payload())).expect("the room takes it");
    }
}

/// Sends `rounds` messages, each after the last has arrived everywhere. Answers the time in `send` and the time in all.
async fn rounds<P: Peer>(peer: &P, receivers: u64, handed: &Cell<u64>, rounds: u64) -> (Duration, Duration) {
    let (mut sending, mut all) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let before = handed.get();
        let start = Instant::now();
        peer.send();
        sending += start.elapsed();
        while handed.get() < before + receivers {
            yield_now().await;
        }
        all += start.elapsed();
        assert_eq!(handed.get(), before + receivers, "every receiver was handed the message once");
    }
    (sending, all)
}

fn bench<P: Peer>(c: &mut Criterion, name: &str) {
    for receivers in RECEIVERS {
        let count = if is_test_run() { receivers.min(10) } else { receivers };
        let runtime: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let local = LocalSet::new();
        let handed = Rc::new(Cell::new(0));
        let peer = runtime.block_on(local.run_until(async { P::with_receivers(count, &handed) }));
        // Lets every receiver begin to wait.
        runtime.block_on(local.run_until(rounds(&peer, count, &handed, 1)));
        for (what, throughput) in [("send", 1), ("delivery", count)] {
            let mut group = c.benchmark_group(format!("broadcast/{what}"));
            group.sample_size(10).throughput(Throughput::Elements(throughput));
            group.bench_function(BenchmarkId::new(name, receivers), |b| {
                b.iter_custom(|iterations| {
                    let (sending, all) = runtime.block_on(local.run_until(rounds(&peer, count, &handed, iterations)));
                    if what == "send" { sending } else { all }
                });
            });
            group.finish();
        }
    }
}

fn side_by_side(c: &mut Criterion) {
    bench::<Tokio>(c, "tokio");
    bench::<Roomcast>(c, "roomcast");
}

criterion_group!(benches, side_by_side);
criterion_main!(benches);
