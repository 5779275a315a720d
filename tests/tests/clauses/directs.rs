//! What is sent to one session or one user: decisions D21, D26 and D37, and what clause A9 needs of
//! them; how a session is ended in words (A6).

use crate::scene::{ANN, BOB, Scene};
use Priority::{High, Low, Lowest, Normal};
use roomcast_core::direct::{DirectReason, DirectReceipt, DirectRefused};
use roomcast_core::error::SessionEnd;
use roomcast_core::event::EndReason;
use roomcast_core::level_set::LevelSet;
use roomcast_core::message::{Limit, Sender};
use roomcast_core::{
    Actor, Batch, Budget, Direct, Item, Kind, PerLevel, Priority, Recipient, SessionId,
};

type Answer = Result<DirectReceipt, DirectRefused<String>>;

fn send(scene: &mut Scene, to: Recipient, level: Priority, text: &str) -> Answer {
    scene.room.send_direct(scene.now, to, Direct::new(text.to_owned()).priority(level))
}

fn to_session(scene: &mut Scene, session: SessionId, level: Priority, text: &str) {
    let receipt = send(scene, Recipient::Session(session), level, text);
    assert_eq!(receipt, Ok(DirectReceipt { sessions: 1, refused: 0 }));
}

fn told(batch: &Batch<String>) -> Vec<String> {
    let item = |item: Item<'_, String>| match item {
        Item::Gap { priority, count, .. } => format!("missed {count} {priority}"),
        Item::Message(message) => message.payload.clone(),
        Item::Direct(direct) => format!("to you: {}", direct.payload),
    };
    batch.items().map(item).collect()
}

fn read(scene: &mut Scene, session: SessionId) -> Vec<String> {
    scene.next(session).unwrap().as_ref().map_or_else(Vec::new, told)
}

/// It comes between what was dispatched before and after it.
#[test]
fn d37_a_direct_message_keeps_its_place_at_its_level() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.host(Normal, "before").unwrap();
    to_session(&mut scene, ann, Normal, "one");
    to_session(&mut scene, ann, Low, "low");
    to_session(&mut scene, ann, Normal, "two");
    let _ = scene.say(ann, "her own").unwrap();
    let _ = scene.host(Normal, "after").unwrap();
    to_session(&mut scene, ann, High, "high");
    let expected = ["to you: high", "before", "to you: one", "to you: two", "after", "to you: low"];
    assert_eq!(read(&mut scene, ann), expected);
    assert_eq!(read(&mut scene, bob), ["before", "her own", "after"]);
    assert!(read(&mut scene, ann).is_empty());
    assert!(scene.room.snapshot(scene.now).balances());
}

/// A user gets it on all devices.
#[test]
fn d21_a_user_gets_it_everywhere_a_guest_by_session() {
    let mut scene = Scene::new();
    let (phone, laptop, guest) = (scene.user(ANN), scene.user(ANN), scene.guest());
    let direct = Direct::new("you won".to_owned()).kind(Kind::Custom).sender(Sender::User(BOB));
    let receipt = scene.room.send_direct(scene.now, Recipient::User(ANN), direct);
    assert_eq!(receipt, Ok(DirectReceipt { sessions: 2, refused: 0 }));
    to_session(&mut scene, guest, Normal, "hello, guest");
    let batches = [phone, laptop].map(|device| scene.next(device).unwrap().unwrap());
    for batch in &batches {
        let direct = batch.directs().next().unwrap();
        assert_eq!(
            (direct.sender, direct.kind, direct.payload.as_str()),
            (Sender::User(BOB), Kind::Custom, "you won")
        );
        assert!(batch.messages().is_empty() && !batch.more());
    }
    let [one, other] = batches.each_ref().map(|batch| batch.directs().next().unwrap());
    assert!(std::sync::Arc::ptr_eq(one, other), "stored once");
    assert_eq!(scene.room.snapshot(scene.now).audience.cold_sessions, 1);
    assert_eq!(read(&mut scene, guest), ["to you: hello, guest"]);
    // Whoever has read all that was sent to it alone costs no more than anybody else.
    assert_eq!(scene.room.snapshot(scene.now).audience.cold_sessions, 0);
    // The messages' own books know nothing of them.
    let audience = scene.room.snapshot(scene.now).audience;
    assert_eq!(audience.deliveries, PerLevel::default());
    assert_eq!((audience.directs[Normal].sent, audience.directs[Normal].delivered), (3, 3));
}

