//! What a publish costs, against the size of the audience; and in a hub, what a burst costs in one
//! call and in single ones.
//!
//! Every call goes through the whole of admission. `dispatched`: the room's rate is never reached,
//! so the call sequences the message, appends it to the log and tells the outcome. `shed`: a room
//! of 40 a second that is offered far more, so the call evicts or refuses.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use roomcast::core::RoomState;
use roomcast::message::OutcomeSink;
use roomcast::time::Instant;
use roomcast::{Hub, Join, Priority, Publish, Room, RoomConfig, RoomId, SessionId, Source};
use roomcast_benches::suite::{is_test_run, wants_bench, wants_figure};
use roomcast_benches::{Draws, OWNER, median, payload, room_of, unlimited};
use std::hint::black_box;

const AUDIENCES: [u32; 4] = [1, 1_000, 100_000, 1_000_000];
/// Senders that take turns where a warm set is asked for (decision D3).
const ACTIVE: usize = 1_000;

/// Whether what a message carries is made for it: 100 bytes that are copied once, as off a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
    Shared,
    MadeAnew,
}

struct Load {
    room: RoomState<Bytes>,
    carries: Carries,
    senders: Vec<SessionId>,
    draws: Draws,
    now: u64,
    priority: Priority,
}

impl Load {
    fn new(config: &RoomConfig, audience: u32, active: usize, priority: Priority) -> Self {
        let (room, mut senders) = room_of(config, audience);
        senders.truncate(active);
        let carries = Carries::Shared;
        Self { room, carries, senders, draws: Draws::default(), now: 0, priority }
    }

    fn publish(&mut self) {
        self.now += 1_000;
        let sender = self.senders[self.draws.below(self.senders.len())];
        let payload = match self.carries {
            Carries::Shared => payload(),
            Carries::MadeAnew => Bytes::copy_from_slice(&payload()),
        };
        let publish = Publish::new(Source::Session(sender), payload)
            .priority(self.priority)
            .outcome_sink(OutcomeSink::CountedOnly);
        let _ = black_box(self.room.publish(Instant::from_nanos(self.now), publish));
    }
}

fn against_audience(c: &mut Criterion) {
    let dispatched = unlimited().build().expect("a valid configuration");
    let shed = RoomConfig::av_chat_room(OWNER);
    let shared = Carries::Shared;
    for (name, config, active, priority, carries) in [
        ("publish/dispatched", &dispatched, ACTIVE, Priority::Normal, shared),
        ("publish/dispatched_made_anew", &dispatched, ACTIVE, Priority::Normal, Carries::MadeAnew),
        ("publish/dispatched_uniform_senders", &dispatched, usize::MAX, Priority::Normal, shared),
        ("publish/shed", &shed, ACTIVE, Priority::Low, shared),
    ] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        for audience in AUDIENCES {
            if !wants_bench(&format!("{name}/{audience}")) {
                continue;
            }
            let mut load = Load::new(
                config,
                if is_test_run() { audience.min(1_000) } else { audience },
                active,
                priority,
            );
            load.carries = carries;
            group.bench_function(BenchmarkId::from_parameter(audience), |b| {
                b.iter(|| load.publish());
            });
        }
        group.finish();
    }
}

/// The figures that the README quotes: a room of one, and a large one of whose sessions one, a thousand
/// or any speak; all in turn, in one process, the medians, their ratios. With more senders it is finding
/// the sender that costs more, and memory that is not in a cache.
fn ratios() {
    const CALLS: u32 = 1_000;
    const LARGE: u32 = 10_000_000;
    let config = unlimited().build().expect("a valid configuration");
    let mut loads: Vec<(&str, Load)> = [
        ("1 session", 1, 1),
        ("10,000,000 sessions, one speaks", LARGE, 1),
        ("10,000,000 sessions, 1,000 speak", LARGE, ACTIVE),
        ("10,000,000 sessions, all speak", LARGE, usize::MAX),
    ]
    .into_iter()
    .map(|(name, audience, active)| (name, Load::new(&config, audience, active, Priority::Normal)))
    .collect();
    let mut times = vec![Vec::new(); loads.len()];
    for _ in 0..501 {
        for ((_, load), times) in loads.iter_mut().zip(&mut times) {
            let start = std::time::Instant::now();
            for _ in 0..CALLS {
                load.publish();
            }
            times.push(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
        }
    }
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    println!("publish, median of 501 x {CALLS} calls in turn, and against 1 session:");
    for ((name, _), time) in loads.iter().zip(&medians) {
        println!("  {name}: {time:.1} ns, {:.2}", time / medians[0]);
    }
}

/// Likes that come at once (clause B19).
const BURST: usize = 64;

fn like() -> Publish<Bytes> {
    Publish::new(Source::Host, payload())
        .priority(Priority::Low)
        .outcome_sink(OutcomeSink::CountedOnly)
}

fn in_one_call(room: &Room<Bytes>) {
    black_box(room.try_publish_many((0..BURST).map(|_| like()).collect()));
}

fn one_by_one(room: &Room<Bytes>) {
    for _ in 0..BURST {
        let _ = black_box(room.try_publish(like()));
    }
}

/// One room of a hub, with a guest who does not read; its shard runs on a thread of its own. Both
/// ways, and then in turn for their ratio.
fn bursts(c: &mut Criterion) {
    let ways = [("one_call", in_one_call as fn(&Room<Bytes>)), ("one_by_one", one_by_one)];
    let dispatched = unlimited().build().expect("a valid configuration");
    for (name, config) in [("dispatched", dispatched), ("shed", RoomConfig::av_chat_room(OWNER))] {
        let hub: Hub<Bytes> =
            Hub::<Bytes>::builder().workers(1).spawn_threads().expect("a thread for the worker");
        let room = hub.create_room(RoomId(1), &config).expect("a new room");
        let _guest = room.join(Join::guest()).expect("the room takes a guest");
        let mut group = c.benchmark_group(format!("publish_many/{name}"));
        group.throughput(Throughput::Elements(BURST as u64));
        for (way, burst) in ways {
            group.bench_function(BenchmarkId::new(way, BURST), |b| b.iter(|| burst(&room)));
        }
        group.finish();
        if wants_figure(&format!("publish_many/{name}/ratio")) {
            let mut times = [const { Vec::new() }; 2];
            for turn in 0..20_000 {
                let start = std::time::Instant::now();
                ways[turn % 2].1(&room);
                times[turn % 2].push(start.elapsed().as_nanos() as f64 / BURST as f64);
            }
            let [many, single] = times.map(median);
            println!(
                "{BURST} likes, {name}, median of 10,000 bursts in turn: {many:.1} ns each in one call, {single:.1} ns in single ones; \
                 ratio {:.2}",
                many / single
            );
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    against_audience(&mut criterion);
    bursts(&mut criterion);
    criterion.final_summary();
    if wants_figure("publish/ratios") {
        ratios();
    }
}
