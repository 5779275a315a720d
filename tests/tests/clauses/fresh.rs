//! B21 and B22: what cannot go out while it is fresh is refused at once, and shares hold in a queue
//! that is short.

use super::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::Priority::{High, Low, Normal};
use roomcast_core::config::{
    EvictionPolicy, Exempt, LevelQuotas, QueueDiscipline, RateAlgorithm, RoomConfigBuilder,
    WhenLate,
};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::Limit;
use roomcast_core::quota::{Quota, Rate, RateLimit};
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Instant, Outcome, PerLevel, Publish, Source, UserId};
use std::num::NonZeroU32;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A token each 100 ms, of which the first comes in 100 ms; texts and likes within 350 ms, gifts
/// within 2 s.
fn looking_ahead(change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder) -> Scene {
    let bounds = PerLevel([2_000, 350, 350, 350].map(|bound| Some(millis(bound))));
    let mut scene = Scene::with(|builder| {
        let builder = builder.rate(10).burst(1).fresh_within(bounds);
        change(builder.when_late(WhenLate::RefuseAtOnce))
    });
    assert!(scene.host(High, "the one of this moment").unwrap().outcome.is_some());
    scene
}

/// How many texts of as many users are let in before the first is refused; and when to try again.
fn texts(scene: &mut Scene) -> (u64, Option<Instant>) {
    for let_in in 0.. {
        let session = scene.user(UserId(100 + let_in));
        if let Err(refused) = scene.say(session, "text") {
            assert_eq!(refused.reason, RefusalReason::Congested);
            return (let_in, refused.retry_at);
        }
    }
    unreachable!("a room that lets in everything")
}

#[test]
fn b21_what_cannot_go_in_time_is_refused_at_once() {
    let mut scene = looking_ahead(|builder| builder);
    // They go after 100, 200 and 300 ms; the next one after 400.
    let next = scene.now + millis(50) + Duration::from_nanos(1);
    assert_eq!(texts(&mut scene), (3, Some(next)));
    let ann = scene.user(ANN);
    let refused = scene.say(ann, "text").unwrap_err();
    assert_eq!(refused.limit, Some(Limit::FreshWithin { max: millis(350) }));
    assert_eq!(
        refused.to_string(),
        "refused: the room is congested: not dispatched within 350ms; retry at 100.050000001s"
    );
    // Then it is let in, a nanosecond before it would not be; and whoever was let in goes.
    scene.now = scene.now + millis(50);
    assert_eq!(scene.say(ann, "text").unwrap_err().retry_at, Some(next));
    scene.now = next;
    assert_eq!(scene.say(ann, "text").unwrap().outcome, None);
    let guest = scene.guest();
    for _ in 0..4 {
        scene.now = scene.room.poll_timeout().unwrap();
        scene.room.handle_timeout(scene.now);
        assert_eq!(scene.read(guest), ["text"]);
    }
    let ledger = scene.room.snapshot(scene.now).admission.ledger;
    assert!(ledger.balances());
    assert_eq!(ledger.levels[Normal].dropped.total(), 0);
}

/// As old as its bound is too old.
#[test]
fn b21_the_bound_itself_is_too_late() {
    let within = |bound: Duration| {
        let bounds = PerLevel([Some(bound); 4]);
        texts(&mut looking_ahead(|builder| builder.fresh_within(bounds))).0
    };
    assert_eq!(within(millis(300)), 2);
    assert_eq!(within(millis(300) + Duration::from_nanos(1)), 3);
    assert_eq!(within(Duration::ZERO), 0);
}

#[test]
fn b21_all_that_waits_above_stands_ahead() {
    let mut scene = looking_ahead(|builder| builder);
    let _ = scene.host(High, "gift").unwrap();
    let _ = scene.host(Low, "like").unwrap();
    assert_eq!(texts(&mut scene).0, 2);
    for _ in 0..6 {
        let _ = scene.host(High, "gift").unwrap();
    }
    // Seven of those and two texts stand ahead of it, so it would go after a second.
    let ann = scene.user(ANN);
    let refused = scene.say(ann, "text").unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Congested);
    assert_eq!(refused.retry_at, Some(scene.now + millis(650) + Duration::from_nanos(1)));
    // What was overtaken expires.
    scene.wait_millis(350);
    let dropped = scene.room.snapshot(scene.now).admission.ledger.levels[Normal].dropped;
    assert_eq!(dropped.count(DropReason::Expired), 2);
}

