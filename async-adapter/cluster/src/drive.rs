//! A node over a bus, on tokio.

use crate::bus::{Connection, Said};
use crate::proto::{Input, Node, Output};
use crate::wire::{HostIds, Numbers, Wire};
use roomcast_core::Instant;
use roomcast_core::message::Payload;
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

/// A [`Node`] over its connection to the bus: what it wants of the bus is asked there, and answers and
/// time come back to it. What it wants of its host is [told](Self::next).
///
/// There is no task behind it: one of the host's own calls [`next`](Self::next) again and again, and
/// hands in what happens at the room's edges between two calls. To drop it is to die without a word;
/// others take the rooms when the lease has lapsed.
///
/// ```no_run
/// use roomcast_cluster::bus::LocalBus;
/// use roomcast_cluster::drive::Driver;
/// use roomcast_cluster::proto::{Input, Node, NodeOptions, Output};
/// use roomcast_core::{RoomConfig, RoomId};
/// use tokio::sync::mpsc;
///
/// # async fn run(mut inputs: mpsc::Receiver<Input<String>>) -> Result<(), Box<dyn std::error::Error>> {
/// // Over several machines: `NatsBus::connect("nats://10.0.0.1:4222", NatsOptions::new()).await?`.
/// let bus = LocalBus::new();
/// let mut driver = Driver::new(Node::<String>::new(NodeOptions::new(7)), bus.connect());
/// driver.handle(Input::Open { room: RoomId(42), config: Box::new(RoomConfig::default()) });
/// loop {
///     tokio::select! {
///         Some(input) = inputs.recv() => driver.handle(input),
///         output = driver.next() => match output {
///             Some(Output::Event(event)) => println!("{event}"),
///             Some(_) => {} // To the room's edge.
///             None => return Ok(()),
///         },
///     }
/// }
/// # }
/// ```
pub struct Driver<M, B, I = Numbers> {
    node: Node<M, I>,
    bus: B,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl<M: Payload + Wire + Clone, B: Connection, I: HostIds> Driver<M, B, I> {
    /// A node over a connection, in the time since 1970: as the system said when this was called, and
    /// as nothing has set since.
    pub fn new(node: Node<M, I>, bus: B) -> Self {
        let start = tokio::time::Instant::now();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at = Instant::ZERO + since;
        Self::with_clock(node, bus, move || at + start.elapsed())
    }

    /// The same in the time of the host's own clock, which its edges go by as well. It has to run as
    /// fast as tokio's.
    pub fn with_clock(
        node: Node<M, I>,
        bus: B,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        Self { node, bus, clock: Box::new(clock) }
    }

    /// The node.
    pub fn node(&self) -> &Node<M, I> {
        &self.node
    }

    /// The time that the node goes by.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Something has happened here. What comes of it is told by [`next`](Self::next).
    pub fn handle(&mut self, input: Input<M>) {
        self.node.handle(self.now(), input);
    }

    /// The next thing that the node wants of its host, which is never [`Output::Bus`]; `None` if the
    /// connection is closed for good. To drop the future loses nothing.
    pub async fn next(&mut self) -> Option<Output<M>> {
        loop {
            while let Some(output) = self.node.poll_output() {
                match output {
                    Output::Bus(call, request) => self.bus.request(call, request),
                    other => return Some(other),
                }
            }
            let now = self.now();
            let due = self.node.poll_timeout().map(|at| at.saturating_since(now));
            let input = tokio::select! {
                // Whatever comes, the node does what is due as well.
                biased;
                said = self.bus.next() => match said? {
                    Said::Bus(from) => Input::Bus(from),
                    Said::Reconnected => Input::Reconnected,
                },
                () = wait(due) => Input::Timeout,
            };
            self.handle(input);
        }
    }
}

/// So long; for ever, if it is not known how long.
async fn wait(due: Option<Duration>) {
    match due {
        Some(Duration::ZERO) => {}
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}

impl<M: fmt::Debug, B: fmt::Debug, I: fmt::Debug> fmt::Debug for Driver<M, B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("node", &self.node)
            .field("bus", &self.bus)
            .finish_non_exhaustive()
    }
}
