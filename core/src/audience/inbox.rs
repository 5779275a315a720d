//! What was sent to one session directly and it has not read: a bounded queue.

use crate::direct::Direct;
use crate::message::Limit;
use crate::priority::{PerLevel, Priority};
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// What waits for one session beside the log. There is one only while something does.
#[derive(Debug)]
pub(super) struct Inbox<M> {
    levels: PerLevel<VecDeque<Held<M>>>,
    messages: u32,
    bytes: u64,
}

/// A direct message, and its place among the room's messages of its level.
#[derive(Debug)]
pub(super) struct Held<M> {
    /// How many of those had been dispatched before it.
    pub(super) follows: u64,
    pub(super) direct: Arc<Direct<M>>,
    /// Its bytes, as it was sent.
    pub(super) bytes: u64,
}

/// How much may wait for one session.
#[derive(Clone, Copy, Debug)]
pub(super) struct InboxLimits {
    pub(super) messages: u32,
    pub(super) bytes: u64,
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self { levels: PerLevel::from_fn(|_| VecDeque::new()), messages: 0, bytes: 0 }
    }
}

impl<M> Inbox<M> {
    /// Returns what waits at one level, in order.
    pub(super) fn at(&self, level: Priority) -> &VecDeque<Held<M>> {
        &self.levels[level]
    }

    /// Returns the bytes of what waits.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0
    }
}

impl<M> Inbox<M> {
    pub(super) fn push(&mut self, held: Held<M>) {
        self.messages += 1;
        self.bytes += held.bytes;
        self.levels[held.direct.priority].push_back(held);
    }

    pub(super) fn pop(&mut self, level: Priority) -> Option<Arc<Direct<M>>> {
        let Held { direct, bytes, .. } = self.levels[level].pop_front()?;
        self.messages -= 1;
        self.bytes -= bytes;
        Some(direct)
    }
}

impl InboxLimits {
    /// Returns the limit that keeps so many more bytes out of a session's inbox, if one does.
    pub(super) fn refuse<M>(self, inbox: Option<&Inbox<M>>, bytes: u64) -> Option<Limit> {
        let (messages, held) = inbox.map_or((0, 0), |inbox| (inbox.messages, inbox.bytes));
        if messages >= self.messages {
            return Some(Limit::DirectMessages { max: self.messages });
        }
        let is_over = held.saturating_add(bytes) > self.bytes;
        is_over.then_some(Limit::DirectBytes { max: self.bytes })
    }
}
