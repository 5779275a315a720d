//! A node that is drained while people chat: its room goes to another node, and so do its members,
//! without a gap.

mod place;
#[cfg(feature = "nats")]
mod server;

use place::{Closed, LONG, Place, ROOM, ends, owned};
use roomcast::error::{JoinError, SessionEnd};
use roomcast::event::{EndReason, StartPosition};
use roomcast::session::ResumeToken;
use roomcast::{Direct, Item, Join, Outcome, Publish, RoomConfig, Source, Subscription, UserId};
use roomcast_cluster::bus::LocalBus;
#[cfg(feature = "nats")]
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use roomcast_cluster::hub::{ClusterDrainReport, OpenRoomError};
use roomcast_cluster::proto::{Event, NodeOptions};
use roomcast_cluster::{ClusterHub, ClusterRoom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const MEMBERS: u64 = 300;
const LAST: &str = "the last";

/// A client: reads until the last message, goes on elsewhere when it is told to, and drops what it has by
/// number. Returns the numbers that it got, and how often it was moved.
struct Client {
    user: Option<UserId>,
    numbers: Vec<u64>,
    moves: usize,
}

impl Client {
    fn join(&self) -> Join<String> {
        self.user.map_or_else(Join::guest, Join::user)
    }

    async fn run(mut self, at: ClusterRoom<String>, then: ClusterRoom<String>) -> Self {
        let mut session = at.join(self.join()).unwrap();
        while let Some(token) = self.read(&mut session).await {
            // Whoever is shown out comes back at once, and not at the server that is going.
            assert_eq!(at.join(self.join()).unwrap_err(), JoinError::ShuttingDown);
            session = then.join(self.join().resume(token)).unwrap();
            assert_eq!(session.start(), StartPosition::Resumed);
            self.moves += 1;
        }
        self
    }

    /// Reads until it has all; until then, the token with which it is sent elsewhere.
    async fn read(&mut self, session: &mut Subscription<String>) -> Option<ResumeToken> {
        let mut token = None;
        loop {
            let batch = match timeout(LONG, session.next_batch()).await.unwrap() {
                Ok(batch) => batch,
                Err(SessionEnd::Closed(EndReason::Moved)) => {
                    return Some(token.expect("the last words come before the end"));
                }
                Err(other) => panic!("{other}"),
            };
            for item in batch.items() {
                match item {
                    Item::Message(message) => {
                        if self.numbers.last().is_none_or(|last| *last < message.seq.0) {
                            self.numbers.push(message.seq.0);
                        }
                        if message.payload == LAST {
                            return None;
                        }
                    }
                    Item::Direct(words) => token = Some(words.payload.parse().unwrap()),
                    gap @ Item::Gap { .. } => panic!("{gap:?}"),
                }
            }
        }
    }
}

async fn drained(places: [Place; 2]) -> (ClusterDrainReport, [Place; 2]) {
    let owner = places.iter().position(Place::owns).expect("one of them");
    let [first, second] = places;
    let (goes, stays) = if owner == 0 { (first, second) } else { (second, first) };
    let mut clients = Vec::new();
    for n in 0..MEMBERS {
        let user = (n % 2 == 0).then_some(UserId(100 + n));
        let client = Client { user, numbers: Vec::new(), moves: 0 };
        clients.push(tokio::spawn(client.run(goes.room.clone(), stays.room.clone())));
    }
    while goes.room.here().sessions() < MEMBERS {
        sleep(Duration::from_millis(5)).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let talking = {
        let (room, is_over) = (stays.room.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut said = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                said += 1;
                let words = Publish::new(Source::Host, format!("{said}"));
                let outcome = room.publish(words).await.unwrap();
                assert!(matches!(outcome, Outcome::Dispatched { seq, .. } if seq.0 == said));
                sleep(Duration::from_millis(3)).await;
            }
            let last = Publish::new(Source::Host, LAST.to_owned());
            assert!(matches!(room.publish(last).await.unwrap(), Outcome::Dispatched { .. }));
            said + 1
        })
    };
    let words = |token: ResumeToken| Some(Direct::new(token.to_string()));
    let report = goes.hub.drain(Duration::from_secs(4), |_, _, token| words(token)).await;
    is_over.store(true, Ordering::Relaxed);
    let said = timeout(LONG, talking).await.unwrap().unwrap();
    let all: Vec<u64> = (1..=said).collect();
    for client in clients {
        let client = timeout(LONG, client).await.unwrap().unwrap();
        assert_eq!(client.moves, 1);
        // It began to listen somewhere, and from there on nothing is missing.
        assert_eq!(client.numbers, all[all.len() - client.numbers.len()..]);
    }
    (report, [goes, stays])
}

fn check(report: ClusterDrainReport, [goes, stays]: &[Place; 2]) {
    assert_eq!((report.rooms, report.moved as u64, report.unsaid), (1, MEMBERS, 0), "{report:?}");
    assert!(report.handed_over && report.has_left, "{report:?}");
    assert_eq!((report.hub.rooms, report.hub.abandoned, report.hub.dropped), (1, 0, 0));
    assert!(!goes.owns() && stays.owns());
    // It was handed over: nobody waited for a lease to lapse.
    let told = stays.told.lock().unwrap();
    let silences = told.iter().filter_map(|event| match event {
        Event::Owner { silence, .. } => Some(*silence),
        _ => None,
    });
    assert!(silences.max().is_some_and(|silence| silence < place::LEASE), "{told:?}");
    assert!(stays.room.stats().room.balances());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_a_drained_node_go_on_at_another_without_a_gap() {
    let bus = LocalBus::new();
    let places =
        owned([Place::new(1, bus.connect()).await, Place::new(2, bus.connect()).await]).await;
    let (report, places) = drained(places).await;
    check(report, &places);
    let [goes, _stays] = places;
    let refused = goes.hub.open_room(ROOM, &RoomConfig::default()).await.unwrap_err();
    assert_eq!(refused, OpenRoomError::ShuttingDown);
    // Its name is free at once.
    drop(goes);
    let again = timeout(place::LEASE, Place::new(1, bus.connect())).await;
    assert!(again.is_ok(), "its lease had to lapse");
}

#[cfg(feature = "nats")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_a_drained_node_go_on_at_another_over_nats() {
    let Some(server) = server::Server::start() else { return };
    let connect =
        async || NatsBus::connect(&server.address(), NatsOptions::new()).await.expect("a server");
    let places =
        owned([Place::new(1, connect().await).await, Place::new(2, connect().await).await]).await;
    let (report, places) = drained(places).await;
    check(report, &places);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_node_keeps_its_rooms_until_it_goes() {
    let bus = LocalBus::new();
    let place = Place::new(1, bus.connect()).await;
    let mut session = place.room.join(Join::guest()).unwrap();
    let room = place.room.clone();
    let reading = tokio::spawn(async move { ends(&mut session).await });
    let report = place.hub.drain(Duration::from_secs(2), |_, _, _| None).await;
    assert_eq!((report.rooms, report.moved, report.handed_over), (1, 1, true), "{report:?}");
    assert_eq!(timeout(LONG, reading).await.unwrap().unwrap(), EndReason::Moved);
    assert!(room.try_publish(Publish::new(Source::Host, "too late".to_owned())).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_ended_hands_nothing_over() {
    let hub = roomcast::Hub::<String>::start();
    let hub = ClusterHub::join(hub, Closed, NodeOptions::new(1));
    timeout(LONG, hub.ended()).await.unwrap();
    let report = hub.drain(Duration::from_millis(200), |_, _, _| None).await;
    assert_eq!((report.rooms, report.handed_over, report.has_left), (0, false, false));
}
