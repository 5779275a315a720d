//! What a refusal costs and says (B1, B11), what is counted once (A28, A29), keys (B11).

use crate::scene::{ANN, BOB, Scene};
use Priority::{High, Low, Normal};
use roomcast_core::admission::ReviewDecision;
use roomcast_core::config::{ReviewConfig, RoomConfigBuilder};
use roomcast_core::dedup::DedupWindow;
use roomcast_core::ids::CorrelationId;
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::{DedupKey, Limit, MergeKey, OutcomeSink};
use roomcast_core::quota::{Quota, Rate};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Admission, Edge, Instant, Kind, Outcome, PerLevel, Priority, Publish, RoomConfig,
    SessionId, Source, UserId,
};
use std::num::NonZeroU32;

const FOR_EVER: PerLevel<Option<Duration>> = PerLevel([None; 4]);
const CAT: UserId = UserId(9);

fn every(secs: u64) -> Quota {
    let rate = Rate::new(NonZeroU32::MIN, Duration::from_secs(secs)).unwrap();
    Quota { rate, burst: NonZeroU32::MIN }
}

/// One text in so many seconds for each sender.
fn slow_mode(builder: RoomConfigBuilder, secs: u64) -> RoomConfigBuilder {
    builder.sender_quota(PerLevel([None, Some(every(secs)), None, None]))
}

fn said(session: SessionId, key: u64) -> Publish<String> {
    Publish::new(Source::Session(session), "said".to_owned()).dedup_key(DedupKey(key))
}

fn like(session: SessionId) -> Publish<String> {
    Publish::like(Source::Session(session), "like".to_owned())
}

fn counter(scene: &Scene) -> i64 {
    scene.room.counters().find(|(key, _)| *key == "likes").map_or(0, |(_, count)| count)
}

/// Whichever of them decided; and at that instant the message is let in.
#[test]
fn b1_a_retry_is_when_every_limit_agrees() {
    let seconds = Duration::from_secs;
    let window = DedupWindow { window: seconds(60), keys: 100 };
    for (mute, slow, expected) in
        [(Some(10), 30, 60), (Some(90), 30, 90), (Some(10), 100, 100), (None, 30, 60)]
    {
        let mut scene = Scene::with(|builder| slow_mode(builder.dedup_window(window), slow));
        let ann = scene.user(ANN);
        let _ = scene.publish(said(ann, 1)).unwrap();
        if let Some(mute) = mute {
            scene.room.mute(scene.now, Actor::Host, &[ANN], Some(seconds(mute))).unwrap();
        }
        let refused = scene.publish(said(ann, 1)).unwrap_err();
        let retry_at = refused.retry_at.unwrap();
        assert_eq!(retry_at, scene.now + seconds(expected), "{refused}");
        scene.now = Instant::from_nanos(retry_at.as_nanos() - 1);
        assert_eq!(scene.publish(said(ann, 1)).unwrap_err().retry_at, Some(retry_at));
        scene.now = retry_at;
        assert!(scene.publish(said(ann, 1)).is_ok());
    }
}

/// If one of the limits never does, or time has no say.
#[test]
fn b1_no_retry_is_named_that_would_fail() {
    let mut scene = Scene::with(|builder| slow_mode(builder, 30).payload_bytes(8));
    let ann = scene.user(ANN);
    let _ = scene.say(ann, "once").unwrap();
    scene.room.mute(scene.now, Actor::Host, &[ANN], Some(Duration::from_secs(5))).unwrap();
    assert!(scene.say(ann, "twice").unwrap_err().retry_at.is_some());
    assert_eq!(scene.say(ann, "far too long").unwrap_err().retry_at, None);
    scene.room.mute_room(scene.now, Actor::Host).unwrap();
    let refused = scene.say(ann, "twice").unwrap_err();
    assert_eq!((refused.reason, refused.retry_at), (RefusalReason::Muted, None));
    scene.room.unmute_room(scene.now, Actor::Host).unwrap();
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    assert_eq!(scene.say(ann, "twice").unwrap_err().retry_at, None);
}

