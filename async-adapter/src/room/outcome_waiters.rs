//! The callers that await an outcome: one slot for each, found by the tag that the outcome brings
//! back. [Decision D8](roomcast_core::design#d8-the-callers-tag).

use crate::sync::Arc;
use crate::sync::Mutex;
use roomcast_core::Outcome;
use roomcast_core::ids::CorrelationId;
use slab::Slab;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

#[derive(Debug, Default)]
pub(crate) struct OutcomeWaiters {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    slots: Slab<Slot>,
    /// Tells a slot's later caller from its earlier one.
    generation: u32,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl OutcomeWaiters {
    /// A slot for a message that is about to be published.
    pub(crate) fn register(self: &Arc<Self>) -> OutcomeFuture {
        let mut table = self.table.lock();
        table.generation = table.generation.wrapping_add(1);
        let generation = table.generation;
        let key = table.slots.insert(Slot { generation, outcome: None, waker: None });
        OutcomeFuture { outcome_waiters: Arc::clone(self), key, generation }
    }

    /// Puts the outcome down for the caller that awaits this tag, and returns its waker; nobody's,
    /// if it has given up.
    pub(crate) fn resolve(&self, tag: CorrelationId, outcome: Outcome) -> Option<Waker> {
        let (key, generation) = unpack(tag);
        let mut table = self.table.lock();
        let slot = table.slots.get_mut(key).filter(|slot| slot.generation == generation)?;
        slot.outcome = Some(outcome);
        slot.waker.take()
    }
}

fn unpack(tag: CorrelationId) -> (usize, u32) {
    ((tag.0 & u64::from(u32::MAX)) as usize, (tag.0 >> 32) as u32)
}

/// The outcome of one message, when it comes. Dropping it gives the slot up; the message goes its
/// way.
#[derive(Debug)]
pub(crate) struct OutcomeFuture {
    outcome_waiters: Arc<OutcomeWaiters>,
    key: usize,
    generation: u32,
}

impl OutcomeFuture {
    pub(crate) fn tag(&self) -> CorrelationId {
        CorrelationId(u64::from(self.generation) << 32 | self.key as u64)
    }
}

impl Future for OutcomeFuture {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut table = self.outcome_waiters.table.lock();
        let slot = &mut table.slots[self.key];
        if let Some(outcome) = slot.outcome {
            return Poll::Ready(outcome);
        }
        let old = slot.waker.replace(cx.waker().clone());
        drop(table);
        drop(old);
        Poll::Pending
    }
}

impl Drop for OutcomeFuture {
    fn drop(&mut self) {
        let slot = self.outcome_waiters.table.lock().slots.try_remove(self.key);
        // Outside the lock: dropping a waker runs foreign code.
        drop(slot);
    }
}
