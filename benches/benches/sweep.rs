//! Handing two messages to every session of a room in one sweep, beside a bare sweep over the same
//! 16 bytes a session.
//!
//! What a session is handed is a range of the log, and the sink counts what is in it; where it `read`s, it
//! goes through the range and looks at what each message carries. The bare sweep compares each session's 16 bytes and writes
//! them, and counts too: it is the floor. And the same where every tenth session, or each, was once
//! too slow, or has said something, and has caught up: beside one in which nothing has happened.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use roomcast::core::audience::{BatchRef, Delivery};
use roomcast::core::{Group, Handoff, RoomState};
use roomcast::time::Instant;
use roomcast::{Budget, Item, PerLevel, Publish, Source};
use roomcast_benches::past::Past;
use roomcast_benches::suite::{is_test_run, wants_bench, wants_figure};
use roomcast_benches::{median, payload, room_of, unlimited};
use std::hint::black_box;
use std::time::Duration;

const MESSAGES: u32 = 2;

/// What a sink does with what it is handed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sink {
    /// It counts the messages of the range.
    Counts,
    /// It reads each message, and the last byte of what it carries.
    Reads,
}

/// Publishes and sweeps; answers the time of the sweep alone.
fn roomcast(room: &mut RoomState<Bytes>, sessions: u32, sink: Sink) -> Duration {
    for _ in 0..MESSAGES {
        let _ = room.publish(Instant::ZERO, Publish::new(Source::Host, payload()));
    }
    let mut handed = 0_u64;
    let start = std::time::Instant::now();
    sweep(room, |reading| {
        handed += match sink {
            Sink::Counts => u64::from(reading.messages()),
            Sink::Reads => reading.items().map(|item| u64::from(is_read(&item))).sum(),
        };
        black_box(reading.key());
    });
    let time = start.elapsed();
    assert_eq!(
        handed,
        u64::from(MESSAGES) * u64::from(sessions),
        "every session was handed every message"
    );
    time
}

/// Whether it is a message, whose last byte is looked at.
fn is_read(item: &Item<'_, Bytes>) -> bool {
    let Item::Message(message) = item else { return false };
    black_box(message.payload.last()).is_some()
}

/// The floor: every session's cursors are compared with where they should stand and moved on.
fn bare(cursors: &mut [[u32; 4]], here: &mut u32) -> Duration {
    let (from, to) = ([0, *here, 0, 0], [0, *here + MESSAGES, 0, 0]);
    let mut handed = 0_u64;
    let start = std::time::Instant::now();
    for cursor in &mut *cursors {
        if *cursor == from {
            *cursor = to;
            handed += u64::from(MESSAGES);
        }
    }
    let time = start.elapsed();
    *here += MESSAGES;
    assert_eq!(black_box(handed), u64::from(MESSAGES) * cursors.len() as u64);
    time
}

fn side_by_side(c: &mut Criterion) {
    let mut group = c.benchmark_group("sweep");
    group.sample_size(10);
    for sessions in [1_000, 100_000, 1_000_000] {
        let count = if is_test_run() { 1_000 } else { sessions };
        group.throughput(Throughput::Elements(u64::from(count) * u64::from(MESSAGES)));
        if !["roomcast", "bare", "read"]
            .iter()
            .any(|way| wants_bench(&format!("sweep/{way}/{sessions}")))
        {
            continue;
        }
        let (mut room, _) = room_of(&unlimited().build().expect("a valid configuration"), count);
        group.bench_function(BenchmarkId::new("roomcast", sessions), |b| {
            b.iter_custom(|rounds| {
                (0..rounds).map(|_| roomcast(&mut room, count, Sink::Counts)).sum()
            });
        });
        group.bench_function(BenchmarkId::new("read", sessions), |b| {
            b.iter_custom(|rounds| {
                (0..rounds).map(|_| roomcast(&mut room, count, Sink::Reads)).sum()
            });
        });
        let (mut cursors, mut here) = (vec![[0; 4]; count as usize], 0);
        group.bench_function(BenchmarkId::new("bare", sessions), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| bare(&mut cursors, &mut here)).sum());
        });
    }
    group.finish();
}

/// Messages of the level in the log of a room to which all come back.
const HELD: u32 = 16;

/// Sweeps in which every session comes back: it was away while twice as much was said as the log holds,
/// and is handed a gap and what there is.
fn coming_back(c: &mut Criterion) {
    let mut group = c.benchmark_group("sweep/coming_back");
    group.sample_size(10);
    for sessions in [100_000, 1_000_000] {
        if !wants_bench(&format!("sweep/coming_back/{sessions}")) {
            continue;
        }
        let count = if is_test_run() { 1_000 } else { sessions };
        let mut room = room_to_come_back_to(count);
        group.throughput(Throughput::Elements(u64::from(count) * u64::from(HELD)));
        group.bench_function(BenchmarkId::from_parameter(sessions), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| come_back(&mut room, count)).sum());
        });
        assert!(room.snapshot(Instant::ZERO).balances(), "the books balance");
    }
    group.finish();
}

