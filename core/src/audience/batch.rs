//! What one session takes at once.

use crate::message::Message;
use crate::priority::{PerLevel, Priority};
use alloc::sync::Arc;
use smallvec::SmallVec;

/// How much one batch may hold (clause B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Messages at the most. At least one is handed over.
    pub messages: u32,
    /// Payload and profile bytes at the most. A first message that is larger is handed over alone.
    pub bytes: u64,
}

impl Default for Budget {
    /// 256 messages, 256 KiB.
    fn default() -> Self {
        Self { messages: 256, bytes: 256 << 10 }
    }
}

/// What one session takes at once: the higher priority first (clause A25), each level in order, behind its gap.
///
/// The messages are shared with every other session that gets them; nothing is copied.
#[derive(Debug)]
pub struct Batch<M> {
    /// Shared by all sessions that read the same range.
    pub(super) contents: Arc<Contents<M>>,
}

impl<M> Clone for Batch<M> {
    fn clone(&self) -> Self {
        Self { contents: Arc::clone(&self.contents) }
    }
}

#[derive(Debug)]
pub(super) struct Contents<M> {
    pub(super) gaps: PerLevel<u64>,
    pub(super) messages: SmallVec<[Arc<Message<M>>; 4]>,
    pub(super) more: bool,
}

/// A part of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a, M> {
    /// So many messages of this priority were dispatched and missed, just before those that follow (clause B10).
    Gap {
        /// Their priority.
        priority: Priority,
        /// How many; never zero.
        count: u64,
    },
    /// A message.
    Message(&'a Arc<Message<M>>),
}

impl<M> Batch<M> {
    /// Gaps and messages in the order in which the session should see them.
    pub fn items(&self) -> impl Iterator<Item = Item<'_, M>> {
        let gap = |(priority, &count): (Priority, &u64)| (count > 0).then_some(Item::Gap { priority, count });
        self.contents.gaps.iter().flat_map(move |(level, count)| {
            let messages = self.contents.messages.iter().filter(move |message| message.priority == level).map(Item::Message);
            gap((level, count)).into_iter().chain(messages)
        })
    }

    /// The messages alone, the higher priority first.
    pub fn messages(&self) -> &[Arc<Message<M>>] {
        &self.contents.messages
    }

    /// How many messages of a priority the session has just missed; 0 when none.
    pub fn gap(&self, priority: Priority) -> u64 {
        self.contents.gaps[priority]
    }

    /// Whether the budget cut the batch short: the next one is ready at once.
    pub fn more(&self) -> bool {
        self.contents.more
    }
}