/// The room may have a token earlier.
#[test]
fn b1_a_dropped_message_waits_for_slow_mode_too() {
    let mut scene =
        Scene::busy(|builder| slow_mode(builder.queue_messages(1).fresh_within(FOR_EVER), 30));
    let ann = scene.user(ANN);
    assert_eq!(scene.send(ann, Normal, "evicted", 7), None);
    let _ = scene.host(High, "gift").unwrap();
    let outcomes = scene.outcomes();
    let [(7, Outcome::Dropped { reason: DropReason::Evicted, retry_at, .. })] = outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(retry_at, Some(scene.now + Duration::from_secs(30)));
}

/// And a place is free then.
#[test]
fn b1_a_full_queue_names_when_the_next_one_leaves() {
    let fresh_within = PerLevel([Some(Duration::from_millis(300)); 4]);
    for (fresh_within, expected) in [(fresh_within, 300), (FOR_EVER, 1_000)] {
        let mut scene = Scene::busy(|builder| builder.queue_messages(1).fresh_within(fresh_within));
        let _ = scene.host(High, "waits").unwrap();
        let refused = scene.host(Normal, "text").unwrap_err();
        assert_eq!(refused.reason, RefusalReason::QueueFull);
        assert_eq!(refused.retry_at, Some(scene.now + Duration::from_millis(expected)));
        scene.now = Instant::from_nanos(refused.retry_at.unwrap().as_nanos() - 1);
        assert!(scene.host(Normal, "text").is_err());
        scene.now = refused.retry_at.unwrap();
        assert!(scene.host(Normal, "text").is_ok());
    }
}

/// Whoever knocks before each gift gives way no later for it.
#[test]
fn b11_who_knocks_in_vain_gains_nothing() {
    let victims = |knocks: usize| {
        let mut scene = Scene::busy(|builder| builder.queue_messages(8).fresh_within(FOR_EVER));
        let (ann, bob) = (scene.user(ANN), scene.user(BOB));
        for _ in 0..4 {
            assert_eq!(scene.send(ann, Normal, "Ann's", 7), None);
            assert_eq!(scene.send(bob, Normal, "Bob's", 8), None);
        }
        let mut victims = Vec::new();
        for round in 0..5 {
            // She holds as many as Bob does, and has held them for longer: it is her turn to give
            // way.
            for _ in 0..if round % 2 == 0 { knocks } else { 0 } {
                let refused = scene.say(ann, "knock").unwrap_err();
                assert_eq!(refused.reason, RefusalReason::QueueFull);
            }
            let _ = scene.host(High, "gift").unwrap();
            victims.extend(scene.outcomes().into_iter().map(|(tag, _)| tag));
        }
        victims
    };
    assert_eq!(victims(0), [7, 8, 7, 8, 7]);
    assert_eq!((victims(1), victims(3)), (victims(0), victims(0)));
}

/// A text that has expired is no repetition of itself, whether or not anybody has polled.
#[test]
fn b11_what_is_due_falls_due_before_the_checks() {
    let mut scene = Scene::busy(|builder| builder.rate_period(Duration::from_secs(100)));
    let ann = scene.user(ANN);
    let _ = scene.publish(said(ann, 1)).unwrap();
    scene.now = Instant::from_nanos(scene.now.as_nanos() + 4_999_999_999);
    assert_eq!(scene.publish(said(ann, 1)).unwrap_err().reason, RefusalReason::Duplicate);
    scene.now = Instant::from_nanos(scene.now.as_nanos() + 1);
    assert!(scene.publish(said(ann, 1)).is_ok());
    let ledger = scene.room.snapshot(scene.now).admission.ledger.levels[Normal];
    assert_eq!((ledger.dropped.count(DropReason::Expired), ledger.queued), (1, 1));
}

