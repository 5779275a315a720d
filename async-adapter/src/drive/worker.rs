//! A worker as its rooms see it: the clock, the hook, and the way to reach the driver that looks
//! after them.

use crate::drive::clock::Clock;
use crate::drive::fence::Fence;
use crate::drive::hub_clock::HubClock;
use crate::drive::memory::HubMemory;
use crate::drive::signal::Signal;
use crate::drive::timers::Timers;
#[cfg(all(feature = "metrics", feature = "tokio"))]
use crate::observe::pumps::PumpBooks;
use crate::room::outcome_waiters::OutcomeWaiters;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::channel::{Receiver, Sender};
use roomcast_core::message::OutcomeSink;
use roomcast_core::{Event, Instant, RoomId};
use std::task::Waker;
use std::time::Duration;

/// A host's hook for events. It runs outside every lock, on whichever thread made the call that
/// brought the event about.
pub(crate) type Hook = dyn Fn(RoomId, &Event) + Send + Sync;

/// What all workers of a hub share.
pub(crate) struct Common {
    pub(crate) clock: HubClock,
    pub(crate) outcome_waiters: Arc<OutcomeWaiters>,
    pub(crate) hook: Option<Box<Hook>>,
    /// Around the hook, and whatever else of the host's a worker or a call runs.
    pub(crate) fence: Arc<Fence>,
    /// What all rooms hold together, where that has a limit.
    pub(crate) memory: Option<Arc<HubMemory>>,
    /// What the pumps do, where somebody counts.
    #[cfg(all(feature = "metrics", feature = "tokio"))]
    pub(crate) pumps: Option<PumpBooks>,
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").finish_non_exhaustive()
    }
}

/// The way to one driver. `W` is the work that it is sent.
#[derive(Debug)]
pub(crate) struct Worker<W> {
    common: Arc<Common>,
    work: Sender<W>,
    signal: Signal,
    timers: Timers,
    stopped: AtomicBool,
}

impl<W> Worker<W> {
    /// A worker, and where its work arrives.
    pub(crate) fn new(common: Arc<Common>) -> (Arc<Self>, Receiver<W>) {
        let (work, inbox) = crate::sync::channel::unbounded();
        (
            Arc::new(Self {
                common,
                work,
                signal: Signal::default(),
                timers: Timers::default(),
                stopped: AtomicBool::new(false),
            }),
            inbox,
        )
    }

    pub(crate) fn now(&self) -> Instant {
        self.common.clock.now()
    }

    /// How long the clock may be left alone.
    pub(crate) fn rest(&self) -> Option<Duration> {
        self.common.clock.rest()
    }

    pub(crate) fn outcome_waiters(&self) -> &Arc<OutcomeWaiters> {
        &self.common.outcome_waiters
    }

    pub(crate) fn fence(&self) -> &Arc<Fence> {
        &self.common.fence
    }

    /// What the pumps do, where somebody counts.
    #[cfg(all(feature = "metrics", feature = "tokio"))]
    pub(crate) fn pumps(&self) -> Option<&PumpBooks> {
        self.common.pumps.as_ref()
    }

    /// What all rooms hold together, where that has a limit.
    pub(crate) fn memory(&self) -> Option<&Arc<HubMemory>> {
        self.common.memory.as_ref()
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }

    /// The timers that it keeps.
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Tells the awaiting callers and the host. Called outside the locks.
    pub(crate) fn deliver(&self, room: RoomId, events: &[Event]) {
        for event in events {
            if let Event::Outcome { outcome_sink: OutcomeSink::Waiter(tag), outcome, .. } = event {
                let waker = self.common.outcome_waiters.resolve(*tag, *outcome);
                self.fence().call(|| waker.into_iter().for_each(Waker::wake));
            }
            if let Some(hook) = &self.common.hook {
                // A hook that panics loses its own event and nothing else.
                self.fence().call(|| hook(room, event));
            }
        }
    }

    pub(crate) fn send(&self, work: W) {
        // Each room is in the channel once and each subscription goes once, so it is bounded by
        // them; after a stop nobody listens.
        if self.work.send(work).is_ok() {
            self.signal.raise();
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// The workers of a hub. Whatever still uses the hub holds this; when the last one lets go, the
/// drivers end.
#[derive(Debug)]
pub(crate) struct Workers<W>(pub(crate) Box<[Arc<Worker<W>>]>);

impl<W> Drop for Workers<W> {
    fn drop(&mut self) {
        for worker in &self.0 {
            worker.stopped.store(true, Ordering::Release);
            worker.signal.raise();
        }
    }
}
