//! A room of a cluster, as one of its nodes has it.

use super::ClusterBooks;
use super::order::Order;
use crate::wire::{Command, Decided, EncodedDirect, NotDone, Wire, Withdrawn};
use roomcast::error::{JoinError, LeaveError, ModerationError};
use roomcast::moderation::{PinId, Retraction};
use roomcast::stats::RoomStats;
use roomcast::{
    Actor, Direct, Join, Outcome, Payload, Publish, Receipt, Refused, Room, RoomConfig, RoomId,
    SessionId, Subscription, UserId,
};
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::timed::Until;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A room of a [`ClusterHub`](super::ClusterHub), for the members of this node; cheap to clone.
///
/// What concerns a session is done here, at once, as in a room of a [`Hub`](roomcast::Hub). What
/// concerns the room is done by its owner, wherever that is: so [`moderation`](Self::moderation) is
/// awaited, and a message's outcome comes later, never with its receipt.
pub struct ClusterRoom<M: Payload + Send + Sync + 'static> {
    id: RoomId,
    /// Another one once the log of the room was lost and made anew.
    pub(super) edge: Arc<RwLock<Room<M>>>,
    orders: mpsc::WeakSender<Order<M>>,
}

/// Why something that the owner does was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The owner did not do it: [`NotDone`] says why.
    #[error("the owner did not do it: {}", .0.name())]
    NotDone(NotDone),
    /// The log was lost after it had been sent: nobody knows whether it was done.
    #[error("the room's log was lost: nobody knows whether it was done")]
    Lost,
    /// The node has ended, or the room is closed here.
    #[error("the node has ended, or the room is closed here")]
    NodeEnded,
}

