//! What has gone out, until every audience has taken it over; or at an edge, until the host has
//! taken it to the room.

use super::{Left, Pipeline};
use crate::admission::queued::Queued;
use crate::deferred_drops::DeferredDrops;
use crate::handover::HandOver;
use crate::ids::Seq;
use crate::message::{EdgeMessage, Message};
use crate::priority::PerLevel;
use crate::queue::Popped;
use crate::time::Instant;
use alloc::sync::Arc;

impl<M> Pipeline<M> {
    /// A message goes out: over the seam, with a number, or at an edge to the room, where it gets
    /// one.
    #[inline]
    pub(in crate::admission) fn send(&mut self, now: Instant, popped: Left<M>) -> Option<Seq> {
        if let Some(outbox) = &mut self.edge_outbox {
            outbox.push(popped);
            return None;
        }
        let Popped { item, priority, sender, entered, .. } = popped;
        let (messages, units, admitted_at) = item.stands_for(entered);
        let Queued { kind, session, profile, size, payload, .. } = item;
        let profile_bytes = profile.as_ref().map_or(0, |profile| profile.size);
        let seq = Seq(self.outbox.last().0 + 1);
        let position = self.heads[priority];
        self.heads[priority] += 1;
        let message = Message {
            seq,
            position,
            priority,
            kind,
            sender,
            session,
            units,
            messages,
            admitted_at,
            dispatched_at: now,
            profile: profile.map(|profile| profile.content),
            payload,
            bytes: u64::from(size) + u64::from(profile_bytes),
        };
        self.outbox.push(Arc::new(message));
        Some(seq)
    }

    /// What the room has dispatched comes to its edge.
    pub(in crate::admission) fn take_in(&mut self, message: Arc<Message<M>>) {
        self.heads[message.priority] = message.position + 1;
        self.outbox.push(message);
    }

    /// So many of each level have been dispatched by the room, and will not come to its edge any
    /// more where they have not yet; nor will anybody read what came before and was not read.
    pub(in crate::admission) fn pass_over(
        &mut self,
        heads: PerLevel<u64>,
        drops: &mut DeferredDrops<M>,
    ) {
        self.heads = heads;
        self.outbox.pass_over(Seq(heads.values().sum()), drops);
    }

    /// Returns what went out after `seq` and is still here, and how far each level has come.
    pub(in crate::admission) fn hand_over(&self, seq: Seq) -> HandOver<M> {
        HandOver { messages: self.outbox.after(seq).cloned().collect(), heads: self.heads }
    }

    /// Hands the oldest message over that went out.
    #[inline]
    pub(in crate::admission) fn pop_sent(&mut self) -> Option<Arc<Message<M>>> {
        self.outbox.pop()
    }

    /// Returns the message that went out last, while it is here.
    pub(in crate::admission) fn last_message(&self) -> Option<&Arc<Message<M>>> {
        self.outbox.newest()
    }

    /// Returns the message that went to the room last, while it is here.
    pub(in crate::admission) fn last_for_room(&self) -> Option<&EdgeMessage<M>> {
        self.edge_outbox.as_ref()?.newest()
    }

    /// Returns whether a message waits for the room.
    pub(in crate::admission) fn has_for_room(&self) -> bool {
        self.edge_outbox.as_ref().is_some_and(|outbox| !outbox.is_empty())
    }

    /// Hands the oldest message over that waits for the room.
    pub(in crate::admission) fn pop_for_room(&mut self) -> Option<EdgeMessage<M>> {
        self.edge_outbox.as_mut()?.pop()
    }

    /// Lets go of the messages up to and with `seq`: every audience has taken them over.
    #[inline]
    pub(in crate::admission) fn release_through(&mut self, seq: Seq) {
        self.outbox.trim(seq);
    }

    /// Returns the payload and profile bytes of what went out after `seq` and is still here.
    pub(in crate::admission) fn seam_bytes(&self, seq: Seq) -> u64 {
        self.outbox.after(seq).map(|message| message.bytes).sum()
    }

    /// Returns how many messages of each level have gone out.
    #[inline]
    pub(in crate::admission) fn heads(&self) -> PerLevel<u64> {
        self.heads
    }

    /// Returns the last message that went out.
    #[inline]
    pub(in crate::admission) fn last_sent(&self) -> Seq {
        self.outbox.last()
    }
}
