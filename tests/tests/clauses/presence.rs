//! Who is online: A7, A12.

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::config::Heartbeat;
use roomcast_core::error::SessionEnd;
use roomcast_core::event::{Presence, PresenceCause};
use roomcast_core::ledger::RefusalReason;
use roomcast_core::member::MemberList;
use roomcast_core::rights::Role;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Event, Instant, Publish, RoomConfig, RoomState, SessionId, Source, UserId,
};

const SILENCE: u64 = 30_000;

/// A room that looks for silent sessions as an `AVChatRoom` does, at an instant of one of its
/// looks.
fn scene() -> Scene {
    let mut scene = Scene::with(|builder| builder.heartbeat(Some(Heartbeat::AV_CHAT_ROOM)));
    let config =
        RoomConfig::builder(OWNER).heartbeat(Some(Heartbeat::AV_CHAT_ROOM)).build().unwrap();
    scene.now = config.first_scan().unwrap() + Duration::from_secs(100);
    scene.room.handle_timeout(scene.now);
    scene
}

fn offline(user: UserId, cause: PresenceCause) -> Event {
    Event::Presence { user, presence: Presence::Offline, cause, folded: 0 }
}

fn online(user: UserId, cause: PresenceCause) -> Event {
    Event::Presence { user, presence: Presence::Online, cause, folded: 0 }
}

/// Sessions and users online.
fn counts(scene: &Scene) -> (u32, u32) {
    let snapshot = scene.room.snapshot(scene.now);
    (snapshot.audience.online, snapshot.admission.online)
}

/// Who has not read the end by then is counted no more.
#[test]
fn a12_the_unread_end_counts_until_the_grace_is_over() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    scene.room.close(scene.now, Actor::Host).unwrap();
    let users = |scene: &Scene| {
        let snapshot = scene.room.snapshot(scene.now).admission;
        (snapshot.users, snapshot.online, snapshot.user_sessions)
    };
    assert_eq!((users(&scene), scene.room.sessions_of(ANN).to_vec()), ((1, 1, 1), vec![ann]));
    scene.wait_millis(10_000);
    assert!(scene.room.is_ended() && !scene.room.is_online(ANN));
    assert_eq!((users(&scene), scene.room.sessions_of(ANN).to_vec()), ((0, 0, 0), vec![]));
}

/// They go offline at the next look.
#[test]
fn a7_the_silent_go_offline_until_a_sign_of_life() {
    let mut scene = scene();
    let ann = scene.user(ANN);
    assert_eq!(scene.events(), [online(ANN, PresenceCause::Join)]);
    // Silent for 30 s: found at the second look, after 40 s.
    scene.wait_millis(39_999);
    assert_eq!((scene.events(), scene.room.is_online(ANN)), (vec![], true));
    scene.wait_millis(1);
    assert_eq!(
        (scene.events(), scene.room.is_online(ANN)),
        (vec![offline(ANN, PresenceCause::HeartbeatInterrupt)], false)
    );
    assert_eq!(scene.room.poll_timeout(), None, "nobody is left to look at");
    // She is still in, and gets what is said.
    let _ = scene.host(roomcast_core::Priority::Normal, "still there?").unwrap();
    assert_eq!(scene.read(ann), ["still there?"]);
    assert!(!scene.room.is_online(ANN), "to be read to is no sign of life");
    assert!(scene.room.touch(scene.now, ann));
    assert_eq!(
        (scene.events(), scene.room.is_online(ANN)),
        (vec![online(ANN, PresenceCause::HeartbeatRecover)], true)
    );
    assert!(scene.room.poll_timeout().is_some());
}

/// One nanosecond less is none.
#[test]
fn a7_silence_is_thirty_seconds_to_the_nanosecond() {
    for (early, is_silent) in [(0, true), (1, false)] {
        let mut scene = scene();
        let look = scene.now + Duration::from_secs(40);
        scene.now = Instant::from_nanos(look.as_nanos() - SILENCE * 1_000_000 + early);
        let ann = scene.user(ANN);
        scene.now = look;
        scene.room.handle_timeout(look);
        assert_eq!(scene.room.is_online(ANN), !is_silent);
        assert!(scene.room.touch(look, ann));
    }
}

