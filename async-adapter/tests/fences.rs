//! Code of the host's that panics, and workers that end: nobody else is disturbed, nobody waits for
//! ever, and the books stay right.
#![cfg(feature = "tokio")]

use roomcast::config::{BroadcastLimits, Quota};
use roomcast::error::{CreateRoomError, DropReason, JoinError, RefusalReason, SessionEnd};
use roomcast::event::EndReason;
use roomcast::message::{Broadcast, DedupKey};
use roomcast::{
    Hub, Join, Outcome, Payload, PerLevel, Priority, Publish, Room, RoomConfig, RoomId, Source,
    Subscription, UserId,
};
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const ROOMS: u64 = 1_000;

/// Panics when it is dropped, if it is marked.
#[derive(Debug)]
struct Bomb(&'static str);

impl Payload for Bomb {
    fn size(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(self.0 != "bomb", "as wanted");
    }
}

/// Counts how often it is woken, and panics then, if it is marked.
#[derive(Debug, Default)]
struct Waiter {
    woken: AtomicUsize,
    panics: bool,
}

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "as wanted");
    }
}

/// A subscription waits with this waker.
fn wait<M: Payload + Send + Sync>(subscription: &mut Subscription<M>, waiter: &Arc<Waiter>) {
    let waker = Waker::from(Arc::clone(waiter));
    let next = pin!(subscription.next_batch());
    assert!(next.poll(&mut Context::from_waker(&waker)).is_pending());
}

/// Few messages are kept, so that they are dropped soon.
fn config() -> RoomConfig {
    let builder = RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000);
    builder.log_messages(PerLevel([2; 4])).build().unwrap()
}

fn rooms<M: Payload + Send + Sync>(hub: &Hub<M>) -> Vec<Room<M>> {
    (0..ROOMS).map(|id| hub.open_room(RoomId(id), &config()).unwrap()).collect()
}

