//! What one session of the hub asks for by itself, in paused time.
#![cfg(feature = "tokio")]

use roomcast::config::{LevelSet, RoomConfigBuilder};
use roomcast::error::{DirectReason, JoinError, RefusalReason, SessionEnd};
use roomcast::event::{EndReason, StartPosition};
use roomcast::moderation::Until;
use roomcast::{
    Actor, Batch, Direct, Hub, Item, Join, PerLevel, Priority, Publish, Recipient, Room,
    RoomConfig, RoomId, SessionId, Source, Subscription, UserId,
};
use std::time::Duration;
use tokio::time::timeout;

const LIKES: LevelSet = LevelSet::EMPTY.with(Priority::Low).with(Priority::Lowest);

fn room(
    change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder,
) -> (Hub<&'static str>, Room<&'static str>) {
    let hub = Hub::<&'static str>::builder().workers(4).spawn();
    let config = change(RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000)).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

fn say(room: &Room<&'static str>, level: Priority, text: &'static str) {
    let receipt = room.try_publish(Publish::new(Source::Host, text).priority(level)).unwrap();
    assert!(receipt.outcome.is_some(), "a quiet room sends at once");
}

async fn texts(subscription: &mut Subscription<&'static str>) -> Vec<&'static str> {
    // In paused time this much passes at once when nothing comes.
    let batch = timeout(Duration::from_secs(60), subscription.next_batch())
        .await
        .expect("something is due")
        .unwrap();
    batch.messages().iter().map(|message| message.payload).collect()
}

/// Unmasking starts behind what was said before.
#[tokio::test(start_paused = true)]
async fn a_masked_level_neither_comes_nor_wakes() {
    let (_hub, room) = room(|builder| builder);
    let mut ann = room.join(Join::user(UserId(7)).mask(LIKES)).unwrap();
    say(&room, Priority::Low, "like");
    assert!(timeout(Duration::from_secs(9), ann.next_batch()).await.is_err(), "likes are masked");
    say(&room, Priority::Normal, "text");
    assert_eq!(texts(&mut ann).await, ["text"]);
    // Nobody has come to take this one over when the mask changes.
    say(&room, Priority::Low, "before");
    assert!(ann.set_masked_levels(LevelSet::EMPTY));
    say(&room, Priority::Low, "after");
    assert_eq!(texts(&mut ann).await, ["after"]);
    assert!(room.session(ann.session()).set_masked_levels(LIKES));
    say(&room, Priority::Lowest, "like");
    assert!(timeout(Duration::from_secs(9), ann.next_batch()).await.is_err());
    let snapshot = room.stats().room;
    assert!(snapshot.balances());
    assert_eq!(snapshot.audience.deliveries[Priority::Low].excluded, 2);
    assert!(room.session(ann.session()).close() && !ann.set_masked_levels(LIKES));
}

/// Also in one that is opened later.
#[tokio::test(start_paused = true)]
async fn late_joiners_get_the_same_in_every_shard() {
    let (_hub, room) = room(|builder| builder.replay_on_join(3));
    for (level, text) in [
        (Priority::Normal, "a"),
        (Priority::Normal, "b"),
        (Priority::High, "c"),
        (Priority::Low, "d"),
    ] {
        say(&room, level, text);
    }
    let mut all = Vec::new();
    for n in 0..1_100 {
        // Each shard takes 256 before the next one is opened.
        let mut late = room.join(Join::guest()).unwrap();
        assert_eq!(texts(&mut late).await, ["c", "b", "d"], "number {n}");
        assert_eq!((late.starts_after().0, late.start()), (1, StartPosition::Late));
        all.push(late);
    }
    say(&room, Priority::High, "e");
    for late in &mut all {
        assert_eq!(texts(late).await, ["e"]);
    }
    let snapshot = room.stats().room;
    assert!(snapshot.balances());
    assert_eq!(snapshot.audience.deliveries[Priority::High].delivered, 2_200);
}

#[tokio::test(start_paused = true)]
async fn a_token_taken_in_one_shard_serves_in_another() {
    let (_hub, room) = room(|builder| builder);
    let mut first = room.join(Join::user(UserId(7))).unwrap();
    say(&room, Priority::Normal, "read");
    assert_eq!(texts(&mut first).await, ["read"]);
    let own = room.try_publish(Publish::new(Source::Session(first.session()), "own")).unwrap();
    assert!(own.outcome.is_some());
    let token = first.resume_token().unwrap();
    assert_eq!(room.session(first.session()).resume_token(), Some(token.clone()));
    let error = room.join(Join::user(UserId(7)).resume(token.clone())).unwrap_err();
    assert_eq!(error, JoinError::AlreadyJoined { session: first.session() });
    assert!(room.session(first.session()).close());
    assert_eq!(first.resume_token(), None);
    // So many that the next one sits in another shard.
    let crowd: Vec<_> = (0..600).map(|_| room.join(Join::guest()).unwrap()).collect();
    say(&room, Priority::High, "meanwhile");
    let mut back = room.join(Join::user(UserId(7)).resume(token.clone())).unwrap();
    assert!(crowd.len() == 600 && back.session().slot() >= 1_024, "in the slots of another shard");
    assert_eq!((back.start(), texts(&mut back).await), (StartPosition::Resumed, vec!["meanwhile"]));
    say(&room, Priority::Normal, "next");
    assert_eq!(texts(&mut back).await, ["next"]);
    assert!(room.session(back.session()).close());
    tokio::time::sleep(Duration::from_secs(61)).await;
    let late = room.join(Join::user(UserId(7)).resume(token)).unwrap();
    assert_eq!((late.start(), room.stats().room.balances()), (StartPosition::Head, true));
}

fn told(batch: &Batch<&'static str>) -> Vec<String> {
    let item = |item: Item<'_, &'static str>| match item {
        Item::Gap { priority, count, .. } => format!("missed {count} {priority}"),
        Item::Message(message) => message.payload.to_owned(),
        Item::Direct(direct) => format!("to you: {}", direct.payload),
    };
    batch.items().map(item).collect()
}

/// It wakes its sessions in all shards.
#[tokio::test(start_paused = true)]
async fn a_direct_message_comes_in_its_place() {
    let (_hub, room) = room(|builder| {
        builder.coalesce(PerLevel([
            Duration::ZERO,
            Duration::from_secs(60),
            Duration::ZERO,
            Duration::ZERO,
        ]))
    });
    let mut phone = room.join(Join::user(UserId(7))).unwrap();
    let crowd: Vec<_> = (0..600).map(|_| room.join(Join::guest()).unwrap()).collect();
    let mut laptop = room.join(Join::user(UserId(7))).unwrap();
    assert!(laptop.session().slot() >= 1_024, "in another shard");
    let reader = tokio::spawn(async move {
        let told = told(&laptop.next_batch().await.unwrap());
        (laptop, told)
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let start = tokio::time::Instant::now();
    say(&room, Priority::Normal, "before");
    let to = Recipient::User(UserId(7));
    let receipt = room.send_direct(to, Direct::new("hello")).unwrap();
    assert_eq!((receipt.sessions, receipt.refused), (2, 0));
    say(&room, Priority::Normal, "after");
    let (laptop, heard) = reader.await.unwrap();
    assert_eq!(
        (heard, start.elapsed().as_millis()),
        (vec!["before".into(), "to you: hello".into(), "after".into()], 0)
    );
    assert_eq!(told(&phone.next_batch().await.unwrap()), ["before", "to you: hello", "after"]);
    // To one session, a guest's.
    let guest = Recipient::Session(crowd[300].session());
    assert_eq!(room.send_direct(guest, Direct::new("guest")).unwrap().sessions, 1);
    assert!(timeout(Duration::from_secs(9), phone.next_batch()).await.is_err());
    // The farewell, then the reason.
    let _ = room.send_direct(to, Direct::new("farewell").priority(Priority::High)).unwrap();
    room.moderation(Actor::Host).kick(&[UserId(7)]).unwrap();
    assert_eq!(
        room.send_direct(to, Direct::new("late")).unwrap_err().reason,
        DirectReason::NoRecipient { to }
    );
    for mut device in [phone, laptop] {
        assert_eq!(told(&device.next_batch().await.unwrap()), ["to you: farewell"]);
        assert_eq!(device.next_batch().await.unwrap_err(), SessionEnd::Closed(EndReason::Kicked));
    }
    let nobody = Recipient::Session(SessionId::from_bits(u128::MAX));
    assert_eq!(
        room.send_direct(nobody, Direct::new("x")).unwrap_err().reason,
        DirectReason::NoRecipient { to: nobody }
    );
    drop(crowd);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let directs = room.stats().room.audience.directs;
    assert_eq!((directs[Priority::Normal].sent, directs[Priority::Normal].abandoned), (3, 1));
    assert!(room.stats().room.balances());
    room.close(Actor::Host).unwrap();
    let refused = room.send_direct(guest, Direct::new("closed")).unwrap_err();
    assert_eq!((refused.reason, refused.payload), (DirectReason::RoomClosed, "closed"));
}

#[tokio::test(start_paused = true)]
async fn a_direct_message_wakes_in_a_quiet_room() {
    let (_hub, room) = room(|builder| builder);
    let mut ann = room.join(Join::user(UserId(7))).unwrap();
    for to in [Recipient::Session(ann.session()), Recipient::User(UserId(7))] {
        // It waits, and nothing else happens in the room.
        let reader = tokio::spawn(async move {
            let told = timeout(Duration::from_secs(60), ann.next_batch())
                .await
                .map(|batch| told(&batch.unwrap()));
            (ann, told)
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let start = tokio::time::Instant::now();
        assert_eq!(room.send_direct(to, Direct::new("psst")).unwrap().sessions, 1);
        let heard;
        (ann, heard) = reader.await.unwrap();
        assert_eq!(heard.expect("woken"), ["to you: psst"]);
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "woken at once, not looking again when its time is up"
        );
        // A second look with the same waker finds what came meanwhile.
        let mut next = Box::pin(ann.next_batch());
        assert!(timeout(Duration::from_millis(1), &mut next).await.is_err());
        let _ = room.send_direct(to, Direct::new("again")).unwrap();
        assert_eq!(
            told(&timeout(Duration::ZERO, next).await.expect("ready").unwrap()),
            ["to you: again"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a1_joining_twice_is_refused_in_any_shard() {
    for shards_per_room in [1, 4] {
        let hub: Hub<&'static str> =
            Hub::<&'static str>::builder().workers(4).shards_per_room(shards_per_room).spawn();
        let room =
            hub.create_room(RoomId(1), &RoomConfig::builder(UserId(1)).build().unwrap()).unwrap();
        // Each shard takes 256 before the next one is opened.
        let join = |n: u64| if n.is_multiple_of(2) { Join::user(UserId(n)) } else { Join::guest() };
        let mut all: Vec<_> = (0..900).map(|n| (join(n), room.join(join(n)).unwrap())).collect();
        let shards = if shards_per_room == 1 { 0 } else { 3 };
        assert_eq!(
            all[899].1.session().slot() / 1_024,
            shards,
            "the last one sits in another shard"
        );
        for (join, subscription) in all.iter().step_by(50) {
            let session = subscription.session();
            assert_eq!(
                room.join(join.clone().on(session)).unwrap_err(),
                JoinError::AlreadyJoined { session }
            );
        }
        assert_eq!(room.stats().room.audience.sessions, 900);

        // Whoever went, or is on the way out, may come again.
        for gone in [0, 300, 899] {
            let (join, subscription) = &mut all[gone];
            assert!(room.session(subscription.session()).close());
            *subscription = room.join(join.clone().on(subscription.session())).unwrap();
        }
        let (join, kicked) = &mut all[600];
        room.moderation(Actor::Host).kick(&[UserId(600)]).unwrap();
        let _again = room.join(join.clone().on(kicked.session())).unwrap();
        assert_eq!(kicked.next_batch().await.unwrap_err(), SessionEnd::Closed(EndReason::Kicked));
        assert_eq!(room.stats().room.audience.sessions, 900);

        // Who may not come at all is told that first, as by the room itself.
        let (banned, until) = (UserId(5_000), Until::Forever);
        room.moderation(Actor::Host).ban(&[banned], None).unwrap();
        let refused = room.join(Join::user(banned).on(all[1].1.session())).unwrap_err();
        assert_eq!(refused, JoinError::Banned { user: banned, until });
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_a_former_room_is_nobody() {
    let (hub, before) = room(|builder| builder);
    let old = before.join(Join::user(UserId(7))).unwrap();
    let (id, token) = (old.session(), old.resume_token().unwrap());
    let config = RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).build().unwrap();
    hub.remove_room(RoomId(1)).unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    let mut bob = room.join(Join::user(UserId(8))).unwrap();
    assert!(bob.session().key() == id.key() && bob.session() != id);
    let refused = room.try_publish(Publish::new(Source::Session(id), "as Bob")).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::NotMember);
    let session = room.session(id);
    assert!(!session.close() && !session.touch() && !session.set_masked_levels(LIKES));
    assert_eq!(session.resume_token(), None);
    let to = Recipient::Session(id);
    let error = room.send_direct(to, Direct::new("to Bob").priority(Priority::High)).unwrap_err();
    assert_eq!(error.reason, DirectReason::NoRecipient { to });
    say(&room, Priority::High, "to all");
    let back = room.join(Join::user(UserId(7)).on(id).resume(token)).unwrap();
    assert_eq!((back.start(), back.starts_after().0), (StartPosition::Unknown, 1));
    assert_eq!(texts(&mut bob).await, ["to all"]);
    assert_eq!((room.stats().room.audience.sessions, room.stats().room.balances()), (2, true));
    // Another room of the hub is another life as well.
    let elsewhere = hub.create_room(RoomId(2), &config).unwrap();
    let ann = elsewhere.join(Join::user(UserId(7))).unwrap();
    assert_eq!(ann.session().key(), bob.session().key());
    assert!(!room.session(ann.session()).close() && !elsewhere.session(bob.session()).close());
}
