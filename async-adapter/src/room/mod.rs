//! One room in the hub: its admission, its audience in shards, and the seam between them.
//!
//! Order of the locks: the shards by their numbers, then the admission. Publishing takes the
//! admission's alone, so it never waits for a reader. The settings' own comes last, and nothing is
//! locked under it. No hook, waker or channel is touched under a lock.

pub(crate) mod audience_shard;
pub(crate) mod broadcast_log;
pub(crate) mod ending;
pub(crate) mod expiry;
pub(crate) mod gone;
pub(crate) mod hooks;
mod join;
mod life;
mod looks;
pub(crate) mod mentions;
pub(crate) mod outcome_waiters;
pub(crate) mod pending_review;
mod personal;
// Without tokio there are no pumps to notify.
#[cfg_attr(not(feature = "tokio"), allow(dead_code))]
pub(crate) mod pump_notify;
pub(crate) mod round_robin;
mod seam;
#[cfg(test)]
mod tests;
pub(crate) mod token;
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
use crate::room::pump_notify::PumpNotify;
use crate::room::waiters::DisplacedWaker;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Arc, OnceLock};
use ending::Telling;
use expiry::Expiry;
use gone::Gone;
use mentions::Mentions;
use roomcast_core::deferred_drops::DeferredDrops;
use roomcast_core::error::{CloseError, LeaveError, ModerationError, ReconfigureError};
use roomcast_core::event::EndReason;
use roomcast_core::{
    Actor, Admission, Audience, Event, Instant, Payload, Publish, Receipt, Refused, RoomConfig,
    RoomId, SessionId, Sharding, UserId,
};
use seam::Aftermath;
use smallvec::SmallVec;
use token::TokenKey;
use weight::RoomWeight;

/// Events that leave one lock together.
pub(crate) type Events = SmallVec<[Event; 2]>;

/// The maximum number of events that leave under one lock.
const MAX_EVENTS: usize = 256;
/// The maximum number of messages that are published under one lock.
const MANY: usize = 64;

#[derive(Debug)]
pub(crate) struct SharedRoom<M> {
    id: RoomId,
    /// What tells it from another room that had or will have its id.
    life: u64,
    /// The configuration by now. Changed under the locks of all shards and of the admission.
    settings: Mutex<Box<RoomConfig>>,
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
    admission: Mutex<AdmissionState<M>>,
    /// One for each worker that the room may use; opened in order, as the audience grows.
    shards: Box<[OnceLock<Arc<AudienceShard<M>>>]>,
    open: AtomicU32,
    /// The last message dispatched, so that a reader can tell without the admission's lock whether
    /// it is up to date.
    dispatched: AtomicU64,
    telling: Telling,
    expiry: Expiry,
    gone: Gone,
    /// Messages that were handed over and that a transport could not send.
    unsent: AtomicU64,
    /// What it adds to what all rooms hold, where that has a limit.
    weight: Option<Box<RoomWeight>>,
    #[cfg(feature = "tokio")]
    pub(crate) groups: Groups,
}

/// What the admission's lock guards.
#[derive(Debug)]
struct AdmissionState<M> {
    admission: Admission<M>,
    /// When the worker means to come by.
    armed: Option<Instant>,
    /// Broadcasts that the room has heard.
    imported: u64,
}

/// Who looks after the shards of a room.
type RoomWorkers<M> = Box<[Arc<Worker<Job<M>>>]>;

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

/// A session that was taken out, and what that leaves to be done outside the locks.
struct TakenOut<M> {
    session: SessionId,
    was_in: bool,
    waker: Option<DisplacedWaker>,
    pumps: SmallVec<[Arc<PumpNotify>; 1]>,
    aftermath: Option<Aftermath<M>>,
}

/// What a visit leaves.
pub(crate) struct Visited {
    /// Readers that were woken.
    pub(crate) woken: usize,
    /// When to come again; `None` when nothing is due.
    pub(crate) next: Option<Instant>,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    pub(crate) fn new(
        (id, life): (RoomId, u64),
        config: &RoomConfig,
        (sharding, workers): (Sharding, RoomWorkers<M>),
        broadcast_log: Arc<BroadcastLog<M>>,
        hooks: Arc<Hooks<Arc<Self>>>,
        mentions: Arc<dyn Mentions>,
        token_key: Arc<TokenKey>,
    ) -> Arc<Self> {
        let mut admission = Admission::new(config).with_life(life);
        let imported = broadcast_log.with(|broadcasts| {
            admission.skip_broadcasts(broadcasts);
            broadcasts.count()
        });
        let audience = Audience::shard(config, sharding.part(0), admission.heads()).with_life(life);
        let has_heartbeat = audience.has_heartbeat();
        let first = Arc::new(AudienceShard::new(sharding.part(0), audience, workers[0].fence()));
        let others = workers.iter().skip(1).map(|_| OnceLock::new());
        let shards = std::iter::once(OnceLock::from(first)).chain(others).collect();
        Arc::new(Self {
            id,
            life,
            broadcast_log,
            hooks,
            mentions,
            token_key,
            settings: Mutex::new(Box::new(config.clone())),
            // The hub has given it one.
            seed: config.seed().unwrap_or_default(),
            sharding,
            has_heartbeat,
            weight: workers[0].memory().map(|hub| Box::new(RoomWeight::new(hub))),
            workers,
            admission: Mutex::new(AdmissionState { admission, armed: None, imported }),
            shards,
            open: AtomicU32::new(1),
            dispatched: AtomicU64::new(0),
            telling: Telling::default(),
            expiry: Expiry::default(),
            gone: Gone::default(),
            unsent: AtomicU64::new(0),
            #[cfg(feature = "tokio")]
            groups: Groups::default(),
        })
    }

