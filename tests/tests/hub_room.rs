//! What a hub's room does over several shards that a room of the core does at one go.

use roomcast_core::broadcasts::BroadcastLimits;
use roomcast_core::{Instant, Join, RoomConfig, UserId};
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