impl<M: Payload + Send + Sync + 'static> ClusterRoom<M> {
    pub(super) fn new(id: RoomId, edge: Room<M>, orders: mpsc::WeakSender<Order<M>>) -> Self {
        Self { id, edge: Arc::new(RwLock::new(edge)), orders }
    }

    /// Returns the number of the room.
    pub fn id(&self) -> RoomId {
        self.id
    }

    /// Returns the room of this node's hub: for whatever concerns its sessions alone, and is not
    /// offered here. Its moderation and data are those of this node, and say nothing to the room.
    pub fn here(&self) -> Room<M> {
        self.edge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets a session in, as [`Room::join`] does: it gets what the room dispatches from now on.
    ///
    /// # Errors
    /// As there: a banned user, a full room.
    pub fn join(&self, join: impl Into<Join<M>>) -> Result<Subscription<M>, JoinError> {
        self.here().join(join.into())
    }

    /// Takes a user's sessions out, as [`Room::leave`] does: those of this node.
    ///
    /// # Errors
    /// As there.
    pub fn leave(&self, user: UserId) -> Result<(), LeaveError> {
        self.here().leave(user)
    }

    /// Takes a message on its way to the owner. Never waits for the bus; the receipt holds no
    /// outcome, which comes as [`Publish::outcome_sink`] says.
    ///
    /// # Errors
    /// This node does not let it in, by the room's rules: nothing was sent.
    pub fn try_publish(&self, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        self.here().try_publish(publish)
    }

    /// Publishes, and returns what became of it once the owner has decided and the log has it. Of a
    /// message that was merged at the owner the carrier's number is not known here: it is 0.
    ///
    /// # Errors
    /// As [`try_publish`](Self::try_publish).
    ///
    /// # Cancel safety
    /// The message goes on; its outcome is told to nobody.
    pub async fn publish(&self, publish: Publish<M>) -> Result<Outcome, Refused<M>> {
        self.here().publish(publish).await
    }

    /// Returns until when a user is banned, as far as this node knows.
    pub fn banned_until(&self, user: UserId) -> Option<Until> {
        self.here().banned_until(user)
    }

    /// Returns until when a user is muted, as far as this node knows.
    pub fn muted_until(&self, user: UserId) -> Option<Until> {
        self.here().muted_until(user)
    }

    /// Ends a session of this node at once. Returns whether it was in.
    pub fn close_session(&self, session: SessionId) -> bool {
        self.here().session(session).close()
    }

    /// Returns the books of this node's edge. With those of the others they add up to the room's
    /// ([`Ledger::with_edges`](roomcast::stats::Ledger::with_edges)).
    pub fn stats(&self) -> RoomStats {
        self.here().stats()
    }

    /// Returns the books of the room by node, as this node reads them in the room's log.
    ///
    /// ```
    /// # use roomcast::{Hub, Join, RoomConfig, RoomId};
    /// # use roomcast_cluster::ClusterHub;
    /// # use roomcast_cluster::bus::LocalBus;
    /// # use roomcast_cluster::proto::NodeOptions;
    /// # use std::time::Duration;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bus = LocalBus::new();
    /// # let options = NodeOptions::new;
    /// # let node = |name| ClusterHub::<String>::join(Hub::start(), bus.connect(), options(name));
    /// # let (paris, tokyo) = (node(1), node(2));
    /// # let here = paris.open_room(RoomId(42), &RoomConfig::default()).await?;
    /// # let there = tokyo.open_room(RoomId(42), &RoomConfig::default()).await?;
    /// let (ann, bob) = (here.join(Join::guest())?, there.join(Join::guest())?);
    /// // Within a second or two, every node reads of both.
    /// while here.books().await?.sessions() < 2 || there.books().await?.sessions() < 2 {
    ///     tokio::time::sleep(Duration::from_millis(20)).await;
    /// }
    /// assert!(here.books().await?.balance());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CommandError::NodeEnded`].
    ///
    /// # Cost
    /// A copy of one row for each node, made by the task that drives this one.
    pub async fn books(&self) -> Result<ClusterBooks, CommandError> {
        let orders = self.orders.upgrade().ok_or(CommandError::NodeEnded)?;
        let (tell, told) = oneshot::channel();
        let order = Order::Books { room: self.id, tell };
        orders.send(order).await.map_err(|_| CommandError::NodeEnded)?;
        told.await.map_err(|_| CommandError::NodeEnded)
    }

    /// Returns what the owner does on behalf of `actor`.
    pub fn moderation(&self, actor: Actor) -> ClusterModeration<'_, M> {
        ClusterModeration { room: self, actor }
    }

    /// Goes on under another configuration, at every node: those at which the room is open, those
    /// that open it later, by whatever configuration, and whoever comes to own it. The owner that
    /// it names is passed over ([`set_owner`](ClusterModeration::set_owner)). What changes, and
    /// what may not, is as [`Room::reconfigure`] has it; a node at which the room was opened
    /// otherwise in what may not change goes on as it is.
    ///
    /// # Errors
    /// [`CommandError`]: something changes that may not ([`NotDone::Fixed`]), the room is closed,
    /// the version of the owner does not know all of it, or nobody knows.
    ///
    /// # Cancel safety
    /// It is done all the same, once the call has been polled.
    pub async fn reconfigure(&self, config: &RoomConfig) -> Result<(), CommandError> {
        self.command(Actor::Host, Command::reconfigure(config)).await
    }

    /// Closes the room for good, at every node: what waits is dropped, and every session gets what
    /// it is still due, then [`EndReason::RoomClosed`](roomcast::event::EndReason::RoomClosed).
    /// Whoever [opens](super::ClusterHub::open_room) it afterwards begins anew: nobody is an admin,
    /// muted or banned, and it is run by the configuration that it is opened by. Only its sequence
    /// numbers go on, so that a number stands for one message.
    /// [`ClusterHub::close_room`](super::ClusterHub::close_room) closes it at one node.
    ///
    /// # Errors
    /// [`CommandError`]: the actor is neither the host nor the owner, it is closed already, or
    /// nobody knows.
    ///
    /// # Cancel safety
    /// It is done all the same, once the call has been polled.
    pub async fn close(&self, actor: Actor) -> Result<(), CommandError> {
        self.command(actor, Command::Close).await
    }

    /// Sends a direct message to all sessions of a user, at whatever nodes they are: each gets it
    /// behind what the room had dispatched. Returns when the log has it; whether the user is in
    /// anywhere is not known. For one session of this node there is [`Room::send_direct`] of
    /// [`here`](Self::here).
    ///
    /// # Errors
    /// [`CommandError`]: it is larger than a payload of this room may be, the room is closed, or
    /// nobody knows.
    ///
    /// # Cancel safety
    /// It is sent all the same, once the call has been polled.
    pub async fn send_direct(&self, user: UserId, direct: Direct<M>) -> Result<(), CommandError>
    where
        M: Wire,
    {
        let command = Command::SendDirect(user, EncodedDirect::new(&direct));
        self.command(Actor::Host, command).await
    }

    /// Hands the room over to another node, if this one owns it: one pause of about two round trips
    /// to the bus, and nothing is sent twice. `to` is the name of a node at which the room is open.
    pub async fn hand_over(&self, to: u64) {
        if let Some(orders) = self.orders.upgrade() {
            let _ = orders.send(Order::HandOver { room: self.id, to }).await;
        }
    }

    async fn command(&self, actor: Actor, command: Command) -> Result<(), CommandError> {
        let orders = self.orders.upgrade().ok_or(CommandError::NodeEnded)?;
        let (tell, told) = oneshot::channel();
        let order = Order::Command { room: self.id, actor, command, tell };
        orders.send(order).await.map_err(|_| CommandError::NodeEnded)?;
        drop(orders);
        match told.await.map_err(|_| CommandError::NodeEnded)? {
            crate::proto::Outcome::Decided(Decided::NotDone(why)) => {
                Err(CommandError::NotDone(why))
            }
            crate::proto::Outcome::Decided(_) => Ok(()),
            crate::proto::Outcome::Lost => Err(CommandError::Lost),
        }
    }
}

