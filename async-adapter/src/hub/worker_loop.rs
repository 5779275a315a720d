//! The loop of a worker: it visits its rooms when they call and when their time has come.

use super::registry::RoomRegistry;
use super::spread::Spread;
use super::trimmer::Trimmer;
use crate::drive::signal::Signal;
use crate::drive::worker::Worker;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::observe::Observer;
use crate::room::broadcast_log::BroadcastLog;
use crate::room::{Job, SharedRoom, Visited};
use crate::sync::channel::Receiver;
use crate::sync::{Arc, Weak};
use crate::trace;
use roomcast_core::{Instant, Payload};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// The maximum number of pieces of work that one turn does, so that other tasks of the runtime
/// live.
const MAX_WORK_A_TURN: usize = 128;
/// When a room is looked after again that panicked.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Readers woken that count as one piece of work. The tasks that were woken run between turns,
/// while what waking them touched is still in the caches.
const WAKES_A_PIECE: usize = 32;

/// What a turn leaves.
pub(crate) enum Next {
    /// More is to be done at once.
    Now,
    /// Nothing before this long from now.
    After(Duration),
    /// Nothing until the signal is raised.
    Idle,
    /// The hub is gone.
    Stop,
}

/// Looks after the rooms of one worker; a task or a thread turns it.
#[derive(Debug)]
pub(crate) struct WorkerLoop<M: Payload + Send + Sync + 'static> {
    worker: Arc<Worker<Job<M>>>,
    inbox: Receiver<Job<M>>,
    broadcast_log: Arc<BroadcastLog<M>>,
    spread: Spread,
    /// What gives way, where memory has a limit.
    trimmer: Option<Trimmer<M>>,
    /// Who looks at the books of all rooms, if it is this worker's to.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    observer: Option<Arc<Observer<M>>>,
    /// The rooms of the hub, which lives as long as its handles do.
    registry: Weak<RoomRegistry<M>>,
    /// When which shard wants a visit; shards by their addresses, since a room that is removed may
    /// leave its id to another.
    timers: BTreeSet<(Instant, usize)>,
    shards: HashMap<usize, (Arc<SharedRoom<M>>, u32, Instant)>,
}

