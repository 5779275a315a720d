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

/// Why messages and heads are no hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandOverError {
    /// A message is not the one that is next by the heads: they follow each other without a hole, and
    /// the heads are those behind the last.
    #[error(
        "message {} at position {position} is out of place (next is {} at {next})", .found.0, .seq.0
    )]
    OutOfPlace {
        /// Its number.
        found: Seq,
        /// Its position in its level.
        position: u64,
        /// The number that is next.
        seq: Seq,
        /// The position that is next in its level.
        next: u64,
    },
    /// The heads are fewer than the messages, or more than can be counted.
    #[error("heads of {heads:?} do not fit {messages} messages")]
    Heads {
        /// The heads.
        heads: PerLevel<u64>,
        /// How many messages there are.
        messages: usize,
    },
}

impl<M> HandOver<M> {
    /// Puts a hand-over together that came over a wire: messages that were dispatched one after the
    /// other, and how many of each level had been when the last of them was. Without messages, it
    /// tells how far the room has come. O(messages).
    ///
    /// # Errors
    /// The messages do not follow each other up to the heads.
    pub fn assemble(
        messages: impl IntoIterator<Item = Arc<Message<M>>>,
        heads: PerLevel<u64>,
    ) -> Result<Self, HandOverError> {
        let messages: SmallVec<[Arc<Message<M>>; 16]> = messages.into_iter().collect();
        let wrong = HandOverError::Heads { heads, messages: messages.len() };
        let mut next = heads;
        for message in &messages {
            let head = &mut next[message.priority];
            *head = head.checked_sub(1).ok_or(wrong)?;
        }
        let mut seq =
            next.values().try_fold(0_u64, |sum, head| sum.checked_add(*head)).ok_or(wrong)?;
        heads.values().try_fold(0_u64, |sum, head| sum.checked_add(*head)).ok_or(wrong)?;
        for message in &messages {
            let next = &mut next[message.priority];
            seq += 1;
            if (message.seq, message.position) != (Seq(seq), *next) {
                let (found, position) = (message.seq, message.position);
                return Err(HandOverError::OutOfPlace {
                    found,
                    position,
                    seq: Seq(seq),
                    next: *next,
                });
            }
            *next += 1;
        }
        Ok(Self { messages, heads })
    }

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
