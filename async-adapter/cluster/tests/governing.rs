//! What the owner of a room over several machines decides for all of them: whose the room is, how it is
//! run and when it ends, what its counters say, what is pinned, and what one user gets wherever he or she is.

mod place;
#[cfg(feature = "nats")]
mod server;

use place::{LONG, OWNER, Place, ROOM, ends, hears, owned};
use roomcast::error::RefusalReason;
use roomcast::event::EndReason;
use roomcast::message::Seq;
use roomcast::moderation::{PinId, Role};
use roomcast::{
    Actor, Direct, Hub, Item, Join, Outcome, Priority, Publish, RoomConfig, Source, UserId,
};
use roomcast_cluster::bus::{Connection, LocalBus};
#[cfg(feature = "nats")]
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use roomcast_cluster::hub::CommandError;
use roomcast_cluster::proto::Event;
use roomcast_cluster::wire::{Command, NotDone};
use std::time::Duration;
use tokio::time::timeout;

const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);

async fn two(bus: &LocalBus) -> [Place; 2] {
    owned([Place::new(1, bus.connect()).await, Place::new(2, bus.connect()).await]).await
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
    until(|| lives.owns()).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_closed_is_closed_at_every_node_and_begins_anew() {
    let bus = LocalBus::new();
    closes_everywhere_and_begins_anew(async || bus.connect()).await;
}

#[cfg(feature = "nats")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_over_nats_that_is_closed_begins_anew() {
    let Some(server) = server::Server::start() else { return };
    let connect =
        async || NatsBus::connect(&server.address(), NatsOptions::new()).await.expect("a server");
    closes_everywhere_and_begins_anew(connect).await;
}