impl<M: Payload + Send + Sync + 'static> WorkerLoop<M> {
    pub(crate) fn new(
        worker: Arc<Worker<Job<M>>>,
        inbox: Receiver<Job<M>>,
        registry: Weak<RoomRegistry<M>>,
        broadcast_log: Arc<BroadcastLog<M>>,
        spread: Spread,
    ) -> Self {
        let (timers, shards) = (BTreeSet::new(), HashMap::new());
        Self {
            worker,
            inbox,
            broadcast_log,
            spread,
            trimmer: None,
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            observer: None,
            registry,
            timers,
            shards,
        }
    }

    /// The same, which sees to it that memory keeps its limit.
    pub(crate) fn with_trimmer(mut self, trimmer: Option<Trimmer<M>>) -> Self {
        self.trimmer = trimmer;
        self
    }

    /// The same, which looks at the books of all rooms.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn with_observer(mut self, observer: Option<Arc<Observer<M>>>) -> Self {
        self.observer = observer;
        self
    }

    #[cfg(all(test, feature = "metrics"))]
    pub(crate) fn observer(&self) -> Option<&Arc<Observer<M>>> {
        self.observer.as_ref()
    }

    /// Looks at the books of some rooms, if it is time to; returns how long until there is more to
    /// look at.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    fn observe(&self) -> Option<Duration> {
        self.observer.as_ref().map(|observer| observer.step(self.worker.now()))
    }

    #[cfg(not(any(feature = "metrics", feature = "tracing")))]
    #[allow(clippy::unused_self)]
    fn observe(&self) -> Option<Duration> {
        None
    }

    /// Whether somebody has asked for something that a turn would do.
    #[cfg(feature = "internals")]
    pub(crate) fn is_called(&self) -> bool {
        !self.inbox.is_empty()
    }

    pub(crate) fn signal(&self) -> &Signal {
        self.worker.signal()
    }

    /// Does what is due, a bounded amount of it.
    pub(crate) fn turn(&mut self) -> Next {
        if self.worker.is_stopped() {
            return Next::Stop;
        }
        let mut work_left = MAX_WORK_A_TURN.saturating_sub(self.spread());
        while work_left > 0 {
            let done = match self.inbox.try_recv() {
                Ok(Job::Poll(shared, shard)) => self.visit(&shared, shard),
                Ok(Job::Gone(shared)) => {
                    self.worker.fence().call(|| shared.visit_gone());
                    1
                }
                Err(_) => break,
            };
            work_left = work_left.saturating_sub(done);
        }
        while work_left > 0 {
            let now = self.worker.now();
            let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) else { break };
            self.timers.remove(&(at, key));
            if let Some((shared, shard, _)) = self.shards.remove(&key) {
                work_left = work_left.saturating_sub(self.visit(&shared, shard));
            }
        }
        work_left = work_left.saturating_sub(self.ring(work_left * WAKES_A_PIECE));
        let fence = self.worker.fence();
        let looks = self.observe();
        let trims = self.trimmer.as_mut().is_some_and(|trimmer| trimmer.step(fence));
        if trims || work_left == 0 || !self.inbox.is_empty() || self.spread.is_under_way() {
            return Next::Now;
        }
        let rest = self.worker.rest().into_iter().chain(looks).min();
        if rest.is_some_and(|rest| rest.is_zero()) {
            // The next turn lets time go on, or looks at more rooms.
            return Next::Now;
        }
        let visit = self.timers.first().map(|(at, _)| *at);
        let due = visit.into_iter().chain(self.worker.timers().arm()).min();
        let timer = due.map(|at| at.saturating_since(self.worker.now()));
        timer.into_iter().chain(rest).min().map_or(Next::Idle, Next::After)
    }

    /// Lets timers go off whose time has come, at most so many. Returns how many pieces of work that
    /// was.
    fn ring(&self, most: usize) -> usize {
        let due = self.worker.timers().take_due(self.worker.now(), most);
        for signal in &due {
            // A waker is the host's.
            self.worker.fence().call(|| signal.raise());
        }
        due.len().div_ceil(WAKES_A_PIECE)
    }

    fn forget_if_ended(&self, registry: &RoomRegistry<M>, shared: &Arc<SharedRoom<M>>) {
        if shared.is_ended() {
            self.worker.fence().call(|| registry.forget(shared));
        }
    }

    /// Lets some rooms hear what was broadcast, if that has not reached all. Returns how many
    /// pieces of work that was.
    fn spread(&mut self) -> usize {
        let Some(registry) = self.registry.upgrade() else { return 0 };
        self.spread.step(&registry, self.broadcast_log.count(), self.worker.fence())
    }

    /// Visits a shard; returns how many pieces of work that was.
    fn visit(&mut self, shared: &Arc<SharedRoom<M>>, shard: u32) -> usize {
        let visited = self.worker.fence().call(|| shared.visit(shard));
        // A room whose visit panics is looked after again, and keeps nobody else from being.
        let visited = visited.unwrap_or_else(|| {
            trace::visit_panicked(shared.id());
            Visited { woken: 0, next: Some(self.worker.now() + RETRY_AFTER) }
        });
        if let Some(trimmer) = &mut self.trimmer {
            trimmer.note(shared, shard);
        }
        let key = Arc::as_ptr(shared.shard(shard)) as usize;
        let old = self.shards.get(&key).map(|(.., at)| *at);
        if old != visited.next {
            if let Some(old) = old {
                self.timers.remove(&(old, key));
                self.shards.remove(&key);
            }
            if let Some(new) = visited.next {
                self.timers.insert((new, key));
                self.shards.insert(key, (Arc::clone(shared), shard, new));
            }
        }
        if let Some(registry) = self.registry.upgrade() {
            self.forget_if_ended(&registry, shared);
        }
        1 + visited.woken / WAKES_A_PIECE
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for WorkerLoop<M> {
    /// It goes with its hub, or with the runtime or the thread that turned it. Then nobody looks
    /// after its rooms any more: they close.
    fn drop(&mut self) {
        for signal in self.worker.timers().end() {
            self.worker.fence().call(|| signal.raise());
        }
        if self.worker.is_stopped() {
            return;
        }
        let Some(registry) = self.registry.upgrade() else { return };
        let mut rooms = registry.shut_down();
        rooms.retain(|shared| shared.is_worked_by(&self.worker));
        self.worker.fence().call(|| trace::worker_ended(rooms.len()));
        for shared in rooms {
            self.worker.fence().call(|| shared.close_unattended());
            self.forget_if_ended(&registry, &shared);
        }
    }
}

/// Turns a driver until its hub is gone, as a task.
#[cfg(feature = "tokio")]
pub(crate) async fn as_task<M: Payload + Send + Sync + 'static>(mut driver: WorkerLoop<M>) {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    loop {
        match driver.turn() {
            Next::Stop => return,
            Next::Now => tokio::task::yield_now().await,
            Next::Idle => poll_fn(|cx| driver.signal().poll(cx)).await,
            Next::After(pause) => {
                let mut sleep = std::pin::pin!(tokio::time::sleep(pause));
                // The clock decides what is due; the timer only ends the wait.
                poll_fn(|cx| match driver.signal().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(()),
                    Poll::Pending => sleep.as_mut().poll(cx),
                })
                .await;
            }
        }
    }
}

/// Turns a driver until its hub is gone, on this thread.
pub(crate) fn as_thread<M: Payload + Send + Sync + 'static>(mut driver: WorkerLoop<M>) {
    loop {
        match driver.turn() {
            Next::Stop => return,
            Next::Now => {}
            Next::Idle => driver.signal().wait(None),
            Next::After(pause) => driver.signal().wait(Some(pause)),
        }
    }
}
