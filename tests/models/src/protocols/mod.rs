//! The protocols of the adapter that are made of atomics, and a model of each: the code that ships,
//! in every interleaving of two or three threads and every order that its atomics allow.
//!
//! | protocol | where | model |
//! | --- | --- | --- |
//! | a call stands until it is answered: shards, dropped sessions, transports that can take more | `drive/called.rs` | `called` |
//! | a flag that one task or thread waits for | `drive/signal.rs` | `signal` |
//! | a value that is set once, and who waits for it: the end of a connection, of a transport | `drive/latch.rs` | `latch` |
//! | timers that are started while their worker rests | `drive/timers.rs` | `timers` |
//! | the way to a worker, and its end | `drive/worker.rs` | `worker` |
//! | the clock that makes one step at most | `drive/hub_clock.rs` | `hub_clock` |
//! | news, sessions that went, and commands for a pump's task; its end | `room/pump_notify.rs` | `pump_notify` |
//! | a group of a room's for each pump | `room/pump_notify.rs` | `groups` |
//! | subscriptions that were dropped | `room/gone.rs` | `gone` |
//! | the end of a room is told last, once | `room/ending.rs` | `ending` |
//! | a room that expired, or was removed | `room/expiry.rs` | `expiry` |
//! | broadcasts that a room has not heard | `room/broadcast_log.rs` | `broadcasts` |
//! | callers that await an outcome | `room/outcome_waiters.rs` | `outcomes` |
//! | connections whose transport can take more | `pump/writable.rs` | `writable` |
//! | what a host says to one connection | `pump/mailbox.rs` | `mailbox` |
//! | publish, visit, read: what was dispatched, what a shard picked up, its epoch, its waiters | `room/seam.rs`, `room/audience_shard.rs`, `reading/reader.rs`, `hub/worker_loop.rs` | `hub` |
//! | a shard that is opened meanwhile | `room/join.rs` | `hub` |
//!
//! `loom` gives `SeqCst` no more than `AcqRel`, so none of them may need it. Counts that decide
//! nothing (`unsent`, the stats of a pump, `sessions` of a shard) have no model.

mod drive;
mod hub;
mod pump;
mod room;

use crate::sync::Arc;
use crate::sync::thread;
use loom::future::block_on;
use loom::model::Builder;
use std::task::{Context, Poll};

pub use drive::*;
pub use hub::*;
pub use pump::*;
pub use room::*;

/// Runs a model to its end: with at most so many preemptions, or as `LOOM_MAX_PREEMPTIONS` says.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&count);
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{} interleavings", count.load(std::sync::atomic::Ordering::Relaxed));
}

/// Waits until `poll` is ready, as a task does.
fn wait<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    block_on(std::future::poll_fn(poll))
}

/// Runs `call` in a thread of its own.
fn spawn<S: Send + Sync + 'static>(
    shared: &Arc<S>,
    call: impl FnOnce(&S) + Send + 'static,
) -> loom::thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || call(&shared))
}

fn join(threads: impl IntoIterator<Item = loom::thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a thread has panicked");
    }
}
