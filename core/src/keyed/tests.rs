//! Places, what is shared without one, and another quota.

use super::*;
use core::num::NonZeroU32;

fn limit(max_keys: u32) -> KeyedLimit {
    KeyedLimit::new(Quota::per_second(NonZeroU32::new(2).unwrap()), max_keys, 7)
}

#[test]
fn each_key_has_its_own_rate() {
    let (mut limit, now) = (limit(10), Instant::from_secs(5));
    for key in [1, 2] {
        assert!(limit.check(now, key).is_ok());
        assert!(limit.take(now, key).is_ok() && limit.take(now, key).is_ok());
        assert_eq!(limit.take(now, key).unwrap_err().retry_at, Some(Instant::from_millis(5_500)));
        assert_eq!(limit.check(now, key).unwrap_err().retry_at, Some(Instant::from_millis(5_500)));
    }
    assert!(limit.take(Instant::from_millis(5_500), 1).is_ok());
}

/// It takes nobody's place.
#[test]
fn a_flood_of_new_keys_shares_one_bucket() {
    let (mut limit, now) = (limit(3), Instant::from_secs(5));
    assert!((1..=3).all(|key| limit.take(now, key).is_ok()));
    let granted = (100..10_000).filter(|&key| limit.take(now, key).is_ok()).count();
    assert_eq!((granted, limit.len()), (2, 3));
    assert!(limit.take(now, 1).is_ok(), "who has a place keeps it");
    // The second and the third are full again after half a second, the first after one.
    let later = Instant::from_millis(5_500);
    assert!((4..=5).all(|key| limit.take(later, key).is_ok() && limit.take(later, key).is_ok()));
    assert_eq!(limit.len(), 3);
    assert_eq!(
        (limit.check(later, 1).is_ok(), limit.take(later, 6).is_ok()),
        (true, true),
        "the shared bucket has a token again"
    );
    assert!(limit.take(later, 7).is_err());
}

/// Earlier than what is shared has a token again.
#[test]
fn who_has_no_place_is_told_when_one_is_free() {
    let (mut limit, at) = (limit(1), Instant::from_millis);
    assert!(limit.take(at(4_800), 1).is_ok());
    assert!([2, 3].iter().all(|&key| limit.take(at(5_000), key).is_ok()));
    assert!(limit.has_place_for(at(5_000), 1) && !limit.has_place_for(at(5_000), 4));
    let refused = limit.take(at(5_000), 4).unwrap_err();
    assert_eq!(refused.retry_at, Some(at(5_300)));
    assert_eq!(limit.check(at(5_299), 4).unwrap_err().retry_at, Some(at(5_300)));
    assert!(limit.take(at(5_300), 4).is_ok() && limit.has_place_for(at(5_300), 4));
}

/// Whatever the quota becomes: who was full is fresh, who was not has what was left.
#[test]
fn another_quota_takes_over_what_is_left() {
    let (mut limit, at) = (limit(20_000), Instant::from_secs);
    for key in 0..10_000 {
        assert!(limit.take(at(if key < 5_000 { 1 } else { 9 }), key).is_ok());
    }
    for count in [9, 3, 2] {
        limit.change(at(9), Quota::per_second(NonZeroU32::new(count).unwrap()));
    }
    for key in 0..10_000 {
        let left = (0..3).filter(|_| limit.take(at(9), key).is_ok()).count();
        assert_eq!(left, if key < 5_000 { 2 } else { 1 }, "of {key}");
    }
    assert!(limit.former.is_empty());
}

/// A key stays until its bucket is full again, and a check says what a take does.
#[test]
fn with_fewer_places_each_stays_until_full() {
    let mut limit = limit(200);
    for key in 0..200 {
        let now = Instant::from_millis(5_000 + key);
        assert!(limit.take(now, key).is_ok());
    }
    limit.set_max_keys(3);
    let mut newcomers = 0;
    for millis in 5_200..5_800 {
        let (now, key) = (Instant::from_millis(millis), 1_000 + millis);
        let (expected, before) = (limit.check(now, key).is_ok(), limit.len());
        assert_eq!(limit.take(now, key).is_ok(), expected, "at {millis} ms");
        newcomers += u32::from(limit.table.find(key).is_some());
        assert!(limit.len() <= before.max(3));
    }
    assert_eq!((limit.len(), newcomers > 0), (3, true));
}

#[test]
fn without_a_place_everyone_shares() {
    let (mut limit, now) = (limit(0), Instant::from_secs(5));
    assert_eq!((0..100).filter(|&key| limit.take(now, key).is_ok()).count(), 2);
    assert!(limit.is_empty());
}

#[test]
fn fewer_keys_than_there_are_lose_their_places_in_turn() {
    let (mut limit, at) = (limit(100), Instant::from_millis);
    assert!(limit.is_empty());
    assert!((0..70).all(|key| limit.take(at(1_000), key).is_ok()) && !limit.is_empty());
    // All are full again after half a second, but one call lets no more than 64 go.
    limit.set_max_keys(6);
    assert!(!limit.has_place_for(at(1_500), 100));
    limit.set_max_keys(7);
    assert!(limit.has_place_for(at(1_500), 100) && limit.has_place_for(at(1_500), 69));
    assert!(limit.take(at(1_500), 100).is_ok());
    assert_eq!(limit.len(), 7);
    assert!(limit.take(at(1_500), 101).is_ok());
    assert_eq!(limit.len(), 7, "one goes for one that comes");
    // Those two are full again at two seconds; until then nobody has a place who is full.
    limit.set_max_keys(1);
    assert!(!limit.has_place_for(at(1_600), 69) && limit.has_place_for(at(1_600), 100));
}

#[test]
fn who_waits_to_be_taken_over_keeps_what_is_left() {
    let (mut limit, at) = (limit(20_000), Instant::from_secs);
    assert!((0..10_000).all(|key| limit.take(at(1), key).is_ok()));
    limit.change(at(9), Quota::per_second(NonZeroU32::new(3).unwrap()));
    // The last of those that are still to follow.
    assert!((0..3).all(|_| limit.take(at(9), 9_999).is_ok()));
    assert!((20_000..20_100).all(|key| limit.take(at(9), key).is_ok()));
    assert!(limit.take(at(9), 9_999).is_err(), "all of them have followed");
}

#[test]
fn who_waits_to_be_taken_over_keeps_a_place() {
    let (mut limit, at) = (limit(10_000), Instant::from_millis);
    assert!((0..10_000).all(|key| limit.take(at(1_000), key).is_ok()));
    let rate = crate::quota::Rate::new(NonZeroU32::MIN, crate::time::Duration::from_secs(10));
    let quota = Quota { rate: rate.unwrap(), burst: NonZeroU32::new(2).unwrap() };
    limit.change(at(1_100), quota);
    // By the quota that held, it would be full by now.
    assert!(limit.has_place_for(at(2_000), 9_999) && !limit.has_place_for(at(2_000), 10_000));
}
