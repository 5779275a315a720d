//! A hub's clock: what jumps between two readings counts as the largest step, and a room that rests
//! for long is cut nothing (clause B13).
#![cfg(feature = "tokio")]

use roomcast::core::Instant;
use roomcast::{Clock, Hub, Join, Outcome, Publish, Room, RoomConfig, RoomId, Source, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3_600);
const START: Instant = Instant::from_secs(1_000_000);

/// A clock that a test sets.
#[derive(Clone)]
struct Hands(Arc<AtomicU64>);

impl Hands {
    fn set(&self, at: Instant) {
        self.0.store(at.as_nanos(), Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

fn hands() -> Hands {
    Hands(Arc::new(AtomicU64::new(START.as_nanos())))
}

/// When a room sends what is said now.
fn time(room: &Room<&'static str>) -> Instant {
    match room.try_publish(Publish::gift(Source::Host, "rocket")).unwrap().outcome {
        Some(Outcome::Dispatched { at, .. }) => at,
        outcome => panic!("the room is not quiet: {outcome:?}"),
    }
}

fn rooms(hub: &Hub<&'static str>) -> [Room<&'static str>; 2] {
    [1, 2].map(|id| hub.open_room(RoomId(id), &RoomConfig::default()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn b13_a_hub_s_room_that_rests_is_cut_nothing() {
    let hub = Hub::<&str>::builder().workers(2).spawn();
    let [room, _] = rooms(&hub);
    let first = time(&room);
    let day = Duration::from_secs(86_400);
    for days in 1..=3 {
        sleep(day).await;
        assert_eq!((time(&room), hub.clock_steps_cut()), (first + day * days, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn b13_a_reading_far_off_holds_a_hub_up_an_hour() {
    let hands = hands();
    let hub = Hub::<&str>::builder().workers(2).clock(hands.clone()).spawn();
    let [room, other] = rooms(&hub);
    let _ann = room.join(Join::user(UserId(7))).unwrap();
    hands.set(Instant::MAX);
    assert_eq!(time(&room), START + HOUR);
    hands.set(START + Duration::from_secs(5));
    assert_eq!(hub.clock_steps_cut(), 1);
    // It goes on when the time is there, and the other has noticed nothing.
    assert_eq!((time(&room), time(&other)), (START + HOUR, START + Duration::from_secs(5)));
    hands.set(START + HOUR + Duration::from_secs(1));
    assert_eq!([time(&room), time(&other)], [START + HOUR + Duration::from_secs(1); 2]);
    assert_eq!(hub.clock_steps_cut(), 1);
}

#[tokio::test(start_paused = true)]
async fn b13_a_hub_follows_a_clock_that_jumped_for_good() {
    let hands = hands();
    let hub = Hub::<&str>::builder().workers(1).clock(hands.clone()).spawn();
    let [room, other] = rooms(&hub);
    assert_eq!([time(&room), time(&other)], [START; 2]);
    let later = START + HOUR * 9 + Duration::from_secs(7);
    hands.set(later);
    // A worker that has nothing to do looks within half an hour.
    sleep(HOUR / 2 + Duration::from_secs(1)).await;
    assert_eq!((hub.now(), hub.clock_steps_cut()), (later, 9));
    assert_eq!([time(&room), time(&other)], [later; 2]);
}

#[tokio::test(start_paused = true)]
async fn b13_a_hub_s_step_can_be_set() {
    let hands = hands();
    let step = Duration::from_secs(60);
    let builder = || Hub::<&str>::builder().workers(1).clock(hands.clone());
    let cautious = builder().max_step(Some(step)).spawn();
    let least = builder().max_step(Some(Duration::ZERO)).spawn();
    let trusting = builder().max_step(None).spawn();
    hands.set(START + HOUR * 100);
    let told = [&cautious, &least, &trusting].map(Hub::now);
    assert_eq!(told, [START + step, START + Duration::from_secs(1), START + HOUR * 100]);
    assert_eq!([&cautious, &least, &trusting].map(Hub::clock_steps_cut), [1, 1, 0]);
}

/// A room's own step holds in a hub as well, and its worker lets it catch up.
#[tokio::test(start_paused = true)]
async fn b13_a_room_s_own_step_holds_in_a_hub() {
    let hands = hands();
    let hub = Hub::<&str>::builder().workers(1).clock(hands.clone()).spawn();
    let config = RoomConfig::builder(UserId(1)).max_step(Some(HOUR / 6)).build().unwrap();
    let room = hub.open_room(RoomId(1), &config).unwrap();
    assert_eq!(time(&room), START);
    hands.set(START + HOUR);
    assert_eq!(time(&room), START + HOUR / 6);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(time(&room), START + HOUR);
    assert_eq!((room.stats().room.admission.clock_steps_cut, hub.clock_steps_cut()), (5, 0));
}
