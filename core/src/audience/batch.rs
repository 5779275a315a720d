//! The batch: what one session takes at once. [Clause A25](crate::rulebook#a25-batches).

use crate::deferred_drops::DeferredDrops;
use crate::direct::Direct;
use crate::gap::{GapCause, Skips};
use crate::message::Message;
use crate::priority::{PerLevel, Priority};
use crate::resume::Rewind;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// How much one batch may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The maximum number of messages. At least one is handed over.
    pub messages: u32,
    /// The maximum number of payload and profile bytes. A first message that is larger is handed
    /// over alone.
    pub bytes: u64,
}

impl Default for Budget {
    /// 256 messages, 256 KiB.
    fn default() -> Self {
        Self { messages: 256, bytes: 256 << 10 }
    }
}

/// What one session takes at once: the higher priority first, each level in order,
/// behind its gap.
///
/// The messages are shared with every other session that gets them; nothing is copied.
#[derive(Debug)]
pub struct Batch<M> {
    /// Shared by all sessions that read the same range.
    contents: Arc<Contents<M>>,
}

impl<M> Clone for Batch<M> {
    fn clone(&self) -> Self {
        Self { contents: Arc::clone(&self.contents) }
    }
}

#[derive(Debug)]
pub(super) struct Contents<M> {
    pub(super) messages: SmallVec<[Arc<Message<M>>; 4]>,
    /// Each with the number of messages that it follows.
    pub(super) directs: Vec<(usize, Arc<Direct<M>>)>,
    pub(super) more: bool,
    pub(super) gaps: Option<Box<Gaps>>,
    /// Below which positions lie those of its messages that were there before the session came, if
    /// there are any.
    pub(super) history: Option<Box<PerLevel<u64>>>,
}

/// The gaps of a batch that has any.
#[derive(Clone, Debug)]
pub(super) struct Gaps {
    pub(super) skips: PerLevel<Skips>,
    /// Where the levels with a gap stood before.
    pub(super) starts: PerLevel<u64>,
}

impl<M> Contents<M> {
    fn skips(&self, level: Priority) -> Skips {
        self.gaps.as_ref().map_or(Skips::NONE, |gaps| gaps.skips[level])
    }
}

impl<M> Default for Contents<M> {
    fn default() -> Self {
        Self {
            messages: SmallVec::new(),
            directs: Vec::new(),
            more: false,
            gaps: None,
            history: None,
        }
    }
}

/// A part of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a, M> {
    /// So many messages of this priority were dispatched and missed, just before those that follow.
    /// A priority has at most one gap of each cause in a batch, in the order of
    /// [`GapCause::ALL`].
    Gap {
        /// Their priority.
        priority: Priority,
        /// How many; never zero.
        count: u64,
        /// Why the session missed them.
        cause: GapCause,
    },
    /// A message.
    Message(&'a Arc<Message<M>>),
    /// A message to this session, or to this session's user, alone.
    Direct(&'a Arc<Direct<M>>),
}

impl<M> Item<'_, M> {
    /// What a session missed of one priority for one cause, as it is told; nothing for nothing.
    pub(super) fn gap(priority: Priority, skips: Skips, cause: GapCause) -> Option<Self> {
        let count = skips.of(cause);
        (count > 0).then_some(Self::Gap { priority, count, cause })
    }
}

/// What a sweep's sink did with a session's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handoff {
    /// It took the batch.
    Taken,
    /// It could not, and nothing was taken: the session is due the same, or more, at the next
    /// sweep.
    NotNow,
}

impl<M> Batch<M> {
    pub(super) fn new(contents: Contents<M>) -> Self {
        Self { contents: Arc::new(contents) }
    }

    /// Lets go of what nobody else has, to be dropped outside.
    pub(super) fn give_up(self, deferred: &mut DeferredDrops<M>) {
        if let Some(contents) = Arc::into_inner(self.contents) {
            deferred.add_messages(contents.messages);
        }
    }

    /// Gaps and messages in the order in which the session should see them, direct ones among them.
    pub fn items(&self) -> impl Iterator<Item = Item<'_, M>> {
        let contents = &*self.contents;
        let Contents { messages, directs, .. } = contents;
        let mut levels = Priority::ALL.into_iter().peekable();
        let (mut causes, mut read, mut read_directs) = (0, 0, 0);
        core::iter::from_fn(move || {
            loop {
                let level = *levels.peek()?;
                while let Some(&cause) = GapCause::ALL.get(causes) {
                    causes += 1;
                    let gap = Item::gap(level, contents.skips(level), cause);
                    if gap.is_some() {
                        return gap;
                    }
                }
                let message = messages.get(read).filter(|message| message.priority == level);
                let direct =
                    directs.get(read_directs).filter(|(_, direct)| direct.priority == level);
                if let Some((_, direct)) = direct.filter(|(follows, _)| *follows <= read) {
                    read_directs += 1;
                    return Some(Item::Direct(direct));
                }
                if let Some(message) = message {
                    read += 1;
                    return Some(Item::Message(message));
                }
                levels.next();
                causes = 0;
            }
        })
    }

    /// The room's messages alone, the higher priority first.
    pub fn messages(&self) -> &[Arc<Message<M>>] {
        &self.contents.messages
    }

    /// The direct messages alone, the higher priority first.
    pub fn directs(&self) -> impl ExactSizeIterator<Item = &Arc<Direct<M>>> {
        self.contents.directs.iter().map(|(_, direct)| direct)
    }

    /// How many messages of a priority the session has just missed, for whatever cause; 0 when
    /// none.
    pub fn gap(&self, priority: Priority) -> u64 {
        self.contents.skips(priority).total()
    }

    /// Whether one of its messages was there before the session came, and was handed over however
    /// old: what a resume or a late join asked for.
    pub fn is_history(&self, message: &Message<M>) -> bool {
        let history = self.contents.history.as_deref();
        history.is_some_and(|below| message.position < below[message.priority])
    }

    /// Returns where the session stood before it took this, for a token that goes back over it.
    /// O(its messages).
    pub fn rewind(&self) -> Rewind {
        let Rewind(mut starts) = Rewind::default();
        for message in &self.contents.messages {
            let start = &mut starts[message.priority];
            *start = (*start).min(message.position);
        }
        for level in Priority::ALL.into_iter().filter(|&level| self.gap(level) > 0) {
            if let Some(gaps) = &self.contents.gaps {
                starts[level] = gaps.starts[level];
            }
        }
        Rewind(starts)
    }

    /// Whether the budget cut the batch short: the next one is ready at once.
    pub fn more(&self) -> bool {
        self.contents.more
    }
}
