//! A flag that one waiter waits for, as a task or as a thread.

use crate::drive::called::Called;
use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, AtomicWaker};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Raised by anyone, taken down by the one that waits. Raising it twice is raising it once.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: Called,
    waker: AtomicWaker,
}

impl Signal {
    pub(crate) fn raise(&self) {
        // Who finds it raised need not wake: whoever raised it first does.
        if self.raised.call() {
            self.waker.wake();
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.raised.answer() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Blocks the thread until the signal is raised, or for so long; `None` is for ever.
    pub(crate) fn wait(&self, timeout: Option<Duration>) {
        let deadline = timeout.map(|timeout| std::time::Instant::now() + timeout);
        let waker = thread_waker();
        let mut cx = Context::from_waker(&waker);
        while self.poll(&mut cx).is_pending() {
            if !park_until(deadline) {
                break;
            }
        }
    }
}

/// Parks the thread until it is unparked or `deadline` has come; returns whether it had not come
/// before.
pub(crate) fn park_until(deadline: Option<std::time::Instant>) -> bool {
    let Some(deadline) = deadline else {
        thread::park();
        return true;
    };
    let left = deadline.saturating_duration_since(std::time::Instant::now());
    if left.is_zero() {
        return false;
    }
    thread::park_timeout(left);
    true
}

/// A waker that unparks this thread.
pub(crate) fn thread_waker() -> Waker {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    Waker::from(Arc::new(Unpark(thread::current())))
}
