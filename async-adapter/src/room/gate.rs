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
    /// At an edge that is opened when the room has dispatched so many messages of each level.
    AtEdge { heads: PerLevel<u64> },
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
            Stands::AtEdge { heads } => Self::Edge(AtEdge {
                edge: Edge::opened_at(config, heads).with_life(life),
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