#[test]
fn a7_even_a_refused_publish_is_a_sign_of_life() {
    let mut scene = scene();
    let (ann, guest) = (scene.user(ANN), scene.guest());
    for _ in 0..10 {
        scene.wait_millis(20_000);
        let _ = scene.say(ann, "here").unwrap();
        assert_eq!(scene.say(guest, "me too").unwrap_err().reason, RefusalReason::Guest);
    }
    assert_eq!(counts(&scene), (2, 1));
    scene.wait_millis(SILENCE + 10_000);
    assert_eq!(counts(&scene), (0, 0));
    scene.events();
    let _ = scene.say(ann, "back").unwrap();
    assert_eq!(counts(&scene), (1, 1));
    assert_eq!(scene.events(), [online(ANN, PresenceCause::HeartbeatRecover)]);
}

/// That is, once all of the user's sessions are.
#[test]
fn a7_a_user_is_offline_when_all_are_silent() {
    let mut scene = scene();
    let (phone, laptop) = (scene.user(ANN), scene.user(ANN));
    scene.events();
    scene.wait_millis(30_000);
    assert!(scene.room.touch(scene.now, laptop));
    scene.wait_millis(10_000);
    assert_eq!((scene.events(), counts(&scene)), (vec![], (1, 1)));
    // The session that is not silent goes: that takes her offline.
    assert!(scene.room.close_session(scene.now, laptop));
    assert_eq!((scene.events(), counts(&scene)), (vec![offline(ANN, PresenceCause::Quit)], (0, 0)));
    // The silent one goes, too: she was offline already.
    assert!(scene.room.close_session(scene.now, phone));
    assert_eq!((scene.events(), scene.room.snapshot(scene.now).admission.users), (vec![], 0));
}

/// The join is on another device; a silent user who leaves is not told twice.
#[test]
fn a7_a_silent_user_comes_by_a_join_and_leaves_once() {
    let mut scene = scene();
    scene.user(ANN);
    scene.user(BOB);
    scene.wait_millis(40_000);
    scene.events();
    scene.user(ANN);
    assert_eq!((scene.events(), counts(&scene)), (vec![online(ANN, PresenceCause::Join)], (1, 1)));
    scene.room.leave(scene.now, BOB).unwrap();
    assert_eq!((scene.events(), scene.room.snapshot(scene.now).admission.users), (vec![], 1));
    scene.room.leave(scene.now, ANN).unwrap();
    assert_eq!(scene.events(), [offline(ANN, PresenceCause::Quit)]);
}

/// Otherwise silent sessions are not told from others.
#[test]
fn a7_silence_is_told_only_where_configured() {
    let mut scene = Scene::new();
    let ann = scene.user(ANN);
    scene.events();
    scene.wait_millis(1_000_000_000);
    assert_eq!((scene.events(), counts(&scene), scene.room.poll_timeout()), (vec![], (1, 1), None));
    assert!(scene.room.touch(scene.now, ann));
    assert!(!scene.room.touch(scene.now, SessionId::from_bits(99)), "nobody has that session");
}

/// The host is hours late, and finds nobody who has just shown life.
#[test]
fn a7_a_late_host_finds_all_the_silent_at_once() {
    let mut scene = scene();
    let (ann, _) = (scene.user(ANN), scene.user(BOB));
    scene.events();
    scene.now = scene.now + Duration::from_secs(36_000);
    assert!(scene.room.touch(scene.now, ann));
    scene.room.handle_timeout(scene.now);
    assert_eq!(scene.events(), [offline(BOB, PresenceCause::HeartbeatInterrupt)]);
    // So late that her sign of life counts from that look on.
    scene.wait_millis(SILENCE - 1);
    assert_eq!(counts(&scene), (1, 1));
    scene.wait_millis(20_001);
    assert_eq!(counts(&scene), (0, 0));
}

