//! The driver of a shard: visits its rooms when they call and when their time has come.

use crate::cell::{Cell, Work};
use crate::shard::Shard;
use crate::signal::Signal;
use crossbeam_channel::Receiver;
use roomcast_core::{Instant, Payload};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Pieces of work that one turn does at the most, so that other tasks of the runtime live.
const MAX_WORK_A_TURN: usize = 128;
/// Readers woken that count as one piece of work. The tasks that were woken run between turns, while what waking them touched is still in
/// the caches.
const WAKES_A_PIECE: usize = 32;

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
    shard: Arc<Shard<Work<M>>>,
    inbox: Receiver<Work<M>>,
    /// When which hall wants a visit; halls by their addresses, since a room that is removed may leave its id to another.
    timers: BTreeSet<(Instant, usize)>,
    halls: HashMap<usize, (Arc<Cell<M>>, u32, Instant)>,
}

impl<M: Payload + Send + Sync + 'static> Driver<M> {
    pub(crate) fn new(shard: Arc<Shard<Work<M>>>, inbox: Receiver<Work<M>>) -> Self {
        Self { shard, inbox, timers: BTreeSet::new(), halls: HashMap::new() }
    }

    pub(crate) fn signal(&self) -> &Signal {
        self.shard.signal()
    }

    /// Does what is due, a bounded amount of it.
    pub(crate) fn turn(&mut self) -> Next {
        if self.shard.is_stopped() {
            return Next::Stop;
        }
        let mut work_left = MAX_WORK_A_TURN;
        while work_left > 0 {
            let done = match self.inbox.try_recv() {
                Ok(Work::Visit(cell, hall)) => self.visit(&cell, hall),
                Ok(Work::Spread(air, place)) => {
                    let (rooms, next) = air.rooms_from(place);
                    // Whoever is called hears it.
                    for cell in &rooms {
                        cell.admit(|_, _| ());
                    }
                    if let Some(next) = next {
                        self.shard.send(Work::Spread(air, next));
                    }
                    rooms.len() + 1
                }
                Ok(Work::Gone(cell, session)) => {
                    cell.close_session(session);
                    1
                }
                Err(_) => break,
            };
            work_left = work_left.saturating_sub(done);
        }
        while work_left > 0 {
            let now = self.shard.now();
            let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) else { break };
            self.timers.remove(&(at, key));
            if let Some((cell, hall, _)) = self.halls.remove(&key) {
                work_left = work_left.saturating_sub(self.visit(&cell, hall));
            }
        }
        if work_left == 0 || !self.inbox.is_empty() {
            return Next::Now;
        }
        match self.timers.first() {
            Some((at, _)) => Next::After(at.saturating_since(self.shard.now())),
            None => Next::Idle,
        }
    }

    /// Visits a hall; answers how many pieces of work that was.
    fn visit(&mut self, cell: &Arc<Cell<M>>, hall: u32) -> usize {
        let visited = cell.visit(hall);
        let key = Arc::as_ptr(cell.hall(hall)) as usize;
        let old = self.halls.get(&key).map(|(.., at)| *at);
        if old != visited.next {
            if let Some(old) = old {
                self.timers.remove(&(old, key));
                self.halls.remove(&key);
            }
            if let Some(new) = visited.next {
                self.timers.insert((new, key));
                self.halls.insert(key, (Arc::clone(cell), hall, new));
            }
        }
        1 + visited.woken / WAKES_A_PIECE
    }
}

/// Turns a driver until its hub is gone, as a task.
#[cfg(feature = "tokio")]
pub(crate) async fn as_task<M: Payload + Send + Sync + 'static>(mut driver: Driver<M>) {
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
pub(crate) fn as_thread<M: Payload + Send + Sync + 'static>(mut driver: Driver<M>) {
    loop {
        match driver.turn() {
            Next::Stop => return,
            Next::Now => {}
            Next::Idle => driver.signal().wait(None),
            Next::After(pause) => driver.signal().wait(Some(pause)),
        }
    }
}