/// It is told at once, by the limit that it was.
#[test]
fn b21_a_flooder_gives_way_to_others() {
    let mut scene = looking_ahead(|builder| builder);
    let (flooder, bob) = (scene.user(ANN), scene.user(BOB));
    for tag in 0..3 {
        assert_eq!(scene.send(flooder, Normal, "flood", tag), None);
    }
    assert_eq!(scene.say(flooder, "more").unwrap_err().reason, RefusalReason::Congested);
    assert_eq!(scene.send(bob, Normal, "text", 10), None);
    let [(2, Outcome::Dropped { reason, limit, retry_at })] = scene.outcomes()[..] else {
        panic!("not his newest")
    };
    assert_eq!(
        (reason, limit),
        (DropReason::Congested, Some(Limit::FreshWithin { max: millis(350) }))
    );
    assert_eq!(retry_at, Some(scene.now + millis(100)));
    // Of two who hold as much, the newcomer is refused.
    let carl = scene.user(UserId(9));
    assert_eq!(scene.send(carl, Normal, "text", 11), None);
    assert_eq!(scene.say(bob, "more").unwrap_err().reason, RefusalReason::Congested);
    let outcomes: Vec<u64> = scene.outcomes().into_iter().map(|(tag, _)| tag).collect();
    assert_eq!(outcomes, [1]);
}

#[test]
fn b21_who_gives_way_is_the_policys_choice() {
    let victims = |policy| {
        let mut scene = looking_ahead(|builder| builder.eviction(policy).seed(1));
        for tag in 0..6 {
            let session = scene.user(UserId(100 + tag));
            let publish = Publish::new(Source::Session(session), "text".into());
            let _ = scene.publish(publish);
        }
        let row = scene.room.snapshot(scene.now).admission.ledger.levels[Normal];
        (row.refused.count(RefusalReason::Congested), row.dropped.count(DropReason::Congested))
    };
    assert_eq!(victims(EvictionPolicy::BiggestSender), (3, 0));
    assert_eq!(victims(EvictionPolicy::Newest), (3, 0));
    assert_eq!(victims(EvictionPolicy::Oldest), (0, 3));
    let (refused, dropped) = victims(EvictionPolicy::Random);
    assert_eq!(refused + dropped, 3);
}

#[test]
fn b21_tokens_that_are_kept_are_not_reckoned_with() {
    let mut scene = looking_ahead(|builder| builder.burst(4).reserve(PerLevel([2, 0, 0, 0])));
    for _ in 0..3 {
        assert!(scene.host(High, "gift").unwrap().outcome.is_some());
    }
    // After 200 ms there is what is kept; a text goes after 300 and after 400.
    let next = scene.now + millis(50) + Duration::from_nanos(1);
    assert_eq!(texts(&mut scene), (1, Some(next)));
}

#[test]
fn b21_a_level_s_own_quota_is_reckoned_with() {
    let two = Rate::new(NonZeroU32::new(2).unwrap(), Duration::from_secs(1)).unwrap();
    let quota = Quota { rate: two, burst: NonZeroU32::MIN };
    let levels = PerLevel([None, Some(RateLimit::Bucket(quota)), None, None]);
    let mut scene =
        looking_ahead(|builder| builder.level_quotas(LevelQuotas { levels, ..LevelQuotas::NONE }));
    // One goes after 100 ms; the level's next comes 500 ms after that.
    let (let_in, retry_at) = texts(&mut scene);
    assert_eq!(let_in, 1);
    let ann = scene.user(ANN);
    let retry_at = retry_at.unwrap();
    while let Some(due) = scene.room.poll_timeout().filter(|&due| due < retry_at) {
        scene.now = due;
        scene.room.handle_timeout(due);
    }
    scene.now = Instant::from_nanos(retry_at.as_nanos() - 1);
    assert_eq!(scene.say(ann, "text").unwrap_err().retry_at, Some(retry_at));
    scene.now = retry_at;
    assert_eq!(scene.say(ann, "text").unwrap().outcome, None);
}

#[test]
fn b21_the_exempt_take_none_of_their_level_s_quota() {
    let one = Rate::new(NonZeroU32::MIN, Duration::from_secs(1)).unwrap();
    let quota = Quota { rate: one, burst: NonZeroU32::MIN };
    let levels = PerLevel([None, Some(RateLimit::Bucket(quota)), None, None]);
    let quotas = LevelQuotas { levels, exempt: Exempt::OwnerAndAdmins };
    let mut scene =
        looking_ahead(|builder| builder.level_quotas(quotas).eviction(EvictionPolicy::Newest));
    // They go after 100 and 200 ms, and a text after 300.
    for _ in 0..2 {
        let _ = scene.host(Normal, "news").unwrap();
    }
    assert_eq!(texts(&mut scene).0, 1);
    for _ in 0..34 {
        scene.wait_millis(10);
    }
    let row = scene.room.snapshot(scene.now).admission.ledger.levels[Normal];
    assert_eq!((row.dispatched, row.dropped.total()), (3, 0));
}

