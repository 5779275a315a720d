//! The port of an edge: what its host carries to the room and back.

use crate::room::SharedRoom;
use crate::room::gate::AtEdge;
use crate::sync::Arc;
use roomcast_core::admission::Received;
use roomcast_core::handover::HandOver;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::message::EdgeMessage;
use roomcast_core::{Admission, Outcome, Payload, PerLevel, RoomId};
use std::ops::RangeInclusive;
use std::task::{Context, Poll};

/// The port of an edge: what its host carries to the room, wherever that is, and back. Made by
/// [`Hub::create_edge_room`](crate::Hub::create_edge_room).
///
/// To the room go the messages that the edge let in ([`next_message`](Self::next_message)) and what
/// its counters gained ([`next_count`](Self::next_count)); back come what the room dispatched
/// ([`receive`](Self::receive)), whatever the order, and the fate of each message
/// ([`resolve`](Self::resolve)). The port may be shared by several tasks, of which one waits for
/// messages.
///
/// At most [`outbox_capacity`](crate::config::RoomConfigBuilder::outbox_capacity) messages are on
/// their way at once: then the port hands out no more until the fate of one is told, what comes
/// meanwhile waits by the rules, and a full queue refuses. So a bus that is down costs bounded memory
/// and tells nobody that something went out.
///
/// Dropping the port takes the edge off its room: what is on its way or waits for the port ends as
/// [`DropReason::EdgeLost`](crate::stats::DropReason::EdgeLost), and the edge's room closes.
#[derive(Debug)]
pub struct EdgePort<M: Payload + Send + Sync + 'static> {
    shared: Arc<SharedRoom<M>>,
}

impl<M: Payload + Send + Sync + 'static> EdgePort<M> {
    pub(super) fn new(shared: Arc<SharedRoom<M>>) -> Self {
        Self { shared }
    }

    /// Returns the number of the edge's room in its hub.
    pub fn room_id(&self) -> RoomId {
        self.shared.id()
    }

    /// Waits for the next message for the room, in the order in which they passed; `None` when the
    /// edge's room has ended.
    ///
    /// Its [`admitted_at`](EdgeMessage::admitted_at) is in the time of this hub: over a wire goes its
    /// age. Its [`session`](EdgeMessage::session) is one of this edge alone: a host remembers it by
    /// the message's [`id`](EdgeMessage::id), and sets it in what comes back as that message, so that
    /// its sender is not told what it said; other edges leave it out.
    ///
    /// # Cancel safety
    /// Nothing is lost: a message is taken by the poll that returns it. Of several tasks that wait,
    /// the last to poll is woken.
    pub async fn next_message(&self) -> Option<EdgeMessage<M>> {
        std::future::poll_fn(|cx| self.poll_next_message(cx)).await
    }

    /// As [`next_message`](Self::next_message), for futures written by hand.
    pub fn poll_next_message(&self, cx: &mut Context<'_>) -> Poll<Option<EdgeMessage<M>>> {
        self.shared.poll_edge_message(cx)
    }

    /// Returns the next message for the room if there is one that may go, without waiting.
    pub fn try_next_message(&self) -> Option<EdgeMessage<M>> {
        self.shared.at_edge(AtEdge::take).flatten()
    }

    /// Returns how many messages have been taken whose fate is not told yet.
    pub fn in_flight(&self) -> usize {
        self.shared.at_edge(|at| at.in_flight()).unwrap_or_default()
    }

    /// Tells what became of a message that was taken: its publisher hears of it as asked for, and
    /// unless it went out it may be said again here. Where the room refused it, that is
    /// [`DropReason::RoomRefused`](crate::stats::DropReason::RoomRefused), with the room's limit and
    /// when to try again.
    ///
    /// Returns whether its fate was not known yet: telling it twice changes nothing.
    pub fn resolve(&self, message: MessageId, outcome: Outcome) -> bool {
        self.shared.at_edge(|at| at.resolve(message, outcome)).unwrap_or_default()
    }

    /// Takes what the room has dispatched. It may come late, twice and in any order; who waits here
    /// is woken as for any message, by the clock of this hub. See
    /// [`Edge::receive`](crate::core::Edge::receive).
    ///
    /// How old a message is when it is handed over is told by
    /// [`dispatched_at`](crate::Message::dispatched_at), so a host that carries it over a wire
    /// carries its age, and [assembles](crate::Message::assemble) it here in the time of this
    /// [hub](crate::Hub::now): another machine's clock may be seconds off.
    pub fn receive(&self, handed: HandOver<M>) -> Received {
        self.shared.at_edge(|at| at.edge.receive(handed)).unwrap_or(Received::Foreign)
    }

    /// Returns which messages are missing before the first that is held; `None` while nothing is
    /// held. A host asks for them where they are kept.
    pub fn missing(&self) -> Option<RangeInclusive<Seq>> {
        self.shared.at_edge(|at| at.edge.missing()).flatten()
    }

    /// What is [missing](Self::missing) will not come any more: what is held goes on behind it, up to
    /// the next hole, and every session that was to get it is told a gap
    /// ([`GapCause::Bus`](crate::GapCause::Bus)). Returns how many messages are lost.
    pub fn give_up_missing(&self) -> u64 {
        self.shared.at_edge(|at| at.edge.give_up_missing()).unwrap_or_default()
    }

    /// Returns how many messages of each level were given up, by the host or for want of space.
    pub fn lost(&self) -> PerLevel<u64> {
        self.shared.at_edge(|at| at.edge.lost()).unwrap_or_default()
    }

    /// Returns how many messages of each level the room has dispatched, as far as they came here.
    pub fn heads(&self) -> PerLevel<u64> {
        self.shared.peek(Admission::heads)
    }

    /// Returns what one of the counters here has gained since this last returned it, for the room's
    /// to be added to it ([`RoomData::add_counter`](crate::Room::data)); `None` when there is nothing
    /// more.
    pub fn next_count(&self) -> Option<(Box<str>, i64)> {
        self.shared.at_edge(|at| at.edge.poll_count()).flatten()
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for EdgePort<M> {
    fn drop(&mut self) {
        self.shared.take_edge_off();
    }
}