/// The payload comes back.
#[test]
fn d21_each_refusal_says_why_and_hands_it_back() {
    let mut scene =
        Scene::with(|builder| builder.direct_messages(2).direct_bytes(10).payload_bytes(20));
    let (phone, guest) = (scene.user(ANN), scene.guest());
    let refused = |answer: Answer, text: &str, reason, says: &str| {
        let refused = answer.unwrap_err();
        assert_eq!((refused.payload.as_str(), refused.reason), (text, reason));
        assert_eq!(refused.to_string(), says);
    };
    let to = Recipient::User(BOB);
    refused(
        send(&mut scene, to, Normal, "hi"),
        "hi",
        DirectReason::NoRecipient { to },
        "not sent: user 8 is not in the room",
    );
    let to = Recipient::User(ANN);
    let says = "not sent: payload too large: 11 bytes (limit 10)";
    refused(
        send(&mut scene, to, Normal, "eleven long"),
        "eleven long",
        DirectReason::TooLarge { size: 11, max: 10 },
        says,
    );
    to_session(&mut scene, phone, Normal, "eight by");
    let limit = Limit::DirectBytes { max: 10 };
    let says = "not sent: direct message queue full (limit 10 bytes)";
    refused(send(&mut scene, to, High, "abc"), "abc", DirectReason::QueueFull { limit }, says);
    to_session(&mut scene, phone, Low, "ab");
    let limit = Limit::DirectMessages { max: 2 };
    let says = "not sent: direct message queue full (limit 2 messages)";
    refused(send(&mut scene, to, High, ""), "", DirectReason::QueueFull { limit }, says);
    // Another device has room.
    let laptop = scene.user(ANN);
    assert_eq!(send(&mut scene, to, High, "abc"), Ok(DirectReceipt { sessions: 1, refused: 1 }));
    assert_eq!(read(&mut scene, laptop), ["to you: abc"]);
    assert!(scene.room.close_session(scene.now, phone));
    let directs = scene.room.snapshot(scene.now).audience.directs;
    let row = directs[High];
    assert_eq!((row.sent, row.refused, row.delivered, row.pending, row.abandoned), (4, 3, 1, 0, 0));
    assert_eq!((directs[Normal].abandoned, directs[Low].abandoned), (1, 1));
    scene.room.close(scene.now, Actor::Host).unwrap();
    let to = Recipient::Session(guest);
    refused(
        send(&mut scene, to, High, "hi"),
        "hi",
        DirectReason::RoomClosed,
        "not sent: the room is closed",
    );
    assert!(scene.room.snapshot(scene.now).balances());
}

/// They come behind a gap.
#[test]
fn d21_direct_messages_share_a_batchs_budget() {
    let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([1; 4])));
    let guest = scene.guest();
    let _ = scene.host(Normal, "lost").unwrap();
    to_session(&mut scene, guest, Normal, "one");
    let _ = scene.host(Normal, "lost too").unwrap();
    let _ = scene.host(Normal, "kept").unwrap();
    to_session(&mut scene, guest, Low, "a long one");
    let mut take = |messages, bytes| {
        let batch =
            scene.room.next_batch(scene.now, guest, Budget { messages, bytes }).unwrap().unwrap();
        (told(&batch), batch.more())
    };
    assert_eq!(take(1, 100), (vec!["missed 2 normal".into(), "to you: one".into()], true));
    assert_eq!(take(9, 5), (vec!["kept".into()], true));
    assert_eq!(take(9, 5), (vec!["to you: a long one".into()], false));
    assert!(scene.room.next_batch(scene.now, guest, Budget::default()).unwrap().is_none());
}

#[test]
fn d21_a_mask_does_not_touch_what_is_sent_directly() {
    let mut scene = Scene::new();
    let guest = scene.guest();
    assert!(scene.room.set_masked_levels(scene.now, guest, LevelSet::EMPTY.with(Normal)));
    let _ = scene.host(Normal, "text").unwrap();
    to_session(&mut scene, guest, Normal, "one");
    let _ = scene.host(Normal, "text").unwrap();
    to_session(&mut scene, guest, Normal, "two");
    assert_eq!(read(&mut scene, guest), ["to you: one", "to you: two"]);
    to_session(&mut scene, guest, Normal, "three");
    assert!(scene.room.set_masked_levels(scene.now, guest, LevelSet::EMPTY));
    let _ = scene.host(Normal, "four").unwrap();
    assert_eq!(read(&mut scene, guest), ["to you: three", "four"]);
}