/// Two bombs in one place would end the process.
#[tokio::test(start_paused = true)]
async fn d45_a_payload_that_panics_disturbs_nobody() {
    let hub = Hub::<Bomb>::builder().workers(2).spawn();
    let rooms = rooms(&hub);
    let mut readers: Vec<_> = rooms.iter().map(|room| room.join(Join::guest()).unwrap()).collect();
    for round in 0..10 {
        for room in &rooms {
            let what = if room.id().0 == 7 { "bomb" } else { "hello" };
            let _ = room.try_publish(Publish::new(Source::Host, Bomb(what))).unwrap();
        }
        // Nobody reads in the room of the bombs: the workers drop them.
        for (id, reader) in readers.iter_mut().enumerate().filter(|(id, _)| *id != 7) {
            let batch = reader.next_batch().await.unwrap();
            assert_eq!(batch.messages().len(), 1, "round {round}, room {id}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(hub.caught_panics(), 8, "two of ten are kept");
    assert!(rooms.iter().all(|room| room.stats().room.balances()));
    let books = rooms[7].stats().room.audience.deliveries[Priority::Normal];
    assert_eq!((books.due, books.delivered, books.pending), (10, 0, 10));
    let report = hub.drain(Duration::from_millis(100)).await;
    assert_eq!((report.rooms, report.unended), (rooms.len(), 0));
    assert_eq!(hub.caught_panics(), 10);
    assert!(rooms.iter().all(|room| room.stats().room.balances()));
}

/// What is offered to a room that has no place for it is dropped by the call that it gives way to.
#[tokio::test(start_paused = true)]
async fn d45_who_evicts_a_payload_that_panics_is_let_in() {
    let hub = Hub::<Bomb>::builder().workers(1).spawn();
    let config = RoomConfig::builder(UserId(1)).rate(1).burst(1).queue_messages(2);
    let room = hub.open_room(RoomId(1), &config.build().unwrap()).unwrap();
    let say = |level, what| {
        room.try_publish(Publish::new(Source::Host, Bomb(what)).priority(level)).unwrap()
    };
    for what in ["goes out", "bomb", "bomb"] {
        let _ = say(Priority::Low, what);
    }
    for what in ["gift", "another"] {
        assert_eq!(say(Priority::High, what).outcome, None, "it waits");
    }
    assert_eq!(hub.caught_panics(), 2);
    let books = room.stats().room.admission.ledger.levels[Priority::Low];
    assert_eq!((books.dropped.total(), room.stats().room.balances()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn d45_a_waker_that_panics_disturbs_nobody() {
    let hub = Hub::<Bomb>::builder().workers(2).spawn();
    let rooms = rooms(&hub);
    let mut readers: Vec<_> =
        rooms.iter().flat_map(|room| (0..3).map(|_| room.join(Join::guest()).unwrap())).collect();
    // The first of three in each tenth room.
    let waiters: Vec<_> = (0..readers.len())
        .map(|n| Arc::new(Waiter { panics: n % 30 == 0, ..Waiter::default() }))
        .collect();
    let mut panics = 0;
    for round in 1..=3 {
        for (reader, waiter) in readers.iter_mut().zip(&waiters) {
            wait(reader, waiter);
        }
        for room in &rooms {
            let _ = room.try_publish(Publish::new(Source::Host, Bomb("hello"))).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let woken = waiters.iter().map(|waiter| waiter.woken.load(Ordering::Relaxed));
        assert_eq!(woken.filter(|&woken| woken != round).count(), 0, "in round {round}");
        for reader in &mut readers {
            assert_eq!(reader.try_next_batch().unwrap().unwrap().messages().len(), 1);
        }
        panics += 100;
        assert_eq!(hub.caught_panics(), panics);
    }
    assert!(rooms.iter().all(|room| room.stats().room.balances()));
}

/// A publisher awaits an outcome with a waker that panics.
#[tokio::test(start_paused = true)]
async fn d45_an_outcomes_waker_that_panics_keeps_no_event() {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&told);
    let hub = Hub::<Bomb>::builder().workers(1).on_event(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let hub = hub.spawn();
    let config = RoomConfig::builder(UserId(1)).rate(1).burst(1).build().unwrap();
    let room = hub.open_room(RoomId(1), &config).unwrap();
    let _ = room.try_publish(Publish::new(Source::Host, Bomb("goes out"))).unwrap();
    let waiter = Arc::new(Waiter { panics: true, ..Waiter::default() });
    let waker = Waker::from(Arc::clone(&waiter));
    let mut publish = pin!(room.publish(Publish::new(Source::Host, Bomb("waits"))));
    assert!(publish.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let other = room.publish(Publish::new(Source::Host, Bomb("waits, too")));
    assert!(matches!(other.await, Ok(Outcome::Dispatched { .. })));
    assert!(matches!(publish.await, Ok(Outcome::Dispatched { .. })));
    assert_eq!((waiter.woken.load(Ordering::Relaxed), hub.caught_panics()), (1, 1));
    assert_eq!(told.load(Ordering::Relaxed), 2);
}

/// A broadcast that cannot be copied is missed by each room, and no call of theirs hears of it.
#[tokio::test(start_paused = true)]
async fn d45_a_broadcast_that_panics_is_missed() {
    #[derive(Debug)]
    struct Copied(&'static str);

    impl Clone for Copied {
        fn clone(&self) -> Self {
            assert!(self.0 != "bomb", "as wanted");
            Self(self.0)
        }
    }

    impl Payload for Copied {
        fn size(&self) -> usize {
            self.0.len()
        }
    }

    let mut limits = BroadcastLimits::default();
    limits.quota = Quota::per_second(NonZeroU32::MAX);
    let hub = Hub::<Copied>::builder().workers(1).broadcasts(limits).spawn();
    let rooms: Vec<Room<Copied>> =
        (0..3).map(|id| hub.open_room(RoomId(id), &config()).unwrap()).collect();
    for (key, says) in ["one", "bomb", "two"].into_iter().enumerate() {
        hub.broadcast(Broadcast::new(DedupKey(key as u64), Copied(says))).unwrap();
    }
    // One room hears them in a call of its own, the others by their worker.
    let mut guest = rooms[0].join(Join::guest()).unwrap();
    let _ = rooms[0].try_publish(Publish::new(Source::Host, Copied("three"))).unwrap();
    assert_eq!(guest.next_batch().await.unwrap().messages().len(), 1);
    while rooms.iter().any(|room| room.stats().room.admission.broadcasts_pending > 0) {
        tokio::task::yield_now().await;
    }
    for (room, dispatched) in rooms.iter().zip([3, 2, 2]) {
        let books = room.stats().room;
        assert!(books.balances());
        assert_eq!(books.admission.ledger.total().dispatched, dispatched);
        assert_eq!(books.admission.broadcasts_missed, 1);
    }
    assert_eq!(hub.caught_panics(), 3);
}

/// The runtime of the workers ends, and the hub lives on in another one.
#[test]
fn d45_when_the_workers_end_everyone_is_told() {
    let [theirs, ours] = [1, 1].map(|threads| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(threads).enable_all().build().unwrap()
    });
    let hub = theirs.block_on(async { Hub::<Bomb>::builder().workers(2).spawn() });
    let config = RoomConfig::builder(UserId(1)).rate(1).burst(1).build().unwrap();
    let room = hub.open_room(RoomId(1), &config).unwrap();
    let mut reader = room.join(Join::guest()).unwrap();
    ours.block_on(async {
        let _ = room.try_publish(Publish::new(Source::Host, Bomb("goes out"))).unwrap();
        assert_eq!(reader.next_batch().await.unwrap().messages().len(), 1);
        let waiter = Arc::new(Waiter::default());
        wait(&mut reader, &waiter);
        let publish = {
            let room = room.clone();
            tokio::spawn(async move {
                let publish = Publish::new(Source::Host, Bomb("waits")).priority(Priority::High);
                room.publish(publish).await
            })
        };
        while room.stats().room.admission.ledger.total().queued == 0 {
            tokio::task::yield_now().await;
        }
        theirs.shutdown_background();
        let outcome = publish.await.unwrap();
        assert!(matches!(outcome, Ok(Outcome::Dropped { reason: DropReason::RoomClosed, .. })));
        // Another thread is about to wake it.
        for _ in 0..10_000 {
            if waiter.woken.load(Ordering::Relaxed) > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(waiter.woken.load(Ordering::Relaxed), 1);
        let end = reader.next_batch().await.map(drop);
        assert_eq!(end, Err(SessionEnd::Closed(EndReason::RoomClosed)));
        let refused = room.try_publish(Publish::new(Source::Host, Bomb("late"))).unwrap_err();
        assert_eq!(refused.reason, RefusalReason::RoomClosed);
        assert!(matches!(room.join(Join::guest()), Err(JoinError::RoomClosed)));
        let opened = hub.open_room(RoomId(2), &config).map(drop);
        assert_eq!(opened.unwrap_err(), CreateRoomError::ShuttingDown);
        let report = hub.drain(Duration::from_millis(50)).await;
        assert_eq!(report.unended, 0);
        assert!(room.stats().room.balances());
    });
}