/// An ended session shows no life.
#[test]
fn a7_an_empty_room_has_no_timer() {
    let mut scene = scene();
    assert_eq!(scene.room.poll_timeout(), None);
    let ann = scene.user(ANN);
    assert!(scene.room.poll_timeout().is_some());
    scene.room.leave(scene.now, ANN).unwrap();
    assert!(!scene.room.touch(scene.now, ann));
    assert_eq!(
        scene.room.poll_timeout(),
        Some(scene.now + Duration::from_secs(10)),
        "only her grace"
    );
    assert!(matches!(scene.next(ann), Err(SessionEnd::Closed(_))));
    assert_eq!(scene.room.poll_timeout(), None);
}

/// Guests count as audience.
#[test]
fn a12_the_online_count_is_exact_at_any_time() {
    let mut scene = scene();
    let guests: Vec<SessionId> = (0..5).map(|_| scene.guest()).collect();
    for user in 0..7 {
        scene.user(UserId(100 + user));
    }
    assert_eq!(counts(&scene), (12, 7));
    scene.wait_millis(39_999);
    for &guest in &guests[..2] {
        assert!(scene.room.touch(scene.now, guest));
    }
    let publish =
        Publish::new(Source::Session(scene.user(UserId(100))), "on a second device".to_owned());
    let _ = scene.publish(publish).unwrap();
    assert_eq!(counts(&scene), (13, 7));
    scene.wait_millis(1);
    let snapshot = scene.room.snapshot(scene.now);
    assert_eq!(
        (counts(&scene), snapshot.audience.sessions, snapshot.admission.users),
        ((3, 1), 13, 7)
    );
}

/// A room of many takes several calls.
#[test]
fn a12_one_call_finds_a_bounded_number_of_silent() {
    let config = RoomConfig::builder(OWNER)
        .heartbeat(Some(Heartbeat::AV_CHAT_ROOM))
        .presence_events(1 << 20)
        .build()
        .unwrap();
    let mut room: RoomState<&str> = RoomState::new(&config);
    let start = config.first_scan().unwrap() + Duration::from_secs(20);
    room.handle_timeout(start);
    for user in 0..20_000 {
        room.join(start, roomcast_core::Join::user(UserId(user))).unwrap();
    }
    let at = start + Duration::from_secs(40);
    assert_eq!(room.poll_timeout(), Some(start + Duration::from_secs(20)));
    let (mut calls, mut offline) = (0, 0);
    while room.poll_timeout().is_some_and(|due| due <= at) {
        let before = room.snapshot(at).admission.online;
        room.handle_timeout(at);
        let found = before - room.snapshot(at).admission.online;
        assert!(found <= 1_024, "{found} in one call");
        calls += 1;
    }
    while let Some(event) = room.poll_event() {
        offline += u32::from(matches!(
            event,
            Event::Presence { presence: Presence::Offline, folded: 1, .. }
        ));
    }
    assert_eq!((offline, room.snapshot(at).audience.online), (20_000, 0));
    assert!(calls <= 25, "{calls} calls");
}

/// They are the last arrivals.
#[test]
fn a12_the_newest_users_are_the_last_still_online() {
    let mut scene =
        Scene::with(|builder| builder.recent_users(3).heartbeat(Some(Heartbeat::AV_CHAT_ROOM)));
    let ids =
        |scene: &Scene| scene.room.recent_users().iter().map(|user| user.0).collect::<Vec<_>>();
    let sessions: Vec<SessionId> = (0..5).map(|user| scene.user(UserId(user))).collect();
    scene.guest();
    assert_eq!(ids(&scene), [4, 3, 2], "no more than it remembers, and no guest");
    scene.user(UserId(0));
    assert_eq!(ids(&scene), [4, 3, 2], "a second device is no arrival");
    assert!(scene.room.close_session(scene.now, sessions[3]));
    assert_eq!(ids(&scene), [4, 2], "it does not reach further back for who has gone");
    scene.user(UserId(3));
    scene.wait_millis(60_000);
    assert_eq!(ids(&scene), [] as [u64; 0], "silent users are not online");
    assert!(scene.room.touch(scene.now, sessions[4]));
    assert_eq!(ids(&scene), [4]);
    scene.user(UserId(4));
    scene.user(UserId(3));
    assert_eq!(ids(&scene), [3, 4], "each once, as of the last arrival");
}