/// This holds in the hottest flood, and the farewell wakes at once.
#[test]
fn a9_a_farewell_is_read_before_the_reason() {
    let minute = roomcast_core::time::Duration::from_secs(60);
    let mut scene = Scene::with(|builder| {
        builder.coalesce(PerLevel([roomcast_core::time::Duration::ZERO, minute, minute, minute]))
    });
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    for n in 0..1_000 {
        drop(scene.host(Low, &format!("like {n}")));
    }
    assert!(!scene.room.wake(scene.now));
    let receipt = send(&mut scene, Recipient::User(ANN), High, "that was enough").unwrap();
    assert_eq!(receipt.sessions, 1);
    assert!(scene.room.wake(scene.now));
    scene.room.kick(scene.now, Actor::Host, &[ANN]).unwrap();
    let to = Recipient::User(ANN);
    assert_eq!(
        send(&mut scene, to, High, "too late").unwrap_err().reason,
        DirectReason::NoRecipient { to }
    );
    let to = Recipient::Session(ann);
    assert_eq!(
        send(&mut scene, to, High, "too late").unwrap_err().reason,
        DirectReason::NoRecipient { to }
    );
    let first =
        scene.room.next_batch(scene.now, ann, Budget { messages: 1, bytes: 100 }).unwrap().unwrap();
    assert_eq!(told(&first), ["to you: that was enough"]);
    while scene.next(ann).is_ok_and(|batch| batch.is_some()) {}
    assert_eq!(scene.next(ann).unwrap_err(), SessionEnd::NoSession(ann));
    assert!(!read(&mut scene, bob).contains(&"to you: that was enough".to_owned()));
    // Whoever does not come for it: it is abandoned with the grace.
    assert_eq!(send(&mut scene, Recipient::User(BOB), High, "and you").unwrap().sessions, 1);
    scene.room.kick(scene.now, Actor::Host, &[BOB]).unwrap();
    scene.wait_millis(10_000);
    let row = scene.room.snapshot(scene.now).audience.directs[High];
    assert_eq!((row.sent, row.delivered, row.abandoned), (2, 1, 1));
}

fn farewell(text: &str) -> Direct<String> {
    Direct::new(text.to_owned()).priority(High)
}

/// Whatever their priority; only this session ends.
#[test]
fn a6_last_words_come_behind_all_that_is_due() {
    let mut scene = Scene::new();
    let (ann, phone) = (scene.user(ANN), scene.user(ANN));
    for (level, text) in [(Lowest, "seen"), (Normal, "text"), (High, "gift")] {
        let _ = scene.host(level, text).unwrap();
    }
    to_session(&mut scene, ann, Lowest, "a hint");
    scene.room.end_session(scene.now, ann, Some(farewell("goodbye"))).unwrap();
    let _ = scene.host(High, "too late").unwrap();
    assert_eq!(scene.room.sessions_of(ANN)[..], [phone]);
    assert!(scene.room.is_online(ANN));
    let due = ["gift", "text", "seen", "to you: a hint", "to you: goodbye"];
    let two = Budget { messages: 2, ..Budget::default() };
    let mut read = Vec::new();
    let end = loop {
        match scene.room.next_batch(scene.now, ann, two) {
            Ok(batch) => read.extend(batch.as_ref().map_or_else(Vec::new, told)),
            Err(end) => break end,
        }
    };
    assert_eq!((read, end), (due.map(String::from).into(), SessionEnd::Closed(EndReason::Ended)));
    assert_eq!(told(&scene.next(phone).unwrap().unwrap()), ["gift", "too late", "text", "seen"]);
    assert!(scene.room.snapshot(scene.now).balances());
}

/// A queue that is full keeps nobody from being shown out in words; one that ends already is ended
/// by nobody, and the words come back.
#[test]
fn a6_last_words_have_a_place_of_their_own() {
    let mut scene = Scene::with(|builder| builder.direct_messages(1).direct_bytes(10));
    let guest = scene.guest();
    to_session(&mut scene, guest, Normal, "0123456789");
    let refused =
        scene.room.end_session(scene.now, guest, Some(farewell("12 letters.."))).unwrap_err();
    assert_eq!(refused.reason, DirectReason::TooLarge { size: 12, max: 10 });
    assert_eq!(refused.payload.as_deref(), Some("12 letters.."));
    assert!(scene.room.touch(scene.now, guest), "nothing has ended");

    scene.room.end_session(scene.now, guest, Some(farewell("goodbye"))).unwrap();
    let again = scene.room.end_session(scene.now, guest, Some(farewell("goodbye"))).unwrap_err();
    assert_eq!(again.reason, DirectReason::NoRecipient { to: Recipient::Session(guest) });
    let silent = scene.guest();
    scene.room.end_session(scene.now, silent, None).unwrap();
    assert_eq!(scene.next(silent).unwrap_err(), SessionEnd::Closed(EndReason::Ended));
    assert_eq!(read(&mut scene, guest), ["to you: 0123456789", "to you: goodbye"]);
    assert_eq!(scene.next(guest).unwrap_err(), SessionEnd::Closed(EndReason::Ended));
    assert!(scene.room.snapshot(scene.now).balances());
}

/// As a host hands one over to a session that has just come and not read yet.
#[test]
fn d21_a_history_of_200_is_not_cut() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    for number in 0..200 {
        to_session(&mut scene, ann, Normal, &format!("{number}: {}", "x".repeat(1_000)));
    }
    let mut read_in_all = 0;
    while let Some(batch) = scene.next(ann).unwrap() {
        read_in_all += batch.directs().len();
    }
    assert_eq!(read_in_all, 200);
}