impl<M: Payload + Send + Sync + 'static> Clone for ClusterRoom<M> {
    fn clone(&self) -> Self {
        let (edge, orders) = (Arc::clone(&self.edge), self.orders.clone());
        Self { id: self.id, edge, orders }
    }
}

impl<M: Payload + Send + Sync + 'static> fmt::Debug for ClusterRoom<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterRoom").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a room's owner does on behalf of somebody: [`ClusterRoom::moderation`]. Each call returns
/// when the room's log has it, and every node hears of it in order with the messages.
#[derive(Debug)]
pub struct ClusterModeration<'a, M: Payload + Send + Sync + 'static> {
    room: &'a ClusterRoom<M>,
    actor: Actor,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) => $command:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`CommandError`]: the actor may not, a list is full, the room is closed, or nobody
        /// knows.
        ///
        /// # Cancel safety
        /// It is done all the same, once the call has been polled.
        pub async fn $name(&self, $($argument: $kind),*) -> Result<(), CommandError> {
            self.room.command(self.actor, $command).await
        }
    )*};
}

impl<M: Payload + Send + Sync + 'static> ClusterModeration<'_, M> {
    /// Writes an attribute of the room, or with `None` takes it away; every node reads it by
    /// [`RoomData::attributes`](roomcast::moderation::RoomData::attributes) of
    /// [`here`](ClusterRoom::here). `based_on` is the version of the attributes that was seen;
    /// `None`: whatever is there.
    ///
    /// ```
    /// # use roomcast::{Actor, Hub, RoomConfig, RoomId};
    /// # use roomcast_cluster::ClusterHub;
    /// # use roomcast_cluster::bus::LocalBus;
    /// # use roomcast_cluster::hub::CommandError;
    /// # use roomcast_cluster::proto::NodeOptions;
    /// # use roomcast_cluster::wire::NotDone;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bus = LocalBus::new();
    /// # let hub = ClusterHub::<String>::join(Hub::start(), bus.connect(), NodeOptions::new(1));
    /// # let room = hub.open_room(RoomId(42), &RoomConfig::default()).await?;
    /// let host = room.moderation(Actor::Host);
    /// let seen = room.here().data().attributes().version;
    /// host.write_attribute("topic", Some(b"birds"), Some(seen)).await?;
    /// let late = host.write_attribute("topic", Some(b"cats"), Some(seen)).await;
    /// assert_eq!(late, Err(CommandError::NotDone(NotDone::Conflict)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CommandError`]: somebody else wrote first, it is too large or too many, the actor may not,
    /// the room is closed, or nobody knows.
    ///
    /// # Cancel safety
    /// It is done all the same, once the call has been polled.
    pub async fn write_attribute(
        &self,
        key: &str,
        value: Option<&[u8]>,
        based_on: Option<u64>,
    ) -> Result<(), CommandError> {
        let (key, value) = (key.into(), value.map(Arc::from));
        let command = Command::WriteAttribute { key, value, based_on };
        self.room.command(self.actor, command).await
    }

