//! Types that belong to a message beside its payload.

pub use crate::measured::Measured;
pub use crate::room::pending_review::PendingReview;
pub use roomcast_core::admission::ReviewDecision;
pub use roomcast_core::broadcasts::Broadcast;
pub use roomcast_core::direct::DirectReceipt;
pub use roomcast_core::ids::{CorrelationId, MessageId, Seq, Ticket};
pub use roomcast_core::message::{DedupKey, MergeKey, OutcomeSink, Sender, Urgency, content_key};
