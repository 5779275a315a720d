//! Other quotas, bounds and policies while the room runs: B15.

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::config::{
    Echo, EvictionPolicy, LevelQuotas, QueueDiscipline, RateAlgorithm, RoomConfigBuilder,
};
use roomcast_core::error::{JoinError, ReconfigureError};
use roomcast_core::ledger::DropReason;
use roomcast_core::message::Limit;
use roomcast_core::quota::{Quota, Rate, RateLimit};
use roomcast_core::system_messages::{SystemMessageKind, SystemMessages};
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Event, GapCause, Instant, Item, Join, Outcome, PerLevel, Priority, RoomConfig,
    RoomState, SessionId, UserId,
};
use std::num::NonZeroU32;

type Change = fn(RoomConfigBuilder) -> RoomConfigBuilder;

fn reconfigure(scene: &mut Scene, change: Change) -> Result<(), ReconfigureError> {
    scene.room.reconfigure(scene.now, &change(RoomConfig::builder(OWNER)).build().unwrap())
}

fn tokens(scene: &Scene) -> u32 {
    scene.room.snapshot(scene.now).admission.tokens
}

fn per_second(count: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(count).unwrap())
}

#[test]
fn b15_policies_are_fixed_and_a_closed_room_refuses() {
    let mut scene = Scene::new();
    let fixed: [(&str, Change); 6] = [
        ("owner", |_| RoomConfig::builder(UserId(9))),
        ("seed", |builder| builder.seed(1)),
        ("echo", |builder| builder.echo(Echo::On)),
        ("levels", |builder| builder.levels(roomcast_core::config::Levels::Two)),
        ("heartbeat", |builder| {
            builder.heartbeat(Some(roomcast_core::config::Heartbeat::AV_CHAT_ROOM))
        }),
        ("outbox_capacity", |builder| builder.outbox_capacity(2_000)),
    ];
    for (setting, change) in fixed {
        let before = scene.room.snapshot(scene.now);
        assert_eq!(reconfigure(&mut scene, change), Err(ReconfigureError::Fixed { setting }));
        assert_eq!(scene.room.snapshot(scene.now), before);
    }
    let error = ReconfigureError::Fixed { setting: "seed" };
    assert_eq!(error.to_string(), "seed cannot change once the room has been created");
    scene.room.close(scene.now, Actor::Host).unwrap();
    assert_eq!(
        reconfigure(&mut scene, |builder| builder.rate(5)),
        Err(ReconfigureError::RoomClosed)
    );
}

#[test]
fn b15_gained_tokens_count_up_to_the_new_burst() {
    let mut scene = Scene::with(|builder| builder.rate(10).burst(10));
    for _ in 0..10 {
        let _ = scene.host(Priority::High, "out").unwrap();
    }
    scene.wait_millis(450);
    // Four and a half; a larger burst brings none.
    reconfigure(&mut scene, |builder| builder.rate(1).burst(100)).unwrap();
    assert_eq!(tokens(&scene), 4);
    scene.wait_millis(500);
    assert_eq!(tokens(&scene), 5, "half a token was kept");
    reconfigure(&mut scene, |builder| builder.rate(1_000).burst(2)).unwrap();
    assert_eq!(tokens(&scene), 2);
    scene.wait_millis(10_000);
    assert_eq!(tokens(&scene), 2);
}

