//! No call stalls and nothing grows past its bound: what one call leaves undone it asks to be
//! called for at once (decision D13).

use roomcast_core::admission::RoomStatus;
use roomcast_core::config::{EvictionPolicy, Heartbeat, RoomConfigBuilder};
use roomcast_core::ledger::DropReason;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Budget, Event, Instant, Join, PerLevel, Priority, Publish, RoomConfig, RoomState,
    Source, UserId,
};
use roomcast_tests::payload::Probe;

/// Messages that one call deals with at the most.
const WORK: u64 = 1_024;
const START: Instant = Instant::from_secs(1);

fn builder() -> RoomConfigBuilder {
    RoomConfig::builder(UserId(1)).queue_messages(10_000).fresh_within(PerLevel([None; 4]))
}

/// A room in which so many messages wait and no token is left.
fn crowded(builder: RoomConfigBuilder, count: u64) -> RoomState<&'static str> {
    let mut room = RoomState::new(&builder.burst(1).build().unwrap());
    for _ in 0..=count {
        let _ = room
            .publish(START, Publish::new(Source::Host, "text").priority(Priority::Low))
            .unwrap();
    }
    assert_eq!(queued(&room), count);
    room
}

fn queued(room: &RoomState<&'static str>) -> u64 {
    room.snapshot(START).admission.ledger.total().queued
}

/// It asks to be called at once.
#[test]
fn one_call_expires_so_many_and_asks_for_more() {
    let wait = PerLevel([Some(Duration::from_secs(5)); 4]);
    let mut room = crowded(builder().rate_period(Duration::MAX).fresh_within(wait), 2_500);
    let late = START + Duration::from_secs(60);
    for left in [2_500 - WORK, 2_500 - 2 * WORK, 0] {
        room.handle_timeout(late);
        assert_eq!(queued(&room), left);
        assert_eq!(room.poll_timeout().is_some_and(|at| at <= late), left > 0);
    }
    assert_eq!(
        room.snapshot(late).admission.ledger.total().dropped.count(DropReason::Expired),
        2_500
    );
}

/// It asks to be called at once.
#[test]
fn one_call_sends_so_many_and_asks_for_more() {
    let mut room = RoomState::new(
        &builder()
            .rate(1_000_000_000)
            .rate_period(Duration::from_secs(1))
            .burst(3_000)
            .build()
            .unwrap(),
    );
    // The whole burst goes, a call at a time, so that later ones wait for tokens.
    for _ in 0..3_000 {
        let _ = room
            .publish(START, Publish::new(Source::Host, "text").priority(Priority::Low))
            .unwrap();
    }
    for _ in 0..2_500 {
        let _ = room
            .publish(START, Publish::new(Source::Host, "text").priority(Priority::Low))
            .unwrap();
    }
    assert_eq!(queued(&room), 2_500);
    let late = START + Duration::from_secs(60);
    for left in [2_500 - WORK, 2_500 - 2 * WORK, 0] {
        room.handle_timeout(late);
        assert_eq!(queued(&room), left);
        assert_eq!(room.poll_timeout().is_some_and(|at| at <= late), left > 0);
    }
    assert!(room.snapshot(late).balances());
}

/// So many are dropped at once, the rest when the room is called.
#[test]
fn a_close_drops_so_many_a_call() {
    let mut room = crowded(builder(), 2_500);
    room.close(START, Actor::Host).unwrap();
    for left in [2_500 - WORK, 2_500 - 2 * WORK, 0] {
        assert_eq!((queued(&room), room.is_ended()), (left, left == 0));
        assert_eq!(room.poll_timeout().is_some_and(|at| at <= START), left > 0);
        room.handle_timeout(START);
    }
    assert_eq!(
        room.snapshot(START).admission.ledger.total().dropped.count(DropReason::RoomClosed),
        2_500
    );
    assert_eq!(
        [room.poll_event(), room.poll_event()],
        [Some(Event::RoomClosed), Some(Event::RoomEnded)]
    );
}

#[test]
fn the_grace_lets_so_many_sessions_go_a_call() {
    let mut room: RoomState<&str> = RoomState::new(&builder().build().unwrap());
    for _ in 0..3_000 {
        room.join(START, Join::guest()).unwrap();
    }
    room.close(START, Actor::Host).unwrap();
    let over = room.poll_timeout().unwrap();
    assert_eq!(over, START + Duration::from_secs(10));
    let mut calls = 0;
    while room.poll_timeout().is_some() {
        let before = room.snapshot(over).audience.sessions;
        room.handle_timeout(over);
        let gone = before - room.snapshot(over).audience.sessions;
        assert!((1..=1_024).contains(&gone), "{gone} went in one call");
        calls += 1;
    }
    assert!(calls <= 4 && room.is_ended(), "after {calls} calls");
}

/// What nobody says anything about does not pile up.
#[test]
fn a_quiet_room_piles_nothing_up() {
    let mut room: RoomState<Probe> = RoomState::new(&builder().build().unwrap());
    let ann = UserId(7);
    room.join(START, Join::user(ann)).unwrap();
    let mut kept = Vec::new();
    for id in 0..100 {
        let profile = Probe::new(id, 10);
        kept.push(profile.watch());
        room.set_profile(ann, Some(profile)).unwrap();
    }
    assert_eq!(kept.iter().filter(|watch| watch.is_held()).count(), 1);
    for round in 0..3 {
        let session = room.sessions_of(ann)[0];
        match round {
            0 => _ = room.close_session(START, session),
            1 => room.leave(START, ann).unwrap(),
            _ => room.kick(START, Actor::Host, &[ann]).unwrap(),
        }
        assert_eq!(kept.iter().filter(|watch| watch.is_held()).count(), 0, "round {round}");
        room.join(START, Join::user(ann)).unwrap();
        let profile = Probe::new(200 + round, 10);
        kept.push(profile.watch());
        room.set_profile(ann, Some(profile)).unwrap();
    }
    assert_eq!(room.poll_timeout().filter(|&at| at <= START), None, "nothing asked for a call");
}