/// Refused ten times and sent again: that were ten.
#[test]
fn a29_a_like_that_finds_no_room_counts_once() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(2).fresh_within(FOR_EVER));
    let ann = scene.user(ANN);
    for _ in 0..2 {
        let _ = scene.host(High, "gift").unwrap();
    }
    let receipt = scene.publish(like(ann).units(5)).expect("it is let in and counted");
    let limit = Some(Limit::QueueMessages { max: 2 });
    let dropped = Outcome::Dropped { reason: DropReason::Evicted, limit, retry_at: None };
    assert_eq!(receipt.outcome, Some(dropped), "nobody is to send it again");
    assert_eq!(counter(&scene), 5);
    let snapshot = scene.room.snapshot(scene.now);
    let row = snapshot.admission.ledger.levels[Low];
    assert!(snapshot.balances());
    assert_eq!((row.dropped.total(), row.refused.total(), row.units.dropped), (1, 0, 5));
    // One that is not counted is refused, and may try again.
    let plain = Publish::new(Source::Session(ann), "plain".to_owned()).priority(Low);
    assert_eq!(scene.publish(plain).unwrap_err().reason, RefusalReason::QueueFull);
    // What is refused at the gate has not been counted.
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    assert!((0..10).all(|_| scene.publish(like(ann)).is_err()));
    assert_eq!(counter(&scene), 5);
}

/// When the host lets it go on, or its time is over.
#[test]
fn a29_what_is_reviewed_counts_once_it_goes_on() {
    let mut scene = Scene::with(|builder| {
        let mut review = ReviewConfig::HIGH_AND_NORMAL;
        review.levels = PerLevel([true; 4]);
        builder.review(review)
    });
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let submit = |scene: &mut Scene, session| {
        let receipt = scene.publish(like(session)).unwrap();
        receipt.review.unwrap()
    };
    let [denied, allowed, _timed_out] = [0; 3].map(|_| submit(&mut scene, ann));
    let _kicked = submit(&mut scene, bob);
    assert_eq!(counter(&scene), 0);
    scene.room.review(scene.now, denied, ReviewDecision::Deny { code: 1 }).unwrap();
    assert_eq!(counter(&scene), 0, "it was denied");
    scene.room.review(scene.now, allowed, ReviewDecision::Allow).unwrap();
    assert_eq!(counter(&scene), 1);
    scene.room.kick(scene.now, Actor::Host, &[BOB]).unwrap();
    scene.wait_millis(2_000);
    assert_eq!(counter(&scene), 2);
    // By then it may not fit any more.
    let late = submit(&mut scene, ann);
    scene.room.set_counter("likes", i64::MAX).unwrap();
    scene.room.review(scene.now, late, ReviewDecision::Allow).unwrap();
    let row = scene.room.snapshot(scene.now).admission.ledger.levels[Low];
    assert_eq!((row.dropped.count(DropReason::Counter), row.under_review), (1, 0));
    assert_eq!(counter(&scene), i64::MAX);
}

/// It is everybody's; but one that carries its sender's alone goes with the sender.
#[test]
fn b9_a_kick_spares_a_carrier_of_others() {
    for ban in [false, true] {
        let mut scene = Scene::busy(|builder| builder.fresh_within(FOR_EVER));
        let (ann, bob) = (scene.user(ANN), scene.user(BOB));
        for session in [ann, bob, bob] {
            let _ = scene.publish(like(session)).unwrap();
        }
        for _ in 0..2 {
            let _ = scene.publish(like(ann).merge_key(MergeKey::Number(1))).unwrap();
        }
        if ban {
            scene.room.ban(scene.now, Actor::Host, &[ANN], None).unwrap();
        } else {
            scene.room.kick(scene.now, Actor::Host, &[ANN]).unwrap();
        }
        let row = scene.room.snapshot(scene.now).admission.ledger.levels[Low];
        assert_eq!((row.queued, row.dropped.count(DropReason::SenderOut)), (1, 1));
        assert_eq!(row.units.queued, 3);
        scene.wait_millis(1_000);
        let batch = scene.next(bob).unwrap().unwrap();
        assert!(batch.messages().iter().any(|message| (message.messages, message.units) == (3, 3)));
    }
}

