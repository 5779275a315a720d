//! One room in the hub: its admission, its audience in halls, and the seam between them.
//!
//! Order of the locks: the halls by their numbers, then the admission. Publishing takes the admission's alone, so it never waits for a
//! reader (decision D1). The settings' own comes last, and nothing is locked under it. No hook, waker or channel is touched under a lock.

mod ending;
mod join;
mod life;
mod personal;
mod seam;
#[cfg(test)]
mod tests;

use crate::air::Air;
use crate::answers::Answers;
#[cfg(feature = "tokio")]
use crate::bell::Groups;
use crate::hall::Hall;
use crate::shard::Shard;
use crate::waiters::Former;
use ending::Telling;
use parking_lot::Mutex;
use roomcast_core::{
    Actor, Admission, Audience, CloseError, Debris, EndReason, Event, Instant, LeaveError, ModerationError, Payload, Publish,
    Receipt, ReconfigureError, Refused, RoomConfig, RoomId, SessionId, Sharding, UserId,
};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Events that leave one lock together.
pub(crate) type Events = SmallVec<[Event; 2]>;

/// Events that leave under one lock at the most.
const MAX_EVENTS: usize = 256;
/// Messages that are published under one lock at the most.
const MANY: usize = 64;

#[derive(Debug)]
pub(crate) struct Cell<M> {
    id: RoomId,
    /// The configuration by now. Changed under the locks of all halls and of the admission.
    settings: Mutex<Box<RoomConfig>>,
    /// The seed, for the room's life.
    seed: u64,
    sharding: Sharding,
    has_heartbeat: bool,
    air: Arc<Air<M>>,
    /// Where it stands among the rooms that hear what is broadcast.
    place: usize,
    /// The shard of each hall.
    shards: Box<[Arc<Shard<Work<M>>>]>,
    admission: Mutex<Gate<M>>,
    /// One for each shard that the room may use; opened in order, as the audience grows.
    halls: Box<[OnceLock<Arc<Hall<M>>>]>,
    open: AtomicU32,
    /// The last message dispatched, so that a reader can tell without the admission's lock whether it is up to date.
    dispatched: AtomicU64,
    telling: Telling,
    /// Messages that were handed over and that a transport could not send.
    unsent: AtomicU64,
    #[cfg(feature = "tokio")]
    pub(crate) groups: Groups,
}

/// What the admission's lock guards.
#[derive(Debug)]
struct Gate<M> {
    admission: Admission<M>,
    /// When the shard means to come by.
    armed: Option<Instant>,
    /// Broadcasts that the room has heard.
    heard: u64,
}

/// What a room asks of a shard's driver.
#[derive(Debug)]
pub(crate) enum Work<M> {
    /// To look after a hall, and with the first after the admission.
    Visit(Arc<Cell<M>>, u32),
    /// To let the rooms from this place on hear what was broadcast.
    Spread(Arc<Air<M>>, usize),
    /// To take out the session of a subscription that was dropped.
    Gone(Arc<Cell<M>>, SessionId),
}

/// What a call leaves to be done once its lock is free.
pub(crate) struct After<M> {
    events: Events,
    /// Something was dispatched: every hall's shard has to look.
    news: bool,
    /// The first hall's shard has to look after the admission.
    home: bool,
    /// Dropped outside the locks: that may run foreign code (decision D6).
    debris: Option<Debris<M>>,
    /// The same, of what was broadcast; seldom any.
    heard: Option<Box<Debris<M>>>,
}

