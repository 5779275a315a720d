//! The hand-over from an admission to an audience: messages, and how far each level has come.
//! [Two halves and a seam](crate::design#two-halves-and-a-seam).

use crate::ids::Seq;
use crate::message::Message;
use crate::priority::PerLevel;
use alloc::sync::Arc;
use smallvec::SmallVec;

/// The messages that were dispatched after a given one, and how many of each level had been
/// dispatched when they were picked up.
///
/// [`Admission::hand_over`](crate::Admission::hand_over) returns it and
/// [`Audience::take_over`](crate::Audience::take_over) applies it. The heads of all levels travel
/// with the messages, so an audience that fell behind knows at once what it has missed of every
/// level, whether or not a later message of that level is among these.
#[derive(Debug)]
#[must_use = "an audience has to take it over"]
pub struct HandOver<M> {
    pub(crate) messages: SmallVec<[Arc<Message<M>>; 16]>,
    pub(crate) heads: PerLevel<u64>,
}

impl<M> Clone for HandOver<M> {
    /// Shares the messages.
    fn clone(&self) -> Self {
        Self { messages: self.messages.clone(), heads: self.heads }
    }
}

impl<M> HandOver<M> {
    /// The messages, in order of their sequence numbers. Those that no longer waited at the seam
    /// are missing at the front.
    pub fn messages(&self) -> &[Arc<Message<M>>] {
        &self.messages
    }

    /// Payload and profile bytes of the messages. O(messages).
    pub fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.bytes).sum()
    }

    /// How many messages of each level had been dispatched.
    pub fn heads(&self) -> PerLevel<u64> {
        self.heads
    }

    /// The last message that had been dispatched.
    pub fn through(&self) -> Seq {
        Seq(self.heads.values().sum())
    }

    /// How many messages of each level had been dispatched before the first of these.
    pub(crate) fn heads_before(&self) -> PerLevel<u64> {
        let mut heads = self.heads;
        for message in &self.messages {
            heads[message.priority] -= 1;
        }
        heads
    }
}
