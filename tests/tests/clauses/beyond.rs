//! What no chat service gives: B1 to B8, B10, B13, B16.

use crate::scene::{ANN, BOB, OWNER, Scene, texts};
use Priority::{High, Low, Lowest, Normal};
use roomcast_core::config::{EvictionPolicy, QueueDiscipline, RoomConfigBuilder};
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::message::Limit;
use roomcast_core::quota::{Quota, Rate};
use roomcast_core::time::Duration;
use roomcast_core::{Budget, Instant, Item, Outcome, PerLevel, Priority, RoomConfig, UserId};
use std::num::NonZeroU32;

const FOR_EVER: PerLevel<Option<Duration>> = PerLevel([None; 4]);

/// It tells when to retry.
#[test]
fn b1_a_refusal_says_why_which_limit_and_when() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(1).fresh_within(FOR_EVER));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.say(ann, "waits").unwrap();
    let refused = scene
        .publish(
            roomcast_core::Publish::new(roomcast_core::Source::Session(bob), "no".into())
                .priority(Low),
        )
        .unwrap_err();
    assert_eq!(refused.reason, RefusalReason::QueueFull);
    assert_eq!(refused.limit, Some(Limit::QueueMessages { max: 1 }));
    assert_eq!(refused.retry_at, Some(Instant::from_secs(101)));
}

/// The outcome is final.
#[test]
fn b1_each_message_has_one_outcome_polled_or_not() {
    let mut scene =
        Scene::busy(|builder| builder.outcomes(PerLevel([3; 4])).fresh_within(FOR_EVER));
    let ann = scene.user(ANN);
    for tag in 0..3 {
        assert_eq!(scene.send(ann, Normal, "waits", tag), None);
    }
    let publish =
        roomcast_core::Publish::new(roomcast_core::Source::Session(ann), "one too many".into());
    let refused = scene.publish(publish).unwrap_err();
    assert_eq!(
        (refused.reason, refused.limit),
        (RefusalReason::OutcomesFull, Some(Limit::Outcomes { max: 3 }))
    );
    // Likes cannot take the slots of gifts.
    assert_eq!(scene.send(ann, High, "gift", 9), None);
    for _ in 0..100 {
        scene.wait_millis(1_000);
    }
    let tags: Vec<u64> = scene.outcomes().into_iter().map(|(tag, _)| tag).collect();
    assert_eq!(tags, [9, 0, 1, 2]);
}

#[test]
fn b2_the_books_balance_at_every_instant() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(3).log_messages(PerLevel([1; 4])));
    let (ann, guest) = (scene.user(ANN), scene.guest());
    for round in 0..40_u32 {
        let level = Priority::ALL[round as usize % 4];
        drop(scene.host(level, "host"));
        drop(scene.say(ann, "ann"));
        scene.wait_millis(u64::from(round) * 50);
        if round % 5 == 0 {
            scene.read(guest);
        }
        let snapshot = scene.room.snapshot(scene.now);
        assert!(snapshot.balances());
        let total = snapshot.admission.ledger.total();
        let fates = total.refused.total() + total.dropped.total() + total.dispatched + total.queued;
        assert_eq!((total.submitted, fates), (u64::from(round) * 2 + 3, u64::from(round) * 2 + 3));
    }
}

/// Reserved tokens are kept for the higher level.
#[test]
fn b3_reserves_are_kept_and_unused_ones_return() {
    let mut scene = Scene::with(|builder| {
        builder.rate(1).burst(5).reserve(PerLevel([2, 0, 0, 0])).fresh_within(FOR_EVER)
    });
    let sent: Vec<bool> =
        (0..4).map(|_| scene.host(Normal, "text").unwrap().outcome.is_some()).collect();
    assert_eq!(sent, [true, true, true, false]);
    assert!(scene.host(High, "gift").unwrap().outcome.is_some());
    assert!(scene.host(High, "gift").unwrap().outcome.is_some());
    // Three seconds bring three tokens: two are kept back again, one is for the text that waits.
    scene.wait_millis(2_000);
    assert_eq!(scene.room.snapshot(scene.now).admission.queued[Normal], 1);
    scene.wait_millis(1_000);
    assert_eq!(scene.room.snapshot(scene.now).admission.queued[Normal], 0);
}