    /// The seed of the room's hashes and random choices.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The configuration by now.
    pub(crate) fn settings(&self) -> RoomConfig {
        RoomConfig::clone(&self.settings.lock())
    }

    /// Who looks after its first shard.
    #[cfg(test)]
    pub(crate) fn first_worker(&self) -> &Arc<Worker<Job<M>>> {
        &self.workers[0]
    }

    /// The fence around code of the host's.
    pub(crate) fn fence(&self) -> &Arc<Fence> {
        self.workers[0].fence()
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
        self.shards[..self.open.load(Ordering::Acquire) as usize].iter().filter_map(OnceLock::get)
    }

    /// An open shard.
    pub(crate) fn shard(&self, index: u32) -> &Arc<AudienceShard<M>> {
        self.shards[index as usize]
            .get()
            .unwrap_or_else(|| unreachable!("shard {index} is not open"))
    }

    /// The shard that a session is in, if it is in any. One of another life is in none.
    #[inline]
    pub(crate) fn shard_of(&self, session: SessionId) -> Option<&Arc<AudienceShard<M>>> {
        if session.life() != self.life {
            return None;
        }
        self.shards.get(self.shard_number(session) as usize)?.get()
    }

    /// The number of the shard that a session is in.
    pub(crate) fn shard_number(&self, session: SessionId) -> u32 {
        self.shard(0).part.at(session.slot()).index()
    }

    pub(crate) fn publish(self: &Arc<Self>, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        self.note_life(&publish);
        let answer = self.admit(|admission, now| admission.publish(now, publish));
        self.follow_up(&answer);
        answer
    }

    /// A message that waits for a verdict is shown to whoever reviews; one that was refused for
    /// want of memory is counted.
    #[inline]
    fn follow_up(self: &Arc<Self>, answer: &Result<Receipt, Refused<M>>) {
        match (answer, &self.weight) {
            (Ok(Receipt { review: Some(ticket), .. }), _) => self.hooks.review(self, *ticket),
            (Err(refused), Some(weight)) => weight.count_refusal(refused.reason),
            _ => {}
        }
    }

    /// As [`publish`](Self::publish), one after the other at one instant; the lock is taken once
    /// for so many.
    pub(crate) fn publish_many(
        self: &Arc<Self>,
        many: Vec<Publish<M>>,
    ) -> Vec<Result<Receipt, Refused<M>>> {
        // Where somebody else comes in between, at a later instant, the room goes on at that one.
        let now = self.now();
        let mut outcome_waiters = Vec::with_capacity(many.len());
        for publish in &many {
            self.note_life(publish);
        }
        let mut many = many.into_iter();
        while many.len() > 0 {
            // What each is done with is dropped outside, as always.
            let (deferred, after) = self.in_admission(|admission| {
                let mut deferred = Vec::new();
                for publish in many.by_ref().take(MANY) {
                    outcome_waiters.push(admission.publish(now, publish));
                    deferred.extend(admission.take_deferred_drops());
                }
                deferred
            });
            self.fence().drop_deferred(deferred);
            self.finish(after);
        }
        for answer in &outcome_waiters {
            self.follow_up(answer);
        }
        outcome_waiters
    }

