//! Other quotas and bounds while the room runs, in the hub on tokio, in paused time (clause B15).
#![cfg(feature = "tokio")]

use roomcast::config::RoomConfigBuilder;
use roomcast::core::admission::RoomStatus;
use roomcast::error::{JoinError, ReconfigureError};
use roomcast::{
    Actor, Clock, Direct, Hub, Item, Join, Outcome, PerLevel, Publish, Recipient, Room, RoomConfig,
    RoomId, Source, Subscription, UserId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

type Word = &'static str;

fn builder() -> RoomConfigBuilder {
    RoomConfig::builder(UserId(1))
}

/// A room over two shards.
fn room(builder: RoomConfigBuilder) -> (Hub<Word>, Room<Word>) {
    let hub = Hub::<Word>::builder().workers(2).shards_per_room(2).spawn();
    let room = hub.create_room(RoomId(1), &builder.build().unwrap()).unwrap();
    (hub, room)
}

fn change(room: &Room<Word>, builder: RoomConfigBuilder) -> Result<(), ReconfigureError> {
    room.reconfigure(&builder.build().unwrap())
}

fn guests(room: &Room<Word>, count: usize) -> Vec<Subscription<Word>> {
    (0..count).map(|_| room.join(Join::guest()).unwrap()).collect()
}

fn host(text: Word) -> Publish<Word> {
    Publish::new(Source::Host, text)
}

/// The parts of a room that sessions are in.
fn parts(guests: &[Subscription<Word>]) -> usize {
    let part = |guest: &Subscription<Word>| guest.session().slot() / 1_024 % 2;
    let mut parts: Vec<u32> = guests.iter().map(part).collect();
    parts.sort_unstable();
    parts.dedup();
    parts.len()
}

#[tokio::test(start_paused = true)]
async fn b15_a_faster_rate_lets_out_at_once_what_waits() {
    let slow = || {
        builder()
            .rate(1)
            .rate_period(Duration::from_secs(1_000))
            .burst(1)
            .fresh_within(PerLevel([None; 4]))
    };
    let (_hub, room) = room(slow());
    assert!(matches!(room.publish(host("at once")).await, Ok(Outcome::Dispatched { .. })));
    let waits = tokio::spawn({
        let room = room.clone();
        async move { room.publish(host("waits")).await }
    });
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    change(&room, slow().rate(20_000)).unwrap();
    assert!(matches!(waits.await.unwrap(), Ok(Outcome::Dispatched { .. })));
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_millis(40) && waited < Duration::from_millis(200),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn b15_shards_see_to_shorter_waits_and_queues() {
    let slow = || builder().rate(1).rate_period(Duration::from_secs(1_000)).burst(1);
    let (_hub, room) = room(slow().fresh_within(PerLevel([None; 4])));
    let _ = room.try_publish(host("at once")).unwrap();
    for text in ["a", "b", "c"] {
        let _ = room.try_publish(host(text)).unwrap();
    }
    change(
        &room,
        slow().fresh_within(PerLevel([Some(Duration::from_secs(2)); 4])).queue_messages(2),
    )
    .unwrap();
    let queued = || room.stats().room.admission.ledger.total().queued;
    assert_eq!(queued(), 2);
    sleep(Duration::from_millis(1_900)).await;
    assert_eq!(queued(), 2);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(queued(), 0);
    assert!(room.stats().room.balances());
}

/// Moved by the test alone: no shard sees in between what time it is.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> roomcast::time::Instant {
        roomcast::time::Instant::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// It goes out in the call.
#[tokio::test(start_paused = true)]
async fn b15_what_is_due_by_then_reaches_every_shard() {
    let hand = Hand::default();
    let hub = Hub::<Word>::builder().workers(2).shards_per_room(2).clock(hand.clone()).spawn();
    let slow = || builder().rate(1).burst(1);
    let room = hub.create_room(RoomId(1), &slow().build().unwrap()).unwrap();
    let mut all = guests(&room, 300);
    assert_eq!(parts(&all), 2);
    for text in ["at once", "in time", "too late"] {
        let _ = room.try_publish(host(text)).unwrap();
    }
    hand.0.store(1_000, Ordering::Relaxed);
    change(&room, slow().rate_period(Duration::from_secs(1_000))).unwrap();
    for guest in &mut all {
        let batch = guest.next_batch().await.unwrap();
        let texts: Vec<Word> = batch.messages().iter().map(|message| message.payload).collect();
        assert_eq!((texts, batch.items().count()), (vec!["at once", "in time"], 2));
    }
}

/// Those that are open change.
#[tokio::test(start_paused = true)]
async fn b15_later_shards_have_the_new_configuration() {
    let (_hub, room) = room(builder());
    let mut all = guests(&room, 10);
    assert_eq!(parts(&all), 1);
    change(&room, builder().log_messages(PerLevel([2; 4])).direct_messages(1)).unwrap();
    all.extend(guests(&room, 500));
    assert_eq!(parts(&all), 2);
    let late = all.iter().find(|guest| guest.session().slot() / 1_024 % 2 == 1).unwrap().session();
    let direct = || room.send_direct(Recipient::Session(late), Direct::new("direct"));
    assert!(direct().is_ok() && direct().is_err());
    all.retain(|guest| guest.session() != late);
    for text in ["a", "b", "c"] {
        let _ = room.try_publish(host(text)).unwrap();
    }
    for guest in &mut all {
        let batch = guest.next_batch().await.unwrap();
        let gaps = batch.items().filter(|item| matches!(item, Item::Gap { count: 1, .. })).count();
        assert_eq!((gaps, batch.messages().len()), (1, 2));
    }
    // And both at once.
    for text in ["d", "e"] {
        let _ = room.try_publish(host(text)).unwrap();
    }
    change(&room, builder().log_messages(PerLevel([1; 4]))).unwrap();
    for guest in &mut all {
        let batch = guest.next_batch().await.unwrap();
        assert_eq!((batch.messages()[0].payload, batch.items().count()), ("e", 2));
    }
    assert!(room.stats().room.balances());
}

/// It has more sessions than it may have by now.
#[tokio::test(start_paused = true)]
async fn b15_an_overfull_room_takes_nobody_in_any_shard() {
    let (_hub, room) = room(builder());
    let all = guests(&room, 520);
    assert_eq!(parts(&all), 2);
    let is_first = |guest: &Subscription<Word>| (guest.session().slot() / 1_024).is_multiple_of(2);
    let (mut firsts, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_first);
    change(&room, builder().sessions(300)).unwrap();
    // One shard has fewer than its share of 150, and the other so many more that there are too many.
    assert!(others.len() > 200, "{}", others.len());
    firsts.truncate(100);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(room.stats().room.audience.sessions as usize, 100 + others.len());
    assert_eq!(room.join(Join::guest()).map(drop), Err(JoinError::RoomFull { max: 300 }));
    firsts.clear();
    sleep(Duration::from_millis(10)).await;
    firsts.extend(guests(&room, 300 - others.len()));
    assert_eq!(room.join(Join::guest()).map(drop), Err(JoinError::RoomFull { max: 300 }));
}

/// It takes no other configuration then.
#[tokio::test(start_paused = true)]
async fn b15_a_room_that_may_expire_by_now_does_so() {
    let (_hub, room) = room(builder());
    sleep(Duration::from_secs(1_000)).await;
    assert_eq!(change(&room, builder().seed(3)), Err(ReconfigureError::Fixed { setting: "seed" }));
    change(&room, builder().idle_timeout(Some(Duration::from_secs(60)))).unwrap();
    let is_open = || room.stats().room.admission.state == RoomStatus::Open;
    sleep(Duration::from_secs(59)).await;
    assert!(is_open());
    // For longer, and for ever, and for as long as before.
    change(&room, builder().idle_timeout(Some(Duration::from_secs(90)))).unwrap();
    sleep(Duration::from_secs(30)).await;
    assert!(is_open());
    change(&room, builder()).unwrap();
    sleep(Duration::from_secs(1_000)).await;
    assert!(is_open());
    change(&room, builder().idle_timeout(Some(Duration::from_secs(60)))).unwrap();
    sleep(Duration::from_secs(61)).await;
    assert!(!is_open());
    assert_eq!(change(&room, builder()), Err(ReconfigureError::RoomClosed));
    assert!(room.close(Actor::Host).is_err());
}
