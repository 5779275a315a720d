//! The bus: what the nodes of a cluster ask of whatever carries their words, and what it promises.
//!
//! It is said in calls and answers, without I/O, so that a simulator can drive it, and so that any
//! engine that can do these few things can be one: a log for each room with **compare-and-set
//! append**, which hands on what it accepted and nothing else, and keys with revisions, which lapse
//! unless they are renewed. [`MemoryBus`] is one in memory; the feature `tokio` has one for nodes of one
//! process, and the feature `nats` one over NATS.
//!
//! What a bus has to promise:
//!
//! - [`Append`](Request::Append) puts a record behind the one that is expected, or refuses. It is the
//!   only fence there is: of two owners who take themselves for the owner, one is refused.
//! - The places of records rise, over the loss of a log as well: a log that is made anew begins with
//!   the time in microseconds. So a number from before the loss fits nothing after it.
//! - Subscribers get records that were accepted, each with the place of the one before, so that a
//!   hole shows. They may come late, twice, in any order, or not at all.
//! - [`Last`](Request::Last) and [`After`](Request::After) are answered by whoever decides on
//!   appends, never by a copy that lags behind.
//! - A key that is watched is told as it is, nodes before rooms, and then each change, in order.
//!
//! An answer may be lost; then what it would have said is [`Unknown`](Answer::Unknown) to the node,
//! which asks until it knows.

#[cfg(feature = "tokio")]
mod local;
mod memory;
#[cfg(feature = "nats")]
mod nats;

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use local::{LocalBus, LocalConnection};
pub use memory::MemoryBus;
#[cfg(feature = "nats")]
#[cfg_attr(docsrs, doc(cfg(feature = "nats")))]
pub use nats::{ConnectOptions, NatsBus, NatsError, NatsOptions, Storage};

use bytes::Bytes;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, RoomId};

/// A client of the bus: a connection of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A call that is answered, as its client numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A key: each kind in a space of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The lease of the node of this name.
    Node(u64),
    /// The owner of a room.
    Room(RoomId),
}

/// A record that a log has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub at: u64,
    /// The place of the record before it in this room's log; 0: it is the first.
    pub previous: u64,
    /// What it says.
    pub bytes: Bytes,
}

/// What a node asks of the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Puts a record behind the one at `expected`, if that is the last of the room's log; 0: if there
    /// is none. Answered by [`Done`](Answer::Done) with its place, or [`Refused`](Answer::Refused).
    Append {
        /// Whose log.
        room: RoomId,
        /// The place of the last record, as the node knows it.
        expected: u64,
        /// What it says.
        bytes: Bytes,
    },
    /// The last record of a room's log. Answered by [`Read`](Answer::Read).
    Last {
        /// Whose log.
        room: RoomId,
    },
    /// The first record behind a place. Answered by [`Read`](Answer::Read).
    After {
        /// Whose log.
        room: RoomId,
        /// The place.
        at: u64,
    },
    /// Gives a key a value, if its revision is `expected`; 0: if there is none. Answered by
    /// [`Done`](Answer::Done) with the new revision, or [`Refused`](Answer::Refused).
    Put {
        /// The key.
        key: Key,
        /// Its revision, as the node knows it.
        expected: u64,
        /// The value.
        value: Bytes,
        /// How long it lasts unless it is put again; `None`: until it is deleted.
        ttl: Option<Duration>,
    },
    /// Takes a key away, if its revision is `expected`. Answered as [`Put`](Self::Put) is.
    Delete {
        /// The key.
        key: Key,
        /// Its revision, as the node knows it.
        expected: u64,
    },
    /// Subscribes to the records of a room's log, from now on. Not answered.
    Subscribe {
        /// Whose log.
        room: RoomId,
    },
    /// Ends that. Not answered.
    Unsubscribe {
        /// Whose log.
        room: RoomId,
    },
    /// Listens to what is sent to the owner of a room. Not answered.
    Listen {
        /// Which room.
        room: RoomId,
    },
    /// Ends that. Not answered.
    Unlisten {
        /// Which room.
        room: RoomId,
    },
    /// Sends to whoever listens as the owner of a room, if anybody does. Not answered.
    Send {
        /// Which room.
        room: RoomId,
        /// What.
        bytes: Bytes,
    },
    /// Watches all keys: told are those that there are, and then each change. Not answered.
    Watch,
}

/// What the bus answers to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done: the place of the record, or the revision of the key.
    Done(u64),
    /// Something else was there than expected, and nothing has changed.
    Refused,
    /// What was read, if there is any.
    Read(Option<Record>),
    /// Nobody knows whether it was done: the answer did not come in time. A node that has waited for
    /// long enough says this to itself.
    Unknown,
}

/// What the bus tells unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// A record of a log that is subscribed to.
    Record {
        /// Whose log.
        room: RoomId,
        /// The record.
        record: Record,
    },
    /// What was sent to the owner of a room.
    Sent {
        /// Which room.
        room: RoomId,
        /// What.
        bytes: Bytes,
    },
    /// A key has changed, or is there.
    Key {
        /// The key.
        key: Key,
        /// The revision of this change.
        revision: u64,
        /// Its value; `None`: it was taken away, or has lapsed.
        value: Option<Bytes>,
    },
}

/// What comes from the bus to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromBus {
    /// The answer to a call.
    Answer(CallId, Answer),
    /// Something else.
    Push(Push),
}

/// What comes from a connection to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What a bus says.
    Bus(FromBus),
    /// The connection, or a stream, was lost and is there again: what was subscribed to, listened to
    /// and watched is not any more.
    Reconnected,
}

/// A node's connection to a bus, in async Rust: what [`Driver`](crate::drive::Driver) drives a node over.
///
/// Where it is lost, calls are answered as [`Unknown`](Answer::Unknown), and when it is there again,
/// [`Said::Reconnected`] says that everything is to be subscribed to anew.
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub trait Connection {
    /// Puts in a request, without waiting. One that is answered has a number, which comes back with the
    /// answer.
    fn request(&mut self, call: Option<CallId>, request: Request);

    /// Returns the next thing that the bus says; `None` if the connection is closed for good.
    ///
    /// # Cancel safety
    /// To drop the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Option<Said>> + Send;
}

/// Something that nodes can take for their bus. Requests go in, answers and pushes are polled.
pub trait Bus {
    /// A request of a client comes at `now`. One that is answered has a number of the client's.
    fn request(&mut self, now: Instant, client: ClientId, call: Option<CallId>, request: Request);

    /// Keys lapse that are due at `now`.
    fn handle_timeout(&mut self, now: Instant);

    /// When the next key lapses.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next thing for a client.
    fn poll(&mut self) -> Option<(ClientId, FromBus)>;

    /// A client is gone: what it subscribed to, listened to and watched is so no more.
    fn disconnect(&mut self, client: ClientId);
}
