//! The protocol of a cluster's nodes, as a synchronous state machine without I/O.
//!
//! A [`Node`] takes [inputs](Input) with the time, and says by its [outputs](Output) what is to be
//! asked of the bus, and what is to be done at the room's edge here. It has no clock, and draws no
//! random number: the same inputs make the same outputs.
//!
//! Of each room that is [opened](Input::Open) here a node keeps the **link** of its edge: the
//! forwards that have no fate yet. And it **follows** the room's log, flight by flight, holes filled
//! before anything newer, so that it knows the room as it was at the last one and can go on as its
//! owner. Whoever owns the room has an [`Admission`](roomcast_core::Admission) of it, and writes the
//! flights. The rules of a room are the core's; nothing of them is here.
//!
//! # What holds, and by what
//!
//! - **One fate a message.** A forward is for one epoch, which is one owner: another owner passes it
//!   over. An edge sends what is undecided to a new owner only when it has read the flight by which
//!   that one took over, and so all that was decided before: whatever has no fate there will never
//!   have one by an earlier owner, whose appends are refused. Within an epoch the owner takes forwards
//!   in the order of their numbers, each once.
//! - **No hole over owners.** A flight is put behind the one that its writer has read, or refused. So
//!   the numbers go on where that one ended.
//! - **Nobody hears what was not decided.** Members, senders and the owner's own edge are told of a
//!   flight when the log has it, and not before.
//! - **A lease is for liveness.** It says when somebody else may try. Who is the owner is what the log
//!   says.

mod appending;
mod claim;
mod claiming;
mod clocks;
mod decide;
mod ending;
mod follow;
mod keys;
mod lease;
mod link;
mod node;
mod owner;
mod retracting;
mod room;
mod rows;
mod senders;
mod shared;
mod silence;
mod telling;
mod writing;

pub use clocks::ClockOffset;
pub use follow::Follower;
pub use keys::LiveKeys;
pub use node::Node;

use crate::bus::{CallId, FromBus, Request};
use crate::wire::{Command, Decided, EdgeBooks, EncodedDirect, Lasting, What, Withdrawn};
use roomcast_core::admission::PersistedState;
use roomcast_core::handover::HandOver;
use roomcast_core::message::EdgeMessage;
use roomcast_core::time::Duration;
use roomcast_core::{Actor, PerLevel, RoomConfig, RoomId, UserId};

/// The settings of a node. All nodes of a cluster have the same, but for the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeOptions {
    /// What tells the node from all others of the cluster. A node that is started again may have the
    /// same, and begins when the lease of its last life has lapsed.
    pub name: u64,
    /// How long a lease lasts without being renewed: about as long nobody owns the rooms of a node
    /// that has died. 3 s; it is renewed three times as often.
    pub lease: Duration,
    /// How long the next in line leaves a free room to the one before. 150 ms.
    pub rank: Duration,
    /// How long an answer of the bus is waited for, before it counts as unknown. 1 s.
    pub answer: Duration,
    /// How long an owner, or an edge, is silent at the most. 1 s.
    pub beat: Duration,
    /// How long an edge waits before it sends again what the owner has not seen. 250 ms.
    pub resend: Duration,
    /// How long the log has nothing new of an owner before others try, though its lease lives. 5 s.
    pub stale: Duration,
    /// How long the owner of a room whose log was lost waits for the edges to say how far they have
    /// come. 1 s.
    pub gather: Duration,
    /// How many forwards of a room may be undecided at an edge. 1,024.
    pub window: usize,
    /// How many flights go by before one has all that is known of people and data. 64: a node that
    /// opens a room reads as many.
    pub checkpoint: u32,
}