async fn closes_everywhere_and_begins_anew<C: Connection + Send + 'static>(
    connect: impl AsyncFn() -> C,
) {
    let places =
        owned([Place::new(1, connect().await).await, Place::new(2, connect().await).await]).await;
    let host = places[0].room.moderation(Actor::Host);
    host.add_admin(ANN).await.unwrap();
    host.ban(BOB, None).await.unwrap();
    assert!(matches!(places[1].says("before").await, Outcome::Dispatched { seq: Seq(1), .. }));
    let mut sessions = Vec::new();
    for place in &places {
        sessions.push(place.room.join(Join::user(ANN)).unwrap());
    }
    let refused = places[1].room.close(Actor::User(ANN)).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::NotAllowed)));
    // By whichever does not own it.
    let other = places.iter().find(|place| !place.owns()).expect("one of them");
    timeout(LONG, other.room.close(Actor::User(OWNER))).await.unwrap().unwrap();
    for session in &mut sessions {
        assert_eq!(ends(session).await, EndReason::RoomClosed);
    }
    for place in &places {
        until(|| place.told.lock().unwrap().contains(&Event::Closed { room: ROOM })).await;
        assert!(place.room.try_publish(Publish::new(Source::Host, "late".to_owned())).is_err());
        assert_eq!(place.room.close(Actor::Host).await, Err(CommandError::NodeEnded));
    }
    // Opened by another configuration, at the same nodes and by a new one.
    let config = RoomConfig::builder(BOB).build().unwrap();
    let late = Place::of(Hub::start(), &config, 3, connect().await).await;
    let mut heard = late.room.join(Join::user(BOB)).unwrap();
    for place in &places {
        let room = timeout(LONG, place.hub.open_room(ROOM, &config)).await.unwrap().unwrap();
        assert_eq!(room.here().owner(), Some(BOB));
        assert!(room.here().data().export().admins.is_empty());
        let said = room.publish(Publish::new(Source::Host, "anew".to_owned()));
        let said = timeout(LONG, said).await.unwrap().unwrap();
        assert!(matches!(said, Outcome::Dispatched { seq, .. } if seq > Seq(1)), "{said:?}");
    }
    assert_eq!(hears(&mut heard, 2).await, ["anew", "anew"]);
    // The numbers of forwards go on as well, where a room is closed at one node and opened again.
    places[0].hub.close_room(ROOM).await;
    let again = timeout(LONG, places[0].hub.open_room(ROOM, &config)).await.unwrap().unwrap();
    let said = again.publish(Publish::new(Source::Host, "again".to_owned()));
    let said = timeout(LONG, said).await.unwrap().unwrap();
    assert!(matches!(said, Outcome::Dispatched { .. }), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_message_finds_its_user_at_whatever_nodes() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    let mut sessions = Vec::new();
    for place in &places {
        sessions.push(place.room.join(Join::user(ANN)).unwrap());
    }
    let mut other = places[0].room.join(Join::user(BOB)).unwrap();
    assert!(matches!(places[0].says("first").await, Outcome::Dispatched { .. }));
    let warning = Direct::new("warned".to_owned()).priority(Priority::High);
    places[0].room.send_direct(ANN, warning).await.unwrap();
    assert!(matches!(places[0].says("then").await, Outcome::Dispatched { .. }));
    for session in &mut sessions {
        let mut got = Vec::new();
        while got.len() < 3 {
            let batch = timeout(LONG, session.next_batch()).await.unwrap().unwrap();
            got.extend(batch.items().map(|item| match item {
                Item::Message(message) => message.payload.clone(),
                Item::Direct(direct) => format!("direct: {}", direct.payload),
                Item::Gap { .. } => panic!("something is missing"),
            }));
        }
        // High comes first, where nothing was read between.
        assert!(got.contains(&"direct: warned".to_owned()), "{got:?}");
    }
    assert_eq!(hears(&mut other, 2).await, ["first", "then"]);
    let long = places[0].room.send_direct(ANN, Direct::new("x".repeat(20_000))).await;
    assert_eq!(long, Err(CommandError::NotDone(NotDone::Limit)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_holds_at_every_node_and_for_who_comes_later() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    let short = RoomConfig::builder(None).payload_bytes(5).build().unwrap();
    // It names no owner: whose the room is stays as it is.
    places[0].room.reconfigure(&short).await.unwrap();
    let is_refused = |place: &Place| {
        let publish = Publish::new(Source::Host, "too long".to_owned());
        place
            .room
            .try_publish(publish)
            .is_err_and(|refused| refused.reason == RefusalReason::TooLarge)
    };
    for place in &places {
        until(|| is_refused(place)).await;
        assert_eq!(place.room.here().owner(), Some(OWNER));
    }
    let fixed = RoomConfig::builder(None).outbox_capacity(2_048).build().unwrap();
    let refused = places[0].room.reconfigure(&fixed).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::Fixed)));
    // Whoever comes later, and whoever owns it next.
    let late = Place::new(3, bus.connect()).await;
    assert!(is_refused(&late));
    let owner = places.iter().position(Place::owns).expect("one of them");
    let [first, second] = places;
    drop(if owner == 0 { first } else { second });
    let long = late.room.send_direct(ANN, Direct::new("too long".to_owned()));
    let long = timeout(LONG, long).await.unwrap();
    assert_eq!(long, Err(CommandError::NotDone(NotDone::Limit)));
    // Its successor has written down all that is known.
    assert!(is_refused(&Place::new(4, bus.connect()).await));
    // On the wire it is a file of some kilobytes.
    let Command::Reconfigure(text) = Command::reconfigure(&RoomConfig::default()) else { panic!() };
    assert!((1_000..8_000).contains(&text.len()), "{} bytes", text.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pinned_everyone_gets_first_who_joins_at_whatever_node() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    let host = places[0].room.moderation(Actor::Host);
    assert!(matches!(places[0].says("before").await, Outcome::Dispatched { .. }));
    for (id, text) in [(1, "no spoilers"), (2, "be kind"), (3, "draft")] {
        host.pin(PinId(id), Direct::new(text.to_owned())).await.unwrap();
    }
    let full = host.pin(PinId(4), Direct::new("one more".to_owned())).await;
    assert_eq!(full, Err(CommandError::NotDone(NotDone::Limit)));
    let stranger = places[1].room.moderation(Actor::User(ANN));
    let refused = stranger.pin(PinId(1), Direct::new("mine".to_owned())).await;
    assert_eq!(refused, Err(CommandError::NotDone(NotDone::NotAllowed)));
    // One is replaced in its place, and one goes and comes back behind the others.
    let owner = places[1].room.moderation(Actor::User(OWNER));
    owner.pin(PinId(2), Direct::new("be very kind".to_owned())).await.unwrap();
    let since = async |place: &Place, text: &str| {
        timeout(LONG, async {
            loop {
                let mut session = place.room.join(Join::guest()).unwrap();
                let batch = session.next_batch().await.unwrap();
                if let Some(pin) = batch.directs().find(|pin| pin.payload == text) {
                    return pin.sent_at.expect("when it was pinned");
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap()
    };
    let kind = [since(&places[0], "be very kind").await, since(&places[1], "be very kind").await];
    owner.unpin(PinId(1)).await.unwrap();
    owner.unpin(PinId(3)).await.unwrap();
    owner.pin(PinId(1), Direct::new("no spoilers".to_owned())).await.unwrap();
    let first = async |place: &Place| {
        until(|| place.room.here().pinned() == [PinId(2), PinId(1)]).await;
        let mut session = place.room.join(Join::guest()).unwrap();
        let batch = timeout(LONG, session.next_batch()).await.unwrap().unwrap();
        batch.directs().map(|pinned| (pinned.pin, pinned.payload.clone())).collect::<Vec<_>>()
    };
    let pinned =
        [(Some(PinId(2)), "be very kind".to_owned()), (Some(PinId(1)), "no spoilers".to_owned())];
    for (place, at) in places.iter().zip(kind) {
        assert_eq!(first(place).await, pinned);
        assert_eq!(since(place, "be very kind").await, at, "it has not changed since");
        assert!(since(place, "no spoilers").await > at);
    }
    // Through the death of the node that owns the room, and at one that comes later.
    let owner = places.iter().position(Place::owns).expect("one of them");
    let [one, two] = places;
    let (dies, lives) = if owner == 0 { (one, two) } else { (two, one) };
    drop(dies);
    until(|| lives.owns()).await;
    let late = Place::new(3, bus.connect()).await;
    assert_eq!(first(&late).await, pinned);
    // The owner that there is knows how many there are.
    let host = late.room.moderation(Actor::Host);
    host.pin(PinId(5), Direct::new("third".to_owned())).await.unwrap();
    let full = host.pin(PinId(6), Direct::new("fourth".to_owned())).await;
    assert_eq!(full, Err(CommandError::NotDone(NotDone::Limit)));
}
