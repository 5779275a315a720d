//! A shard: the rooms that one driver looks after, and how they reach it.

use crate::answers::Answers;
use crate::cell::Cell;
use crate::clock::Clock;
use crate::parked::Place;
use crate::signal::Signal;
use crossbeam_channel::{Receiver, Sender};
use roomcast_core::{Event, Instant, Payload, Report, RoomId, SessionId};
use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Pieces of work that one turn does at the most, so that other tasks of the runtime live.
const MAX_WORK_A_TURN: usize = 128;

/// A host's hook for events. It runs outside every lock, on whichever thread made the call that brought the event about.
pub(crate) type Hook = dyn Fn(RoomId, &Event) + Send + Sync;

/// What all shards of a hub share.
pub(crate) struct Common {
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) hook: Option<Box<Hook>>,
    pub(crate) hook_panics: AtomicU64,
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Shard<M> {
    common: Arc<Common>,
    work: Sender<Work<M>>,
    pub(crate) signal: Signal,
    stopped: AtomicBool,
}

/// What a room asks of its shard.
#[derive(Debug)]
pub(crate) enum Work<M> {
    /// To be looked after.
    Visit(Arc<Cell<M>>),
    /// To take out the session of a subscription that was dropped.
    Gone { cell: Arc<Cell<M>>, session: SessionId, parked: Option<Place> },
}

impl<M: Payload + Send + Sync + 'static> Shard<M> {
    pub(crate) fn new(common: Arc<Common>) -> (Arc<Self>, Driver<M>) {
        let (work, inbox) = crossbeam_channel::unbounded();
        let shard = Arc::new(Self { common, work, signal: Signal::default(), stopped: AtomicBool::new(false) });
        let driver = Driver { shard: Arc::clone(&shard), inbox, timers: BTreeSet::new(), rooms: HashMap::new() };
        (shard, driver)
    }

    pub(crate) fn now(&self) -> Instant {
        self.common.clock.now()
    }

    /// Tells the awaiting callers and the host. Called outside the locks.
    pub(crate) fn deliver(&self, room: RoomId, events: &[Event]) {
        for event in events {
            if let Event::Outcome { report: Report::Answer(tag), outcome, .. } = event {
                self.common.answers.resolve(*tag, *outcome);
            }
            if let Some(hook) = &self.common.hook {
                // A hook that panics loses its own event and nothing else (decision D32).
                if catch_unwind(AssertUnwindSafe(|| hook(room, event))).is_err() {
                    self.common.hook_panics.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    pub(crate) fn send(&self, work: Work<M>) {
        // Each room is in the channel once and each subscription goes once, so it is bounded by them; after a stop nobody listens.
        if self.work.send(work).is_ok() {
            self.signal.raise();
        }
    }

    /// Ends the driver.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.signal.raise();
    }
}

/// What a turn leaves.
pub(crate) enum Next {
    /// More is to be done at once.
    Now,
    /// Nothing before this long from now.
    After(std::time::Duration),
    /// Nothing until the signal is raised.
    Idle,
    /// The hub is gone.
    Stop,
}

/// Looks after the rooms of one shard; a task or a thread turns it.
#[derive(Debug)]
pub(crate) struct Driver<M> {
    shard: Arc<Shard<M>>,
    inbox: Receiver<Work<M>>,
    /// When which room wants a visit; rooms by their addresses, since one that is removed may leave its id to another.
    timers: BTreeSet<(Instant, usize)>,
    rooms: HashMap<usize, (Arc<Cell<M>>, Instant)>,
}

impl<M: Payload + Send + Sync + 'static> Driver<M> {
    pub(crate) fn signal(&self) -> &Signal {
        &self.shard.signal
    }

    /// Does what is due, a bounded amount of it.
    pub(crate) fn turn(&mut self) -> Next {
        if self.shard.stopped.load(Ordering::Acquire) {
            return Next::Stop;
        }
        let mut work_left = MAX_WORK_A_TURN;
        while work_left > 0 {
            match self.inbox.try_recv() {
                Ok(Work::Visit(cell)) => self.visit(&cell),
                Ok(Work::Gone { cell, session, parked }) => drop(cell.close_session(session, parked)),
                Err(_) => break,
            }
            work_left -= 1;
        }
        while work_left > 0 {
            let now = self.shard.now();
            let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) else { break };
            self.timers.remove(&(at, key));
            if let Some((cell, _)) = self.rooms.remove(&key) {
                self.visit(&cell);
            }
            work_left -= 1;
        }
        if work_left == 0 || !self.inbox.is_empty() {
            return Next::Now;
        }
        match self.timers.first() {
            Some((at, _)) => Next::After(at.saturating_since(self.shard.now())),
            None => Next::Idle,
        }
    }

    fn visit(&mut self, cell: &Arc<Cell<M>>) {
        let next = cell.visit();
        let key = Arc::as_ptr(cell) as usize;
        match (self.rooms.get(&key).map(|(_, at)| *at), next) {
            (old, new) if old == new => {}
            (old, new) => {
                if let Some(old) = old {
                    self.timers.remove(&(old, key));
                    self.rooms.remove(&key);
                }
                if let Some(new) = new {
                    self.timers.insert((new, key));
                    self.rooms.insert(key, (Arc::clone(cell), new));
                }
            }
        }
    }
}
