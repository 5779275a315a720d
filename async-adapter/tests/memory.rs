//! A hub whose rooms share a limit on memory (clause B25): it is kept while all of them are
//! flooded, and nothing is lost in silence.

use roomcast::config::RoomConfigBuilder;
use roomcast::error::RefusalReason;
use roomcast::stats::DropReason;
use roomcast::{
    Hub, Item, Join, Priority, Publish, Refused, Room, RoomConfig, RoomId, Source, Subscription,
    UserId,
};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

const OWNER: UserId = UserId(1);
const ROOMS: u64 = 8;
const LIMIT: u64 = 1_000_000;
/// The bytes of a message.
const SIZE: u64 = 1_000;
/// By how much a room may have grown before the hub hears of it, and one message.
const UNHEARD: u64 = (16 << 10) + SIZE;

fn hub(
    change: impl Fn(RoomConfigBuilder) -> RoomConfigBuilder,
) -> (Hub<String>, Vec<Room<String>>) {
    let builder = Hub::builder().workers(2).memory_limit(LIMIT);
    let hub: Hub<String> = builder.spawn_threads().expect("there are threads");
    let config = change(RoomConfig::builder(OWNER)).build().expect("a valid configuration");
    let open = |id| hub.open_room(RoomId(id), &config).expect("a new room");
    let rooms = (0..ROOMS).map(open).collect();
    (hub, rooms)
}

fn say(room: &Room<String>, level: Priority) -> Result<(), Refused<String>> {
    let text = "x".repeat(1_000);
    room.try_publish(Publish::new(Source::Host, text).priority(level)).map(drop)
}

fn held(rooms: &[Room<String>]) -> u64 {
    rooms.iter().map(|room| room.stats().room.bytes().total()).sum()
}

fn sum(rooms: &[Room<String>], count: impl Fn(&Room<String>, Priority) -> u64) -> u64 {
    let of = |room| Priority::ALL.map(|level| count(room, level)).iter().sum::<u64>();
    rooms.iter().map(of).sum()
}

/// The workers come to an end: what is heard of is within the limit.
fn settle(hub: &Hub<String>) {
    while hub.memory().is_some_and(|uses| uses.excess() > 0) {
        thread::yield_now();
    }
}

/// Floods all rooms from two threads at once; after each round nobody speaks while all rooms are
/// asked what they hold.
fn flood(hub: &Hub<String>, rooms: &[Room<String>], rounds: usize) {
    let (begin, end) = (Barrier::new(3), Barrier::new(3));
    let (high, each, high_refused, mut worst) = (4 * 2, 50, AtomicU32::new(0), 0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..rounds {
                    begin.wait();
                    for room in rooms {
                        for message in 0..each {
                            let level = [Priority::Lowest, Priority::Low, Priority::Normal];
                            let _ = say(room, level[message % 3]);
                        }
                    }
                    for room in &rooms[round % 2 * 4..][..4] {
                        let is_in = say(room, Priority::High).is_ok();
                        high_refused.fetch_add(u32::from(!is_in), Ordering::Relaxed);
                    }
                    end.wait();
                }
            });
        }
        for _ in 0..rounds {
            begin.wait();
            end.wait();
            worst = held(rooms).max(worst);
        }
    });
    let most = LIMIT + LIMIT / 10 + ROOMS * UNHEARD + high * SIZE;
    assert!(worst <= most, "{worst} bytes were held, of at most {most}");
    assert_eq!(high_refused.into_inner(), 0, "High is let in");
    settle(hub);
    assert!(held(rooms) <= LIMIT + ROOMS * UNHEARD);
    let uses = hub.memory().expect("there is a limit");
    assert!(uses.trimmed_messages > 0, "{uses:?}");
    let refused = sum(rooms, |room, level| room.stats().refused(level, RefusalReason::MemoryFull));
    assert_eq!(uses.refused, refused);
    assert!(rooms.iter().all(|room| room.stats().balances()));
}

#[test]
fn b25_queues_of_a_flooded_hub_keep_the_limit() {
    let (hub, rooms) = hub(|builder| builder.rate(1).burst(1));
    flood(&hub, &rooms, 20);
    let dropped = sum(&rooms, |room, level| room.stats().dropped(level, DropReason::MemoryFull));
    assert!(dropped > 0);
    let of_high =
        |room: &Room<String>| room.stats().dropped(Priority::High, DropReason::MemoryFull);
    assert_eq!(rooms.iter().map(of_high).sum::<u64>(), 0, "the lower ones went first");
}

#[test]
fn b25_logs_of_a_flooded_hub_keep_the_limit() {
    let (hub, rooms) = hub(|builder| builder.rate(100_000).burst(100_000));
    let join = |room: &Room<String>| room.join(Join::guest()).expect("there is room");
    let mut readers: Vec<Subscription<_>> = rooms.iter().map(join).collect();
    flood(&hub, &rooms, 20);
    // What they missed is told: what each is handed and what it missed is all that went out.
    for (room, reader) in rooms.iter().zip(&mut readers) {
        let (mut got, mut missed) = (0, 0);
        while let Ok(Some(batch)) = reader.try_next_batch() {
            got += batch.messages().len() as u64;
            missed += batch
                .items()
                .map(|item| if let Item::Gap { count, .. } = item { count } else { 0 })
                .sum::<u64>();
        }
        let dispatched: u64 =
            Priority::ALL.map(|level| room.stats().dispatched(level)).iter().sum();
        assert_eq!(got + missed, dispatched);
        assert!(missed > 0, "more came than is kept");
    }
}

#[test]
fn b25_a_room_that_is_gone_holds_nothing() {
    let (hub, rooms) = hub(|builder| builder);
    for room in &rooms {
        (0..30).for_each(|_| drop(say(room, Priority::Normal)));
    }
    while hub.memory().is_some_and(|uses| uses.held == 0) {
        thread::yield_now();
    }
    drop(rooms);
    (0..ROOMS).for_each(|id| drop(hub.remove_room(RoomId(id))));
    // Until the workers have let go of them.
    while hub.memory().is_some_and(|uses| uses.held > 0) {
        thread::yield_now();
    }
}

/// What is too much cannot all be had there: a message without a byte would go for nothing.
#[test]
fn b25_a_room_is_asked_for_no_more_than_it_has() {
    let hub: Hub<String> =
        Hub::builder().workers(1).memory_limit(10).spawn_threads().expect("there are threads");
    let config = RoomConfig::builder(OWNER).rate(1).burst(1).build().expect("a valid one");
    let room = hub.open_room(RoomId(1), &config).expect("a new room");
    let changes: &[(&str, Option<&[u8]>)] = &[("topic", Some(&[0; 20]))];
    room.data().write_attributes(None, changes).expect("nothing is held yet");
    for text in ["", "", "", "", "four"] {
        let publish = Publish::new(Source::Host, text.to_owned()).priority(Priority::High);
        let _ = room.try_publish(publish).expect("High is let in");
    }
    while hub.memory().is_some_and(|uses| uses.trimmed_bytes == 0) {
        thread::yield_now();
    }
    assert_eq!(room.stats().dropped(Priority::High, DropReason::MemoryFull), 1);
}
