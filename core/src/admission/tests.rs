//! Tests of what only a host that holds the halves apart can do to an admission.

use super::*;
use crate::ids::{SessionKey, SessionKind, UserId};
use crate::shard_index::ShardIndex;
use crate::time::Duration;

fn admission() -> Admission<&'static str> {
    Admission::new(&RoomConfig::builder(UserId(1)).sessions(10).build().unwrap())
}

#[test]
fn made_up_sessions_change_nothing() {
    let mut admission = admission();
    let guest = SessionKey::new(0, SessionKey::next_generation(0, SessionKind::Guest)).in_life(0);
    // Generation 0 is nobody's.
    for session in [
        guest,
        SessionKey::new(5, 0).in_life(0),
        SessionKey::new(ShardIndex::slots(10), 1).in_life(0),
        SessionKey::new(u32::MAX, 1).in_life(0),
    ] {
        admission.add_session(Instant::ZERO, UserId(7), session);
    }
    assert_eq!(admission.snapshot(Instant::ZERO).user_sessions, 0);
    assert!(!admission.has_events());
}

#[test]
fn a_session_in_a_taken_slot_ousts_its_holder() {
    let mut admission = admission();
    let (old, new) = (SessionKey::new(3, 1).in_life(0), SessionKey::new(3, 2).in_life(0));
    admission.add_session(Instant::ZERO, UserId(7), old);
    admission.add_session(Instant::ZERO, UserId(7), new);
    admission.add_session(Instant::ZERO, UserId(8), new);
    assert_eq!((admission.user_of(old), admission.user_of(new)), (None, Some(UserId(8))));
    assert!(admission.sessions_of(UserId(7)).is_empty());
    let books = admission.snapshot(Instant::ZERO);
    assert_eq!((books.users, books.user_sessions), (1, 1));
}

#[test]
fn a_room_knows_staff_members_muted_and_banned() {
    let mut admission = admission();
    let (now, minute) = (Instant::ZERO, Duration::from_secs(60));
    let user = UserId(7);
    assert!(admission.knows(now, UserId(1)), "the owner");
    assert!(!admission.knows(now, user));

    let session = SessionKey::new(3, 1).in_life(0);
    admission.add_session(now, user, session);
    assert!(admission.knows(now, user), "is in");
    admission.remove_session(now, session);
    assert!(!admission.knows(now, user));

    admission.add_admin(now, Actor::Host, user).unwrap();
    assert!(admission.knows(now, user), "an admin");
    admission.remove_admin(now, Actor::Host, user).unwrap();
    assert!(!admission.knows(now, user));

    admission.mute(now, Actor::Host, &[user], Some(minute)).unwrap();
    assert!(admission.knows(now, user), "muted");
    assert!(!admission.knows(now + minute, user), "the mute has lapsed");
    admission.ban(now, Actor::Host, &[user], Some(minute * 2)).unwrap();
    assert!(admission.knows(now + minute, user), "banned");
    assert!(!admission.knows(now + minute * 2, user), "the ban has lapsed");
}
