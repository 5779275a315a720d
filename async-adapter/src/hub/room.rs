//! The public handle of one room.

use super::Inner;
use super::current::{Current, WhenExpired};
use super::data::RoomData;
use super::keys::{Joining, RoomKey};
use super::moderation::Moderation;
use super::name::Name;
use super::session::Session;
use crate::reading::subscription::Subscription;
use crate::room::SharedRoom;
use crate::room::gate::Stands;
use crate::room::pending_review::PendingReview;
use crate::stats::RoomStats;
use crate::sync::Arc;
use roomcast_core::admission::{ReviewDecision, ReviewError};
use roomcast_core::direct::{DirectReceipt, DirectRefused};
use roomcast_core::error::{CloseError, JoinError, LeaveError, ReconfigureError};
use roomcast_core::event::EndReason;
use roomcast_core::ids::Ticket;
use roomcast_core::message::OutcomeSink;
use roomcast_core::pins::PinId;
use roomcast_core::rights::Role;
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::timed::Until;
use roomcast_core::{
    Actor, Admission, Direct, Group, Outcome, Payload, Publish, Receipt, Recipient, Refused,
    RoomConfig, RoomId, SessionId, UserId,
};

/// How often a join lets other threads run while the host is told of the end of an expired room.
const WAITS_FOR_END: u32 = 1_000;

/// One room of a hub; cheap to clone, callable from every task and thread.
///
/// A handle that [`Hub::open_room`](crate::Hub::open_room) returned outlives a room that expires by
/// itself: [`join`](Self::join) opens that room anew, and the handle stands for the new one. Every
/// other handle stands for its one room, open or closed.
///
/// ```
/// use roomcast::{Hub, Join, Priority, Publish, RoomConfig, RoomId, Source, UserId};
///
/// let hub = Hub::<&str>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let ann = room.join(Join::user(UserId(7)))?;
///
/// let gift = Publish::new(Source::Session(ann.session()), "a rocket").priority(Priority::High);
/// match room.try_publish(gift) {
///     Ok(receipt) => assert!(receipt.outcome.is_some(), "a quiet room dispatches at once"),
///     Err(refused) => println!("{refused}: {} comes back", refused.payload),
/// }
/// assert_eq!(room.stats().room.admission.users, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Room<M: Payload + Send + Sync + 'static, U = Arc<str>> {
    shared: Arc<SharedRoom<M>>,
    hub: Arc<Inner<M, U>>,
    name: Option<Arc<U>>,
    is_new: bool,
    when_expired: WhenExpired,
}

impl<M: Payload + Send + Sync + 'static, U> Clone for Room<M, U> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            hub: Arc::clone(&self.hub),
            name: self.name.clone(),
            is_new: self.is_new,
            when_expired: self.when_expired,
        }
    }
}

impl<M: Payload + Send + Sync + 'static, U> std::fmt::Debug for Room<M, U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room")
            .field("id", &self.shared.id())
            .field("is_new", &self.is_new)
            .finish_non_exhaustive()
    }
}

