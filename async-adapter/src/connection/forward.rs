//! The loop that writes a connection to a sink.

use super::{AT_ONCE, Connection, ConnectionItem, ItemKind};
use crate::reading::forwarded::{ForwardEnd, ForwardOptions, Forwarded};
use crate::reading::sink_pace::SinkPace;
use crate::reading::sink_writer::SinkWriter;
use crate::reading::when_high_lost::WhenHighLost;
use crate::sync::Arc;
use futures_sink::Sink;
use roomcast_core::{Payload, Priority, RoomId};
use std::collections::BTreeMap;
use std::pin::pin;

/// Writes what a connection gets in all its rooms to a sink until either ends: feeds what `encode`
/// makes of each item of a take, flushes once, takes the next. The sink is treated as by
/// [`forward`](crate::forward), on any executor.
///
/// It ends when the sink does, or, of a connection that was [split](Connection::split), as
/// [`ForwardEnd::Left`] when the other half is dropped. A session that ends in one room ends
/// nothing else. There is no token in what it returns: a client that comes back names what it has
/// of each room.
///
/// ```
/// use futures_util::StreamExt;
/// use roomcast::connection::{Connection, ConnectionItem, ItemKind, Order, forward_items};
/// use roomcast::session::{ForwardEnd, ForwardOptions};
/// use roomcast::{Hub, RoomConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::<String>::start();
/// let (handle, connection) = Connection::new(&hub, Order::Dispatch).split();
/// # let (out, mut peer) = futures_channel_of_a_server();
/// // One frame for each message, none for anything else.
/// let encode = |item: &ConnectionItem<String>| match &item.what {
///     ItemKind::Message { message, .. } => Some(message.payload.clone()),
///     _ => None,
/// };
/// let options = ForwardOptions::default();
/// let writer = tokio::spawn(forward_items(connection, out, encode, options));
///
/// // While it is written it joins a room, and another.
/// for name in ["rust", "birds"] {
///     let room = hub.open_room(name, &RoomConfig::fan_out())?;
///     handle.join(&room, "ann")?;
///     let _ = room.try_publish(roomcast::Publish::new(roomcast::Source::Host, name.to_owned()))?;
/// }
/// assert_eq!(peer.next().await.as_deref(), Some("rust"));
/// assert_eq!(peer.next().await.as_deref(), Some("birds"));
/// drop(handle); // Leaves all of them.
/// assert!(matches!(writer.await?.end, ForwardEnd::Left));
/// # Ok(())
/// # }
/// # fn futures_channel_of_a_server() -> (
/// #     impl futures_util::Sink<String, Error: Send> + Send + 'static,
/// #     impl futures_util::Stream<Item = String> + Unpin,
/// # ) {
/// #     let (put, mut get) = tokio::sync::mpsc::unbounded_channel();
/// #     let sink = futures_util::sink::unfold(put, |put, frame| async move {
/// #         put.send(frame).map(|()| put)
/// #     });
/// #     (sink, futures_util::stream::poll_fn(move |cx| get.poll_recv(cx)))
/// # }
/// ```
///
/// # Cancel safety
/// Dropping the future leaves all rooms; what was being written counts as `unsent` in each.
pub async fn forward_items<M, S, T, I>(
    mut connection: Connection<M>,
    sink: S,
    mut encode: impl FnMut(&ConnectionItem<M>) -> I,
    options: ForwardOptions,
) -> Forwarded<S::Error>
where
    M: Payload + Send + Sync + 'static,
    S: Sink<T>,
    I: IntoIterator<Item = T>,
{
    let sink = pin!(sink);
    let worker = Arc::clone(&connection.shared.worker);
    let mut writer = SinkWriter::new(sink, &worker, options);
    let mut pace = SinkPace::new(AT_ONCE, options.reach);
    let mut done = Forwarded::new();
    loop {
        let budget = pace.budget();
        let next = writer.next(|cx| {
            if connection.shared.is_over() {
                return std::task::Poll::Ready(Err(ForwardEnd::Left));
            }
            connection.poll_take(cx, budget).map(Ok)
        });
        let items = match next.await {
            Ok(items) => items,
            Err(end) => {
                done.end = end;
                return done;
            }
        };
        let mut unsent = Unsent { connection: &connection, by_room: BTreeMap::new() };
        let (mut frames, mut messages) = (Vec::new(), Vec::new());
        for item in &items {
            frames.extend(encode(item));
            if matches!(item.what, ItemKind::Message { .. } | ItemKind::Direct(_)) {
                *unsent.by_room.entry(item.room).or_default() += 1;
                // It is taken once so many frames are.
                messages.push(frames.len());
            }
        }
        let (count, mut taken) = (messages.len() as u64, 0);
        let began = worker.now();
        let written = writer.write_all(frames.into_iter(), || taken += 1).await;
        if let Err(end) = written {
            done.unsent = count;
            done.taken = messages.iter().filter(|frames| **frames <= taken).count() as u64;
            done.end = end;
            return done;
        }
        unsent.by_room.clear();
        drop(unsent);
        pace.took(count, connection.has_more(), worker.now().saturating_since(began));
        done.batches += 1;
        done.messages += count;
        let is_lost = |item: &ConnectionItem<M>| {
            matches!(item.what, ItemKind::Gap { priority: Priority::High, .. })
        };
        if options.when_high_lost == WhenHighLost::Close && items.iter().any(is_lost) {
            done.end = ForwardEnd::HighLost;
            return done;
        }
    }
}

/// Counts its messages as unsent in their rooms when it is dropped.
struct Unsent<'a, M: Payload + Send + Sync + 'static> {
    connection: &'a Connection<M>,
    by_room: BTreeMap<Option<RoomId>, u64>,
}

impl<M: Payload + Send + Sync + 'static> Drop for Unsent<'_, M> {
    fn drop(&mut self) {
        for (room, count) in &self.by_room {
            if let Some(session) = room.and_then(|room| self.connection.room(room)) {
                session.count_unsent(*count);
            }
        }
    }
}

impl<M: Payload + Send + Sync + 'static> Connection<M> {
    /// Writes what it gets to a sink until either ends, as [`forward_items`] does with the default
    /// options.
    ///
    /// # Cancel safety
    /// As [`forward_items`].
    pub async fn forward<S, T, I>(
        self,
        sink: S,
        encode: impl FnMut(&ConnectionItem<M>) -> I,
    ) -> Forwarded<S::Error>
    where
        S: Sink<T>,
        I: IntoIterator<Item = T>,
    {
        forward_items(self, sink, encode, ForwardOptions::default()).await
    }
}
