//! The batch that was taken last: most sessions read in step, and the next one wants the same.

use super::batch::{Batch, Budget};
use super::plan::Step;
use crate::deferred_drops::DeferredDrops;
use alloc::boxed::Box;

/// The batch that a session took last, for others that stand where it stood, until something is
/// dispatched.
#[derive(Debug)]
pub(super) struct Shared<M> {
    /// Made when the first is taken, and kept for the next.
    taken: Option<Box<Option<Taken<M>>>>,
}

/// A batch that a session without cold state took, and that is the same for all such sessions.
#[derive(Debug)]
struct Taken<M> {
    budget: Budget,
    step: Step,
    batch: Batch<M>,
}

impl<M> Default for Shared<M> {
    fn default() -> Self {
        Self { taken: None }
    }
}

impl<M> Shared<M> {
    /// Returns the batch that was taken last within such a budget, if `take` lets a session take
    /// its step.
    #[inline]
    pub(super) fn take(
        &self,
        budget: Budget,
        take: impl FnOnce(&Step) -> bool,
    ) -> Option<Batch<M>> {
        let taken = self.taken.as_deref()?.as_ref().filter(|taken| taken.budget == budget)?;
        take(&taken.step).then(|| taken.batch.clone())
    }

    /// A session took this batch.
    #[inline]
    pub(super) fn keep(&mut self, budget: Budget, step: Step, batch: Batch<M>) {
        **self.taken.get_or_insert_default() = Some(Taken { budget, step, batch });
    }

    /// Forgets the batch that was taken last: what is dispatched next changes what those who stand
    /// there are due.
    #[inline]
    pub(super) fn forget(&mut self, deferred: &mut DeferredDrops<M>) {
        if let Some(taken) = self.taken.as_deref_mut().and_then(Option::take) {
            taken.batch.give_up(deferred);
        }
    }
}
