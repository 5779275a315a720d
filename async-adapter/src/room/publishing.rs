//! Messages that are offered to a room, one or many under one lock.

use super::SharedRoom;
use crate::sync::Arc;
use roomcast_core::{Payload, Publish, Receipt, Refused};

/// The maximum number of messages that are published under one lock.
const MANY: usize = 64;

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    pub(crate) fn publish(self: &Arc<Self>, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        self.note_life(&publish);
        let answer = self.admit(|admission, now| admission.publish(now, publish));
        self.follow_up(&answer);
        answer
    }

    /// A message that waits for a verdict is shown to whoever reviews; one that was refused for
    /// want of memory is counted.
    #[inline]
    fn follow_up(self: &Arc<Self>, answer: &Result<Receipt, Refused<M>>) {
        match (answer, &self.weight) {
            (Ok(Receipt { review: Some(ticket), .. }), _) => self.hooks.review(self, *ticket),
            (Err(refused), Some(weight)) => weight.count_refusal(refused.reason),
            _ => {}
        }
    }

    /// As [`publish`](Self::publish), one after the other at one instant; the lock is taken once
    /// for so many.
    pub(crate) fn publish_many(
        self: &Arc<Self>,
        many: Vec<Publish<M>>,
    ) -> Vec<Result<Receipt, Refused<M>>> {
        // Where somebody else comes in between, at a later instant, the room goes on at that one.
        let now = self.now();
        let mut outcome_waiters = Vec::with_capacity(many.len());
        for publish in &many {
            self.note_life(publish);
        }
        let mut many = many.into_iter();
        while many.len() > 0 {
            // What each is done with is dropped outside, as always.
            let (deferred, after) = self.in_admission(|admission| {
                let mut deferred = Vec::new();
                for publish in many.by_ref().take(MANY) {
                    outcome_waiters.push(admission.publish(now, publish));
                    deferred.extend(admission.take_deferred_drops());
                }
                deferred
            });
            self.fence().drop_deferred(deferred);
            self.finish(after);
        }
        for answer in &outcome_waiters {
            self.follow_up(answer);
        }
        outcome_waiters
    }
}
