//! The outbox of an edge: what it dispatches waits to be taken to the room.
//! [Clause B17](crate::rulebook#b17-admission-at-an-edge).

use super::queued::{Queued, QueuedExt};
use crate::chunked::Deque;
use crate::ids::MessageId;
use crate::message::EdgeMessage;
use crate::queue::Popped;

/// The messages that wait for the host to take them to the room.
#[derive(Debug)]
pub(super) struct EdgeOutbox<M> {
    messages: Deque<EdgeMessage<M>>,
    capacity: u32,
    /// The life of the room, which the queue leaves out.
    life: u64,
}

impl<M> EdgeOutbox<M> {
    pub(super) fn new(capacity: u32) -> Self {
        Self { messages: Deque::new(), capacity, life: 0 }
    }

    /// The room is in this life.
    pub(super) fn set_life(&mut self, life: u64) {
        self.life = life;
    }

    /// Returns whether there is room for no more.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= self.capacity as usize
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.len() == 0
    }

    /// The messages that wait.
    pub(super) fn ids(&self) -> impl Iterator<Item = MessageId> + '_ {
        (0..self.messages.len()).filter_map(|at| Some(self.messages.get(at)?.id))
    }

    /// Hands the oldest over.
    pub(super) fn pop(&mut self) -> Option<EdgeMessage<M>> {
        self.messages.pop_front()
    }

    /// Returns the message that was added last, while it is here.
    pub(super) fn newest(&self) -> Option<&EdgeMessage<M>> {
        self.messages.get(self.messages.len().checked_sub(1)?)
    }

    /// Adds a message that has left the queue.
    pub(super) fn push(&mut self, popped: Popped<Queued<M>>) {
        let Popped { item, priority, sender, entered, .. } = popped;
        let QueuedExt { messages, units, merge_key, dedup_key, carried_keys, .. } = item.ext();
        let QueuedExt { urgency, reviewed, .. } = item.ext();
        let (.., admitted_at) = item.stands_for(entered);
        let Queued { id, kind, session, profile, outcome_sink, payload, .. } = item;
        self.messages.push_back(EdgeMessage {
            id,
            sender,
            session: session.map(|key| key.in_life(self.life)),
            priority,
            kind,
            urgency,
            merge_key,
            messages,
            units,
            dedup_key,
            outcome_sink,
            admitted_at,
            reviewed,
            profile: profile.map(|profile| profile.content),
            carried_keys,
            payload,
        });
    }
}
