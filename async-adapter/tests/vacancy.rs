//! Rooms without sessions close by themselves, in the hub on tokio, in paused time (clause B20).
#![cfg(feature = "tokio")]

mod lines;

use lines::Lines;
use roomcast::core::admission::RoomStatus;
use roomcast::error::{JoinError, RefusalReason, SessionEnd};
use roomcast::moderation::Role;
use roomcast::names::RoomKey;
use roomcast::pump::PumpOptions;
use roomcast::{
    Actor, Event, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, Subscription, Transport,
    UserId,
};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
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

/// The configuration of a room that closes after a minute without a session.
fn minute(owner: UserId) -> RoomConfig {
    RoomConfig::builder(owner).idle_timeout(Some(Duration::from_secs(60))).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn b20_who_joins_an_expired_room_opens_it_anew() {
    let hub = Hub::<&'static str>::builder().workers(2).spawn();
    let ann = hub.user_id("ann");
    for key in [RoomKey::Id(RoomId(1)), RoomKey::Name("stream-42".into())] {
        let room = hub.open_room(key.clone(), &minute(ann)).unwrap();
        let (other, first) = (room.clone(), room.id());
        room.moderation(Actor::Host).mute(&[ANN], None).unwrap();
        let life = room.stats().room.admission.life;
        // Long enough for whatever nobody needs to be forgotten, but the owner.
        for visitor in 0..300 {
            sleep(Duration::from_secs(1)).await;
            hub.user_id(format!("visitor {visitor}"));
        }
        assert!(!is_open(&room) && hub.room(key.clone()).is_none());
        assert_eq!(room.data().export().mutes.len(), 1, "what it was can be read until then");

        let mut guest = guest(&room);
        for room in [&room, &other, &hub.room(key.clone()).unwrap()] {
            assert!(is_open(room) && room.stats().room.admission.life != life);
            assert_eq!((room.stats().room.audience.sessions, room.muted_until(ANN)), (1, None));
            assert_eq!(room.name().is_some(), first.0 != 1);
            assert_eq!(room.id() == first, first.0 == 1, "a name gets another number");
        }
        let _ = other.try_publish(Publish::new(Source::Host, "anew")).unwrap();
        assert_eq!(guest.next_batch().await.unwrap().messages()[0].payload, "anew");
        assert_eq!(room.role_of(hub.user_id("ann")), Role::Owner);
        assert!(!hub.open_room(key.clone(), &RoomConfig::default()).unwrap().is_new());
        // With the configuration that it was opened with: it expires once more.
        drop(guest);
        sleep(Duration::from_secs(62)).await;
        assert!(!is_open(&room));
        drop(self::guest(&other));
        assert!(is_open(&room) && is_open(&other));
    }
}

/// A connection that takes whatever there is.
struct Discard;

impl Transport for Discard {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn b20_a_pump_of_an_expired_room_opens_it_anew() {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let room = hub.open_room("stream-42", &minute(UserId(1))).unwrap();
    sleep(Duration::from_secs(62)).await;
    let pump = room.pump(Lines, PumpOptions::default()).unwrap();
    assert!(hub.room("stream-42").is_some_and(|found| found.id() == room.id()));
    let pumped = pump.join(Join::guest(), Discard).unwrap();
    assert_eq!(pumped.session().life(), room.stats().room.admission.life);
}

#[tokio::test(start_paused = true)]
async fn b20_a_room_that_somebody_closed_stays_closed() {
    let hub = Hub::<&'static str>::builder().workers(1).spawn();
    let config = minute(UserId(1));
    let closed = |room: &Room<&'static str>| {
        assert_eq!(room.join(Join::guest()).unwrap_err(), JoinError::RoomClosed);
        assert!(!is_open(room));
        let refused = room.try_publish(Publish::new(Source::Host, "hello")).unwrap_err();
        assert_eq!(refused.reason, RefusalReason::RoomClosed);
    };
    for actor in [Actor::Host, Actor::User(UserId(1))] {
        let room = hub.open_room(RoomId(1), &config).unwrap();
        assert!(room.is_new());
        room.close(actor).unwrap();
        sleep(Duration::from_secs(100)).await;
        closed(&room);
        // Though it has been opened anew by somebody else.
        let again = hub.open_room(RoomId(1), &config).unwrap();
        let _guest = guest(&again);
        closed(&room);
        hub.remove_room(RoomId(1)).unwrap();
    }
    // So do one that was removed before it expired, and those whose handles came otherwise.
    let removed = hub.open_room(RoomId(1), &config).unwrap();
    hub.remove_room(RoomId(1)).unwrap();
    let made = hub.create_room(RoomId(2), &config).unwrap();
    let opened = hub.open_room(RoomId(3), &config).unwrap();
    let found = hub.room(RoomId(3)).unwrap();
    sleep(Duration::from_secs(100)).await;
    [&removed, &made, &found].into_iter().for_each(closed);
    assert!(hub.rooms().is_empty());
    let _guest = guest(&opened);
    closed(&found);
}

#[tokio::test(start_paused = true)]
async fn b20_an_expired_room_finds_no_place_in_a_full_hub() {
    let hub = Hub::<&'static str>::builder().workers(1).max_rooms(1).spawn();
    let room = hub.open_room(RoomId(1), &minute(UserId(1))).unwrap();
    sleep(Duration::from_secs(62)).await;
    let other = hub.open_room(RoomId(2), &RoomConfig::default()).unwrap();
    assert_eq!(room.join(Join::guest()).unwrap_err(), JoinError::RoomClosed);
    hub.remove_room(other.id()).unwrap();
    assert!(room.join(Join::guest()).is_ok());
}

/// Threads that join while it expires: every one gets in, and all into one room.
#[test]
fn b20_joins_race_an_expiry_and_meet_in_one_room() {
    let hub = Hub::<&'static str>::builder().workers(1).spawn_threads().unwrap();
    let config = RoomConfig::builder(UserId(1)).idle_timeout(Some(Duration::from_millis(1)));
    let room = hub.open_room("stream-42", &config.build().unwrap()).unwrap();
    for round in 0..200 {
        // Before it expires, while it does, and after.
        std::thread::sleep(Duration::from_micros(round * 10));
        let subscriptions: Vec<_> = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| {
                let room = room.clone();
                scope.spawn(move || guest(&room))
            });
            threads.map(|thread| thread.join().unwrap()).into()
        });
        assert_eq!(room.stats().room.audience.sessions, 2);
        let lives = || subscriptions.iter().map(|subscription| subscription.session().life());
        assert_eq!(lives().min(), lives().max());
    }
}