    /// Takes messages back, as [`Moderation::retract`](roomcast::moderation::Moderation::retract)
    /// does, at every node: what waits at the owner is dropped, and what has gone out nobody gets
    /// who has not got it, late joiners and resumers included. Every node hears of it in its place
    /// behind the messages, so that none gives out what another one holds back. Those who have got
    /// a message are told its number by a [tip](roomcast::event::SystemMessage::Retracted), if the
    /// room gives such. Of all that a user has said what waits at the nodes is dropped as well;
    /// what is on its way to the owner meanwhile counts as said afterwards.
    ///
    /// Who has said what went out the owner knows of the last 4,096 messages. A message that
    /// [waits](Retraction::Waiting) is found at the node at which it was said, as long as it waits
    /// there.
    ///
    /// ```
    /// # use roomcast::{Actor, Hub, Join, Outcome, Publish, RoomConfig, RoomId, Source, UserId};
    /// # use roomcast::moderation::Retraction;
    /// # use roomcast_cluster::ClusterHub;
    /// # use roomcast_cluster::bus::LocalBus;
    /// # use roomcast_cluster::proto::NodeOptions;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bus = LocalBus::new();
    /// # let hub = ClusterHub::<String>::join(Hub::start(), bus.connect(), NodeOptions::new(1));
    /// # let room = hub.open_room(RoomId(42), &RoomConfig::default()).await?;
    /// let ann = room.join(Join::user(UserId(7)))?;
    /// let mut bob = room.join(Join::user(UserId(8)))?;
    /// let said = Publish::new(Source::Session(ann.session()), "oh no".to_owned());
    /// let Outcome::Dispatched { seq, .. } = room.publish(said).await? else { unreachable!() };
    ///
    /// room.moderation(Actor::User(UserId(7))).retract(Retraction::Sent(seq)).await?;
    /// assert!(bob.try_next_batch()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CommandError`]: the actor may not, it is not known who has said it ([`NotDone::Gone`]),
    /// the room is closed, or nobody knows.
    ///
    /// # Cancel safety
    /// It is done all the same, once the call has been polled.
    pub async fn retract(&self, what: Retraction) -> Result<(), CommandError> {
        let withdrawn = match what {
            Retraction::Sent(seq) => Withdrawn::Sent(seq),
            Retraction::AllOf(user) => Withdrawn::AllOf(user),
            _ => return self.retract_here(what),
        };
        self.room.command(self.actor, Command::Retract(withdrawn)).await
    }

    fn retract_here(&self, what: Retraction) -> Result<(), CommandError> {
        let retracted = self.room.here().moderation(self.actor).retract(what);
        let retracted = retracted.map_err(|error| match error {
            ModerationError::RoomClosed => NotDone::RoomClosed,
            _ => NotDone::NotAllowed,
        });
        let found =
            retracted.and_then(|all| if all.is_empty() { Err(NotDone::Gone) } else { Ok(()) });
        found.map_err(CommandError::NotDone)
    }

