//! The loop that writes a subscription to a sink.

use crate::encode::Encoder;
use crate::reading::forwarded::{ForwardEnd, ForwardOptions, Forwarded};
use crate::reading::sink_pace::SinkPace;
use crate::reading::sink_writer::SinkWriter;
use crate::reading::subscription::Subscription;
use crate::reading::when_high_lost::WhenHighLost;
use crate::room::Job;
use crate::trace;
use futures_sink::Sink;
use roomcast_core::error::SessionEnd;
use roomcast_core::{Batch, Item, Payload, Priority};
use std::pin::pin;
use std::task::Poll;

/// Writes what a session gets to a sink until either ends: feeds what `encoder` makes of each item
/// of a batch, flushes once, takes the next.
///
/// While the sink is busy nothing is taken from the room: a slow peer costs no memory, what it
/// misses is skipped and told in its next batch, and what it gets is fresh. A session that ends gets
/// what it is due, as long as its grace lasts, and the encoder's last words
/// ([`Encoder::end`]), if the sink takes them within
/// [`stalled_after`](ForwardOptions::stalled_after), before this returns; the subscription leaves
/// when it does. Lend the sink (`&mut sink`) to close it afterwards.
///
/// It runs on any executor: the worker that looks after the session wakes it when the times of
/// [`ForwardOptions`] are over, by the hub's clock.
///
/// ```
/// use roomcast::encode::Text;
/// use roomcast::session::{ForwardEnd, ForwardOptions};
/// use roomcast::{Hub, Join, Publish, RoomConfig, RoomId, Source, forward};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::<String>::start();
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let guest = room.join(Join::guest())?;
/// let _ = room.try_publish(Publish::new(Source::Host, "hello".to_owned()))?;
///
/// // A server has the write half of its connection here.
/// let sink = futures_util::sink::drain::<String>();
/// let writer = tokio::spawn(forward(guest, sink, Text, ForwardOptions::default()));
/// hub.drain(Duration::from_secs(5)).await;
///
/// let done = writer.await?;
/// assert_eq!((done.batches, done.messages, done.unsent), (1, 1, 0));
/// assert!(matches!(done.end, ForwardEnd::Session(_)));
/// # Ok(())
/// # }
/// ```
///
/// # What it notices of the peer
/// While there is nothing to write, the sink's `poll_ready` is polled whenever the task wakes, and
/// every [`check_sink_every`](ForwardOptions::check_sink_every) its `poll_flush` as well; an error
/// of either ends this as [`ForwardEnd::Sink`]. So it notices, in a quiet room too, whatever the
/// sink tells without being given anything: a channel whose receiver is gone at once if the sink
/// wakes for it and else at the next look; a connection that is known to be broken.
///
/// A sink has no side to read from, so this cannot notice what only a read tells: that the peer
/// closed the connection in order, or that it vanished without a word. Whoever reads the connection
/// learns that first, and drops this future or has it lose a `select!`. Without a reader it is
/// noticed when writes fail or stall.
///
/// # Cancel safety
/// Dropping the future leaves the room; a batch that was being written counts as `unsent`.
pub async fn forward<M, S, T, E>(
    subscription: Subscription<M>,
    sink: S,
    mut encoder: E,
    options: ForwardOptions,
) -> Forwarded<S::Error>
where
    M: Payload + Send + Sync + 'static,
    S: Sink<T>,
    E: Encoder<M>,
    T: From<E::Frame>,
{
    let sink = pin!(sink);
    let mut writer = SinkWriter::new(sink, subscription.worker(), options);
    let encode = |batch: &Batch<M>| encoder.batch(batch).into_iter().map(T::from);
    let done = write_batches(subscription, &mut writer, encode, options.when_high_lost).await;
    if let ForwardEnd::Session(SessionEnd::Closed(reason)) = done.end
        && let Some(last) = encoder.end(reason)
    {
        // Whether they arrived is known to nobody: the session is gone either way.
        let _ = writer.write_all(std::iter::once(T::from(last)), || ()).await;
    }
    done
}

/// As [`forward`], for a host that makes frames of whole batches, or of a part of what is in them:
/// feeds what `encode` makes of a batch, flushes once, takes the next. The sink gets no last words.
///
/// ```
/// use roomcast::session::{ForwardOptions, forward_batches};
/// use roomcast::{Batch, Hub, Join, RoomConfig, RoomId};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let hub = Hub::<String>::start();
/// # let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// # let (guest, sink) = (room.join(Join::guest())?, futures_util::sink::drain());
/// // One frame a batch.
/// let encode = |batch: &Batch<String>| {
///     let texts: Vec<&str> = batch.messages().iter().map(|message| &*message.payload).collect();
///     [texts.join("\n")]
/// };
/// tokio::spawn(forward_batches(guest, sink, encode, ForwardOptions::default()));
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// As [`forward`].
pub async fn forward_batches<M, S, T, I>(
    subscription: Subscription<M>,
    sink: S,
    encode: impl FnMut(&Batch<M>) -> I,
    options: ForwardOptions,
) -> Forwarded<S::Error>
where
    M: Payload + Send + Sync + 'static,
    S: Sink<T>,
    I: IntoIterator<Item = T>,
{
    let sink = pin!(sink);
    let mut writer = SinkWriter::new(sink, subscription.worker(), options);
    write_batches(subscription, &mut writer, encode, options.when_high_lost).await
}

