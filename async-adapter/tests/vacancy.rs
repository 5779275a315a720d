//! Rooms without sessions close by themselves, in the hub on tokio, in paused time (clause B20).
#![cfg(feature = "tokio")]

use roomcast::core::admission::RoomStatus;
use roomcast::error::{JoinError, SessionEnd};
use roomcast::{
    Actor, Event, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, Subscription, UserId,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

const ANN: UserId = UserId(7);

type Told = Arc<Mutex<Vec<(RoomId, Event)>>>;

/// A hub with one room that closes after a minute without a session, and what its rooms tell of closing.
fn room() -> (Hub<&'static str>, Room<&'static str>, Told) {
    let told = Told::default();
    let hook = Arc::clone(&told);
    let hub = Hub::<&'static str>::builder().workers(2).on_event(move |id, event| {
        if matches!(event, Event::RoomClosed | Event::RoomEnded) {
            hook.lock().unwrap().push((id, *event));
        }
    });
    let hub = hub.spawn();
    let config =
        RoomConfig::builder(UserId(1)).idle_timeout(Some(Duration::from_secs(60))).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room, told)
}

fn is_open(room: &Room<&'static str>) -> bool {
    room.stats().room.admission.state == RoomStatus::Open
}

fn guest(room: &Room<&'static str>) -> Subscription<&'static str> {
    room.join(Join::guest()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn b20_a_room_nobody_joins_closes_and_frees_its_id() {
    let (hub, room, told) = room();
    room.moderation(Actor::Host).mute(&[ANN], None).unwrap();
    sleep(Duration::from_secs(59)).await;
    assert!(is_open(&room) && told.lock().unwrap().is_empty());
    sleep(Duration::from_secs(2)).await;
    assert!(!is_open(&room));
    assert_eq!(
        *told.lock().unwrap(),
        [(RoomId(1), Event::RoomClosed), (RoomId(1), Event::RoomEnded)]
    );
    assert_eq!(room.join(Join::guest()).unwrap_err(), JoinError::RoomClosed);
    assert!(hub.room(RoomId(1)).is_none());
    assert_eq!(room.data().export().mutes.len(), 1);
    let again = hub.open_room(RoomId(1), &RoomConfig::default()).unwrap();
    assert!(again.is_new() && is_open(&again));
    assert!(!hub.open_room(RoomId(1), &RoomConfig::default()).unwrap().is_new());
    assert!(room.stats().room.balances());
}

/// A room with a session stays.
#[tokio::test(start_paused = true)]
async fn b20_vacancy_counts_from_when_the_last_one_goes() {
    let (_hub, room, told) = room();
    sleep(Duration::from_secs(50)).await;
    let (mut ann, other) = (room.join(Join::user(ANN)).unwrap(), guest(&room));
    sleep(Duration::from_secs(10_000)).await;
    drop(other);
    sleep(Duration::from_secs(10_000)).await;
    assert!(is_open(&room));
    // By leaving and reading to the end, by a dropped subscription, by a grace that is over, and by the host: each of them starts a minute anew.
    room.leave(ANN).unwrap();
    assert!(matches!(ann.next_batch().await, Err(SessionEnd::Closed(_))));
    sleep(Duration::from_secs(59)).await;
    drop(guest(&room));
    sleep(Duration::from_secs(59)).await;
    assert!(is_open(&room));
    let silent = room.join(Join::user(ANN)).unwrap();
    room.leave(ANN).unwrap();
    sleep(Duration::from_secs(10 + 59)).await;
    assert!(is_open(&room));
    let session = guest(&room);
    room.session(session.session()).close();
    sleep(Duration::from_secs(59)).await;
    assert!(is_open(&room) && told.lock().unwrap().is_empty());
    sleep(Duration::from_secs(2)).await;
    assert!(!is_open(&room));
    assert_eq!(told.lock().unwrap().last(), Some(&(RoomId(1), Event::RoomEnded)));
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn b20_a_room_is_empty_when_all_its_shards_are() {
    let (_hub, room, _) = room();
    let mut all: Vec<_> = (0..700).map(|_| guest(&room)).collect();
    assert!(all.iter().any(|session| session.session().slot() >= 1_024), "it has a second shard");
    // The last one is in the first shard, then in the second.
    for in_first in [true, false] {
        let last =
            all.iter().position(|session| (session.session().slot() < 1_024) == in_first).unwrap();
        let last = all.swap_remove(last);
        all.clear();
        sleep(Duration::from_secs(1_000)).await;
        assert!(is_open(&room));
        let _ = room.try_publish(Publish::new(Source::Host, "still here")).unwrap();
        drop(last);
        sleep(Duration::from_secs(59)).await;
        assert!(is_open(&room));
        all = (0..700).map(|_| guest(&room)).collect();
    }
    all.clear();
    sleep(Duration::from_secs(61)).await;
    assert!(!is_open(&room));
}

#[tokio::test(start_paused = true)]
async fn b20_a_drain_ends_a_room_about_to_expire() {
    let (hub, room, told) = room();
    let slow =
        RoomConfig::builder(UserId(1)).rate(1).burst(1).rate_period(Duration::from_secs(100));
    let slow = slow.idle_timeout(Some(Duration::from_secs(60))).build().unwrap();
    let waits = hub.create_room(RoomId(2), &slow).unwrap();
    for text in ["out", "waits"] {
        let _ = waits
            .try_publish(Publish::new(Source::Host, text).priority(roomcast::Priority::High))
            .unwrap();
    }
    let report = hub.drain(Duration::from_secs(200)).await;
    assert_eq!(
        (report.rooms, report.dispatched, report.dropped),
        (2, 1, 0),
        "what waited went out in time"
    );
    assert!(!is_open(&room) && !is_open(&waits));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(told.lock().unwrap().len(), 4);
}
