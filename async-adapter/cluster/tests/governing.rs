//! What the owner of a room over several machines decides for all of them: whose the room is, and what its
//! counters say.

mod place;

use place::{LONG, OWNER, Place, ROOM};
use roomcast::moderation::Role;
use roomcast::{Actor, RoomConfig, UserId};
use roomcast_cluster::bus::LocalBus;
use roomcast_cluster::hub::CommandError;
use roomcast_cluster::wire::NotDone;
use std::time::Duration;
use tokio::time::timeout;

const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);

async fn two(bus: &LocalBus) -> [Place; 2] {
    [Place::new(1, bus.connect()).await, Place::new(2, bus.connect()).await]
}

/// Waits until something holds at a node, which hears of it with the log.
async fn until(mut holds: impl FnMut() -> bool) {
    timeout(LONG, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it comes to hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_handed_over_to_another_owner_stays_that_owner_s() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    let by = async |place: &Place, user| {
        let moderation = place.room.moderation(Actor::User(user));
        timeout(LONG, moderation.set_owner(BOB)).await.expect("an owner decides")
    };
    let refused = places[0].room.moderation(Actor::User(ANN)).set_owner(BOB).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::NotAllowed)));
    places[0].room.moderation(Actor::Host).add_admin(ANN).await.unwrap();
    places[0].room.moderation(Actor::Host).set_owner(ANN).await.unwrap();
    for place in &places {
        until(|| place.room.here().owner() == Some(ANN)).await;
        // The owner before may be kept out now, and the new one is no admin beside.
        assert_eq!(place.room.here().role_of(OWNER), Role::Member);
        assert!(place.room.here().data().export().admins.is_empty());
    }
    places[1].room.moderation(Actor::User(ANN)).ban(OWNER, None).await.unwrap();
    until(|| places[0].room.here().banned_until(OWNER).is_some()).await;
    let refused = places[1].room.moderation(Actor::User(ANN)).set_owner(OWNER).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::Banned)));

    // The node that owns it dies; whoever goes on with it knows whose it is, and so does a node that joins.
    let owner = places.iter().position(Place::owns).expect("one of them");
    let [first, second] = places;
    let (dies, lives) = if owner == 0 { (first, second) } else { (second, first) };
    drop(dies);
    let refused = by(&lives, OWNER).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::NotAllowed)));
    assert!(lives.owns());
    let late = Place::new(3, bus.connect()).await;
    assert_eq!(late.room.here().owner(), Some(ANN));
    assert!(late.room.here().banned_until(OWNER).is_some());
    by(&late, ANN).await.unwrap();
    for place in [&lives, &late] {
        until(|| place.room.here().owner() == Some(BOB)).await;
    }
    // A room that is closed here and opened again is not what its configuration says, either.
    late.hub.close_room(ROOM).await;
    let config = RoomConfig::builder(OWNER).build().unwrap();
    let again = timeout(LONG, late.hub.open_room(ROOM, &config)).await.unwrap().unwrap();
    assert_eq!(again.here().owner(), Some(BOB));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_the_room_s_whoever_sets_them_and_wherever_it_is_counted() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    let host = places[0].room.moderation(Actor::Host);
    host.set_counter("votes", Some(40)).await.unwrap();
    places[1].room.moderation(Actor::Host).add_counter("votes", 2).await.unwrap();
    let counter = |place: &Place, key: &str| {
        let counters = place.room.here().data().counters();
        counters.into_iter().find(|(its, _)| its == key).map(|(_, value)| value)
    };
    for place in &places {
        until(|| counter(place, "votes") == Some(42)).await;
    }
    // What is counted at a node comes to the others, though nothing else happens.
    for place in &places {
        place.room.here().data().add_counter("likes", 5).unwrap();
    }
    for place in &places {
        until(|| counter(place, "likes") == Some(10)).await;
    }
    host.set_counter("votes", None).await.unwrap();
    for place in &places {
        until(|| counter(place, "votes").is_none()).await;
    }
    let full = host.add_counter("likes", i64::MAX).await;
    assert_eq!(full, Err(CommandError::NotDone(NotDone::Limit)));
}
