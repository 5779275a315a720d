//! A timer that a worker keeps, for whoever waits for it.

use crate::drive::signal::Signal;
use crate::drive::timers::Key;
use crate::drive::worker::Worker;
use crate::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Goes off once, when its time has come, or when there is no worker any more to tell it.
#[derive(Debug)]
pub(crate) struct Timer<W> {
    worker: Arc<Worker<W>>,
    key: Key,
    signal: Arc<Signal>,
}

impl<W> Timer<W> {
    /// One that goes off in so much time, which this worker keeps.
    pub(crate) fn start(worker: &Arc<Worker<W>>, after: Duration) -> Self {
        let signal = Arc::<Signal>::default();
        let (key, is_sooner) = worker.timers().start(worker.now() + after, &signal);
        if is_sooner {
            worker.signal().raise();
        }
        Self { worker: Arc::clone(worker), key, signal }
    }

    /// Ready once, when it has gone off. Only the last task to poll is woken.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.signal.poll(cx)
    }
}

impl<W> Drop for Timer<W> {
    fn drop(&mut self) {
        self.worker.timers().stop(self.key);
    }
}
