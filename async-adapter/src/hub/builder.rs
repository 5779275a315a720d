//! The builder of a hub.

use super::name::Name;
use super::names::Names;
use super::registry::RoomRegistry;
use super::seeds::{Seeds, Use};
use super::spread::Spread;
use super::trimmer::{Peers, Trimmer};
use super::worker_loop::{self, WorkerLoop};
use super::{Hub, Inner};
use crate::drive::clock::{Clock, SystemClock};
use crate::drive::hub_clock::HubClock;
use crate::drive::memory::HubMemory;
use crate::drive::worker::{Common, Hook, Worker, Workers};
#[cfg(all(feature = "metrics", feature = "tokio"))]
use crate::observe::pumps::PumpBooks;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::observe::{ObserveOptions, Observer};
use crate::room::broadcast_log::BroadcastLog;
use crate::room::hooks::Hooks;
use crate::room::mentions::Mentions;
use crate::room::outcome_waiters::OutcomeWaiters;
use crate::room::token::TokenKey;
use crate::sync::{Arc, Mutex};
use roomcast_core::broadcasts::BroadcastLimits;
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::{Event, Payload, RoomId, Sharding};
use std::marker::PhantomData;
use std::time::Duration;

/// Sessions that each open shard of a room has before another one is opened.
const SESSIONS_PER_SHARD: u32 = 256;

/// How far one reading of the clock may move the rooms.
const MAX_STEP: Duration = Duration::from_secs(3_600);

/// A hub and the loops of its workers.
type Driven<M, U> = (Hub<M, U>, Vec<WorkerLoop<M>>);

/// Sets a hub up. See [`Hub::builder`].
#[must_use = "a builder does nothing until `spawn` or `spawn_threads`"]
pub struct HubBuilder<M, U = Arc<str>> {
    workers: usize,
    shards_per_room: usize,
    /// Sessions in each open shard of a room at which it opens another one.
    sessions_per_shard: u32,
    clock: Option<Box<dyn Clock>>,
    max_step: Option<Duration>,
    hook: Option<Box<Hook>>,
    max_rooms: u32,
    exclusive_membership: bool,
    memory_limit: Option<u64>,
    broadcasts: BroadcastLimits,
    seed: Option<u64>,
    token_key: Option<TokenKey>,
    audit_copy: Option<fn(&M) -> M>,
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    observe: Option<ObserveOptions>,
    types: PhantomData<fn() -> (M, U)>,
}

impl<M, U> std::fmt::Debug for HubBuilder<M, U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubBuilder")
            .field("workers", &self.workers)
            .field("shards_per_room", &self.shards_per_room)
            .field("max_rooms", &self.max_rooms)
            .field("exclusive_membership", &self.exclusive_membership)
            .field("memory_limit", &self.memory_limit)
            .finish_non_exhaustive()
    }
}

