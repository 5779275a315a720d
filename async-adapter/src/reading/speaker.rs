//! The speaker: the sending half of a session that was split.

use crate::drive::worker::Workers;
use crate::room::token::ResumeToken;
use crate::room::{Job, SharedRoom};
use crate::sync::Arc;
use roomcast_core::direct::{DirectReceipt, DirectRefused};
use roomcast_core::ids::Seq;
use roomcast_core::message::OutcomeSink;
use roomcast_core::resume::TokenAt;
use roomcast_core::{
    Direct, Outcome, Payload, Priority, Publish, Receipt, Recipient, Refused, SessionId, Source,
};

/// The half of a session that speaks: [`Subscription::split`](crate::Subscription::split).
///
/// It and the [`Subscription`](crate::Subscription), which hears, may each be in a task of its own.
/// When either is dropped the session has left: at once for whatever counts or looks up sessions,
/// so that a rejoin right after is never refused for it.
///
/// ```
/// # use roomcast::{Hub, Join, Priority, RoomConfig, RoomId, UserId};
/// # use std::time::Duration;
/// let hub = Hub::<String>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let (say, mut hear) = room.join(Join::user(UserId(7)))?.split();
/// say.try_publish(say.message("a rocket".into()).priority(Priority::High))?;
/// say.reply("thank you".into())?;
/// let batch = hear.next_batch_timeout(Duration::from_secs(1))?.expect("a reply");
/// assert_eq!(batch.directs().len(), 1);
/// drop(say);
/// assert!(hear.next_batch_timeout(Duration::from_secs(1)).is_err(), "the session has left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Speaker<M: Payload + Send + Sync + 'static> {
    shared: Arc<SharedRoom<M>>,
    /// Keeps the workers alive.
    _workers: Arc<Workers<Job<M>>>,
    session: SessionId,
    /// Whether the session has left when this is dropped.
    leaves: bool,
}

impl<M: Payload + Send + Sync + 'static> Speaker<M> {
    pub(super) fn new(
        shared: Arc<SharedRoom<M>>,
        workers: Arc<Workers<Job<M>>>,
        session: SessionId,
    ) -> Self {
        Self { shared, _workers: workers, session, leaves: true }
    }

    /// Returns the session that speaks.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Returns a message of this session at `Normal`, to be given a priority, a kind or a key, and
    /// then to [`try_publish`](Self::try_publish).
    pub fn message(&self, payload: M) -> Publish<M> {
        Publish::new(Source::Session(self.session), payload)
    }

    /// Offers a message at `Normal`. It never awaits and never waits for a reader.
    ///
    /// # Errors
    /// The refusal says why, which limit decided, when to try again, and hands the payload back.
    pub fn send(&self, payload: M) -> Result<Receipt, Refused<M>> {
        self.try_publish(self.message(payload))
    }

    /// Offers a message, as [`Room::try_publish`](crate::Room::try_publish). Its source is this
    /// session, whatever it says.
    ///
    /// # Errors
    /// The refusal says why, which limit decided, when to try again, and hands the payload back.
    pub fn try_publish(&self, mut publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        publish.source = Source::Session(self.session);
        self.shared.publish(publish)
    }

    /// Offers a message and waits for its outcome, as [`Room::publish`](crate::Room::publish).
    ///
    /// # Errors
    /// As [`try_publish`](Self::try_publish), at once.
    ///
    /// # Cancel safety
    /// Nothing is published before the first poll. From then on, dropping the future gives up the
    /// outcome and not the message.
    pub async fn publish(&self, publish: Publish<M>) -> Result<Outcome, Refused<M>> {
        let outcome = self.shared.outcome_waiters().register();
        let publish = publish.outcome_sink(OutcomeSink::Waiter(outcome.tag()));
        match self.try_publish(publish)?.outcome {
            Some(decided) => Ok(decided),
            None => Ok(outcome.await),
        }
    }

    /// Sends something to this session alone, in its place among the room's messages.
    ///
    /// # Errors
    /// The session is gone, the room is closed, the payload is too large, or as many wait for the
    /// session as may. The payload comes back.
    pub fn reply(&self, payload: M) -> Result<DirectReceipt, DirectRefused<M>> {
        self.shared.send_direct(Recipient::Session(self.session), Direct::new(payload))
    }

    /// Ends the session from this side, as when the peer said goodbye: the half that hears still
    /// takes what is due, then the last words, then
    /// [`EndReason::Ended`](crate::event::EndReason::Ended).
    ///
    /// # Errors
    /// As [`Room::end_session`](crate::Room::end_session); then the session has left at once.
    pub fn end(
        mut self,
        farewell: impl Into<Option<Direct<M>>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        self.shared.end_session(self.session, farewell.into())?;
        self.leaves = false;
        Ok(())
    }

    /// Shows life: the peer has said something that is no message. Returns whether the session is
    /// in and nothing has closed it.
    pub fn touch(&self) -> bool {
        self.shared.touch(self.session)
    }

    /// Returns where the session stands, to come back to with
    /// [`Join::resume`](crate::Join::resume); `None` when it is not in, or ends.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.resume_token_at(TokenAt::HandedOver)
    }

    /// Returns where the session stands: behind what was handed over, or with
    /// [`TokenAt::Acknowledged`](crate::session::TokenAt) behind what the client has acknowledged
    /// ([`ack`](Self::ack)), at each level for itself. Then whatever was on its way when the
    /// connection broke comes again, and the client drops what it has by number.
    pub fn resume_token_at(&self, at: TokenAt) -> Option<ResumeToken> {
        self.shared.resume_token(self.session, at)
    }

    /// The client says that it has all messages of a level up to the one with this number
    /// ([`Message::seq`](crate::Message::seq)); what stands acknowledged never goes back, nor
    /// beyond what was handed over. Returns whether the session is in and does not end. See
    /// [`resume_token_at`](Self::resume_token_at).
    pub fn ack(&self, priority: Priority, seq: Seq) -> bool {
        self.shared.ack(self.session, priority, seq)
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for Speaker<M> {
    fn drop(&mut self) {
        if self.leaves {
            self.shared.abandon(self.session);
        }
    }
}
