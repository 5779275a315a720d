//! What a room's handle passes on: people and data, as the room itself has them (clauses A10, A11, A18, A27, A28, B20).
#![cfg(feature = "tokio")]

use roomcast::error::{
    DataError, JoinError, ModerationError, ProfileError, RefusalReason, SessionEnd,
};
use roomcast::event::EndReason;
use roomcast::moderation::{Role, Until};
use roomcast::time::{Instant, TokioClock};
use roomcast::{Actor, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, Subscription, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const OWNER: UserId = UserId(1);
const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);
const MINUTE: Duration = Duration::from_secs(60);

/// A hub with two rooms of one kind.
fn rooms() -> (Hub<&'static str>, [Room<&'static str>; 2]) {
    // Paused, it says the same every time.
    let hub = Hub::<&'static str>::builder()
        .workers(2)
        .clock(TokioClock::starting_at(Instant::ZERO))
        .spawn();
    let config = RoomConfig::builder(OWNER).rate(1_000).burst(1_000).build().unwrap();
    let rooms = [1, 2].map(|id| hub.create_room(RoomId(id), &config).unwrap());
    (hub, rooms)
}

fn enter(room: &Room<&'static str>, user: UserId) -> Subscription<&'static str> {
    room.join(Join::user(user)).unwrap()
}

/// Why a session may not speak; `None` when it may.
fn silence(
    room: &Room<&'static str>,
    session: &Subscription<&'static str>,
) -> Option<RefusalReason> {
    room.try_publish(Publish::new(Source::Session(session.session()), "hi"))
        .err()
        .map(|refused| refused.reason)
}

/// The sessions end as banned; the ban holds until its time or until it is lifted.
#[tokio::test(start_paused = true)]
async fn a10_a_ban_ends_sessions_until_time_or_lifting() {
    let (hub, [room, other]) = rooms();
    let (mut reads, mut waits, _bob) = (enter(&room, ANN), enter(&room, ANN), enter(&room, BOB));
    let waiting = tokio::spawn(async move { waits.next_batch().await.map(drop) });
    sleep(Duration::from_millis(1)).await;
    let ends = hub.now() + MINUTE;
    room.moderation(Actor::User(OWNER)).ban(&[ANN], Some(MINUTE)).unwrap();
    assert_eq!(waiting.await.unwrap(), Err(SessionEnd::Closed(EndReason::Banned)));
    assert_eq!(reads.next_batch().await.unwrap_err(), SessionEnd::Closed(EndReason::Banned));
    assert_eq!(reads.end_reason(), Some(EndReason::Banned));
    assert_eq!([ANN, BOB].map(|user| room.banned_until(user)), [Some(Until::At(ends)), None]);
    assert_eq!(
        room.join(Join::user(ANN)).unwrap_err(),
        JoinError::Banned { user: ANN, until: Until::At(ends) }
    );
    assert!(
        other.banned_until(ANN).is_none() && other.join(Join::user(ANN)).is_ok(),
        "another room has its own"
    );
    sleep(MINUTE).await;
    assert_eq!(room.banned_until(ANN), None);
    drop(enter(&room, ANN));

    // For good, and lifted.
    room.moderation(Actor::Host).ban(&[ANN, BOB], None).unwrap();
    assert_eq!([ANN, BOB].map(|user| room.banned_until(user)), [Some(Until::Forever); 2]);
    assert!(matches!(
        room.moderation(Actor::User(ANN)).unban(&[ANN]),
        Err(ModerationError::NotAllowed(_))
    ));
    room.moderation(Actor::Host).unban(&[ANN]).unwrap();
    assert_eq!([ANN, BOB].map(|user| room.banned_until(user)), [None, Some(Until::Forever)]);
    let _back = enter(&room, ANN);
}

#[tokio::test(start_paused = true)]
async fn a11_a_mute_holds_until_its_time_or_its_lifting() {
    let (hub, [room, other]) = rooms();
    let (ann, bob) = (enter(&room, ANN), enter(&room, BOB));
    let ends = hub.now() + MINUTE;
    room.moderation(Actor::User(OWNER)).mute(&[ANN], Some(MINUTE)).unwrap();
    assert_eq!([ANN, BOB].map(|user| room.muted_until(user)), [Some(Until::At(ends)), None]);
    assert_eq!((silence(&room, &ann), silence(&room, &bob)), (Some(RefusalReason::Muted), None));
    assert_eq!((other.muted_until(ANN), silence(&other, &enter(&other, ANN))), (None, None));
    sleep(MINUTE).await;
    assert_eq!((room.muted_until(ANN), silence(&room, &ann)), (None, None));

    room.moderation(Actor::Host).mute(&[ANN, BOB], None).unwrap();
    assert_eq!([ANN, BOB].map(|user| room.muted_until(user)), [Some(Until::Forever); 2]);
    assert!(matches!(
        room.moderation(Actor::User(BOB)).unmute(&[BOB]),
        Err(ModerationError::NotAllowed(_))
    ));
    room.moderation(Actor::Host).unmute(&[ANN]).unwrap();
    assert_eq!([ANN, BOB].map(|user| room.muted_until(user)), [None, Some(Until::Forever)]);
    assert_eq!((silence(&room, &ann), silence(&room, &bob)), (None, Some(RefusalReason::Muted)));
}

/// The mute holds for others until it is lifted.
#[tokio::test(start_paused = true)]
async fn a11_in_a_muted_room_owner_and_admins_speak() {
    let (_hub, [room, _]) = rooms();
    let (owner, ann, bob) = (enter(&room, OWNER), enter(&room, ANN), enter(&room, BOB));
    assert_eq!(room.moderation(Actor::User(OWNER)).add_admin(BOB), Ok(true));
    assert_eq!(
        [OWNER, ANN, BOB].map(|user| room.role_of(user)),
        [Role::Owner, Role::Member, Role::Admin]
    );
    assert!(matches!(
        room.moderation(Actor::User(ANN)).mute_room(),
        Err(ModerationError::NotAllowed(_))
    ));
    room.moderation(Actor::User(BOB)).mute_room().unwrap();
    let all = |room: &_| [&owner, &ann, &bob].map(|session| silence(room, session));
    assert_eq!(all(&room), [None, Some(RefusalReason::RoomMuted), None]);
    room.moderation(Actor::User(BOB)).unmute_room().unwrap();
    assert_eq!(all(&room), [None; 3]);
}

/// It travels with its user's messages from the next one on.
#[tokio::test(start_paused = true)]
async fn a18_a_profile_travels_until_it_is_taken_away() {
    let (_hub, [room, _]) = rooms();
    let (ann, mut bob) = (enter(&room, ANN), enter(&room, BOB));
    let say = || assert_eq!(silence(&room, &ann), None);
    say();
    for profile in [Some("Ann"), Some("Annie"), None] {
        room.data().set_profile(ANN, profile).unwrap();
        say();
    }
    let batch = bob.next_batch().await.unwrap();
    let profiles: Vec<_> =
        batch.messages().iter().map(|message| message.profile.as_deref().copied()).collect();
    assert_eq!(profiles, [None, Some("Ann"), Some("Annie"), None]);
    let stranger = UserId(9);
    assert_eq!(
        room.data().set_profile(stranger, Some("Zoe")),
        Err(ProfileError::NotMember { user: stranger, profile: "Zoe" })
    );
}

/// They are written together and read at one version.
#[tokio::test(start_paused = true)]
async fn a27_attributes_refuse_the_second_writer() {
    let (_hub, [room, other]) = rooms();
    let texts = |room: &Room<_>| -> (u64, Vec<(String, String)>) {
        let read = room.data().attributes();
        let text = |value: Arc<[u8]>| String::from_utf8(value.to_vec()).unwrap();
        (read.version, read.entries.into_iter().map(|(key, value)| (key, text(value))).collect())
    };
    let of = |entries: &[(&str, &str)]| {
        entries.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(texts(&room), (0, vec![]));
    assert_eq!(
        room.data().write_attributes(Some(0), &[("topic", Some(b"cats")), ("mood", Some(b"calm"))]),
        Ok(1)
    );
    assert_eq!(texts(&room), (1, of(&[("mood", "calm"), ("topic", "cats")])));
    let late = room.data().write_attributes(Some(0), &[("topic", Some(b"dogs"))]);
    assert_eq!(late, Err(DataError::Conflict { current: 1, based_on: 0 }));
    assert_eq!(
        room.data().write_attributes(None, &[("topic", Some(b"birds")), ("mood", None)]),
        Ok(2)
    );
    assert_eq!(texts(&room), (2, of(&[("topic", "birds")])));
    assert_eq!(texts(&other), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a28_a_counter_is_set_added_to_read_and_taken_away() {
    let (_hub, [room, other]) = rooms();
    let of = |counters: &[(&str, i64)]| {
        counters.iter().map(|&(key, value)| (key.to_owned(), value)).collect::<Vec<_>>()
    };
    assert_eq!(room.data().set_counter("likes", 40), Ok(None));
    assert_eq!(room.data().set_counter("likes", 41), Ok(Some(40)));
    assert_eq!(
        (room.data().add_counter("likes", 1), room.data().add_counter("follows", -3)),
        (Ok(42), Ok(-3))
    );
    assert_eq!(room.data().counters(), of(&[("follows", -3), ("likes", 42)]));
    assert_eq!(
        (room.data().remove_counter("likes"), room.data().remove_counter("likes")),
        (Ok(Some(42)), Ok(None))
    );
    assert_eq!(room.data().counters(), of(&[("follows", -3)]));
    assert_eq!(room.data().set_counter("", 1), Err(DataError::KeyLength { bytes: 0, max: 128 }));
    assert_eq!(other.data().counters(), of(&[]));
}

/// It stands in place of what the other one had.
#[tokio::test(start_paused = true)]
async fn b20_what_one_room_exports_another_takes_over() {
    let (_hub, [room, other]) = rooms();
    room.moderation(Actor::Host).add_admin(BOB).unwrap();
    room.moderation(Actor::Host).mute(&[ANN], Some(MINUTE)).unwrap();
    room.moderation(Actor::Host).ban(&[UserId(9)], None).unwrap();
    room.moderation(Actor::Host).mute_room().unwrap();
    assert_eq!(room.data().write_attributes(None, &[("topic", Some(b"cats"))]), Ok(1));
    assert_eq!(room.data().set_counter("likes", 42), Ok(None));
    let carried = room.data().export();
    let until = Until::At(Instant::ZERO + MINUTE);
    assert_eq!(
        (&carried.mutes[..], &carried.bans[..]),
        (&[(ANN, until)][..], &[(UserId(9), Until::Forever)][..])
    );

    other.moderation(Actor::Host).mute(&[BOB], None).unwrap();
    assert_eq!(other.data().set_counter("follows", 1), Ok(None));
    other.data().import(carried.clone()).unwrap();
    assert_eq!(other.data().export(), carried);
    assert_eq!((other.role_of(BOB), other.muted_until(BOB)), (Role::Admin, None));
    assert_eq!(
        (other.muted_until(ANN), other.banned_until(UserId(9))),
        (Some(until), Some(Until::Forever))
    );
    assert_eq!(silence(&other, &enter(&other, UserId(10))), Some(RefusalReason::RoomMuted));
    assert_eq!(other.data().attributes(), room.data().attributes());
    assert_eq!(other.data().counters(), [("likes".to_owned(), 42)]);

    // All of it or nothing.
    let mut too_many = carried.clone();
    too_many.counters = (0..21).map(|n| (format!("counter {n}").into(), n)).collect();
    assert_eq!(
        other.data().import(too_many).unwrap_err(),
        DataError::TooManyKeys { max: 20 }.into()
    );
    assert_eq!(other.data().export(), carried);
}
