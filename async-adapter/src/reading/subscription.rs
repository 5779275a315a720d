//! The subscription: the receiving end of one session.

use super::speaker::Speaker;
use crate::drive::signal::{park_until, thread_waker};
use crate::drive::worker::{Worker, Workers};
use crate::reading::reader::ReaderState;
use crate::room::audience_shard::AudienceShard;
use crate::room::token::ResumeToken;
use crate::room::{Job, SharedRoom};
use crate::sync::Arc;
use futures_core::Stream;
use roomcast_core::error::SessionEnd;
use roomcast_core::event::{EndReason, StartPosition};
use roomcast_core::ids::Seq;
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::TokenAt;
use roomcast_core::{Batch, Budget, Instant, Joined, Payload, Priority, RoomId, SessionId};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// One session of a room: takes batches until the session ends, and leaves the room when it is
/// dropped, exactly once.
///
/// There is no queue behind it: what is due is computed when it is asked for, so a slow reader
/// costs nothing and, when it has fallen out of the room's log, is told the gap. Dropping it takes
/// no lock; the worker takes the session out a moment later, and until then it counts as one of the
/// user's sessions.
///
/// ```
/// use roomcast::{Hub, Item, Join, Publish, RoomConfig, RoomId, Source, UserId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::<String>::builder().spawn_threads()?; // With tokio, `Hub::start()`.
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let mut bob = room.join(Join::user(UserId(8)))?;
/// let _ = room.try_publish(Publish::new(Source::Host, "hello".to_owned()))?;
///
/// let batch = bob.next_batch().await?;
/// for item in batch.items() {
///     match item {
///         Item::Message(message) => assert_eq!(message.payload, "hello"),
///         Item::Direct(direct) => println!("to you alone: {}", direct.payload),
///         Item::Gap { priority, count, cause } => println!("{count} {priority} missed: {cause}"),
///     }
/// }
/// drop(bob); // Leaves.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subscription<M: Payload + Send + Sync + 'static> {
    shared: Arc<SharedRoom<M>>,
    shard: Arc<AudienceShard<M>>,
    /// Keeps the drivers alive.
    workers: Arc<Workers<Job<M>>>,
    starts_after: Seq,
    start: StartPosition,
    budget: Budget,
    reader: ReaderState,
    /// Which waker waits, by its parts.
    parts: (usize, usize),
    ended: Option<SessionEnd>,
}

