//! What a hub's room does over several shards that a room of the core does at one go.

use roomcast_core::admission::RoomStatus;
use roomcast_core::broadcasts::BroadcastLimits;
use roomcast_core::error::SessionEnd;
use roomcast_core::event::EndReason;
use roomcast_core::time::Duration;
use roomcast_core::{Budget, Instant, Join, RoomConfig, UserId};
use roomcast_tests::hub_room::HubRoom;

/// The one who has left sits in another shard than the one who comes joins.
#[test]
fn a10_one_who_has_left_gives_way_in_any_shard() {
    let config = RoomConfig::builder(UserId(1)).sessions(2).build().unwrap();
    let now = Instant::from_secs(1);
    for leaves in [2, 3] {
        let mut hub = HubRoom::new(&config, 2, BroadcastLimits::default(), now);
        for user in [2, 3] {
            hub.join(now, &Join::user(UserId(user))).unwrap();
            assert!(hub.settle(now));
        }
        assert!(hub.join(now, &Join::user(UserId(4))).is_err(), "both are in");
        hub.leave(now, UserId(leaves)).unwrap();
        hub.join(now, &Join::user(UserId(4))).unwrap();
        assert!(hub.settle(now) && hub.snapshot(now).balances());
    }
}

/// Whoever's grace is over first, also where another one sits in the shard that the newcomer joins.
#[test]
fn a2_the_first_to_end_gives_way_in_any_shard() {
    let config = RoomConfig::builder(UserId(1)).sessions(2).build().unwrap();
    let at = |seconds| Instant::from_secs(seconds);
    for [first, second] in [[0, 1], [1, 0]] {
        let mut hub = HubRoom::new(&config, 2, BroadcastLimits::default(), at(1));
        let users = [UserId(2), UserId(3)];
        let sessions = users.map(|user| hub.join(at(1), &Join::user(user)).unwrap().session);
        hub.leave(at(2), users[first]).unwrap();
        hub.leave(at(3), users[second]).unwrap();
        hub.join(at(3), &Join::user(UserId(4))).unwrap();
        let gone = hub.next_batch(at(3), sessions[first], Budget::default());
        assert!(matches!(gone, Err(SessionEnd::NoSession(_))), "{gone:?}");
        let left = hub.next_batch(at(3), sessions[second], Budget::default());
        assert!(matches!(left, Err(SessionEnd::Closed(EndReason::Left))), "{left:?}");
    }
}

/// It is found empty by the step that brings it there, and not by another one.
#[test]
fn b13_a_visit_moves_a_room_s_clock_once() {
    let step = Duration::from_millis(50);
    let config = RoomConfig::builder(None).idle_timeout(Some(step)).max_step(Some(step));
    let now = Instant::from_secs(1);
    let mut hub = HubRoom::new(&config.build().unwrap(), 1, BroadcastLimits::default(), now);
    assert!(hub.settle(now));
    let later = now + 3 * step;
    assert!(hub.settle(later));
    let room = hub.snapshot(later).admission;
    assert_eq!((room.state, room.clock_steps_cut), (RoomStatus::Closed, 1));
}
