//! The pump: one task for each shard of a room writes to all connections there.
//! [Decision D28](roomcast_core::design#d28-the-pump-writes-without-asking-the-runtime).

mod connection;
mod connections;
pub(crate) mod counters;
pub(crate) mod frames;
pub(crate) mod mailbox;
mod pace;
mod pumped;
mod rest;
mod task;
#[cfg(test)]
mod tests;
pub(crate) mod transport;
pub(crate) mod writable;

pub use frames::PumpEncoder;
pub use mailbox::{Control, ControlRefused};
pub use pumped::Pumped;
pub use transport::{InFlight, Transport};

use crate::drive::worker::Workers;
use crate::hub::keys::Joining;
use crate::hub::name::Name;
use crate::hub::names::Names;
use crate::hub::registry::RoomRegistry;
use crate::hub::room::Room;
use crate::reading::when_high_lost::WhenHighLost;
use crate::room::pump_notify::PumpNotify;
use crate::room::{Job, SharedRoom};
use crate::sync::channel::{Receiver, SendError, Sender};
use crate::sync::{Arc, OnceLock};
use counters::Counters;
use mailbox::{Inbox, Limits, Mailbox};
use roomcast_core::error::JoinError;
use roomcast_core::{Budget, Group, Joined, Payload, SessionId};
use std::fmt;
use std::time::Duration;
use tokio::runtime::Handle;

/// How a pump works.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PumpOptions {
    /// The most that one connection is written at once. Default 256 messages, 256 KiB.
    pub budget: Budget,
    /// The maximum number of connections that one turn writes the room's messages to, and beside
    /// them those that came, can take more again, or have control frames; then other tasks of the
    /// runtime get theirs. Default 256.
    pub writes_a_turn: u32,
    /// How long a connection may take nothing of what it is offered before it is dropped and its
    /// session leaves; and once its session has ended, how long it has for all of the rest and the
    /// last words. Default 60 s.
    pub stalled_after: Duration,
    /// A connection has at most what it drains in this time, and the way there and back, in flight;
    /// at least one message. What comes next is chosen when it can go: a gift waits behind no more
    /// than that, and a slow connection misses old text instead of seeing it late. A new connection
    /// begins with 2 KiB. `Duration::MAX` holds nobody back. Default 250 ms.
    pub reach: Duration,
    /// What becomes of a connection whose session was too slow for a High message. Default it is
    /// told, and goes on. One that is closed is offered the gap and what follows it once, and goes
    /// with what its transport does not take then; [`Pumped::closed`] tells the host.
    pub when_high_lost: WhenHighLost,
    /// Frames of [`Pumped::control`] that may wait for one connection; a pong and a close have
    /// places of their own. Default 16.
    pub control_frames: usize,
    /// The maximum number of bytes in those frames. Default 64 KiB.
    pub control_bytes: usize,
}

impl Default for PumpOptions {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            writes_a_turn: 256,
            stalled_after: Duration::from_secs(60),
            reach: Duration::from_millis(250),
            when_high_lost: WhenHighLost::Tell,
            control_frames: 16,
            control_bytes: 64 << 10,
        }
    }
}

/// What a pump has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PumpStats {
    /// Connections now.
    pub connections: u64,
    /// Of those, connections that could not take all that they were offered and are waited for.
    pub blocked: u64,
    /// Of the connections, those that are held back now: they have as much in flight as they drain
    /// in [`reach`](PumpOptions::reach).
    pub held_back: u64,
    /// Calls of [`Transport::try_write`].
    pub writes: u64,
    /// Bytes that transports took.
    pub bytes: u64,
    /// Messages in frames that transports took to the last byte, direct ones too.
    pub messages: u64,
    /// Messages that were handed over and that the transport never took to the last byte, because
    /// its connection ended. They count as `unsent` in the room's
    /// [`RoomStats`](crate::stats::RoomStats).
    pub unsent: u64,
    /// Messages that were encoded.
    pub encoded: u64,
    /// Frames that were put together; every other one was shared.
    pub framed: u64,
    /// Connections that were dropped because they took nothing for
    /// [`stalled_after`](PumpOptions::stalled_after), or not all of their last words in that time.
    pub stalled: u64,
    /// Connections that were closed because their sessions had missed a High message
    /// ([`when_high_lost`](PumpOptions::when_high_lost)).
    pub high_lost: u64,
    /// Control frames that [`Pumped::control`] refused because too many waited for one connection,
    /// or because they were too large.
    pub controls_dropped: u64,
    /// Pongs that a newer one took the place of, before their writing had begun.
    pub controls_replaced: u64,
    /// Calls of the encoder or of a transport that panicked. A transport that does ends its own
    /// connection.
    pub panics: u64,
}