/// The loop of both.
async fn write_batches<M, S, T, I>(
    mut subscription: Subscription<M>,
    writer: &mut SinkWriter<'_, S, Job<M>>,
    mut encode: impl FnMut(&Batch<M>) -> I,
    when_high_lost: WhenHighLost,
) -> Forwarded<S::Error>
where
    M: Payload + Send + Sync + 'static,
    S: Sink<T>,
    I: IntoIterator<Item = T>,
{
    let mut done = Forwarded::new();
    let mut pace = SinkPace::new(subscription.budget(), writer.options().reach);
    loop {
        subscription.set_budget(pace.budget());
        let next = writer.next(|cx| match subscription.poll_next_batch(cx) {
            Poll::Ready(batch) => Poll::Ready(batch.map_err(ForwardEnd::Session)),
            Poll::Pending => Poll::Pending,
        });
        let batch = match next.await {
            Ok(batch) => batch,
            Err(end) => {
                done.token = subscription.end_token(None);
                done.end = end;
                break;
            }
        };
        let count = (batch.messages().len() + batch.directs().len()) as u64;
        let mut unsent = Unsent { subscription: &subscription, messages: count };
        let began = subscription.now();
        let items = encode(&batch).into_iter();
        let mut each = has_one_for_each(&items, &batch).then(|| batch.items());
        let mut taken = 0;
        let take = || {
            let item = each.as_mut().and_then(Iterator::next);
            taken += u64::from(matches!(item, Some(Item::Message(_) | Item::Direct(_))));
        };
        match writer.write_all(items, take).await {
            Ok(()) => {
                pace.took(count, batch.more(), subscription.now().saturating_since(began));
                unsent.messages = 0;
                done.batches += 1;
                done.messages += count;
                if when_high_lost == WhenHighLost::Tell || batch.gap(Priority::High) == 0 {
                    continue;
                }
                drop(unsent);
                done.token = subscription.end_token(None);
                done.end = ForwardEnd::HighLost;
                break;
            }
            Err(end) => done.end = end,
        }
        (done.unsent, done.taken) = (count, taken);
        drop(unsent);
        done.token = subscription.end_token(Some(&batch));
        break;
    }
    let reason = match done.end {
        ForwardEnd::Session(_) => "the session ended",
        ForwardEnd::Sink(_) => "failed",
        ForwardEnd::Stalled => "stalled",
        ForwardEnd::HighLost => "a High message was missed",
        ForwardEnd::Left => "left",
    };
    let counts = [done.batches, done.messages, done.unsent];
    trace::forward_ended(subscription.room_id(), subscription.session(), reason, counts);
    done
}

/// Whether these are known to be one for each item of a batch.
fn has_one_for_each<M>(items: &impl Iterator, batch: &Batch<M>) -> bool {
    let (least, most) = items.size_hint();
    most == Some(least) && batch.items().count() == least
}

/// Counts its messages as unsent when it is dropped: on an error, on a sink that stalls, and when the whole
/// future is dropped.
struct Unsent<'a, M: Payload + Send + Sync + 'static> {
    subscription: &'a Subscription<M>,
    messages: u64,
}

impl<M: Payload + Send + Sync + 'static> Drop for Unsent<'_, M> {
    fn drop(&mut self) {
        self.subscription.count_unsent(self.messages);
    }
}

impl<M: Payload + Send + Sync + 'static> Subscription<M> {
    /// Writes what the session gets to a sink until either ends, as [`forward`] does with its
    /// default options.
    ///
    /// # Cancel safety
    /// As [`forward`].
    pub async fn forward<S, T, E>(self, sink: S, encoder: E) -> Forwarded<S::Error>
    where
        S: Sink<T>,
        E: Encoder<M>,
        T: From<E::Frame>,
    {
        forward(self, sink, encoder, ForwardOptions::default()).await
    }

    /// Writes what `encode` makes of whole batches to a sink until either ends, as
    /// [`forward_batches`] does with its default options.
    ///
    /// # Cancel safety
    /// As [`forward`].
    pub async fn forward_batches<S, T, I>(
        self,
        sink: S,
        encode: impl FnMut(&Batch<M>) -> I,
    ) -> Forwarded<S::Error>
    where
        S: Sink<T>,
        I: IntoIterator<Item = T>,
    {
        forward_batches(self, sink, encode, ForwardOptions::default()).await
    }
}

#[cfg(test)]
mod tests;
