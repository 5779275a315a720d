//! One room of a hub, as the host calls it.

use crate::review::PendingReview;
use crate::room_registry::RoomRegistry;
use crate::shared_room::{Job, SharedRoom};
use crate::subscription::Subscription;
use crate::worker::Workers;
use roomcast_core::{
    Actor, Admission, CloseError, DataError, Direct, DirectReceipt, DirectRefused, Duration,
    EndReason, Group, ImportError, Join, JoinError, LeaveError, LevelSet, ModerationError, Outcome,
    OutcomeSink, Payload, PersistedState, ProfileError, Publish, Receipt, Recipient,
    ReconfigureError, Refused, ResumeToken, ReviewDecision, ReviewError, Role, RoomConfig, RoomId,
    RoomSnapshot, SessionId, Ticket, Until, UserId,
};
use std::sync::Arc;

/// One room of a hub; cheap to clone, callable from every task and thread.
#[derive(Debug)]
pub struct Room<M: Payload + Send + Sync + 'static> {
    shared: Arc<SharedRoom<M>>,
    workers: Arc<Workers<Job<M>>>,
    registry: Arc<RoomRegistry<M>>,
}

impl<M: Payload + Send + Sync + 'static> Clone for Room<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            workers: Arc::clone(&self.workers),
            registry: Arc::clone(&self.registry),
        }
    }
}

/// The books of a room and of its transports at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveSnapshot {
    /// The books of the room.
    pub room: RoomSnapshot,
    /// Messages that count as delivered and that a transport could not send: what
    /// [`forward`](crate::forward) took and lost.
    pub unsent: u64,
}

/// A room's attributes at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributesSnapshot {
    /// Their version: what the next change is based on.
    pub version: u64,
    /// Keys and values, by key.
    pub entries: Vec<(String, Arc<[u8]>)>,
}

