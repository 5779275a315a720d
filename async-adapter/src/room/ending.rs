//! Telling events to the host, the end of the room last of all.

use super::{Events, Job, SharedRoom};
use crate::drive::worker::Worker;
use crate::room::audience_shard::AudienceShard;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::trace;
use roomcast_core::{Actor, Event, Payload};

/// What an event counts that was polled and has yet to be told.
const EVENT: usize = 2;
/// The same for the end, which comes once.
const END: usize = 1;

/// How far a room has told what became of it.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// What was polled and is still being told. Whoever tells the last events and whoever polls the
    /// end may be two threads, and one of them has to find both: so both are in one number. Grows
    /// under the admission's lock.
    untold: AtomicUsize,
    /// Whether the end was told.
    has_ended: AtomicBool,
}

impl Telling {
    /// Events were polled, under the admission's lock; [`SharedRoom::emit_events`] is to follow.
    /// The end waits for all others.
    pub(crate) fn begin(&self, events: &mut Events) {
        let end = if events.last() == Some(&Event::RoomEnded) { END } else { 0 };
        if end > 0 {
            events.pop();
        }
        let polled = events.len() * EVENT + end;
        if polled > 0 {
            self.untold.fetch_add(polled, Ordering::AcqRel);
        }
    }

    /// So many of them were told.
    pub(crate) fn told(&self, events: usize) {
        self.untold.fetch_sub(events * EVENT, Ordering::AcqRel);
    }

    /// Whether the end is left to be told, after everything else, and the caller is to do it.
    #[inline]
    pub(crate) fn claim_end(&self) -> bool {
        self.untold.load(Ordering::Acquire) == END && self.take_end()
    }

    #[cold]
    fn take_end(&self) -> bool {
        self.untold.compare_exchange(END, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The end was told.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Tells events that were polled. Outside the locks.
    pub(super) fn emit_events(self: &Arc<Self>, events: &Events) {
        if !events.is_empty() {
            self.workers[0].deliver(self.id, events);
            self.telling.told(events.len());
        }
        // The end may have waited for just these.
        if self.telling.claim_end() {
            self.tell_end();
        }
    }

    #[cold]
    fn tell_end(self: &Arc<Self>) {
        self.workers[0].deliver(self.id, &[Event::RoomEnded]);
        trace::room_ended(self.id);
        self.telling.end();
        if let Some(news) = &self.edge_news {
            news.note();
        }
        self.tell_edge_news();
        // Nobody is to read it any more; and whoever drops the room itself drops no payloads.
        for shard in self.shards() {
            while shard.enter(|state| state.audience.release_log()) {}
        }
        // The worker has the hub forget the room.
        self.call(self.shard(0));
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
        self.telling.has_ended()
    }
}
