//! A value that is set once, and one waiter that waits for it.

use crate::sync::{AtomicWaker, OnceLock};
use std::task::{Context, Poll};

/// A value to be. Who waits is told apart from its being set, so that something can come in
/// between.
#[derive(Debug)]
pub(crate) struct Latch<T> {
    value: OnceLock<T>,
    waker: AtomicWaker,
}

impl<T> Default for Latch<T> {
    fn default() -> Self {
        Self { value: OnceLock::new(), waker: AtomicWaker::new() }
    }
}

impl<T> Latch<T> {
    /// Sets the value, if none is; [`tell`](Self::tell) is to follow.
    pub(crate) fn set(&self, value: T) {
        let _ = self.value.set(value);
    }

    /// Wakes who waits.
    pub(crate) fn tell(&self) {
        self.waker.wake();
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, once there is one. Only the last task to poll is woken.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<&T> {
        // First, so that whoever sets it from here on finds this waker.
        self.waker.register(cx.waker());
        self.get().map_or(Poll::Pending, Poll::Ready)
    }
}
