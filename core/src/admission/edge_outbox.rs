//! At an edge, what goes out goes to the room.

use super::Admission;
use super::queued::{Queued, QueuedExt};
use super::room_data::RoomData;
use crate::chunked::Deque;
use crate::config::RoomConfig;
use crate::message::{EdgeMessage, Payload};
use crate::queue::Popped;
use crate::system_messages::SystemMessages;
use alloc::boxed::Box;

/// What waits to be taken to the room.
pub(super) type EdgeOutbox<M> = Option<Box<Deque<EdgeMessage<M>>>>;

impl<M: Payload> Admission<M> {
    /// One whose messages are forwarded.
    pub(crate) fn at_edge(config: &RoomConfig) -> Self {
        Self {
            edge_outbox: Some(Box::new(Deque::new())),
            data: RoomData::new(&config.settings, SystemMessages::NONE),
            ..Self::new(config)
        }
    }

    pub(crate) fn pop_edge_message(&mut self) -> Option<EdgeMessage<M>> {
        self.edge_outbox.as_mut()?.pop_front()
    }

    /// Whether the host has not taken what waits for the room: nothing more goes out until it does.
    #[inline]
    pub(super) fn is_backed_up(&self) -> bool {
        self.edge_outbox
            .as_ref()
            .is_some_and(|edge_outbox| edge_outbox.len() >= self.settings.outbox_capacity as usize)
    }

    /// A message that has left the queue waits for the host to take it to the room. Its outcome
    /// will be told there: here it needs no slot.
    pub(super) fn put_in_edge_outbox(&mut self, popped: Popped<Queued<M>>) {
        let Popped { item, priority, sender, entered, .. } = popped;
        let QueuedExt { units, merge_key, dedup_key, .. } = item.ext();
        let Queued { id, kind, session, profile, outcome_sink, payload, .. } = item;
        self.ledger.levels[priority].dispatch(units);
        self.release_slot(priority, outcome_sink);
        let message = EdgeMessage {
            id,
            sender,
            session,
            priority,
            kind,
            merge_key,
            units,
            dedup_key,
            outcome_sink,
            admitted_at: entered,
            profile,
            payload,
        };
        if let Some(edge_outbox) = &mut self.edge_outbox {
            edge_outbox.push_back(message);
        }
    }
}