    /// Pins a message under a number of the host's, in the place of what has that number: everyone
    /// who joins from now on, at whatever node, gets it before all else, as
    /// [`Moderation::pin`](roomcast::moderation::Moderation::pin) has it. At most
    /// [three](roomcast::moderation::MAX_PINS) are pinned at one time. Each node knows which
    /// ([`Room::pinned`] of [`here`](ClusterRoom::here)), and so does whoever owns the room next.
    /// The time at which it was pinned is that at which the node heard of it.
    ///
    /// # Errors
    /// [`CommandError`]: the actor may not, it is too large, three others are pinned, the room is
    /// closed, or nobody knows.
    ///
    /// # Cancel safety
    /// It is done all the same, once the call has been polled.
    pub async fn pin(&self, id: PinId, direct: Direct<M>) -> Result<(), CommandError>
    where
        M: Wire,
    {
        let command = Command::Pin(id, EncodedDirect::new(&direct));
        self.room.command(self.actor, command).await
    }

    /// Sets a counter of the room, or with `None` takes it away; every node reads it by
    /// [`RoomData::counters`](roomcast::moderation::RoomData::counters) of
    /// [`here`](ClusterRoom::here). What is counted at nodes meanwhile is added to it.
    ///
    /// # Errors
    /// [`CommandError`]: the key is too long, there are too many, the room is closed, or nobody
    /// knows.
    ///
    /// # Cancel safety
    /// It is done all the same, once the call has been polled.
    pub async fn set_counter(&self, key: &str, value: Option<i64>) -> Result<(), CommandError> {
        self.room.command(self.actor, Command::SetCounter { key: key.into(), value }).await
    }

    /// Adds to a counter of the room, which begins at 0.
    ///
    /// # Errors
    /// As [`set_counter`](Self::set_counter), or the sum is out of range.
    ///
    /// # Cancel safety
    /// As [`set_counter`](Self::set_counter).
    pub async fn add_counter(&self, key: &str, delta: i64) -> Result<(), CommandError> {
        self.room.command(self.actor, Command::AddCounter { key: key.into(), delta }).await
    }

    commands! {
        /// Takes a user out at every node.
        kick(user: UserId) => Command::Kick(user);
        /// Takes a user out at every node and keeps him or her out for a time (`None`: for good).
        ban(user: UserId, time: Option<Duration>) => Command::Ban(user, time);
        /// Lets a banned user in again.
        unban(user: UserId) => Command::Unban(user);
        /// Mutes a user for a time (`None`: for good).
        mute(user: UserId, time: Option<Duration>) => Command::Mute(user, time);
        /// Ends a mute.
        unmute(user: UserId) => Command::Unmute(user);
        /// Unpins what has this number, if anything has.
        unpin(id: PinId) => Command::Unpin(id);
        /// Hands the room over to another owner, in or not, at every node. Who was the owner is a
        /// member; a new owner who was an admin is none any more. A node that opens the room later,
        /// by whatever configuration, opens it for the owner that there is.
        set_owner(user: UserId) => Command::SetOwner(user);
        /// Makes a user an admin.
        add_admin(user: UserId) => Command::AddAdmin(user);
        /// Makes an admin a member.
        remove_admin(user: UserId) => Command::RemoveAdmin(user);
        /// Sets what is asked of those who speak, at every node. How long a user has been in is
        /// looked at by the user's node, and what was said by the owner.
        set_speak_mode(mode: SpeakMode) => Command::SetSpeakMode(mode);
        /// Marks a user.
        mark(user: UserId) => Command::Mark(user);
        /// Takes a user's mark away.
        unmark(user: UserId) => Command::Unmark(user);
        /// Mutes all but the owner and the admins.
        mute_room() => Command::MuteRoom(true);
        /// Ends that.
        unmute_room() => Command::MuteRoom(false);
    }
}
