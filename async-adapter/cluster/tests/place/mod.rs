//! A node of a cluster as a server has it.
#![allow(dead_code, reason = "each test uses some of it")]

use roomcast::event::EndReason;
use roomcast::{
    Hub, Item, Outcome, PerLevel, Publish, RoomConfig, RoomId, Source, Subscription, UserId,
};
use roomcast_cluster::bus::{CallId, Connection, Request, Said};
use roomcast_cluster::proto::{Event, NodeOptions};
use roomcast_cluster::{ClusterHub, ClusterRoom};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

pub(crate) const ROOM: RoomId = RoomId(42);
pub(crate) const OWNER: UserId = UserId(1);
pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// For what has to come, however busy the machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A connection that is closed for good.
pub(crate) struct Closed;

impl Connection for Closed {
    fn request(&mut self, _: Option<CallId>, _: Request) {}

    async fn next(&mut self) -> Option<Said> {
        None
    }
}

/// A node, and which rooms it has been told that it owns or heard of an owner of.
pub(crate) struct Place {
    pub(crate) hub: ClusterHub<String>,
    pub(crate) room: ClusterRoom<String>,
    pub(crate) told: Arc<Mutex<Vec<Event>>>,
}

impl Place {
    pub(crate) async fn new(name: u64, bus: impl Connection + Send + 'static) -> Self {
        // Nothing is too old, however long nobody owns the room.
        let config = RoomConfig::builder(OWNER).rate(1_000).burst(1_000);
        let config = config.fresh_within(PerLevel([None; 4])).build().unwrap();
        // The nodes share a key, so that a token of one is good at all.
        Self::of(Hub::builder().token_key(&[7; 32]).spawn(), &config, name, bus).await
    }

    /// One of a certain hub, with a room that is configured like this.
    pub(crate) async fn of(
        hub: Hub<String>,
        config: &RoomConfig,
        name: u64,
        bus: impl Connection + Send + 'static,
    ) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&told);
        let mut options = NodeOptions::new(name);
        options.lease = LEASE;
        let hub = ClusterHub::join_telling(hub, bus, options, move |event| {
            hear.lock().unwrap().push(event);
        });
        let room = timeout(LONG, hub.open_room(ROOM, config)).await.unwrap().unwrap();
        Self { hub, room, told }
    }

    pub(crate) fn owns(&self) -> bool {
        let told = self.told.lock().unwrap();
        let mine = told.iter().rev().find_map(|event| match event {
            Event::Owns { .. } => Some(true),
            Event::Deposed { .. } => Some(false),
            _ => None,
        });
        mine.unwrap_or_default()
    }

    /// Dies without a word; returns once nothing more is done there. What the task of the node has in hand
    /// when the hub is dropped it may still do.
    pub(crate) async fn dies(self) {
        let told = Arc::clone(&self.told);
        drop(self);
        // The task has the other one.
        let gone = async {
            while Arc::strong_count(&told) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, gone).await.expect("the task ends");
    }

    pub(crate) async fn says(&self, text: &str) -> Outcome {
        let publish = Publish::new(Source::Host, text.to_owned());
        timeout(LONG, self.room.publish(publish)).await.unwrap().unwrap()
    }
}

/// These places, once one of them has been told that it owns the room: that may be a moment after the room
/// has opened.
pub(crate) async fn owned<const N: usize>(places: [Place; N]) -> [Place; N] {
    let owned = async {
        while !places.iter().any(Place::owns) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, owned).await.expect("somebody owns the room");
    places
}

/// The next message that somebody reads; nothing may be missing.
pub(crate) async fn hears(session: &mut Subscription<String>, messages: usize) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.len() < messages {
        let batch = timeout(LONG, session.next_batch()).await.unwrap().unwrap();
        heard.extend(batch.items().map(|item| match item {
            Item::Message(message) => message.payload.clone(),
            other => panic!("{other:?}"),
        }));
    }
    heard
}

/// Why a session ends, whatever it gets before.
pub(crate) async fn ends(session: &mut Subscription<String>) -> EndReason {
    loop {
        match timeout(LONG, session.next_batch()).await.unwrap() {
            Ok(_) => {}
            Err(roomcast::error::SessionEnd::Closed(reason)) => return reason,
            Err(other) => panic!("{other}"),
        }
    }
}
