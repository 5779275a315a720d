//! The second limit (A15), aligned windows (D14), and how others do it (B12).

use crate::scene::{ANN, BOB, OWNER, Scene};
use Priority::{High, Low, Lowest, Normal};
use roomcast_core::config::{Exempt, LevelQuotas, QueueDiscipline, RateAlgorithm};
use roomcast_core::ledger::RefusalReason;
use roomcast_core::quota::{Quota, RateLimit};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Instant, PerLevel, Priority, Publish, RoomConfig, RoomState, Source, UserId,
};
use std::num::NonZeroU32;

const FOR_EVER: PerLevel<Option<Duration>> = PerLevel([None; 4]);

fn a_second(count: u32) -> Option<RateLimit> {
    NonZeroU32::new(count).map(|count| RateLimit::Bucket(Quota::per_second(count)))
}

/// How many messages of each level have gone out.
fn sent(scene: &Scene) -> [u64; 4] {
    scene.room.snapshot(scene.now).admission.ledger.levels.0.map(|level| level.dispatched)
}

#[test]
fn a15_a_level_that_used_up_its_own_is_passed_over() {
    let quotas = LevelQuotas {
        levels: PerLevel([None, a_second(3), a_second(2), None]),
        exempt: Exempt::Nobody,
    };
    let mut scene = Scene::with(|builder| {
        builder.rate(20).burst(20).fresh_within(FOR_EVER).level_quotas(quotas)
    });
    for _ in 0..10 {
        for level in Priority::ALL {
            let _ = scene.host(level, "all at once").unwrap();
        }
    }
    assert_eq!(
        sent(&scene),
        [8, 3, 2, 7],
        "twenty in all; Normal and Low by their own, the others by the room's"
    );
    scene.wait_millis(500);
    // The room has ten more tokens, the levels one or one and a half.
    assert_eq!(sent(&scene), [10, 4, 3, 10]);
}

/// The staff are the owner and the admins.
#[test]
fn a15_high_and_staff_are_exempt_or_nobody_is() {
    for (quotas, exempt) in
        [(LevelQuotas::HIGH_AND_STAFF_EXEMPT, true), (LevelQuotas::NOBODY_EXEMPT, false)]
    {
        let mut scene = Scene::with(|builder| {
            builder.rate(1_000).burst(1_000).fresh_within(FOR_EVER).level_quotas(quotas)
        });
        let [owner, ann, bob] = [OWNER, ANN, BOB].map(|user| scene.user(user));
        scene.room.add_admin(scene.now, Actor::Host, ANN).unwrap();
        for _ in 0..50 {
            let _ = scene.host(High, "gift").unwrap();
            let _ = scene.say(bob, "text").unwrap();
        }
        assert_eq!(sent(&scene)[..2], if exempt { [50, 40] } else { [40, 40] });
        // Bob's ten wait. The staff go before them, and wait for the level's quota where it binds
        // them.
        for session in [owner, ann] {
            assert_eq!(scene.say(session, "first").unwrap().outcome.is_some(), exempt);
        }
        let low =
            scene.publish(Publish::new(Source::Session(ann), "low".into()).priority(Low)).unwrap();
        assert!(low.outcome.is_some());
        for _ in 0..45 {
            let _ = scene
                .publish(Publish::new(Source::Session(ann), "low".into()).priority(Low))
                .unwrap();
        }
        assert_eq!(sent(&scene)[2], if exempt { 46 } else { 40 });
        for _ in 0..50 {
            let _ = scene
                .publish(Publish::new(Source::Session(bob), "lowest".into()).priority(Lowest))
                .unwrap();
        }
        assert_eq!(sent(&scene)[3], 40);
    }
}

#[test]
fn a15_who_is_admin_no_more_is_bound_like_everyone() {
    let quotas = LevelQuotas { levels: PerLevel([a_second(1); 4]), exempt: Exempt::OwnerAndAdmins };
    let mut scene =
        Scene::with(|builder| builder.rate(2).burst(2).fresh_within(FOR_EVER).level_quotas(quotas));
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    scene.room.add_admin(scene.now, Actor::Host, ANN).unwrap();
    let _ = scene.say(bob, "takes the token of Normal").unwrap();
    assert!(scene.say(ann, "exempt").unwrap().outcome.is_some());
    assert!(scene.say(ann, "waits for the room").unwrap().outcome.is_none());
    scene.room.remove_admin(scene.now, Actor::Host, ANN).unwrap();
    scene.wait_millis(500);
    assert_eq!(sent(&scene)[1], 2, "the room has a token and Ann is exempt no more");
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_millis(500)));
    scene.wait_millis(500);
    assert_eq!(sent(&scene)[1], 3);
}

/// It counts as the head of a level that is used up.
#[test]
fn a15_under_random_turns_the_oldest_is_the_head() {
    for seed in 0..32 {
        let quotas =
            LevelQuotas { levels: PerLevel([a_second(1); 4]), exempt: Exempt::OwnerAndAdmins };
        let mut scene = Scene::with(|builder| {
            builder
                .rate(2)
                .burst(2)
                .fresh_within(FOR_EVER)
                .level_quotas(quotas)
                .discipline(QueueDiscipline::Random)
                .seed(seed)
        });
        let [owner, bob] = [OWNER, BOB].map(|user| scene.user(user));
        let _ = scene.say(bob, "takes the token of Normal").unwrap();
        let _ = scene.host(High, "takes the room's").unwrap();
        for session in [owner, bob, bob, bob] {
            assert!(scene.say(session, "waits").unwrap().outcome.is_none());
        }
        let guest = scene.guest();
        scene.wait_millis(500);
        let batch = scene.next(guest).unwrap().expect("the room has a token again");
        assert_eq!(batch.messages()[0].sender, roomcast_core::message::Sender::User(OWNER));
    }
}

