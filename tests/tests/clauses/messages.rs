//! What is said: A13, A14, A16, A17, A18, A20 to A23, A25.

use crate::scene::{ANN, BOB, OWNER, Scene, texts};
use Priority::{High, Low, Lowest, Normal};
use roomcast_core::broadcasts::{Broadcast, BroadcastLimits, Broadcasts};
use roomcast_core::config::{Echo, QueueDiscipline};
use roomcast_core::ids::{CorrelationId, Seq};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit, OutcomeSink};
use roomcast_core::time::Duration;
use roomcast_core::{
    Budget, Engine, Instant, Join, Kind, Outcome, PerLevel, Priority, Publish, RoomConfig, RoomId,
    RoomState, Source,
};

#[test]
fn a13_there_are_four_priorities_normal_by_default() {
    assert_eq!(Priority::ALL, [High, Normal, Low, Lowest]);
    let mut scene = Scene::new();
    let (ann, guest) = (scene.user(ANN), scene.guest());
    let _ = scene.say(ann, "hello").unwrap();
    let batch = scene.next(guest).unwrap().unwrap();
    assert_eq!(batch.messages()[0].priority, Normal);
}

/// The bucket refills one each 25 ms.
#[test]
fn a14_forty_pass_in_a_second() {
    let mut scene = Scene::new();
    let sent = |scene: &Scene| scene.room.snapshot(scene.now).admission.ledger.total().dispatched;
    for n in 0..100 {
        let source = scene.user(roomcast_core::UserId(100 + n));
        let _ = scene.say(source, "hello").unwrap();
    }
    assert_eq!(sent(&scene), 40);
    scene.wait_millis(24);
    assert_eq!(sent(&scene), 40);
    scene.wait_millis(1);
    assert_eq!(sent(&scene), 41);
    scene.wait_millis(1_000);
    assert_eq!(sent(&scene), 80 + 1);
    assert_eq!(RoomConfig::av_chat_room(OWNER).rate().unwrap().to_string(), "40 per second");
}

/// Inside one priority the first come goes first.
#[test]
fn a14_above_the_rate_the_higher_goes_first() {
    let mut scene = Scene::busy(|builder| builder.rate(40).fresh_within(PerLevel::default()));
    let guest = scene.guest();
    for (level, text) in
        [(Low, "like"), (Normal, "first"), (Lowest, "ping"), (Normal, "second"), (High, "gift")]
    {
        assert!(scene.host(level, text).unwrap().outcome.is_none());
    }
    let mut order = Vec::new();
    for _ in 0..5 {
        scene.wait_millis(25);
        order.extend(scene.read(guest));
    }
    assert_eq!(order, ["gift", "first", "second", "like", "ping"]);
}

