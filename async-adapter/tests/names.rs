//! Users and rooms by names of the host's own.
#![cfg(feature = "tokio")]

use roomcast::event::Presence;
use roomcast::message::DedupKey;
use roomcast::moderation::{MaySpeak, Role, SpeakMode};
use roomcast::names::Joining;
use roomcast::stats::RefusalReason;
use roomcast::time::Instant;
use roomcast::{
    Actor, Clock, Direct, Event, Hub, Join, Publish, Recipient, RoomConfig, RoomId, SessionId,
    Source, UserId,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A clock that only the test moves.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn turn(&self, by: Duration) {
        self.0.fetch_add(by.as_secs() * 1_000_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::ZERO + Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

fn hub() -> (Hub<&'static str>, Hand) {
    let hand = Hand::default();
    let hub = Hub::<&'static str>::builder().workers(1).clock(hand.clone()).spawn_threads();
    (hub.unwrap(), hand)
}

/// Visitors who come once and go, a second after the other; returns the most names held.
fn visitors(hub: &Hub<&'static str>, hand: &Hand, from: u32, count: u32) -> usize {
    let lobby = hub.open_room("lobby", &RoomConfig::default()).unwrap();
    let mut most = 0;
    for visitor in from..from + count {
        let session = lobby.join(format!("visitor-{visitor}")).unwrap().session();
        lobby.session(session).close();
        hand.turn(Duration::from_secs(1));
        most = most.max(hub.held_names());
    }
    most
}

#[test]
fn a_room_is_made_and_found_by_its_name() {
    let (hub, _) = hub();
    let config = RoomConfig::default();
    let made = hub.open_room("stream-42", &config).unwrap();
    let found = hub.open_room("stream-42".to_owned(), &config).unwrap();
    assert_eq!((made.is_new(), found.is_new()), (true, false));
    assert_eq!((made.name().map(|name| &**name), made.id()), (Some("stream-42"), found.id()));
    assert!(hub.create_room("stream-42", &config).is_err());
    assert!(hub.room("stream-43").is_none());
    assert!(hub.remove_room("stream-43").is_none());
    assert_eq!(hub.room_name(made.id()).as_deref(), Some("stream-42"));
    assert_eq!(hub.room(made.id()).unwrap().name(), made.name());
    assert_eq!(hub.rooms()[0].name(), made.name());

    // Beside it one by number, which has no name.
    let numbered = hub.open_room(RoomId(42), &config).unwrap();
    assert_eq!((numbered.name(), hub.room_name(RoomId(42))), (None, None));

    let removed = hub.remove_room("stream-42").unwrap();
    assert_eq!(removed.id(), made.id());
    assert_eq!(hub.room_name(made.id()), None, "the name goes with the room");
    let again = hub.open_room("stream-42", &config).unwrap();
    assert!(again.is_new() && again.id() != made.id());
}

#[test]
fn the_name_of_a_room_that_has_ended_is_free() {
    let (hub, _) = hub();
    let config = RoomConfig::default();
    let first = hub.open_room("stream-42", &config).unwrap();
    first.close(Actor::Host).unwrap();
    // Whether or not a worker has been by.
    let second = hub.open_room("stream-42", &config).unwrap();
    assert!(second.is_new() && second.id() != first.id());
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(hub.room("stream-42").unwrap().id(), second.id());
    assert_eq!(hub.room_name(first.id()), None);
}

#[test]
fn a_refused_room_leaves_no_name_behind() {
    let hub = Hub::<&str>::builder().workers(1).max_rooms(1).spawn_threads().unwrap();
    let _room = hub.open_room("one", &RoomConfig::default()).unwrap();
    hub.open_room("two", &RoomConfig::default()).unwrap_err();
    assert!(hub.room("two").is_none());
}

#[test]
fn a_user_is_moderated_and_reached_by_name() {
    let (hub, _) = hub();
    let config = RoomConfig::av_chat_room(hub.user_id("ann"));
    let room = hub.open_room("stream-42", &config).unwrap();
    let (ann, bob) = (hub.user_id("ann"), room.user_id("bob"));
    assert_eq!((room.role_of(ann), room.role_of(bob)), (Role::Owner, Role::Member));
    let mut phone = room.join("bob").unwrap();
    let _laptop = room.join(Joining::named("bob".into()).profile("Bob")).unwrap();
    let _by_number = room.join(Join::user(UserId(7))).unwrap();
    assert_eq!(room.stats().room.admission.users, 2);
    assert_eq!(room.recent_users(), [UserId(7), bob]);
    assert_eq!(room.recent_names(), [Arc::from("bob")]);
    let _ = room.send_direct(Recipient::User(room.user_id("bob")), Direct::new("hello")).unwrap();
    let batch = phone.next_batch_timeout(Duration::from_secs(5)).unwrap().unwrap();
    assert_eq!(batch.directs().next().unwrap().payload, "hello");
    room.moderation(Actor::User(ann)).kick(&[room.user_id("bob")]).unwrap();
    assert!(room.recent_names().is_empty());
}

#[test]
fn a_name_keeps_its_number_while_a_room_needs_it() {
    let (hub, hand) = hub();
    let config = RoomConfig::av_chat_room(hub.user_id("owner"));
    let room = hub.open_room("stream-42", &config).unwrap();
    let needed = ["owner", "in", "muted", "banned", "admin", "imported"];
    let numbers = needed.map(|name| hub.user_id(name));
    let by_host = room.moderation(Actor::Host);
    let hour = Some(60 * MINUTE);
    let mut carried = room.data().export();
    carried.admins.push(hub.user_id("imported"));
    room.data().import(carried).unwrap();
    let _session = room.join("in").unwrap();
    by_host.mute(&[hub.user_id("muted")], hour).unwrap();
    by_host.ban(&[hub.user_id("banned")], hour).unwrap();
    by_host.add_admin(hub.user_id("admin")).unwrap();
    let unneeded = hub.user_id("unneeded");

    visitors(&hub, &hand, 0, 3_000);
    for (name, number) in needed.iter().zip(numbers) {
        assert_eq!(hub.user_name(number).as_deref(), Some(*name));
    }
    assert_eq!(hub.user_name(unneeded), None);
    assert!(room.join("banned").is_err());

    // The hour is over, and one of them an admin no longer.
    by_host.remove_admin(hub.user_id("admin")).unwrap();
    visitors(&hub, &hand, 3_000, 3_000);
    let held = numbers.map(|number| hub.user_name(number).is_some());
    assert_eq!(held, [true, true, false, false, false, true]);
    assert!(room.join("banned").is_ok(), "the ban has lapsed");
}

#[test]
fn who_was_forgotten_comes_back_without_rights() {
    let (hub, hand) = hub();
    let room = hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    let old = hub.user_id("ann");
    drop(room.join("ann").unwrap());
    hub.remove_room("stream-42").unwrap();
    room.moderation(Actor::Host).add_admin(old).unwrap();
    drop(room);
    visitors(&hub, &hand, 0, 3_000);
    assert_eq!(hub.user_name(old), None);
    let new = hub.user_id("ann");
    assert_ne!(new, old);
    let room = hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    let _ann = room.join("ann").unwrap();
    assert_eq!(room.role_of(new), Role::Member);
}

#[test]
fn visitors_leave_little_and_no_number_twice() {
    let (hub, hand) = hub();
    let most = visitors(&hub, &hand, 0, 20_000);
    assert!(most <= 400, "{most} names at a time");
    let numbers: HashSet<UserId> = (0..500).map(|name| hub.user_id(format!("{name}"))).collect();
    let others = Hub::<&str>::builder().workers(1).spawn_threads().unwrap();
    let more: HashSet<UserId> = (0..500).map(|name| others.user_id(format!("{name}"))).collect();
    assert_eq!(numbers.union(&more).count(), 1_000, "nor in another hub");
    assert!(numbers.iter().all(|user| user.0 >= 1 << 63));
}

#[test]
fn refused_joins_under_new_names_leave_little() {
    let (hub, hand) = hub();
    let room = hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    room.close(Actor::Host).unwrap();
    let mut most = 0;
    for visitor in 0..5_000 {
        assert!(room.join(format!("visitor-{visitor}")).is_err());
        hand.turn(Duration::from_secs(1));
        most = most.max(hub.held_names());
    }
    assert!(most <= 400, "{most} names at a time");
}

#[test]
fn threads_never_lose_the_name_of_who_is_in() {
    let (hub, hand) = hub();
    let rooms = ["a", "b"].map(|name| hub.open_room(name, &RoomConfig::default()).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (rooms, hub, hand) = (&rooms, &hub, &hand);
            scope.spawn(move || {
                for turn in 0..2_000 {
                    let name = format!("user-{}", (turn * 7 + thread) % 50);
                    let session = rooms[turn % 2].join(name).unwrap();
                    for user in rooms[turn % 2].recent_users() {
                        // In the list, and gone before the name was asked for: that is no loss.
                        let is_in = || rooms[turn % 2].recent_users().contains(&user);
                        assert!(hub.user_name(user).is_some() || !is_in());
                    }
                    hand.turn(Duration::from_secs(1));
                    drop(session);
                }
            });
        }
    });
}

#[test]
fn what_is_carried_over_goes_by_name() {
    let (old, _) = hub();
    let room = old.open_room("stream-42", &RoomConfig::default()).unwrap();
    let by_host = room.moderation(Actor::Host);
    by_host.add_admin(room.user_id("ann")).unwrap();
    by_host.mute(&[room.user_id("bob"), UserId(7)], None).unwrap();
    by_host.ban(&[room.user_id("eve"), UserId(8)], Some(MINUTE)).unwrap();
    by_host.mark(&[room.user_id("dan"), UserId(9)]).unwrap();
    let mode = SpeakMode::new(MaySpeak::Marked);
    assert_eq!(by_host.set_speak_mode(mode), Ok(true));
    let by = |source| Publish::new(source, "hello").dedup_key(DedupKey(1));
    let said = || by(Source::Host);
    let ann = room.join("ann").unwrap();
    assert!(room.try_publish(by(Source::Session(ann.session()))).is_ok());
    assert!(room.try_publish(said()).is_ok());
    drop(ann);
    let carried = room.data().export_named();
    assert_eq!((carried.said.len(), carried.rest.said.len()), (1, 1));
    assert_eq!(carried.admins, [Arc::from("ann")]);
    assert_eq!(
        (&carried.marks[..], &carried.rest.marks[..]),
        (&["dan".into()][..], &[UserId(9)][..])
    );
    assert_eq!((carried.rest.mutes.len(), carried.rest.bans.len()), (1, 1));

    let (new, hand) = hub();
    let room = new.open_room("stream-42", &RoomConfig::default()).unwrap();
    room.data().import_named(carried.clone()).unwrap();
    assert_eq!(room.data().export_named(), carried);
    assert_eq!(room.role_of(new.user_id("ann")), Role::Admin);
    assert!(room.muted_until(new.user_id("bob")).is_some());
    assert!(room.muted_until(UserId(7)).is_some());
    assert_eq!(room.speak_mode(), mode);
    let dan = room.join("dan").unwrap();
    let says = |by: SessionId| room.try_publish(Publish::new(Source::Session(by), "hi"));
    assert!(says(dan.session()).is_ok());
    let fay = room.join("fay").unwrap();
    assert_eq!(says(fay.session()).unwrap_err().reason, RefusalReason::NotMarked);
    drop((dan, fay));
    assert!(room.join("eve").is_err());
    assert_ne!(new.user_id("bob"), old.user_id("bob"));
    // She tries again.
    let ann = room.join("ann").unwrap();
    let refused = room.try_publish(by(Source::Session(ann.session()))).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Duplicate);
    assert_eq!(room.try_publish(said()).unwrap_err().reason, RefusalReason::Duplicate);
    // Held as long as the room holds it to them.
    visitors(&new, &hand, 0, 1_000);
    assert!(room.muted_until(new.user_id("bob")).is_some());
    assert!(room.is_marked(new.user_id("dan")));
    assert!(room.join("eve").is_ok());
}

