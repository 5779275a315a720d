//! The seam: the dispatched messages that an audience has yet to take over.
//! [Two halves and a seam](crate::design#two-halves-and-a-seam).
//!
//! An audience reads it by position, as a session reads the log. If it falls behind, that is a skip
//! for each of its sessions; the admission never waits. What one call dispatches is never lost to
//! that same call: the bound is kept when the next one begins.

use crate::chunked::Deque;
use crate::deferred_drops::DeferredDrops;
use crate::ids::Seq;
use crate::message::Message;
use alloc::sync::Arc;

#[derive(Debug)]
pub(super) struct Outbox<M> {
    /// With sequence numbers up to and with `last`, without a hole.
    messages: Deque<Arc<Message<M>>>,
    last: Seq,
    limit: u32,
    /// Messages that the running call has added.
    added: u32,
}

impl<M> Outbox<M> {
    pub(super) fn new(last: Seq, limit: u32) -> Self {
        Self { messages: Deque::new(), last, limit, added: 0 }
    }

    /// A call begins: what nobody has picked up and is over the limit goes, the oldest first. What
    /// the last call added stays, however much that was.
    #[inline]
    pub(super) fn begin_call(&mut self, deferred: &mut DeferredDrops<M>) {
        if self.messages.len() > self.limit as usize {
            self.shed(deferred);
        }
        self.added = 0;
    }

    #[cold]
    fn shed(&mut self, deferred: &mut DeferredDrops<M>) {
        let most = self.limit.max(self.added) as usize;
        while self.messages.len() > most {
            deferred.add_messages(self.messages.pop_front());
        }
    }

    /// The last message that was dispatched.
    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// Returns the message that was added last, while it is here.
    pub(super) fn newest(&self) -> Option<&Arc<Message<M>>> {
        self.messages.get(self.messages.len().checked_sub(1)?)
    }

    /// Adds a message.
    #[inline]
    pub(super) fn push(&mut self, message: Arc<Message<M>>) {
        self.last = message.seq;
        self.added += 1;
        self.messages.push_back(message);
    }

    /// Goes on behind `seq`: what is here was before a hole.
    pub(super) fn pass_over(&mut self, seq: Seq, deferred: &mut DeferredDrops<M>) {
        while !self.messages.is_empty() {
            deferred.add_messages(self.messages.pop_front());
        }
        self.last = seq;
    }

    /// The messages after `seq` that are still here, the oldest first.
    pub(super) fn after(&self, seq: Seq) -> impl Iterator<Item = &Arc<Message<M>>> {
        let first = self.last.0 - self.messages.len() as u64;
        let read = usize::try_from(seq.0.saturating_sub(first)).unwrap_or(usize::MAX);
        (read..self.messages.len()).filter_map(|at| self.messages.get(at))
    }

    /// Hands the oldest over.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Arc<Message<M>>> {
        self.messages.pop_front()
    }

    /// Lets go of what every audience has taken over: all up to and with `seq`.
    #[inline]
    pub(super) fn trim(&mut self, seq: Seq) {
        while self.messages.front().is_some_and(|message| message.seq <= seq) {
            self.messages.pop_front();
        }
    }
}
