//! Review by a hook in a task of its own:
//! [clause A19](roomcast_core::rulebook#a19-review-before-sending).

use crate::room::SharedRoom;
#[cfg(feature = "tokio")]
use crate::sync::Arc;
#[cfg(feature = "tokio")]
use roomcast_core::admission::ReviewDecision;
use roomcast_core::ids::Ticket;
use roomcast_core::message::Sender;
use roomcast_core::{Instant, Kind, Payload, Priority, RoomId, SessionId};
#[cfg(feature = "tokio")]
use std::future::Future;

/// A message that waits for a verdict, as a reviewer gets it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingReview<M> {
    /// The room.
    pub room: RoomId,
    /// What the verdict has to name.
    pub ticket: Ticket,
    /// Who speaks.
    pub sender: Sender,
    /// The session that sent it.
    pub session: Option<SessionId>,
    /// Its priority.
    pub priority: Priority,
    /// Its kind.
    pub kind: Kind,
    /// When it is too late for a verdict: then the message goes on, or is dropped, as the room is
    /// configured.
    pub deadline: Instant,
    /// What it carries.
    pub payload: M,
}

impl<M: Payload + Clone + Send + Sync + 'static> SharedRoom<M> {
    /// A message that waits for a verdict.
    pub(crate) fn pending_review(&self, ticket: Ticket) -> Option<PendingReview<M>> {
        self.peek(|admission| {
            let review = admission.pending_review(ticket)?;
            Some(PendingReview {
                room: self.id(),
                ticket,
                sender: review.sender,
                session: review.session,
                priority: review.priority,
                kind: review.kind,
                deadline: review.deadline,
                payload: review.payload.clone(),
            })
        })
    }
}

/// What has each message reviewed by a task of its own, until its time is over.
#[cfg(feature = "tokio")]
pub(crate) fn by_tasks<M, F, Fut>(review: F) -> impl Fn(&Arc<SharedRoom<M>>, Ticket) + Send + Sync
where
    M: Payload + Clone + Send + Sync + 'static,
    F: Fn(PendingReview<M>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ReviewDecision<M>> + Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    let review = Arc::new(review);
    move |shared: &Arc<SharedRoom<M>>, ticket: Ticket| {
        let Some(reviewed) = shared.pending_review(ticket) else { return };
        let left = reviewed.deadline.saturating_since(shared.now());
        let (shared, review) = (Arc::clone(shared), Arc::clone(&review));
        // If the hook panics, that ends this task, and the message goes on when its time is over.
        runtime.spawn(async move {
            if let Ok(decision) = tokio::time::timeout(left, async { review(reviewed).await }).await
            {
                // It may have lapsed in the meantime, with the time or with its sender.
                drop(shared.admit(|admission, now| admission.review(now, ticket, decision)));
            }
        });
    }
}