/// With when they came, what they are, their profile and their mark; and by role and by mark, in
/// the room and online.
#[test]
fn a12_members_are_listed_by_role_and_by_mark() {
    let mut scene =
        Scene::with(|builder| builder.recent_users(3).heartbeat(Some(Heartbeat::AV_CHAT_ROOM)));
    let [first, second, third, away] = [4, 5, 6, 7].map(UserId);
    let ids = |scene: &Scene, list| {
        scene.room.members(list).iter().map(|member| member.user.0).collect::<Vec<_>>()
    };
    let began = scene.now;
    for user in [OWNER, first, second, third] {
        scene.user(user);
        scene.wait_millis(1_000);
    }
    let now = scene.now;
    for user in [away, third, first] {
        scene.room.add_admin(now, Actor::Host, user).unwrap();
    }
    scene.room.mark(now, Actor::Host, &[second, away, first]).unwrap();
    scene.room.set_profile(second, Some("Sue".to_owned())).unwrap();
    assert_eq!(ids(&scene, MemberList::Newest), [6, 5, 4]);
    assert_eq!(ids(&scene, MemberList::Role(Role::Owner)), [OWNER.0]);
    assert_eq!(ids(&scene, MemberList::Role(Role::Admin)), [6, 4], "as they were named, and in");
    assert_eq!(ids(&scene, MemberList::Role(Role::Member)), [5], "of the newest");
    assert_eq!(ids(&scene, MemberList::Marked), [4, 5], "by id, and in");

    let of = |list| scene.room.members(list).into_iter().next().unwrap();
    let sue = of(MemberList::Role(Role::Member));
    assert_eq!((sue.joined_at, sue.role), (Some(began + Duration::from_secs(2)), Role::Member));
    assert!(sue.is_marked && sue.profile.as_deref().is_some_and(|profile| profile == "Sue"));
    let owner = of(MemberList::Role(Role::Owner));
    assert_eq!((owner.joined_at, owner.profile), (None, None), "it remembers three arrivals");
    let third = of(MemberList::Newest);
    assert_eq!((third.role, third.is_marked), (Role::Admin, false));

    scene.wait_millis(60_000);
    assert_eq!(ids(&scene, MemberList::Marked), [] as [u64; 0], "silent users are not online");
}

#[test]
fn a12_a_room_remembers_a_thousand_arrivals() {
    let mut scene = Scene::new();
    for user in 0..3_500 {
        scene.user(UserId(user));
    }
    let newest = scene.room.recent_users();
    assert_eq!(newest, (2_500..3_500).rev().map(UserId).collect::<Vec<_>>());
}

/// Even if a session that was left behind shows life again.
#[test]
fn a12_who_was_told_to_quit_is_no_newest_user() {
    let mut scene = scene();
    let (first, second) = (scene.user(ANN), scene.user(ANN));
    scene.user(BOB);
    scene.events();
    // The second keeps her online, the first falls silent.
    for _ in 0..4 {
        scene.wait_millis(SILENCE / 2);
        scene.room.touch(scene.now, second);
    }
    assert_eq!(counts(&scene).1, 1);
    scene.events();
    scene.room.close_session(scene.now, second);
    assert_eq!(scene.events(), [offline(ANN, PresenceCause::Quit)]);
    assert!(scene.room.touch(scene.now, first));
    assert_eq!(scene.events(), [online(ANN, PresenceCause::HeartbeatRecover)]);
    assert!(scene.room.is_online(ANN));
    assert_eq!(scene.room.recent_users(), [], "she has gone since she arrived");
    scene.room.leave(scene.now, ANN).unwrap();
    scene.user(ANN);
    assert_eq!(scene.room.recent_users(), [ANN]);
}
