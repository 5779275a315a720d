//! Telling events to the host, the end of the room last of all.

use super::{Events, Job, SharedRoom};
use crate::drive::worker::Worker;
use crate::room::audience_shard::AudienceShard;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use roomcast_core::{Actor, Event, Payload};

/// How far a room has told what became of it.
///
/// Whoever tells the last events and whoever polls the end may be two threads, and one of them has
/// to find both: so both are put down and looked up in one order for all (`SeqCst`).
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Events that were polled and are still being told. Grows under the admission's lock.
    untold: AtomicUsize,
    /// Whether the end was polled, which comes after everything else, and has yet to be told.
    owes_end: AtomicBool,
    /// Whether the end was told.
    has_ended: AtomicBool,
}

impl Telling {
    /// Events were polled, under the admission's lock; [`SharedRoom::emit_events`] is to follow.
    /// The end waits for all others.
    pub(super) fn begin(&self, events: &mut Events) {
        if events.last() == Some(&Event::RoomEnded) {
            events.pop();
            self.owes_end.store(true, Ordering::SeqCst);
        }
        if !events.is_empty() {
            self.untold.fetch_add(events.len(), Ordering::SeqCst);
        }
    }
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Tells events that were polled. Outside the locks.
    pub(super) fn emit_events(self: &Arc<Self>, events: &Events) {
        if !events.is_empty() {
            self.workers[0].deliver(self.id, events);
            self.telling.untold.fetch_sub(events.len(), Ordering::SeqCst);
        }
        // The end may have waited for just these.
        if self.telling.owes_end.load(Ordering::SeqCst) {
            self.tell_end();
        }
    }

    #[cold]
    fn tell_end(self: &Arc<Self>) {
        let Telling { untold, owes_end, has_ended } = &self.telling;
        if untold.load(Ordering::SeqCst) == 0 && owes_end.swap(false, Ordering::SeqCst) {
            self.workers[0].deliver(self.id, &[Event::RoomEnded]);
            has_ended.store(true, Ordering::SeqCst);
            // Nobody is to read it any more; and whoever drops the room itself drops no payloads.
            for shard in self.shards() {
                while shard.enter(|state| state.audience.release_log()) {}
            }
            // The worker has the hub forget the room.
            self.call(self.shard(0));
        }
    }

    /// Whether this worker looks after one of the room's shards.
    pub(crate) fn is_worked_by(&self, worker: &Arc<Worker<Job<M>>>) -> bool {
        self.workers.iter().any(|other| Arc::ptr_eq(other, worker))
    }

    /// Closes the room because its worker is gone. What waits is dropped, those who await outcomes
    /// are told, and sessions can still take what they are due.
    pub(crate) fn close_unattended(self: &Arc<Self>) {
        // A room that was closed already is as it should be.
        let _ = self.close(Actor::Host);
        self.shards().for_each(|shard| self.visit_unattended(shard));
    }

    /// Does what a shard's worker would do now, who may be gone.
    pub(super) fn visit_unattended(self: &Arc<Self>, shard: &AudienceShard<M>) {
        self.visit(shard.part.index());
        while shard.wake_some().1 {}
        // A worker that is there learns when to come next.
        self.call(shard);
    }

    /// Whether the room is closed, everyone has gone, and the host has been told all, `RoomEnded`
    /// last.
    pub(crate) fn is_ended(&self) -> bool {
        self.telling.has_ended.load(Ordering::SeqCst)
    }
}
