//! A task for each receiver: `roomcast::Subscription` beside `tokio::sync::broadcast`, on one
//! thread and on two. No coalescing window.
//!
//! `send` is what the publisher pays for one message while all receivers wait. `delivery` is the
//! time from the publish until the last receiver has the message, divided by the receivers. Every
//! receiver counts what it is handed, and the suite fails when the sum is wrong.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use roomcast_benches::fanout::peers::TokioBroadcast;
use roomcast_benches::fanout::roomcast::Subscriptions;
use roomcast_benches::fanout::{Crowd, Fanout, Round, check_handed, run, runtime, tally};
use roomcast_benches::median;
use roomcast_benches::suite::{is_test_run, wants_bench, wants_figure};
use std::time::Duration;
use tokio::runtime::Runtime;

/// One size of the comparison.
#[derive(Clone, Copy)]
struct Size {
    receivers: u32,
    /// How long each bench goes on.
    time: Duration,
    /// Turns that each of the two gets for the ratio, and rounds in a turn.
    turns: u32,
    rounds: u64,
}

const SIZES: [Size; 3] = [
    Size { receivers: 1_000, time: Duration::from_secs(2), turns: 31, rounds: 32 },
    Size { receivers: 100_000, time: Duration::from_secs(2), turns: 11, rounds: 3 },
    Size { receivers: 1_000_000, time: Duration::from_secs(6), turns: 7, rounds: 1 },
];

#[derive(Clone, Copy)]
enum What {
    Send,
    Delivery,
}

impl What {
    fn of(self, round: Round) -> Duration {
        match self {
            Self::Send => round.publishing,
            Self::Delivery => round.all,
        }
    }
}

/// A crowd and where it lives. The crowd travels into each task that publishes to it, and back.
struct Peer<'a, F> {
    runtime: &'a Runtime,
    crowd: Option<Crowd<F>>,
}

impl<'a, F: Fanout> Peer<'a, F> {
    fn new(runtime: &'a Runtime, receivers: u32) -> Self {
        let crowd = run(runtime, async move {
            let mut crowd = Crowd::<F>::new(receivers).await?;
            // The first message gives every queue its memory.
            crowd.round(1, |_| {}).await?;
            Ok(crowd)
        });
        Self { runtime, crowd: Some(crowd.expect("all receivers wait and get the first message")) }
    }

    /// Publishes so many messages, each after the last has reached everyone.
    fn rounds(&mut self, count: u64) -> Vec<Round> {
        let mut crowd = self.crowd.take().expect("it came back");
        let (crowd, rounds) = run(self.runtime, async move {
            let (before, expected) = (tally::handed(), count * crowd.deliveries(1));
            let mut rounds = Vec::new();
            for _ in 0..count {
                rounds.push(crowd.round(1, |_| {}).await?);
            }
            check_handed(before, expected).await?;
            Ok((crowd, rounds))
        })
        .expect("every receiver is handed every message once");
        self.crowd = Some(crowd);
        rounds
    }

    fn bench(&mut self, c: &mut Criterion, threads: u32, name: &str, size: Size) {
        let unit = if threads == 1 { "thread" } else { "threads" };
        for (what, title) in [(What::Send, "send"), (What::Delivery, "delivery")] {
            let deliveries = self.crowd.as_ref().map_or(0, |crowd| crowd.deliveries(1));
            let mut group = c.benchmark_group(format!("subscription/{title}_on_{threads}_{unit}"));
            group
                .sample_size(10)
                .sampling_mode(SamplingMode::Flat)
                .warm_up_time(Duration::from_millis(100))
                .measurement_time(size.time);
            group.throughput(Throughput::Elements(if let What::Send = what {
                1
            } else {
                deliveries
            }));
            group.bench_function(BenchmarkId::new(name, size.receivers), |b| {
                b.iter_custom(|count| {
                    self.rounds(count).into_iter().map(|round| what.of(round)).sum()
                });
            });
            group.finish();
        }
    }

    /// One turn's nanoseconds: of each send, and of a delivery in each round.
    fn turn(&mut self, size: Size, (sends, deliveries): &mut (Vec<f64>, Vec<f64>)) {
        for round in self.rounds(size.rounds) {
            sends.push(round.publishing.as_nanos() as f64);
            deliveries.push(round.all.as_nanos() as f64 / f64::from(size.receivers));
        }
    }
}

/// The figures that the README quotes: both in turn, in one process, the medians, their ratios.
fn ratios(
    ours: &mut Peer<'_, Subscriptions>,
    theirs: &mut Peer<'_, TokioBroadcast>,
    threads: u32,
    size: Size,
) {
    let (mut of_ours, mut of_theirs) = <((Vec<f64>, Vec<f64>), (Vec<f64>, Vec<f64>))>::default();
    for _ in 0..size.turns {
        ours.turn(size, &mut of_ours);
        theirs.turn(size, &mut of_theirs);
    }
    let medians = |(sends, deliveries)| (median(sends), median(deliveries));
    let ((our_send, ours), (their_send, theirs)) = (medians(of_ours), medians(of_theirs));
    println!(
        "{} receivers, threads {threads}, median of {} turns of {} rounds: a delivery {ours:.1} ns, tokio broadcast {theirs:.1} ns \
         ({:.2}x as cheap); a send {:.1} us, tokio broadcast {:.1} us ({:.0}x)",
        size.receivers,
        size.turns,
        size.rounds,
        theirs / ours,
        our_send / 1e3,
        their_send / 1e3,
        their_send / our_send
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for threads in [1, 2] {
        for size in SIZES {
            let has_name = |whose: &&str| {
                let on = if threads == 1 { "1_thread" } else { "2_threads" };
                ["send", "delivery"].iter().any(|what| {
                    wants_bench(&format!("subscription/{what}_on_{on}/{whose}/{}", size.receivers))
                })
            };
            if !["tokio", "roomcast"].iter().any(has_name) {
                continue;
            }
            let runtime = runtime(threads).expect("a runtime");
            let receivers = if is_test_run() { 10 } else { size.receivers };
            let mut theirs = Peer::<TokioBroadcast>::new(&runtime, receivers);
            theirs.bench(&mut criterion, threads, "tokio", size);
            let mut ours = Peer::<Subscriptions>::new(&runtime, receivers);
            ours.bench(&mut criterion, threads, "roomcast", size);
            if wants_figure("subscription/ratios") {
                ratios(&mut ours, &mut theirs, threads, size);
            }
        }
    }
    criterion.final_summary();
}