#[test]
fn b21_windows_are_reckoned_with_as_they_open() {
    let mut scene = looking_ahead(|builder| {
        builder.rate(2).rate_period(millis(200)).rate_algorithm(RateAlgorithm::FixedWindow)
    });
    // One more in this window, two from 200 ms on; the next opens too late, at 400 ms.
    let next = scene.now + millis(50) + Duration::from_nanos(1);
    assert_eq!(texts(&mut scene), (3, Some(next)));
}

/// Gifts that their own quota holds back leave their turns to texts, though it had more for them
/// before there was a turn.
#[test]
fn b21_what_a_higher_level_s_quota_leaves_is_reckoned_with() {
    let two = Rate::new(NonZeroU32::new(2).unwrap(), millis(300)).unwrap();
    let levels = PerLevel([Some(RateLimit::Window(two)), None, None, None]);
    let mut scene = looking_ahead(|builder| {
        let builder = builder.rate(4).rate_period(millis(200));
        builder
            .rate_algorithm(RateAlgorithm::FixedWindow)
            .level_quotas(LevelQuotas { levels, ..LevelQuotas::NONE })
    });
    for _ in 0..3 {
        assert!(scene.host(Normal, "news").unwrap().outcome.is_some());
    }
    for _ in 0..3 {
        assert_eq!(scene.host(High, "gift").unwrap().outcome, None);
    }
    // Of the four of the next window two are theirs.
    assert_eq!(texts(&mut scene).0, 2);
    scene.wait_millis(200);
    let ledger = scene.room.snapshot(scene.now).admission.ledger;
    assert_eq!((ledger.levels[High].queued, ledger.levels[Normal].queued), (1, 0));
}

/// In a window the higher levels have what is kept back for them, and take less of the rest.
#[test]
fn b21_what_a_window_keeps_is_reckoned_with_for_whom_it_is_kept() {
    let bounds = PerLevel([2_000, 450, 450, 450].map(|bound| Some(millis(bound))));
    let mut scene = looking_ahead(|builder| {
        let builder = builder.rate(3).rate_period(millis(200)).reserve(PerLevel([1, 0, 0, 0]));
        builder.rate_algorithm(RateAlgorithm::FixedWindow).fresh_within(bounds)
    });
    for _ in 0..2 {
        assert!(scene.host(High, "gift").unwrap().outcome.is_some());
    }
    for _ in 0..4 {
        assert_eq!(scene.host(High, "gift").unwrap().outcome, None);
    }
    // Three gifts in the next window; in the one after it a gift, a text, and what is kept.
    assert_eq!(texts(&mut scene).0, 1);
    scene.wait_millis(200);
    scene.wait_millis(200);
    let ledger = scene.room.snapshot(scene.now).admission.ledger;
    assert_eq!((ledger.levels[High].queued, ledger.levels[Normal].queued), (0, 0));
    assert_eq!(ledger.levels[Normal].dispatched, 1);
}

#[test]
fn b21_the_turns_of_a_floor_are_reckoned_with() {
    let mut scene = looking_ahead(|builder| builder.min_share(Some(2)));
    for _ in 0..8 {
        let _ = scene.host(High, "gift").unwrap();
    }
    // Of the tokens after 100, 200 and 300 ms the floor's are the second or the first and third.
    let (let_in, _) = texts(&mut scene);
    assert!((1..=2).contains(&let_in), "{let_in}");
    for _ in 0..34 {
        scene.wait_millis(10);
    }
    let row = scene.room.snapshot(scene.now).admission.ledger.levels[Normal];
    assert_eq!((row.dispatched, row.dropped.total()), (let_in, 0));
}

/// Nobody is asked to send it again.
#[test]
fn b21_what_is_counted_and_cannot_go_is_dropped_at_once() {
    let mut scene = looking_ahead(|builder| builder);
    assert_eq!(texts(&mut scene).0, 3);
    let ann = scene.user(ANN);
    let counted = Publish::new(Source::Session(ann), "vote".into()).counted("votes");
    let Some(Outcome::Dropped { reason, limit, retry_at: None }) =
        scene.publish(counted).unwrap().outcome
    else {
        panic!("not dropped")
    };
    assert_eq!(
        (reason, limit),
        (DropReason::Congested, Some(Limit::FreshWithin { max: millis(350) }))
    );
}

