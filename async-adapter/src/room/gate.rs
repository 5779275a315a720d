//! The admission of a room of the hub: the room's own, or one at an edge of a room that is elsewhere.
//! [Clause B17](roomcast_core::rulebook#b17-admission-at-an-edge).

use crate::drive::signal::Signal;
use crate::sync::atomic::{AtomicBool, Ordering};
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::DropReason;
use roomcast_core::message::{EdgeMessage, Forwarded};
use roomcast_core::{Admission, Edge, Outcome, Payload, PerLevel, RoomConfig};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// Where the admission of a room stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stands {
    /// It is the room's.
    AtRoom,
    /// At an edge that begins there.
    AtEdge(EdgeStart),
}

/// Where an edge begins in the log of its room:
/// [`Hub::create_edge_room`](crate::Hub::create_edge_room).
///
/// ```
/// use roomcast::edge::EdgeStart;
/// use roomcast::{Hub, Join, PerLevel, RoomConfig};
///
/// // Two servers with one key, each with an edge of a room elsewhere, which is in its life 7.
/// let server = || Hub::<&str>::builder().token_key(&[9; 32]).spawn_threads();
/// let (paris, tokyo) = (server()?, server()?);
/// let start = EdgeStart::at(PerLevel([0; 4])).of_life(7);
/// let (there, _port) = paris.create_edge_room("stream-42", &RoomConfig::fan_out(), start)?;
/// let (here, _port) = tokyo.create_edge_room("stream-42", &RoomConfig::fan_out(), start)?;
///
/// let token = there.join(Join::guest())?.resume_token().expect("it is in");
/// let guest = here.join(Join::guest().resume(token))?;
/// assert_eq!(guest.start(), roomcast::event::StartPosition::Resumed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeStart {
    /// How many messages of each level the room had dispatched.
    pub(crate) heads: PerLevel<u64>,
    /// The life of the room, if the host has one for it.
    pub(crate) life: Option<u64>,
}

impl EdgeStart {
    /// Behind so many messages of each level.
    pub fn at(heads: PerLevel<u64>) -> Self {
        Self { heads, life: None }
    }

    /// The same in this life of the room: a number that all edges of it are given, and that no other
    /// room has, nor this one once its positions begin anew. A [token](crate::session::ResumeToken) that
    /// one of them gave is good at all whose hubs have the same
    /// [key](crate::HubBuilder::token_key), and as long as their clocks agree to within
    /// [`resume_skew`](crate::config::RoomConfigBuilder::resume_skew). At another edge than its own, a
    /// session gets what it has said itself and not yet read as anybody's. Without a life, a token is
    /// good at its own edge alone.
    #[must_use]
    pub fn of_life(self, life: u64) -> Self {
        Self { life: Some(life), ..self }
    }
}

impl From<PerLevel<u64>> for EdgeStart {
    fn from(heads: PerLevel<u64>) -> Self {
        Self::at(heads)
    }
}

/// The admission of a room.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "most of either is the admission")]
pub(crate) enum Gate<M> {
    Room(Admission<M>),
    Edge(AtEdge<M>),
}

/// An edge, and what it has handed out whose fate at the room is not known yet.
#[derive(Debug)]
pub(crate) struct AtEdge<M> {
    pub(crate) edge: Edge<M>,
    in_flight: BTreeMap<MessageId, Forwarded>,
    max_in_flight: usize,
}

impl<M: Payload> Gate<M> {
    pub(super) fn new(stands: Stands, config: &RoomConfig, life: u64) -> Self {
        match stands {
            Stands::AtRoom => Self::Room(Admission::new(config).with_life(life)),
            Stands::AtEdge(start) => Self::Edge(AtEdge {
                edge: Edge::opened_at(config, start.heads).with_life(life),
                in_flight: BTreeMap::new(),
                max_in_flight: config.outbox_capacity() as usize,
            }),
        }
    }

    /// The edge, if it is one.
    pub(super) fn edge(&mut self) -> Option<&mut AtEdge<M>> {
        match self {
            Self::Room(_) => None,
            Self::Edge(at) => Some(at),
        }
    }
}

impl<M: Payload> AtEdge<M> {
    /// Whether [`take`](Self::take) has one.
    pub(crate) fn has_messages(&self) -> bool {
        self.in_flight.len() < self.max_in_flight && self.edge.has_messages()
    }

    /// The next message for the room.
    pub(crate) fn take(&mut self) -> Option<EdgeMessage<M>> {
        if !self.has_messages() {
            return None;
        }
        let message = self.edge.poll_message()?;
        self.in_flight.insert(message.id, message.forwarded());
        Some(message)
    }

    /// Tells the fate of a message that was taken; returns whether it was not known yet.
    pub(crate) fn resolve(&mut self, id: MessageId, outcome: Outcome) -> bool {
        let Some(forwarded) = self.in_flight.remove(&id) else { return false };
        self.edge.resolve(&forwarded, outcome);
        true
    }

    /// What was let in and has no fate yet gets none any more.
    pub(super) fn give_up(&mut self) {
        let lost = Outcome::Dropped { reason: DropReason::EdgeLost, limit: None, retry_at: None };
        for forwarded in std::mem::take(&mut self.in_flight).into_values() {
            self.edge.resolve(&forwarded, lost);
        }
        while let Some(message) = self.edge.poll_message() {
            self.edge.resolve(&message.forwarded(), lost);
        }
    }

    /// Whether something was let in that has no fate yet and is not in the queue any more.
    pub(super) fn awaits_fates(&self) -> bool {
        !self.in_flight.is_empty() || self.edge.has_messages()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

impl<M> Deref for Gate<M> {
    type Target = Admission<M>;

    #[inline]
    fn deref(&self) -> &Admission<M> {
        match self {
            Self::Room(admission) => admission,
            Self::Edge(at) => &at.edge,
        }
    }
}

impl<M> DerefMut for Gate<M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Admission<M> {
        match self {
            Self::Room(admission) => admission,
            Self::Edge(at) => &mut at.edge,
        }
    }
}

/// What tells the host of an edge that messages wait for the room.
#[derive(Debug, Default)]
pub(crate) struct EdgeNews {
    /// Found under the admission's lock, to be told outside.
    found: AtomicBool,
    told: Signal,
}

impl EdgeNews {
    /// Notes, under the admission's lock, that messages wait.
    pub(super) fn note(&self) {
        self.found.store(true, Ordering::Relaxed);
    }

    /// Returns whether there is something to tell.
    pub(crate) fn take(&self) -> bool {
        self.found.swap(false, Ordering::Relaxed)
    }

    /// What the host waits for. It is raised outside the locks.
    pub(super) fn signal(&self) -> &Signal {
        &self.told
    }
}
