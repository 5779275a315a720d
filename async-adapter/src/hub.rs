//! The hub: many rooms, spread over workers, called from anywhere.

use crate::broadcast_log::BroadcastLog;
use crate::clock::{Clock, SystemClock};
use crate::drain::Drain;
use crate::drain::DrainReport;
use crate::outcome_waiters::OutcomeWaiters;
use crate::room::Room;
use crate::room_registry::RoomRegistry;
use crate::seeds::{Seeds, Use};
use crate::shared_room::{Job, SharedRoom};
use crate::worker::{Common, Hook, Worker, Workers};
use crate::worker_loop::{self, WorkerLoop};
use roomcast_core::{
    Broadcast, BroadcastLimits, BroadcastRefused, CreateRoomError, Event, Instant, NoSuchRoom,
    Payload, RoomConfig, RoomId, ShardIndex,
};
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Many rooms, callable from every task and thread; cheap to clone.
///
/// Publishing never awaits and never waits for a reader: it takes the room's admission lock for the
/// length of one call of the core. Rooms are spread over workers; a driver for each worker (a tokio
/// task or a thread) keeps the rooms' time and wakes their readers. The hub lives as long as any
/// handle, room handle or subscription does; then its drivers end.
#[derive(Debug)]
pub struct Hub<M: Payload + Send + Sync + 'static> {
    inner: Arc<Inner<M>>,
}

impl<M: Payload + Send + Sync + 'static> Clone for Hub<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

#[derive(Debug)]
struct Inner<M> {
    common: Arc<Common>,
    workers: Arc<Workers<Job<M>>>,
    registry: Arc<RoomRegistry<M>>,
    broadcast_log: Arc<BroadcastLog<M>>,
    seeds: Seeds,
    max_rooms: u32,
    shards_per_room: usize,
}

/// Sets a hub up. See [`Hub::builder`].
#[must_use = "a builder does nothing until `spawn` or `spawn_threads`"]
pub struct HubBuilder {
    workers: usize,
    shards_per_room: usize,
    clock: Option<Box<dyn Clock>>,
    hook: Option<Box<Hook>>,
    max_rooms: u32,
    exclusive_membership: bool,
    broadcasts: BroadcastLimits,
    seed: Option<u64>,
}

impl std::fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubBuilder")
            .field("workers", &self.workers)
            .field("shards_per_room", &self.shards_per_room)
            .field("max_rooms", &self.max_rooms)
            .field("exclusive_membership", &self.exclusive_membership)
            .finish_non_exhaustive()
    }
}

impl HubBuilder {
    /// Drivers to spread the rooms over. Default: one for each processor. Zero counts as one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Workers that the audience of one room may be spread over, so that several processors serve
    /// it: a room opens another one once each that it has holds 256 sessions. Default: all of the
    /// hub's. Zero counts as one.
    pub fn shards_per_room(mut self, workers: usize) -> Self {
        self.shards_per_room = workers.max(1);
        self
    }

    /// Where time comes from. Default: tokio's clock with `spawn`, the system's with
    /// `spawn_threads`.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Called with every event of every room: outcomes that the publish call could not tell yet,
    /// presence, closings.
    ///
    /// It runs outside every lock, on the thread whose call brought the event about, so it should
    /// be quick; events of one room that come from different threads may overtake each other. If it
    /// panics, that event is lost to it, [`Hub::hook_panics`] counts one, and nothing else happens.
    pub fn on_event(mut self, hook: impl Fn(RoomId, &Event) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// The maximum number of rooms. Default 2²⁰.
    pub fn max_rooms(mut self, max_rooms: u32) -> Self {
        self.max_rooms = max_rooms;
        self
    }

    /// Has each user in one room at a time: [`Room::join`] and [`Pump::join`](crate::Pump::join) of
    /// a user who is in another room of this hub take the user out there. The sessions there still
    /// get what they are due, then
    /// [`EndReason::JoinedElsewhere`](crate::EndReason::JoinedElsewhere). A second device in the
    /// same room leaves nothing, a join that is refused leaves nothing, and nobody leaves a room
    /// that he or she owns. A room that was removed is not looked for. Default: users are in as
    /// many rooms as they like.
    pub fn exclusive_membership(mut self) -> Self {
        self.exclusive_membership = true;
        self
    }

    /// How much may be broadcast to every room. Default one a second, the same key not within 5
    /// minutes.
    pub fn broadcasts(mut self, limits: BroadcastLimits) -> Self {
        self.broadcasts = limits;
        self
    }

    /// The seed that those of all rooms follow from, each by its room's id: for tests and replays,
    /// where the same calls are to have the same outcome. A room whose configuration has a seed
    /// keeps that one. Default: one that is drawn when the hub is made and that nobody can guess.
    /// Whoever knows the seed can craft ids of users that make each join slow, so a server that
    /// others can reach keeps the default, or a secret. See [`Room::seed`].
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the hub with a tokio task for each worker.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled, as `tokio::spawn` does.
    #[cfg(feature = "tokio")]
    pub fn spawn<M: Payload + Send + Sync + 'static>(mut self) -> Hub<M> {
        let clock =
            self.clock.take().unwrap_or_else(|| Box::new(crate::clock::TokioClock::default()));
        let (hub, drivers) = self.build(clock);
        for driver in drivers {
            tokio::spawn(worker_loop::as_task(driver));
        }
        hub
    }