/// He has a place as soon as one is free, and still gets no more turns than anybody else.
#[test]
fn b22_turns_are_remembered_in_a_short_queue() {
    let share = |memory| {
        let mut scene = looking_ahead(|builder| {
            builder.discipline(QueueDiscipline::RoundRobin).turn_memory(memory)
        });
        let sessions: Vec<_> = (0..6).map(|user| scene.user(UserId(100 + user))).collect();
        let guest = scene.guest();
        let mut heard = Vec::new();
        for round in 0..600 {
            let _ = scene.say(sessions[0], "flood");
            if round % 10 == 9 {
                for session in &sessions[1..] {
                    let _ = scene.say(*session, "text");
                }
            }
            scene.wait_millis(10);
            heard.extend(scene.read(guest));
        }
        heard.iter().filter(|text| *text == "flood").count() * 100 / heard.len()
    };
    // A sixth is his share.
    let (without, with) = (share(Duration::ZERO), share(Duration::from_secs(5)));
    assert!(without > 22 && with < 18, "{without} %, {with} %");
}

#[test]
fn b22_a_turn_is_forgotten_to_the_nanosecond() {
    let first = |wait: Duration| {
        let mut scene = looking_ahead(|builder| {
            builder.discipline(QueueDiscipline::RoundRobin).turn_memory(Duration::from_secs(1))
        });
        let (ann, bob, guest) = (scene.user(ANN), scene.user(BOB), scene.guest());
        let _ = scene.say(ann, "ann's first").unwrap();
        scene.wait_millis(100);
        assert_eq!(scene.read(guest), ["ann's first"]);
        // Somebody takes the token of that moment, so that both wait.
        scene.now = scene.now + wait;
        let _ = scene.host(High, "gift").unwrap();
        let (_, _) = (scene.say(ann, "ann").unwrap(), scene.say(bob, "bob").unwrap());
        scene.wait_millis(100);
        scene.read(guest).pop().unwrap()
    };
    assert_eq!(first(Duration::from_nanos(999_999_999 - 100_000_000)), "bob");
    assert_eq!(first(Duration::from_secs(1)), "ann");
}

/// A storm of gifts, and a full queue of them: what moderates goes next, and stays.
#[test]
fn b22_what_moderates_goes_next_in_a_storm_of_gifts() {
    let mut scene = Scene::with(|builder| builder.burst(1).queue_messages(100));
    let (owner, ann, guest) = (scene.user(OWNER), scene.user(ANN), scene.guest());
    for gift in 0..150 {
        let _ = scene.host(High, &format!("gift {gift}"));
    }
    let from_owner = Publish::gift(Source::Session(owner), "from the owner".into());
    assert_eq!(scene.publish(from_owner).unwrap().outcome, None);
    let notice = Publish::gift(Source::Host, "kicked".into()).urgent();
    assert_eq!(scene.publish(notice).unwrap().outcome, None);
    // Neither a gift takes their places, nor does another member's message.
    for gift in 0..150 {
        let _ = scene.host(High, &format!("late gift {gift}"));
    }
    let _ = scene.publish(Publish::gift(Source::Session(ann), "from ann".into()));
    assert_eq!(scene.read(guest), ["gift 0"]);
    // One token each.
    scene.wait_millis(25);
    scene.wait_millis(25);
    assert_eq!(scene.read(guest), ["from the owner", "kicked"]);
}

/// Whoever becomes an admin overtakes nothing of his own, and whoever is none any more neither.
#[test]
fn b22_nobody_overtakes_himself() {
    let mut scene = Scene::busy(|builder| builder.fresh_within(PerLevel([None; 4])));
    let (ann, bob, guest) = (scene.user(ANN), scene.user(BOB), scene.guest());
    assert_eq!(scene.read(guest), [""; 0]);
    let admin = |scene: &mut Scene, is_admin| {
        let actor = Actor::User(OWNER);
        let now = scene.now;
        let changed = if is_admin {
            scene.room.add_admin(now, actor, ANN)
        } else {
            scene.room.remove_admin(now, actor, ANN)
        };
        assert_eq!(changed, Ok(true));
    };
    let _ = (scene.say(bob, "bob 1").unwrap(), scene.say(ann, "ann 1").unwrap());
    admin(&mut scene, true);
    let _ = (scene.say(ann, "ann 2").unwrap(), scene.say(bob, "bob 2").unwrap());
    let mut heard = Vec::new();
    let mut hear = |scene: &mut Scene, count| {
        for _ in 0..count {
            scene.wait_millis(1_000);
            heard.extend(scene.read(guest));
        }
    };
    hear(&mut scene, 3);
    // Nothing of hers waits any more.
    let _ = scene.say(ann, "ann 3").unwrap();
    admin(&mut scene, false);
    let _ = scene.say(ann, "ann 4").unwrap();
    hear(&mut scene, 3);
    assert_eq!(heard, ["bob 1", "ann 1", "ann 2", "ann 3", "ann 4", "bob 2"]);
}

