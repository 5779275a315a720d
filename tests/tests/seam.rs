//! What crosses the seam between an admission and its audiences: nothing is lost there in silence,
//! whatever one call dispatches.

use roomcast_core::broadcasts::{Broadcast, BroadcastLimits, Broadcasts};
use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::ids::SessionKind;
use roomcast_core::message::DedupKey;
use roomcast_core::quota::Quota;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Admission, Audience, Budget, Group, Instant, Item, Join, Kind, Outcome, PerLevel,
    Priority, Publish, RoomConfig, RoomState, SessionId, Source, UserId,
};
use std::num::NonZeroU32;

const START: Instant = Instant::from_secs(10);

fn fast() -> RoomConfigBuilder {
    let roomy = RoomConfig::builder(UserId(1)).rate(2_000).burst(2_000).queue_messages(4_096);
    roomy
        .fresh_within(PerLevel([None; 4]))
        .log_messages(PerLevel([8_192; 4]))
        .log_bytes(PerLevel([1 << 24; 4]))
}

fn text(level: Priority) -> Publish<&'static str> {
    Publish::new(Source::Host, "text").priority(level)
}

/// All that a session is due: messages of each level, and gaps.
fn read(room: &mut RoomState<&'static str>, session: SessionId) -> (PerLevel<u64>, PerLevel<u64>) {
    let (mut messages, mut gaps) = (PerLevel::default(), PerLevel::default());
    while let Some(batch) = room.next_batch(START, session, Budget::default()).unwrap() {
        for item in batch.items() {
            match item {
                Item::Message(message) => messages[message.priority] += 1,
                Item::Gap { priority, count, .. } => gaps[priority] += count,
                Item::Direct(_) => {}
            }
        }
    }
    (messages, gaps)
}

#[test]
fn a_notice_survives_its_own_calls_dispatch() {
    let mut room: RoomState<&str> = RoomState::new(&fast().build().unwrap());
    let guest = room.join(START, Join::guest()).unwrap().session;
    for _ in 0..2_000 + 1_024 {
        let _ = room.publish(START, text(Priority::Low)).unwrap();
    }
    read(&mut room, guest);
    let receipt = room
        .publish(START + Duration::from_secs(1), text(Priority::High).kind(Kind::Notice))
        .unwrap();
    assert!(matches!(receipt.outcome, Some(Outcome::Dispatched { .. })));
    assert_eq!(read(&mut room, guest), (PerLevel([1, 0, 1_024, 0]), PerLevel::default()));
    let snapshot = room.snapshot(START);
    assert_eq!(snapshot.audience.heads, snapshot.admission.heads);
    assert!(snapshot.balances());
}

#[test]
fn what_an_audience_missed_is_a_gap_at_its_level() {
    let config = fast().build().unwrap();
    let mut admission: Admission<&str> = Admission::new(&config);
    let mut audience: Audience<&str> = Audience::new(&config);
    let guest = audience.join(SessionKind::Guest, Group::DEFAULT, None).unwrap().session;
    let _ = admission.publish(START, text(Priority::High)).unwrap();
    for _ in 0..1_999 {
        let _ = admission.publish(START, text(Priority::Low)).unwrap();
    }
    let handed = admission.hand_over(audience.applied());
    // 1,024 wait, and what the last call dispatched; no later High tells of the first.
    assert_eq!(handed.messages().len(), 1_025);
    assert!(handed.messages().iter().all(|message| message.priority == Priority::Low));
    audience.take_over(handed);
    assert_eq!(audience.snapshot().heads, admission.heads());
    let batch = audience
        .next_batch(START, guest, Budget { messages: 2_000, bytes: 1 << 20 })
        .unwrap()
        .expect("a gap is due");
    assert_eq!((batch.gap(Priority::High), batch.gap(Priority::Low)), (1, 2_000 - 1 - 1_025));
    assert_eq!(batch.messages().len(), 1_025);
    assert!(
        audience
            .deliveries(guest)
            .unwrap()
            .values()
            .all(roomcast_core::ledger::Deliveries::balances)
    );
}

#[test]
fn an_empty_seam_still_tells_what_was_missed() {
    let config = fast().build().unwrap();
    let mut admission: Admission<&str> = Admission::new(&config);
    let mut audience: Audience<&str> = Audience::new(&config);
    let guest = audience.join(SessionKind::Guest, Group::DEFAULT, None).unwrap().session;
    let _ = admission.publish(START, text(Priority::High)).unwrap();
    // Another audience has taken it over, and the host did not wait for this one.
    admission.release_through(admission.dispatched());
    audience.take_over(admission.hand_over(audience.applied()));
    assert_eq!(audience.poll_wake(), Some(Instant::ZERO), "those who wait are to be told");
    let batch =
        audience.next_batch(START, guest, Budget::default()).unwrap().expect("a gap is due");
    assert_eq!((batch.gap(Priority::High), batch.messages().len()), (1, 0));
}

#[test]
fn broadcasts_that_are_heard_at_once_all_cross() {
    let mut limits = BroadcastLimits::default();
    limits.quota = Quota::per_second(NonZeroU32::MAX);
    limits.kept = 3_000;
    let mut broadcasts = Broadcasts::new(limits, 0);
    let mut room: RoomState<&str> =
        RoomState::new(&fast().build().unwrap()).with_broadcast_position(&broadcasts);
    let guest = room.join(START, Join::guest()).unwrap().session;
    for key in 0..3_000 {
        let level = if key == 0 { Priority::High } else { Priority::Normal };
        broadcasts.publish(START, Broadcast::new(DedupKey(key), "to all").priority(level)).unwrap();
    }
    room.import_broadcasts(START, &broadcasts);
    assert_eq!(read(&mut room, guest), (PerLevel([1, 2_999, 0, 0]), PerLevel::default()));
    room.close(START, Actor::Host).unwrap();
    assert!(room.snapshot(START).balances());
}