/// Any other way of counting starts with nothing.
#[test]
fn b15_windows_go_on_only_with_the_same_period() {
    let mut scene =
        Scene::with(|builder| builder.rate_algorithm(RateAlgorithm::FixedWindow).rate(10));
    for _ in 0..6 {
        let _ = scene.host(Priority::High, "out").unwrap();
    }
    reconfigure(&mut scene, |builder| builder.rate_algorithm(RateAlgorithm::FixedWindow).rate(8))
        .unwrap();
    assert_eq!(tokens(&scene), 2);
    reconfigure(&mut scene, |builder| builder.rate_algorithm(RateAlgorithm::FixedWindow).rate(3))
        .unwrap();
    assert_eq!(tokens(&scene), 0);
    scene.wait_millis(1_000);
    assert_eq!(tokens(&scene), 3);
    // Of another period: the running one is used up, the next one begins at 101.2 s.
    reconfigure(&mut scene, |builder| {
        builder
            .rate_algorithm(RateAlgorithm::FixedWindow)
            .rate(5)
            .rate_period(Duration::from_millis(200))
    })
    .unwrap();
    scene.wait_millis(199);
    assert_eq!(tokens(&scene), 0);
    scene.wait_millis(1);
    assert_eq!(tokens(&scene), 5);
    // A bucket begins empty, and so does a window that follows it.
    reconfigure(&mut scene, |builder| builder.rate(10).burst(10)).unwrap();
    assert_eq!(tokens(&scene), 0);
    scene.wait_millis(300);
    assert_eq!(tokens(&scene), 3);
    reconfigure(&mut scene, |builder| builder.rate_algorithm(RateAlgorithm::FixedWindow).rate(4))
        .unwrap();
    assert_eq!(tokens(&scene), 0);
    scene.wait_millis(500);
    assert_eq!(tokens(&scene), 4, "at 102 s");
}

/// What waited goes out at once, and what comes afterwards begins with nothing.
#[test]
fn b15_a_rate_may_go_and_come_back() {
    let mut scene = Scene::with(|builder| builder.rate(1).burst(1).reserve(PerLevel::default()));
    for _ in 0..4 {
        let _ = scene.host(Priority::High, "out, or waits").unwrap();
    }
    let unlimited: Change = |builder| builder.rate_algorithm(RateAlgorithm::Unlimited);
    reconfigure(&mut scene, unlimited).unwrap();
    scene.wait_millis(0);
    let row = scene.room.snapshot(scene.now).admission.ledger.levels[Priority::High];
    assert_eq!((row.dispatched, tokens(&scene)), (4, u32::MAX));
    let limited: [Change; 2] = [
        |builder| builder.rate(10),
        |builder| builder.rate(10).rate_algorithm(RateAlgorithm::FixedWindow),
    ];
    for limited in limited {
        reconfigure(&mut scene, limited).unwrap();
        assert_eq!(tokens(&scene), 0);
        reconfigure(&mut scene, unlimited).unwrap();
    }
}

/// What waits goes out when the quota of its level disappears.
#[test]
fn b15_a_removed_quota_frees_and_a_new_one_is_full() {
    let quota = || LevelQuotas {
        levels: PerLevel([None, Some(RateLimit::Bucket(per_second(1))), None, None]),
        ..LevelQuotas::NONE
    };
    let mut scene = Scene::with(|builder| builder.level_quotas(quota()));
    for text in ["a", "b", "c"] {
        let _ = scene.host(Priority::Normal, text).unwrap();
    }
    let guest = scene.guest();
    reconfigure(&mut scene, |builder| builder).unwrap();
    assert!(
        scene.room.poll_timeout().is_some_and(|at| at <= scene.now),
        "what may go now asks to be called"
    );
    scene.wait_millis(0);
    assert_eq!(scene.read(guest), ["b", "c"]);
    let config = RoomConfig::builder(OWNER).level_quotas(quota()).build().unwrap();
    scene.room.reconfigure(scene.now, &config).unwrap();
    assert!(scene.host(Priority::Normal, "d").unwrap().outcome.is_some());
    assert!(scene.host(Priority::Normal, "e").unwrap().outcome.is_none());
}

#[test]
fn b15_what_is_due_goes_out_under_the_old_settings() {
    let mut scene = Scene::busy(|builder| builder);
    let ann = scene.user(ANN);
    assert_eq!(scene.send(ann, Priority::Normal, "late", 5), None);
    // The host comes late, and with another rate.
    scene.now = scene.now + Duration::from_secs(1);
    reconfigure(&mut scene, |builder| {
        builder.rate(1).rate_period(Duration::from_secs(1_000)).burst(1)
    })
    .unwrap();
    assert!(matches!(scene.outcomes()[..], [(5, Outcome::Dispatched { .. })]));
    assert_eq!(tokens(&scene), 0);
}

