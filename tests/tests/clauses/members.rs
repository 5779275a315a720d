//! Who is in: A1 to A4, A6.

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::error::{CloseError, JoinError, LeaveError, SessionEnd};
use roomcast_core::event::{EndReason, Presence, PresenceCause};
use roomcast_core::ids::SessionKind;
use roomcast_core::ledger::{DropReason, RefusalReason};
use roomcast_core::rights::{Action, NotAllowed, Rule};
use roomcast_core::{
    Actor, Audience, Engine, Event, Group, Instant, Join, Outcome, Priority, RoomConfig, RoomId,
    RoomState, Sharding, UserId,
};

/// The join takes effect at once.
#[test]
fn a1_anyone_joins_an_open_room_once_a_session() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    scene.guest();
    let again = scene.room.join(scene.now, Join::user(ANN).on(ann));
    assert_eq!(again, Err(JoinError::AlreadyJoined { session: ann }));
    let mut single = Scene::with(|builder| builder.sessions_per_user(1));
    let ann = single.user(ANN);
    let again = single.room.join(single.now, Join::user(ANN).on(ann));
    assert_eq!(
        again,
        Err(JoinError::AlreadyJoined { session: ann }),
        "that is asked before how many sessions a user has"
    );
    assert_eq!(scene.room.snapshot(scene.now).audience.sessions, 2);
}

#[test]
fn a1_no_such_room_is_an_error() {
    let mut engine: Engine<&str> = Engine::new(10, 0);
    engine.create_room(RoomId(5), &RoomConfig::av_chat_room(OWNER)).unwrap();
    assert!(engine.room_mut(RoomId(5)).is_ok());
    assert!(engine.room_mut(RoomId(6)).is_err());
}

#[test]
fn a2_no_limit_on_members_but_the_configured_one() {
    let mut room: RoomState<&str> =
        RoomState::new(&RoomConfig::builder(OWNER).sessions(30_000).build().unwrap());
    for _ in 0..30_000 {
        room.join(Instant::ZERO, Join::guest()).unwrap();
    }
    assert_eq!(room.join(Instant::ZERO, Join::guest()), Err(JoinError::RoomFull { max: 30_000 }));
}

#[test]
fn a2_a_room_takes_millions_by_default() {
    let mut audience: Audience<&str> = Audience::new(&RoomConfig::av_chat_room(OWNER));
    for _ in 0..100_000 {
        audience.join(SessionKind::Guest, Group::default(), None).unwrap();
    }
    let config = RoomConfig::builder(OWNER);
    assert!(
        config.sessions(1 << 26).build() == RoomConfig::builder(OWNER).build(),
        "67 million is the default"
    );
}

/// A guest may not speak and is no user.
#[test]
fn a3_a_guest_receives_without_a_say_or_a_user() {
    let mut scene = Scene::new();
    let (guest, ann) = (scene.guest(), scene.user(ANN));
    scene.events();
    let refused = scene.say(guest, "hello").unwrap_err();
    assert_eq!((refused.reason, refused.payload.as_str()), (RefusalReason::Guest, "hello"));
    let _ = scene.say(ann, "welcome").unwrap();
    assert_eq!(scene.read(guest), ["welcome"]);
    let snapshot = scene.room.snapshot(scene.now);
    assert_eq!((snapshot.admission.users, snapshot.audience.sessions), (1, 2));
    assert!(scene.room.close_session(scene.now, guest));
    assert_eq!(scene.events(), []);
}

/// The owner cannot leave, and nobody else may close the room.
#[test]
fn a4_the_owner_stays_and_closes_as_the_host_may() {
    let mut scene = Scene::new();
    scene.user(OWNER);
    scene.user(ANN);
    assert_eq!(
        scene.room.leave(scene.now, OWNER),
        Err(LeaveError::OwnerCannotLeave { owner: OWNER })
    );
    let not_allowed = CloseError::from(NotAllowed {
        actor: Some(ANN),
        action: Action::Close,
        target: None,
        rule: Rule::OwnerOnly,
    });
    assert_eq!(scene.room.close(scene.now, Actor::User(ANN)), Err(not_allowed));
    assert_eq!(scene.room.close(scene.now, Actor::User(OWNER)), Ok(()));
    assert_eq!(scene.room.close(scene.now, Actor::Host), Err(CloseError::AlreadyClosed));
}