/// Whoever gives way.
#[test]
fn a_kick_drops_all_that_was_said() {
    for eviction in [EvictionPolicy::BiggestSender, EvictionPolicy::Oldest, EvictionPolicy::Random]
    {
        let mut room: RoomState<&str> =
            RoomState::new(&builder().burst(1).eviction(eviction).build().unwrap());
        let [ann, bob, flooder] =
            [7, 8, 9].map(|user| room.join(START, Join::user(UserId(user))).unwrap().session);
        for n in 0..9_000 {
            let session = [ann, bob, flooder, flooder][n % 4];
            let _ = room
                .publish(
                    START,
                    Publish::new(Source::Session(session), "text").priority(Priority::Low),
                )
                .unwrap();
        }
        room.kick(START, Actor::Host, &[UserId(9), UserId(7), UserId(9)]).unwrap();
        let snapshot = room.snapshot(START);
        let total = snapshot.admission.ledger.total();
        // Ann's first had gone out.
        assert_eq!(
            (total.queued, total.dropped.count(DropReason::SenderOut)),
            (2_250, 2_249 + 4_500),
            "{eviction:?}"
        );
        assert!(snapshot.balances());
    }
}

/// It takes nothing more.
#[test]
fn a_stopped_admission_still_sends_what_waits() {
    let (mut admission, _) = crowded(builder(), 3).into_halves();
    admission.stop();
    assert_eq!(admission.state(), RoomStatus::Draining);
    assert!(admission.publish(START, Publish::new(Source::Host, "text")).is_err());
    let mut now = START;
    while let Some(at) = admission.poll_timeout() {
        now = at;
        admission.handle_timeout(now);
    }
    assert_eq!((admission.dispatched().0, now), (4, START + Duration::from_millis(75)));
}

/// A reader that never comes costs the room nothing else.
#[test]
fn an_absent_reader_costs_only_the_log() {
    let config = builder()
        .rate(1_000_000)
        .burst(1_000)
        .log_messages(PerLevel([8; 4]))
        .log_bytes(PerLevel([20_000; 4]));
    let mut room: RoomState<&str> = RoomState::new(&config.build().unwrap());
    let silent = room.join(START, Join::user(UserId(7))).unwrap().session;
    for step in 0..10_000 {
        let now = Instant::from_millis(1_000 + step);
        let _ = room
            .publish(now, Publish::new(Source::Session(silent), "own").priority(Priority::Low))
            .unwrap();
        let _ =
            room.publish(now, Publish::new(Source::Host, "text").priority(Priority::Low)).unwrap();
        let audience = room.snapshot(now).audience;
        assert!(audience.log[Priority::Low] <= 8 && audience.cold_sessions <= 1);
    }
    let batch = room.next_batch(START, silent, Budget::default()).unwrap().unwrap();
    // The log holds eight: four of them its own.
    assert_eq!((batch.gap(Priority::Low), batch.messages().len()), (9_996, 4));
}

/// They get as many messages as the bound.
#[test]
fn late_joiners_are_bounded_and_lose_in_one_call() {
    let builder = builder().rate(1_000_000_000).burst(10_000).replay_on_join(4_096);
    let config =
        builder.log_messages(PerLevel([10_000, 10_000, 1, 1])).log_bytes(PerLevel([1 << 20; 4]));
    let mut room: RoomState<&str> = RoomState::new(&config.build().unwrap());
    let say = |room: &mut RoomState<&'static str>, level| {
        let _ = room.publish(START, Publish::new(Source::Host, "text").priority(level)).unwrap();
        let joined = room.join(START, Join::guest()).unwrap();
        let due: u64 =
            room.deliveries(joined.session).unwrap().values().map(|books| books.due).sum();
        assert!(room.close_session(START, joined.session));
        (joined.starts_after.0, due)
    };
    for _ in 0..5_000 {
        say(&mut room, Priority::Normal);
    }
    assert_eq!(say(&mut room, Priority::Low), (5_001 - 4_096, 4_096));
    assert_eq!(say(&mut room, Priority::Normal), (5_002 - 4_096, 4_096));
    // The like before the last text has fallen out, and all that came before it is not given
    // either.
    assert_eq!(say(&mut room, Priority::Low), (5_001, 2));
}

/// Of 20,000 sessions, a look goes over 8,192 in a call, and asks to be called again at once.
#[test]
fn a7_a_look_goes_over_8192_slots_a_call() {
    let config = RoomConfig::builder(UserId(1)).heartbeat(Some(Heartbeat::AV_CHAT_ROOM));
    let mut room: RoomState<&str> = RoomState::new(&config.build().unwrap());
    for _ in 0..20_000 {
        room.join(START, Join::guest()).unwrap();
    }
    let look = room.poll_timeout().unwrap();
    assert!(look > START);
    let mut calls = 0;
    while room.poll_timeout().is_some_and(|due| due <= look) {
        room.handle_timeout(look);
        calls += 1;
    }
    assert_eq!(calls, 3);
    assert_eq!(room.snapshot(look).audience.online, 20_000);
}
