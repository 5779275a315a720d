//! Hubs that are nodes of a cluster, as a server has them: over a bus of one process, and over NATS.

mod place;
#[cfg(feature = "nats")]
mod server;

use place::{Closed, LONG, OWNER, Place, ROOM, ends, hears, owned};
use roomcast::error::{DropReason, JoinError};
use roomcast::event::EndReason;
use roomcast::time::{Clock, Instant, SystemClock};
use roomcast::{Actor, Hub, Join, Outcome, PerLevel, Publish, RoomConfig, Source, UserId};
use roomcast_cluster::ClusterHub;
use roomcast_cluster::bus::LocalBus;
#[cfg(feature = "nats")]
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use roomcast_cluster::hub::CommandError;
use roomcast_cluster::proto::{ClockOffset, Event, NodeOptions};
use roomcast_cluster::wire::NotDone;
use std::time::Duration;
use tokio::time::timeout;

async fn two(bus: &LocalBus) -> [Place; 2] {
    owned([Place::new(1, bus.connect()).await, Place::new(2, bus.connect()).await]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_two_hubs_chat_through_the_death_of_the_owner() {
    let bus = LocalBus::new();
    chat_through_the_death_of_the_owner(two(&bus).await).await;
}

#[cfg(feature = "nats")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_two_hubs_over_nats_chat_through_the_death_of_the_owner() {
    let Some(server) = server::Server::start() else { return };
    let connect =
        async || NatsBus::connect(&server.address(), NatsOptions::new()).await.expect("a server");
    let places =
        owned([Place::new(1, connect().await).await, Place::new(2, connect().await).await]).await;
    chat_through_the_death_of_the_owner(places).await;
}

async fn chat_through_the_death_of_the_owner(places: [Place; 2]) {
    let mut sessions = Vec::new();
    for place in &places {
        sessions.push(place.room.join(Join::guest()).unwrap());
    }
    for (n, place) in [0, 1, 0, 1].map(|at| &places[at]).into_iter().enumerate() {
        let outcome = place.says(&n.to_string()).await;
        assert!(matches!(outcome, Outcome::Dispatched { seq, .. } if seq.0 == n as u64 + 1));
    }
    for session in &mut sessions {
        assert_eq!(hears(session, 4).await, ["0", "1", "2", "3"]);
    }
    let owner = places.iter().position(Place::owns).expect("one of them");
    let [first, second] = places;
    let (dies, lives) = if owner == 0 { (first, second) } else { (second, first) };
    let mut reader = sessions.remove(1 - owner);
    // What is said at its death is not lost, and not said twice.
    let speaking = {
        let room = lives.room.clone();
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for n in 4..24 {
                let publish = Publish::new(Source::Host, n.to_string());
                match room.publish(publish).await.unwrap() {
                    Outcome::Dispatched { seq, .. } => numbers.push(seq.0),
                    other => panic!("{other:?}"),
                }
            }
            numbers
        })
    };
    drop(dies);
    let numbers = timeout(LONG, speaking).await.unwrap().unwrap();
    assert_eq!(numbers, (5..25).collect::<Vec<_>>());
    let expected: Vec<String> = (4..24).map(|n| n.to_string()).collect();
    assert_eq!(hears(&mut reader, 20).await, expected);
    assert!(lives.owns());
    assert!(lives.room.stats().room.balances());
}

/// A clock that is as far ahead as it says.
struct Ahead(SystemClock, Duration);

impl Clock for Ahead {
    fn now(&self) -> Instant {
        self.0.now() + self.1
    }
}

