//! What a room holds of its own: A27, A28, B20.

use crate::scene::{ANN, BOB, OWNER, Scene};
use roomcast_core::admission::{ImportError, PersistedState};
use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::data::DataError;
use roomcast_core::dedup::SaidKey;
use roomcast_core::error::JoinError;
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::{DedupKey, Limit, Sender};
use roomcast_core::rights::Role;
use roomcast_core::time::Duration;
use roomcast_core::timed::Until;
use roomcast_core::{Actor, Join, Priority, Publish, Source, UserId};

/// The first one wins.
#[test]
fn a27_the_second_writer_on_a_version_conflicts() {
    let mut scene = Scene::new();
    let now = scene.now;
    assert_eq!(scene.room.write_attributes(now, Some(0), &[("topic", Some(b"gifts"))]), Ok(1));
    let late = scene.room.write_attributes(now, Some(0), &[("topic", Some(b"likes"))]).unwrap_err();
    assert_eq!(late, DataError::Conflict { current: 1, based_on: 0 });
    assert_eq!(late.to_string(), "the attributes are at version 1, not 0; read them again");
    assert_eq!(
        scene.room.write_attributes(now, Some(1), &[("topic", None), ("seat 1", Some(b"ann"))]),
        Ok(2)
    );
    let all: Vec<_> = scene.room.attributes().map(|(key, value)| (key, &value[..])).collect();
    assert_eq!(all, [("seat 1", &b"ann"[..])]);
    assert_eq!(
        scene.room.write_attributes(now, None, &[("seat 1", Some(b"bob"))]),
        Ok(3),
        "over whatever is there"
    );
}

/// Sixteen keys of 32 bytes with 4 KiB each, 16 KiB in all, and five writes a second.
#[test]
fn a27_attributes_are_bounded_in_size_and_rate() {
    let mut scene = Scene::new();
    let now = scene.now;
    let keys: Vec<String> = (0..17).map(|n| format!("{n:032}")).collect();
    let changes = |count: usize, value: &'static [u8]| {
        keys[..count].iter().map(|key| (key.as_str(), Some(value))).collect::<Vec<_>>()
    };
    let room = &mut scene.room;
    assert_eq!(room.write_attributes(now, None, &changes(16, b"x")), Ok(1));
    assert_eq!(
        room.write_attributes(now, None, &changes(17, b"x")),
        Err(DataError::TooManyKeys { max: 16 })
    );
    let long = "x".repeat(33);
    assert_eq!(
        room.write_attributes(now, None, &[(&long, None)]),
        Err(DataError::KeyLength { bytes: 33, max: 32 })
    );
    assert_eq!(
        room.write_attributes(now, None, &[("", None)]).unwrap_err().to_string(),
        "key length must be 1 to 32 bytes, not 0"
    );
    let large = [0; 4_097];
    let refused = room.write_attributes(now, None, &[("a", Some(&large))]);
    assert_eq!(refused, Err(DataError::ValueTooLarge { bytes: 4_097, max: 4_096 }));
    let four: Vec<_> = keys[..4].iter().map(|key| (key.as_str(), Some(&large[..4_096]))).collect();
    let refused = room.write_attributes(now, None, &four);
    assert_eq!(
        refused,
        Err(DataError::TooLarge { bytes: 4 * (4_096 + 32) + 12 * 33, max: 16_384 })
    );
    // None of those took one of the five.
    for version in 2..=5 {
        assert_eq!(room.write_attributes(now, None, &[(&keys[0], Some(b"y"))]), Ok(version));
    }
    let retry_at = now + Duration::from_millis(200);
    assert_eq!(
        room.write_attributes(now, None, &[(&keys[0], None)]),
        Err(DataError::Quota { max: 5, retry_at })
    );
    assert_eq!(room.write_attributes(retry_at, None, &[(&keys[0], None)]), Ok(6));
}

