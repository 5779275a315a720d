//! How old what is due may be, in the hub on tokio, in paused time (clause B21).
#![cfg(feature = "tokio")]

use roomcast::{
    Batch, GapCause, Hub, Item, Join, PerLevel, Priority, Publish, Room, RoomConfig, RoomId, Source,
};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::sleep;

const MINUTE: Duration = Duration::from_secs(60);
const TEXT: Duration = Duration::from_secs(2);

fn config() -> RoomConfig {
    let config = RoomConfig::builder(None).log_age(Some(MINUTE));
    config
        .deliver_within(PerLevel([Some(MINUTE), Some(TEXT), Some(TEXT), Some(TEXT)]))
        .build()
        .unwrap()
}

/// The host says something; returns whether the room still holds it.
fn say(room: &Room<Arc<str>>, level: Priority, text: &str) -> Weak<str> {
    let text: Arc<str> = text.into();
    let held = Arc::downgrade(&text);
    assert!(room.try_publish(Publish::new(Source::Host, text).priority(level)).is_ok());
    held
}

fn words(batch: &Batch<Arc<str>>) -> Vec<String> {
    let words = |item: Item<'_, Arc<str>>| match item {
        Item::Gap { count, cause, .. } => format!("missed {count}: {cause}"),
        Item::Message(message) if batch.is_history(message) => {
            format!("before: {}", message.payload)
        }
        Item::Message(message) => message.payload.to_string(),
        Item::Direct(direct) => direct.payload.to_string(),
    };
    batch.items().map(words).collect()
}

/// Its worker comes by, though nobody is in and nobody calls.
#[tokio::test(start_paused = true)]
async fn b21_an_empty_room_that_was_busy_gives_its_log_back() {
    for shards in [1, 3] {
        let hub = Hub::<Arc<str>>::builder().workers(3).shards_per_room(shards).spawn();
        let room = hub.create_room(RoomId(1), &config()).unwrap();
        // One in each shard; then all go.
        let guests: Vec<_> = (0..shards).map(|_| room.join(Join::guest()).unwrap()).collect();
        let mut held = Vec::new();
        for _ in 0..30 {
            held.push(say(&room, Priority::High, "a gift of some size"));
            sleep(Duration::from_secs(1)).await;
        }
        drop(guests);
        sleep(Duration::from_secs(58)).await;
        assert!(held.last().unwrap().upgrade().is_some(), "the last is not that old");
        sleep(Duration::from_secs(2)).await;
        assert!(held.iter().all(|held| held.upgrade().is_none()), "{shards} shards");
        assert_eq!(room.stats().room.audience.log, PerLevel([0; 4]));
    }
}

#[tokio::test(start_paused = true)]
async fn b21_a_slow_reader_is_told_that_text_was_too_old() {
    let hub = Hub::<Arc<str>>::builder().spawn();
    let room = hub.create_room(RoomId(1), &config()).unwrap();
    let mut slow = room.join(Join::guest()).unwrap();
    for text in ["a", "b", "c"] {
        say(&room, Priority::Normal, text);
        sleep(Duration::from_millis(900)).await;
    }
    say(&room, Priority::High, "gift");
    let batch = slow.next_batch().await.unwrap();
    assert_eq!(words(&batch), ["gift", "missed 1: age", "b", "c"]);
    let skips = room.stats().room.audience.skips[Priority::Normal];
    assert_eq!((skips.of(GapCause::Age), skips.of(GapCause::Overrun)), (1, 0));
    let session = room.session(slow.session());
    assert_eq!(session.skips().unwrap()[Priority::Normal], skips);
    let books = session.deliveries().unwrap()[Priority::Normal];
    assert_eq!((books.due, books.delivered, books.skipped), (3, 2, 1));
    let gone = slow.session();
    drop(slow);
    let session = room.session(gone);
    assert_eq!((session.skips(), session.deliveries()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn b21_who_comes_back_gets_what_was_there_however_old() {
    let hub = Hub::<Arc<str>>::builder().spawn();
    let room = hub.create_room(RoomId(1), &config()).unwrap();
    let first = room.join(Join::guest()).unwrap();
    let token = first.resume_token().unwrap();
    drop(first);
    say(&room, Priority::Normal, "a");
    sleep(Duration::from_secs(30)).await;
    let mut back = room.join(Join::guest().resume(token)).unwrap();
    assert_eq!(words(&back.next_batch().await.unwrap()), ["before: a"]);
}

/// From then on who reads has to know the time.
#[tokio::test(start_paused = true)]
async fn b21_a_running_room_takes_a_bound_on_age() {
    let hub = Hub::<Arc<str>>::builder().spawn();
    let without = RoomConfig::builder(None).build().unwrap();
    let room = hub.create_room(RoomId(1), &without).unwrap();
    let (mut slow, mut other) =
        (room.join(Join::guest()).unwrap(), room.join(Join::guest()).unwrap());
    say(&room, Priority::Normal, "a");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(words(&other.next_batch().await.unwrap()), ["a"]);
    room.reconfigure(&config()).unwrap();
    assert_eq!(words(&slow.next_batch().await.unwrap()), ["missed 1: age"]);
    say(&room, Priority::Normal, "b");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(words(&slow.next_batch().await.unwrap()), ["missed 1: age"]);
}
