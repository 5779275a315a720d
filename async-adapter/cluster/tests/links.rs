//! Two hubs over a real server whose links are cut, held up and slowed down, and a server that stands
//! still, while people chat at both: everything has one fate, and everybody reads the same.

mod place;
mod proxy;
mod server;

use place::{LEASE, LONG, Place, owned};
use proxy::{Link, Proxy};
use roomcast::{Item, Join, Outcome, Publish, Source, Subscription};
use roomcast_cluster::ClusterRoom;
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use server::Server;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// What ends a reading, said at each node when all else has its fate.
const LAST: &str = "the last";

/// A node behind a link of its own.
async fn node(name: u64, proxy: &Proxy) -> Place {
    let bus = NatsBus::connect(&proxy.address(), NatsOptions::new()).await.expect("a server");
    Place::new(name, bus).await
}

/// Says something every 20 ms, without waiting for what becomes of it; returns what became of each.
async fn speaks(
    who: &'static str,
    room: ClusterRoom<String>,
    is_over: Arc<AtomicBool>,
) -> BTreeMap<String, Outcome> {
    let (mut waiting, mut n) = (JoinSet::new(), 0);
    while !is_over.load(Ordering::Relaxed) {
        n += 1;
        let (room, text) = (room.clone(), format!("{who} {n}"));
        waiting.spawn(async move {
            let publish = Publish::new(Source::Host, text.clone());
            (text, room.publish(publish).await.expect("there is room for it"))
        });
        sleep(Duration::from_millis(20)).await;
    }
    waiting.join_all().await.into_iter().collect()
}

/// Reads until both have said their last; nothing may be missing. Returns the numbers and texts.
async fn reads(mut session: Subscription<String>) -> Vec<(u64, String)> {
    let (mut heard, mut lasts) = (Vec::new(), 0);
    while lasts < 2 {
        let batch = session.next_batch().await.expect("the session stays");
        for item in batch.items() {
            match item {
                Item::Message(message) if message.payload == LAST => lasts += 1,
                Item::Message(message) => heard.push((message.seq.0, message.payload.clone())),
                other => panic!("{other:?}"),
            }
        }
    }
    heard
}

/// Two nodes at which people speak and read while something happens to the links, or to the server:
/// `trouble` is given the link of the room's owner and that of the other node. Returns whether the other
/// one owns the room then; `None`: there is no server.
async fn chat_through(trouble: impl AsyncFnOnce(&Proxy, &Proxy, &Server)) -> Option<bool> {
    let server = Server::start()?;
    let address = server.address();
    let proxies = [Proxy::before(&address).await, Proxy::before(&address).await];
    let places = owned([node(1, &proxies[0]).await, node(2, &proxies[1]).await]).await;
    let owner = usize::from(places[1].owns());
    let is_over = Arc::new(AtomicBool::new(false));
    let mut speakers: Vec<JoinHandle<BTreeMap<String, Outcome>>> = Vec::new();
    let mut readers = Vec::new();
    for (who, place) in ["one", "two"].into_iter().zip(&places) {
        readers.push(tokio::spawn(reads(place.room.join(Join::guest()).unwrap())));
        speakers.push(tokio::spawn(speaks(who, place.room.clone(), Arc::clone(&is_over))));
    }
    sleep(Duration::from_millis(300)).await;
    trouble(&proxies[owner], &proxies[1 - owner], &server).await;
    sleep(Duration::from_millis(300)).await;
    is_over.store(true, Ordering::Relaxed);
    let mut fates = BTreeMap::new();
    for speaker in speakers {
        fates.extend(timeout(LONG, speaker).await.expect("all has a fate").unwrap());
    }
    for place in &places {
        assert!(matches!(place.says(LAST).await, Outcome::Dispatched { .. }));
    }
    let went_out: BTreeMap<u64, String> = fates
        .iter()
        .map(|(text, outcome)| match outcome {
            Outcome::Dispatched { seq, .. } => (seq.0, text.clone()),
            other => panic!("{text}: {other:?}"),
        })
        .collect();
    assert_eq!(went_out.len(), fates.len(), "two are told the same number");
    assert!(went_out.len() > 40, "{}", went_out.len());
    for reader in readers {
        let heard = timeout(LONG, reader).await.expect("it reads to the end").unwrap();
        assert_eq!(heard, went_out.clone().into_iter().collect::<Vec<_>>());
    }
    for place in &places {
        let books = place.room.books().await.unwrap();
        assert!(books.rows.iter().all(|row| row.books.balances()), "{books:?}");
    }
    assert!(places[0].owns() != places[1].owns(), "one of them owns it");
    Some(places[1 - owner].owns())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_of_the_owner_is_cut_for_three_leases() {
    let moved = chat_through(async |owner, _, _| {
        owner.set(Link::Cut);
        sleep(LEASE * 3).await;
        owner.set(Link::Open);
    })
    .await;
    assert_ne!(moved, Some(false));
}

/// What it appended while it was held arrives when another one owns the room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_of_the_owner_is_held_for_three_leases() {
    let moved = chat_through(async |owner, _, _| {
        owner.set(Link::Held);
        sleep(LEASE * 3).await;
        owner.set(Link::Open);
    })
    .await;
    assert_ne!(moved, Some(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_links_are_cut_in_turn_again_and_again() {
    chat_through(async |owner, other, _| {
        for _ in 0..5 {
            owner.set(Link::Cut);
            sleep(Duration::from_millis(150)).await;
            owner.set(Link::Open);
            other.set(Link::Cut);
            sleep(Duration::from_millis(150)).await;
            other.set(Link::Open);
            sleep(Duration::from_millis(150)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_links_are_slow_and_held_for_a_moment_now_and_then() {
    chat_through(async |owner, other, _| {
        other.set(Link::Slow(Duration::from_millis(40)));
        for _ in 0..4 {
            owner.set(Link::Slow(Duration::from_millis(15)));
            sleep(Duration::from_millis(300)).await;
            owner.set(Link::Held);
            sleep(Duration::from_millis(400)).await;
        }
        owner.set(Link::Open);
        other.set(Link::Open);
    })
    .await;
}

/// For longer than a lease: everybody's has lapsed when it goes on.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_stands_still_and_goes_on() {
    chat_through(async |_, _, server| {
        server.signal("STOP");
        sleep(LEASE * 2).await;
        server.signal("CONT");
    })
    .await;
}
