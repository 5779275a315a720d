//! The books of a room over all of its nodes, as each of them reads them.

mod place;
#[cfg(feature = "nats")]
mod server;

use place::{LONG, Place, hears, owned};
use roomcast::{Actor, Join, Outcome, PerLevel, Priority, Publish, Source, UserId};
use roomcast_cluster::bus::LocalBus;
#[cfg(feature = "nats")]
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use roomcast_cluster::hub::{ClusterBooks, CommandError};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The books as this node reads them, once they are so.
async fn books(place: &Place, are_so: impl Fn(&ClusterBooks) -> bool) -> ClusterBooks {
    let mut last = ClusterBooks::default();
    let wait = async {
        loop {
            last = place.room.books().await.unwrap();
            assert!(last.balance(), "{last:?}");
            if are_so(&last) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came = timeout(LONG, wait).await;
    assert!(came.is_ok(), "it stayed {last:?}");
    last
}

async fn every_node_reads_the_books_of_all(places: [Place; 2]) {
    let [here, there] = &places;
    let mut ann = here.room.join(Join::user(UserId(7))).unwrap();
    let mut guests: Vec<_> = (0..3).map(|_| there.room.join(Join::guest()).unwrap()).collect();
    here.room.moderation(Actor::Host).mute(UserId(7), None).await.unwrap();
    for (place, text) in [(here, "one"), (there, "two"), (there, "three")] {
        assert!(matches!(place.says(text).await, Outcome::Dispatched { .. }));
    }
    let muted = Publish::new(Source::Session(ann.session()), "muted".to_owned());
    assert!(here.room.try_publish(muted).is_err());
    for session in guests.iter_mut().chain([&mut ann]) {
        assert_eq!(hears(session, 3).await.len(), 3);
    }
    for place in &places {
        let are_so = |books: &ClusterBooks| {
            let total = books.total();
            books.sessions() == 4
                && total.messages[Priority::Normal].submitted == 4
                && total.deliveries[Priority::Normal].delivered == 12
        };
        let books = books(place, are_so).await;
        assert!(books.are_complete() && books.rows.len() == 2);
        assert_eq!(books.users_online(), 1);
        assert_eq!(books.dispatched, PerLevel([0, 3, 0, 0]));
        let mine = books.rows.iter().find(|row| row.is_here).expect("a row of its own");
        assert_eq!(mine.books.sessions, if place.owns() == here.owns() { 1 } else { 3 });
        let total = books.total();
        assert_eq!(total.messages[Priority::Normal].forwarded, 3);
        assert_eq!(total.refused["muted"], PerLevel([0, 1, 0, 0]));
        assert!(books.age().is_some_and(|age| age < LONG));
    }
    // Who dies leaves a row as it was.
    let [dies, lives] = places;
    drop(dies);
    drop(ann);
    let books = books(&lives, |books| !books.are_complete()).await;
    assert_eq!((books.sessions(), books.users_online(), books.rows.len()), (3, 0, 2));
    let gone = books.rows.iter().find(|row| !row.lives).expect("one is gone");
    assert_eq!((gone.node, gone.books.sessions), (1, 1));
    assert_eq!(books.total().messages[Priority::Normal].submitted, 4);
    // And what is said from then on is booked by the next owner.
    assert!(matches!(lives.says("four").await, Outcome::Dispatched { seq, .. } if seq.0 == 4));
    let total = |books: &ClusterBooks| books.total().messages[Priority::Normal].submitted;
    let books = self::books(&lives, |books| total(books) == 5).await;
    assert_eq!(books.dispatched, PerLevel([0, 4, 0, 0]));
    // A room that is closed here has none.
    lives.hub.close_room(place::ROOM).await;
    assert_eq!(lives.room.books().await.unwrap_err(), CommandError::NodeEnded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_of_a_process_reads_the_books_of_all() {
    let bus = LocalBus::new();
    let places =
        owned([Place::new(1, bus.connect()).await, Place::new(2, bus.connect()).await]).await;
    every_node_reads_the_books_of_all(places).await;
}

#[cfg(feature = "nats")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_over_nats_reads_the_books_of_all() {
    let Some(server) = server::Server::start() else { return };
    let connect =
        async || NatsBus::connect(&server.address(), NatsOptions::new()).await.expect("a server");
    let places =
        owned([Place::new(1, connect().await).await, Place::new(2, connect().await).await]).await;
    every_node_reads_the_books_of_all(places).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_closes_a_room_leaves_its_last_books() {
    let bus = LocalBus::new();
    let [first, second] =
        owned([Place::new(1, bus.connect()).await, Place::new(2, bus.connect()).await]).await;
    let (owner, other) = if first.owns() { (first, second) } else { (second, first) };
    let mut guest = other.room.join(Join::guest()).unwrap();
    let _ = books(&owner, |books| books.sessions() == 1).await;
    assert!(matches!(other.says("last").await, Outcome::Dispatched { .. }));
    assert_eq!(hears(&mut guest, 1).await, ["last"]);
    other.hub.close_room(place::ROOM).await;
    let books = books(&owner, |books| books.sessions() == 0).await;
    let total = books.total();
    assert_eq!(total.messages[Priority::Normal].forwarded, 1);
    assert_eq!(total.deliveries[Priority::Normal].delivered, 1);
}