/// Nobody gets what is older than two seconds, and the one who listens has a clock that is ten ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_as_old_as_it_is_whatever_the_clocks_say() {
    let bus = LocalBus::new();
    let within = Some(Duration::from_secs(2));
    let config = RoomConfig::builder(OWNER).deliver_within(PerLevel([within; 4])).build().unwrap();
    let owner = Place::of(Hub::start(), &config, 1, bus.connect()).await;
    let clock = Ahead(SystemClock::default(), Duration::from_secs(10));
    let other = Place::of(Hub::builder().clock(clock).spawn(), &config, 2, bus.connect()).await;
    assert!(owner.owns());
    let mut session = other.room.join(Join::guest()).unwrap();
    for text in ["a", "b"] {
        assert!(matches!(owner.says(text).await, Outcome::Dispatched { .. }));
        assert!(matches!(other.says(text).await, Outcome::Dispatched { .. }));
    }
    assert_eq!(hears(&mut session, 4).await, ["a", "a", "b", "b"]);
    timeout(LONG, async {
        loop {
            let books = other.room.books().await.unwrap();
            let row = books.rows.iter().find(|row| row.node == 1);
            if let Some(ClockOffset::Behind(by)) = row.and_then(|row| row.clock) {
                assert!(by > Duration::from_secs(9), "{by:?}");
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moderation_is_the_owner_s_and_holds_at_every_node() {
    let bus = LocalBus::new();
    let [here, there] = two(&bus).await;
    let (ann, bob, eve) = (UserId(7), UserId(8), UserId(9));
    let mut session = there.room.join(Join::user(ann)).unwrap();
    let host = here.room.moderation(Actor::Host);
    host.kick(ann).await.unwrap();
    assert_eq!(ends(&mut session).await, EndReason::Kicked);
    let mut session = there.room.join(Join::user(bob)).unwrap();
    host.ban(bob, Some(Duration::from_secs(600))).await.unwrap();
    assert_eq!(ends(&mut session).await, EndReason::Banned);
    let refused = there.room.join(Join::user(bob)).unwrap_err();
    assert!(matches!(refused, JoinError::Banned { .. }), "{refused}");
    host.unban(bob).await.unwrap();
    // Who has been told has been heard at the owner; the other node hears of it with the log.
    timeout(LONG, async {
        while there.room.join(Join::user(bob)).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    // What is written at one node is read at the other.
    host.write_attribute("topic", Some(b"birds"), None).await.unwrap();
    let topic = |place: &Place| {
        let attributes = place.room.here().data().attributes();
        attributes
            .entries
            .iter()
            .find(|(key, _)| **key == *"topic")
            .map(|(_, value)| value.to_vec())
    };
    timeout(LONG, async {
        while topic(&there).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(topic(&there).unwrap(), b"birds");
    let behind = host.write_attribute("topic", None, Some(0)).await.unwrap_err();
    assert_eq!(behind, CommandError::NotDone(NotDone::Conflict));
    // Nobody moderates who may not.
    let stranger = here.room.moderation(Actor::User(eve));
    let refused = stranger.kick(bob).await.unwrap_err();
    assert_eq!(refused, CommandError::NotDone(NotDone::NotAllowed));
    assert_eq!(refused.to_string(), "the owner did not do it: not_allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_handed_over_goes_on_at_once() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    assert!(matches!(places[0].says("one").await, Outcome::Dispatched { .. }));
    let owner = places.iter().position(Place::owns).expect("one of them");
    let (from, to) = (&places[owner], &places[1 - owner]);
    from.room.hand_over(2 - owner as u64).await;
    let mut seq = 1;
    timeout(LONG, async {
        while !to.owns() {
            let Outcome::Dispatched { seq: next, .. } = from.says("more").await else { panic!() };
            assert_eq!(next.0, seq + 1);
            seq = next.0;
        }
    })
    .await
    .unwrap();
    assert!(!from.owns());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_whose_log_is_lost_goes_on_for_the_handles_there_are() {
    let bus = LocalBus::new();
    let places = two(&bus).await;
    let _ = places[0].says("before").await;
    bus.lose_logs();
    timeout(LONG, async {
        loop {
            let told = places.iter().map(|place| place.told.lock().unwrap().clone());
            if told.flatten().any(|event| matches!(event, Event::Incarnation { .. })) {
                return;
            }
            // An owner notices when it writes.
            let _ = places[0].room.try_publish(Publish::new(Source::Host, "lost?".to_owned()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    // A message may be lost while the room is found anew; then one goes through.
    timeout(LONG, async {
        for place in &places {
            while !matches!(place.says("after").await, Outcome::Dispatched { .. }) {}
            let mut session = place.room.join(Join::guest()).unwrap();
            while !matches!(places[0].says("heard").await, Outcome::Dispatched { .. }) {}
            assert!(!hears(&mut session, 1).await.is_empty());
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_closed_here_goes_on_there() {
    let bus = LocalBus::new();
    let [here, there] = two(&bus).await;
    let mut session = here.room.join(Join::guest()).unwrap();
    here.hub.close_room(ROOM).await;
    assert_eq!(ends(&mut session).await, EndReason::RoomClosed);
    assert!(here.room.try_publish(Publish::new(Source::Host, "gone".to_owned())).is_err());
    let gone = here.room.moderation(Actor::Host).kick(OWNER).await;
    assert_eq!(gone, Err(CommandError::NodeEnded));
    assert!(matches!(there.says("still here").await, Outcome::Dispatched { .. }));
    // And is opened again, though somebody holds on to what was there.
    let again = timeout(LONG, here.hub.open_room(ROOM, &RoomConfig::default())).await.unwrap();
    let mut session = again.unwrap().join(Join::guest()).unwrap();
    assert!(matches!(there.says("and there").await, Outcome::Dispatched { .. }));
    assert_eq!(hears(&mut session, 1).await, ["and there"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_panics_at_what_it_is_told_keeps_its_node() {
    let options = NodeOptions::new(1);
    let bus = LocalBus::new().connect();
    let hub = ClusterHub::<String>::join_telling(Hub::start(), bus, options, |event| {
        panic!("a host that panics at {event:?}");
    });
    let room = timeout(LONG, hub.open_room(ROOM, &RoomConfig::default())).await.unwrap().unwrap();
    let said = room.publish(Publish::new(Source::Host, "and goes on".to_owned())).await.unwrap();
    assert!(matches!(said, Outcome::Dispatched { .. }), "{said:?}");
    assert!(!hub.has_ended() && hub.caught_panics() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_end_of_a_node_is_told() {
    let hub = ClusterHub::<String>::join(Hub::start(), Closed, NodeOptions::new(1));
    timeout(LONG, hub.ended()).await.unwrap();
    let refused = hub.open_room(ROOM, &RoomConfig::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "the node has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_fate_when_the_node_dies_is_told_so() {
    let bus = LocalBus::new();
    let [here, there] = two(&bus).await;
    // Neither owns the room while it speaks: the one that did is gone.
    let (dies, lives) = if here.owns() { (here, there) } else { (there, here) };
    dies.dies().await;
    let room = lives.room.clone();
    let speaking = tokio::spawn(async move {
        room.publish(Publish::new(Source::Host, "into the void".to_owned())).await.unwrap()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(lives);
    let outcome = timeout(LONG, speaking).await.unwrap().unwrap();
    assert!(
        matches!(outcome, Outcome::Dropped { reason: DropReason::EdgeLost, .. }),
        "{outcome:?}"
    );
}