    /// Starts the hub with a thread for each worker; no runtime is needed.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn spawn_threads<M: Payload + Send + Sync + 'static>(mut self) -> std::io::Result<Hub<M>> {
        let clock = self.clock.take().unwrap_or_else(|| Box::new(SystemClock::default()));
        let (hub, drivers) = self.build(clock);
        for (number, driver) in drivers.into_iter().enumerate() {
            std::thread::Builder::new()
                .name(format!("roomcast-{number}"))
                .spawn(move || worker_loop::as_thread(driver))?;
        }
        Ok(hub)
    }

    /// The hub, and its drivers for a test to turn by hand.
    #[cfg(test)]
    pub(crate) fn by_hand<M: Payload + Send + Sync + 'static>(
        mut self,
    ) -> (Hub<M>, Vec<WorkerLoop<M>>) {
        let clock = self.clock.take().unwrap_or_else(|| Box::new(SystemClock::default()));
        self.build(clock)
    }

    fn build<M: Payload + Send + Sync + 'static>(
        self,
        clock: Box<dyn Clock>,
    ) -> (Hub<M>, Vec<WorkerLoop<M>>) {
        let outcome_waiters = Arc::new(OutcomeWaiters::default());
        let common = Arc::new(Common {
            clock,
            outcome_waiters,
            hook: self.hook,
            hook_panics: AtomicU64::new(0),
        });
        let pairs = (0..self.workers).map(|_| {
            let (worker, inbox) = Worker::new(Arc::clone(&common));
            (Arc::clone(&worker), WorkerLoop::new(worker, inbox))
        });
        let (workers, drivers): (Vec<_>, Vec<_>) = pairs.unzip();
        // A power of two; where that is more than there are workers, some look after two parts.
        let shards_per_room = self
            .shards_per_room
            .min(workers.len())
            .next_power_of_two()
            .min(ShardIndex::MAX as usize);
        let workers = Arc::new(Workers(workers.into()));
        let seeds = Seeds::new(self.seed);
        let inner = Inner {
            common,
            workers,
            registry: Arc::new(RoomRegistry::new(
                self.exclusive_membership.then(|| seeds.of(Use::UserRooms)),
            )),
            broadcast_log: Arc::new(BroadcastLog::new(self.broadcasts, seeds.of(Use::Broadcasts))),
            seeds,
            max_rooms: self.max_rooms,
            shards_per_room,
        };
        (Hub { inner: Arc::new(inner) }, drivers)
    }
}