/// Why a pump lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PumpRefusal {
    /// The room does not.
    #[error(transparent)]
    Room(#[from] JoinError),
    /// The pump's task has ended, most often because the runtime has that the pump was made in. It
    /// serves nobody any more.
    #[error("pump stopped: its tokio runtime has shut down")]
    Stopped,
}

/// Why a connection was not let in; it comes back.
pub struct PumpJoinError<T> {
    /// Why.
    pub error: PumpRefusal,
    /// The transport.
    pub transport: T,
}

impl<T> fmt::Display for PumpJoinError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> fmt::Debug for PumpJoinError<T> {
    /// Without the transport, which need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PumpJoinError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> std::error::Error for PumpJoinError<T> {}

/// A room takes no more pumps: [`Group::MAX`] of them serve it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many pumps in the room (limit {})", Group::MAX)]
pub struct TooManyPumps;

/// What a handle asks of a task. At most one of each kind waits for a connection, so what a peer
/// says does not make the channel longer.
#[derive(Debug)]
enum Command<T> {
    /// A connection joined.
    Add(SessionId, (T, Inbox)),
    /// Something is in a connection's mailbox, which was empty.
    Mail(SessionId),
    /// The host let go of a connection.
    Gone(SessionId),
}

/// A task's end that the handles see.
#[derive(Debug)]
struct PumpShard<T> {
    commands: Sender<Command<T>>,
    pump_notify: Arc<PumpNotify>,
    counters: Arc<Counters>,
}

impl<T> PumpShard<T> {
    /// Sends a command; it comes back if the task has ended.
    fn send(&self, command: Command<T>) -> Result<(), Command<T>> {
        // After the task's end nothing is kept.
        self.commands.send(command).map_err(|SendError(command)| command)?;
        self.pump_notify.notify_command();
        Ok(())
    }
}

/// What starts the task of a shard.
type Launch<M, T> = dyn Fn(Arc<PumpLease<M>>, u32, Receiver<Command<T>>, Arc<PumpNotify>, Arc<Counters>)
    + Send
    + Sync;

/// A pump's place in its room, until its last task has ended.
#[derive(Debug)]
struct PumpLease<M: Payload + Send + Sync + 'static> {
    shared: Arc<SharedRoom<M>>,
    group: Group,
}

impl<M: Payload + Send + Sync + 'static> Drop for PumpLease<M> {
    fn drop(&mut self) {
        self.shared.groups.free(self.group);
    }
}

struct Inner<M: Payload + Send + Sync + 'static, T: Transport> {
    lease: Arc<PumpLease<M>>,
    /// Keeps the drivers alive.
    _workers: Arc<Workers<Job<M>>>,
    registry: Arc<RoomRegistry<M>>,
    /// One for each shard of the room, from its first connection on.
    pump_shards: Box<[OnceLock<PumpShard<T>>]>,
    start: Box<Launch<M, T>>,
    /// What may wait for one connection.
    limits: Limits,
    stalled_after: Duration,
}

impl<M: Payload + Send + Sync + 'static, T: Transport> Drop for Inner<M, T> {
    fn drop(&mut self) {
        // The tasks find that nobody can command them any more, let their connections go, and end.
        for pump_shard in std::mem::take(&mut self.pump_shards) {
            if let Some(PumpShard { commands, pump_notify, .. }) = pump_shard.into_inner() {
                drop(commands);
                pump_notify.notify_command();
            }
        }
    }
}