#[test]
fn b4_a_flooder_costs_himself_in_whose_turn_it_is() {
    let mut scene = Scene::busy(|builder| {
        builder.rate(10).discipline(QueueDiscipline::RoundRobin).fresh_within(FOR_EVER)
    });
    let (flooder, guest) = (scene.user(ANN), scene.guest());
    for n in 0..50 {
        let _ = scene.say(flooder, &format!("flood {n}")).unwrap();
    }
    for user in 0..5 {
        let session = scene.user(UserId(100 + user));
        let _ = scene.say(session, "text").unwrap();
    }
    scene.wait_millis(100);
    let mut heard = scene.read(guest);
    for _ in 0..5 {
        scene.wait_millis(100);
        heard.extend(scene.read(guest));
    }
    assert_eq!(heard, ["flood 0", "text", "text", "text", "text", "text"]);
}

#[test]
fn b4_a_flooder_costs_himself_in_who_is_evicted() {
    let mut scene = Scene::busy(|builder| builder.queue_messages(10).fresh_within(FOR_EVER));
    let (flooder, bob) = (scene.user(ANN), scene.user(BOB));
    for tag in 0..10 {
        scene.send(flooder, Normal, "flood", tag);
    }
    assert_eq!(scene.say(flooder, "more").unwrap_err().reason, RefusalReason::QueueFull);
    assert_eq!(scene.send(bob, Normal, "text", 100), None);
    let [(9, Outcome::Dropped { reason: DropReason::Evicted, .. })] = scene.outcomes()[..] else {
        panic!("not his newest")
    };
}

/// It has an outcome of its own.
#[test]
fn b6_a_deadline_is_met_to_the_nanosecond() {
    let wait = PerLevel([None, Some(Duration::from_millis(1_500)), None, None]);
    let mut scene =
        Scene::busy(|builder| builder.rate_period(Duration::from_secs(3_600)).fresh_within(wait));
    let ann = scene.user(ANN);
    assert_eq!(scene.send(ann, Normal, "stale soon", 1), None);
    let deadline = scene.now + Duration::from_millis(1_500);
    assert_eq!(scene.room.poll_timeout(), Some(deadline));
    scene.room.handle_timeout(Instant::from_nanos(deadline.as_nanos() - 1));
    assert_eq!(scene.outcomes(), []);
    scene.room.handle_timeout(deadline);
    let limit = Some(Limit::FreshWithin { max: Duration::from_millis(1_500) });
    let retry_at = Some(scene.now + Duration::from_secs(3_600));
    assert_eq!(
        scene.outcomes(),
        [(1, Outcome::Dropped { reason: DropReason::Expired, limit, retry_at })]
    );
}

#[test]
fn b7_random_choices_replay_with_their_seed() {
    let evicted = |seed| {
        let mut scene = Scene::busy(|builder| {
            builder
                .queue_messages(20)
                .eviction(EvictionPolicy::Random)
                .seed(seed)
                .fresh_within(FOR_EVER)
        });
        let ann = scene.user(ANN);
        for tag in 0..20 {
            scene.send(ann, Low, "like", tag);
        }
        for _ in 0..10 {
            let _ = scene.host(High, "gift").unwrap();
        }
        scene.outcomes().into_iter().map(|(tag, _)| tag).collect::<Vec<_>>()
    };
    assert_eq!(evicted(1).len(), 10);
    assert_eq!(evicted(1), evicted(1));
    assert_ne!(evicted(1), evicted(2));
}

