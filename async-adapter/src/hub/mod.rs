//! The hub: many rooms, spread over workers, called from anywhere.

mod audit;
mod builder;
#[cfg(feature = "internals")]
pub(crate) mod by_hand;
mod current;
pub(crate) mod data;
pub(crate) mod drain;
pub(crate) mod edge_port;
pub(crate) mod keys;
mod members;
pub(crate) mod moderation;
mod moving;
pub(crate) mod name;
pub(crate) mod named_state;
pub(crate) mod names;
mod opening;
pub(crate) mod registry;
pub(crate) mod room;
mod room_names;
mod seeds;
pub(crate) mod session;
mod spread;
mod trimmer;
pub(crate) mod worker_loop;

pub use builder::HubBuilder;

use crate::drive::clock::Clock;
use crate::drive::worker::{Common, Workers};
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::observe::Observer;
use crate::room::broadcast_log::BroadcastLog;
use crate::room::gate::{EdgeStart, Stands};
use crate::room::hooks::Hooks;
use crate::room::mentions::FIRST_NAMED;
#[cfg(feature = "tokio")]
use crate::room::pending_review::by_tasks;
use crate::room::token::TokenKey;
use crate::room::{Job, RoomWorkers, SharedRoom};
use crate::sync::{Arc, Mutex};
use current::WhenExpired;
use drain::{Drain, DrainReport};
use edge_port::EdgePort;
use keys::RoomKey;
use name::Name;
use names::Names;
use registry::{Opened, RoomRegistry};
use room::Room;
use roomcast_core::broadcasts::{Broadcast, BroadcastRefused};
use roomcast_core::engine::CreateRoomError;
use roomcast_core::memory::MemoryUse;
use roomcast_core::{Instant, Payload, RoomConfig, RoomId, Sharding, UserId};
use seeds::Seeds;

/// Many rooms, callable from every task and thread; cheap to clone.
///
/// Publishing never awaits and never waits for a reader: it takes the room's admission lock for the
/// length of one call of the core. Rooms are spread over workers; a driver for each worker (a tokio
/// task or a thread) keeps the rooms' time and wakes their readers. The hub lives as long as any
/// handle, room handle or subscription does; then its drivers end.
///
/// ```
/// use roomcast::{Hub, Join, Publish, RoomConfig, RoomId, Source};
/// use std::time::Duration;
///
/// // One hub for the server. With tokio, `Hub::start()`.
/// let hub = Hub::<String>::builder().workers(2).spawn_threads()?;
/// // One room for each stream: made, or found.
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let mut guest = room.join(Join::guest())?;
/// let _ = room.try_publish(Publish::new(Source::Host, "welcome".to_owned()))?;
/// let batch = guest.next_batch_timeout(Duration::from_secs(5))?.expect("a message is due");
/// assert_eq!(batch.messages()[0].payload, "welcome");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Hub<M: Payload + Send + Sync + 'static, U = Arc<str>> {
    inner: Arc<Inner<M, U>>,
}

impl<M: Payload + Send + Sync + 'static, U> Clone for Hub<M, U> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// What all handles of a hub and of its rooms share.
#[derive(Debug)]
struct Inner<M: Payload + Send + Sync + 'static, U> {
    common: Arc<Common>,
    workers: Arc<Workers<Job<M>>>,
    /// For each worker those that a room may use which begins there.
    workers_from: Box<[RoomWorkers<M>]>,
    registry: Arc<RoomRegistry<M>>,
    names: Arc<Names<U>>,
    broadcast_log: Arc<BroadcastLog<M>>,
    hooks: Arc<Hooks<Arc<SharedRoom<M>>>>,
    seeds: Seeds,
    /// That of the room made last: rooms that are configured alike share it.
    last_config: Mutex<Option<RoomConfig>>,
    token_key: Arc<TokenKey>,
    /// How payloads are copied for the audits, where those keep them.
    audit_copy: Option<fn(&M) -> M>,
    /// Looks at the rooms, where the host wants that.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    observer: Option<Arc<Observer<M>>>,
    /// How the sessions of a room are spread over workers.
    sharding: Sharding,
}