fn room_to_come_back_to(count: u32) -> RoomState<Bytes> {
    let config = unlimited().log_messages(PerLevel([HELD; 4])).build();
    room_of(&config.expect("a valid configuration"), count).0
}

/// Says twice what the log holds, and sweeps; answers the time of the sweep alone.
fn come_back(room: &mut RoomState<Bytes>, count: u32) -> Duration {
    for _ in 0..2 * HELD {
        let _ = room.publish(Instant::ZERO, Publish::new(Source::Host, payload()));
    }
    let (mut handed, mut skipped) = (0, 0);
    let start = std::time::Instant::now();
    sweep(room, |reading| {
        handed += u64::from(reading.messages());
        skipped += reading.items().take(1).filter(|item| matches!(item, Item::Gap { .. })).count();
    });
    let time = start.elapsed();
    assert_eq!((handed, skipped), (u64::from(count) * u64::from(HELD), count as usize));
    time
}

/// Sweeps all of a room; `look` is shown what each session is handed.
fn sweep(room: &mut RoomState<Bytes>, mut look: impl FnMut(BatchRef<'_, Bytes>)) {
    for first in (0..room.slots()).step_by(1_024) {
        let slots = first..first + 1_024;
        room.sweep(Instant::ZERO, Group::DEFAULT, slots, Budget::default(), |session, due| {
            if let Delivery::Batch(reading) = due {
                look(reading);
                black_box(session);
            }
            Handoff::Taken
        });
    }
}

/// Sweeps of sessions that have caught up, whatever they have been through.
fn after(c: &mut Criterion) {
    let mut group = c.benchmark_group("sweep/after");
    group.sample_size(10);
    let count = if is_test_run() { 1_000 } else { 1_000_000 };
    group.throughput(Throughput::Elements(u64::from(count) * u64::from(MESSAGES)));
    for past in Past::ALL {
        if !wants_bench(&format!("sweep/after/{}", past.name())) {
            continue;
        }
        let mut room = room_after(past, count);
        group.bench_function(past.name(), |b| {
            b.iter_custom(|rounds| {
                (0..rounds).map(|_| roomcast(&mut room, count, Sink::Counts)).sum()
            });
        });
    }
    group.finish();
}

fn room_after(past: Past, count: u32) -> RoomState<Bytes> {
    let (mut room, sessions) = room_of(&Past::config(), count);
    past.live_through(&mut room, &sessions);
    let cold = room.snapshot(Instant::ZERO).audience.cold_sessions;
    assert_eq!(cold, 0, "all have caught up");
    room
}

/// All pasts in turn, in one process: the medians, and each one's ratio to the first.
fn ratio_after() {
    const SESSIONS: u32 = 1_000_000;
    let mut rooms = Past::ALL.map(|past| (past, room_after(past, SESSIONS), Vec::new()));
    for _ in 0..51 {
        for (_, room, times) in &mut rooms {
            times.push(roomcast(room, SESSIONS, Sink::Counts).as_nanos() as f64);
        }
    }
    let medians = rooms.map(|(past, _, times)| (past, median(times)));
    for (past, time) in medians {
        println!(
            "sweep of 1,000,000 sessions with 2 messages, {}: {:.2} ms, {:.2} of clean, median of 51 in turn",
            past.name(),
            time / 1e6,
            time / medians[0].1
        );
    }
}

/// The figure that the README quotes: both in turn, in one process, the medians, their ratio.
fn ratio() {
    const SESSIONS: u32 = 1_000_000;
    let (mut room, _) = room_of(&unlimited().build().expect("a valid configuration"), SESSIONS);
    let (mut cursors, mut here) = (vec![[0; 4]; SESSIONS as usize], 0);
    let (mut ours, mut reading, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..101 {
        reading.push(roomcast(&mut room, SESSIONS, Sink::Reads).as_nanos() as f64);
        ours.push(roomcast(&mut room, SESSIONS, Sink::Counts).as_nanos() as f64);
        floor.push(bare(&mut cursors, &mut here).as_nanos() as f64);
    }
    let (ours, reading, floor) = (median(ours), median(reading), median(floor));
    let deliveries = f64::from(SESSIONS * MESSAGES);
    println!(
        "sweep of 1,000,000 sessions with 2 messages, median of 101 in turn: {:.2} ms, {:.2} ns a delivery, a range handed over; {:.2} ms, {:.2} ns where the sink reads each message; bare sweep {:.2} ms; ratios {:.2}, {:.2}",
        ours / 1e6,
        ours / deliveries,
        reading / 1e6,
        reading / deliveries,
        floor / 1e6,
        ours / floor,
        reading / floor
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    side_by_side(&mut criterion);
    coming_back(&mut criterion);
    after(&mut criterion);
    criterion.final_summary();
    if wants_figure("sweep/ratio") {
        ratio();
    }
    if wants_figure("sweep/ratio_after") {
        ratio_after();
    }
}