impl NodeOptions {
    /// The settings as they are where nothing is said.
    pub const fn new(name: u64) -> Self {
        Self {
            name,
            lease: Duration::from_secs(3),
            rank: Duration::from_millis(150),
            answer: Duration::from_secs(1),
            beat: Duration::from_secs(1),
            resend: Duration::from_millis(250),
            stale: Duration::from_secs(5),
            gather: Duration::from_secs(1),
            window: 1_024,
            checkpoint: 64,
        }
    }
}

/// What comes to a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<M> {
    /// Nothing, but that it is later.
    Timeout,
    /// Something from the bus.
    Bus(FromBus),
    /// The connection to the bus was lost and is there again: what was subscribed to is not any more.
    Reconnected,
    /// There is to be an edge of a room here. [`Output::Opened`] follows.
    Open {
        /// The room.
        room: RoomId,
        /// Its settings, by which this node runs it if it comes to own it.
        config: Box<RoomConfig>,
    },
    /// The edge is no more; its undecided forwards are given up.
    Close {
        /// The room.
        room: RoomId,
    },
    /// The edge has a message for the room: [`Edge::poll_message`](roomcast_core::Edge::poll_message).
    /// A host offers no more than [`Node::window`] says.
    Forward {
        /// The room.
        room: RoomId,
        /// The message.
        message: Box<EdgeMessage<M>>,
    },
    /// A counter has gained something at the edge:
    /// [`Edge::poll_count`](roomcast_core::Edge::poll_count).
    Count {
        /// The room.
        room: RoomId,
        /// The counter.
        key: Box<str>,
        /// How much.
        gained: i64,
    },
    /// The books of the edge: now and then, once a [beat](NodeOptions::beat) is often enough. Every node
    /// reads them in the log ([`Follower::rows`]).
    Books {
        /// The room.
        room: RoomId,
        /// The books, whole.
        books: Box<EdgeBooks>,
    },
    /// Somebody here wants something that only the owner can do. [`Output::Commanded`] follows.
    Command {
        /// The room.
        room: RoomId,
        /// Comes back with what became of it.
        tag: u64,
        /// Who wants it.
        actor: Actor,
        /// What.
        command: Command,
    },
    /// If the room is owned here, another node is to own it.
    HandOver {
        /// The room.
        room: RoomId,
        /// The name of that node, at which the room is open.
        to: u64,
    },
    /// The node is about to stop: it hands over the rooms that it owns to others at which they are
    /// open, and takes none that others may take. Its edges stay, until they are closed.
    Retire,
    /// The node stops: it gives back its lease, so that nobody waits for it to lapse, and does no more
    /// than that. Its rooms are closed before.
    Leave,
}

