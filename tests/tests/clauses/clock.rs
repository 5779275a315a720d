//! The clock of a room: one call moves it by the largest step at most, and a call that names
//! somebody whom the room does not know moves it not at all (B13).

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::admission::{ReviewDecision, RoomStatus};
use roomcast_core::config::{Heartbeat, ReviewConfig, ReviewTimeout};
use roomcast_core::event::EndReason;
use roomcast_core::ids::{SessionKey, Ticket};
use roomcast_core::level_set::LevelSet;
use roomcast_core::rules::Audiences;
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Admission, Audience, Budget, Direct, Engine, Group, Halves, Handoff, Instant, Join,
    Outcome, PerLevel, Priority, Publish, Recipient, RoomConfig, RoomId, RoomState, SessionId,
    Source, UserId,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn stepping() -> Scene {
    Scene::with(|builder| builder.max_step(Some(HOUR)))
}

/// What time it is in a room: when it sends what is said at the beginning of time.
fn time(room: &mut RoomState<String>) -> Instant {
    let publish = Publish::new(Source::Host, "what time is it?".to_owned());
    match room.publish(Instant::ZERO, publish.priority(Priority::High)).unwrap().outcome {
        Some(Outcome::Dispatched { at, .. }) => at,
        outcome => panic!("the room is not quiet: {outcome:?}"),
    }
}

fn cut(scene: &Scene) -> u64 {
    scene.room.snapshot(scene.now).admission.clock_steps_cut
}

#[test]
fn b13_a_far_call_holds_a_room_up_one_step() {
    let mut scene = stepping();
    let (ann, start) = (scene.user(ANN), scene.now);
    assert_eq!((time(&mut scene.room), cut(&scene)), (start, 0));
    let far = Publish::new(Source::Session(ann), "from far away".to_owned());
    let receipt = scene.room.publish(Instant::MAX, far).unwrap();
    assert!(
        matches!(receipt.outcome, Some(Outcome::Dispatched { at, .. }) if at == start + HOUR),
        "{receipt:?}"
    );
    assert_eq!(cut(&scene), 1);
    // The others are right: time stands still for them until it is there.
    scene.wait_millis(1_000);
    assert_eq!(time(&mut scene.room), start + HOUR);
    scene.wait_millis(3_600_000);
    assert_eq!((time(&mut scene.room), cut(&scene)), (start + HOUR + Duration::from_secs(1), 1));
}

#[test]
fn b13_without_a_largest_step_the_host_is_believed() {
    let mut scene = Scene::new();
    scene.guest();
    scene.room.handle_timeout(Instant::MAX);
    assert_eq!((time(&mut scene.room), cut(&scene)), (Instant::MAX, 0));
    assert_eq!(RoomConfig::default().max_step(), None);
}

