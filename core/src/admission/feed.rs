//! The seam: the dispatched messages that an audience has yet to take over.
//!
//! An audience reads it by position, as a session reads the log. If it falls behind, that is a skip for each of its sessions
//! (decision D1); admission never waits.

use crate::chunked::Deque;
use crate::ids::Seq;
use crate::message::Message;
use alloc::sync::Arc;

#[derive(Debug)]
pub(super) struct Feed<M> {
    /// With sequence numbers up to and with `last`, without a hole.
    messages: Deque<Arc<Message<M>>>,
    last: Seq,
    limit: u32,
}

impl<M> Feed<M> {
    pub(super) fn new(last: Seq, limit: u32) -> Self {
        Self { messages: Deque::new(), last, limit }
    }

    /// The last message that was dispatched.
    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// Adds a message; answers the one that had to go for it.
    #[inline]
    pub(super) fn push(&mut self, message: Arc<Message<M>>) -> Option<Arc<Message<M>>> {
        let lost = if self.messages.len() >= self.limit as usize { self.messages.pop_front() } else { None };
        self.last = message.seq;
        self.messages.push_back(message);
        lost
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