/// A flood comes, and the room switches to turns: what waits stays and takes its turn.
#[test]
fn b15_a_room_switches_to_turns_and_back() {
    let slow: Change = |builder| builder.rate(10).burst(1).fresh_within(PerLevel([None; 4]));
    let mut scene = Scene::with(slow);
    let (ann, bob, guest) = (scene.user(ANN), scene.user(BOB), scene.guest());
    let _ = scene.host(Priority::Normal, "the first token").unwrap();
    for text in ["a1", "a2", "a3", "a4", "a5", "a6"] {
        let _ = scene.say(ann, text).unwrap();
    }
    for text in ["b1", "b2", "b3"] {
        let _ = scene.say(bob, text).unwrap();
    }
    let hear = |scene: &mut Scene| {
        for _ in 0..2 {
            scene.wait_millis(100);
        }
        scene.read(guest)
    };
    assert_eq!(hear(&mut scene), ["the first token", "a1", "a2"]);
    let turns: Change = |builder| {
        let builder = builder.rate(10).burst(1).fresh_within(PerLevel([None; 4]));
        builder.discipline(QueueDiscipline::RoundRobin)
    };
    reconfigure(&mut scene, turns).unwrap();
    assert_eq!(hear(&mut scene), ["a3", "b1"]);
    assert_eq!(hear(&mut scene), ["a4", "b2"]);
    reconfigure(&mut scene, slow).unwrap();
    assert_eq!(hear(&mut scene), ["a5", "a6"]);
    assert_eq!(hear(&mut scene), ["b3"]);
    let books = scene.room.snapshot(scene.now);
    assert!(books.balances());
    assert_eq!(books.admission.queued.values().sum::<u32>(), 0);
}

/// Whose turns were remembered is known as long as whose turn it is stays.
#[test]
fn b15_another_eviction_forgets_no_turns() {
    let by = |eviction: EvictionPolicy, discipline: QueueDiscipline| {
        let builder = RoomConfig::builder(OWNER).rate(10).burst(1).eviction(eviction);
        let builder = builder.fresh_within(PerLevel([None; 4])).discipline(discipline);
        builder.turn_memory(Duration::from_secs(60)).build().unwrap()
    };
    let first = |between: &[RoomConfig]| {
        let mut scene = Scene::with(|builder| builder);
        let (ann, bob, guest) = (scene.user(ANN), scene.user(BOB), scene.guest());
        let turns = by(EvictionPolicy::BiggestSender, QueueDiscipline::RoundRobin);
        scene.room.reconfigure(scene.now, &turns).unwrap();
        let _ = scene.host(Priority::Normal, "the first token").unwrap();
        let _ = scene.say(ann, "ann's turn").unwrap();
        scene.wait_millis(100);
        let _ = (scene.say(ann, "ann").unwrap(), scene.say(bob, "bob").unwrap());
        for config in between {
            scene.room.reconfigure(scene.now, config).unwrap();
        }
        scene.wait_millis(100);
        scene.read(guest).pop().unwrap()
    };
    let random = |discipline| by(EvictionPolicy::Random, discipline);
    assert_eq!(first(&[]), "bob");
    assert_eq!(first(&[random(QueueDiscipline::RoundRobin)]), "bob");
    // In between nobody asked who sent what.
    let there_and_back = [random(QueueDiscipline::Fifo), random(QueueDiscipline::RoundRobin)];
    assert_eq!(first(&there_and_back), "ann");
}

/// Who gives way to a budget that shrinks in the same call is whom the new policy names.
#[test]
fn b15_another_eviction_holds_for_what_waits() {
    let gone = |eviction: EvictionPolicy| {
        let mut scene = Scene::busy(|builder| builder.eviction(EvictionPolicy::Newest));
        let (ann, bob) = (scene.user(ANN), scene.user(BOB));
        for (tag, who) in (1..).zip([bob, ann, ann, bob, ann, bob, bob, ann, ann]) {
            assert_eq!(scene.send(who, Priority::Low, "text", tag), None);
        }
        let builder = RoomConfig::builder(OWNER).rate(1).burst(1).eviction(eviction);
        let config = builder.queue_messages(7).build().unwrap();
        scene.room.reconfigure(scene.now, &config).unwrap();
        assert!(scene.room.snapshot(scene.now).balances());
        let mut tags: Vec<u64> = scene.outcomes().iter().map(|&(tag, _)| tag).collect();
        tags.sort_unstable();
        tags
    };
    assert_eq!(gone(EvictionPolicy::Newest), [8, 9]);
    assert_eq!(gone(EvictionPolicy::Oldest), [1, 2]);
    // Of two who hold four each, the one who has been there for longest.
    assert_eq!(gone(EvictionPolicy::BiggestSender), [7, 9]);
    assert_eq!(gone(EvictionPolicy::Random).len(), 2);
}

