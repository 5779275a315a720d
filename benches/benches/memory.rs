//! Bytes a session of the core, by resident memory, keys included: guests and users, 1,000,000 and
//! 10,000,000 of them; what stays for each of 1,000,000 users that were once too slow, or have said
//! something, and have caught up; bytes a room of a hub, with one guest in it and never used, and
//! how long it takes to make one; and bytes a key of a limit, beside `governor`'s over a `DashMap`.
//!
//! Each figure is taken in a process of its own, so that nothing that was freed before is counted
//! in or out.
#![allow(missing_docs)]

use bytes::Bytes;
use governor::{Quota as PeerQuota, RateLimiter};
use roomcast::core::quota::Quota;
use roomcast::core::{KeyedLimit, RoomState};
use roomcast::time::Instant;
use roomcast::{Hub, Join, RoomId, UserId};
use roomcast_benches::past::{Past, fill};
use roomcast_benches::suite::{is_test_run, wants_figure};
use roomcast_benches::{resident, room_of, unlimited};
use std::num::NonZeroU32;
use std::process::Command;

/// Asks the program to take one figure: who, and how many.
const TAKE: &str = "--take";
/// The keys of a limit, and those of one of `governor`'s.
const KEYS: &str = "keys";
const KEYS_OF_PEER: &str = "keys of governor's";

/// Joins so many sessions and prints the growth of resident memory for each.
fn take(who: &str, sessions: u32) {
    let mut room = RoomState::<Bytes>::new(&unlimited().build().expect("a valid configuration"));
    let before = resident();
    for id in 0..sessions {
        let join = if who == "users" { Join::user(UserId(id.into())) } else { Join::guest() };
        room.join(Instant::ZERO, join).expect("the room takes them all");
        while room.poll_event().is_some() {}
    }
    let after = resident();
    assert_eq!(room.slots(), sessions, "all of them are in");
    match before.zip(after) {
        Some((before, after)) => println!(
            "{:.1} bytes a session",
            after.saturating_sub(before) as f64 / f64::from(sessions)
        ),
        None => println!("not measured: this system does not tell resident memory"),
    }
}

/// Lets the sessions of a room go through this and prints by how much resident memory has grown for
/// each, once they have caught up.
fn take_after(past: Past, sessions: u32) {
    let (mut room, keys) = room_of(&Past::config(), sessions);
    fill(&mut room);
    let before = resident();
    past.live_through(&mut room, &keys);
    let after = resident();
    assert_eq!(room.snapshot(Instant::ZERO).audience.cold_sessions, 0, "all have caught up");
    match before.zip(after) {
        Some((before, after)) => println!(
            "{:.1} bytes a session more",
            after.saturating_sub(before) as f64 / f64::from(sessions)
        ),
        None => println!("not measured: this system does not tell resident memory"),
    }
}

/// Rooms that nobody has called.
const UNUSED: &str = "rooms never used";

/// Makes so many rooms in a hub, with one guest in each who reads nothing or never used, and prints
/// the growth of resident memory for each, and how long it took.
fn take_rooms(who: &str, rooms: u32) {
    let hub: Hub<Bytes> = Hub::<Bytes>::builder().spawn_threads().expect("threads for the shards");
    let config = unlimited().build().expect("a valid configuration");
    let before = resident();
    let start = std::time::Instant::now();
    let mut guests = Vec::new();
    for id in 0..rooms {
        let room = hub.create_room(RoomId(id.into()), &config).expect("a new room");
        if who != UNUSED {
            guests.push(room.join(Join::guest()).expect("the room takes a guest"));
        }
    }
    let took = start.elapsed();
    let after = resident();
    assert_eq!(hub.rooms().len(), rooms as usize, "all of them are there");
    match before.zip(after) {
        Some((before, after)) => println!(
            "{:.0} bytes a room, {:.2} µs each",
            after.saturating_sub(before) as f64 / f64::from(rooms),
            took.as_secs_f64() * 1e6 / f64::from(rooms)
        ),
        None => println!("not measured: this system does not tell resident memory"),
    }
}

/// Lets so many keys take a token and prints the growth of resident memory for each: of a limit of
/// roomcast's, or of `governor`'s.
fn take_keys(whose: &str, keys: u32) {
    let mut limit = KeyedLimit::new(Quota::per_second(NonZeroU32::MIN), keys, 7);
    let peer = RateLimiter::dashmap(PeerQuota::per_second(NonZeroU32::MIN));
    let before = resident();
    for key in 0..u64::from(keys) {
        if whose == KEYS {
            let _ = limit.take(Instant::from_secs(1), key);
        } else {
            let _ = peer.check_key(&key);
        }
    }
    let after = resident();
    assert_eq!(limit.len() as usize + peer.len(), keys as usize, "all of them are there");
    match before.zip(after) {
        Some((before, after)) => {
            println!("{:.1} bytes a key", after.saturating_sub(before) as f64 / f64::from(keys));
        }
        None => println!("not measured: this system does not tell resident memory"),
    }
}

/// Starts this program once for each figure.
fn all() {
    let program = std::env::current_exe().expect("the program knows where it is");
    let sizes: [u32; 2] = if is_test_run() { [1_000, 10_000] } else { [1_000_000, 10_000_000] };
    let rooms = if is_test_run() { 1_000 } else { 100_000 };
    let sessions =
        sizes.into_iter().flat_map(|sessions| ["guests", "users"].map(|who| (who, sessions)));
    let after = Past::ALL.map(|past| (past.name(), sizes[0]));
    let keys = [(KEYS, sizes[0]), (KEYS_OF_PEER, sizes[0])];
    for (who, sessions) in
        sessions.chain(after).chain([("rooms", rooms), (UNUSED, rooms)]).chain(keys)
    {
        if !is_test_run() && !wants_figure(&format!("memory/{who}")) {
            continue;
        }
        let child = Command::new(&program)
            .args([TAKE, who, &sessions.to_string()])
            .output()
            .expect("the program starts again");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        println!(
            "memory of {sessions} {who}: {}",
            String::from_utf8_lossy(&child.stdout).trim_end()
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [take_one, who, rooms] if take_one == TAKE && who.starts_with("rooms") => {
            take_rooms(who, rooms.parse().expect("a number of rooms"));
        }
        [take_one, who, keys]
            if take_one == TAKE && [KEYS, KEYS_OF_PEER].contains(&who.as_str()) =>
        {
            take_keys(who, keys.parse().expect("a number of keys"));
        }
        [take_one, who, sessions] if take_one == TAKE => {
            let sessions = sessions.parse().expect("a number of sessions");
            match Past::ALL.into_iter().find(|past| past.name() == who) {
                Some(past) => take_after(past, sessions),
                None => take(who, sessions),
            }
        }
        _ => all(),
    }
}