impl<M: Payload + Send + Sync + 'static, U: Name> Hub<M, U> {
    /// Sets a hub up.
    pub fn builder() -> HubBuilder<M, U> {
        HubBuilder::new()
    }

    /// Starts a hub with the defaults, in the current tokio runtime: one worker for each processor.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled, as `tokio::spawn` does.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().spawn()
    }

    /// Who looks after its rooms.
    pub(crate) fn workers(&self) -> &Arc<Workers<Job<M>>> {
        &self.inner.workers
    }

    /// Opens the room of this name or number: makes it, or returns the one that there is.
    ///
    /// A room that exists keeps its own configuration, whatever `config` says;
    /// [`Room::is_new`] tells which it was. A room that has ended frees its id and its
    /// name by itself, so opening it again makes it anew, under another number if it has a name.
    /// One that has expired is opened anew by [`Room::join`], too, on the handle that this returns.
    /// O(1).
    ///
    /// # Errors
    /// There are as many rooms as there may be ([`HubBuilder::max_rooms`]), or the hub shuts
    /// down: it is being [drained](Self::drain), or its workers have ended with their runtime.
    pub fn open_room(
        &self,
        room: impl Into<RoomKey<U>>,
        config: &RoomConfig,
    ) -> Result<Room<M, U>, CreateRoomError> {
        let key = room.into();
        let opened = self.inner.open(key, config, Stands::AtRoom)?;
        Ok(self.handle(opened, WhenExpired::OpensAnew))
    }

    /// Makes a room. Where its configuration has no seed it gets one of its own: see
    /// [`Room::seed`].
    ///
    /// # Errors
    /// There is a room with this id that has not ended, there are as many rooms as there may be, or
    /// the hub shuts down.
    pub fn create_room(
        &self,
        room: impl Into<RoomKey<U>>,
        config: &RoomConfig,
    ) -> Result<Room<M, U>, CreateRoomError> {
        self.create(room.into(), config, Stands::AtRoom)
    }

    /// Makes an edge of a room that is elsewhere, on another machine say, and returns it with the
    /// [port](EdgePort) by which the host connects it to that room, over a bus of its own. It is
    /// opened when that room has dispatched so many messages of each level
    /// ([`HandOver::heads`](crate::edge::HandOver::heads)): those that follow come here. With the
    /// room's own life ([`EdgeStart`](crate::edge::EdgeStart)), sessions resume here that were at another
    /// edge of it.
    ///
    /// The handle is that of any room: sessions join, take batches, resume and leave as ever, and
    /// messages are let in by the rules of the configuration, so that a flood ends here. What is the
    /// room's is different:
    ///
    /// - What is let in waits for the port to take it, and its outcome is what the port is
    ///   [told](EdgePort::resolve): a receipt here holds none, unless the message was merged or
    ///   dropped here. [`Room::publish`] waits for it.
    /// - Kicks, mutes, bans, admins, attributes, counters and closing are those of this edge. The
    ///   room's own come over the host's bus, by [`Room::moderation`] and [`Room::data`] here.
    /// - It gives no tips and hears no broadcasts: those come with what the room dispatches.
    /// - [`Room::stats`] is the books of this edge; they add up with the room's by
    ///   [`Ledger::with_edges`](crate::stats::Ledger::with_edges).
    ///
    /// ```
    /// use roomcast::core::Admission;
    /// use roomcast::{Hub, Join, PerLevel, Publish, RoomConfig, Source};
    /// # use std::time::Duration;
    ///
    /// // The room is anywhere; here it stands beside its edge.
    /// let config = RoomConfig::fan_out();
    /// let mut owner = Admission::new(&config);
    /// let hub = Hub::<String>::builder().spawn_threads()?;
    /// let (edge, port) = hub.create_edge_room("stream-42", &config, PerLevel::default())?;
    /// let mut guest = edge.join(Join::guest())?;
    /// let receipt = edge.try_publish(Publish::new(Source::Host, "hello".to_owned()))?;
    /// assert_eq!(receipt.outcome, None, "the outcome is the room's");
    ///
    /// let message = port.try_next_message().expect("one was let in");
    /// let (id, sent) = (message.id, owner.dispatched());
    /// let outcome = owner.publish(hub.now(), message.into_publish())?.outcome;
    /// port.resolve(id, outcome.expect("it went out at once"));
    /// let _ = port.receive(owner.hand_over(sent));
    /// let batch = guest.next_batch_timeout(Duration::from_secs(5))?.expect("a message is due");
    /// assert_eq!(batch.messages()[0].payload, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`create_room`](Self::create_room).
    pub fn create_edge_room(
        &self,
        room: impl Into<RoomKey<U>>,
        config: &RoomConfig,
        start: impl Into<EdgeStart>,
    ) -> Result<(Room<M, U>, EdgePort<M>), CreateRoomError> {
        let room = self.create(room.into(), config, Stands::AtEdge(start.into()))?;
        let port = EdgePort::new(room.edge());
        Ok((room, port))
    }

    fn create(
        &self,
        key: RoomKey<U>,
        config: &RoomConfig,
        stands: Stands,
    ) -> Result<Room<M, U>, CreateRoomError> {
        let opened = self.inner.open(key, config, stands)?;
        if !opened.is_new {
            return Err(CreateRoomError::Exists(opened.shared.id()));
        }
        Ok(self.handle(opened, WhenExpired::StaysClosed))
    }

    /// Returns the room of this name or number, if there is one. O(1).
    pub fn room(&self, room: impl Into<RoomKey<U>>) -> Option<Room<M, U>> {
        self.inner.look_up(room.into()).map(|looked| self.found(looked))
    }

    /// Forgets a room and returns it; `None` when there is none of this name or number. Its
    /// sessions continue as long as they are held; a host closes the room first and waits for
    /// [`Event::RoomEnded`](crate::Event::RoomEnded) if everyone is to get what is due.
    pub fn remove_room(&self, room: impl Into<RoomKey<U>>) -> Option<Room<M, U>> {
        self.inner.remove(room.into()).map(|looked| self.found(looked))
    }

    /// Returns all rooms, in no particular order. O(rooms).
    pub fn rooms(&self) -> Vec<Room<M, U>> {
        let names = self.inner.names.rooms();
        let rooms = self.inner.registry.all(|id| names.name_of(id));
        rooms.into_iter().map(|looked| self.found(looked)).collect()
    }

    /// Returns the number of a user of this name, for moderation, direct messages, owners of rooms,
    /// to be used at once. Who has none gets one: see [`names`](crate::names).
    ///
    /// ```
    /// # use roomcast::{Hub, RoomConfig};
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let config = RoomConfig::av_chat_room(hub.user_id("ann"));
    /// let room = hub.open_room("stream-42", &config)?;
    /// assert_eq!(hub.user_name(hub.user_id("ann")).as_deref(), Some("ann"));
    /// assert_eq!(hub.room_name(room.id()).as_deref(), Some("stream-42"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_id(&self, name: impl Into<U>) -> UserId {
        self.inner.names.user_id(self.now(), name.into())
    }

    /// Returns the name of a user; `None` when the number is the host's own, or when no room has
    /// needed it in the last minute.
    pub fn user_name(&self, user: UserId) -> Option<U> {
        self.inner.names.user_name(user)
    }

    /// Returns the name of a room that is in the hub; `None` when it has none.
    pub fn room_name(&self, id: RoomId) -> Option<U> {
        self.inner.names.rooms().name_of(id).map(|name| U::clone(&name))
    }

    /// Returns how many names of users the hub holds by now, those included that nobody needs and
    /// that have not been found out.
    pub fn held_names(&self) -> usize {
        self.inner.names.len()
    }

    /// Says something to every room there is. O(1), whatever the number of rooms: it takes no
    /// room's lock. The workers go from room to room and let each hear it, and a room that is
    /// called in between hears it first; those who wait there are told as of any message.
    ///
    /// # Errors
    /// There was another one within the second, or one with the same key within 5 minutes, if
    /// [`HubBuilder::broadcasts`] says nothing else.
    pub fn broadcast(&self, broadcast: Broadcast<M>) -> Result<(), BroadcastRefused<M>>
    where
        M: Clone,
    {
        self.inner.broadcast_log.broadcast(self.now(), broadcast)?;
        self.inner.workers.0.iter().for_each(|worker| worker.signal().raise());
        Ok(())
    }

    /// Has every message that waits for a verdict, in any room whose
    /// [`review`](roomcast_core::config::RoomConfigBuilder::review) asks for it, reviewed by this
    /// hook, in a task of its own: nothing waits for it but the message itself, and no lock is
    /// held meanwhile. It is dropped when the message's time is over; if it panics, the message
    /// goes on, or is dropped, when its time is over. A new payload that is larger than the
    /// room's may be counts as no verdict. Returns whether there was no reviewer yet: the first
    /// one stays.
    ///
    /// Without tokio, or to have the verdict come from elsewhere, take the ticket from the receipt
    /// and call [`Room::review`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[cfg(feature = "tokio")]
    pub fn review_with<F, Fut>(&self, review: F) -> bool
    where
        M: Clone,
        F: Fn(crate::message::PendingReview<M>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = roomcast_core::admission::ReviewDecision<M>> + Send + 'static,
    {
        self.inner.hooks.set_reviewer(Box::new(by_tasks(review)))
    }

    /// Returns what the hub's clock says: the time in which every instant of its rooms is told.
    pub fn now(&self) -> Instant {
        self.inner.common.clock.now()
    }

    /// Returns how many readings of the clock were further ahead of the one before than
    /// [`HubBuilder::max_step`], and counted as that long.
    pub fn clock_steps_cut(&self) -> u64 {
        self.inner.common.clock.cut()
    }

    /// Returns how much memory all rooms take together, and what came of it; `None` without a
    /// [limit](HubBuilder::memory_limit). Each room counts as it was looked at last. O(1).
    pub fn memory(&self) -> Option<MemoryUse> {
        self.inner.common.memory.as_ref().map(|memory| memory.uses())
    }

    /// Returns how often code of the host's has panicked, and was kept from doing harm: the event
    /// hook, the waker of a reader or of a publisher that awaits its outcome, a payload that was
    /// dropped. What else was to be told, woken or dropped was.
    pub fn caught_panics(&self) -> u64 {
        self.inner.common.fence.caught()
    }

    /// Looks at all rooms now, beside the times that [`HubBuilder::observe`] sets: before metrics are
    /// fetched, so that they are of this moment, and after a drain, so that nothing is missing in them.
    /// Returns whether it did; not in a hub that is not observed, and not when a recorder or a
    /// subscriber calls it that is told what a look has found. Waits for a look that is under way.
    ///
    /// # Cost
    /// O(rooms): one to two microseconds each.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub fn observe_now(&self) -> bool {
        self.inner.observer.as_ref().is_some_and(|observer| observer.look(self.now()))
    }

    /// Ends the server in order: no room is opened and none takes anything more, what waits goes
    /// out at the rooms' rates, every session gets what it is due, the rooms close. What is not
    /// done at the deadline is dropped, abandoned and counted. When this returns, the hook has
    /// been told everything, [`Event::RoomEnded`](crate::Event::RoomEnded) of each room last;
    /// but at the latest 0.1 s after the deadline it returns all the same, and counts the rooms
    /// that have not ended ([`DrainReport::unended`]).
    ///
    /// ```
    /// # use roomcast::{Hub, Join, Publish, RoomConfig, RoomId, Source};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::<&str>::start();
    /// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
    /// let mut guest = room.join(Join::guest())?;
    /// let reader = tokio::spawn(async move {
    ///     let mut messages = 0;
    ///     while let Ok(batch) = guest.next_batch().await {
    ///         messages += batch.messages().len();
    ///     }
    ///     messages
    /// });
    /// let _ = room.try_publish(Publish::new(Source::Host, "goodbye"))?;
    ///
    /// // First stop accepting connections; then:
    /// let report = hub.drain(Duration::from_secs(5)).await;
    /// assert_eq!((report.rooms, report.dropped, report.abandoned), (1, 0, 0));
    /// assert_eq!(reader.await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// Each room is looked at six times, 64 rooms in a step; between steps other tasks run. While a
    /// room is not done it is looked at again after 5 ms.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rooms as far as they are; calling again goes on from there.
    #[cfg(feature = "tokio")]
    pub async fn drain(&self, deadline: std::time::Duration) -> DrainReport {
        let (rooms, clock) = (self.inner.registry.shut_down(), &self.inner.common.clock);
        let mut drain = Drain::begin(rooms, clock, deadline);
        while let Some(pause) = drain.step(clock) {
            if pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
        drain.report()
    }

    /// As `drain`, blocking the thread. For threads, not for tasks.
    ///
    /// # Cost
    /// Each room is looked at six times; while a room is not done it is looked at again after 5 ms.
    pub fn drain_blocking(&self, deadline: std::time::Duration) -> DrainReport {
        let (rooms, clock) = (self.inner.registry.shut_down(), &self.inner.common.clock);
        let mut drain = Drain::begin(rooms, clock, deadline);
        while let Some(pause) = drain.step(clock) {
            crate::sync::thread::sleep(pause);
        }
        drain.report()
    }

    fn handle(&self, opened: Opened<M, Option<Arc<U>>>, when_expired: WhenExpired) -> Room<M, U> {
        let Opened { shared, is_new, note: name } = opened;
        Room::new(shared, Arc::clone(&self.inner), name, is_new, when_expired)
    }

    /// A handle of a room that was there.
    fn found(&self, (shared, note): (Arc<SharedRoom<M>>, Option<Arc<U>>)) -> Room<M, U> {
        self.handle(Opened { shared, is_new: false, note }, WhenExpired::StaysClosed)
    }
}
