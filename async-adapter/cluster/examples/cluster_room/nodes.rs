//! The nodes, in one process: each has a hub and a connection of its own.

use crate::engine::Engine;
use roomcast::config::Echo;
use roomcast::{Hub, RoomConfig, RoomId};
use roomcast_cluster::bus::NatsBus;
use roomcast_cluster::hub::ClusterBooks;
use roomcast_cluster::proto::{Event, NodeOptions};
use roomcast_cluster::wire::EdgeBooks;
use roomcast_cluster::{ClusterHub, ClusterRoom};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const ROOM: RoomId = RoomId(42);
/// How long a node that was killed is gone.
const GONE: Duration = Duration::from_secs(6);

/// All nodes.
pub(crate) struct Nodes {
    /// Where a node that was killed finds its bus again.
    local: Option<roomcast_cluster::bus::LocalBus>,
    engine: Option<String>,
    lease: Duration,
    config: RoomConfig,
    alive: Mutex<BTreeMap<u64, Node>>,
    seen: Arc<Mutex<Seen>>,
}

struct Node {
    _hub: ClusterHub<String>,
    room: ClusterRoom<String>,
}

/// What the nodes have told of the room.
#[derive(Debug, Default)]
struct Seen {
    owner: Option<u64>,
    epoch: u64,
    takeovers: u32,
    last_silence: Duration,
    longest_silence: Duration,
    filled: u64,
}

impl Nodes {
    pub(crate) async fn start(engine: &Engine, lease: u64) -> Result<Self, Box<dyn Error>> {
        let (local, address) = match engine {
            Engine::Local(bus) => (Some(bus.clone()), None),
            Engine::Nats(_) => (None, engine.address()),
        };
        let config = RoomConfig::builder(None).echo(Echo::On).build()?;
        let nodes = Self {
            local,
            engine: address,
            lease: Duration::from_secs(lease),
            config,
            alive: Mutex::default(),
            seen: Arc::default(),
        };
        for name in 1..=3 {
            let connection = engine.connect().await?;
            nodes.join(name, connection).await?;
        }
        Ok(nodes)
    }

    /// A node comes; `None`: over the bus in this process.
    async fn join(&self, name: u64, connection: Option<NatsBus>) -> Result<(), Box<dyn Error>> {
        let mut options = NodeOptions::new(name);
        options.lease = self.lease;
        let seen = Arc::clone(&self.seen);
        let tell =
            move |event| seen.lock().unwrap_or_else(PoisonError::into_inner).note(name, event);
        let hub = match (connection, &self.local) {
            (Some(bus), _) => ClusterHub::join_telling(Hub::start(), bus, options, tell),
            (None, Some(bus)) => {
                ClusterHub::join_telling(Hub::start(), bus.connect(), options, tell)
            }
            (None, None) => return Err("a node needs a bus".into()),
        };
        let room = hub.open_room(ROOM, &self.config).await?;
        self.alive().insert(name, Node { _hub: hub, room });
        Ok(())
    }

    fn alive(&self) -> MutexGuard<'_, BTreeMap<u64, Node>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room at a node, while that lives.
    pub(crate) fn room(&self, name: u64) -> Option<ClusterRoom<String>> {
        self.alive().get(&name).map(|node| node.room.clone())
    }

    /// Kills the owner in the middle of whatever it does; it comes back after a while. Returns its name.
    pub(crate) fn kill_owner(self: &Arc<Self>) -> Option<u64> {
        let owner = self.seen.lock().unwrap_or_else(PoisonError::into_inner).owner?;
        let killed = self.alive().remove(&owner)?;
        drop(killed);
        let nodes = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(GONE).await;
            let back = async {
                let connection = match &nodes.engine {
                    Some(address) => {
                        let options = roomcast_cluster::bus::NatsOptions::new();
                        Some(NatsBus::connect(address, options).await?)
                    }
                    None => None,
                };
                nodes.join(owner, connection).await
            };
            if let Err(error) = back.await {
                eprintln!("node {owner} does not come back: {error}");
            }
        });
        Some(owner)
    }

    /// What the panel shows.
    pub(crate) async fn state(&self, here: u64) -> Value {
        // As any node that lives reads them in the log.
        let room = {
            let alive = self.alive();
            alive.get(&here).or_else(|| alive.values().next()).map(|node| node.room.clone())
        };
        let books = match room {
            Some(room) => room.books().await.unwrap_or_default(),
            None => ClusterBooks::default(),
        };
        let nodes: Vec<Value> = (1..=3).map(|name| self.row(&books, name)).collect();
        let total = books.total();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "owner": seen.owner,
            "epoch": seen.epoch,
            "takeovers": seen.takeovers,
            "silence_ms": millis(seen.last_silence),
            "longest_ms": millis(seen.longest_silence),
            "filled": seen.filled,
            "online": total.sessions,
            "submitted": submitted(&total),
            "dispatched": books.dispatched.values().sum::<u64>(),
            "balance": books.balance(),
            "nodes": nodes,
        })
    }

    /// The row of a node: the last of its lives, and what all of them said.
    fn row(&self, books: &ClusterBooks, name: u64) -> Value {
        let is_alive = self.alive().contains_key(&name);
        let mut rows: Vec<_> = books.rows.iter().filter(|row| row.node == name).collect();
        rows.sort_by_key(|row| row.incarnation);
        let last = rows.last();
        json!({
            "name": name,
            "alive": is_alive,
            "members": last.filter(|row| row.lives).map(|row| row.books.sessions),
            "submitted": rows.iter().map(|row| submitted(&row.books)).sum::<u64>(),
            "balances": rows.iter().all(|row| row.books.balances()),
            "age_ms": last.map(|row| millis(row.age)),
        })
    }
}

fn submitted(books: &EdgeBooks) -> u64 {
    books.messages.values().map(|messages| messages.submitted).sum()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Seen {
    fn note(&mut self, name: u64, event: Event) {
        match event {
            Event::Owns { epoch, .. } => {
                self.takeovers += u32::from(self.owner.is_some());
                (self.owner, self.epoch) = (Some(name), epoch);
            }
            Event::Owner { silence, .. } => {
                self.last_silence = silence;
                self.longest_silence = self.longest_silence.max(silence);
            }
            Event::Caught { silence, filled, .. } => {
                self.longest_silence = self.longest_silence.max(silence);
                self.filled += filled;
            }
            _ => {}
        }
    }
}