#[test]
fn b13_each_kind_of_call_makes_one_step_at_most() {
    type Call = (&'static str, fn(&mut RoomState<String>, SessionId));
    let calls: [Call; 16] = [
        ("join", |room, _| assert!(room.join(Instant::MAX, Join::user(BOB)).is_ok())),
        ("leave", |room, _| assert!(room.leave(Instant::MAX, ANN).is_ok())),
        ("close_session", |room, ann| assert!(room.close_session(Instant::MAX, ann))),
        ("next_batch", |room, ann| {
            assert!(room.next_batch(Instant::MAX, ann, Budget::default()).is_ok());
        }),
        ("touch", |room, ann| assert!(room.touch(Instant::MAX, ann))),
        ("set_masked_levels", |room, ann| {
            assert!(room.set_masked_levels(Instant::MAX, ann, LevelSet::EMPTY));
        }),
        ("send_direct to a session", |room, ann| {
            let direct = Direct::new("to you".to_owned());
            assert!(room.send_direct(Instant::MAX, Recipient::Session(ann), direct).is_ok());
        }),
        ("send_direct to a user", |room, _| {
            let direct = Direct::new("to you".to_owned());
            assert!(room.send_direct(Instant::MAX, Recipient::User(ANN), direct).is_ok());
        }),
        ("kick", |room, _| assert!(room.kick(Instant::MAX, Actor::Host, &[ANN, BOB]).is_ok())),
        ("ban", |room, _| assert!(room.ban(Instant::MAX, Actor::Host, &[ANN], None).is_ok())),
        ("mute", |room, _| assert!(room.mute(Instant::MAX, Actor::Host, &[ANN], None).is_ok())),
        ("sweep", |room, _| {
            let sink = |_, _: roomcast_core::audience::Delivery<'_, String>| Handoff::Taken;
            room.sweep(Instant::MAX, Group::DEFAULT, 0..9, Budget::default(), sink);
        }),
        ("wake", |room, _| _ = room.wake(Instant::MAX)),
        ("handle_timeout", |room, _| room.handle_timeout(Instant::MAX)),
        ("write_attributes", |room, _| {
            assert!(room.write_attributes(Instant::MAX, None, &[("key", Some(b"value"))]).is_ok());
        }),
        ("publish as a sign of life", |room, ann| {
            let publish = Publish::new(Source::Session(ann), "here".to_owned());
            assert!(room.publish(Instant::MAX, publish).is_ok());
        }),
    ];
    for (name, call) in calls {
        let mut scene = Scene::with(|builder| {
            builder.max_step(Some(HOUR)).heartbeat(Some(Heartbeat::AV_CHAT_ROOM))
        });
        let (ann, start) = (scene.user(ANN), scene.now);
        // Two devices, so that a call that deals with both shows.
        scene.user(ANN);
        call(&mut scene.room, ann);
        assert_eq!((time(&mut scene.room), cut(&scene)), (start + HOUR, 1), "{name}");
    }
}

/// A ticket that this room has not given out.
fn of_another_room() -> Ticket {
    let mut review = ReviewConfig::NONE;
    review.levels = PerLevel([true; 4]);
    let mut other = Scene::with(|builder| builder.review(review));
    let ann = other.user(ANN);
    other.say(ann, "may I?").unwrap().review.unwrap()
}

#[test]
fn b13_whom_the_room_does_not_know_moves_no_clock() {
    type Call = (&'static str, fn(&mut RoomState<String>, SessionId));
    let calls: [Call; 14] = [
        ("publish", |room, nobody| {
            let publish = Publish::new(Source::Session(nobody), "who?".to_owned());
            assert!(room.publish(Instant::MAX, publish).is_err());
        }),
        ("close_session", |room, nobody| assert!(!room.close_session(Instant::MAX, nobody))),
        ("next_batch", |room, nobody| {
            assert!(room.next_batch(Instant::MAX, nobody, Budget::default()).is_err());
        }),
        ("touch", |room, nobody| assert!(!room.touch(Instant::MAX, nobody))),
        ("set_masked_levels", |room, nobody| {
            assert!(!room.set_masked_levels(Instant::MAX, nobody, LevelSet::EMPTY));
        }),
        ("send_direct to a session", |room, nobody| {
            let direct = Direct::new("to you".to_owned());
            assert!(room.send_direct(Instant::MAX, Recipient::Session(nobody), direct).is_err());
        }),
        ("send_direct to a user", |room, _| {
            let direct = Direct::new("to you".to_owned());
            assert!(room.send_direct(Instant::MAX, Recipient::User(UserId(99)), direct).is_err());
        }),
        ("leave", |room, _| assert!(room.leave(Instant::MAX, UserId(99)).is_err())),
        ("kick", |room, _| {
            assert!(room.kick(Instant::MAX, Actor::User(UserId(99)), &[ANN]).is_err());
        }),
        ("ban", |room, _| {
            assert!(room.ban(Instant::MAX, Actor::User(UserId(99)), &[ANN], None).is_err());
        }),
        ("mute", |room, _| {
            assert!(room.mute(Instant::MAX, Actor::User(UserId(99)), &[ANN], None).is_err());
        }),
        ("set_admin", |room, _| {
            assert!(room.add_admin(Instant::MAX, Actor::User(UserId(99)), ANN).is_err());
        }),
        ("close", |room, _| {
            assert!(room.close(Instant::MAX, Actor::User(UserId(99))).is_err());
        }),
        ("review", |room, _| {
            assert!(room.review(Instant::MAX, of_another_room(), ReviewDecision::Allow).is_err());
        }),
    ];
    for step in [None, Some(HOUR)] {
        for (name, call) in calls {
            let mut scene = Scene::with(|builder| {
                builder.max_step(step).heartbeat(Some(Heartbeat::AV_CHAT_ROOM))
            });
            let (ann, start) = (scene.user(ANN), scene.now);
            let made_up = SessionKey::from_bits(5 << 32 | 1).in_life(0);
            let of_another_life = ann.key().in_life(9);
            for nobody in [made_up, of_another_life] {
                call(&mut scene.room, nobody);
                assert_eq!((time(&mut scene.room), cut(&scene)), (start, 0), "{name}");
            }
        }
    }
}

#[test]
fn b13_a_stranger_s_call_lets_nothing_fall_due() {
    let mut review = ReviewConfig::NONE;
    review.levels = PerLevel([false, false, true, false]);
    review.on_timeout = ReviewTimeout::Closed;
    let waits = PerLevel([Some(MINUTE); 4]);
    let mut scene =
        Scene::with(|builder| builder.rate(1).burst(1).fresh_within(waits).review(review));
    let (ann, guest) = (scene.user(ANN), scene.guest());
    for text in ["goes out", "waits"] {
        let _ = scene.say(ann, text).unwrap();
    }
    scene.send(ann, Priority::Low, "under review", 7);
    let before = scene.room.snapshot(scene.now).admission.ledger;
    for nobody in [guest, SessionKey::from_bits(5 << 32 | 1).in_life(0)] {
        let publish = Publish::new(Source::Session(nobody), "who?".to_owned());
        assert!(scene.room.publish(Instant::MAX, publish).is_err());
    }
    let after = scene.room.snapshot(scene.now).admission.ledger;
    let waiting = |ledger: roomcast_core::ledger::Ledger| {
        let total = ledger.total();
        (total.dispatched, total.queued, total.under_review)
    };
    assert_eq!((waiting(before), waiting(after)), ((1, 1, 1), (1, 1, 1)));
    assert_eq!(after.total().submitted, before.total().submitted + 2);
}

/// A room that nobody has called for longer cannot tell that from a wrong time: it asks to be called
/// at once, and what was due is done step by step.
#[test]
fn b13_a_room_that_rested_long_catches_up() {
    let mut scene = stepping();
    let ann = scene.user(ANN);
    scene.room.mute(scene.now, Actor::Host, &[ANN], Some(HOUR * 4)).unwrap();
    let later = scene.now + HOUR * 5 + MINUTE;
    assert!(scene.room.next_batch(later, ann, Budget::default()).is_ok());
    let mut calls = 0;
    while let Some(due) = scene.room.poll_timeout() {
        assert!(due <= later, "a call is due at once");
        scene.room.handle_timeout(later);
        calls += 1;
    }
    assert_eq!((calls, time(&mut scene.room), cut(&scene)), (5, later, 5));
    scene.now = later;
    assert!(scene.say(ann, "no more muted").is_ok());
    // One that was astray asks for no call before the time is there.
    scene.room.handle_timeout(Instant::MAX);
    let due = scene.room.poll_timeout().unwrap();
    assert_eq!(due, later + HOUR + Duration::from_nanos(1));
    scene.room.handle_timeout(due);
    assert_eq!(scene.room.poll_timeout(), None);
}

#[test]
fn b13_an_ended_room_asks_for_no_time() {
    let mut scene = stepping();
    scene.room.close(scene.now, Actor::Host).unwrap();
    scene.room.handle_timeout(Instant::MAX);
    assert!(scene.room.is_ended() && scene.room.poll_timeout().is_none());
    assert_eq!(scene.room.snapshot(scene.now).admission.state, RoomStatus::Closed);
}

#[test]
fn b13_another_largest_step_holds_from_the_next_call() {
    let mut scene = stepping();
    let start = scene.now;
    scene.guest();
    let config = RoomConfig::builder(OWNER).max_step(Some(MINUTE)).build().unwrap();
    scene.room.reconfigure(Instant::MAX, &config).unwrap();
    assert_eq!(time(&mut scene.room), start + HOUR);
    scene.room.handle_timeout(Instant::MAX);
    assert_eq!(time(&mut scene.room), start + HOUR + MINUTE);
    scene.room.reconfigure(Instant::MAX, &RoomConfig::builder(OWNER).build().unwrap()).unwrap();
    scene.room.handle_timeout(Instant::MAX);
    assert_eq!(time(&mut scene.room), Instant::MAX);
}

#[test]
fn b13_an_engine_s_rooms_catch_up_by_themselves() {
    let mut engine: Engine<String> = Engine::new(10, 0);
    let config = RoomConfig::builder(OWNER).max_step(Some(HOUR)).build().unwrap();
    let start = Instant::from_secs(100);
    for id in 0..2 {
        engine.create_room(RoomId(id), &config).unwrap();
        engine.room_mut(RoomId(id)).unwrap().join(start, Join::guest()).unwrap();
    }
    engine.room_mut(RoomId(0)).unwrap().handle_timeout(Instant::MAX);
    let later = start + HOUR * 9;
    engine.handle_timeout(later);
    let times = [0, 1].map(|id| time(&mut engine.room_mut(RoomId(id)).unwrap()));
    assert_eq!((times, engine.poll_timeout()), ([later, start], None));
}

/// Two audiences and an admission, each for itself.
struct Parts(ShardIndex, Vec<Audience<String>>);

impl Audiences<String> for Parts {
    fn part(&self) -> ShardIndex {
        self.0
    }

    fn at(&mut self, index: u32) -> Option<&mut Audience<String>> {
        self.1.get_mut(index as usize)
    }

    fn held<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Audience<String>>
    where
        String: 'a,
    {
        self.1.iter_mut()
    }

    fn are_all_held(&self) -> bool {
        true
    }

    fn catch_up(&mut self, admission: &mut Admission<String>) {
        for audience in &mut self.1 {
            audience.take_over(admission.hand_over(audience.applied()));
        }
    }
}

#[test]
fn b13_the_halves_of_a_room_have_one_clock() {
    let config = RoomConfig::builder(OWNER).max_step(Some(HOUR)).grace(MINUTE).build().unwrap();
    let sharding = roomcast_core::Sharding::new(2, 1).unwrap();
    let mut admission = Admission::new(&config);
    let audience = |index| Audience::shard(&config, sharding.part(index), PerLevel::default());
    let mut parts = Parts(sharding.part(0), vec![audience(0), audience(1)]);
    let start = Instant::from_secs(100);
    let mut halves = Halves::new(&mut admission, &mut parts);
    let ann = halves.join(start, &mut Join::user(ANN), 0).unwrap().session;
    let bob = halves.join(start, &mut Join::user(BOB), 1).unwrap().session;
    assert!(halves.touch(start, ann) && halves.touch(start, bob));
    // The admission alone is called for hours, an audience is not.
    let mut now = start;
    for _ in 0..5 {
        now = now + HOUR;
        halves.admission.handle_timeout(now);
    }
    halves.kick(now, Actor::Host, &[ANN]).unwrap();
    // Its grace counts from then.
    halves.handle_timeout(now + Duration::from_nanos(59_999_999_999));
    assert!(halves.audiences.1[0].deliveries(ann).is_some(), "still in its grace");
    halves.handle_timeout(now + MINUTE);
    assert!(halves.audiences.1[0].deliveries(ann).is_none());
    // A call that is far off moves both by a step, and those of an audience alone as well.
    assert!(halves.touch(Instant::MAX, bob));
    let cut = |halves: &Halves<'_, String, Parts>| {
        let of_audiences = halves.audiences.1.iter().map(Audience::snapshot);
        let of_audiences = of_audiences.map(|books| books.clock_steps_cut).sum::<u64>();
        (halves.admission.snapshot(Instant::ZERO).clock_steps_cut, of_audiences)
    };
    assert_eq!(cut(&halves), (1, 0));
    let at = now + MINUTE + HOUR;
    let publish = Publish::new(Source::Host, "now".to_owned());
    let receipt = halves.admission.publish(Instant::ZERO, publish).unwrap();
    assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { at: sent, .. }) if sent == at));
    halves.audiences.1[1].end(Instant::MAX, bob, EndReason::Left);
    assert_eq!(cut(&halves), (1, 1));
    halves.audiences.1[1].handle_timeout(at + HOUR + MINUTE);
    assert!(halves.audiences.1[1].deliveries(bob).is_none(), "one step, and its grace");
    // Strangers move nothing in either.
    let nobody = SessionKey::from_bits(5 << 32 | 1).in_life(0);
    assert!(!halves.touch(Instant::MAX, nobody) && !halves.close_session(Instant::MAX, nobody));
    halves.admission.gone(Instant::MAX, nobody.key().in_life(9));
    halves.admission.remove_session(Instant::MAX, nobody);
    halves.audiences.1[1].end(Instant::MAX, nobody, EndReason::Left);
    assert!(!halves.audiences.1[1].touch(Instant::MAX, nobody));
    assert_eq!(cut(&halves), (1, 1));
}
