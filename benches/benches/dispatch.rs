//! What it costs to let messages out of a full queue, and to shed what does not fit into one.
//!
//! The core alone: a room with a queue of four levels, messages of 1,000 users, and one guest who
//! counts what reaches the audience. Time is passed in, so the room's rate grants exactly what a
//! bench asks for.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roomcast::config::{EvictionPolicy, QueueDiscipline};
use roomcast::core::RoomState;
use roomcast::message::OutcomeSink;
use roomcast::time::Instant;
use roomcast::{Budget, Join, PerLevel, Priority, Publish, RoomConfig, SessionId, Source};
use roomcast_benches::suite::is_test_run;
use roomcast_benches::{Draws, OWNER, payload, room_of};
use std::hint::black_box;
use std::time::Duration;

/// Messages in the full queue: a quarter of each level.
const FULL: u32 = 4_096;
/// The time in which one token comes.
const TOKEN: Duration = Duration::from_nanos(250);
/// Users who send in random order.
const SENDERS: u32 = 1_000;

const TIE_BREAKS: [(&str, QueueDiscipline); 3] = [
    ("fifo", QueueDiscipline::Fifo),
    ("round_robin", QueueDiscipline::RoundRobin),
    ("random", QueueDiscipline::Random),
];

/// A room that has no token left.
struct Hot {
    room: RoomState<Bytes>,
    senders: Vec<SessionId>,
    guest: SessionId,
    draws: Draws,
    now: Instant,
}

impl Hot {
    fn new(discipline: QueueDiscipline, eviction: EvictionPolicy) -> Self {
        let config = RoomConfig::builder(OWNER)
            .rate(FULL)
            .rate_period(TOKEN * FULL)
            .burst(FULL)
            .queue_messages(FULL)
            .fresh_within(PerLevel::default())
            .log_messages(PerLevel([FULL; 4]))
            .discipline(discipline)
            .eviction(eviction)
            .build()
            .expect("a valid configuration");
        let (mut room, senders) = room_of(&config, SENDERS);
        let guest =
            room.join(Instant::ZERO, Join::guest()).expect("the room takes a guest").session;
        let mut hot = Self { room, senders, guest, draws: Draws::default(), now: Instant::ZERO };
        // The tokens of a full bucket go.
        hot.fill(&Priority::ALL);
        assert_eq!(hot.read(), u64::from(FULL), "all of them went out at once");
        hot
    }

    fn publish(&mut self, level: Priority) {
        let sender = self.senders[self.draws.below(self.senders.len())];
        let publish = Publish::new(Source::Session(sender), payload())
            .priority(level)
            .outcome_sink(OutcomeSink::CountedOnly);
        let _ = black_box(self.room.publish(self.now, publish));
    }

    /// Publishes as many as the queue holds, at the levels in turn.
    fn fill(&mut self, levels: &[Priority]) {
        for count in 0..FULL as usize {
            self.publish(levels[count % levels.len()]);
        }
    }

    fn queued(&self) -> u32 {
        self.room.snapshot(self.now).admission.queued.values().sum()
    }

    /// Messages that the guest is handed.
    fn read(&mut self) -> u64 {
        let mut handed = 0;
        while let Ok(Some(batch)) = self.room.next_batch(self.now, self.guest, Budget::default()) {
            handed += batch.messages().len() as u64;
        }
        handed
    }

    /// Lets the messages of a full queue out, so many tokens at a time. Answers the time that
    /// letting out took.
    fn drain(&mut self, tokens: u32) -> Duration {
        self.fill(&Priority::ALL);
        assert_eq!(self.queued(), FULL, "the queue is full");
        let start = std::time::Instant::now();
        for _ in 0..FULL / tokens {
            self.now = self.now + TOKEN * tokens;
            // Each call does a bounded amount of work, and says when it wants the next.
            while self.room.poll_timeout().is_some_and(|due| due <= self.now) {
                self.room.handle_timeout(self.now);
            }
        }
        let time = start.elapsed();
        assert_eq!(
            (self.queued(), self.read()),
            (0, u64::from(FULL)),
            "every message reached the audience"
        );
        time
    }

    /// Messages that were refused or evicted so far.
    fn shed(&self) -> u64 {
        let total = self.room.snapshot(self.now).admission.ledger.total();
        total.refused.total() + total.dropped.total()
    }
}

fn out_of_a_full_queue(c: &mut Criterion) {
    for (what, tokens) in [("drained_at_once", FULL), ("one_at_a_time", 1)] {
        let mut group = c.benchmark_group(format!("dispatch/{what}"));
        group.sample_size(20).throughput(Throughput::Elements(FULL.into()));
        for (name, discipline) in TIE_BREAKS {
            let mut hot = Hot::new(discipline, EvictionPolicy::default());
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter_custom(|rounds| (0..rounds).map(|_| hot.drain(tokens)).sum());
            });
        }
        group.finish();
    }
}

/// Publishes into a queue that is full of Normal and lets nothing out: each call sheds a message,
/// its own or another.
fn shed(c: &mut Criterion) {
    for (what, level, eviction) in [
        ("refused", Priority::Lowest, EvictionPolicy::default()),
        ("biggest_sender_gives_way", Priority::Normal, EvictionPolicy::BiggestSender),
        ("oldest_gives_way", Priority::Normal, EvictionPolicy::Oldest),
    ] {
        let mut group = c.benchmark_group(format!("dispatch/shed/{what}"));
        group.sample_size(20).throughput(Throughput::Elements(1));
        for (name, discipline) in TIE_BREAKS {
            let mut hot = Hot::new(discipline, eviction);
            hot.fill(&[Priority::Normal]);
            let (before, mut calls) = (hot.shed(), 0);
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    calls += 1;
                    hot.publish(level);
                });
            });
            assert_eq!(
                (hot.queued(), hot.shed() - before),
                (FULL, calls),
                "each call shed one message"
            );
        }
        group.finish();
    }
}

/// A few seconds for each: there are many.
fn short() -> Criterion {
    let seconds = Duration::from_secs(if is_test_run() { 1 } else { 3 });
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(seconds)
}

criterion_group!(name = benches; config = short(); targets = out_of_a_full_queue, shed);
criterion_main!(benches);
