//! Evenings of chat in virtual time, through the engine, with the oracle watching every room.

use roomcast_core::config::{
    AuditConfig, AuditOverflow, Echo, EvictionPolicy, Heartbeat, QueueDiscipline, WhenLate,
};
use roomcast_core::time::Duration;
use roomcast_core::{PerLevel, UserId};
use roomcast_tests::rules::{Rules, queue};
use roomcast_tests::sim::{Evening, Report, play};

fn audit(records: u32, when_full: AuditOverflow) -> AuditConfig {
    let mut audit = AuditConfig::default();
    (audit.records, audit.when_full) = (records, when_full);
    audit
}

fn evening(seed: u64) -> Evening {
    let calm = Rules {
        queue: queue(
            60,
            1 << 20,
            QueueDiscipline::Fifo,
            EvictionPolicy::Oldest,
            ([None, Some(2_000), Some(500), Some(500)], WhenLate::Wait),
            Duration::ZERO,
        ),
        ..Rules::default()
    };
    let fair = Rules {
        queue: queue(
            40,
            4_000,
            QueueDiscipline::RoundRobin,
            EvictionPolicy::BiggestSender,
            ([None, Some(1_000), Some(1_000), None], WhenLate::RefuseAtOnce),
            Duration::from_secs(5),
        ),
        payload_bytes: 190,
        burst: 10,
        reserve: PerLevel([3, 3, 0, 0]),
        log_messages: PerLevel([20, 20, 4, 4]),
        replay_on_join: 6,
        audit: Some(audit(12, AuditOverflow::Refuse)),
        grace: Duration::from_secs(2),
        heartbeat: Some(Heartbeat {
            silence: Duration::from_secs(3),
            every: Duration::from_secs(2),
            leave_after: None,
        }),
        ..Rules::default()
    };
    let wild = Rules {
        rate: 7,
        burst: 3,
        queue: queue(
            20,
            2_000,
            QueueDiscipline::Random,
            EvictionPolicy::Random,
            ([Some(3_000), Some(700), None, None], WhenLate::RefuseAtOnce),
            Duration::from_secs(1),
        ),
        payload_bytes: 256,
        profile_bytes: 100,
        log_messages: PerLevel([2, 3, 1, 1]),
        log_bytes: PerLevel([600; 4]),
        echo: Echo::On,
        sessions: 9,
        sessions_per_user: 1,
        outcomes: PerLevel([2, 5, 0, 0]),
        presence_events: 1,
        audit: Some(audit(9, AuditOverflow::Count)),
        owner: UserId(100),
        heartbeat: Some(Heartbeat {
            silence: Duration::from_millis(500),
            every: Duration::from_millis(70),
            leave_after: Some(Duration::from_millis(300)),
        }),
        seed,
        ..Rules::default()
    };
    Evening { rooms: vec![calm, fair, wild], people: 64, one_room: false, seconds: 60, seed }
}

fn run(seed: u64) -> Report {
    match play(&evening(seed)) {
        Ok(report) => report,
        Err(violation) => panic!("seed {seed}: {violation}"),
    }
}

/// The evening is repeated to the byte, and every law holds all the time.
#[test]
fn laws_hold_and_the_seed_repeats_the_evening() {
    let first = run(1);
    assert!(first.calls > 5_000, "only {} calls", first.calls);
    assert!(first.dispatched.iter().all(|&count| count > 50), "{:?}", first.dispatched);
    assert!(first.transcript.contains("other rules"));
    assert_eq!(first, run(1));
    assert_ne!(first.transcript, run(2).transcript);
}

#[test]
fn a8_laws_hold_with_users_in_one_room_at_a_time() {
    let evening = Evening { one_room: true, seconds: 30, ..evening(3) };
    let report = play(&evening).unwrap_or_else(|violation| panic!("{violation}"));
    let moves = report.transcript.matches("leaves for another room").count();
    assert!(moves > 10, "only {moves} moves");
    assert!(report.transcript.contains("JoinedElsewhere"));
}

/// Few are there this evening.
#[test]
fn b20_laws_hold_while_empty_rooms_expire() {
    let fleeting = Rules {
        idle_timeout: Some(Duration::from_millis(1_500)),
        grace: Duration::from_secs(1),
        ..Rules::default()
    };
    let evening =
        Evening { rooms: vec![fleeting; 6], people: 12, one_room: true, seconds: 200, seed: 5 };
    let report = play(&evening).unwrap_or_else(|violation| panic!("{violation}"));
    let closed = report.transcript.matches(", RoomClosed)").count();
    assert!(
        report.transcript.contains("Err(RoomClosed)") && closed == 6,
        "{closed} were told to close"
    );
    assert!(report.dispatched.iter().sum::<u64>() > 100, "{:?}", report.dispatched);
}