#[test]
fn b12_a_window_lets_so_many_through_each_period() {
    let mut scene = Scene::with(|builder| {
        builder
            .rate(4)
            .rate_period(Duration::from_millis(200))
            .rate_algorithm(RateAlgorithm::FixedWindow)
            .fresh_within(FOR_EVER)
    });
    scene.now = Instant::from_millis(100_150);
    for _ in 0..20 {
        let _ = scene.host(Normal, "text").unwrap();
    }
    assert_eq!(
        (sent(&scene)[1], scene.room.poll_timeout()),
        (4, Some(Instant::from_millis(100_200)))
    );
    scene.wait_millis(50);
    assert_eq!(sent(&scene)[1], 8, "eight within 50 ms, around the border of two windows");
    scene.wait_millis(199);
    assert_eq!(sent(&scene)[1], 8);
    scene.wait_millis(1);
    assert_eq!(sent(&scene)[1], 12);
}

/// Nothing waits, at whatever level, and it comes back to whoever sent it.
#[test]
fn b12_a_room_that_fans_out_sends_all_at_once() {
    let config = RoomConfig::fan_out();
    let mut scene = Scene { room: RoomState::new(&config), now: Instant::from_secs(100) };
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    for number in 0..4_000 {
        let level = if number % 4 == 0 { High } else { Low };
        let publish = Publish::new(Source::Session(ann), "text".into()).priority(level);
        assert!(scene.publish(publish).unwrap().outcome.is_some());
    }
    for session in [ann, bob] {
        let mut taken = 0;
        while let Some(batch) = scene.next(session).unwrap() {
            assert!(Priority::ALL.iter().all(|&level| batch.gap(level) == 0));
            taken += batch.messages().len();
        }
        assert_eq!(taken, 4_000);
    }
    assert_eq!((config.rate(), config.owner()), (None, None));
    assert!(scene.room.snapshot(scene.now).balances());
}

/// Offers a second of 100 messages of each level, one each 10 ms, to a fresh room; answers what
/// went out within two seconds.
fn second_of(config: &RoomConfig) -> [u64; 4] {
    let mut scene = Scene { room: RoomState::new(config), now: Instant::from_secs(100) };
    for _ in 0..100 {
        // The lowest first, so that priority has something to do.
        for level in [Lowest, Low, Normal, High] {
            match scene.host(level, "one of many") {
                Ok(_) => {}
                Err(refused) => assert_eq!(refused.reason, RefusalReason::QueueFull),
            }
        }
        scene.wait_millis(10);
    }
    scene.wait_millis(1_000);
    assert!(scene.room.snapshot(scene.now).balances());
    sent(&scene)
}

/// Low takes at most 20 of the 40.
#[test]
fn b12_rong_cloud_sends_40_in_200_ms_and_20_low() {
    // 20 calls of each level fall into each of five windows: 40 of Low and Lowest, of which 20 may
    // go, and 40 that are high there.
    let [high, normal, low, lowest] = second_of(&RoomConfig::rong_cloud(OWNER));
    assert_eq!((high + normal + low, lowest), (200, 0));
    // The first come are served, and half of the first 40 are low.
    assert_eq!(low, 100);
}

#[test]
fn b12_net_ease_sends_20_and_10_of_high_beside_them() {
    let [high, normal, low, lowest] = second_of(&RoomConfig::net_ease(OWNER));
    // What came in the first second goes out in that one and, as far as it waits, in the next.
    assert_eq!([high, normal, low, lowest], [20, 40, 0, 0]);
}

/// Those 20 are for each second; the lower and the later ones are dropped first.
#[test]
fn b12_easemob_sends_20_and_drops_lower_and_later() {
    let [high, normal, low, lowest] = second_of(&RoomConfig::easemob(OWNER));
    assert_eq!(high + normal + low + lowest, 40);
    assert_eq!(
        (normal, high),
        (5, 25),
        "five rounds fill the first window, the next one is High's"
    );
    // Of one priority, what came later gives way.
    let mut scene =
        Scene { room: RoomState::new(&RoomConfig::easemob(OWNER)), now: Instant::from_secs(100) };
    let guest = scene.guest();
    for n in 0..60 {
        drop(scene.host(Normal, &n.to_string()));
    }
    assert_eq!(scene.read(guest), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    scene.wait_millis(999);
    assert!(scene.read(guest).is_empty());
    scene.wait_millis(1);
    assert!(scene.read(guest).is_empty(), "a second old, they are discarded");
    for n in 60..120 {
        drop(scene.host(Normal, &n.to_string()));
    }
    scene.wait_millis(999);
    for n in 120..160 {
        drop(scene.host(Normal, &n.to_string()));
    }
    scene.wait_millis(1);
    let seen = scene.read(guest);
    assert_eq!(seen[..20], (60..80).map(|n| n.to_string()).collect::<Vec<_>>()[..]);
}

/// The room is the one of three levels.
#[test]
fn b12_an_av_chat_room_counts_the_lowest_as_low() {
    let mut scene = Scene {
        room: RoomState::new(&RoomConfig::av_chat_room_three_levels(OWNER)),
        now: Instant::from_secs(100),
    };
    let ann = scene.user(UserId(9));
    let _ = scene.host(Lowest, "like").unwrap();
    let batch = scene.next(ann).unwrap().unwrap();
    assert_eq!(batch.messages()[0].priority, Low);
    let ledger = scene.room.snapshot(scene.now).admission.ledger;
    assert_eq!((ledger.levels[Low].submitted, ledger.levels[Lowest].submitted), (1, 0));
}