#[test]
fn a28_twenty_counters_add_from_zero_without_a_wrap() {
    let mut scene = Scene::new();
    let room = &mut scene.room;
    assert_eq!(room.add_counter("likes", 5), Ok(5));
    assert_eq!(room.set_counter("likes", i64::MAX), Ok(Some(5)));
    let overflow = room.add_counter("likes", 1).unwrap_err();
    assert_eq!(overflow.to_string(), "adding 1 to 9223372036854775807 would overflow");
    assert_eq!(room.add_counter("likes", -1), Ok(i64::MAX - 1));
    for n in 1..20 {
        assert_eq!(room.set_counter(&format!("{n:0128}"), n), Ok(None));
    }
    assert_eq!(room.add_counter("one more", 1), Err(DataError::TooManyKeys { max: 20 }));
    assert_eq!(
        room.set_counter(&"x".repeat(129), 1),
        Err(DataError::KeyLength { bytes: 129, max: 128 })
    );
    assert_eq!(room.remove_counter("likes"), Ok(Some(i64::MAX - 1)));
    assert_eq!(room.add_counter("one more", -3), Ok(-3));
    assert_eq!(room.counters().count(), 20);
    room.close(scene.now, Actor::Host).unwrap();
    assert_eq!(room.add_counter("one more", 1), Err(DataError::RoomClosed));
    assert_eq!(room.remove_counter("one more"), Err(DataError::RoomClosed));
    assert!(room.counters().any(|counter| counter == ("one more", -3)));
}

/// It is nobody's conflict, and costs nothing.
#[test]
fn a27_an_empty_write_changes_no_version() {
    let mut scene = Scene::new();
    let (now, room) = (scene.now, &mut scene.room);
    let seen = room.write_attributes(now, None, &[("topic", Some(b"cats"))]).unwrap();
    for keys in [&[][..], &["no such"], &["no such", "nor such"]].into_iter().cycle().take(30) {
        let changes: Vec<_> = keys.iter().map(|&key| (key, None)).collect();
        let changes = &changes[..];
        assert_eq!(room.write_attributes(now, None, changes), Ok(seen));
        assert_eq!(room.write_attributes(now, Some(seen), changes), Ok(seen));
    }
    assert_eq!(room.write_attributes(now, Some(seen), &[("topic", Some(b"dogs"))]), Ok(seen + 1));
    let conflict = DataError::Conflict { current: seen + 1, based_on: seen };
    assert_eq!(
        room.write_attributes(now, Some(seen), &[]),
        Err(conflict),
        "it has to be read again"
    );
}

/// With the last of them, whatever ends it; and a write over it decides anew.
#[test]
fn c6_an_attribute_ends_with_its_owners_last_session() {
    let mut scene = Scene::new();
    let refused = scene.room.write_attributes_of(scene.now, ANN, None, &[("stage", Some(b"ann"))]);
    assert_eq!(refused, Err(DataError::NotMember { user: ANN }));
    let (first, second) = (scene.user(ANN), scene.user(ANN));
    scene.user(BOB);
    let write = |scene: &mut Scene, owner: Option<UserId>, key| {
        scene.wait_millis(1_000);
        let changes: &[(&str, Option<&[u8]>)] = &[(key, Some(b"x"))];
        match owner {
            Some(owner) => scene.room.write_attributes_of(scene.now, owner, None, changes),
            None => scene.room.write_attributes(scene.now, None, changes),
        }
        .unwrap()
    };
    for (owner, key) in [(Some(ANN), "stage"), (Some(ANN), "kept"), (Some(ANN), "bob's")] {
        write(&mut scene, owner, key);
    }
    write(&mut scene, None, "kept");
    write(&mut scene, Some(BOB), "bob's");
    write(&mut scene, None, "topic");
    let version = write(&mut scene, Some(ANN), "topic");
    let keys =
        |scene: &Scene| scene.room.attributes().map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
    // What lasts as long as somebody stays is not carried.
    let carried = scene.room.export(scene.now);
    let lasting: Vec<&str> = carried.attributes.iter().map(|(key, _)| &**key).collect();
    assert_eq!((lasting, carried.attributes_version), (vec!["kept"], version + 1));
    scene.room.close_session(scene.now, first);
    assert_eq!(keys(&scene), ["bob's", "kept", "stage", "topic"]);
    scene.room.close_session(scene.now, second);
    assert_eq!(keys(&scene), ["bob's", "kept"]);
    assert_eq!(scene.room.attributes_version(), version + 1, "one change");
    scene.room.kick(scene.now, Actor::Host, &[BOB]).unwrap();
    assert_eq!(keys(&scene), ["kept"]);
    // Who comes back does not bring them back.
    scene.user(ANN);
    assert_eq!(keys(&scene), ["kept"]);
}