/// Writes to very many connections of one room: a task for each shard of the room, not one for each
/// connection.
///
/// What many connections read is encoded once, framed once and shared. A connection whose transport
/// takes nothing now leaves the fast path and comes back when its transport says so; until then it
/// costs nothing, and what it misses is skipped and told as a gap. A [coalescing
/// window](crate::config::RoomConfigBuilder::coalesce) lets more messages share a write.
///
/// Cheap to clone. When the last handle, and the last [`Pumped`] of its connections, is dropped,
/// all its connections are let go.
///
#[cfg_attr(feature = "net", doc = "```")]
#[cfg_attr(not(feature = "net"), doc = "```ignore")]
/// use roomcast::net::TcpTransport;
/// use roomcast::pump::PumpOptions;
/// use roomcast::{Bytes, Hub, Join, Publish, Pump, RoomConfig, RoomId, Source};
/// use tokio::io::AsyncReadExt;
/// use tokio::net::{TcpListener, TcpStream};
/// # use roomcast::{Direct, Encoder, GapCause, Message, Priority};
/// # #[derive(Clone)]
/// # struct Lines;
/// # impl Encoder<Bytes> for Lines {
/// #     type Frame = Bytes;
/// #     fn message(&mut self, message: &Message<Bytes>) -> Bytes {
/// #         message.payload.clone()
/// #     }
/// #     fn direct(&mut self, direct: &Direct<Bytes>) -> Bytes {
/// #         direct.payload.clone()
/// #     }
/// #     fn gap(&mut self, _: Priority, _: u64, _: GapCause) -> Option<Bytes> {
/// #         None
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::<Bytes>::start();
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// // `Lines` is an `Encoder<Bytes>` whose frames are bytes.
/// let pump: Pump<Bytes, TcpTransport> = room.pump(Lines, PumpOptions::default())?;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut peer = TcpStream::connect(listener.local_addr()?).await?;
/// let (_read, transport) = TcpTransport::split(listener.accept().await?.0)?;
/// let _pumped = pump.join(Join::guest(), transport)?;
///
/// let _ = room.try_publish(Publish::new(Source::Host, Bytes::from_static(b"hello")))?;
/// let mut got = [0; 5];
/// peer.read_exact(&mut got).await?;
/// assert_eq!(&got, b"hello");
/// # Ok(())
/// # }
/// ```
pub struct Pump<M: Payload + Send + Sync + 'static, T: Transport, U = Arc<str>> {
    inner: Arc<Inner<M, T>>,
    names: Arc<Names<U>>,
}

impl<M: Payload + Send + Sync + 'static, T: Transport, U> Clone for Pump<M, T, U> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), names: Arc::clone(&self.names) }
    }
}

impl<M: Payload + Send + Sync + 'static, T: Transport, U> fmt::Debug for Pump<M, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("room", &self.inner.lease.shared.id())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<M: Payload + Send + Sync + 'static, U: Name> Room<M, U> {
    /// Returns a pump for this room. Its tasks run on the current tokio runtime, from the first
    /// connection of a shard on; each has a clone of `encoder`.
    ///
    /// # Errors
    /// The room has [`Group::MAX`] pumps already.
    ///
    /// # Panics
    /// Outside a tokio runtime, as `tokio::spawn` does; [`pump_on`](Self::pump_on) names one.
    #[track_caller]
    pub fn pump<T: Transport, E: PumpEncoder<M> + Sync>(
        &self,
        encoder: E,
        options: PumpOptions,
    ) -> Result<Pump<M, T, U>, TooManyPumps> {
        self.pump_on(&Handle::current(), encoder, options)
    }

