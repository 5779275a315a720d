//! Silent sessions leave: C6.

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::config::Heartbeat;
use roomcast_core::error::SessionEnd;
use roomcast_core::event::{EndReason, Presence, PresenceCause};
use roomcast_core::time::Duration;
use roomcast_core::{Event, Priority, RoomConfig};

/// Silent after 30 s, looked at every 20 s, and out at the first look 50 s after it was found.
const HEARTBEAT: Heartbeat =
    Heartbeat { leave_after: Some(Duration::from_secs(50)), ..Heartbeat::AV_CHAT_ROOM };

/// At an instant of one of its looks.
fn scene() -> Scene {
    let mut scene = Scene::with(|builder| builder.heartbeat(Some(HEARTBEAT)));
    let config = RoomConfig::builder(OWNER).heartbeat(Some(HEARTBEAT)).build().unwrap();
    scene.now = config.first_scan().unwrap() + Duration::from_secs(100);
    scene.room.handle_timeout(scene.now);
    scene
}

fn looks(scene: &mut Scene, count: u64) {
    for _ in 0..count {
        scene.wait_millis(20_000);
    }
}

fn presence(events: Vec<Event>) -> Vec<(Presence, PresenceCause)> {
    let told = |event| match event {
        Event::Presence { presence, cause, .. } => Some((presence, cause)),
        _ => None,
    };
    events.into_iter().filter_map(told).collect()
}

/// Found silent by the second look, out by the third after that.
#[test]
fn c6_a_silent_session_leaves_after_its_time() {
    let mut scene = scene();
    let (ann, guest) = (scene.user(ANN), scene.guest());
    assert_eq!(presence(scene.events()), [(Presence::Online, PresenceCause::Join)]);
    let _ = scene.host(Priority::Normal, "still there?").unwrap();
    looks(&mut scene, 4);
    assert_eq!(scene.room.sessions_of(ANN).to_vec(), [ann], "40 s after it was found silent");
    assert!(!scene.room.is_online(ANN));
    looks(&mut scene, 1);
    assert!(scene.room.sessions_of(ANN).is_empty());
    assert_eq!(
        presence(scene.events()),
        [(Presence::Offline, PresenceCause::HeartbeatInterrupt)],
        "who was offline does not go offline again"
    );
    // It still takes what it was due.
    for session in [ann, guest] {
        assert_eq!(scene.read(session), ["still there?"]);
        assert_eq!(scene.next(session).unwrap_err(), SessionEnd::Closed(EndReason::Silent));
    }
    assert_eq!(scene.room.snapshot(scene.now).audience.sessions, 0);
    assert!(scene.room.snapshot(scene.now).balances());
}

#[test]
fn c6_a_sign_of_life_begins_the_time_anew() {
    let mut scene = scene();
    let ann = scene.user(ANN);
    looks(&mut scene, 4);
    assert!(scene.room.touch(scene.now, ann));
    looks(&mut scene, 4);
    assert_eq!(scene.room.sessions_of(ANN).to_vec(), [ann], "silent again for 40 s");
    looks(&mut scene, 1);
    assert!(scene.room.sessions_of(ANN).is_empty());
}

/// The user stays by another device, and others do.
#[test]
fn c6_only_the_silent_leave() {
    let mut scene = scene();
    let (_phone, laptop, bob) = (scene.user(ANN), scene.user(ANN), scene.user(BOB));
    for _ in 0..5 {
        looks(&mut scene, 1);
        assert!(scene.room.touch(scene.now, laptop) && scene.room.touch(scene.now, bob));
    }
    assert_eq!(scene.room.sessions_of(ANN).to_vec(), [laptop]);
    assert!(scene.room.is_online(ANN));
    for _ in 0..5 {
        looks(&mut scene, 1);
        assert!(scene.room.touch(scene.now, bob));
    }
    assert!(scene.room.sessions_of(ANN).is_empty());
    assert_eq!(scene.room.sessions_of(BOB).to_vec(), [bob]);
}

/// A look that comes late stands for those that were missed.
#[test]
fn c6_a_late_look_lets_go_of_nobody_too_soon() {
    let mut scene = scene();
    let ann = scene.user(ANN);
    scene.wait_millis(3_600_000);
    assert_eq!(scene.room.sessions_of(ANN).to_vec(), [ann], "it has just been found silent");
    looks(&mut scene, 2);
    assert_eq!(scene.room.sessions_of(ANN).to_vec(), [ann]);
    looks(&mut scene, 1);
    assert!(scene.room.sessions_of(ANN).is_empty());
}