/// These are bans, mutes, roles, attributes and counters.
#[test]
fn b20_the_rooms_data_survives_a_restart() {
    let mut scene = Scene::new();
    let (now, minute) = (scene.now, Duration::from_secs(60));
    scene.room.add_admin(now, Actor::Host, ANN).unwrap();
    scene.room.mute(now, Actor::Host, &[BOB], Some(minute)).unwrap();
    scene.room.ban(now, Actor::Host, &[UserId(9)], None).unwrap();
    scene.room.mute(now, Actor::Host, &[UserId(10)], Some(Duration::from_secs(1))).unwrap();
    scene.room.write_attributes(now, None, &[("topic", Some(b"gifts"))]).unwrap();
    scene.room.add_counter("likes", 77).unwrap();
    scene.wait_millis(2_000);
    let carried = scene.room.export(scene.now);
    assert_eq!(carried.mutes, [(BOB, Until::At(now + minute))], "what has lapsed is left out");
    let mut other = Scene::new();
    other.now = scene.now;
    other.room.import(other.now, carried.clone()).unwrap();
    assert_eq!(other.room.export(other.now), carried);
    assert_eq!(other.room.role_of(ANN), Role::Admin);
    let bob = other.user(BOB);
    assert_eq!(other.say(bob, "hello").unwrap_err().reason, RefusalReason::Muted);
    let user = UserId(9);
    let refused = other.room.join(other.now, Join::user(user));
    assert_eq!(refused, Err(JoinError::Banned { user, until: Until::Forever }));
    let conflict = other.room.write_attributes(other.now, Some(0), &[("topic", None)]);
    assert_eq!(conflict, Err(DataError::Conflict { current: 1, based_on: 0 }));
    // What does not fit changes nothing.
    let mut too_many = carried.clone();
    too_many.admins = (20..26).map(UserId).collect();
    let refused = other.room.import(other.now, too_many).unwrap_err();
    assert_eq!(refused, ImportError::TooMany { list: "admins", count: 6, max: 5 });
    assert_eq!(refused.to_string(), "too many admins: 6 (limit 5)");
    let mut too_long = carried.clone();
    too_long.counters.push(("x".repeat(200).into(), 1));
    assert!(other.room.import(other.now, too_long).is_err());
    assert_eq!(other.room.export(other.now), carried);
    let mut odd = carried;
    odd.admins = vec![OWNER, ANN, ANN];
    odd.bans.push((OWNER, Until::Forever));
    other.room.import(other.now, odd).unwrap();
    assert_eq!(
        (other.room.export(other.now).admins, other.room.banned_until(other.now, OWNER)),
        (vec![ANN], None)
    );
}

/// Who tries again after a restart is refused as before it; what had not gone out may be said.
#[test]
fn b20_what_was_said_is_not_said_again_after_it() {
    let change = |builder: RoomConfigBuilder| builder.rate(1).burst(1);
    let mut scene = Scene::with(change);
    let said = |key| Publish::new(Source::Host, "hello".to_owned()).dedup_key(DedupKey(key));
    let start = scene.now;
    assert!(scene.room.publish(start, said(1)).unwrap().outcome.is_some());
    assert!(scene.room.publish(start, said(2)).unwrap().outcome.is_none(), "it waits");
    scene.wait_millis(500);
    let carried = scene.room.export(scene.now);
    let key = SaidKey { key: DedupKey(1), priority: Priority::Normal, said_at: start };
    assert_eq!(carried.said, [(Sender::Host, key)]);

    let mut other = Scene::with(change);
    let now = scene.now;
    other.room.import(now, carried.clone()).unwrap();
    assert_eq!(other.room.export(now), carried);
    let refused = other.room.publish(now, said(1)).unwrap_err();
    let window = Duration::from_secs(60);
    assert_eq!(
        (refused.reason, refused.limit, refused.retry_at),
        (RefusalReason::Duplicate, Some(Limit::Duplicates { window }), Some(start + window))
    );
    assert!(other.room.publish(now, said(2)).is_ok());
    let later = start + window;
    assert!(other.room.export(later).said.iter().all(|(_, said)| said.key == DedupKey(2)));
    assert!(other.room.publish(later, said(1)).is_ok());
}

#[test]
fn b20_the_version_after_the_last_is_the_first_again() {
    let mut scene = Scene::new();
    scene
        .room
        .import(
            scene.now,
            PersistedState { attributes_version: u64::MAX, ..PersistedState::default() },
        )
        .unwrap();
    assert_eq!(
        scene.room.write_attributes(scene.now, Some(u64::MAX), &[("topic", Some(b"gifts"))]),
        Ok(0)
    );
}
