//! Types that belong to a message beside its payload.

pub use crate::room::pending_review::PendingReview;
pub use roomcast_core::{
    Broadcast, CorrelationId, DedupKey, DirectReceipt, MergeKey, MessageId, OutcomeSink,
    ReviewDecision, Sender, Seq, Ticket,
};