#[test]
fn b11_merged_keys_go_with_their_carrier() {
    let keyed = |session, key| {
        Publish::new(Source::Session(session), "folded".to_owned())
            .priority(Low)
            .merge_key(MergeKey::Number(4))
            .dedup_key(DedupKey(key))
    };
    // One that was dropped may be said again, and so may all that it carried.
    let mut scene = Scene::busy(|builder| builder.queue_messages(1).fresh_within(FOR_EVER));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let all = [(ann, 1), (bob, 1), (ann, 2)];
    assert!(all.iter().all(|&(session, key)| scene.publish(keyed(session, key)).is_ok()));
    for (session, key) in all {
        let refused = scene.publish(keyed(session, key)).unwrap_err();
        assert_eq!(refused.reason, RefusalReason::Duplicate);
    }
    let _ = scene.host(High, "evicts it").unwrap();
    assert_eq!(scene.room.snapshot(scene.now).admission.duplicate_keys, (0, 0));
    for (session, key) in all {
        let refused = scene.publish(keyed(session, key)).unwrap_err();
        assert_eq!(refused.reason, RefusalReason::QueueFull);
    }
    // One that went out may not.
    let mut scene = Scene::busy(|builder| builder.fresh_within(FOR_EVER));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    assert!([ann, bob].iter().all(|&session| scene.publish(keyed(session, 1)).is_ok()));
    scene.wait_millis(1_000);
    assert!([ann, bob].iter().all(|&session| scene.publish(keyed(session, 1)).is_err()));
}

/// However many keyed likes somebody sends.
#[test]
fn b11_a_flood_of_likes_forgets_no_gift() {
    let mut scene = Scene::with(|builder| builder.rate(100_000).burst(100_000));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let gift = || Publish::gift(Source::Session(bob), "rocket".to_owned()).dedup_key(DedupKey(7));
    let _ = scene.publish(gift()).unwrap();
    for key in 0..10_000 {
        let _ = scene.publish(like(ann).dedup_key(DedupKey(key))).unwrap();
    }
    assert_eq!(scene.publish(gift()).unwrap_err().reason, RefusalReason::Duplicate);
    assert_eq!(scene.room.snapshot(scene.now).admission.duplicate_keys.0, 4_096);
}

/// Keys of what was dropped take no place.
#[test]
fn b11_the_window_holds_in_a_hot_room() {
    for each_second in [240, 400] {
        let mut scene = Scene::new();
        let ann = scene.user(ANN);
        let names: Vec<_> = (100..160).map(|id| scene.user(UserId(id))).collect();
        let start = scene.now;
        let first = scene.publish(said(ann, u64::MAX)).unwrap();
        assert!(first.outcome.is_some(), "it has gone out");
        for n in 0..each_second * 60 {
            scene.now = start + Duration::from_nanos(n * 1_000_000_000 / each_second);
            let name = names[usize::try_from(n).unwrap() % names.len()];
            drop(scene.publish(said(name, n)));
            if n % 97 == 0 {
                let refused = scene.publish(said(ann, u64::MAX)).unwrap_err();
                assert_eq!(refused.reason, RefusalReason::Duplicate, "after {n} texts");
            }
        }
        scene.now = start + Duration::from_secs(60);
        // Were there room in the queue, it would be let in.
        let reason = scene.publish(said(ann, u64::MAX)).map_err(|refused| refused.reason);
        assert_ne!(reason.err(), Some(RefusalReason::Duplicate));
        assert_eq!(scene.room.snapshot(scene.now).admission.duplicate_keys.1, 0);
    }
}