/// The victim policy chooses, and the outcome says which limit it was.
#[test]
fn b15_a_smaller_queue_evicts_the_lowest() {
    let mut scene = Scene::busy(|builder| builder.eviction(EvictionPolicy::Newest));
    let ann = scene.user(ANN);
    for (tag, level) in (1..).zip([Priority::Low, Priority::High, Priority::Low, Priority::Normal])
    {
        assert_eq!(scene.send(ann, level, "twelve bytes", tag), None);
    }
    let smaller: Change =
        |builder| builder.rate(1).burst(1).eviction(EvictionPolicy::Newest).queue_messages(3);
    reconfigure(&mut scene, smaller).unwrap();
    let dropped = scene.outcomes();
    let [(3, Outcome::Dropped { reason: DropReason::Evicted, limit, .. })] = dropped[..] else {
        panic!("{dropped:?}")
    };
    assert_eq!(limit, Some(Limit::QueueMessages { max: 3 }));
    // Bytes as well, down to what is High.
    let smaller: Change = |builder| {
        let small = builder
            .rate(1)
            .burst(1)
            .eviction(EvictionPolicy::Newest)
            .payload_bytes(10)
            .queue_bytes(20);
        small.log_bytes(PerLevel([1_034; 4]))
    };
    reconfigure(&mut scene, smaller).unwrap();
    let dropped: Vec<u64> = scene.outcomes().iter().map(|&(tag, _)| tag).collect();
    assert_eq!(dropped, [1, 4]);
    let books = scene.room.snapshot(scene.now);
    assert!(books.balances() && books.admission.queued[Priority::High] == 1);
}

/// So does the time for a verdict.
#[test]
fn b15_deadlines_count_for_what_waits_as_well() {
    let reviewed: Change = |builder| {
        let mut review = roomcast_core::config::ReviewConfig::HIGH_AND_NORMAL;
        review.levels = PerLevel([true, false, false, false]);
        builder
            .rate(1)
            .burst(1)
            .rate_period(Duration::from_secs(1_000))
            .fresh_within(PerLevel([None; 4]))
            .review(review)
    };
    let mut scene = Scene::with(reviewed);
    let _ = scene.host(Priority::High, "the one of this time").unwrap();
    let ann = scene.user(ANN);
    assert_eq!(scene.send(ann, Priority::High, "reviewed", 1), None);
    assert_eq!(scene.send(ann, Priority::Low, "waits", 2), None);
    scene.wait_millis(300);
    let shorter: Change = |builder| {
        let mut review = roomcast_core::config::ReviewConfig::NONE;
        (review.timeout, review.on_timeout) =
            (Duration::from_millis(500), roomcast_core::config::ReviewTimeout::Closed);
        let waits = builder.rate(1).burst(1).rate_period(Duration::from_secs(1_000)).review(review);
        waits.fresh_within(PerLevel([None, None, Some(Duration::from_millis(400)), None]))
    };
    reconfigure(&mut scene, shorter).unwrap();
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_millis(100)));
    scene.wait_millis(100);
    assert!(matches!(
        scene.outcomes()[..],
        [(2, Outcome::Dropped { reason: DropReason::Expired, .. })]
    ));
    scene.wait_millis(100);
    assert!(matches!(
        scene.outcomes()[..],
        [(1, Outcome::Dropped { reason: DropReason::ReviewTimeout, .. })]
    ));
}