    /// A room that may not stay empty for long wants to be looked after from its beginning.
    pub(crate) fn begin(self: &Arc<Self>) {
        let owner = self.settings.lock().owner();
        if let Some(owner) = owner {
            self.mention(self.now(), owner);
        }
        if self.peek(|admission| admission.poll_timeout().is_some()) {
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
            **self.settings.lock() = config.clone();
            Ok(())
        })
    }

    /// Calls, under the admission's lock, if a user is not in.
    pub(crate) fn unless_in(&self, user: UserId, call: impl FnOnce()) {
        let guarded = self.admission.lock();
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

    /// Takes a session out at once. Returns whether it was in. Whoever waits for it learns of it.
    pub(crate) fn close_session(self: &Arc<Self>, session: SessionId) -> bool {
        self.take_out(session).is_some_and(|taken| self.finish_taking_out(taken))
    }

    /// Takes a session out, and tells nobody yet.
    fn take_out(&self, session: SessionId) -> Option<TakenOut<M>> {
        let number = self.shard_of(session)?.part.index();
        let (mut taken, aftermath) = self.in_shards_untold(&[number], |halves, now| {
            let was_in = halves.close_session(now, session);
            let mut taken =
                TakenOut { session, was_in, waker: None, pumps: SmallVec::new(), aftermath: None };
            if let Some((shard, state)) = halves.audiences.shard(number) {
                // Before it is woken, which may be as soon as the lock is free.
                shard.advance();
                taken.waker = shard
                    .place(session)
                    .and_then(|place| state.waiters.remove(place, session.key()));
                if was_in {
                    taken.pumps.clone_from(&state.pump_notifies);
                }
            }
            taken
        });
        taken.aftermath = Some(aftermath);
        Some(taken)
    }

    /// Tells that a session was taken out. Returns whether it was in.
    fn finish_taking_out(self: &Arc<Self>, taken: TakenOut<M>) -> bool {
        let TakenOut { session, was_in, waker, pumps, aftermath } = taken;
        if let Some(waker) = waker {
            waker.settle(self.fence());
        }
        pumps.iter().for_each(|pump| pump.notify_gone(session));
        if let Some(aftermath) = aftermath {
            self.settle_aftermath(aftermath);
        }
        was_in
    }

    pub(crate) fn close(self: &Arc<Self>, actor: Actor) -> Result<(), CloseError> {
        self.in_all(|halves, now| halves.close(now, actor))
    }

    /// Takes nothing more; what waits still goes out.
    pub(crate) fn stop(&self) {
        self.admission.lock().admission.stop();
    }

    /// Ends the grace of a closed room.
    pub(crate) fn end_grace(self: &Arc<Self>) {
        let now = self.now();
        for shard in self.shards() {
            shard.enter(|state| state.audience.end_grace(now));
            self.visit_unattended(shard);
        }
    }

    /// Whether nothing waits to be dispatched.
    pub(crate) fn is_idle(&self) -> bool {
        self.admission.lock().admission.is_idle()
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

    /// A worker's visit to a shard: does what is due, and wakes some of those who are ready.
    pub(crate) fn visit(self: &Arc<Self>, index: u32) -> Visited {
        let shard = self.shard(index);
        shard.called.answer();
        let now = self.now();
        let timeout = if index == 0 { self.visit_admission(now) } else { None };
        let found = shard.enter(|state| {
            if state.audience.gone().len() > 0 {
                return None;
            }
            self.catch_up(shard, &mut state.audience);
            self.take_signs(shard, state);
            state.audience.handle_timeout(now);
            let gone: Vec<SessionId> = state.audience.gone().collect();
            let pump_notifies = if state.audience.wake(now) || !gone.is_empty() {
                state.begin_waking();
                state.pump_notifies.clone()
            } else {
                SmallVec::new()
            };
            if !gone.is_empty() {
                shard.advance();
            }
            let next = shard.arm(state);
            Some((pump_notifies, gone, state.audience.has_liveness(), next))
        });
        let Some((pump_notifies, gone, has_found, next)) = found else {
            // Another thread's visit has found who is gone and is about to pass it on. This one
            // would forget them, so it passes them on first.
            self.settle(shard);
            return self.visit(index);
        };
        if has_found || !gone.is_empty() {
            self.settle(shard);
        }
        for pump_notify in &pump_notifies {
            pump_notify.notify_expired(&gone);
            pump_notify.notify_data();
        }
        let (woken, left) = shard.wake_some();
        if left {
            self.call(shard);
        }
        Visited { woken, next: timeout.into_iter().chain(next).min() }
    }

    /// Does what is due in the admission; returns when to come again.
    fn visit_admission(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        // This visit says when the worker comes next: until then nothing is sooner.
        self.admission.lock().armed = Some(Instant::ZERO);
        let is_vacant = self.admit(|admission, _| {
            // One that has ended asks for no call, and its clock stands still.
            if admission.is_ended() {
                return false;
            }
            admission.handle_timeout(now);
            // The room's clock stands where that has moved it.
            admission.is_vacant(Instant::ZERO)
        });
        if is_vacant {
            // Under all locks, nobody joins.
            self.in_all(|halves, _| {
                if halves.close_vacant(Instant::ZERO) {
                    self.expiry.expire();
                }
            });
        }
        let mut guarded = self.admission.lock();
        guarded.armed = guarded.admission.poll_timeout();
        guarded.armed
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
        if news {
            self.shards().for_each(|shard| self.call(shard));
        } else if home {
            self.call(self.shard(0));
        }
    }

    /// Asks a shard's worker to look after it.
    fn call(self: &Arc<Self>, shard: &AudienceShard<M>) {
        if shard.called.call() {
            let index = shard.part.index();
            self.workers[index as usize].send(Job::Poll(Arc::clone(self), index));
        }
    }
}