    /// As [`pump`](Self::pump), with tasks on this runtime, from wherever it is called: for processes that
    /// have several runtimes, or begin outside any.
    ///
    /// # Errors
    /// As [`pump`](Self::pump).
    pub fn pump_on<T: Transport, E: PumpEncoder<M> + Sync>(
        &self,
        runtime: &Handle,
        encoder: E,
        options: PumpOptions,
    ) -> Result<Pump<M, T, U>, TooManyPumps> {
        let shared = self.current_or_anew();
        let group = shared.groups.take().ok_or(TooManyPumps)?;
        let runtime = runtime.clone();
        let start = move |lease, shard, commands, pump_notify, counters| {
            runtime.spawn(
                task::Pumper::new(
                    lease,
                    shard,
                    options,
                    encoder.clone(),
                    commands,
                    pump_notify,
                    counters,
                )
                .run(),
            );
        };
        let pump_shards = (0..shared.shard(0).part.of()).map(|_| OnceLock::new()).collect();
        let lease = Arc::new(PumpLease { shared, group });
        let (workers, registry) = (Arc::clone(self.workers()), Arc::clone(self.registry()));
        let limits = Limits { frames: options.control_frames, bytes: options.control_bytes };
        let inner = Inner {
            lease,
            _workers: workers,
            registry,
            pump_shards,
            start: Box::new(start),
            limits,
            stalled_after: options.stalled_after,
        };
        Ok(Pump { inner: Arc::new(inner), names: Arc::clone(self.names()) })
    }
}

impl<M: Payload + Send + Sync + 'static, T: Transport, U: Name> Pump<M, T, U> {
    /// Lets a session in and gives its connection to the pump. Dropping the returned handle leaves,
    /// and drops the transport. Who joins is a name, a [`Joining`] or a [`Join`](crate::Join), as
    /// for [`Room::join`].
    ///
    /// # Errors
    /// As [`Room::join`], or the pump's task has ended; the transport comes back.
    ///
    /// # Cost
    /// O(1), as [`Room::join`]; the first connection of a shard starts that shard's task.
    pub fn join(
        &self,
        join: impl Into<Joining<M, U>>,
        mut transport: T,
    ) -> Result<Pumped<M, T>, PumpJoinError<T>> {
        let inner = &self.inner;
        transport.set_stalled_after(inner.stalled_after);
        let shared = &inner.lease.shared;
        let join = join.into().by_number(|name| self.names.user_id(shared.now(), name));
        let mut join = shared.unseal(join.group(inner.lease.group));
        match inner.registry.join(shared, &mut join) {
            Err(error) => Err(PumpJoinError { error: error.into(), transport }),
            Ok(Joined { session, starts_after, start, .. }) => {
                let shard = shared.shard_number(session);
                let pump_shard = inner.pump_shard(shard);
                let mailbox = Arc::new(Mailbox::default());
                let connection = (transport, Inbox::new(&mailbox));
                if let Err(Command::Add(_, (transport, _))) =
                    pump_shard.send(Command::Add(session, connection))
                {
                    shared.close_session(session);
                    return Err(PumpJoinError { error: PumpRefusal::Stopped, transport });
                }
                if pump_shard.pump_notify.is_closed() {
                    // It may have come too late to be obeyed.
                    shared.close_session(session);
                }
                Ok(Pumped {
                    inner: Arc::clone(inner),
                    shard,
                    session,
                    starts_after,
                    start,
                    mailbox,
                })
            }
        }
    }
}

impl<M: Payload + Send + Sync + 'static, T: Transport, U> Pump<M, T, U> {
    /// Returns what the pump has done so far, over all its tasks, which put it down after each
    /// turn. O(shards); takes no lock.
    pub fn stats(&self) -> PumpStats {
        let mut stats = PumpStats::default();
        for pump_shard in self.inner.pump_shards.iter().filter_map(OnceLock::get) {
            pump_shard.counters.add_to(&mut stats);
        }
        stats
    }
}

impl<M: Payload + Send + Sync + 'static, T: Transport> Inner<M, T> {
    /// What commands a shard's task; its task is started for the first connection.
    fn pump_shard(&self, shard: u32) -> &PumpShard<T> {
        self.pump_shards[shard as usize].get_or_init(|| {
            let (commands, inbox) = crate::sync::channel::unbounded();
            let (pump_notify, counters) =
                (Arc::new(PumpNotify::default()), Arc::new(Counters::default()));
            (self.start)(
                Arc::clone(&self.lease),
                shard,
                inbox,
                Arc::clone(&pump_notify),
                Arc::clone(&counters),
            );
            #[cfg(feature = "metrics")]
            self.lease.shared.count_pump(&counters);
            PumpShard { commands, pump_notify, counters }
        })
    }
}