/// A larger one fills from now on.
#[test]
fn b15_a_smaller_log_makes_a_gap() {
    let mut scene = Scene::new();
    let (guest, reader) = (scene.guest(), scene.guest());
    for text in ["a", "b", "c", "d"] {
        let _ = scene.host(Priority::Normal, text).unwrap();
    }
    // Who has read is not concerned, and what was read together is not handed out again.
    assert_eq!(scene.read(reader), ["a", "b", "c", "d"]);
    reconfigure(&mut scene, |builder| builder.log_messages(PerLevel([1; 4]))).unwrap();
    assert_eq!(scene.room.snapshot(scene.now).audience.log[Priority::Normal], 1);
    let batch = scene.next(guest).unwrap().unwrap();
    assert!(matches!(
        batch.items().next(),
        Some(Item::Gap { priority: Priority::Normal, count: 3, cause: GapCause::Overrun })
    ));
    assert_eq!((crate::scene::texts(&batch), scene.read(reader)), (vec!["d".to_owned()], vec![]));
    reconfigure(&mut scene, |builder| builder.log_messages(PerLevel([3; 4])).replay_on_join(2))
        .unwrap();
    for text in ["e", "f"] {
        let _ = scene.host(Priority::Normal, text).unwrap();
    }
    let late = scene.guest();
    assert_eq!(
        (scene.read(guest), scene.read(late)),
        (vec!["e".into(), "f".into()], vec!["e".to_owned(), "f".into()])
    );
    assert!(scene.room.snapshot(scene.now).balances());
}

/// New ones are refused until there is room.
#[test]
fn b15_sessions_stay_and_new_ones_wait_for_room() {
    let mut scene = Scene::new();
    let all: Vec<SessionId> = (0..4).map(|_| scene.user(ANN)).collect();
    reconfigure(&mut scene, |builder| builder.sessions(2).sessions_per_user(1)).unwrap();
    assert_eq!(scene.room.snapshot(scene.now).audience.sessions, 4);
    assert_eq!(scene.room.join(scene.now, Join::guest()), Err(JoinError::RoomFull { max: 2 }));
    assert_eq!(
        scene.room.join(scene.now, Join::user(ANN)),
        Err(JoinError::TooManySessions { user: ANN, max: 1 })
    );
    for &session in &all[..3] {
        assert!(scene.room.join(scene.now, Join::guest()).is_err());
        assert!(scene.room.close_session(scene.now, session));
    }
    // A slot from the time when there were more still speaks for its user.
    let bob = scene.user(BOB);
    assert!(scene.say(bob, "here").is_ok());
}

/// It counts from now on.
#[test]
fn b15_a_shorter_grace_is_for_those_who_end_later() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    scene.room.leave(scene.now, ANN).unwrap();
    reconfigure(&mut scene, |builder| builder.grace(Duration::from_secs(1))).unwrap();
    scene.room.leave(scene.now, BOB).unwrap();
    scene.wait_millis(1_000);
    assert!(scene.room.deliveries(bob).is_none() && scene.room.deliveries(ann).is_some());
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_secs(9)));
    scene.wait_millis(9_000);
    assert!(scene.room.deliveries(ann).is_none());
}

/// Under another quota as well, as far as the new burst holds it.
#[test]
fn b15_a_sender_keeps_the_use_of_a_quota() {
    let slow: Change = |builder| {
        builder
            .sender_quota(PerLevel([None, Some(per_second(1)), Some(per_second(1)), None]))
            .sender_table_size(9)
    };
    let mut scene = Scene::with(slow);
    let ann = scene.user(ANN);
    for level in [Priority::Normal, Priority::Low] {
        assert_eq!(scene.send(ann, level, "once", 1).map(|_| ()), Some(()));
    }
    let other: Change = |builder| {
        builder
            .sender_quota(PerLevel([None, Some(per_second(1)), Some(per_second(2)), None]))
            .sender_table_size(0)
    };
    reconfigure(&mut scene, other).unwrap();
    let quota = |level| {
        roomcast_core::Publish::new(roomcast_core::Source::Session(ann), String::new())
            .priority(level)
    };
    assert!(scene.publish(quota(Priority::Normal)).is_err(), "whose place is kept");
    let refused = scene.publish(quota(Priority::Low)).unwrap_err();
    assert_eq!(refused.retry_at, Some(scene.now + Duration::from_millis(500)), "at the new rate");
    scene.wait_millis(500);
    assert!(scene.publish(quota(Priority::Low)).is_ok());
    assert!(scene.publish(quota(Priority::Low)).is_err());
}