/// What a visit leaves.
pub(crate) struct Visited {
    /// Readers that were woken.
    pub(crate) woken: usize,
    /// When to come again; `None` when nothing is due.
    pub(crate) next: Option<Instant>,
}

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    pub(crate) fn new(id: RoomId, config: &RoomConfig, shards: Box<[Arc<Shard<Work<M>>>]>, air: Arc<Air<M>>) -> Arc<Self> {
        let mut admission = Admission::new(config);
        let heard = air.with(|broadcasts| {
            admission.skip_broadcasts(broadcasts);
            broadcasts.count()
        });
        let sharding = Self::sharding_over(shards.len());
        let audience = Audience::part(config, sharding.part(0), admission.heads());
        let has_heartbeat = audience.has_heartbeat();
        let first = Arc::new(Hall::new(sharding.part(0), audience));
        let others = shards.iter().skip(1).map(|_| OnceLock::new());
        let halls = std::iter::once(OnceLock::from(first)).chain(others).collect();
        Arc::new_cyclic(|cell| Self {
            id,
            place: air.enter(Weak::clone(cell)),
            air,
            settings: Mutex::new(Box::new(config.clone())),
            // The hub has given it one.
            seed: config.seed().unwrap_or_default(),
            sharding,
            has_heartbeat,
            shards,
            admission: Mutex::new(Gate { admission, armed: None, heard }),
            halls,
            open: AtomicU32::new(1),
            dispatched: AtomicU64::new(0),
            telling: Telling::default(),
            unsent: AtomicU64::new(0),
            #[cfg(feature = "tokio")]
            groups: Groups::default(),
        })
    }

    /// The seed of the room's hashes and random choices.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The callers that await outcomes.
    pub(crate) fn answers(&self) -> &Arc<Answers> {
        self.shards[0].answers()
    }

    pub(crate) fn id(&self) -> RoomId {
        self.id
    }

    pub(crate) fn now(&self) -> Instant {
        self.shards[0].now()
    }

    /// The halls that are open.
    pub(crate) fn halls(&self) -> impl Iterator<Item = &Arc<Hall<M>>> {
        self.halls[..self.open.load(Ordering::Acquire) as usize].iter().filter_map(OnceLock::get)
    }

    /// An open hall.
    pub(crate) fn hall(&self, index: u32) -> &Arc<Hall<M>> {
        self.halls[index as usize].get().unwrap_or_else(|| unreachable!("hall {index} is not open"))
    }

    /// The hall that a session is in, if it is in any.
    pub(crate) fn hall_of(&self, session: SessionId) -> Option<&Arc<Hall<M>>> {
        self.halls.get(self.hall_number(session) as usize)?.get()
    }

    /// The number of the hall that a session is in.
    pub(crate) fn hall_number(&self, session: SessionId) -> u32 {
        self.hall(0).part.at(session.slot()).index()
    }

    pub(crate) fn publish(self: &Arc<Self>, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        self.note_life(&publish);
        let answer = self.admit(|admission, now| admission.publish(now, publish));
        self.have_reviewed(&answer);
        answer
    }

    /// A message that waits for a verdict is shown to whoever reviews.
    #[inline]
    fn have_reviewed(self: &Arc<Self>, answer: &Result<Receipt, Refused<M>>) {
        if let Ok(Receipt { review: Some(ticket), .. }) = answer {
            self.air.review(self, *ticket);
        }
    }

    /// Looks at the admission, changing nothing.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&Admission<M>) -> R) -> R {
        look(&self.admission.lock().admission)
    }

    /// Is forgotten by the hub: it hears no broadcasts any more.
    pub(crate) fn forget_place(&self) {
        self.air.leave(self.place);
    }

    /// As [`publish`](Self::publish), one after the other at one instant; the lock is taken once for so many.
    pub(crate) fn publish_many(self: &Arc<Self>, many: Vec<Publish<M>>) -> Vec<Result<Receipt, Refused<M>>> {
        // Where somebody else comes in between, at a later instant, the room goes on at that one.
        let now = self.now();
        let mut answers = Vec::with_capacity(many.len());
        many.iter().for_each(|publish| self.note_life(publish));
        let mut many = many.into_iter();
        while many.len() > 0 {
            // What each is done with is dropped outside, as always.
            let (debris, after) = self.in_gate(|admission| {
                let mut debris = Vec::new();
                for publish in many.by_ref().take(MANY) {
                    answers.push(admission.publish(now, publish));
                    debris.extend(admission.take_debris());
                }
                debris
            });
            drop(debris);
            self.finish(after);
        }
        for answer in &answers {
            self.have_reviewed(answer);
        }
        answers
    }

    /// A room that may not stay empty for long wants to be looked after from its beginning.
    pub(crate) fn begin(self: &Arc<Self>) {
        if self.peek(|admission| admission.poll_timeout().is_some()) {
            self.call(self.hall(0));
        }
    }

    /// Takes a user out on all devices, unless `stays` says otherwise under the locks.
    pub(crate) fn leave(self: &Arc<Self>, user: UserId, reason: EndReason, stays: impl FnOnce() -> bool) -> Result<(), LeaveError> {
        self.in_all(|halves, now| if stays() { Ok(()) } else { halves.leave(now, user, reason) })
    }

    pub(crate) fn kick(self: &Arc<Self>, actor: Actor, users: &[UserId]) -> Result<(), ModerationError> {
        self.in_all(|halves, now| halves.kick(now, actor, users))
    }

    pub(crate) fn ban(
        self: &Arc<Self>,
        actor: Actor,
        users: &[UserId],
        time: Option<std::time::Duration>,
    ) -> Result<(), ModerationError> {
        self.in_all(|halves, now| halves.ban(now, actor, users, time))
    }

    /// Goes on under another configuration.
    pub(crate) fn reconfigure(self: &Arc<Self>, config: &RoomConfig) -> Result<(), ReconfigureError> {
        // Halls that open later are made with the room's own seed as well.
        let config = &config.clone().or_seed(self.seed);
        self.in_all(|halves, now| {
            halves.reconfigure(now, config)?;
            **self.settings.lock() = config.clone();
            Ok(())
        })
    }

    /// Calls, under the admission's lock, if a user is not in.
    pub(crate) fn unless_in(&self, user: UserId, call: impl FnOnce()) {
        let gate = self.admission.lock();
        if gate.admission.sessions_of(user).is_empty() {
            call();
        }
    }

    /// Calls the admission alone.
    pub(crate) fn admit<R>(self: &Arc<Self>, call: impl FnOnce(&mut Admission<M>, Instant) -> R) -> R {
        let now = self.now();
        let (answer, after) = self.in_gate(|admission| call(admission, now));
        self.finish(after);
        answer
    }

    /// Takes a session out at once. Answers whether it was in. Whoever waits for it learns of it.
    pub(crate) fn close_session(self: &Arc<Self>, session: SessionId) -> bool {
        let Some(hall) = self.hall_of(session) else { return false };
        let number = hall.part.index();
        let (was_in, former, bells) = self.in_halls(&[number], |halves, now| {
            let was_in = halves.close_session(now, session);
            let Some((hall, seats)) = halves.audiences.hall(number) else { return (was_in, None, SmallVec::new()) };
            // Before it is woken, which may be as soon as the lock is free.
            hall.advance();
            let former = hall.place(session).and_then(|place| seats.waiters.remove(place, session));
            let bells = if was_in { seats.bells.clone() } else { SmallVec::new() };
            (was_in, former, bells)
        });
        former.into_iter().for_each(Former::settle);
        bells.iter().for_each(|bell| bell.tell_gone(session));
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
        for hall in self.halls() {
            hall.enter(|seats| seats.audience.end_grace(now));
            self.call(hall);
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

    /// A shard's visit to a hall: does what is due, and wakes some of those who are ready.
    pub(crate) fn visit(self: &Arc<Self>, index: u32) -> Visited {
        let hall = self.hall(index);
        hall.called.store(false, Ordering::Release);
        let now = self.now();
        let timeout = if index == 0 { self.visit_admission(now) } else { None };
        let (bells, gone, has_found, next) = hall.enter(|seats| {
            self.catch_up(hall, &mut seats.audience);
            self.take_signs(hall, seats);
            seats.audience.handle_timeout(now);
            let gone: Vec<SessionId> = seats.audience.gone().to_vec();
            let bells = if seats.audience.wake(now) || !gone.is_empty() {
                seats.tell();
                seats.bells.clone()
            } else {
                SmallVec::new()
            };
            if !gone.is_empty() {
                hall.advance();
            }
            let next = hall.arm(seats);
            (bells, gone, seats.audience.has_liveness(), next)
        });
        if has_found || !gone.is_empty() {
            self.settle(hall);
        }
        for bell in &bells {
            bell.tell_over(&gone);
            bell.tell();
        }
        let (woken, left) = hall.wake_some();
        if left {
            self.call(hall);
        }
        Visited { woken, next: timeout.into_iter().chain(next).min() }
    }

    /// Does what is due in the admission; returns when to come again.
    fn visit_admission(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        // This visit says when the shard comes next: until then nothing is sooner.
        self.admission.lock().armed = Some(Instant::ZERO);
        let is_vacant = self.admit(|admission, _| {
            admission.handle_timeout(now);
            admission.is_vacant(now)
        });
        if is_vacant {
            // Under all locks, nobody joins.
            self.in_all(|halves, now| halves.close_vacant(now));
        }
        let mut gate = self.admission.lock();
        gate.armed = gate.admission.poll_timeout();
        gate.armed
    }

    /// What every call does last, outside the locks.
    pub(crate) fn finish(self: &Arc<Self>, after: After<M>) {
        let After { events, news, home, debris, heard } = after;
        drop((debris, heard));
        self.tell(&events);
        if news {
            self.halls().for_each(|hall| self.call(hall));
        } else if home {
            self.call(self.hall(0));
        }
    }

    /// Asks a hall's shard to look after it.
    fn call(self: &Arc<Self>, hall: &Hall<M>) {
        if !hall.called.swap(true, Ordering::AcqRel) {
            let index = hall.part.index();
            self.shards[index as usize].send(Work::Visit(Arc::clone(self), index));
        }
    }

    /// A subscription was dropped: the shard takes its session out (decision D6: dropping never locks).
    pub(crate) fn abandon(self: &Arc<Self>, session: SessionId) {
        let index = self.hall_number(session);
        self.shards[index as usize].send(Work::Gone(Arc::clone(self), session));
    }
}
