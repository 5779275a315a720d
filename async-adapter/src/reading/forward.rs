//! The loop that writes a subscription to a sink.

use crate::encode::Encoder;
use crate::reading::sink_pace::SinkPace;
use crate::reading::sink_writer::SinkWriter;
use crate::reading::subscription::Subscription;
use crate::reading::when_high_lost::WhenHighLost;
use crate::room::Job;
use crate::room::token::ResumeToken;
use crate::trace;
use futures_sink::Sink;
use roomcast_core::error::SessionEnd;
use roomcast_core::{Batch, Item, Payload, Priority};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How [`forward`] treats a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardOptions {
    /// How long the sink may take nothing of a batch: no further item, or, once it has all, not
    /// flush it. A sink that goes on is never given up for being slow. Default 60 s, as a pump's.
    pub stalled_after: Duration,
    /// A batch holds no more than the sink takes in about this time; at least one message. So a
    /// gift waits behind no more than that, and what follows is chosen when it can go. It begins
    /// with 16 messages or 2 KiB, and never exceeds the budget of the
    /// [subscription](Subscription::with_budget). `Duration::MAX`: it is always that. Default
    /// 250 ms.
    ///
    /// What lies below the sink is not seen: give the socket a short send buffer, as
    /// `net::TcpTransport::prepare_for_sink` does (feature `net`), and the sink itself a small one.
    pub reach: Duration,
    /// How often the sink is asked whether it still works while there is nothing to write, beside
    /// the moments at which it wakes the task itself. Default 10 s; less than a millisecond counts
    /// as one. `None`: it is not asked, and that it has failed is noticed at the next write.
    ///
    /// Set `None` for a sink that reserves a place in something shared in its `poll_ready`, as
    /// tokio-util's `PollSender` does in its channel: a quiet room would keep that place from the
    /// others.
    pub check_sink_every: Option<Duration>,
    /// What becomes of a session that was too slow for a High message. Default it is told, and goes
    /// on.
    pub when_high_lost: WhenHighLost,
}

impl Default for ForwardOptions {
    fn default() -> Self {
        Self {
            stalled_after: Duration::from_secs(60),
            reach: Duration::from_millis(250),
            check_sink_every: Some(Duration::from_secs(10)),
            when_high_lost: WhenHighLost::Tell,
        }
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
    /// Messages that may not have arrived: those of a batch that was not written and flushed as a
    /// whole. They count as `unsent` in the room's [`RoomStats`](crate::stats::RoomStats).
    pub unsent: u64,
    /// Of the unsent, those that the sink took. It is known where there is one for each item of the
    /// batch (an encoder that tells gaps; of [`forward_batches`], an `encode` that says so by its
    /// `size_hint`, as with a `Vec`); else 0.
    pub taken: u64,
    /// Where the client goes on when it comes back, if its session was in to the last: behind the
    /// batches that were written and flushed, or behind what it has acknowledged
    /// ([`Speaker::ack`](crate::Speaker::ack)), if it acknowledges. What a sink took may still not
    /// have arrived: only a client that acknowledges loses nothing that was on its way.
    pub token: Option<ResumeToken>,
    /// Why it stopped.
    pub end: ForwardEnd<E>,
}

impl<E> Forwarded<E> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let end = ForwardEnd::Stalled;
        Self { batches: 0, messages: 0, unsent: 0, taken: 0, token: None, end }
    }
}

/// Why [`forward`] stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForwardEnd<E> {
    /// The session ended; all that it was due has been written.
    Session(SessionEnd),
    /// The sink failed, at a write or while there was nothing to write.
    Sink(E),
    /// The sink took nothing for [`stalled_after`](ForwardOptions::stalled_after).
    Stalled,
    /// The session was too slow for a High message, and
    /// [`when_high_lost`](ForwardOptions::when_high_lost) says to close it then. It has been told.
    HighLost,
    /// The other half of a [connection](crate::connection::Connection::split) was dropped: it has
    /// left all its rooms.
    Left,
}

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