/// Those are of one priority; the seed gives the same again.
#[test]
fn a14_equals_go_at_random_where_configured() {
    let order = |seed| {
        let mut scene = Scene::busy(|builder| {
            builder.discipline(QueueDiscipline::Random).seed(seed).fresh_within(PerLevel::default())
        });
        let guest = scene.guest();
        for user in 0..12 {
            let session = scene.user(roomcast_core::UserId(100 + user));
            let _ = scene.say(session, &format!("{user}")).unwrap();
        }
        (0..12)
            .flat_map(|_| {
                scene.wait_millis(1_000);
                scene.read(guest)
            })
            .collect::<Vec<_>>()
    };
    let come: Vec<String> = (0..12).map(|user| format!("{user}")).collect();
    assert_ne!(order(1), come);
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn a14_what_cannot_go_out_in_time_is_dropped() {
    let mut scene = Scene::busy(|builder| builder.rate_period(Duration::from_secs(60)));
    let _ = scene.host(Low, "stale").unwrap();
    scene.wait_millis(2_000);
    assert_eq!(
        scene.room.snapshot(scene.now).admission.ledger.levels[Low]
            .dropped
            .count(DropReason::Expired),
        1
    );
}

#[test]
fn a17_a_message_has_a_kind_and_an_opaque_payload() {
    let mut scene = Scene::new();
    let guest = scene.guest();
    let kinds = [Kind::Text, Kind::Custom, Kind::System, Kind::Notice];
    for kind in kinds {
        let _ = scene
            .publish(Publish::new(Source::Host, "\0{\"any\": thing".into()).kind(kind))
            .unwrap();
    }
    let batch = scene.next(guest).unwrap().unwrap();
    assert_eq!(batch.messages().iter().map(|message| message.kind).collect::<Vec<_>>(), kinds);
    assert!(batch.messages().iter().all(|message| message.payload == "\0{\"any\": thing"));
}

/// It travels from the next message on.
#[test]
fn a18_a_profile_travels_and_goes_with_its_user() {
    let mut scene = Scene::busy(|builder| builder.rate(40));
    let (ann, guest) = (scene.user(ANN), scene.guest());
    let nick = |scene: &mut Scene, text: &str| {
        let _ = scene.say(ann, text).unwrap();
    };
    nick(&mut scene, "before");
    // It waits already, so it keeps what it had.
    scene.room.set_profile(ANN, Some("Ann".into())).unwrap();
    nick(&mut scene, "after");
    scene.room.set_profile(ANN, None).unwrap();
    nick(&mut scene, "none");
    let mut seen = Vec::new();
    for _ in 0..3 {
        scene.wait_millis(25);
        let batch = scene.next(guest).unwrap().unwrap();
        seen.push(batch.messages()[0].profile.as_ref().map(ToString::to_string));
    }
    assert_eq!(seen, [None, Some("Ann".into()), None]);
    scene.room.set_profile(ANN, Some("Ann".into())).unwrap();
    assert!(scene.room.close_session(scene.now, ann));
    assert!(scene.room.set_profile(ANN, Some("Ann".into())).is_err());
}

/// There is one event for each such message, with the reason where it did not go out.
#[test]
fn a20_events_tell_what_went_out_later_and_what_not() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(2));
    let ann = scene.user(ANN);
    for (level, tag) in [(Normal, 1), (Low, 2), (High, 3)] {
        assert_eq!(scene.send(ann, level, "waits", tag), None);
    }
    scene.wait_millis(1_000);
    scene.wait_millis(1_000);
    let outcomes = scene.outcomes();
    let [
        (
            2,
            Outcome::Dropped {
                reason: DropReason::Evicted,
                limit: Some(Limit::QueueMessages { max: 2 }),
                ..
            },
        ),
        high,
        normal,
    ] = outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!(high, (3, Outcome::Dispatched { seq: Seq(2), at: Instant::from_secs(101) }));
    assert_eq!(normal, (1, Outcome::Dispatched { seq: Seq(3), at: Instant::from_secs(102) }));
}

/// By the receipt or by one event, never by both.
#[test]
fn a21_a_sender_is_told_once() {
    let mut scene = Scene::with(|builder| builder.burst(1));
    let ann = scene.user(ANN);
    scene.events();
    let told = scene.send(ann, Normal, "at once", 1);
    assert_eq!(told, Some(Outcome::Dispatched { seq: Seq(1), at: scene.now }));
    assert_eq!(scene.send(ann, Normal, "later", 2), None);
    assert_eq!(scene.events(), []);
    scene.wait_millis(25);
    assert_eq!(scene.outcomes(), [(2, Outcome::Dispatched { seq: Seq(2), at: scene.now })]);
    assert_eq!(scene.events(), []);
}

/// A payload over 12 KiB is refused.
#[test]
fn a22_an_oversized_payload_comes_back() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    assert!(scene.say(ann, &"x".repeat(12 * 1024)).is_ok());
    let refused = scene.say(ann, &"x".repeat(12 * 1024 + 1)).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::TooLarge);
    assert_eq!(refused.limit, Some(Limit::PayloadBytes { size: 12_289, max: 12_288 }));
    assert_eq!(refused.payload.len(), 12_289);
}

/// The sender's other device gets one.
#[test]
fn a23_only_the_senders_session_gets_no_echo() {
    let mut scene = Scene::new();
    let (phone, laptop, bob) = (scene.user(ANN), scene.user(ANN), scene.user(BOB));
    let _ = scene.say(phone, "hello").unwrap();
    assert_eq!(scene.read(phone), [""; 0]);
    assert_eq!((scene.read(laptop), scene.read(bob)), (vec!["hello".into()], vec!["hello".into()]));
    let books = scene.room.deliveries(phone).unwrap()[Normal];
    assert_eq!((books.due, books.excluded, books.delivered, books.skipped), (1, 1, 0, 0));
}

#[test]
fn a23_with_echo_the_senders_session_gets_its_own() {
    let mut scene = Scene::with(|builder| builder.echo(Echo::On));
    let ann = scene.user(ANN);
    let _ = scene.say(ann, "hello").unwrap();
    assert_eq!(scene.read(ann), ["hello"]);
}

#[test]
fn a25_a_batch_has_the_higher_priority_first() {
    let mut scene = Scene::new();
    let guest = scene.guest();
    for (level, text) in [(Lowest, "d"), (Normal, "b1"), (High, "a"), (Low, "c"), (Normal, "b2")] {
        let publish = Publish::new(Source::Host, text.to_string())
            .priority(level)
            .outcome_sink(OutcomeSink::Waiter(CorrelationId(0)));
        let _ = scene.publish(publish).unwrap();
    }
    let batch = scene.next(guest).unwrap().unwrap();
    assert_eq!(texts(&batch), ["a", "b1", "b2", "c", "d"]);
    assert!(!batch.more() && scene.read(guest).is_empty());
}