impl<M: Payload + Send + Sync + 'static, U: Name> Room<M, U> {
    pub(super) fn new(
        shared: Arc<SharedRoom<M>>,
        hub: Arc<Inner<M, U>>,
        name: Option<Arc<U>>,
        is_new: bool,
        when_expired: WhenExpired,
    ) -> Self {
        Self { shared, hub, name, is_new, when_expired }
    }

    /// The room that this handle stands for.
    #[inline]
    pub(super) fn current(&self) -> Current<'_, M> {
        if self.shared.has_expired() {
            self.current_of_expired()
        } else {
            Current::Own(&self.shared)
        }
    }

    #[cold]
    fn current_of_expired(&self) -> Current<'_, M> {
        match (self.when_expired, self.hub.look_up(self.key())) {
            (WhenExpired::OpensAnew, Some((shared, _))) => Current::Anew(shared),
            _ => Current::Own(&self.shared),
        }
    }

    /// The room that this handle stands for; if it has expired, one that is opened in its place.
    pub(crate) fn current_or_anew(&self) -> Arc<SharedRoom<M>> {
        let current = self.current();
        if self.when_expired == WhenExpired::StaysClosed || !current.has_expired() {
            return Arc::clone(&current);
        }
        for _ in 0..WAITS_FOR_END {
            if current.is_ended() {
                let opened = self.hub.open(self.key(), &current.settings(), Stands::AtRoom);
                return opened.map_or_else(|_| Arc::clone(&current), |opened| opened.shared);
            }
            // Another thread is telling the host of the end, or the host joins as it is told.
            crate::sync::thread::yield_now();
        }
        Arc::clone(&current)
    }

    fn key(&self) -> RoomKey<U> {
        match &self.name {
            Some(name) => RoomKey::Name(U::clone(name)),
            None => RoomKey::Id(self.shared.id()),
        }
    }

    /// The room's number: the host's own, or the one that the hub gave to its name.
    pub fn id(&self) -> RoomId {
        self.current().id()
    }

    /// The room's name; `None` when it was opened by a number.
    pub fn name(&self) -> Option<&U> {
        self.name.as_deref()
    }

    /// As [`Hub::user_id`](crate::Hub::user_id): the number of a user of this name.
    ///
    /// ```
    /// use roomcast::{Actor, Hub, RoomConfig};
    ///
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// let bob = room.join("bob")?;
    /// room.moderation(Actor::Host).kick(&[room.user_id("bob")])?;
    /// assert!(room.recent_names().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_id(&self, name: impl Into<U>) -> UserId {
        self.hub.names.user_id(self.current().now(), name.into())
    }

    /// As [`Hub::user_name`](crate::Hub::user_name): the name of a user.
    pub fn user_name(&self, user: UserId) -> Option<U> {
        self.hub.names.user_name(user)
    }

    /// Returns whether the call that returned this handle made the room.
    ///
    /// [`Hub::open_room`](crate::Hub::open_room) of a room that exists leaves that room's
    /// configuration as it is.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The seed of the room's hashes and random choices: that of its configuration, or else the one
    /// that the hub gave it, at random unless [`HubBuilder::seed`](crate::HubBuilder::seed) says
    /// otherwise. A host that puts it down with what the room was asked can replay the room in the
    /// core, to the same choices. Keep it from those who choose their ids.
    pub fn seed(&self) -> u64 {
        self.current().seed()
    }

    /// Offers a message and returns at once. It never awaits and never waits for a reader, whatever
    /// the audience.
    ///
    /// If the receipt holds no outcome yet, the outcome comes as an event to the hook of
    /// [`HubBuilder::on_event`](crate::HubBuilder::on_event), with the tag that `publish` asked for
    /// with [`OutcomeSink::Event`].
    ///
    /// # Errors
    /// The refusal says why, which limit decided, when to try again, and hands the payload back.
    ///
    /// # Cost
    /// O(1), whatever the audience. It takes the admission's lock, and in a room with a heartbeat
    /// that of the sender's shard for a moment, if nobody has it.
    pub fn try_publish(&self, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        self.current().publish(publish)
    }

    /// Offers a burst of messages, likes above all, and returns for each, in their order, what
    /// [`try_publish`](Self::try_publish) would: as if they were offered one after the other at one
    /// instant. It takes the room's lock and calls its workers once for 64 of them; other callers
    /// may come in between.
    ///
    /// # Errors
    /// Of each message its own, as [`try_publish`](Self::try_publish).
    pub fn try_publish_many(&self, many: Vec<Publish<M>>) -> Vec<Result<Receipt, Refused<M>>> {
        self.current().publish_many(many)
    }

    /// Offers a message and waits for its outcome, however the message asked to be reported.
    ///
    /// # Errors
    /// As [`try_publish`](Self::try_publish), at once.
    ///
    /// # Cancel safety
    /// Nothing is published before the first poll. From then on, dropping the future gives up the
    /// answer and not the message.
    pub async fn publish(&self, publish: Publish<M>) -> Result<Outcome, Refused<M>> {
        // Registered before the call, so that the outcome finds it however soon it comes.
        let answer = self.current().outcome_waiters().register();
        let receipt =
            self.current().publish(publish.outcome_sink(OutcomeSink::Waiter(answer.tag())))?;
        match receipt.outcome {
            Some(outcome) => Ok(outcome),
            None => Ok(answer.await),
        }
    }

    /// Returns the message that a ticket stands for; `None` when it is no longer under review.
    pub fn pending_review(&self, ticket: Ticket) -> Option<PendingReview<M>>
    where
        M: Clone,
    {
        self.current().pending_review(ticket)
    }

    /// Decides on a message that is under review; the ticket is in its receipt. Whoever published
    /// it hears of its outcome as asked for. See [`Hub::review_with`](crate::Hub::review_with)
    /// for a hook that does this.
    ///
    /// # Errors
    /// The message is no longer under review, or the new payload is too large.
    pub fn review(
        &self,
        ticket: Ticket,
        decision: ReviewDecision<M>,
    ) -> Result<(), ReviewError<M>> {
        self.current().admit(|admission, now| admission.review(now, ticket, decision))
    }

    /// Lets a session in and returns its subscription; dropping that leaves. In a hub of
    /// [`exclusive_membership`](crate::HubBuilder::exclusive_membership) the user leaves the room
    /// that he or she was in.
    ///
    /// A room that has expired ([`idle_timeout`](crate::config::RoomConfigBuilder::idle_timeout))
    /// is opened anew, as [`Hub::open_room`](crate::Hub::open_room) would with the configuration
    /// that the room had at its end, if that is how this handle came about; from then on the handle
    /// stands for the new room. One that somebody closed stays closed.
    ///
    /// Who joins is a name (with strings as names `&str`, `String` or `Arc<str>`), a [`Joining`]
    /// for more of it, or a [`Join`](crate::Join) of a number of the host's own or of a guest.
    ///
    /// The hub gives out the groups: subscriptions are in [`Group::DEFAULT`], whatever `join` says,
    /// and each pump has one of its own.
    ///
    /// # Errors
    /// The room is closed or full, the user is banned or has too many sessions, the connection's
    /// former session is still in, or the profile is too large. An expired room counts as closed
    /// in the hook that is told of its end, and where the hub has as many rooms as it may have.
    ///
    /// # Cost
    /// O(1). It takes the locks of the shard in question and of the admission.
    pub fn join(&self, join: impl Into<Joining<M, U>>) -> Result<Subscription<M>, JoinError> {
        let join = join.into().by_number(|name| self.user_id(name));
        // A pump that swept it would take its end from it.
        let join = join.group(Group::DEFAULT);
        let mut shared = self.current_or_anew();
        let mut join = shared.unseal(join);
        let mut joined = self.hub.registry.join(&shared, &mut join);
        if joined == Err(JoinError::RoomClosed) && shared.has_expired() {
            // Meanwhile.
            shared = self.current_or_anew();
            joined = self.hub.registry.join(&shared, &mut join);
        }
        Ok(Subscription::new(shared, Arc::clone(&self.hub.workers), joined?))
    }

    /// Takes a user out on all devices. The sessions still take what they are due, then the reason.
    ///
    /// # Errors
    /// The user is not in, or owns the room.
    ///
    /// # Cost
    /// O(sessions of the user). It takes all of the room's locks.
    pub fn leave(&self, user: UserId) -> Result<(), LeaveError> {
        self.current().leave(user, EndReason::Left, || false)
    }

    /// Sends a message to one session, or to all sessions of a user, beside the room's rate and its
    /// queue: each gets it in a batch, at its level, behind what the room has dispatched so far,
    /// and is woken at once. It takes the locks of the shards in question, as
    /// [`Moderation::kick`](crate::moderation::Moderation::kick) does. A farewell is sent first,
    /// then comes the kick. See
    /// [`RoomState::send_direct`](crate::core::RoomState::send_direct).
    ///
    /// # Errors
    /// Nobody got it: the room is closed, the payload too large, nobody by that name in, or their
    /// queues full. The payload comes back.
    pub fn send_direct(
        &self,
        to: Recipient,
        direct: Direct<M>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        self.current().send_direct(to, direct)
    }

    /// Ends one session, as when the host shows somebody out: it still takes what it is due, then
    /// the last words, if there are any, then
    /// [`EndReason::Ended`](crate::event::EndReason::Ended). They come behind everything else, and
    /// find a place where as many direct messages wait as may. To take a session out at once, see
    /// [`Session::close`].
    ///
    /// ```
    /// # use roomcast::error::SessionEnd;
    /// # use roomcast::event::EndReason;
    /// # use roomcast::{Direct, Hub, Join, Publish, RoomConfig, RoomId, Source};
    /// # let hub = Hub::<&str>::builder().spawn_threads()?;
    /// # let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
    /// let mut guest = room.join(Join::guest())?;
    /// let _ = room.try_publish(Publish::new(Source::Host, "hello"))?;
    /// room.end_session(guest.session(), Direct::new("you have been away for long"))?;
    ///
    /// let batch = guest.try_next_batch()?.expect("what is due");
    /// assert_eq!(batch.messages()[0].payload, "hello");
    /// let farewell = batch.directs().next().map(|direct| direct.payload);
    /// assert_eq!(farewell, Some("you have been away for long"));
    /// assert_eq!(guest.try_next_batch().unwrap_err(), SessionEnd::Closed(EndReason::Ended));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The room is closed, the last words are larger than a direct message may be, or the session
    /// is not in or ends already. Nothing has ended then, and the last words come back.
    ///
    /// # Cost
    /// O(sessions of the user). It takes the locks of the session's shard and of the admission.
    pub fn end_session(
        &self,
        session: SessionId,
        farewell: impl Into<Option<Direct<M>>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        self.current().end_session(session, farewell.into())
    }

    /// Closes the room for good: nothing more is accepted, what waits is dropped, every session
    /// gets what it is still due, then the reason.
    /// [`Event::RoomEnded`](crate::Event::RoomEnded) says when everyone has gone.
    ///
    /// # Errors
    /// The actor may not close it, or it is already closed.
    ///
    /// # Cost
    /// O(1) in the audience. It takes all of the room's locks.
    pub fn close(&self, actor: Actor) -> Result<(), CloseError> {
        self.current().close(actor)
    }

    /// Returns until when a user is muted, if so.
    pub fn muted_until(&self, user: UserId) -> Option<Until> {
        let shared = self.current();
        shared.peek(|admission| admission.muted_until(shared.now(), user))
    }

    /// Returns until when a user is banned, if so.
    pub fn banned_until(&self, user: UserId) -> Option<Until> {
        let shared = self.current();
        shared.peek(|admission| admission.banned_until(shared.now(), user))
    }

    /// Returns what the room asks of those who speak.
    pub fn speak_mode(&self) -> SpeakMode {
        self.current().peek(Admission::speak_mode)
    }

    /// Returns the numbers of what is pinned, in the order in which it was.
    pub fn pinned(&self) -> Vec<PinId> {
        self.current().peek(Admission::pinned)
    }

    /// Returns whether a user is marked.
    pub fn is_marked(&self, user: UserId) -> bool {
        self.current().peek(|admission| admission.is_marked(user))
    }

    /// Returns what a user is in this room, present or not.
    pub fn role_of(&self, user: UserId) -> Role {
        self.current().peek(|admission| admission.role_of(user))
    }

    /// Continues under another configuration: quotas and bounds change, policies do not. It takes
    /// all of the room's locks, as [`Moderation::kick`](crate::moderation::Moderation::kick) does,
    /// and no reader or publisher sees half of it. What is due under the new configuration is done
    /// by the room's workers, at once. The table of what happens to each setting stands at
    /// [`RoomState::reconfigure`](crate::core::RoomState::reconfigure).
    ///
    /// # Errors
    /// The room is closed, or the new configuration changes what is fixed for its life. Nothing has
    /// changed then.
    pub fn reconfigure(&self, config: &RoomConfig) -> Result<(), ReconfigureError> {
        self.current().reconfigure(config)
    }

    /// Moderates the room in the name of `actor`: kicks, bans, mutes, admins.
    pub fn moderation(&self, actor: Actor) -> Moderation<'_, M> {
        Moderation::new(self.current(), actor)
    }

    /// The room's own data: attributes, counters, profiles, and what lasts over a restart.
    pub fn data(&self) -> RoomData<'_, M, U> {
        RoomData::new(self.current(), &self.hub.names)
    }

    /// One session of the room, whether or not it is in.
    pub fn session(&self, session: SessionId) -> Session<'_, M> {
        Session::new(self.current(), session)
    }

    /// Returns how many sessions are in, those among them that are about to end. O(shards), and no lock
    /// is taken; [`stats`](Self::stats) has it with the rest of the books.
    pub fn sessions(&self) -> u64 {
        self.current().sessions()
    }

    /// Returns the books, both halves at one instant.
    ///
    /// It takes the locks of all shards and then the admission's: publishers wait while the
    /// admission's books are copied, readers of this room until the shards' books are added up. It
    /// imports no broadcast, tells no event and runs no hook. O(shards).
    pub fn stats(&self) -> RoomStats {
        RoomStats { room: self.current().snapshot(), unsent: self.current().unsent() }
    }

    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn registry(&self) -> &Arc<super::registry::RoomRegistry<M>> {
        &self.hub.registry
    }

    /// The room that the handle was made for, and the one that it stands for.
    pub(super) fn own_and_current(&self) -> (&Arc<SharedRoom<M>>, Current<'_, M>) {
        (&self.shared, self.current())
    }

    /// The edge that the room is, for its port.
    pub(super) fn edge(&self) -> Arc<SharedRoom<M>> {
        Arc::clone(&self.shared)
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn names(&self) -> &Arc<super::names::Names<U>> {
        &self.hub.names
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn workers(&self) -> &Arc<crate::drive::worker::Workers<crate::room::Job<M>>> {
        &self.hub.workers
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<SharedRoom<M>> {
        &self.shared
    }
}