impl<M: Payload + Send + Sync + 'static> Hub<M> {
    /// Sets a hub up.
    pub fn builder() -> HubBuilder {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        HubBuilder {
            workers,
            shards_per_room: usize::MAX,
            clock: None,
            hook: None,
            max_rooms: 1 << 20,
            exclusive_membership: false,
            broadcasts: BroadcastLimits::default(),
            seed: None,
        }
    }

    /// Makes a room. Where its configuration has no seed it gets one of its own: see
    /// [`Room::seed`].
    pub fn create_room(&self, id: RoomId, config: &RoomConfig) -> Result<Room<M>, CreateRoomError> {
        let mut rooms = self.inner.registry.rooms.write();
        let count = rooms.len();
        let max = self.inner.max_rooms;
        match rooms.entry(id) {
            Entry::Occupied(_) => Err(CreateRoomError::Exists(id)),
            Entry::Vacant(_) if count >= max as usize => Err(CreateRoomError::TooManyRooms { max }),
            Entry::Vacant(entry) => {
                // Each room starts at another worker and may grow over so many more.
                let workers =
                    self.inner.workers.0.iter().cycle().skip(count % self.inner.workers.0.len());
                let workers = workers.take(self.inner.shards_per_room).cloned().collect();
                let config = config.clone().or_seed(self.inner.seeds.of(Use::RoomState(id)));
                let shared =
                    SharedRoom::new(id, &config, workers, Arc::clone(&self.inner.broadcast_log));
                entry.insert(Arc::clone(&shared));
                shared.begin();
                Ok(self.handle(shared))
            }
        }
    }

    /// The room with this id.
    pub fn room(&self, id: RoomId) -> Option<Room<M>> {
        let shared = self.inner.registry.rooms.read().get(&id).cloned()?;
        Some(self.handle(shared))
    }

    /// Forgets a room. Its sessions go on as long as they are held; a host closes the room first
    /// and waits for [`Event::RoomEnded`] if everyone is to get what is due.
    pub fn remove_room(&self, id: RoomId) -> Result<Room<M>, NoSuchRoom> {
        let shared = self.inner.registry.rooms.write().remove(&id).ok_or(NoSuchRoom(id))?;
        shared.forget_place();
        Ok(self.handle(shared))
    }

    /// All rooms, in no particular order.
    pub fn rooms(&self) -> Vec<Room<M>> {
        let rooms: Vec<_> = self.inner.registry.rooms.read().values().cloned().collect();
        rooms.into_iter().map(|shared| self.handle(shared)).collect()
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
        self.inner.workers.0[0].send(Job::Spread(Arc::clone(&self.inner.broadcast_log), 0));
        Ok(())
    }

    /// Has every message that waits for a verdict, in any room whose
    /// [`review`](roomcast_core::RoomConfigBuilder::review) asks for it, reviewed by this hook, in
    /// a task of its own: nothing waits for it but the message itself, and no lock is held
    /// meanwhile. It is dropped when the message's time is over; if it panics, the message goes on,
    /// or is dropped, when its time is over. A new payload that is larger than the room's may be
    /// counts as no verdict. Returns whether there was no reviewer yet: the first one stays.
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
        F: Fn(crate::PendingReview<M>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = roomcast_core::ReviewDecision<M>> + Send + 'static,
    {
        self.inner.broadcast_log.set_reviewer(Box::new(crate::review::by_tasks(review)))
    }

    /// What the hub's clock says: the time in which every instant of its rooms is told.
    pub fn now(&self) -> Instant {
        self.inner.common.clock.now()
    }

    /// Times that the event hook has panicked.
    pub fn hook_panics(&self) -> u64 {
        self.inner.common.hook_panics.load(Ordering::Relaxed)
    }

    /// Ends the server in order: no room takes anything more, what waits goes out at the rooms'
    /// rates, every session gets what it is due, the rooms close. What is not done at the deadline
    /// is dropped, abandoned and counted. When this returns, the hook has been told everything,
    /// [`Event::RoomEnded`] of each room last.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rooms as far as they are; calling again goes on from there.
    #[cfg(feature = "tokio")]
    pub async fn drain(&self, deadline: std::time::Duration) -> DrainReport {
        let mut drain = Drain::begin(self.rooms(), self.inner.common.clock.as_ref(), deadline);
        while let Some(pause) = drain.step(self.inner.common.clock.as_ref()) {
            tokio::time::sleep(pause).await;
        }
        drain.report()
    }

    /// As `drain`, blocking the thread. For threads, not for tasks.
    pub fn drain_blocking(&self, deadline: std::time::Duration) -> DrainReport {
        let mut drain = Drain::begin(self.rooms(), self.inner.common.clock.as_ref(), deadline);
        while let Some(pause) = drain.step(self.inner.common.clock.as_ref()) {
            std::thread::sleep(pause);
        }
        drain.report()
    }

    fn handle(&self, shared: Arc<SharedRoom<M>>) -> Room<M> {
        Room::new(shared, Arc::clone(&self.inner.workers), Arc::clone(&self.inner.registry))
    }
}