/// However often it is set, and to whatever it is: nobody speaks sooner for it.
#[test]
fn b16_slow_mode_set_again_resets_nobody() {
    let every = |secs| Quota {
        rate: Rate::new(NonZeroU32::MIN, Duration::from_secs(secs)).unwrap(),
        burst: NonZeroU32::MIN,
    };
    let slow = |builder: RoomConfigBuilder, secs| {
        let quota = PerLevel([None, Some(every(secs)), None, None]);
        builder.sender_quota(quota).rate(100_000).burst(100_000)
    };
    let mut scene = Scene::with(|builder| slow(builder, 10));
    // More than one call takes over.
    let names: Vec<_> = (100..6_100).map(|id| scene.user(UserId(id))).collect();
    assert!(names.iter().all(|&name| scene.say(name, "once").is_ok()));
    for secs in [10, 20, 5, 5, 10] {
        let config = slow(RoomConfig::builder(OWNER), secs).build().unwrap();
        scene.room.reconfigure(scene.now, &config).unwrap();
        let sooner = names.iter().filter(|&&name| scene.say(name, "sooner").is_ok()).count();
        assert_eq!(sooner, 0, "set to {secs} s");
    }
    scene.wait_millis(10_000);
    assert!(names.iter().all(|&name| scene.say(name, "in time").is_ok()));
}

/// A room that may expire by now counts from now.
#[test]
fn b15_full_tables_keep_whom_they_hold() {
    let mut scene = Scene::new();
    for user in [ANN, BOB] {
        scene.room.mute(scene.now, Actor::Host, &[user], None).unwrap();
    }
    scene.wait_millis(5_000);
    reconfigure(&mut scene, |builder| builder.mutes(1).idle_timeout(Some(Duration::from_secs(60))))
        .unwrap();
    assert!(scene.room.mute(scene.now, Actor::Host, &[UserId(99)], None).is_err());
    assert!(
        scene.room.mute(scene.now, Actor::Host, &[ANN, BOB], Some(Duration::from_secs(9))).is_ok(),
        "who is muted may be muted anew"
    );
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_secs(60)));
    scene.wait_millis(60_000);
    assert_eq!(scene.events(), [Event::RoomClosed, Event::RoomEnded]);
}

#[test]
fn b15_tips_of_a_kind_turned_off_are_never_told() {
    let mut scene = Scene::with(|builder| builder.system_messages(SystemMessages::ALL));
    scene.user(ANN);
    scene.wait_millis(0);
    scene.user(BOB);
    assert!(scene.room.poll_timeout().is_some());
    reconfigure(&mut scene, |builder| {
        builder.system_messages(
            SystemMessages::NONE.with(SystemMessageKind::Kicked, Some(Priority::High)),
        )
    })
    .unwrap();
    assert_eq!(scene.room.poll_timeout(), None);
}

/// It lets go of so many as well, and asks to be called at once.
#[test]
fn b15_one_call_evicts_so_many_and_asks_for_more() {
    let config = |messages, log| {
        let builder = RoomConfig::builder(OWNER)
            .rate_period(Duration::MAX)
            .rate(1)
            .fresh_within(PerLevel([None; 4]));
        builder
            .burst(10_000)
            .queue_messages(messages)
            .log_messages(PerLevel([log; 4]))
            .build()
            .unwrap()
    };
    let (mut room, now) = (RoomState::new(&config(10_000, 10_000)), Instant::from_secs(1));
    for _ in 0..12_500 {
        let _ = room
            .publish(
                now,
                roomcast_core::Publish::new(roomcast_core::Source::Host, "text")
                    .priority(Priority::Low),
            )
            .unwrap();
    }
    let look = |room: &RoomState<&'static str>| {
        let books = room.snapshot(now);
        assert!(books.balances());
        (books.admission.queued[Priority::Low], books.audience.log[Priority::Low])
    };
    assert_eq!(look(&room), (2_500, 10_000));
    room.reconfigure(now, &config(1, 1)).unwrap();
    for left in [(2_500 - 1_024, 10_000 - 4_096), (2_500 - 2 * 1_024, 10_000 - 2 * 4_096), (1, 1)] {
        assert_eq!(look(&room), left);
        assert_eq!(room.poll_timeout().is_some_and(|at| at <= now), left.0 > 1);
        room.handle_timeout(now);
    }
    assert_eq!(look(&room), (1, 1));
}