/// The policy is a setting.
#[test]
fn b8_the_victim_policy_spares_higher_levels() {
    let victim = |policy| {
        let mut scene = Scene::busy(|builder| {
            builder.queue_messages(5).eviction(policy).fresh_within(FOR_EVER)
        });
        let (ann, bob) = (scene.user(ANN), scene.user(BOB));
        scene.send(ann, High, "gift", 0);
        for (session, tag) in [(ann, 1), (bob, 2), (bob, 3), (ann, 4)] {
            scene.send(session, Low, "like", tag);
        }
        scene.send(ann, Low, "more", 5);
        scene.send(bob, Normal, "text", 6);
        scene.outcomes().into_iter().map(|(tag, _)| tag).collect::<Vec<_>>()
    };
    let refusing = |policy| {
        let mut scene = Scene::busy(|builder| {
            builder.queue_messages(1).eviction(policy).fresh_within(FOR_EVER)
        });
        let _ = scene.host(Low, "like").unwrap();
        scene.host(Low, "newer").is_err()
    };
    assert_eq!(victim(EvictionPolicy::Oldest), [1, 2]);
    assert!(
        refusing(EvictionPolicy::Newest)
            && refusing(EvictionPolicy::BiggestSender)
            && !refusing(EvictionPolicy::Oldest)
    );
}

/// The gap is told before what follows.
#[test]
fn b10_a_slow_session_is_told_its_exact_gap_first() {
    let mut scene = Scene::with(|builder| builder.log_messages(PerLevel([2, 2, 1, 1])));
    let guest = scene.guest();
    for n in 0..5 {
        let _ = scene.host(Normal, &format!("{n}")).unwrap();
    }
    let _ = scene.host(High, "gift").unwrap();
    let batch = scene.next(guest).unwrap().unwrap();
    let told: Vec<String> = batch
        .items()
        .map(|item| match item {
            Item::Gap { priority, count, .. } => format!("missed {count} {priority}"),
            Item::Message(message) => message.payload.clone(),
            Item::Direct(direct) => direct.payload.clone(),
        })
        .collect();
    assert_eq!(told, ["gift", "missed 3 normal", "3", "4"]);
    let books = scene.room.deliveries(guest).unwrap()[Normal];
    assert_eq!((books.due, books.delivered, books.skipped, books.pending), (5, 2, 3, 0));
    assert!(scene.next(guest).unwrap().is_none());
}

#[test]
fn b10_a_batch_stays_in_budget_and_says_of_more() {
    let mut scene = Scene::new();
    let guest = scene.guest();
    for (level, text) in [(Lowest, "ddd"), (High, "aaaa"), (High, "aa"), (Normal, "b")] {
        let _ = scene.host(level, text).unwrap();
    }
    let mut take = |messages, bytes| {
        let batch =
            scene.room.next_batch(scene.now, guest, Budget { messages, bytes }).unwrap().unwrap();
        (texts(&batch), batch.more())
    };
    // Larger than the budget, so it comes alone.
    assert_eq!(take(10, 3), (vec!["aaaa".into()], true));
    assert_eq!(take(1, 100), (vec!["aa".into()], true));
    assert_eq!(take(10, 4), (vec!["b".into(), "ddd".into()], false));
}

/// Each jump goes to the next deadline.
#[test]
fn b13_an_evening_passes_in_jumps_without_a_clock() {
    let mut scene = Scene::busy(|builder| builder.fresh_within(FOR_EVER));
    for _ in 0..600 {
        let _ = scene.host(Low, "like").unwrap();
    }
    let mut jumps = 0;
    while let Some(at) = scene.room.poll_timeout() {
        assert!(at > scene.now, "a timeout that is not in the future would spin");
        scene.now = at;
        scene.room.handle_timeout(at);
        jumps += 1;
    }
    assert_eq!((jumps, scene.now), (600, Instant::from_secs(700)));
    // Time that runs backwards counts as standing still.
    scene.now = Instant::from_secs(5);
    assert!(scene.host(High, "gift").unwrap().outcome.is_none());
    assert_eq!(scene.room.poll_timeout(), Some(Instant::from_secs(701)));
}

