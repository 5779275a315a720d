//! Merging (B9), duplicates, and what is counted while it is folded (A29, A30).

use crate::scene::{ANN, BOB, Scene};
use Priority::{High, Low, Normal};
use roomcast_core::dedup::DedupWindow;
use roomcast_core::ids::CorrelationId;
use roomcast_core::ledger::{DropReason, RefusalReason, Units};
use roomcast_core::message::{DedupKey, Limit, MergeKey, OutcomeSink};
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Event, Kind, Outcome, PerLevel, Priority, Publish, Source};

const FOR_EVER: PerLevel<Option<Duration>> = PerLevel([None; 4]);

fn units(scene: &Scene, level: Priority) -> Units {
    scene.room.snapshot(scene.now).admission.ledger.levels[level].units
}

/// Its sum is exact.
#[test]
fn b9_waiting_messages_of_one_key_become_one() {
    let mut scene = Scene::busy(|builder| builder.fresh_within(FOR_EVER));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let like = |session, units| {
        let publish =
            Publish::new(Source::Session(session), "like".to_owned()).priority(Low).units(units);
        publish
            .merge_key(MergeKey::Number(4))
            .outcome_sink(OutcomeSink::Event(CorrelationId(units)))
    };
    let carrier = scene.publish(like(ann, 3)).unwrap();
    assert_eq!(carrier.outcome, None);
    for units in [10, 0, 2] {
        let merged = scene.publish(like(bob, units)).unwrap();
        assert_eq!(merged.outcome, Some(Outcome::Merged { carrier: carrier.id }));
    }
    // Another key, and another level, stay for themselves.
    assert_eq!(scene.publish(like(bob, 1).merge_key(MergeKey::Number(5))).unwrap().outcome, None);
    assert_eq!(scene.publish(like(bob, 1).priority(Normal)).unwrap().outcome, None);
    scene.wait_millis(1_000);
    scene.wait_millis(1_000);
    // The carrier has the first place, and its own sender gets it as well.
    let batch = scene.next(ann).unwrap().unwrap();
    let like = batch.messages().iter().find(|message| message.priority == Low).unwrap();
    assert_eq!((like.units, like.messages, like.session), (15, 4, None));
    let told = scene.events().into_iter().find_map(|event| match event {
        Event::Outcome { id, messages, units, .. } if id == carrier.id => Some((messages, units)),
        _ => None,
    });
    assert_eq!(told, Some((4, 15)));
    let books = units(&scene, Low);
    assert_eq!((books.submitted, books.dispatched, books.queued), (16, 15, 1));
    assert_eq!(scene.room.snapshot(scene.now).admission.ledger.levels[Low].merged, 3);
}

/// By gift and by user: nobody else's, and no other.
#[test]
fn b9_a_combo_of_gifts_goes_as_one() {
    let mut scene = Scene::busy(|builder| builder.fresh_within(FOR_EVER));
    let guest = scene.guest();
    // The server that takes the money speaks for both.
    let gift =
        |user, gift, units| Publish::gift_combo(Source::Host, user, gift, units, "gift".to_owned());
    for units in 1..=9 {
        let _ = scene.publish(gift(ANN, 7, units)).unwrap();
    }
    let _ = scene.publish(gift(BOB, 7, 100)).unwrap();
    let _ = scene.publish(gift(ANN, 8, 1_000)).unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        scene.wait_millis(1_000);
        let batch = scene.next(guest).unwrap().unwrap();
        heard.extend(batch.messages().iter().map(|message| (message.messages, message.units)));
    }
    assert_eq!(heard, [(9, 45), (1, 100), (1, 1_000)]);
}

#[test]
fn b9_what_is_merged_shares_the_fate_of_its_carrier() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(1).fresh_within(FOR_EVER));
    let ann = scene.user(ANN);
    let like = || Publish::like(Source::Session(ann), "like".to_owned());
    let _ = scene.publish(like()).unwrap();
    for _ in 0..9 {
        let _ = scene.publish(like()).unwrap();
    }
    let _ = scene.host(High, "gift").unwrap();
    let ledger = scene.room.snapshot(scene.now).admission.ledger.levels[Low];
    assert_eq!(
        (ledger.dropped.count(DropReason::Evicted), ledger.merged, ledger.units.dropped),
        (1, 9, 10)
    );
    // A new carrier begins anew.
    scene.wait_millis(1_000);
    assert_eq!(scene.publish(like()).unwrap().outcome, None);
}

