//! A room without sessions expires by itself: the second half of B20.

use crate::scene::{ANN, OWNER, Scene};
use roomcast_core::admission::RoomStatus;
use roomcast_core::error::JoinError;
use roomcast_core::ledger::DropReason;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Engine, Event, Instant, Join, Outcome, Priority, RoomConfig, RoomId, UserId,
};

/// A room that closes after ten minutes without a session, called for the first time.
fn scene() -> Scene {
    let mut scene = Scene::with(|builder| builder.idle_timeout(Some(Duration::from_secs(600))));
    assert!(
        scene.room.poll_timeout().is_some_and(|at| at <= scene.now),
        "it wants to know the time"
    );
    scene.room.handle_timeout(scene.now);
    scene
}

fn state(scene: &Scene) -> RoomStatus {
    scene.room.snapshot(scene.now).admission.state
}

/// It can still be exported.
#[test]
fn b20_a_room_nobody_joins_expires_and_exports() {
    let mut scene = scene();
    scene.room.mute(scene.now, Actor::Host, &[ANN], None).unwrap();
    scene.wait_millis(599_999);
    assert_eq!((state(&scene), scene.events()), (RoomStatus::Open, vec![]));
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_millis(1)));
    scene.wait_millis(1);
    assert_eq!(
        (state(&scene), scene.events()),
        (RoomStatus::Closed, vec![Event::RoomClosed, Event::RoomEnded])
    );
    assert_eq!(scene.room.export(scene.now).mutes.len(), 1);
    assert_eq!(scene.room.join(scene.now, Join::guest()), Err(JoinError::RoomClosed));
    assert_eq!(scene.room.poll_timeout(), None);
    assert!(scene.room.snapshot(scene.now).balances());
}

/// Its time starts when the last session goes.
#[test]
fn b20_a_room_expires_only_after_the_last_session() {
    let mut scene = scene();
    scene.wait_millis(599_999);
    let (ann, guest) = (scene.user(ANN), scene.guest());
    assert_eq!(scene.room.poll_timeout(), None);
    scene.wait_millis(100_000_000);
    assert!(scene.room.close_session(scene.now, ann));
    scene.wait_millis(100_000_000);
    assert!(scene.room.close_session(scene.now, guest));
    scene.wait_millis(599_999);
    // Somebody comes in time, and goes.
    let guest = scene.guest();
    scene.wait_millis(1);
    assert!(scene.room.close_session(scene.now, guest));
    assert!(
        !scene.room.close_session(scene.now + Duration::from_secs(9), guest),
        "who is gone goes no second time"
    );
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_secs(600)));
    scene.now = scene.now + Duration::from_secs(9);
    scene.wait_millis(590_999);
    assert_eq!(state(&scene), RoomStatus::Open);
    scene.wait_millis(1);
    assert_eq!(state(&scene), RoomStatus::Closed);
}

#[test]
fn b20_a_session_in_its_grace_is_still_one() {
    let mut scene = scene();
    scene.user(ANN);
    scene.room.leave(scene.now, ANN).unwrap();
    // Ten seconds of grace, then ten minutes.
    scene.wait_millis(10_000);
    assert_eq!(scene.room.snapshot(scene.now).audience.sessions, 0);
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_secs(600)));
    // Or until the session is told its end.
    let ann = scene.user(ANN);
    scene.room.leave(scene.now, ANN).unwrap();
    scene.now = scene.now + Duration::from_secs(5);
    assert!(scene.next(ann).is_err());
    assert_eq!(scene.room.poll_timeout(), Some(scene.now + Duration::from_secs(600)));
}

#[test]
fn b20_an_expiring_room_drops_and_tells_what_waits() {
    let mut scene = Scene::with(|builder| {
        let slow = builder.rate(1).burst(1).rate_period(Duration::from_secs(10_000));
        slow.idle_timeout(Some(Duration::from_secs(60)))
    });
    scene.room.handle_timeout(scene.now);
    for text in ["out", "waits"] {
        let _ = scene.host(Priority::High, text).unwrap();
    }
    scene.wait_millis(60_000);
    let events = scene.events();
    let dropped = Outcome::Dropped { reason: DropReason::RoomClosed, limit: None, retry_at: None };
    assert!(
        matches!(events[..], [Event::Outcome { outcome, .. }, Event::RoomClosed, Event::RoomEnded] if outcome == dropped)
    );
    assert!(scene.room.snapshot(scene.now).balances());
}

/// The host removes them.
#[test]
fn b20_an_engine_closes_empty_rooms() {
    let mut engine: Engine<&str> = Engine::new(10, 0);
    let config =
        RoomConfig::builder(OWNER).idle_timeout(Some(Duration::from_secs(60))).build().unwrap();
    for id in 0..3 {
        engine.create_room(RoomId(id), &config).unwrap();
    }
    let start = Instant::from_secs(1_000_000);
    assert!(engine.poll_timeout().is_some_and(|at| at <= start));
    engine.handle_timeout(start);
    engine.join(start, RoomId(1), Join::user(UserId(5))).unwrap();
    let end = engine.poll_timeout().unwrap();
    assert_eq!(end, start + Duration::from_secs(60));
    engine.handle_timeout(end);
    let mut ended = Vec::new();
    while let Some((id, event)) = engine.poll_event() {
        if event == Event::RoomEnded {
            assert!(engine.remove_room(end, id).unwrap().balances());
            ended.push(id.0);
        }
    }
    assert_eq!((ended, engine.len(), engine.poll_timeout()), (vec![0, 2], 1, None));
}
