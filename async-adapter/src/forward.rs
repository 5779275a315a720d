//! From a subscription to a sink.

use crate::subscription::Subscription;
use futures_sink::Sink;
use roomcast_core::{Batch, Payload, SessionEnd};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

/// How [`forward`] treats a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardOptions {
    /// How long one batch may take to be written and flushed. Default 10 s.
    pub write_timeout: Duration,
}

impl Default for ForwardOptions {
    fn default() -> Self {
        Self { write_timeout: Duration::from_secs(10) }
    }
}

/// What [`forward`] did, and why it stopped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forwarded<E> {
    /// Batches that were written and flushed.
    pub batches: u64,
    /// Messages in them, direct ones too.
    pub messages: u64,
    /// Messages that were taken and may not have arrived: those of the batch that failed. They count as `unsent` in the room's
    /// [`LiveSnapshot`](crate::LiveSnapshot).
    pub unsent: u64,
    /// Why it stopped.
    pub end: ForwardEnd<E>,
}

/// Why [`forward`] stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForwardEnd<E> {
    /// The session ended; all that it was due has been written.
    Session(SessionEnd),
    /// The sink failed.
    Sink(E),
    /// The sink took too long for one batch.
    WriteTimeout,
}

/// Writes a session's batches to a sink until one of them ends: feeds what `encode` makes of a batch, flushes once, takes the next.
///
/// While the sink is busy nothing is taken from the room: a slow peer costs no memory, what it misses is skipped and told in its next
/// batch, and what it gets is fresh. Close the sink afterwards if it is yours to close; the subscription leaves when this returns.
///
/// # Cancel safety
/// Dropping the future leaves the room; a batch that was being written counts as `unsent`.
#[cfg(feature = "tokio")]
pub async fn forward<M, S, T, I>(
    mut subscription: Subscription<M>,
    sink: S,
    mut encode: impl FnMut(&Batch<M>) -> I,
    options: ForwardOptions,
) -> Forwarded<S::Error>
where
    M: Payload + Send + Sync + 'static,
    S: Sink<T>,
    I: IntoIterator<Item = T>,
{
    let mut sink = pin!(sink);
    let mut done = Forwarded { batches: 0, messages: 0, unsent: 0, end: ForwardEnd::WriteTimeout };
    loop {
        let batch = match subscription.next_batch().await {
            Ok(batch) => batch,
            Err(end) => {
                done.end = ForwardEnd::Session(end);
                return done;
            }
        };
        let count = (batch.messages().len() + batch.directs().len()) as u64;
        let mut unsent = Unsent { subscription: &subscription, messages: count };
        let write = write_all(sink.as_mut(), encode(&batch));
        match tokio::time::timeout(options.write_timeout, write).await {
            Ok(Ok(())) => {
                unsent.messages = 0;
                done.batches += 1;
                done.messages += count;
                continue;
            }
            Ok(Err(error)) => done.end = ForwardEnd::Sink(error),
            Err(_) => done.end = ForwardEnd::WriteTimeout,
        }
        done.unsent = count;
        drop(unsent);
        return done;
    }
}

/// Counts its messages as unsent when it is dropped: on an error, on a timeout, and when the whole future is dropped.
struct Unsent<'a, M: Payload + Send + Sync + 'static> {
    subscription: &'a Subscription<M>,
    messages: u64,
}

impl<M: Payload + Send + Sync + 'static> Drop for Unsent<'_, M> {
    fn drop(&mut self) {
        self.subscription.count_unsent(self.messages);
    }
}

/// Feeds every item, then flushes once.
async fn write_all<T, S: Sink<T>>(mut sink: Pin<&mut S>, items: impl IntoIterator<Item = T>) -> Result<(), S::Error> {
    for item in items {
        poll_fn(|cx| sink.as_mut().poll_ready(cx)).await?;
        sink.as_mut().start_send(item)?;
    }
    poll_fn(|cx| sink.as_mut().poll_flush(cx)).await
}
