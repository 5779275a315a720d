//! One room in the hub: its admission, its audience in shards, and the seam between them.
//!
//! Order of the locks: the shards by their numbers, then the admission. Publishing takes the
//! admission's alone, so it never waits for a reader. The settings' own comes last, and nothing is
//! locked under it. No hook, waker or channel is touched under a lock.

pub(crate) mod audience_shard;
mod audit;
mod body;
pub(crate) mod broadcast_log;
mod edge;
pub(crate) mod ending;
pub(crate) mod expiry;
pub(crate) mod gate;
pub(crate) mod gone;
pub(crate) mod hooks;
mod join;
mod life;
mod looks;
pub(crate) mod mentions;
pub(crate) mod outcome_waiters;
pub(crate) mod pending_review;
pub(crate) mod personal;
mod publishing;
// Without tokio there are no pumps to notify.
#[cfg_attr(not(feature = "tokio"), allow(dead_code))]
pub(crate) mod pump_notify;
pub(crate) mod round_robin;
mod seam;
mod taking_out;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod visiting;
pub(crate) mod waiters;
pub(crate) mod weight;

use crate::drive::fence::Fence;
use crate::drive::worker::Worker;
use crate::room::audience_shard::AudienceShard;
use crate::room::broadcast_log::BroadcastLog;
use crate::room::hooks::Hooks;
use crate::room::outcome_waiters::OutcomeWaiters;
#[cfg(feature = "tokio")]
use crate::room::pump_notify::Groups;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, OnceLock};
use body::Body;
use ending::Telling;
use expiry::Expiry;
use gate::{EdgeNews, EdgeStart, Gate, Stands};
use gone::Gone;
use mentions::Mentions;
use roomcast_core::broadcasts::Broadcasts;
use roomcast_core::deferred_drops::DeferredDrops;
use roomcast_core::error::{CloseError, LeaveError, ModerationError, ReconfigureError};
use roomcast_core::event::EndReason;
use roomcast_core::{
    Actor, Admission, Event, Instant, Payload, RoomConfig, RoomId, SessionId, Sharding, UserId,
};
use smallvec::SmallVec;
use token::TokenKey;
pub(crate) use visiting::Visited;
use weight::RoomWeight;

/// Events that leave one lock together.
pub(crate) type Events = SmallVec<[Event; 2]>;

/// The maximum number of events that leave under one lock.
const MAX_EVENTS: usize = 256;

#[derive(Debug)]
pub(crate) struct SharedRoom<M> {
    id: RoomId,
    /// What tells it from another room that had or will have its id.
    life: u64,
    /// The life that its positions are of: of an edge, that of its room.
    log_life: u64,
    /// The configuration by now. Changed under the locks of all shards and of the admission.
    settings: Mutex<RoomConfig>,
    /// The seed, for the room's life.
    seed: u64,
    sharding: Sharding,
    has_heartbeat: bool,
    broadcast_log: Arc<BroadcastLog<M>>,
    hooks: Arc<Hooks<Arc<Self>>>,
    mentions: Arc<dyn Mentions>,
    token_key: Arc<TokenKey>,
    /// The worker of each shard.
    workers: RoomWorkers<M>,
    /// None while nobody has called the room.
    body: OnceLock<Box<Body<M>>>,
    /// How much had been broadcast to all rooms when this one was made: that it does not hear.
    first_broadcast: u64,
    /// The last message dispatched, so that a reader can tell without the admission's lock whether
    /// it is up to date.
    dispatched: AtomicU64,
    telling: Telling,
    expiry: Expiry,
    gone: Gone,
    /// Tells the host what waits for the room, where the admission is one at an edge.
    edge_news: Option<Box<EdgeNews>>,
    /// Messages that were handed over and that a transport could not send.
    unsent: AtomicU64,
    /// The server is shutting down: nobody joins any more.
    refuses_joins: AtomicBool,
    /// What it adds to what all rooms hold, where that has a limit.
    weight: Option<Box<RoomWeight>>,
    /// The number of the last look that has counted it.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) looked_at: AtomicU64,
    #[cfg(feature = "tokio")]
    pub(crate) groups: Groups,
}

/// What the admission's lock guards.
#[derive(Debug)]
struct AdmissionState<M> {
    admission: Gate<M>,
    /// When the worker means to come by.
    armed: Option<Instant>,
    /// Broadcasts that the room has heard.
    imported: u64,
}

/// Who looks after the shards of a room.
pub(crate) type RoomWorkers<M> = Arc<[Arc<Worker<Job<M>>>]>;

/// What a room asks of a worker's driver.
#[derive(Debug)]
pub(crate) enum Job<M> {
    /// To look after a shard, and with the first after the admission.
    Poll(Arc<SharedRoom<M>>, u32),
    /// To take out the sessions of subscriptions that were dropped.
    Gone(Arc<SharedRoom<M>>),
}

