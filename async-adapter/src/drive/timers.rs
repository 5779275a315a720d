//! The timers that a worker keeps, by the hub's clock: for futures that run on any executor.

use crate::drive::signal::Signal;
use crate::sync::{Arc, Mutex};
use roomcast_core::Instant;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// When a timer is due, and its number among those of that time.
pub(super) type Key = (Instant, u64);

/// The timers that have not gone off.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<Key, Arc<Signal>>,
    started: u64,
    /// When the worker means to come by.
    armed: Option<Instant>,
    /// Nobody comes by any more.
    is_over: bool,
}

impl Timers {
    /// Returns the timer's key, and whether the worker has to come sooner than it means to.
    pub(super) fn start(&self, at: Instant, signal: &Arc<Signal>) -> (Key, bool) {
        let state = &mut *self.state.lock();
        let key = (at, state.started);
        state.started += 1;
        if state.is_over {
            signal.raise();
            return (key, false);
        }
        state.due.insert(key, Arc::clone(signal));
        let is_sooner = state.armed.is_none_or(|armed| at < armed);
        if is_sooner {
            state.armed = Some(at);
        }
        (key, is_sooner)
    }

    pub(super) fn stop(&self, key: Key) {
        let stopped = self.state.lock().due.remove(&key);
        drop(stopped);
    }

    /// Takes those whose time has come, but no more than `most`. They are raised outside the lock.
    pub(crate) fn take_due(&self, now: Instant, most: usize) -> SmallVec<[Arc<Signal>; 8]> {
        let due = &mut self.state.lock().due;
        let mut taken = SmallVec::new();
        while taken.len() < most
            && let Some(first) = due.first_entry().filter(|first| first.key().0 <= now)
        {
            taken.push(first.remove());
        }
        taken
    }

    /// The worker is here, and is told when to come next.
    pub(crate) fn arm(&self) -> Option<Instant> {
        let state = &mut *self.state.lock();
        state.armed = state.due.keys().next().map(|(at, _)| *at);
        state.armed
    }

    /// Nobody comes by any more: takes all, and those to come go off when they are started.
    pub(crate) fn end(&self) -> impl Iterator<Item = Arc<Signal>> + use<> {
        let state = &mut *self.state.lock();
        state.is_over = true;
        std::mem::take(&mut state.due).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn start(timers: &Timers, millis: u64) -> (Arc<Signal>, Key, bool) {
        let signal = Arc::<Signal>::default();
        let (key, is_sooner) = timers.start(Instant::from_millis(millis), &signal);
        (signal, key, is_sooner)
    }

    fn is_raised(signal: &Signal) -> bool {
        signal.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_worker_is_called_only_for_what_comes_sooner() {
        let timers = Timers::default();
        let (_, late, called) = start(&timers, 50);
        assert!(called, "it meant to come never");
        assert!(!start(&timers, 50).2 && !start(&timers, 90).2);
        let (_, soon, called) = start(&timers, 20);
        assert!(called);
        // It comes for one that was stopped, and then later.
        timers.stop(soon);
        assert!(!start(&timers, 30).2);
        assert_eq!(timers.arm(), Some(Instant::from_millis(30)));
        timers.stop(late);
        assert_eq!(timers.take_due(Instant::from_millis(30), 9).len(), 1);
        assert_eq!(timers.arm(), Some(Instant::from_millis(50)));
    }

    #[test]
    fn those_whose_time_has_come_go_off_in_order() {
        let timers = Timers::default();
        let started = [30, 10, 20, 20, 40].map(|millis| start(&timers, millis).0);
        let is_due = |timers: SmallVec<[Arc<Signal>; 8]>| {
            timers.iter().for_each(|signal| signal.raise());
            started.each_ref().map(|signal| is_raised(signal))
        };
        assert_eq!(is_due(timers.take_due(Instant::from_millis(9), 9)), [false; 5]);
        let now = Instant::from_millis(30);
        assert_eq!(is_due(timers.take_due(now, 2)), [false, true, true, false, false]);
        assert_eq!(is_due(timers.take_due(now, 9)), [true, false, false, true, false]);
        // Where there is no worker left, nobody waits for it.
        timers.end().for_each(|signal| signal.raise());
        assert!(is_raised(&started[4]));
        let (signal, _, called) = start(&timers, 90);
        assert!(is_raised(&signal) && !called);
    }
}
