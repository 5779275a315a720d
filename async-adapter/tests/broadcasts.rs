//! What goes to every room of a hub: broadcasts (A16), and the reviewer (A19). In tokio's paused time.

#![cfg(feature = "tokio")]

use roomcast::config::{ReviewConfig, ReviewTimeout};
use roomcast::error::{DropReason, Limit};
use roomcast::message::{Broadcast, CorrelationId, DedupKey, OutcomeSink, ReviewDecision};
use roomcast::{
    Actor, Hub, Join, Kind, Outcome, Priority, Publish, Room, RoomConfig, RoomId, Source,
    Subscription, UserId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const OWNER: UserId = UserId(1);

async fn texts(subscription: &mut Subscription<String>) -> Vec<String> {
    let batch = subscription.next_batch().await.expect("the session is in");
    batch.messages().iter().map(|message| message.payload.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a16_a_broadcast_wakes_waiters_in_every_room() {
    let hub: Hub<String> = Hub::<String>::builder().workers(3).spawn();
    let config = RoomConfig::av_chat_room(OWNER);
    let rooms: Vec<_> = (0..500).map(|id| hub.create_room(RoomId(id), &config).unwrap()).collect();
    let waiting: Vec<_> = rooms
        .iter()
        .map(|room| {
            let mut subscription = room.join(Join::guest()).unwrap();
            tokio::spawn(async move {
                let batch = subscription.next_batch().await.expect("the session is in");
                (
                    batch.messages()[0].kind,
                    batch.messages()[0].payload.clone(),
                    batch.messages().len(),
                )
            })
        })
        .collect();
    tokio::task::yield_now().await;
    hub.remove_room(RoomId(77)).unwrap();
    let broadcast =
        |key| Broadcast::new(DedupKey(key), "to all".to_owned()).priority(Priority::High);
    hub.broadcast(broadcast(1)).unwrap();
    assert!(hub.broadcast(broadcast(2)).unwrap_err().retry_at.is_some());
    // To look at one tells that there is something to hear, and is no call.
    let books = rooms[401].stats().room;
    assert_eq!(books.admission.broadcasts_pending, 1);
    assert_eq!((books.admission.ledger.total().dispatched, books.balances()), (0, true));
    // One that is called hears it at once, and once.
    rooms[400].moderation(Actor::Host).unmute_room().unwrap();
    assert_eq!(rooms[400].stats().room.admission.ledger.total().dispatched, 1);
    for (id, task) in waiting.into_iter().enumerate().filter(|(id, _)| *id != 77) {
        assert_eq!(task.await.unwrap(), (Kind::Notice, "to all".to_owned(), 1), "room {id}");
    }
    // One that is no longer the hub's is called by nobody.
    for (id, room) in rooms.iter().enumerate() {
        let books = room.stats().room;
        let (sent, pending) =
            (books.admission.ledger.total().dispatched, books.admission.broadcasts_pending);
        assert_eq!((sent, pending), if id == 77 { (0, 1) } else { (1, 0) }, "room {id}");
        assert!(books.balances());
    }
    let later = hub.create_room(RoomId(1_000), &config).unwrap();
    assert_eq!(later.stats().room.admission.ledger.total().dispatched, 0);
}

fn reviewed_room(hub: &Hub<String>, on_timeout: ReviewTimeout) -> Room<String> {
    let mut review = ReviewConfig::HIGH_AND_NORMAL;
    review.on_timeout = on_timeout;
    let config = RoomConfig::builder(OWNER).review(review).build().unwrap();
    hub.create_room(RoomId(u64::from(on_timeout == ReviewTimeout::Closed)), &config).unwrap()
}

/// The reviewer decides all the same.
#[tokio::test(start_paused = true)]
async fn a19_a_slow_reviewer_slows_nobody_else() {
    let hub: Hub<String> = Hub::<String>::builder().spawn();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    assert!(hub.review_with(move |reviewed| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            let text = reviewed.payload;
            assert!(!text.starts_with("panic"), "as wanted");
            if text.starts_with("slow") {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            match text.as_str() {
                "bad" => ReviewDecision::Deny { code: 7 },
                "ugly" => ReviewDecision::Rewrite("pretty".to_owned()),
                _ => ReviewDecision::Allow,
            }
        }
    }));
    assert!(!hub.review_with(|_| async { ReviewDecision::Allow }), "the first one stays");
    for on_timeout in [ReviewTimeout::Open, ReviewTimeout::Closed] {
        let room = reviewed_room(&hub, on_timeout);
        let (ann, mut bob) =
            (room.join(Join::user(UserId(7))).unwrap(), room.join(Join::user(UserId(8))).unwrap());
        let say = |text: &str| {
            let (room, publish) =
                (room.clone(), Publish::new(Source::Session(ann.session()), text.to_owned()));
            tokio::spawn(async move { room.publish(publish).await.expect("let in") })
        };
        let start = tokio::time::Instant::now();
        let (slow, panics, bad, ugly, fine) =
            (say("slow"), say("panic"), say("bad"), say("ugly"), say("fine"));
        let denied = bad.await.unwrap();
        assert!(matches!(
            denied,
            Outcome::Dropped {
                reason: DropReason::Denied,
                limit: Some(Limit::ReviewDecision { code: 7 }),
                ..
            }
        ));
        assert!(matches!(ugly.await.unwrap(), Outcome::Dispatched { .. }));
        assert!(matches!(fine.await.unwrap(), Outcome::Dispatched { .. }));
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        let mut seen = texts(&mut bob).await;
        if seen.len() < 2 {
            seen.extend(texts(&mut bob).await);
        }
        assert_eq!(seen, ["pretty", "fine"]);
        for outcome in [slow.await.unwrap(), panics.await.unwrap()] {
            match on_timeout {
                ReviewTimeout::Open => assert!(matches!(outcome, Outcome::Dispatched { .. })),
                _ => assert!(matches!(
                    outcome,
                    Outcome::Dropped { reason: DropReason::ReviewTimeout, .. }
                )),
            }
        }
        assert!((2_000..2_010).contains(&start.elapsed().as_millis()));
        assert!(room.stats().room.balances());
    }
    assert_eq!(calls.load(Ordering::Relaxed), 10);
}

/// The ticket is in the receipt.
#[tokio::test(start_paused = true)]
async fn a19_without_a_hook_the_host_rules_by_ticket() {
    let hub: Hub<String> = Hub::<String>::builder().spawn();
    let room = reviewed_room(&hub, ReviewTimeout::Open);
    let (ann, mut bob) =
        (room.join(Join::user(UserId(7))).unwrap(), room.join(Join::user(UserId(8))).unwrap());
    let publish = |text: &str| {
        Publish::new(Source::Session(ann.session()), text.to_owned())
            .outcome_sink(OutcomeSink::Event(CorrelationId(1)))
    };
    let answers = room.try_publish_many(vec![publish("one"), publish("two")]);
    let tickets: Vec<_> =
        answers.into_iter().map(|answer| answer.unwrap().review.expect("a ticket")).collect();
    assert_eq!(room.pending_review(tickets[1]).unwrap().payload, "two");
    room.review(tickets[1], ReviewDecision::Allow).unwrap();
    assert_eq!(texts(&mut bob).await, ["two"]);
    assert!(room.pending_review(tickets[1]).is_none());
    assert!(
        room.review(tickets[1], ReviewDecision::Allow).unwrap_err().to_string().contains("lapsed")
    );
}

#[tokio::test(start_paused = true)]
async fn b19_the_reviewer_gets_every_message_of_a_burst() {
    let hub: Hub<String> = Hub::<String>::builder().spawn();
    assert!(hub.review_with(|_| async { ReviewDecision::Deny { code: 7 } }));
    let room = reviewed_room(&hub, ReviewTimeout::Open);
    let ann = room.join(Join::user(UserId(7))).unwrap();
    let publish = |n: u64| Publish::new(Source::Session(ann.session()), n.to_string());
    let answers = room.try_publish_many((0..200).map(publish).collect());
    assert_eq!(answers.iter().flatten().filter(|receipt| receipt.review.is_some()).count(), 200);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let ledger = room.stats().room.admission.ledger.total();
    assert_eq!((ledger.dropped.count(DropReason::Denied), ledger.under_review), (200, 0));
}