/// What a call leaves to be done once its lock is free.
pub(crate) struct After<M> {
    events: Events,
    /// Something was dispatched: every shard's worker has to look.
    news: bool,
    /// The first shard's worker has to look after the admission.
    home: bool,
    /// Dropped outside the locks: that may run foreign code.
    deferred: Option<DeferredDrops<M>>,
    /// The same, of what was broadcast; seldom any.
    imported: Option<Box<DeferredDrops<M>>>,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        (id, life): (RoomId, u64),
        config: &RoomConfig,
        stands: Stands,
        (sharding, workers): (Sharding, RoomWorkers<M>),
        broadcast_log: Arc<BroadcastLog<M>>,
        hooks: Arc<Hooks<Arc<Self>>>,
        mentions: Arc<dyn Mentions>,
        token_key: Arc<TokenKey>,
    ) -> Arc<Self> {
        let first_broadcast = broadcast_log.with(Broadcasts::count);
        let mut shared = Self {
            id,
            life,
            log_life: match stands {
                Stands::AtEdge(EdgeStart { life: Some(of_room), .. }) => of_room,
                _ => life,
            },
            broadcast_log,
            hooks,
            mentions,
            token_key,
            settings: Mutex::new(config.clone()),
            // The hub has given it one.
            seed: config.seed().unwrap_or_default(),
            sharding,
            has_heartbeat: config.heartbeat().is_some(),
            weight: workers[0].memory().map(|hub| Box::new(RoomWeight::new(hub))),
            workers,
            body: OnceLock::new(),
            first_broadcast,
            dispatched: AtomicU64::new(0),
            telling: Telling::default(),
            expiry: Expiry::default(),
            gone: Gone::default(),
            edge_news: matches!(stands, Stands::AtEdge(_)).then(Box::default),
            unsent: AtomicU64::new(0),
            refuses_joins: AtomicBool::new(false),
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            looked_at: AtomicU64::new(0),
            #[cfg(feature = "tokio")]
            groups: Groups::default(),
        };
        if let Stands::AtEdge(_) = stands {
            let body = shared.fresh_body(stands);
            shared.dispatched = AtomicU64::new(body.admission.lock().admission.dispatched().0);
            shared.body = OnceLock::from(body);
        }
        Arc::new(shared)
    }

    /// The seed of the room's hashes and random choices.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The configuration by now.
    pub(crate) fn settings(&self) -> RoomConfig {
        self.settings.lock().clone()
    }

    /// Who looks after its first shard.
    #[cfg(test)]
    pub(crate) fn first_worker(&self) -> &Arc<Worker<Job<M>>> {
        &self.workers[0]
    }

    /// Who looks after a shard.
    pub(crate) fn worker(&self, shard: &AudienceShard<M>) -> &Arc<Worker<Job<M>>> {
        &self.workers[shard.part.index() as usize]
    }

    /// The fence around code of the host's.
    pub(crate) fn fence(&self) -> &Arc<Fence> {
        self.workers[0].fence()
    }

    /// A task of a pump counts, where somebody wants to know.
    #[cfg(all(feature = "metrics", feature = "tokio"))]
    pub(crate) fn count_pump(&self, counters: &Arc<crate::pump::counters::Counters>) {
        if let Some(pumps) = self.workers[0].pumps() {
            pumps.add(counters);
        }
    }

    /// The callers that await outcomes.
    pub(crate) fn outcome_waiters(&self) -> &Arc<OutcomeWaiters> {
        self.workers[0].outcome_waiters()
    }

    pub(crate) fn id(&self) -> RoomId {
        self.id
    }

    pub(crate) fn now(&self) -> Instant {
        self.workers[0].now()
    }

    /// The shards that are open.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Arc<AudienceShard<M>>> {
        let body = self.body.get();
        let open =
            body.map_or(&[][..], |body| &body.shards[..body.open.load(Ordering::Acquire) as usize]);
        open.iter().filter_map(OnceLock::get)
    }

    /// An open shard.
    pub(crate) fn shard(&self, index: u32) -> &Arc<AudienceShard<M>> {
        self.body().shards[index as usize]
            .get()
            .unwrap_or_else(|| unreachable!("shard {index} is not open"))
    }

    /// The shard that a session is in, if it is in any. One of another life is in none.
    #[inline]
    pub(crate) fn shard_of(&self, session: SessionId) -> Option<&Arc<AudienceShard<M>>> {
        if session.life() != self.life {
            return None;
        }
        self.body.get()?.shards.get(self.shard_number(session) as usize)?.get()
    }

    /// The number of the shard that a session is in.
    pub(crate) fn shard_number(&self, session: SessionId) -> u32 {
        self.sharding.part(0).at(session.slot()).index()
    }

    /// A room that may not stay empty for long wants to be looked after from its beginning.
    pub(crate) fn begin(self: &Arc<Self>) {
        let owner = self.settings.lock().owner();
        if let Some(owner) = owner {
            self.mention(self.now(), owner);
        }
        // Nothing else is due in a room that nobody has called.
        let is_watched = self.settings.lock().idle_timeout().is_some();
        if is_watched || self.body.get().is_some() {
            self.call(self.shard(0));
        }
    }

    /// Takes a user out on all devices, unless `stays` says otherwise under the locks.
    pub(crate) fn leave(
        self: &Arc<Self>,
        user: UserId,
        reason: EndReason,
        stays: impl FnOnce() -> bool,
    ) -> Result<(), LeaveError> {
        self.in_all(|halves, now| if stays() { Ok(()) } else { halves.leave(now, user, reason) })
    }

    pub(crate) fn kick(
        self: &Arc<Self>,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        self.in_all(|halves, now| halves.kick(now, actor, users))
    }

    /// Goes on under another configuration.
    pub(crate) fn reconfigure(
        self: &Arc<Self>,
        config: &RoomConfig,
    ) -> Result<(), ReconfigureError> {
        // Shards that open later are made with the room's own seed as well.
        let config = &config.clone().or_seed(self.seed);
        self.in_all(|halves, now| {
            halves.reconfigure(now, config)?;
            *self.settings.lock() = config.clone();
            Ok(())
        })
    }

    /// Whether a user has a session here that does not end.
    pub(crate) fn is_in(&self, user: UserId) -> bool {
        let has_one =
            |body: &Body<M>| !body.admission.lock().admission.sessions_of(user).is_empty();
        self.body.get().is_some_and(|body| has_one(body))
    }

    /// Calls, under the admission's lock, if a user is not in.
    pub(crate) fn unless_in(&self, user: UserId, call: impl FnOnce()) {
        let guarded = self.body().admission.lock();
        if guarded.admission.sessions_of(user).is_empty() {
            call();
        }
    }

    /// Calls the admission alone.
    pub(crate) fn admit<R>(
        self: &Arc<Self>,
        call: impl FnOnce(&mut Admission<M>, Instant) -> R,
    ) -> R {
        let now = self.now();
        let (answer, after) = self.in_admission(|admission| call(admission, now));
        self.finish(after);
        answer
    }

    pub(crate) fn close(self: &Arc<Self>, actor: Actor) -> Result<(), CloseError> {
        self.in_all(|halves, now| halves.close(now, actor))
    }

    /// Takes nothing more; what waits still goes out.
    pub(crate) fn stop(&self) {
        self.body().admission.lock().admission.stop();
    }

    /// Ends the grace of a closed room.
    pub(crate) fn end_grace(self: &Arc<Self>) {
        let now = self.now();
        for shard in self.shards() {
            shard.enter(|state| state.audience.end_grace(now));
            self.visit_unattended(shard);
        }
    }

    /// Whether nothing waits to be dispatched, nor at an edge for its fate.
    pub(crate) fn is_idle(&self) -> bool {
        let Some(body) = self.body.get() else { return true };
        let mut guarded = body.admission.lock();
        let awaits_fates = guarded.admission.edge().is_some_and(|at| at.awaits_fates());
        guarded.admission.is_idle() && !awaits_fates
    }

    /// Sessions that are in.
    pub(crate) fn sessions(&self) -> u64 {
        self.shards().map(|shard| u64::from(shard.sessions.load(Ordering::Relaxed))).sum()
    }

    /// Nobody joins any more.
    pub(crate) fn refuse_joins(&self) {
        self.refuses_joins.store(true, Ordering::Relaxed);
    }

    /// A session has told its end and is gone from its audience.
    pub(crate) fn forget(self: &Arc<Self>, session: SessionId) {
        self.admit(|admission, now| admission.gone(now, session));
    }

    pub(crate) fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }

    pub(crate) fn count_unsent(&self, messages: u64) {
        self.unsent.fetch_add(messages, Ordering::Relaxed);
    }

    /// What every call does last, outside the locks.
    pub(crate) fn finish(self: &Arc<Self>, after: After<M>) {
        let After { events, news, home, deferred, imported } = after;
        if let Some(deferred) = deferred {
            self.fence().drop_deferred([deferred]);
        }
        if let Some(imported) = imported {
            self.fence().drop_deferred([*imported]);
        }
        self.emit_events(&events);
        self.tell_edge_news();
        if news {
            self.shards().for_each(|shard| self.call(shard));
        } else if home {
            self.call(self.shard(0));
        }
    }
}