impl<M: Payload + Send + Sync + 'static> Subscription<M> {
    pub(crate) fn new(
        shared: Arc<SharedRoom<M>>,
        workers: Arc<Workers<Job<M>>>,
        joined: Joined,
    ) -> Self {
        let (shard, reader) = shared.reader(joined.session);
        Self {
            shared,
            shard,
            workers,
            starts_after: joined.starts_after,
            start: joined.start,
            budget: Budget::default(),
            reader,
            parts: (0, 0),
            ended: None,
        }
    }

    /// Splits the session into a half that speaks and the half that hears, each for a task of its
    /// own. When either is dropped the session has left.
    pub fn split(self) -> (Speaker<M>, Self) {
        let (shared, workers) = (Arc::clone(&self.shared), Arc::clone(&self.workers));
        (Speaker::new(shared, workers, self.reader.session), self)
    }

    /// With batches of at most this much.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    pub(crate) fn room_id(&self) -> RoomId {
        self.shared.id()
    }

    /// What its batches hold at most.
    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    pub(crate) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Who looks after the session, and keeps timers.
    pub(crate) fn worker(&self) -> &Arc<Worker<Job<M>>> {
        self.shared.worker(&self.shard)
    }

    /// The time of the room.
    pub(crate) fn now(&self) -> Instant {
        self.shared.now()
    }

    /// Returns the session, to publish from.
    pub fn session(&self) -> SessionId {
        self.reader.session
    }

    /// Returns the last message that this session does *not* get: a host that keeps a history fills
    /// in up to and with this one.
    pub fn starts_after(&self) -> Seq {
        self.starts_after
    }

    /// Returns where the session started to read.
    pub fn start(&self) -> StartPosition {
        self.start
    }

    /// Returns where the session stands, for it to come back to with
    /// [`Join::resume`](crate::Join::resume): behind the batches that were taken, whether or not
    /// they could be sent. `None` when it has ended, or is about to.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.resume_token_at(TokenAt::HandedOver)
    }

    /// Returns where the session stands: behind what was handed over, or with
    /// [`TokenAt::Acknowledged`](crate::session::TokenAt) behind what the client has acknowledged
    /// ([`ack`](Self::ack)), at each level for itself. Then whatever was on its way when the
    /// connection broke comes again, and the client drops what it has by number.
    pub fn resume_token_at(&self, at: TokenAt) -> Option<ResumeToken> {
        self.shared.resume_token(self.reader.session, at)
    }

    /// As [`resume_token`](Self::resume_token), but from before this batch, the last that was
    /// taken, which could not be sent.
    pub fn resume_token_before(&self, batch: &Batch<M>) -> Option<ResumeToken> {
        let (session, unsent) = (self.reader.session, batch.rewind());
        self.shared.resume_token_over(session, TokenAt::HandedOver, Some(&unsent))
    }

    /// The client says that it has all messages of a level up to the one with this number
    /// ([`Message::seq`](crate::Message::seq)); what stands acknowledged never goes back, nor
    /// beyond what was handed over. Returns whether the session is in and does not end. See
    /// [`resume_token_at`](Self::resume_token_at).
    pub fn ack(&self, priority: Priority, seq: Seq) -> bool {
        self.shared.ack(self.reader.session, priority, seq)
    }

    /// Where the client goes on once its connection has broken: behind what it has acknowledged, if
    /// it acknowledges, or else before the batch that could not be sent.
    pub(crate) fn end_token(&self, unsent: Option<&Batch<M>>) -> Option<ResumeToken> {
        let unsent = unsent.map(Batch::rewind);
        self.shared.end_token(self.reader.session, unsent.as_ref())
    }

    /// Sets the levels that the session does not want, from the next message on; returns whether it
    /// is still in. See [`Audience::set_masked_levels`](crate::core::Audience::set_masked_levels).
    pub fn set_masked_levels(&self, mask: LevelSet) -> bool {
        self.shared.set_masked_levels(self.reader.session, mask)
    }

    /// Returns why the session ended, once a batch call has said so.
    pub fn end_reason(&self) -> Option<EndReason> {
        match self.ended {
            Some(SessionEnd::Closed(reason)) => Some(reason),
            _ => None,
        }
    }

    /// The peer said something: the session shows life. Returns whether it is in and nothing has
    /// closed it. See [`Session::touch`](crate::session::Session::touch).
    pub fn touch(&self) -> bool {
        self.shared.touch(self.reader.session)
    }

    /// Waits for the next batch. High comes first, each level behind its gap.
    ///
    /// # Errors
    /// The session has ended: it left, the room closed, or someone took the session out. Every
    /// later call says the same.
    ///
    /// # Cancel safety
    /// Cancel safe: a batch is taken in the same poll that returns it, so dropping the future loses
    /// nothing.
    ///
    /// # Cost
    /// What is read: O(messages of the batch). It takes the lock of the session's shard, and the
    /// admission's only to pick up what was dispatched since.
    pub async fn next_batch(&mut self) -> Result<Batch<M>, SessionEnd> {
        poll_fn(|cx| self.poll_next_batch(cx)).await
    }

    /// As [`next_batch`](Self::next_batch), for hand-written futures. Only the last task to poll is
    /// woken.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    #[inline]
    pub fn poll_next_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch<M>, SessionEnd>> {
        match self.take(Some(cx.waker())) {
            Ok(Some(batch)) => Poll::Ready(Ok(batch)),
            Ok(None) => Poll::Pending,
            Err(end) => Poll::Ready(Err(end)),
        }
    }

    /// Takes the next batch if there is one by now. Never waits.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn try_next_batch(&mut self) -> Result<Option<Batch<M>>, SessionEnd> {
        self.take(None)
    }

    /// Blocks the thread until there is a batch, or for this long; `Ok(None)` when the time is up.
    /// For threads, not for tasks.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn next_batch_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        // A timeout beyond what the clock can tell is none.
        let deadline = std::time::Instant::now().checked_add(timeout);
        let waker = thread_waker();
        loop {
            if let Some(batch) = self.take(Some(&waker))? {
                return Ok(Some(batch));
            }
            if !park_until(deadline) {
                return self.take(None);
            }
        }
    }

    /// Counts messages of a batch that the host took and could not send. They stay `delivered` in
    /// the room's books, which end where the batch is handed over, and show as `unsent` in the
    /// room's [`RoomStats`](crate::stats::RoomStats).
    pub fn count_unsent(&self, messages: u64) {
        self.shared.count_unsent(messages);
    }

    fn take(&mut self, waker: Option<&Waker>) -> Result<Option<Batch<M>>, SessionEnd> {
        if let Some(end) = self.ended {
            return Err(end);
        }
        let parts = waker.map_or((0, 0), |waker| {
            (waker.data() as usize, std::ptr::from_ref(waker.vtable()) as usize)
        });
        // The usual second look of a reader's loop: nothing has happened since, and this very waker
        // waits. The clone that waits keeps the parts from being used again.
        if waker.is_some()
            && parts == self.parts
            && self.reader.waits_since == Some(self.shard.epoch())
        {
            return Ok(None);
        }
        self.parts = parts;
        let answer = self.shared.next_batch(&self.shard, &mut self.reader, self.budget, waker);
        if let Err(end) = answer {
            self.ended = Some(end);
        }
        answer
    }
}

impl<M: Payload + Send + Sync + 'static> Stream for Subscription<M> {
    type Item = Batch<M>;

    /// The batches; the stream ends with the session. [`Subscription::end_reason`] tells why.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Batch<M>>> {
        self.poll_next_batch(cx).map(Result::ok)
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for Subscription<M> {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.shared.abandon(self.reader.session);
        }
    }
}
