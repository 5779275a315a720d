//! What may be taken back: [clause C1](crate::rulebook#c1-retract).

use crate::ids::{MessageId, Seq, UserId};
use alloc::vec::Vec;

/// What is to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retraction {
    /// The message that went out with this number.
    Sent(Seq),
    /// The message that was let in as this one ([`Receipt::id`](crate::Receipt::id)), while it waits in
    /// the queue or for a verdict.
    Waiting(MessageId),
    /// All that a user has said and that waits or is in the log; but for messages into which others were
    /// merged.
    AllOf(UserId),
}

/// What was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retracted {
    /// Messages that waited and are dropped as
    /// [`DropReason::Retracted`](crate::ledger::DropReason::Retracted).
    pub dropped: u32,
    /// The numbers of those that had gone out and were in the log, in order.
    pub seqs: Vec<Seq>,
}

impl Retracted {
    /// Returns whether there was nothing to take back.
    pub fn is_empty(&self) -> bool {
        self.dropped == 0 && self.seqs.is_empty()
    }
}
