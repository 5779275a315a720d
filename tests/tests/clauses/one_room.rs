//! One room a user: A8.

use crate::scene::{ANN, BOB, OWNER};
use roomcast_core::engine::{EngineJoinError, NoSuchRoom};
use roomcast_core::error::{JoinError, SessionEnd};
use roomcast_core::event::{EndReason, Presence};
use roomcast_core::{
    Actor, Budget, Engine, Event, Instant, Join, Joined, Publish, RoomConfig, RoomId, Source,
    UserId,
};

const NOW: Instant = Instant::from_secs(100);

/// An engine of three rooms; the owner of each is user 1,000 and its id.
fn engine() -> Engine<&'static str> {
    let mut engine = Engine::new(10, 0).exclusive_membership();
    for id in 0..3 {
        engine
            .create_room(
                RoomId(id),
                &RoomConfig::builder(UserId(1_000 + id)).sessions(3).build().unwrap(),
            )
            .unwrap();
    }
    engine
}

fn join(
    engine: &mut Engine<&'static str>,
    room: u64,
    user: UserId,
) -> Result<Joined, EngineJoinError> {
    engine.join(NOW, RoomId(room), Join::user(user))
}

/// In which of the rooms a user is.
fn rooms_of(engine: &Engine<&'static str>, user: UserId) -> Vec<u64> {
    (0..3)
        .filter(|&id| engine.room(RoomId(id)).is_ok_and(|room| !room.sessions_of(user).is_empty()))
        .collect()
}

/// The user leaves on all devices, with what they are due.
#[test]
fn a8_joining_another_room_leaves_the_first() {
    let mut engine = engine();
    let (phone, laptop) =
        (join(&mut engine, 0, ANN).unwrap().session, join(&mut engine, 0, ANN).unwrap().session);
    assert_eq!(rooms_of(&engine, ANN), [0], "a second device leaves nothing");
    let _ = engine
        .room_mut(RoomId(0))
        .unwrap()
        .publish(NOW, Publish::new(Source::Host, "due"))
        .unwrap();
    join(&mut engine, 1, ANN).unwrap();
    let _ = engine
        .room_mut(RoomId(0))
        .unwrap()
        .publish(NOW, Publish::new(Source::Host, "too late"))
        .unwrap();
    assert_eq!(rooms_of(&engine, ANN), [1]);
    let mut first = engine.room_mut(RoomId(0)).unwrap();
    for device in [phone, laptop] {
        let batch = first.next_batch(NOW, device, Budget::default()).unwrap().unwrap();
        assert_eq!(
            batch.messages().iter().map(|message| message.payload).collect::<Vec<_>>(),
            ["due"]
        );
        let end = first.next_batch(NOW, device, Budget::default()).unwrap_err();
        assert_eq!(end, SessionEnd::Closed(EndReason::JoinedElsewhere));
    }
    drop(first);
    let mut events = std::iter::from_fn(|| engine.poll_event());
    assert!(events.any(|(id, event)| id == RoomId(0)
        && matches!(event, Event::Presence { presence: Presence::Offline, .. })));
}

#[test]
fn a8_a_join_that_is_refused_leaves_nothing() {
    let mut engine = engine();
    join(&mut engine, 0, ANN).unwrap();
    engine.room_mut(RoomId(1)).unwrap().ban(NOW, Actor::Host, &[ANN], None).unwrap();
    assert!(matches!(
        join(&mut engine, 1, ANN),
        Err(EngineJoinError::Join(JoinError::Banned { .. }))
    ));
    for _ in 0..3 {
        engine.join(NOW, RoomId(2), Join::guest()).unwrap();
    }
    assert_eq!(
        join(&mut engine, 2, ANN),
        Err(EngineJoinError::Join(JoinError::RoomFull { max: 3 }))
    );
    assert_eq!(join(&mut engine, 9, ANN), Err(EngineJoinError::NoSuchRoom(NoSuchRoom(RoomId(9)))));
    assert_eq!(rooms_of(&engine, ANN), [0]);
}

#[test]
fn a8_nobody_is_taken_out_of_a_room_of_his_own() {
    let mut engine = engine();
    let owner = UserId(1_000);
    for room in [0, 1, 2] {
        join(&mut engine, room, owner).unwrap();
    }
    assert_eq!(rooms_of(&engine, owner), [0, 2]);
    // Home again, on a second device.
    join(&mut engine, 0, owner).unwrap();
    assert_eq!(rooms_of(&engine, owner), [0]);
}

/// Such a user has left, or the room is gone.
#[test]
fn a8_who_is_in_no_room_by_now_simply_joins() {
    let mut engine = engine();
    join(&mut engine, 0, ANN).unwrap();
    engine.room_mut(RoomId(0)).unwrap().leave(NOW, ANN).unwrap();
    join(&mut engine, 1, BOB).unwrap();
    engine.remove_room(NOW, RoomId(1)).unwrap();
    for user in [ANN, BOB] {
        join(&mut engine, 2, user).unwrap();
        assert_eq!(rooms_of(&engine, user), [2]);
    }
}

/// Guests may be anywhere in any case.
#[test]
fn a8_only_the_rule_keeps_users_to_one_room() {
    let mut free: Engine<&str> = Engine::new(10, 0);
    let mut ruled = engine();
    for id in 0..3 {
        free.create_room(RoomId(id), &RoomConfig::av_chat_room(OWNER)).unwrap();
        free.join(NOW, RoomId(id), Join::user(ANN)).unwrap();
        ruled.join(NOW, RoomId(id), Join::guest()).unwrap();
    }
    for id in 0..3 {
        assert_eq!(free.room(RoomId(id)).unwrap().sessions_of(ANN).len(), 1);
        assert_eq!(ruled.room(RoomId(id)).unwrap().snapshot(NOW).audience.sessions, 1);
    }
}