/// It has been said nowhere.
#[test]
fn b17_a_key_is_free_when_the_room_refuses() {
    let config = RoomConfig::builder(UserId(1)).build().unwrap();
    let (mut edge, mut room) = (Edge::new(&config), Admission::new(&config));
    let now = Instant::from_secs(1);
    room.mute_room(now, Actor::Host).unwrap();
    let keyed = |user: UserId, key| {
        Publish::new(Source::Edge { user, session: None }, "folded".to_owned())
            .merge_key(MergeKey::Number(1))
            .dedup_key(DedupKey(key))
    };
    // The token of this second is gone, so that what follows is merged.
    for _ in 0..40 {
        let _ = edge.publish(now, Publish::new(Source::Host, "text".to_owned())).unwrap();
    }
    let all = [(ANN, 1), (BOB, 1), (CAT, 2)];
    assert!(all.iter().all(|&(user, key)| edge.publish(now, keyed(user, key)).is_ok()));
    let now = Instant::from_secs(2);
    edge.handle_timeout(now);
    let mut refused = 0;
    while let Some(message) = edge.poll_message() {
        let forwarded = message.forwarded();
        if room.publish(now, message.into_publish()).is_err() {
            let reason = edge.publish(now, keyed(ANN, 1)).unwrap_err().reason;
            assert_eq!(reason, RefusalReason::Duplicate);
            edge.not_dispatched(&forwarded);
            edge.not_dispatched(&forwarded);
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    assert!(all.iter().all(|&(user, key)| edge.publish(now, keyed(user, key)).is_ok()));
}

/// And when they may: a place may be free before what they share.
#[test]
fn b16_more_senders_than_are_told_apart_learn_it() {
    let mut scene = Scene::with(|builder| {
        slow_mode(builder, 10).rate(100_000).burst(100_000).sender_table_size(10_000)
    });
    let names: Vec<_> = (100..50_100).map(|id| scene.user(UserId(id))).collect();
    let mut refused = 0;
    for (n, &name) in names.iter().enumerate() {
        match scene.say(name, "first") {
            Ok(_) => assert!(n <= 10_000),
            Err(error) => {
                refused += 1;
                assert_eq!(error.reason, RefusalReason::SendersFull);
                assert_eq!(error.limit, Some(Limit::Senders { max: 10_000, quota: every(10) }));
                assert_eq!(error.retry_at, Some(scene.now + Duration::from_secs(10)));
            }
        }
    }
    assert_eq!(refused, 39_999);
    let again = scene.say(names[0], "again").unwrap_err();
    assert_eq!(again.reason, RefusalReason::SenderQuota, "who is told apart has its own");
    assert_eq!(
        scene.say(names[49_999], "again").unwrap_err().to_string(),
        "refused: more senders than are told apart (limit 10000), who share one quota (limit 1 per \
         10s, burst 1); retry at 110.000000000s"
    );
    scene.wait_millis(10_000);
    let let_in = names[40_000..].iter().filter(|&&name| scene.say(name, "next").is_ok()).count();
    assert_eq!(let_in, 10_000);
}

/// A notice that an edge has no room for is counted, and not to be sent again.
#[test]
fn a29_a_counted_notice_at_an_edge_counts_once() {
    let config = RoomConfig::builder(UserId(1)).notices(NonZeroU32::MAX).build().unwrap();
    let mut edge = Edge::new(&config);
    let now = Instant::from_secs(1);
    let notice = || {
        Publish::new(Source::Host, "notice".to_owned())
            .kind(Kind::Notice)
            .outcome_sink(OutcomeSink::Event(CorrelationId(1)))
    };
    assert!((0..1_024).all(|_| edge.publish(now, notice()).is_ok()));
    assert_eq!(edge.publish(now, notice()).unwrap_err().reason, RefusalReason::QueueFull);
    let receipt = edge.publish(now, notice().counted("notices")).unwrap();
    assert!(matches!(receipt.outcome, Some(Outcome::Dropped { retry_at: None, .. })));
    assert_eq!(edge.counter("notices"), Some(1));
    assert!(edge.snapshot(now).ledger.balances());
}

/// A refusal changes nothing: what is compared for that has in it all that decides.
#[test]
fn b11_what_is_compared_has_all_that_decides() {
    let mut scene = Scene::busy(|builder| slow_mode(builder, 5));
    let ann = scene.user(ANN);
    let keyed = Publish::new(Source::Session(ann), "text".into()).dedup_key(DedupKey(5));
    assert!(scene.publish(keyed).is_ok());
    let digest = scene.room.digest(scene.now);
    for part in ["said ", "DedupKey(5)", "quotas [(", "turns [", "tokens (0", "notices ("] {
        assert!(digest.contains(part), "no {part:?} in {digest}");
    }
}
