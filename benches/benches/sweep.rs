//! Handing two messages to every session of a room in one sweep, beside a bare sweep over the same
//! 16 bytes a session.
//!
//! The sink counts what it is handed. The bare sweep compares each session's 16 bytes and writes
//! them, and counts too: it is the floor. And the same where every tenth session, or each, was once
//! too slow, or has said something, and has caught up: beside one in which nothing has happened.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use roomcast::core::audience::Delivery;
use roomcast::core::{Group, Handoff, RoomState};
use roomcast::time::Instant;
use roomcast::{Budget, Publish, Source};
use roomcast_benches::past::Past;
use roomcast_benches::{is_test_run, median, payload, room_of, unlimited};
use std::hint::black_box;
use std::time::Duration;

const MESSAGES: u32 = 2;

/// Publishes and sweeps; answers the time of the sweep alone.
fn roomcast(room: &mut RoomState<Bytes>, sessions: u32) -> Duration {
    for _ in 0..MESSAGES {
        let _ = room.publish(Instant::ZERO, Publish::new(Source::Host, payload()));
    }
    let mut handed = 0_u64;
    let start = std::time::Instant::now();
    for first in (0..room.slots()).step_by(1_024) {
        room.sweep(
            Instant::ZERO,
            Group::DEFAULT,
            first..first + 1_024,
            Budget::default(),
            |session, due| {
                if let Delivery::Batch(reading) = due {
                    handed += u64::from(reading.messages());
                    black_box((session, reading.key()));
                }
                Handoff::Taken
            },
        );
    }
    let time = start.elapsed();
    assert_eq!(
        handed,
        u64::from(MESSAGES) * u64::from(sessions),
        "every session was handed every message"
    );
    time
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
        let (mut room, _) = room_of(&unlimited().build().expect("a valid configuration"), count);
        group.bench_function(BenchmarkId::new("roomcast", sessions), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| roomcast(&mut room, count)).sum());
        });
        let (mut cursors, mut here) = (vec![[0; 4]; count as usize], 0);
        group.bench_function(BenchmarkId::new("bare", sessions), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| bare(&mut cursors, &mut here)).sum());
        });
    }
    group.finish();
}

/// Sweeps of sessions that have caught up, whatever they have been through.
fn after(c: &mut Criterion) {
    let mut group = c.benchmark_group("sweep/after");
    group.sample_size(10);
    let count = if is_test_run() { 1_000 } else { 1_000_000 };
    group.throughput(Throughput::Elements(u64::from(count) * u64::from(MESSAGES)));
    for past in Past::ALL {
        let mut room = room_after(past, count);
        group.bench_function(past.name(), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| roomcast(&mut room, count)).sum());
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
            times.push(roomcast(room, SESSIONS).as_nanos() as f64);
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
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..101 {
        ours.push(roomcast(&mut room, SESSIONS).as_nanos() as f64);
        floor.push(bare(&mut cursors, &mut here).as_nanos() as f64);
    }
    let (ours, floor) = (median(ours), median(floor));
    let deliveries = f64::from(SESSIONS * MESSAGES);
    println!(
        "sweep of 1,000,000 sessions with 2 messages, median of 101 in turn: {:.2} ms, {:.2} ns a delivery; bare sweep {:.2} ms; ratio {:.2}",
        ours / 1e6,
        ours / deliveries,
        floor / 1e6,
        ours / floor
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    side_by_side(&mut criterion);
    after(&mut criterion);
    criterion.final_summary();
    if !is_test_run() {
        ratio();
        ratio_after();
    }
}
