//! The lives of a room: an id, or a token, of another life names nobody, though every other bit of
//! it is right (B23).

use crate::scene::{ANN, BOB, Scene};
use roomcast_core::PerLevel;
use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::direct::DirectReason;
use roomcast_core::error::{JoinError, SessionEnd};
use roomcast_core::event::StartPosition;
use roomcast_core::ids::Seq;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::{ResumeToken, TokenAt};
use roomcast_core::time::Duration;
use roomcast_core::{
    Budget, Direct, Engine, Instant, Join, Joined, Priority, Publish, Recipient, RoomConfig,
    RoomId, RoomState, SessionId, Sharding, Source, UserId,
};

const LIFE: u64 = 7;

/// A room in this life.
fn scene(life: u64, change: impl FnOnce(RoomConfigBuilder) -> RoomConfigBuilder) -> Scene {
    let Scene { room, now } = Scene::with(change);
    Scene { room: room.with_life(life), now }
}

/// Where Ann starts with a token.
fn back(scene: &mut Scene, token: &ResumeToken) -> Joined {
    scene.room.join(scene.now, Join::user(ANN).resume(token.clone())).unwrap()
}

#[test]
fn b23_an_id_of_another_life_names_nobody() {
    let mut before = scene(LIFE, |builder| builder.heartbeat(None));
    let (old_ann, old_guest) = (before.user(ANN), before.guest());
    // The room is made anew, and others come first.
    let mut scene = scene(LIFE + 1, |builder| builder);
    let (bob, guest) = (scene.user(BOB), scene.guest());
    assert_eq!((old_ann.key(), old_guest.key()), (bob.key(), guest.key()));
    assert_eq!((old_ann.life(), bob.life(), scene.room.life()), (LIFE, LIFE + 1, LIFE + 1));
    let _ = scene.host(Priority::Normal, "for Bob").unwrap();
    let (now, room) = (scene.now, &mut scene.room);
    let mutes_before = room.masked_levels(bob);
    for old in [old_ann, old_guest] {
        let publish = Publish::new(Source::Session(old), "as Bob".to_owned());
        assert_eq!(room.publish(now, publish).unwrap_err().reason, RefusalReason::NotMember);
        assert!(!room.touch(now, old) && !room.close_session(now, old));
        assert!(!room.set_masked_levels(now, old, Priority::ALL.into_iter().collect()));
        assert_eq!((room.masked_levels(old), room.deliveries(old)), (None, None));
        for at in [TokenAt::HandedOver, TokenAt::Acknowledged] {
            assert_eq!(room.resume_token_at(now, old, at), None);
        }
        assert!(!room.ack(old, Priority::Normal, Seq(1)));
        let batch = room.next_batch(now, old, Budget::default());
        assert_eq!(batch.unwrap_err(), SessionEnd::NoSession(old));
        let to = Recipient::Session(old);
        let refused =
            room.send_direct(now, to, Direct::new("to Bob".to_owned()).priority(Priority::High));
        assert_eq!(refused.unwrap_err().reason, DirectReason::NoRecipient { to });
        // The connection had a session of another room: it joins as a new one.
        let joined = room.join(now, Join::guest().on(old)).unwrap();
        assert!(room.close_session(now, joined.session));
    }
    assert_eq!((room.masked_levels(bob), mutes_before), (Some(LevelSet::EMPTY), mutes_before));
    assert_eq!(
        room.join(now, Join::user(BOB).on(bob)),
        Err(JoinError::AlreadyJoined { session: bob })
    );
    assert_eq!(
        (scene.read(bob), scene.read(guest)),
        (vec!["for Bob".into()], vec!["for Bob".into()])
    );
    assert!(scene.room.snapshot(now).balances());
}

#[test]
fn b23_an_edge_of_another_life_owns_nothing() {
    let mut scene = scene(LIFE, |builder| builder);
    let bob = scene.user(BOB);
    let forward = |life| Source::Edge { user: ANN, session: Some(bob.key().in_life(life)) };
    let _ = scene.publish(Publish::new(forward(LIFE - 1), "Ann's".to_owned())).unwrap();
    let _ = scene.publish(Publish::new(forward(LIFE), "his own".to_owned())).unwrap();
    assert_eq!(scene.read(bob), ["Ann's"]);
}

#[test]
fn b23_a_token_of_another_life_starts_as_unknown() {
    let resumes = |builder: RoomConfigBuilder| builder.resume_within(Duration::from_secs(60));
    let mut before = scene(LIFE, resumes);
    let ann = before.user(ANN);
    let token = before.room.resume_token(before.now, ann).unwrap();
    for replay in [0, 1] {
        let mut scene = scene(LIFE + 1, |builder| resumes(builder).replay_on_join(replay));
        let bob = scene.user(BOB);
        assert_eq!(token.session.key(), bob.key());
        for text in ["one", "two"] {
            let _ = scene.host(Priority::Normal, text).unwrap();
        }
        // Bob is in, and no one has joined already; the positions would fit, and mean nothing.
        let joined = back(&mut scene, &token);
        assert_eq!(joined.start, StartPosition::Unknown);
        let (expected, after): (&[&str], u64) = if replay == 0 { (&[], 2) } else { (&["two"], 1) };
        assert_eq!((scene.read(joined.session), joined.starts_after.0), (texts(expected), after));
        // However old or far ahead: nothing more is known of it.
        let odd =
            ResumeToken { positions: PerLevel([9; 4]), taken_at: Instant::ZERO, ..token.clone() };
        assert_eq!(back(&mut scene, &odd).start, StartPosition::Unknown);
        // A token of this life is one.
        let token = scene.room.resume_token(scene.now, bob).unwrap();
        assert!(scene.room.close_session(scene.now, bob));
        assert_eq!(back(&mut scene, &token).start, StartPosition::Resumed);
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn b23_all_shards_are_in_the_rooms_life() {
    let config = RoomConfig::builder(UserId(1)).sessions(4_096).build().unwrap();
    let now = Instant::from_secs(1);
    let sharded = || RoomState::<&str>::sharded(&config, Sharding::new(2, 1).unwrap());
    let (mut room, other) = (sharded().with_life(LIFE), sharded().with_life(LIFE + 1));
    let sessions: Vec<SessionId> =
        (2..6).map(|user| room.join(now, Join::user(UserId(user))).unwrap().session).collect();
    assert!(sessions.iter().any(|session| session.slot() >= 1_024), "it has a second shard");
    assert!(sessions.iter().all(|session| session.life() == LIFE));
    for (session, user) in sessions.iter().zip(2..) {
        assert_eq!(room.sessions_of(UserId(user))[..], [*session]);
    }
    room.import(now, other.export(now)).unwrap();
    assert_eq!((room.life(), room.snapshot(now).admission.life), (LIFE, LIFE));
    assert!(sessions.iter().all(|&session| room.touch(now, session)));
}

#[test]
fn b23_an_engine_gives_each_room_a_life_of_its_own() {
    let mut engine: Engine<&str> = Engine::new(10, 0).with_lives_from(LIFE);
    let config = RoomConfig::av_chat_room(UserId(1));
    let mut lives = Vec::new();
    for id in [1, 2, 1] {
        let _ = engine.remove_room(Instant::ZERO, RoomId(id));
        engine.create_room(RoomId(id), &config).unwrap();
        lives.push(engine.room(RoomId(id)).unwrap().life());
    }
    assert_eq!(lives, [LIFE, LIFE + 1, LIFE + 2]);
}
