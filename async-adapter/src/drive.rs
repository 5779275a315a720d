//! What turns the drivers: a tokio task or a thread for each.

use crate::shard::{Driver, Next};
use roomcast_core::Payload;

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