/// Gifts, red packets and kicks are high, text normal, likes and follows low.
#[test]
fn a30_kinds_have_the_priorities_of_the_rulebook() {
    let host = Source::Host;
    let high = [Publish::gift(host, "g"), Publish::gift(host, "r"), Publish::gift(host, "k")];
    assert!(
        high.iter().all(|publish| (publish.priority, publish.kind, publish.merge_key)
            == (High, Kind::Custom, None))
    );
    assert_eq!(
        (Publish::new(host, "t").priority, Publish::new(host, "t").kind),
        (Normal, Kind::Text)
    );
    let folded = [(Publish::like(host, "l"), "likes"), (Publish::follow(host, "f"), "follows")];
    assert!(
        folded
            .iter()
            .all(|(publish, name)| (publish.priority, publish.counter) == (Low, Some(*name)))
    );
    assert_ne!(folded[0].0.merge_key, folded[1].0.merge_key);
}

/// Whatever becomes of the messages that carry them.
#[test]
fn a29_likes_count_exactly_whatever_is_dropped() {
    let mut scene = Scene::with(|builder| {
        builder.queue_messages(4).fresh_within(PerLevel([None, None, Some(Duration::ZERO), None]))
    });
    let ann = scene.user(ANN);
    for level in 0..4 {
        // Nothing of a like's finds room in between.
        for _ in 0..44 {
            drop(scene.host(if level % 2 == 0 { High } else { Normal }, "text"));
        }
        for units in 1..=100 {
            drop(scene.publish(Publish::like(Source::Session(ann), "like".into()).units(units)));
        }
        scene.wait_millis(700);
    }
    assert_eq!(scene.room.counters().collect::<Vec<_>>(), [("likes", 4 * 5_050)]);
    // Who may not speak does not count.
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    let refused = scene.publish(Publish::like(Source::Session(ann), "like".into())).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Muted);
    assert_eq!(scene.room.counters().next(), Some(("likes", 20_200)));
    // Nor does a notice that is one too many.
    let notice =
        || Publish::new(Source::Host, "news".to_owned()).kind(Kind::Notice).counted("notices");
    let sent = (0..300).filter(|_| scene.publish(notice()).is_ok()).count();
    assert_eq!(scene.room.counters().find(|(key, _)| *key == "notices"), Some(("notices", 200)));
    assert_eq!(sent, 200);
}

#[test]
fn a28_a_counter_that_cannot_take_a_like_refuses_it() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    scene.room.set_counter("likes", i64::MAX).unwrap();
    let refused = scene.publish(Publish::like(Source::Session(ann), "like".into())).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Counter);
    assert_eq!(
        refused.to_string(),
        "refused: counter not updated: adding 1 to 9223372036854775807 would overflow"
    );
}

#[test]
fn b11_the_same_message_is_refused_within_its_window() {
    let window = DedupWindow { window: Duration::from_secs(10), keys: 3 };
    let mut scene = Scene::with(|builder| builder.dedup_window(window));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let said = |session, key| {
        Publish::new(Source::Session(session), "hello".to_owned()).dedup_key(DedupKey(key))
    };
    let _ = scene.publish(said(ann, 1)).unwrap();
    let refused = scene.publish(said(ann, 1)).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Duplicate);
    assert_eq!(refused.limit, Some(Limit::Duplicates { window: Duration::from_secs(10) }));
    assert_eq!(refused.retry_at, Some(scene.now + Duration::from_secs(10)));
    // Another sender's numbers are another sender's.
    assert!(scene.publish(said(bob, 1)).is_ok());
    scene.wait_millis(9_999);
    assert!(scene.publish(said(ann, 1)).is_err());
    scene.wait_millis(1);
    assert!(scene.publish(said(ann, 1)).is_ok());
    // Three are remembered: the fourth makes the room forget the first.
    assert!((2..=4).all(|key| scene.publish(said(bob, key)).is_ok()));
    assert!(scene.publish(said(ann, 1)).is_ok());
    assert_eq!(scene.room.snapshot(scene.now).admission.duplicate_keys, (3, 2));
}

/// A dropped message may be said again.
#[test]
fn b11_a_refusal_uses_nothing_up() {
    let mut scene = Scene::busy(|builder| {
        builder.queue_messages(1).fresh_within(PerLevel([
            None,
            Some(Duration::from_secs(2)),
            None,
            None,
        ]))
    });
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.host(High, "fills the queue").unwrap();
    let said =
        |session| Publish::new(Source::Session(session), "hello".to_owned()).dedup_key(DedupKey(1));
    assert_eq!(scene.publish(said(ann)).unwrap_err().reason, RefusalReason::QueueFull);
    assert_eq!(
        scene.publish(said(ann)).unwrap_err().reason,
        RefusalReason::QueueFull,
        "not a duplicate"
    );
    scene.wait_millis(1_000);
    assert!(scene.publish(said(bob)).unwrap().outcome.is_none());
    let _ = scene.host(High, "evicts it").unwrap();
    assert_eq!(
        scene.publish(said(bob)).unwrap_err().reason,
        RefusalReason::QueueFull,
        "its key is free again"
    );
}
