//! What is told to the host, and the end of the room last of all.

use super::{Cell, Events};
use roomcast_core::{Event, Payload};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How far a room has told what became of it.
///
/// Whoever tells the last events and whoever finds the last hall empty may be two threads, and one of them has to find both: so both are
/// put down and looked up in one order for all (`SeqCst`).
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Events that were polled and are still being told. Grows under the admission's lock.
    untold: AtomicUsize,
    /// Whether somebody tells or has told `RoomEnded`.
    ends: AtomicBool,
}

impl Telling {
    /// Events were polled, under the admission's lock; [`Cell::tell`] is to follow.
    pub(super) fn begin(&self, events: &Events) {
        if !events.is_empty() {
            self.untold.fetch_add(events.len(), Ordering::SeqCst);
        }
    }
}

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// Tells events that were polled. Outside the locks.
    pub(super) fn tell(&self, events: &Events) {
        if events.is_empty() {
            return;
        }
        self.shards[0].deliver(self.id, events);
        self.telling.untold.fetch_sub(events.len(), Ordering::SeqCst);
        // The end may have waited for just these.
        self.tell_end();
    }

    /// Tells that the room has ended, once everyone has gone from every hall and everything else has been told.
    pub(super) fn tell_end(&self) {
        if !self.halls().all(|hall| hall.ended.load(Ordering::SeqCst)) || !self.has_told_all() {
            return;
        }
        self.telling.untold.fetch_add(1, Ordering::SeqCst);
        if !self.telling.ends.swap(true, Ordering::SeqCst) {
            self.shards[0].deliver(self.id, &[Event::RoomEnded]);
        }
        self.telling.untold.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether nothing waits in the admission, neither message nor event, and nobody is telling any.
    fn has_told_all(&self) -> bool {
        let gate = self.admission.lock();
        gate.admission.is_idle() && !gate.admission.has_events() && self.telling.untold.load(Ordering::SeqCst) == 0
    }

    /// Whether the room is closed, everyone has gone, and the host has been told all, `RoomEnded` last.
    pub(crate) fn is_ended(&self) -> bool {
        self.telling.ends.load(Ordering::SeqCst) && self.telling.untold.load(Ordering::SeqCst) == 0
    }
}
