//! What a log holds.

use super::*;
use crate::RoomConfig;
use crate::ids::Seq;
use crate::message::Sender;
use crate::time::Duration;
use crate::{Instant, Kind};

fn message(position: u64, payload: &'static str) -> Arc<Message<&'static str>> {
    message_at(position, payload, Instant::ZERO)
}

fn message_at(
    position: u64,
    payload: &'static str,
    dispatched_at: Instant,
) -> Arc<Message<&'static str>> {
    Arc::new(Message {
        seq: Seq(position + 1),
        position,
        priority: Priority::Normal,
        kind: Kind::Text,
        sender: Sender::Host,
        session: None,
        units: 1,
        messages: 1,
        admitted_at: Instant::ZERO,
        dispatched_at,
        profile: None,
        payload,
        bytes: payload.len() as u64,
    })
}

fn log_of(messages: u32, bytes: u64) -> Log<&'static str> {
    let config = RoomConfig::builder(None)
        .payload_bytes(1)
        .profile_bytes(1)
        .log_messages(PerLevel([messages; 4]))
        .log_bytes(PerLevel([bytes; 4]))
        .build()
        .unwrap();
    Log::new(&config.settings, PerLevel([5; 4]))
}

fn log() -> Log<&'static str> {
    log_of(3, 10)
}

#[test]
fn the_newest_stay_within_both_bounds() {
    let mut log = log();
    for (position, payload) in [(5, "a"), (6, "b"), (7, "c"), (8, "d")] {
        log.append(message(position, payload), &mut DeferredDrops::default());
    }
    assert_eq!((log.tail(Priority::Normal), log.head(Priority::Normal)), (6, 9));
    log.append(message(9, "eight...."), &mut DeferredDrops::default());
    assert_eq!((log.tail(Priority::Normal), log.bytes(Priority::Normal)), (8, 10));
    assert_eq!(log.get(Priority::Normal, 8).unwrap().payload, "d");
    assert!(log.get(Priority::Normal, 7).is_none() && log.get(Priority::Normal, 10).is_none());
    assert_eq!(log.len(Priority::High), 0);
}

#[test]
fn the_newest_is_taken_over_and_goes_on() {
    let mut log = log_of(5_000, 1 << 20);
    for position in 5..5_005 {
        log.append(message(position, "ab"), &mut DeferredDrops::default());
    }
    let mut other = log.newest();
    let range = |log: &Log<&'static str>| (log.tail(Priority::Normal), log.head(Priority::Normal));
    assert_eq!((range(&other), other.bytes(Priority::Normal)), ((5_005 - 4_096, 5_005), 2 * 4_096));
    other.append(message(5_005, "ab"), &mut DeferredDrops::default());
    assert_eq!((range(&other).1, range(&log)), (5_006, (5, 5_005)));
    assert!(Arc::ptr_eq(
        other.get(Priority::Normal, 5_000).unwrap(),
        log.get(Priority::Normal, 5_000).unwrap()
    ));
    // What was not taken over was never seen there.
    let overruns = [&log, &other].map(|log| log.overrun(Priority::Normal));
    assert_eq!(overruns, [0, 5_005 - 4_096]);
}

/// A repetition changes nothing.
#[test]
fn a_hole_empties_the_ring_and_a_repeat_does_not() {
    let mut log = log();
    log.append(message(5, "a"), &mut DeferredDrops::default());
    log.append(message(5, "again"), &mut DeferredDrops::default());
    assert_eq!((log.head(Priority::Normal), log.bytes(Priority::Normal)), (6, 1));
    log.append(message(8, "b"), &mut DeferredDrops::default());
    assert_eq!(
        (log.tail(Priority::Normal), log.head(Priority::Normal), log.bytes(Priority::Normal)),
        (8, 9, 1)
    );
    log.pass_over(Priority::Normal, 9, &mut DeferredDrops::default());
    assert_eq!((log.len(Priority::Normal), log.overrun(Priority::Normal)), (1, 8));
    log.hold_nothing();
    assert!(!log.trim(Instant::ZERO, &mut MOVED.clone(), &mut DeferredDrops::default()));
    assert_eq!((log.len(Priority::Normal), log.head(Priority::Normal)), (0, 9));
}

/// Three thousand messages, one each millisecond from a second on, within these ages.
fn aging(within: Option<Duration>, age: Option<Duration>) -> Log<&'static str> {
    let config = RoomConfig::builder(None)
        .payload_bytes(1)
        .profile_bytes(1)
        .log_messages(PerLevel([5_000; 4]))
        .resume_within(Duration::ZERO)
        .deliver_within(PerLevel([within; 4]))
        .log_age(age);
    let mut log = Log::new(&config.build().unwrap().settings, PerLevel([0; 4]));
    for position in 0..3_000 {
        let at = Instant::from_millis(1_000 + position);
        log.append(message_at(position, "a", at), &mut DeferredDrops::default());
    }
    log
}

#[test]
fn b21_a_floor_stands_at_the_first_that_is_young() {
    let mut log = aging(Some(Duration::from_millis(500)), None);
    let mut floor = 0;
    for (millis, expected) in
        [(1_000, 0), (1_499, 0), (1_500, 1), (1_501, 2), (2_000, 501), (2_002, 503), (4_498, 2_999)]
    {
        let now = Instant::from_millis(millis);
        let may_move = log.may_move_floors(now);
        assert_eq!(may_move && log.move_floors(now), expected > floor, "at {millis}");
        floor = log.floor(Priority::Normal);
        assert_eq!(floor, expected, "at {millis}");
    }
    assert!(log.move_floors(Instant::MAX) && !log.may_move_floors(Instant::from_secs(1 << 33)));
    assert_eq!(log.floor(Priority::Normal), 3_000);
    // The next one counts again.
    let at = Instant::from_secs(10);
    log.append(message_at(3_000, "a", at), &mut DeferredDrops::default());
    assert!(!log.may_move_floors(Instant::from_millis(10_499)));
    assert!(log.may_move_floors(Instant::from_millis(10_500)));
}

#[test]
fn b21_a_log_that_is_empty_for_its_age_keeps_no_memory() {
    let age = Duration::from_secs(1);
    let mut log = aging(None, Some(age));
    let (last, kept) = (Instant::from_millis(3_999), PerLevel::default());
    assert_eq!(log.all_old_at(last, &kept), Some(last + age));
    let expire = |log: &mut Log<&'static str>, now, mut left| {
        let more = log.expire(now, &kept, &mut left, &mut DeferredDrops::default());
        (more, log.len(Priority::Normal))
    };
    // As much as one call may, and no more than is that old.
    assert_eq!(expire(&mut log, Instant::from_millis(3_000), 600), (true, 2_400));
    assert_eq!(expire(&mut log, Instant::from_millis(3_000), 600), (false, 1_999));
    let overruns = [&log, &log.newest()].map(|log| log.overrun(Priority::Normal));
    assert_eq!(overruns, [0, 0], "nobody has missed what was fresh");
    assert_eq!(expire(&mut log, last + age, MOVED), (false, 0));
    assert_eq!(log.all_old_at(last, &kept), None);
    log.shrink();
    assert_eq!(log.rings[Priority::Normal].messages.capacity(), 0);
}