/// The highest level passes over them.
#[test]
fn b5_all_levels_passed_over_share_the_floor() {
    let mut scene = Scene::with(|builder| {
        builder.rate(1).burst(1).min_share(Some(2)).fresh_within(PerLevel([None; 4]))
    });
    for n in 0..12 {
        for level in Priority::ALL {
            let _ = scene.host(level, &format!("{level} {n}")).unwrap();
        }
    }
    let sent = |scene: &Scene| {
        scene.room.snapshot(scene.now).admission.ledger.levels.0.map(|level| level.dispatched)
    };
    assert_eq!(sent(&scene), [1, 0, 0, 0]);
    for round in 1..=3 {
        (0..6).for_each(|_| scene.wait_millis(1_000));
        assert_eq!(
            sent(&scene),
            [1 + 3 * round, round, round, round],
            "every other one, and by turns"
        );
    }
}

/// It goes to the lowest level that waits, whatever the reserves.
#[test]
fn b5_one_dispatch_in_so_many_goes_to_the_lowest() {
    let change = |builder: RoomConfigBuilder| {
        builder
            .min_share(Some(3))
            .burst(3)
            .reserve(PerLevel([2, 0, 0, 0]))
            .fresh_within(PerLevel([None; 4]))
    };
    let mut scene = Scene::with(|builder| change(builder.rate(1)));
    for n in 0..9 {
        let _ = scene.host(High, &format!("high {n}")).unwrap();
    }
    for n in 0..3 {
        let _ = scene.host(Lowest, &format!("lowest {n}")).unwrap();
    }
    let guest = scene.guest();
    let mut order = Vec::new();
    for _ in 0..9 {
        scene.wait_millis(1_000);
        order.extend(scene.read(guest));
    }
    // Three of High had gone out before the others came, and passed nobody over.
    let expected = [
        "high 3", "high 4", "lowest 0", "high 5", "high 6", "lowest 1", "high 7", "high 8",
        "lowest 2",
    ];
    // The last of the lowest is alone and waits for the reserve to fill, as any other.
    assert_eq!(order, expected[..order.len()]);
    assert_eq!(order.len(), 8);
    let without = RoomConfig::builder(OWNER).min_share(Some(1)).build().unwrap_err();
    assert_eq!(
        without.to_string(),
        "min_share must be at least 2, not 1: with 1, every dispatch would go to the lowest level"
    );
}

/// It is set by level, and new names gain nothing.
#[test]
fn b16_slow_mode_costs_one_sender_only() {
    let two = Quota { rate: Rate::per_second(NonZeroU32::MIN), burst: NonZeroU32::new(2).unwrap() };
    let mut scene = Scene::with(|builder| {
        builder.sender_quota(PerLevel([None, Some(two), Some(two), Some(two)])).sender_table_size(2)
    });
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    assert!(scene.say(ann, "one").is_ok() && scene.say(ann, "two").is_ok());
    let refused = scene.say(ann, "three").unwrap_err();
    assert_eq!(
        (refused.reason, refused.limit),
        (RefusalReason::SenderQuota, Some(Limit::SenderQuota { quota: two }))
    );
    assert_eq!(
        (refused.retry_at, refused.payload.as_str()),
        (Some(scene.now + Duration::from_secs(1)), "three")
    );
    assert_eq!(
        refused.to_string(),
        "refused: sender quota exceeded (limit 1 per second, burst 2); retry at 101.000000000s"
    );
    // Her likes and her gifts are counted apart, and so is everyone else.
    assert!(
        scene.send(ann, Low, "like", 1).is_some() && scene.send(ann, High, "gift", 2).is_some()
    );
    assert!(scene.say(bob, "hello").is_ok());
    // Two have a place; all others share what one may say.
    let names: Vec<_> = (100..200).map(|id| scene.user(UserId(id))).collect();
    let let_in = names.into_iter().filter(|&name| scene.say(name, "flood").is_ok()).count();
    assert_eq!(let_in, 2);
    assert!(scene.say(bob, "again").is_ok());
    scene.wait_millis(1_000);
    assert!(scene.say(ann, "three").is_ok() && scene.say(ann, "four").is_err());
}