impl<M: Payload + Send + Sync + 'static, U: Name> HubBuilder<M, U> {
    pub(super) fn new() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            workers,
            shards_per_room: usize::MAX,
            sessions_per_shard: SESSIONS_PER_SHARD,
            clock: None,
            max_step: Some(MAX_STEP),
            hook: None,
            max_rooms: 1 << 20,
            exclusive_membership: false,
            memory_limit: None,
            broadcasts: BroadcastLimits::default(),
            seed: None,
            token_key: None,
            audit_copy: None,
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            observe: None,
            types: PhantomData,
        }
    }

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

    /// How far ahead of the last reading the clock may be: what is further ahead counts as this
    /// long, and [`Hub::clock_steps_cut`] counts it. So one reading that is far off holds the rooms
    /// up for this long at most, and not for good; and where the clock is right, as after the
    /// machine has slept, the rooms are a few readings later where it is. Default an hour; less
    /// than a second counts as a second; `None` believes whatever the clock says.
    ///
    /// Each worker reads the clock twice in that time at least, so a room in which nothing
    /// happens for days is cut nothing. A room's own
    /// [`max_step`](crate::config::RoomConfigBuilder::max_step) need not be set in a hub: it cannot
    /// tell such a rest from a clock that is wrong.
    pub fn max_step(mut self, max_step: Option<Duration>) -> Self {
        self.max_step = max_step;
        self
    }

    /// Called with every event of every room: outcomes that the publish call could not tell yet,
    /// presence, closings.
    ///
    /// It runs outside every lock, on the thread whose call brought the event about, so it should
    /// be quick; events of one room that come from different threads may overtake each other. If it
    /// panics, that event is lost to it, [`Hub::caught_panics`] counts one, and nothing else
    /// happens.
    ///
    /// ```
    /// use roomcast::event::Presence;
    /// use roomcast::message::OutcomeSink;
    /// use roomcast::{Event, Hub, Join, RoomConfig, RoomId, UserId};
    /// use std::sync::mpsc;
    ///
    /// let (online, users) = mpsc::channel();
    /// let hub = Hub::<&str>::builder()
    ///     .on_event(move |room, event| match event {
    ///         Event::Presence { user, presence: Presence::Online, .. } => {
    ///             let _ = online.send((room, *user));
    ///         }
    ///         Event::Outcome { outcome_sink: OutcomeSink::Event(tag), outcome, .. } => {
    ///             println!("{tag}: {outcome}");
    ///         }
    ///         _ => {}
    ///     })
    ///     .spawn_threads()?;
    /// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
    /// let _ann = room.join(Join::user(UserId(7)))?;
    /// assert_eq!(users.recv()?, (RoomId(42), UserId(7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_event(mut self, hook: impl Fn(RoomId, &Event) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Has the records of every room's audit keep what messages carry: see
    /// [`Room::take_audit`](crate::Room::take_audit). A payload that is refused is cloned for it, under
    /// the room's lock, so `clone` should be quick, as that of an `Arc` or of `Bytes` is. Default: records
    /// have none.
    pub fn audit_payloads(mut self) -> Self
    where
        M: Clone,
    {
        self.audit_copy = Some(M::clone);
        self
    }

    /// Has the hub look at the books of its rooms every so often: for metrics (feature `metrics`), and for
    /// the events of rooms that start and stop to shed messages (feature `tracing`). What is told, and
    /// how it is decided, is in [`observe`](crate::observe). Default it does not look.
    ///
    /// One worker looks, at 64 rooms at a time, and locks each as [`Room::stats`](crate::Room::stats)
    /// does; publishing and reading do nothing for it.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub fn observe(mut self, options: ObserveOptions) -> Self {
        self.observe = Some(options);
        self
    }

    /// The maximum number of rooms. Default 2²⁰.
    pub fn max_rooms(mut self, max_rooms: u32) -> Self {
        self.max_rooms = max_rooms;
        self
    }

    /// Has each user in one room at a time: [`Room::join`](crate::Room::join) and
    /// [`Pump::join`](crate::Pump::join) of a user who is in another room of this hub take the
    /// user out there. The sessions there still get what they are due, then
    /// [`EndReason::JoinedElsewhere`](crate::event::EndReason::JoinedElsewhere). A second device in
    /// the same room leaves nothing, a join that is refused leaves nothing, and nobody leaves a
    /// room that he or she owns. A room that was removed is not looked for. Default: users are
    /// in as many rooms as they like.
    pub fn exclusive_membership(mut self) -> Self {
        self.exclusive_membership = true;
        self
    }

    /// A limit on the bytes that all rooms hold together, by the sum of
    /// [`RoomBytes::total`](crate::stats::RoomBytes::total): what counts, who gives way and what is
    /// refused is [clause B25](roomcast_core::rulebook#b25-memory-of-all-rooms). Default none: then
    /// each room has its own bounds, and those times the number of rooms is the bound of all, which
    /// no machine has. A server that anybody can open rooms in sets it, to about half of the memory
    /// that it may take: sessions, connections, the envelopes of messages and what the allocator
    /// does not use come on top. [`Hub::memory`] tells how much is taken.
    ///
    /// The workers bring the sum up to date as they look after the rooms, and a room that grows by
    /// more than 16 KiB calls for it; so publishing pays for no sum. While more is held than may
    /// be, the worker with the biggest room trims it, with that room locked and no other, at most
    /// 4,096 messages at a time.
    ///
    /// ```
    /// # use roomcast::{Hub, RoomConfig, RoomId};
    /// let hub = Hub::<&str>::builder().memory_limit(1 << 30).spawn_threads()?;
    /// assert_eq!(hub.memory().map(|uses| (uses.limit, uses.held)), Some((1 << 30, 0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// How much may be broadcast to every room. Default one a second, the same key not within 5
    /// minutes.
    pub fn broadcasts(mut self, limits: BroadcastLimits) -> Self {
        self.broadcasts = limits;
        self
    }

    /// The seed that those of all rooms follow from, each by its room's id, or of a named room by
    /// how many were made before: for tests and replays,
    /// where the same calls are to have the same outcome. Only the lives of rooms, which ids of
    /// sessions carry, are other ones in each process all the same. A room whose configuration has
    /// a seed keeps that one. Default: one that is drawn when the hub is made and that nobody
    /// can guess. Whoever knows the seed can craft ids of users that make each join slow, so a
    /// server that others can reach keeps the default, or a secret. See
    /// [`Room::seed`](crate::Room::seed).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The key that [resume tokens](crate::session::ResumeToken) are authenticated with: for hosts
    /// that keep their keys in one place, and for hubs that are to know each other's tokens. Keep
    /// it from clients, and give it to nothing else. Default: one that is drawn when the hub is
    /// made and that nobody knows.
    ///
    /// A token leads back into the life of a room that it was taken in. After a restart, or in
    /// another hub, a room has another life, and whoever brings such a token starts as
    /// [`StartPosition::Unknown`](crate::event::StartPosition::Unknown), whichever key made it.
    pub fn token_key(mut self, key: &[u8; 32]) -> Self {
        self.token_key = Some(TokenKey::new(key));
        self
    }

    /// As [`spawn`](Self::spawn), with tasks on this runtime, from wherever it is called: for processes that
    /// have several runtimes, or begin outside any.
    ///
    /// ```
    /// use roomcast::Hub;
    ///
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let hub: Hub<String> = Hub::builder().spawn_on(runtime.handle());
    /// # drop(hub);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// The runtime has no time enabled; or as [`spawn`](Self::spawn) does for want of randomness.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn spawn_on(self, runtime: &tokio::runtime::Handle) -> Hub<M, U> {
        let _entered = runtime.enter();
        self.spawn()
    }

    /// Starts the hub with a tokio task for each worker.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled, as `tokio::spawn` does ([`spawn_on`](Self::spawn_on) names
    /// one); and where the operating
    /// system gives no randomness and there is no [`token_key`](Self::token_key).
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn spawn(mut self) -> Hub<M, U> {
        let clock = self
            .clock
            .take()
            .unwrap_or_else(|| Box::new(crate::drive::clock::TokioClock::default()));
        let (hub, drivers) = match self.build(clock) {
            Ok(built) => built,
            Err(error) => panic!("no hub: the operating system gives no randomness: {error}"),
        };
        for driver in drivers {
            tokio::spawn(worker_loop::as_task(driver));
        }
        hub
    }

    /// Starts the hub with a thread for each worker; no runtime is needed.
    ///
    /// # Errors
    /// The operating system gives no thread; or no randomness, where there is no
    /// [`token_key`](Self::token_key).
    pub fn spawn_threads(mut self) -> std::io::Result<Hub<M, U>> {
        let clock = self.clock.take().unwrap_or_else(|| Box::new(SystemClock::default()));
        let (hub, drivers) = self.build(clock)?;
        for (number, driver) in drivers.into_iter().enumerate() {
            std::thread::Builder::new()
                .name(format!("roomcast-{number}"))
                .spawn(move || worker_loop::as_thread(driver))?;
        }
        Ok(hub)
    }

    /// The hub, and its workers to be turned by hand.
    #[cfg(any(feature = "internals", test))]
    pub(crate) fn by_hand(mut self) -> Driven<M, U> {
        let clock = self.clock.take().unwrap_or_else(|| Box::new(SystemClock::default()));
        // Nobody sees its tokens.
        self.token_key.get_or_insert_with(|| TokenKey::new(&[7; 32]));
        self.build(clock).unwrap_or_else(|error| unreachable!("it has a key: {error}"))
    }

    /// A room opens another shard once each that it has holds so many sessions.
    #[cfg(feature = "internals")]
    pub(crate) fn sessions_per_shard(mut self, sessions: u32) -> Self {
        self.sessions_per_shard = sessions;
        self
    }

    /// A hub that nobody drives. Its workers never end, or its rooms would close.
    #[cfg(test)]
    pub(crate) fn undriven(self) -> Hub<M, U> {
        let (hub, workers) = self.by_hand();
        std::mem::forget(workers);
        hub
    }

    fn build(self, clock: Box<dyn Clock>) -> std::io::Result<Driven<M, U>> {
        let token_key = self.token_key.map_or_else(TokenKey::random, Ok)?;
        let outcome_waiters = Arc::new(OutcomeWaiters::default());
        let clock = HubClock::new(clock, self.max_step);
        let memory = self.memory_limit.map(|limit| Arc::new(HubMemory::new(limit, self.workers)));
        let (hook, fence, peers) = (self.hook, Arc::default(), Peers::default());
        let common = Arc::new(Common {
            clock,
            outcome_waiters,
            hook,
            fence,
            memory,
            #[cfg(all(feature = "metrics", feature = "tokio"))]
            pumps: self.observe.is_some().then(PumpBooks::default),
        });
        let seeds = Seeds::new(self.seed);
        let user_rooms = self.exclusive_membership.then(|| seeds.of(Use::UserRooms));
        let names = Arc::new(Names::new());
        let registry = RoomRegistry::new(
            self.max_rooms,
            self.workers,
            user_rooms,
            Arc::clone(&names) as Arc<dyn Mentions>,
        );
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        let registry = registry.keeping_removed(self.observe.is_some());
        let registry = Arc::new(registry);
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        let observer = self.observe.map(|options| {
            Arc::new(Observer::new(&options, Arc::clone(&common), Arc::downgrade(&registry)))
        });
        let broadcast_log = Arc::new(BroadcastLog::new(self.broadcasts, seeds.of(Use::Broadcasts)));
        let pairs = (0..self.workers).map(|number| {
            let (worker, inbox) = Worker::new(Arc::clone(&common));
            let (registry, log) = (Arc::downgrade(&registry), Arc::clone(&broadcast_log));
            let spread = Spread::new(number, self.workers);
            let trimmer = worker
                .memory()
                .map(|memory| Trimmer::new(number, Arc::clone(memory), Arc::clone(&peers)));
            let driver = WorkerLoop::new(Arc::clone(&worker), inbox, registry, log, spread);
            (worker, driver.with_trimmer(trimmer))
        });
        let (workers, drivers): (Vec<_>, Vec<_>) = pairs.unzip();
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        let drivers = drivers
            .into_iter()
            .enumerate()
            .map(|(number, driver)| {
                driver.with_observer(if number == 0 { observer.clone() } else { None })
            })
            .collect();
        peers.get_or_init(|| workers.iter().map(Arc::downgrade).collect());
        // A power of two; where that is more than there are workers, some look after two parts.
        let shards_per_room = self
            .shards_per_room
            .min(workers.len())
            .next_power_of_two()
            .min(ShardIndex::MAX as usize);
        let sharding = Sharding::new(shards_per_room as u32, self.sessions_per_shard);
        let sharding = sharding.unwrap_or_default();
        // A room begins at one worker and may grow over so many more.
        let from = |first| workers.iter().cycle().skip(first).take(sharding.shards() as usize);
        let workers_from = (0..workers.len()).map(|first| from(first).cloned().collect()).collect();
        let workers = Arc::new(Workers(workers.into()));
        let inner = Inner {
            common,
            workers,
            workers_from,
            registry,
            names,
            broadcast_log,
            seeds,
            last_config: Mutex::default(),
            token_key: Arc::new(token_key),
            audit_copy: self.audit_copy,
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            observer,
            hooks: Arc::new(Hooks::default()),
            sharding,
        };
        Ok((Hub { inner: Arc::new(inner) }, drivers))
    }
}