impl<M: Payload + Send + Sync + 'static> Room<M> {
    pub(crate) fn new(
        shared: Arc<SharedRoom<M>>,
        workers: Arc<Workers<Job<M>>>,
        registry: Arc<RoomRegistry<M>>,
    ) -> Self {
        Self { shared, workers, registry }
    }

    /// The room's id.
    pub fn id(&self) -> RoomId {
        self.shared.id()
    }

    /// The seed of the room's hashes and random choices: that of its configuration, or else the one
    /// that the hub gave it, at random unless [`HubBuilder::seed`](crate::HubBuilder::seed) says
    /// otherwise. A host that puts it down with what the room was asked can replay the room in the
    /// core, to the same choices. Keep it from those who choose their ids.
    pub fn seed(&self) -> u64 {
        self.shared.seed()
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
    pub fn try_publish(&self, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        self.shared.publish(publish)
    }

    /// Offers a burst of messages, likes above all, and returns for each, in their order, what
    /// [`try_publish`](Self::try_publish) would: as if they were offered one after the other at one
    /// instant. It takes the room's lock and calls its workers once for 64 of them; other callers
    /// may come in between.
    pub fn try_publish_many(&self, many: Vec<Publish<M>>) -> Vec<Result<Receipt, Refused<M>>> {
        self.shared.publish_many(many)
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
        let answer = self.shared.outcome_waiters().register();
        let receipt =
            self.shared.publish(publish.outcome_sink(OutcomeSink::Waiter(answer.tag())))?;
        match receipt.outcome {
            Some(outcome) => Ok(outcome),
            None => Ok(answer.await),
        }
    }

    /// The message that a ticket stands for; `None` when it waits for a verdict no more.
    pub fn pending_review(&self, ticket: Ticket) -> Option<PendingReview<M>>
    where
        M: Clone,
    {
        self.shared.pending_review(ticket)
    }

    /// The verdict on a message that waits for it; the ticket is in its receipt. Whoever published
    /// it hears of its outcome as asked for. See [`Hub::review_with`](crate::Hub::review_with) for
    /// a hook that does this.
    ///
    /// # Errors
    /// The message waits no more, or the new payload is too large.
    pub fn review(
        &self,
        ticket: Ticket,
        decision: ReviewDecision<M>,
    ) -> Result<(), ReviewError<M>> {
        self.shared.admit(|admission, now| admission.review(now, ticket, decision))
    }

    /// Lets a session in and returns its subscription; dropping that leaves. In a hub of
    /// [`exclusive_membership`](crate::HubBuilder::exclusive_membership) the user leaves the room
    /// that he or she was in.
    ///
    /// The hub gives out the groups: subscriptions are in [`Group::DEFAULT`], whatever `join` says,
    /// and each pump has one of its own.
    pub fn join(&self, join: Join<M>) -> Result<Subscription<M>, JoinError> {
        // A pump that swept it would take its end from it.
        let joined = self.registry.join(&self.shared, join.group(Group::DEFAULT))?;
        Ok(Subscription::new(Arc::clone(&self.shared), Arc::clone(&self.workers), joined))
    }

    /// Takes a user out on all devices. The sessions still take what they are due, then the reason.
    pub fn leave(&self, user: UserId) -> Result<(), LeaveError> {
        self.shared.leave(user, EndReason::Left, || false)
    }

    /// Takes one session out at once; its subscription learns that it is gone. Returns whether it
    /// was in.
    pub fn close_session(&self, session: SessionId) -> bool {
        self.shared.close_session(session)
    }

    /// Sets the levels that a session does not want, from the next message on; returns whether it
    /// is in. See [`Audience::set_masked_levels`](crate::Audience::set_masked_levels).
    pub fn set_masked_levels(&self, session: SessionId, mask: LevelSet) -> bool {
        self.shared.set_masked_levels(session, mask)
    }

    /// Where a session stands, for it to come back to with [`Join::resume`], in any shard; `None`
    /// when it is not in, or ends. A host whose client is back before its old connection was found
    /// dead closes that session first, and then joins with the token.
    pub fn resume_token(&self, session: SessionId) -> Option<ResumeToken> {
        self.shared.resume_token(session)
    }

    /// Sends a message to one session, or to all sessions of a user, beside the room's rate and its
    /// queue: each gets it in a batch, at its level, behind what the room has dispatched so far,
    /// and is woken at once. It takes the locks of the shards in question, as [`kick`](Self::kick)
    /// does. A farewell is sent first, then comes the kick. See
    /// [`RoomState::send_direct`](crate::RoomState::send_direct).
    ///
    /// # Errors
    /// Nobody got it: the room is closed, the payload too large, nobody by that name in, or their
    /// queues full. The payload comes back.
    pub fn send_direct(
        &self,
        to: Recipient,
        direct: Direct<M>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        self.shared.send_direct(to, direct)
    }

    /// A session shows life, as with each heartbeat that its client sends. Returns whether it is in
    /// and nothing has closed it.
    ///
    /// Where the room's [`heartbeat`](crate::RoomConfigBuilder::heartbeat) is set, a host calls
    /// this for whatever a connection says beside its messages: publishing is a sign of life by
    /// itself. O(1); takes the lock of the shard that the session sits in.
    pub fn touch(&self, session: SessionId) -> bool {
        self.shared.touch(session)
    }

    /// The users who came online last by a join and are online now, the newest first: of the last
    /// 1,000 arrivals, or as many as [`recent_users`](crate::RoomConfigBuilder::recent_users) says.
    /// It holds the admission's lock while it looks them up, so it is for a page that is drawn now
    /// and then, not for every message.
    pub fn recent_users(&self) -> Vec<UserId> {
        self.shared.peek(Admission::recent_users)
    }

    /// Closes the room: nothing more is accepted, what waits is dropped, every session gets what it
    /// is still due, then the reason. [`Event::RoomEnded`](crate::Event::RoomEnded) says when
    /// everyone has gone.
    pub fn close(&self, actor: Actor) -> Result<(), CloseError> {
        self.shared.close(actor)
    }

    /// Names a user admin, or no longer. Returns whether that changed anything.
    pub fn set_admin(
        &self,
        actor: Actor,
        user: UserId,
        is_admin: bool,
    ) -> Result<bool, ModerationError> {
        self.shared.admit(|admission, now| admission.set_admin(now, actor, user, is_admin))
    }

    /// Keeps users from speaking for a time (`None`: for good), through leave and rejoin. At most
    /// 256 in one call.
    pub fn mute(
        &self,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.mute(now, actor, users, time))
    }

    /// Lets users speak again.
    pub fn unmute(&self, actor: Actor, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.unmute(now, actor, users))
    }

    /// Lets only the owner and the admins speak, or everyone again.
    pub fn mute_room(&self, actor: Actor, muted: bool) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.mute_room(now, actor, muted))
    }

    /// Takes users out: their sessions still get what they are due, then the reason; what they have
    /// in the queue is dropped.
    pub fn kick(&self, actor: Actor, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.kick(actor, users)
    }

    /// Takes users out and keeps them out for a time (`None`: for good). At most 256 in one call.
    pub fn ban(
        &self,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        self.shared.ban(actor, users, time)
    }

    /// Lets banned users in again.
    pub fn unban(&self, actor: Actor, users: &[UserId]) -> Result<(), ModerationError> {
        self.shared.admit(|admission, now| admission.unban(now, actor, users))
    }

    /// Until when a user is muted, if so.
    pub fn muted_until(&self, user: UserId) -> Option<Until> {
        self.shared.peek(|admission| admission.muted_until(self.shared.now(), user))
    }

    /// Until when a user is banned, if so.
    pub fn banned_until(&self, user: UserId) -> Option<Until> {
        self.shared.peek(|admission| admission.banned_until(self.shared.now(), user))
    }

    /// What a user is in this room, present or not.
    pub fn role_of(&self, user: UserId) -> Role {
        self.shared.peek(|admission| admission.role_of(user))
    }

    /// Writes attributes, all of these changes or none; returns the new version. See
    /// [`Admission::write_attributes`](crate::Admission::write_attributes).
    pub fn write_attributes(
        &self,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        self.shared.admit(|admission, now| admission.write_attributes(now, based_on, changes))
    }

    /// All attributes, at one version.
    pub fn attributes(&self) -> AttributesSnapshot {
        self.shared.peek(|admission| {
            let entries =
                admission.attributes().map(|(key, value)| (key.to_owned(), Arc::clone(value)));
            AttributesSnapshot {
                version: admission.attributes_version(),
                entries: entries.collect(),
            }
        })
    }

    /// Sets a counter, whatever it said; returns what that was.
    pub fn set_counter(&self, key: &str, value: i64) -> Result<Option<i64>, DataError> {
        self.shared.admit(|admission, _| admission.set_counter(key, value))
    }

    /// Adds to a counter; one that is missing starts at 0. Returns the sum, which never wraps.
    pub fn add_counter(&self, key: &str, delta: i64) -> Result<i64, DataError> {
        self.shared.admit(|admission, _| admission.add_counter(key, delta))
    }

    /// Takes a counter away; returns what it said.
    pub fn remove_counter(&self, key: &str) -> Option<i64> {
        self.shared.admit(|admission, _| admission.remove_counter(key))
    }

    /// All counters, by key.
    pub fn counters(&self) -> Vec<(String, i64)> {
        self.shared.peek(|admission| {
            admission.counters().map(|(key, value)| (key.to_owned(), value)).collect()
        })
    }

    /// What the room carries over a restart, or to another machine: everything about people and
    /// data, nothing about sessions and messages. Mutes and bans end at instants of the hub's
    /// [`Clock`](crate::Clock): those of a clock of your own must mean the same to whoever imports
    /// them, as those of the hub's default clock do.
    pub fn export(&self) -> PersistedState {
        self.shared.peek(|admission| admission.export(self.shared.now()))
    }

    /// Takes over what a room carried, in place of what is here: all of it, or with an error
    /// nothing.
    pub fn import(&self, carried: PersistedState) -> Result<(), ImportError> {
        self.shared.admit(|admission, now| admission.import(now, carried))
    }

    /// Goes on under another configuration: quotas and bounds change, policies do not. It takes all
    /// of the room's locks, as [`kick`](Self::kick) does, and no reader or publisher sees half of
    /// it. What is due under the new configuration is done by the room's workers, at once. The
    /// table of what happens to each setting stands at
    /// [`RoomState::reconfigure`](crate::RoomState::reconfigure).
    ///
    /// # Errors
    /// The room is closed, or the new configuration changes what is fixed for its life. Nothing has
    /// changed then.
    pub fn reconfigure(&self, config: &RoomConfig) -> Result<(), ReconfigureError> {
        self.shared.reconfigure(config)
    }

    /// Sets what travels with a user's messages from the next one on; `None` takes it away.
    pub fn set_profile(&self, user: UserId, profile: Option<M>) -> Result<(), ProfileError<M>> {
        self.shared.admit(|admission, _| admission.set_profile(user, profile))
    }

    /// The books, both halves at one instant. O(1).
    pub fn snapshot(&self) -> LiveSnapshot {
        LiveSnapshot { room: self.shared.snapshot(), unsent: self.shared.unsent() }
    }

    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn registry(&self) -> &Arc<RoomRegistry<M>> {
        &self.registry
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn workers(&self) -> &Arc<Workers<Job<M>>> {
        &self.workers
    }

    pub(crate) fn shared(&self) -> &Arc<SharedRoom<M>> {
        &self.shared
    }
}
