//! Threads of the checker. Whoever waits for a while lets others go first, and then it is over.

use std::time::Duration;

pub(crate) use super::checker::thread::{JoinHandle, Thread, current, park, yield_now};

/// What a thread of `loom` has by default is too little for a hub, in words.
#[cfg(feature = "loom")]
const STACK: usize = 0x4000;

/// Starts a thread.
#[cfg(feature = "loom")]
pub(crate) fn spawn<R: Send + 'static>(call: impl FnOnce() -> R + Send + 'static) -> JoinHandle<R> {
    let builder = loom::thread::Builder::new().stack_size(STACK);
    builder.spawn(call).expect("there are few")
}

/// Starts a thread.
#[cfg(feature = "shuttle")]
pub(crate) fn spawn<R: Send + 'static>(call: impl FnOnce() -> R + Send + 'static) -> JoinHandle<R> {
    shuttle::thread::spawn(call)
}

pub(crate) fn park_timeout(_: Duration) {
    yield_now();
}

pub(crate) fn sleep(time: Duration) {
    yield_now();
    #[cfg(feature = "shuttle")]
    super::time::pass(time);
    #[cfg(not(feature = "shuttle"))]
    let _ = time;
}