#[test]
fn ids_of_sixteen_bytes_are_names_as_well() {
    let hub = Hub::<&str, [u8; 16]>::builder().workers(1).spawn_threads().unwrap();
    let (stream, ann) = ([42; 16], [7; 16]);
    let room = hub.open_room(stream, &RoomConfig::default()).unwrap();
    assert_eq!(room.name(), Some(&stream));
    let _ann = room.join(ann).unwrap();
    let _bob = room.join(Joining::named([8; 16]).profile("Bob")).unwrap();
    assert_eq!(room.recent_names(), [[8; 16], ann]);
    assert_eq!(hub.user_name(hub.user_id(ann)), Some(ann));
}

#[tokio::test]
async fn the_hook_of_events_resolves_names() {
    let (told, events) = mpsc::channel();
    let hub = Hub::<&'static str>::builder()
        .on_event(move |room, event| {
            if let Event::Presence { user, presence, .. } = event {
                let _ = told.send((room, *user, *presence));
            }
        })
        .spawn();
    let room = hub.open_room("stream-42", &RoomConfig::default()).unwrap();
    let ann = room.join("ann").unwrap();
    room.session(ann.session()).close();
    for expected in [Presence::Online, Presence::Offline] {
        let (room, user, presence) = events.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(presence, expected);
        assert_eq!(hub.room_name(room).as_deref(), Some("stream-42"));
        assert_eq!(hub.user_name(user).as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn a8_one_room_a_user_holds_for_names() {
    let hub = Hub::<&'static str>::builder().exclusive_membership().spawn();
    let rooms = ["a", "b"].map(|name| hub.open_room(name, &RoomConfig::default()).unwrap());
    let users = || rooms.each_ref().map(|room| room.stats().room.admission.users);
    let _here = rooms[0].join("ann").unwrap();
    let _other = rooms[0].join("bob").unwrap();
    assert_eq!(users(), [2, 0]);
    let _there = rooms[1].join("ann").unwrap();
    assert_eq!(users(), [1, 1]);
}
