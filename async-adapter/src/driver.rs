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
    /// When which room wants a visit; rooms by their addresses, since one that is removed may leave its id to another.
    timers: BTreeSet<(Instant, usize)>,
    rooms: HashMap<usize, (Arc<Cell<M>>, Instant)>,
}

impl<M: Payload + Send + Sync + 'static> Driver<M> {
    pub(crate) fn new(shard: Arc<Shard<Work<M>>>, inbox: Receiver<Work<M>>) -> Self {
        Self { shard, inbox, timers: BTreeSet::new(), rooms: HashMap::new() }
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
