//! The end of a room is told last: after every outcome, however many there are.
#![cfg(feature = "tokio")]

use parking_lot::Mutex;
use roomcast::message::{CorrelationId, OutcomeSink};
use roomcast::{Actor, Event, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, UserId};
use std::sync::Arc;
use std::time::Duration;

/// More than leave one lock together, several times over.
const MESSAGES: u64 = 1_500;

type Told = Arc<Mutex<Vec<Event>>>;

/// A room where messages wait, and what the hub's hook is told.
fn full_room() -> (Hub<String>, Room<String>, Told) {
    let told = Told::default();
    let hook = {
        let told = Arc::clone(&told);
        move |_, event: &Event| told.lock().push(*event)
    };
    let hub = Hub::<String>::builder().workers(2).on_event(hook).spawn();
    let config =
        RoomConfig::builder(UserId(1)).rate(1).burst(1).queue_messages(2_000).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    for n in 0..=MESSAGES {
        let publish = Publish::new(Source::Host, n.to_string())
            .outcome_sink(OutcomeSink::Event(CorrelationId(n)));
        assert_eq!(
            room.try_publish(publish).unwrap().outcome.is_some(),
            n == 0,
            "the first one goes out, the others wait"
        );
    }
    (hub, room, told)
}

fn assert_all_is_told(told: &[Event]) {
    let outcomes = told.iter().filter(|event| event.correlation_id().is_some()).count();
    assert_eq!(outcomes as u64, MESSAGES);
    assert!(
        matches!(told[told.len() - 2..], [Event::RoomClosed, Event::RoomEnded]),
        "{:?}",
        &told[told.len() - 2..]
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_after_every_outcome() {
    let (_hub, room, told) = full_room();
    room.close(Actor::Host).unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_all_is_told(&told.lock());
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_done_when_all_is_told() {
    let (hub, _room, told) = full_room();
    let report = hub.drain(Duration::ZERO).await;
    assert_all_is_told(&told.lock());
    assert_eq!((report.dispatched, report.dropped), (0, MESSAGES));
}

/// Who has not read the end by then is counted no more.
#[tokio::test(start_paused = true)]
async fn a12_the_unread_end_counts_until_the_grace_is_over() {
    let hub: Hub<String> = Hub::<String>::builder().workers(2).spawn();
    let room =
        hub.create_room(RoomId(1), &RoomConfig::builder(UserId(1)).build().unwrap()).unwrap();
    let _silent: Vec<_> =
        (7..157).map(|user| room.join(Join::user(UserId(user))).unwrap()).collect();
    room.close(Actor::Host).unwrap();
    let users = || {
        let snapshot = room.stats().room;
        (snapshot.admission.users, snapshot.admission.online, snapshot.audience.sessions)
    };
    assert_eq!(users(), (150, 150, 150));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(users(), (0, 0, 0));
}
