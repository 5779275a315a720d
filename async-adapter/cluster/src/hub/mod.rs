//! A hub whose rooms stand on several machines.

mod books;
mod drain;
mod edge;
mod known;
mod order;
mod room;
mod task;

pub use books::{ClusterBooks, NodeRow};
pub use drain::ClusterDrainReport;
pub use room::{ClusterModeration, ClusterRoom, CommandError};

use crate::bus::Connection;
use crate::drive::Driver;
use crate::proto::{Event, Node, NodeOptions};
use crate::wire::Wire;
use order::Order;
use roomcast::error::CreateRoomError;
use roomcast::{Hub, Payload, RoomConfig, RoomId};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use task::Task;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many orders wait for the node at the most; whoever gives one more waits.
const ORDERS: usize = 4_096;

/// A hub that is a node of a cluster: a room that is opened here has members here and at other nodes, and
/// one node at a time that decides. When that one dies, another goes on with the next sequence number.
///
/// The hub underneath is one as any: it has the sessions, the readers, the limits of its own. What its
/// rooms let in goes to the room's owner, over the bus.
///
/// ```
/// use roomcast::{Hub, Join, Outcome, Publish, RoomConfig, RoomId, Source};
/// use roomcast_cluster::ClusterHub;
/// use roomcast_cluster::bus::LocalBus;
/// use roomcast_cluster::proto::NodeOptions;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Over several machines: `NatsBus::connect("nats://10.0.0.1:4222", NatsOptions::new()).await?`.
/// let bus = LocalBus::new();
/// let node = |name| ClusterHub::<String>::join(Hub::start(), bus.connect(), NodeOptions::new(name));
/// let (paris, tokyo) = (node(1), node(2));
/// let here = paris.open_room(RoomId(42), &RoomConfig::default()).await?;
/// let there = tokyo.open_room(RoomId(42), &RoomConfig::default()).await?;
///
/// let mut guest = there.join(Join::guest())?;
/// let outcome = here.publish(Publish::new(Source::Host, "hello".to_owned())).await?;
/// assert!(matches!(outcome, Outcome::Dispatched { .. }));
/// assert_eq!(guest.next_batch().await?.messages()[0].payload, "hello");
/// # Ok(())
/// # }
/// ```
pub struct ClusterHub<M: Payload + Send + Sync + 'static> {
    hub: Hub<M>,
    orders: mpsc::Sender<Order<M>>,
    task: JoinHandle<()>,
    /// How often what is told of events has panicked.
    caught: Arc<AtomicU64>,
}

/// Why a room was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenRoomError {
    /// The hub of this node did not make it.
    #[error(transparent)]
    Create(#[from] CreateRoomError),
    /// The node has [ended](ClusterHub::ended).
    #[error("the node has ended")]
    NodeEnded,
    /// The node is [drained](ClusterHub::drain): another one may open it.
    #[error("the node is shutting down: open the room at another")]
    ShuttingDown,
}

impl<M: Payload + Wire + Clone + Send + Sync + 'static> ClusterHub<M> {
    /// Makes a hub a node of the cluster that the bus is of, in the current tokio runtime.
    ///
    /// The hub goes by its own clock, and so does the node: clocks of several machines may differ.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn join(hub: Hub<M>, bus: impl Connection + Send + 'static, options: NodeOptions) -> Self {
        Self::join_telling(hub, bus, options, |_| {})
    }

    /// As [`join`](Self::join), and `tell` is told what happens in the cluster: who owns a room, how long
    /// it was silent, that a log was lost. It is called by the task that drives the node, and should
    /// return soon. If it panics, [`caught_panics`](Self::caught_panics) counts one, and nothing else
    /// is lost.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn join_telling(
        hub: Hub<M>,
        bus: impl Connection + Send + 'static,
        options: NodeOptions,
        tell: impl FnMut(Event) + Send + 'static,
    ) -> Self {
        let (orders, taken) = mpsc::channel(ORDERS);
        let (window, beat) = (options.window, options.beat);
        let clock = hub.clone();
        let driver = Driver::with_clock(Node::new(options), bus, move || clock.now());
        let task = Task::new(hub.clone(), driver, orders.downgrade(), (window, beat), tell);
        let caught = task.caught();
        let task = tokio::spawn(task.run(taken));
        Self { hub, orders, task, caught }
    }

    /// Returns the room of this number, which is opened here if it is not yet: as soon as its log has been
    /// read, which takes about two round trips to the bus. `config` is what this node runs the room by if
    /// it comes to own it, and what it lets in here by; give the same at every node.
    ///
    /// # Errors
    /// [`OpenRoomError::Create`], if the hub of this node has a room of that number that is not one of the
    /// cluster, or has too many; [`OpenRoomError::NodeEnded`] and
    /// [`OpenRoomError::ShuttingDown`].
    ///
    /// # Cancel safety
    /// The room is opened all the same.
    pub async fn open_room(
        &self,
        room: RoomId,
        config: &RoomConfig,
    ) -> Result<ClusterRoom<M>, OpenRoomError> {
        let (tell, told) = oneshot::channel();
        let order = Order::Open { room, config: Box::new(config.clone()), tell };
        self.orders.send(order).await.map_err(|_| OpenRoomError::NodeEnded)?;
        told.await.map_err(|_| OpenRoomError::NodeEnded)?
    }

    /// Closes a room here, for the members of this node: what they have said and has no fate yet ends as
    /// [`EdgeLost`](roomcast::error::DropReason::EdgeLost). At other nodes it goes on.
    pub async fn close_room(&self, room: RoomId) {
        let _ = self.orders.send(Order::Close { room }).await;
    }
}

impl<M: Payload + Send + Sync + 'static> ClusterHub<M> {
    /// Returns the hub of this node: for all that concerns its sessions alone.
    pub fn hub(&self) -> &Hub<M> {
        &self.hub
    }

    /// Waits until the node has ended: its connection to the bus is closed for good. Its rooms are closed
    /// then.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ended(&self) {
        self.orders.closed().await;
    }

    /// Returns how often what is told of events ([`join_telling`](Self::join_telling)) has panicked.
    pub fn caught_panics(&self) -> u64 {
        self.caught.load(Ordering::Relaxed)
    }

    /// Returns whether the node has [ended](Self::ended).
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

/// To drop it is to die without a word: others take the rooms that it owned when its lease has lapsed.
impl<M: Payload + Send + Sync + 'static> Drop for ClusterHub<M> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<M: Payload + Send + Sync + 'static> fmt::Debug for ClusterHub<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterHub").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}
