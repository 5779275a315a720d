//! What one session of the hub asks for by itself, in paused time.
#![cfg(feature = "tokio")]

use roomcast::{
    Hub, Join, Mask, Priority, Publish, RoomConfig, RoomConfigBuilder, RoomHandle, RoomId, Source, Start, Subscription, UserId,
};
use std::time::Duration;
use tokio::time::timeout;

const LIKES: Mask = Mask::NONE.with(Priority::Low).with(Priority::Lowest);

fn room(change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder) -> (Hub<&'static str>, RoomHandle<&'static str>) {
    let hub = Hub::<&'static str>::builder().shards(4).spawn();
    let config = change(RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000)).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

fn say(room: &RoomHandle<&'static str>, level: Priority, text: &'static str) {
    let receipt = room.try_publish(Publish::new(Source::Host, text).priority(level)).unwrap();
    assert!(receipt.outcome.is_some(), "a quiet room sends at once");
}

async fn texts(subscription: &mut Subscription<&'static str>) -> Vec<&'static str> {
    subscription.next_batch().await.unwrap().messages().iter().map(|message| message.payload).collect()
}

#[tokio::test(start_paused = true)]
async fn a_masked_level_neither_comes_nor_wakes_and_unmasking_starts_behind_what_was_said_before() {
    let (_hub, room) = room(|builder| builder);
    let mut ann = room.join(Join::user(UserId(7)).mask(LIKES)).unwrap();
    say(&room, Priority::Low, "like");
    assert!(timeout(Duration::from_secs(9), ann.next_batch()).await.is_err(), "likes are masked");
    say(&room, Priority::Normal, "text");
    assert_eq!(texts(&mut ann).await, ["text"]);
    // Nobody has come to take this one over when the mask changes.
    say(&room, Priority::Low, "before");
    assert!(ann.set_mask(Mask::NONE));
    say(&room, Priority::Low, "after");
    assert_eq!(texts(&mut ann).await, ["after"]);
    assert!(room.set_mask(ann.session(), LIKES));
    say(&room, Priority::Lowest, "like");
    assert!(timeout(Duration::from_secs(9), ann.next_batch()).await.is_err());
    let snapshot = room.snapshot().room;
    assert!(snapshot.balances());
    assert_eq!(snapshot.audience.deliveries[Priority::Low].excluded, 2);
    assert!(room.close_session(ann.session()) && !ann.set_mask(LIKES));
}

#[tokio::test(start_paused = true)]
async fn late_joiners_get_the_same_in_every_hall_also_in_one_that_is_opened_later() {
    let (_hub, room) = room(|builder| builder.late_joiners(3));
    for (level, text) in [(Priority::Normal, "a"), (Priority::Normal, "b"), (Priority::High, "c"), (Priority::Low, "d")] {
        say(&room, level, text);
    }
    let mut all = Vec::new();
    for n in 0..1_100 {
        // Each hall takes 256 before the next one is opened.
        let mut late = room.join(Join::guest()).unwrap();
        assert_eq!(texts(&mut late).await, ["c", "b", "d"], "number {n}");
        assert_eq!((late.after().0, late.start()), (1, Start::Late));
        all.push(late);
    }
    say(&room, Priority::High, "e");
    for late in &mut all {
        assert_eq!(texts(late).await, ["e"]);
    }
    let snapshot = room.snapshot().room;
    assert!(snapshot.balances());
    assert_eq!(snapshot.audience.deliveries[Priority::High].delivered, 2_200);
}
