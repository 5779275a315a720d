//! Counting what the sinks are handed, in such a way that the counting does not weigh on what is
//! counted.
//!
//! Each thread counts for itself. It adds to the common total after so many messages, and when it
//! has nothing left to do: the runtimes that [`runtime`](super::runtime) makes call [`flush`]
//! before one of their threads sleeps. Whoever brings the total to the round's goal notes the
//! time and wakes the publisher, who sleeps meanwhile. One round at a time in a process.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Messages that a thread counts for itself before it adds them to the total.
const FLUSH_EVERY: u64 = 1_024;
/// Nobody was handed anything, or began to wait, for this long: the rest was lost.
const STALLED: Duration = Duration::from_secs(20);

thread_local! {
    static HERE: Cell<u64> = const { Cell::new(0) };
}

static HANDED: AtomicU64 = AtomicU64::new(0);
static GOAL: AtomicU64 = AtomicU64::new(u64::MAX);
static WAITING: AtomicU32 = AtomicU32::new(0);
static END: Mutex<End> = Mutex::new(End { at: None, publisher: None });

/// The end of the round that goes on.
struct End {
    at: Option<Instant>,
    publisher: Option<Waker>,
}

fn end() -> MutexGuard<'static, End> {
    END.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts messages that a sink was handed.
#[inline]
pub fn count_handed(messages: u64) {
    let here = HERE.get() + messages;
    HERE.set(here);
    if here >= FLUSH_EVERY {
        flush();
    }
}

/// Adds what this thread has counted to the total.
#[cold]
pub fn flush() {
    let here = HERE.take();
    if here == 0 {
        return;
    }
    let before = HANDED.fetch_add(here, Ordering::SeqCst);
    let goal = GOAL.load(Ordering::SeqCst);
    if before < goal && before + here >= goal {
        let publisher = {
            let mut end = end();
            end.at = Some(Instant::now());
            end.publisher.take()
        };
        publisher.into_iter().for_each(Waker::wake);
    }
}

/// Messages that the sinks of this process were handed, as far as their threads have told.
pub fn handed() -> u64 {
    HANDED.load(Ordering::SeqCst)
}

/// A member's task says so in the same poll in which it begins to wait. (It is not wrapped in a
/// future that does: that would hold the member's twice, and the memory of a session would be
/// wrong.)
pub fn count_waiting() {
    WAITING.fetch_add(1, Ordering::Release);
}

/// Member tasks of this process that have begun to wait.
pub(super) fn waiting() -> u32 {
    WAITING.load(Ordering::Acquire)
}

/// Returns when so many tasks have begun to wait.
pub(super) async fn until_waiting(target: u32) -> Result<(), String> {
    let (mut seen, mut since) = (waiting(), Instant::now());
    while seen < target {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if waiting() != seen {
            (seen, since) = (waiting(), Instant::now());
        } else if since.elapsed() > STALLED {
            return Err(format!(
                "{} members do not wait, and none began to for {} s",
                target - seen,
                STALLED.as_secs()
            ));
        }
    }
    Ok(())
}

/// Begins a round, which ends when so many more messages have been handed over.
pub(super) fn begin(messages: u64) {
    *end() = End { at: None, publisher: None };
    GOAL.store(handed() + messages, Ordering::SeqCst);
}

/// When the round ended; `None` while it goes on.
pub(super) fn ended_at() -> Option<Instant> {
    end().at
}

/// Messages that the round still lacks.
pub(super) fn missing() -> u64 {
    GOAL.load(Ordering::SeqCst).saturating_sub(handed())
}

/// Waits, asleep, for the end of the round. Answers when it was.
pub(super) async fn until_ended() -> Result<Instant, String> {
    loop {
        let before = handed();
        let ended = poll_fn(|cx| {
            let mut end = end();
            if let Some(at) = end.at {
                return Poll::Ready(at);
            }
            end.publisher = Some(cx.waker().clone());
            Poll::Pending
        });
        match timeout(STALLED, ended).await {
            Ok(at) => return Ok(at),
            Err(_) if handed() == before => {
                return Err(format!(
                    "{} messages have not arrived, and none did for {} s",
                    missing(),
                    STALLED.as_secs()
                ));
            }
            Err(_) => {}
        }
    }
}