/// What a node wants done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output<M> {
    /// A request to the bus; one that is to be answered has a number.
    Bus(Option<CallId>, Request),
    /// An edge can be opened at these heads:
    /// [`Edge::opened_at`](roomcast_core::Edge::opened_at), with an audience that begins there.
    Opened {
        /// The room.
        room: RoomId,
        /// How many messages of each level have been dispatched.
        heads: PerLevel<u64>,
        /// The life of the room, for edge and audience.
        life: u64,
        /// What is known of people and data, to be imported.
        state: PersistedState,
        /// What else lasts: the edge is made by the [configuration](Lasting::configuration) that
        /// follows.
        lasting: Box<Lasting>,
        /// There is an edge already, which the room can tell nothing any more: what it has been told
        /// is of a log that is lost, and contradicts the new one. Its sessions end.
        again: bool,
    },
    /// The room has dispatched this. The edge [receives](roomcast_core::Edge::receive) it, and gives
    /// up what is missing before it, if anything is: it is gone.
    Flight {
        /// The room.
        room: RoomId,
        /// The messages.
        handed: HandOver<M>,
    },
    /// What is known of people and data has changed. The edge hands on what its counters gained
    /// ([`Input::Count`]), until there is nothing more, and imports it.
    Known {
        /// The room.
        room: RoomId,
        /// All of it, but the keys of what was said.
        state: PersistedState,
        /// What else lasts of the room, where that has changed. The room is handed over to an owner
        /// that it does not have.
        lasting: Option<Box<Lasting>>,
        /// Whose sessions end, as kicked.
        kicked: Vec<UserId>,
        /// Whose sessions end, as banned.
        banned: Vec<UserId>,
    },
    /// Something is taken back of what the edge has received: whoever has not got it at the edge never gets
    /// it, and what waits there is dropped, if it is of a user all of whose messages are.
    Withdrawn {
        /// The room.
        room: RoomId,
        /// What.
        what: Withdrawn,
    },
    /// A direct message to all sessions of a user that are at the edge, behind what it has received.
    Direct {
        /// The room.
        room: RoomId,
        /// Whom it is for.
        to: UserId,
        /// What.
        direct: EncodedDirect,
    },
    /// The room was [closed](Command::Close), for all nodes. Everything that the edge forwarded has its
    /// fate; its sessions end, and the node has closed the room. It may be opened, and begins anew.
    Closed {
        /// The room.
        room: RoomId,
    },
    /// A message that the edge forwarded has its fate. Where that is not "dispatched" or "merged",
    /// the edge is shown it ([`Edge::not_dispatched`](roomcast_core::Edge::not_dispatched)).
    Fate {
        /// The room.
        room: RoomId,
        /// The message as it was forwarded.
        message: Box<EdgeMessage<M>>,
        /// What became of it.
        outcome: Outcome,
    },
    /// What became of a command.
    Commanded {
        /// The room.
        room: RoomId,
        /// As it was given.
        tag: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// Something that a host may show.
    Event(Event),
}

/// What became of something that an edge had for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The owner has decided.
    Decided(Decided),
    /// The log was lost after it had been sent: nobody knows whether it went out, and it is not sent
    /// again, so that nothing goes out twice.
    Lost,
}

/// Something that a host may show, and need not act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The node has its lease, and this incarnation.
    Started {
        /// The revision of the lease's first record.
        incarnation: u64,
    },
    /// The node [retires](Input::Retire), and owns no room that another may take.
    Retired,
    /// The node has [left](Input::Leave).
    Left,
    /// Another node has the name of this one. It is tried again.
    NameTaken,
    /// This node owns a room.
    Owns {
        /// The room.
        room: RoomId,
        /// The revision of its key.
        epoch: u64,
    },
    /// This node has owned a room, and does no more. What its admission had not written down never
    /// was.
    Deposed {
        /// The room.
        room: RoomId,
        /// The epoch that is over.
        epoch: u64,
    },
    /// The edge here hears of an owner that it had not heard of.
    Owner {
        /// The room.
        room: RoomId,
        /// The epoch.
        epoch: u64,
        /// How long nothing had been heard before.
        silence: Duration,
    },
    /// The edge here has heard nothing of its room for as long as a lease lasts: its owner is gone, or the
    /// bus. Its sessions stay, what they say waits, and nobody is told that it went out.
    Stale {
        /// The room.
        room: RoomId,
    },
    /// The edge here has all that there is again.
    Caught {
        /// The room.
        room: RoomId,
        /// How long nothing had been heard; short, where only some of it was missing.
        silence: Duration,
        /// Records that had not come by themselves, and were read in the log.
        filled: u64,
    },
    /// A room was closed for all nodes, and is not open here any more.
    Closed {
        /// The room.
        room: RoomId,
    },
    /// The log of a room was lost and made anew.
    Incarnation {
        /// The room.
        room: RoomId,
    },
    /// A record of a room could not be read, and counts as lost.
    Unreadable {
        /// The room.
        room: RoomId,
    },
}

/// A thing on its way to the owner, as a link keeps it.
#[derive(Clone, Debug)]
struct Undecided<M> {
    what: What<M>,
    /// Of a command.
    tag: u64,
    /// The epoch in which it was last sent; 0: it was not.
    sent_in: u64,
}
