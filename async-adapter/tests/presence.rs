//! Who is online, in the hub on tokio, in paused time (clauses A7, A12).
#![cfg(feature = "tokio")]

use roomcast::config::Heartbeat;
use roomcast::error::SessionEnd;
use roomcast::event::{EndReason, Presence, PresenceCause};
use roomcast::time::{Instant, TokioClock};
use roomcast::{
    Clock, Event, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, Subscription, UserId,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

const OWNER: UserId = UserId(1);
const ANN: UserId = UserId(7);

type Told = Arc<Mutex<Vec<(UserId, Presence, PresenceCause)>>>;

/// A hub whose events of presence are put down.
fn hub() -> (Hub<&'static str>, Told) {
    let told = Told::default();
    let hook = Arc::clone(&told);
    let hub = Hub::<&'static str>::builder().workers(2).on_event(move |_, event| {
        if let Event::Presence { user, presence, cause, .. } = event {
            hook.lock().unwrap().push((*user, *presence, *cause));
        }
    });
    (hub.clock(TokioClock::starting_at(Instant::from_secs(100))).spawn(), told)
}

fn take(told: &Told) -> Vec<(UserId, Presence, PresenceCause)> {
    std::mem::take(&mut *told.lock().unwrap())
}

fn join(room: &Room<&'static str>, user: UserId) -> Subscription<&'static str> {
    room.join(Join::user(user)).unwrap()
}

/// Sessions and users online.
fn online(room: &Room<&'static str>) -> (u32, u32) {
    let snapshot = room.stats().room;
    (snapshot.audience.online, snapshot.admission.online)
}

/// It goes offline without being asked for.
#[tokio::test(start_paused = true)]
async fn a7_a_silent_session_is_offline_until_touched() {
    let (hub, told) = hub();
    let config =
        RoomConfig::builder(OWNER).heartbeat(Some(Heartbeat::AV_CHAT_ROOM)).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let (ann, bob, guest) =
        (join(&room, ANN), join(&room, UserId(8)), room.join(Join::guest()).unwrap());
    sleep(Duration::from_secs(29)).await;
    assert_eq!((take(&told).len(), online(&room)), (2, (3, 2)));
    assert!(ann.touch());
    assert_eq!(room.recent_users(), [UserId(8), ANN]);
    // Publishing is a sign of life, too; only the guest falls silent.
    let _ = room.try_publish(Publish::new(Source::Session(bob.session()), "text")).unwrap();
    sleep(Duration::from_secs(22)).await;
    let silent = |user| (user, Presence::Offline, PresenceCause::HeartbeatInterrupt);
    assert_eq!((take(&told), online(&room)), (vec![], (2, 2)));
    assert_eq!(room.recent_users(), [UserId(8), ANN]);
    sleep(Duration::from_secs(30)).await;
    assert_eq!((take(&told), online(&room)), (vec![silent(ANN), silent(UserId(8))], (0, 0)));
    // Hours later, when no timer runs any more.
    sleep(Duration::from_secs(10_000)).await;
    assert!(room.session(ann.session()).touch() && guest.touch());
    assert_eq!(
        (take(&told), online(&room)),
        (vec![(ANN, Presence::Online, PresenceCause::HeartbeatRecover)], (2, 1))
    );
    sleep(Duration::from_secs(51)).await;
    assert_eq!((take(&told), online(&room)), (vec![silent(ANN)], (0, 0)));
    // Who was offline does not go offline again.
    drop(ann);
    sleep(Duration::from_millis(1)).await;
    assert_eq!((take(&told), room.stats().room.admission.users), (vec![], 1));
}

/// Who is touched in time stays, in every shard of a room and whoever else falls silent.
#[tokio::test(start_paused = true)]
async fn a7_the_touched_stay_online_in_every_shard() {
    let (hub, told) = hub();
    let heartbeat = Heartbeat {
        silence: Duration::from_secs(3),
        every: Duration::from_secs(1),
        leave_after: None,
    };
    let config = RoomConfig::builder(OWNER)
        .heartbeat(Some(heartbeat))
        .presence_events(10_000)
        .build()
        .unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let all: Vec<_> = (0..2_000).map(|user| join(&room, UserId(user))).collect();
    for _ in 0..10 {
        sleep(Duration::from_millis(900)).await;
        assert!(all.iter().step_by(4).all(Subscription::touch));
    }
    assert_eq!((online(&room), room.stats().room.audience.sessions), ((500, 500), 2_000));
    let offline =
        take(&told).into_iter().filter(|(.., cause)| *cause == PresenceCause::HeartbeatInterrupt);
    assert_eq!(
        offline
            .map(|(user, ..)| user.0 % 4)
            .collect::<Vec<_>>()
            .iter()
            .filter(|&&rest| rest == 0)
            .count(),
        0
    );
    sleep(Duration::from_secs(5)).await;
    assert_eq!(online(&room), (0, 0));
    let offline =
        take(&told).into_iter().filter(|(.., cause)| *cause == PresenceCause::HeartbeatInterrupt);
    assert_eq!(offline.count(), 500);
}

/// A clock of the test's own, so that looks come while others touch.
#[derive(Debug, Default)]
struct Hurried(Arc<std::sync::atomic::AtomicU64>);

impl Clock for Hurried {
    fn now(&self) -> Instant {
        // Every look at the clock takes a fifth of a millisecond.
        Instant::from_nanos(self.0.fetch_add(200_000, std::sync::atomic::Ordering::Relaxed))
    }
}

/// They agree in the end, whatever order threads touch in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a7_admission_and_shards_agree_on_touches() {
    let heartbeat = Heartbeat {
        silence: Duration::from_millis(2),
        every: Duration::from_millis(1),
        leave_after: None,
    };
    let config = RoomConfig::builder(OWNER).heartbeat(Some(heartbeat)).build().unwrap();
    let hub = Hub::<&'static str>::builder().workers(2).clock(Hurried::default()).spawn();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let room = room.clone();
            tokio::spawn(async move {
                let mine: Vec<_> =
                    (0..8).map(|user| join(&room, UserId(task % 2 * 8 + user))).collect();
                for step in 0..2_000 {
                    assert!(mine[step * 7 % 5].touch());
                    if step % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    // Everyone falls silent, and everyone comes back: nobody is stuck on either side.
    while online(&room) != (0, 0) {
        sleep(Duration::from_millis(1)).await;
    }
    drop(all);
    while room.stats().room.audience.sessions > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(room.stats().room.admission.users, 0);
}

/// However many they are, those who went and those who came twice among them.
#[tokio::test(start_paused = true)]
async fn a12_the_newest_are_named_in_order() {
    let (hub, _) = hub();
    let room = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(OWNER)).unwrap();
    let sessions: Vec<_> = (0..900).map(|user| join(&room, UserId(user))).collect();
    let stay = sessions.into_iter().zip(0..900).filter(|(_, user)| user % 3 != 0);
    let sessions: Vec<_> = stay.collect();
    // User 0 has gone, and comes back.
    let again = join(&room, UserId(0));
    let mut expected = vec![UserId(0)];
    expected.extend((0..900).rev().filter(|user| user % 3 != 0).map(UserId));
    assert!(room.recent_users() == expected);
    drop((again, sessions));
    assert!(room.recent_users().is_empty());
}

/// Whoever waits is woken to be told, and the hub hears of the going once.
#[tokio::test(start_paused = true)]
async fn c6_a_silent_session_is_shown_out() {
    let hub = Hub::<&'static str>::builder().workers(2).clock(TokioClock::default()).spawn();
    let heartbeat = Heartbeat {
        silence: Duration::from_secs(3),
        every: Duration::from_secs(1),
        leave_after: Some(Duration::from_secs(5)),
    };
    let config = RoomConfig::builder(UserId(1)).heartbeat(Some(heartbeat)).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let (mut ann, guest) = (room.join(Join::user(ANN)).unwrap(), room.join(Join::guest()).unwrap());
    let started = tokio::time::Instant::now();
    let waiting = tokio::spawn(async move { (ann.next_batch().await.err(), started.elapsed()) });
    // The guest shows life all the time.
    for _ in 0..20 {
        sleep(Duration::from_secs(1)).await;
        assert!(guest.touch());
    }
    let (end, after) = waiting.await.unwrap();
    assert_eq!(end, Some(SessionEnd::Closed(EndReason::Silent)));
    // Found by the look after 3 s, or the next, and out by one 5 s later.
    assert!((8..=10).contains(&after.as_secs()), "{after:?}");
    assert_eq!(room.stats().users_online(), 0);
    assert_eq!(room.stats().sessions(), 1);
    assert!(room.stats().balances());
}