/// What waited as it came decides, though that has gone by the end of the call.
#[test]
fn b22_how_a_message_stands_is_decided_as_it_comes() {
    let mut scene = Scene::busy(|builder| {
        let builder = builder.fresh_within(PerLevel([None; 4]));
        builder.discipline(QueueDiscipline::RoundRobin).turn_memory(Duration::from_secs(60))
    });
    let (ann, bob, guest) = (scene.user(ANN), scene.user(BOB), scene.guest());
    let _ = scene.say(ann, "ann 1").unwrap();
    assert_eq!(scene.room.add_admin(scene.now, Actor::User(OWNER), ANN), Ok(true));
    // The token is there that takes her first.
    scene.now = scene.now + Duration::from_secs(1);
    let _ = (scene.say(ann, "ann 2").unwrap(), scene.say(bob, "bob").unwrap());
    assert_eq!(scene.read(guest), ["ann 1"]);
    let mut heard = Vec::new();
    for _ in 0..2 {
        scene.wait_millis(1_000);
        heard.extend(scene.read(guest));
    }
    assert_eq!(heard, ["bob", "ann 2"]);
}

/// What is urgent and is turned away has taken nobody's turn, though its level's quota binds it and
/// not who waits there.
#[test]
fn b22_an_urgent_one_that_is_refused_stands_in_nobody_s_way() {
    let one = Rate::new(NonZeroU32::MIN, Duration::from_secs(10)).unwrap();
    let quota = Quota { rate: one, burst: NonZeroU32::MIN };
    let levels = PerLevel([Some(RateLimit::Bucket(quota)), None, None, None]);
    let quotas = LevelQuotas { levels, exempt: Exempt::OwnerAndAdmins };
    let mut scene = looking_ahead(|builder| builder.level_quotas(quotas));
    let (ann, bob, guest) = (scene.user(ANN), scene.user(BOB), scene.guest());
    scene.wait_millis(100);
    let gift = |session, text: &str| Publish::gift(Source::Session(session), text.to_owned());
    assert!(scene.publish(gift(ann, "the level's only one")).unwrap().outcome.is_some());
    let _ = (scene.host(High, "from the host").unwrap(), scene.say(bob, "text").unwrap());
    // The token is there as the urgent one comes, and is refused.
    scene.now = scene.now + millis(100);
    let refused = scene.publish(gift(ann, "late").urgent()).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Congested);
    assert_eq!(scene.read(guest), ["the level's only one", "from the host"]);
}

/// Each level below High keeps a third of what the floor gives it of the turns.
#[test]
fn b22_the_floor_keeps_places_in_a_queue_full_of_gifts() {
    let mut scene = Scene::with(|builder| {
        builder.burst(1).queue_messages(120).min_share(Some(4)).fresh_within(PerLevel([None; 4]))
    });
    let guest = scene.guest();
    for _ in 0..200 {
        let _ = scene.host(High, "gift");
    }
    // A tenth of 120 places for each of the three levels.
    let queued = |scene: &Scene| scene.room.snapshot(scene.now).admission.queued;
    assert_eq!(queued(&scene)[High], 90);
    let refused = scene.host(High, "one more").unwrap_err();
    assert_eq!(refused.limit, Some(Limit::QueueMessages { max: 120 }));
    for text in 0..12 {
        let session = scene.user(UserId(100 + text % 10));
        let answer = scene.say(session, "text");
        assert_eq!(answer.is_ok(), text < 10, "{text}");
    }
    assert_eq!(queued(&scene).0, [90, 10, 0, 0]);
    // And its quarter of the turns.
    let mut heard = Vec::new();
    for _ in 0..41 {
        heard.extend(scene.read(guest));
        scene.wait_millis(25);
    }
    assert_eq!(heard.iter().filter(|text| *text == "text").count(), 10, "{heard:?}");
}