/// It drops what waits, hands out what is due, then says why.
#[test]
fn a4_a_close_drops_hands_out_and_says_why() {
    let mut scene = Scene::busy(|builder| builder);
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    scene.events();
    scene.wait_millis(1_000);
    let _ = scene.say(ann, "out").unwrap();
    scene.send(ann, Priority::Normal, "waits", 5);
    scene.room.close(scene.now, Actor::Host).unwrap();

    assert_eq!(scene.say(ann, "late").unwrap_err().reason, RefusalReason::RoomClosed);
    assert_eq!(scene.room.join(scene.now, Join::guest()), Err(JoinError::RoomClosed));
    assert_eq!(scene.read(bob), ["out"]);
    assert_eq!(scene.next(bob).unwrap_err(), SessionEnd::Closed(EndReason::RoomClosed));
    assert_eq!(scene.next(bob).unwrap_err(), SessionEnd::NoSession(bob));

    let events = scene.events();
    let dropped = Outcome::Dropped { reason: DropReason::RoomClosed, limit: None, retry_at: None };
    assert!(matches!(events[0], Event::Outcome { outcome, .. } if outcome == dropped));
    assert_eq!(events[1..], [Event::RoomClosed]);
    // Nobody fetches the other one's: after the grace it is gone too.
    scene.wait_millis(9_999);
    assert_eq!(scene.room.snapshot(scene.now).audience.sessions, 1);
    scene.wait_millis(1);
    assert_eq!(scene.events(), [Event::RoomEnded]);
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn a6_online_is_the_first_session_offline_the_last() {
    let mut scene = Scene::new();
    let (phone, laptop) = (scene.user(ANN), scene.user(ANN));
    let online = Event::Presence {
        user: ANN,
        presence: Presence::Online,
        cause: PresenceCause::Join,
        folded: 0,
    };
    assert_eq!(scene.events(), [online]);
    assert!(scene.room.close_session(scene.now, phone));
    assert_eq!(scene.events(), []);
    assert_eq!(scene.say(phone, "gone").unwrap_err().reason, RefusalReason::NotMember);
    assert!(scene.say(laptop, "still here").is_ok());
    assert!(scene.room.close_session(scene.now, laptop));
    let offline = Event::Presence {
        user: ANN,
        presence: Presence::Offline,
        cause: PresenceCause::Quit,
        folded: 0,
    };
    assert_eq!(scene.events().last(), Some(&offline));
}

/// Leaving takes all devices out.
#[test]
fn a6_leaving_hands_every_device_its_due_first() {
    let mut scene = Scene::new();
    let (phone, laptop, bob) = (scene.user(ANN), scene.user(ANN), scene.user(BOB));
    let _ = scene.say(bob, "bye").unwrap();
    scene.room.leave(scene.now, ANN).unwrap();
    let _ = scene.say(bob, "too late").unwrap();
    for device in [phone, laptop] {
        assert_eq!(scene.read(device), ["bye"]);
        assert_eq!(scene.next(device).unwrap_err(), SessionEnd::Closed(EndReason::Left));
    }
    assert_eq!(scene.room.leave(scene.now, ANN), Err(LeaveError::NotMember { user: ANN }));
    let snapshot = scene.room.snapshot(scene.now);
    assert_eq!((snapshot.admission.users, snapshot.audience.sessions), (1, 1));
}

/// Whoever ends already has no claim to a place that somebody wants.
#[test]
fn a2_who_ends_gives_way_in_a_full_room() {
    for shards in [1, 4] {
        let config = RoomConfig::builder(OWNER).sessions(4).build().unwrap();
        let room = RoomState::sharded(&config, Sharding::new(shards, 1).unwrap());
        let mut scene = Scene { room, now: Instant::from_secs(100) };
        let others = [BOB, UserId(20), UserId(21)].map(|user| scene.user(user));
        let mut ann = scene.user(ANN);
        for _ in 0..20 {
            let _ = scene.host(Priority::High, "unread").unwrap();
            scene.room.leave(scene.now, ANN).unwrap();
            // Nothing was read, and the grace has not ended.
            let again = scene.user(ANN);
            assert_eq!(scene.next(ann).unwrap_err(), SessionEnd::NoSession(ann));
            ann = again;
            assert_eq!(scene.room.snapshot(scene.now).audience.sessions, 4);
        }
        assert!(others.iter().all(|&session| scene.room.deliveries(session).is_some()));
        // Of several the one that would be gone first; nobody else.
        scene.room.leave(scene.now, BOB).unwrap();
        scene.wait_millis(1);
        scene.room.leave(scene.now, ANN).unwrap();
        scene.guest();
        assert!(scene.room.deliveries(others[0]).is_none() && scene.room.deliveries(ann).is_some());
        scene.guest();
        assert!(scene.room.deliveries(ann).is_none());
        let full = Err(JoinError::RoomFull { max: 4 });
        assert_eq!(scene.room.join(scene.now, Join::guest()), full);
        assert!(scene.room.snapshot(scene.now).balances());
    }
}

/// A join that fails for another reason takes nobody's place.
#[test]
fn a2_only_who_comes_in_takes_a_place() {
    let mut scene = Scene::with(|builder| builder.sessions(1).profile_bytes(3));
    let ann = scene.user(ANN);
    scene.room.leave(scene.now, ANN).unwrap();
    let join = Join::user(BOB).profile("far too long".to_owned());
    let error = scene.room.join(scene.now, join).unwrap_err();
    assert_eq!(error, JoinError::ProfileTooLarge { size: 12, max: 3 });
    assert_eq!(scene.next(ann).unwrap_err(), SessionEnd::Closed(EndReason::Left));
}

/// Whoever leaves then goes for the reason that all go for.
#[test]
fn a4_leaving_a_closed_room_keeps_its_reason() {
    let mut scene = Scene::new();
    let (ann, bob) = (scene.user(ANN), scene.user(BOB));
    let _ = scene.host(Priority::High, "unread").unwrap();
    scene.room.close(scene.now, Actor::Host).unwrap();
    scene.wait_millis(9_999);
    scene.room.leave(scene.now, ANN).unwrap();
    scene.room.leave_for_another(scene.now, BOB).unwrap();
    for session in [ann, bob] {
        assert_eq!(scene.read(session), ["unread"]);
        assert_eq!(scene.next(session).unwrap_err(), SessionEnd::Closed(EndReason::RoomClosed));
    }
    assert!(scene.room.is_ended());
}