/// The host's notices have a rate of their own, 200 a second.
#[test]
fn a16_notices_pass_beside_the_rate() {
    let mut scene = Scene::busy(|builder| builder);
    let (ann, guest) = (scene.user(ANN), scene.guest());
    assert!(scene.host(High, "waits").unwrap().outcome.is_none());
    let notice = |text: &str| Publish::new(Source::Host, text.to_owned()).kind(Kind::Notice);
    for n in 0..200 {
        assert!(scene.publish(notice(&n.to_string())).unwrap().outcome.is_some());
    }
    let refused = scene.publish(notice("one too many")).unwrap_err();
    assert_eq!(
        (refused.reason, refused.limit),
        (RefusalReason::NoticeQuota, Some(Limit::Notices { max: 200 }))
    );
    assert_eq!(refused.retry_at, Some(scene.now + Duration::from_millis(5)));
    assert_eq!(
        refused.to_string(),
        "refused: notice quota exceeded (limit 200 per second); retry at 100.005000000s"
    );
    assert_eq!(scene.read(guest).len(), 200);
    scene.wait_millis(5);
    assert!(scene.publish(notice("now")).unwrap().outcome.is_some());
    // What a member calls a notice is a message like any other.
    let of_ann = Publish::new(Source::Session(ann), "hello".to_owned()).kind(Kind::Notice);
    assert!(scene.publish(of_ann).unwrap().outcome.is_none());
    assert!(scene.room.snapshot(scene.now).balances());
}

/// The same key is refused for five minutes.
#[test]
fn a16_a_broadcast_reaches_all_rooms_beside_the_rate() {
    let mut engine: Engine<&str> = Engine::new(100, 0);
    let config = RoomConfig::builder(OWNER).rate(1).burst(1).build().unwrap();
    let now = Instant::from_secs(100);
    let mut guests = Vec::new();
    for id in (0..50).map(RoomId) {
        engine.create_room(id, &config).unwrap();
        let mut room = engine.room_mut(id).unwrap();
        guests.push((id, room.join(now, Join::guest()).unwrap().session));
        // The room has spent its token, and something waits.
        for _ in 0..2 {
            let _ = room.publish(now, Publish::new(Source::Host, "text")).unwrap();
        }
    }
    let broadcast = |key| Broadcast::new(DedupKey(key), "to all").priority(High);
    engine.broadcast(now, broadcast(1)).unwrap();
    let refused = engine.broadcast(now, broadcast(2)).unwrap_err();
    assert_eq!((refused.retry_at, refused.payload), (Some(now + Duration::from_secs(1)), "to all"));
    let refused = engine.broadcast(now + Duration::from_secs(299), broadcast(1)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "refused: duplicate broadcast (window 300s); retry at 400.000000000s"
    );
    engine.handle_timeout(now);
    for (id, guest) in guests {
        let batch = engine
            .room_mut(id)
            .unwrap()
            .next_batch(now, guest, Budget::default())
            .unwrap()
            .unwrap();
        assert_eq!(
            (batch.messages()[0].kind, batch.messages()[0].payload, batch.messages().len()),
            (Kind::Notice, "to all", 2)
        );
        assert!(engine.room(id).unwrap().snapshot(now).balances());
    }
}

#[test]
fn a16_a_room_looked_at_late_counts_what_it_missed() {
    let mut limits = BroadcastLimits::default();
    limits.kept = 2;
    let mut broadcasts = Broadcasts::new(limits, 0);
    let mut room: RoomState<&str> = RoomState::new(&RoomConfig::av_chat_room(OWNER));
    let guest = room.join(Instant::ZERO, Join::guest()).unwrap().session;
    for (second, text) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        broadcasts
            .publish(Instant::from_secs(second), Broadcast::new(DedupKey(second), text))
            .unwrap();
    }
    room.import_broadcasts(Instant::from_secs(4), &broadcasts);
    room.import_broadcasts(Instant::from_secs(5), &broadcasts);
    let batch = room.next_batch(Instant::from_secs(4), guest, Budget::default()).unwrap().unwrap();
    let heard: Vec<_> =
        batch.messages().iter().map(|message| (message.payload, message.dispatched_at)).collect();
    assert_eq!(heard, [("c", Instant::from_secs(4)), ("d", Instant::from_secs(4))]);
    assert_eq!(room.snapshot(Instant::from_secs(4)).admission.broadcasts_missed, 2);
}
