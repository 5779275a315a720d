//! Many rooms on two nodes.

use crate::chat::{Heard, histogram, middle, said_now};
use crate::nodes::{Bus, LONG, Node};
use crate::options::Options;
use crate::table::Table;
use bytes::Bytes;
use futures_util::future::try_join_all;
use roomcast::{Join, RoomId};
use roomcast_benches::text::grouped;
use roomcast_cluster::ClusterRoom;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Rooms in which somebody listens at the other node, of all.
const LISTENED: u32 = 20;
/// Messages a second in each room.
const A_SECOND: u32 = 40;

/// Two nodes at which all rooms are open, each with an owner.
struct Scene {
    nodes: [Node; 2],
    rooms: [Vec<ClusterRoom<Bytes>>; 2],
}

impl Scene {
    async fn new(bus: &Bus, cluster: &str, options: &Options) -> Result<Self, String> {
        let nodes = [
            Node::join(bus, cluster, 1, options).await?,
            Node::join(bus, cluster, 2, options).await?,
        ];
        let mut rooms = [Vec::new(), Vec::new()];
        let numbers: Vec<u32> = (1..=options.rooms).collect();
        for some in numbers.chunks(100) {
            // Each opens every other room first, and so both own some.
            for is_first in [true, false] {
                for (at, node) in nodes.iter().enumerate() {
                    let mine =
                        some.iter().filter(|&&number| (number as usize % 2 == at) == is_first);
                    let opening = mine.map(|&number| node.open(RoomId(number.into())));
                    rooms[at].extend(try_join_all(opening).await?);
                }
            }
            eprint!("\r{} rooms of {} are open   ", rooms[0].len(), options.rooms);
        }
        eprintln!();
        let scene = Self { nodes, rooms };
        let wait = async {
            while scene.owned() < options.rooms as usize {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LONG, wait).await.map_err(|_| "rooms without an owner")?;
        Ok(scene)
    }

    fn owned(&self) -> usize {
        self.nodes.iter().map(|node| node.owned().0).sum()
    }
}

/// As many messages in each room as a hot one sends out.
pub(crate) async fn rooms(bus: &Bus, options: &Options, table: &mut Table) -> Result<(), String> {
    let scene = Scene::new(bus, "rooms", options).await?;
    let begun = Instant::now();
    let mut heard = Vec::new();
    for room in scene.rooms[1].iter().take(LISTENED as usize) {
        let session = room.join(Join::guest()).map_err(|error| error.to_string())?;
        heard.push(Heard::listen(session, begun));
    }
    let (used, dispatched) = (bus.processor_seconds(), dispatched(&scene));
    let at = Instant::now();
    let mut beat = interval(Duration::from_secs(1) / A_SECOND);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut said, mut refused) = (0_u64, 0_u64);
    for _ in 0..A_SECOND * options.seconds {
        beat.tick().await;
        for room in &scene.rooms[0] {
            match room.try_publish(said_now(begun)) {
                Ok(_) => said += 1,
                Err(_) => refused += 1,
            }
        }
        tokio::task::yield_now().await;
    }
    let took = at.elapsed().as_secs_f64();
    let used = (bus.processor_seconds() - used) / took;
    sleep(Duration::from_secs(2)).await;
    let dispatched = self::dispatched(&scene) - dispatched;
    let a_second = dispatched as f64 / took;
    let line = format!(
        "{a_second:.0} messages/s dispatched ({} said, {refused} refused), bus {used:.2} cores",
        grouped(said)
    );
    let reach = format!("{}/s", grouped(u64::from(options.rooms * A_SECOND)));
    let what =
        format!("{} rooms at 40/s of 1 KB, two nodes and the bus on this machine", options.rooms);
    table.row(&what, line, &reach);
    let mut ages = histogram();
    for heard in &heard {
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        ages.add(&heard.ages).map_err(|error| error.to_string())?;
    }
    table.row("... said at one node to had at the other", middle(&ages), "");
    Ok(())
}

/// What has gone out in all rooms, as the second node knows.
fn dispatched(scene: &Scene) -> u64 {
    let heads = |room: &ClusterRoom<Bytes>| room.stats().room.audience.heads;
    scene.rooms[1].iter().map(|room| heads(room).values().sum::<u64>()).sum()
}

/// One of two nodes is killed: how soon the other owns all rooms.
pub(crate) async fn taken_over(
    bus: &Bus,
    options: &Options,
    table: &mut Table,
) -> Result<(), String> {
    let Scene { nodes: [first, second], rooms } = Scene::new(bus, "takeover", options).await?;
    let (dies, lives) = (first, second);
    let orphans = dies.owned().0;
    let killed = Instant::now();
    drop(dies);
    let wait = async {
        while lives.owned().0 < options.rooms as usize {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.map_err(|_| format!("{} rooms owned in the end", lives.owned().0))?;
    let last = lives.owned().1.map_or(0.0, |at| (at - killed).as_secs_f64());
    drop(rooms);
    let what = format!("a node that owns {orphans} of {} rooms killed: all owned", options.rooms);
    let reach = format!("lease + 1 s: {} s", options.lease + 1);
    table.row(&what, format!("after {last:.2} s"), &reach);
    Ok(())
}
