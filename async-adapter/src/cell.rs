//! One room in the hub: its two halves, each under a lock of its own, and the seam between them.
//!
//! Order of the locks: audience, then admission. Publishing takes the admission's alone, so it never waits for a reader (decision D1). No
//! hook, waker or channel is touched under a lock.

use crate::answers::Answers;
use crate::parked::{Parked, Place};
use crate::shard::Shard;
use parking_lot::Mutex;
use roomcast_core::{
    Actor, Admission, Audience, Batch, Budget, CloseError, Debris, EndReason, Event, Instant, Join, JoinError, Joined, LeaveError,
    Message, Payload, ProfileError, Publish, Receipt, Refused, Room, RoomConfig, RoomId, RoomSnapshot, Seq, SessionEnd, SessionId,
    UserId,
};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

/// Events that leave one lock together.
pub(crate) type Events = SmallVec<[Event; 2]>;

/// Events that leave under one lock at the most.
const MAX_EVENTS: usize = 256;

#[derive(Debug)]
pub(crate) struct Cell<M> {
    id: RoomId,
    shard: Arc<Shard<Work<M>>>,
    admission: Mutex<Gate<M>>,
    audience: Mutex<Hall<M>>,
    /// The last message dispatched, so that a reader can tell without the admission's lock whether it is up to date.
    dispatched: AtomicU64,
    /// Grows with everything that may make a waiting session ready, before any of them is woken for it.
    epoch: AtomicU64,
    /// Whether the shard has been told that this room wants looking after.
    called: AtomicBool,
    /// Messages that were handed over and that a transport could not send.
    unsent: AtomicU64,
}

/// What the admission's lock guards.
#[derive(Debug)]
struct Gate<M> {
    admission: Admission<M>,
    /// When the shard means to come by.
    armed: Option<Instant>,
}

/// What the audience's lock guards.
#[derive(Debug)]
struct Hall<M> {
    audience: Audience<M>,
    parked: Parked,
    /// Up to which message the parked sessions have been woken.
    woken: Seq,
    /// Whether a session was closed since then.
    stirred: bool,
    /// Whether `RoomEnded` has been told.
    end_told: bool,
}

/// Where a session is parked, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seat {
    pub(crate) place: Option<Place>,
    /// The epoch as of which it had nothing to read and was parked; `None` when it is not known to be parked.
    pub(crate) parked_at: Option<u64>,
}

/// What a room asks of its shard's driver.
#[derive(Debug)]
pub(crate) enum Work<M> {
    /// To be looked after.
    Visit(Arc<Cell<M>>),
    /// To take out the session of a subscription that was dropped.
    Gone {
        /// The room.
        cell: Arc<Cell<M>>,
        /// The session.
        session: SessionId,
        /// Where it may be parked.
        parked: Option<Place>,
    },
}

/// What a call leaves to be done once its lock is free.
struct After<M> {
    events: Events,
    call_shard: bool,
    /// Dropped outside the locks: that may run foreign code (decision D6).
    debris: Option<Debris<M>>,
}

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    pub(crate) fn new(id: RoomId, config: &RoomConfig, shard: Arc<Shard<Work<M>>>) -> Self {
        let (admission, audience) = Room::new(config).into_halves();
        Self {
            id,
            shard,
            admission: Mutex::new(Gate { admission, armed: None }),
            audience: Mutex::new(Hall { audience, parked: Parked::default(), woken: Seq(0), stirred: false, end_told: false }),
            dispatched: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            called: AtomicBool::new(false),
            unsent: AtomicU64::new(0),
        }
    }

    /// The callers that await outcomes.
    pub(crate) fn answers(&self) -> &Arc<Answers> {
        self.shard.answers()
    }

    pub(crate) fn id(&self) -> RoomId {
        self.id
    }

    pub(crate) fn publish(self: &Arc<Self>, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        let now = self.shard.now();
        let (answer, after) = self.in_gate(|admission| admission.publish(now, publish));
        self.finish(after);
        answer
    }

    pub(crate) fn join(self: &Arc<Self>, join: Join) -> Result<Joined, JoinError> {
        let now = self.shard.now();
        let (answer, after) = self.in_both(|admission, hall| {
            admission.check_join(join.as_user())?;
            let joined = hall.audience.join(join.as_user().is_none(), join.known())?;
            if let Some(user) = join.as_user() {
                admission.add_session(now, user, joined.session);
            }
            Ok(joined)
        });
        self.finish(after);
        answer
    }

    pub(crate) fn leave(self: &Arc<Self>, user: UserId) -> Result<(), LeaveError> {
        let now = self.shard.now();
        let (answer, after) = self.in_both(|admission, hall| {
            for session in admission.leave(now, user)? {
                hall.audience.end(now, session, EndReason::Left);
                self.stir(hall);
            }
            Ok(())
        });
        self.finish(After { call_shard: true, ..after });
        answer
    }

    /// Takes a session out at once. Answers whether it was in.
    pub(crate) fn close_session(self: &Arc<Self>, session: SessionId, parked: Option<Place>) -> bool {
        let now = self.shard.now();
        let ((was_in, waker), after) = self.in_both(|admission, hall| {
            admission.remove_session(now, session);
            let was_in = hall.audience.leave(session);
            if was_in {
                self.stir(hall);
            }
            (was_in, parked.and_then(|place| hall.parked.unpark(place, session)))
        });
        drop(waker);
        // A reader that waits must learn of it.
        self.finish(After { call_shard: after.call_shard || was_in, ..after });
        was_in
    }

    pub(crate) fn close(self: &Arc<Self>, actor: Actor) -> Result<(), CloseError> {
        let now = self.shard.now();
        let (answer, after) = self.in_both(|admission, hall| {
            admission.close(now, actor)?;
            hall.audience.close(now, EndReason::RoomClosed);
            self.stir(hall);
            Ok(())
        });
        self.finish(After { call_shard: true, ..after });
        answer
    }

    /// Takes nothing more; what waits still goes out.
    pub(crate) fn stop(&self) {
        self.admission.lock().admission.stop();
    }

    /// Ends the grace of a closed room.
    pub(crate) fn end_grace(self: &Arc<Self>) {
        let now = self.shard.now();
        self.audience.lock().audience.end_grace(now);
        self.call_shard();
    }

    /// Whether nothing waits to be dispatched.
    pub(crate) fn is_idle(&self) -> bool {
        self.admission.lock().admission.is_idle()
    }

    /// Whether every session has taken what it is due.
    pub(crate) fn is_read_out(&self) -> bool {
        self.in_hall(|hall| {
            self.catch_up(&mut hall.audience);
            hall.audience.snapshot().deliveries.values().all(|row| row.pending == 0)
        })
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.audience.lock().audience.is_ended() && self.is_idle()
    }

    pub(crate) fn set_profile(self: &Arc<Self>, user: UserId, profile: Option<M>) -> Result<(), ProfileError<M>> {
        let (answer, after) = self.in_gate(|admission| admission.set_profile(user, profile));
        self.finish(after);
        answer
    }

    /// Both halves at one instant.
    pub(crate) fn snapshot(self: &Arc<Self>) -> RoomSnapshot {
        let now = self.shard.now();
        let (snapshot, after) =
            self.in_both(|admission, hall| RoomSnapshot::new(admission.snapshot(now), hall.audience.snapshot()));
        self.finish(after);
        snapshot
    }

    pub(crate) fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }

    pub(crate) fn count_unsent(&self, messages: u64) {
        self.unsent.fetch_add(messages, Ordering::Relaxed);
    }

    /// While this stays the same, a session that [`next_batch`](Self::next_batch) has parked has nothing to read and is still parked.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Takes a batch for a session, or nothing. Either way `waker` is parked for what comes next, unless more is due at once; the seat
    /// says where, and as of which epoch.
    pub(crate) fn next_batch(
        self: &Arc<Self>,
        session: SessionId,
        budget: Budget,
        waker: Option<&Waker>,
        seat: &mut Seat,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        // Read first: what comes later than this is news.
        let epoch = self.epoch();
        seat.parked_at = None;
        let mut after = None;
        let mut old = None;
        let answer = self.in_hall(|hall| {
            self.catch_up(&mut hall.audience);
            let answer = hall.audience.next_batch(session, budget);
            match &answer {
                // There is more, or the end is yet to be told.
                Ok(Some(_)) if hall.audience.is_ready(session) => {}
                Ok(_) => {
                    if let Some(waker) = waker {
                        let (place, replaced) = hall.parked.park(seat.place, session, waker);
                        *seat = Seat { place: Some(place), parked_at: Some(epoch) };
                        old = replaced;
                    }
                }
                Err(_) => {
                    old = seat.place.take().and_then(|place| hall.parked.unpark(place, session));
                    after = Some(self.in_gate(|admission| admission.remove_session(self.shard.now(), session)).1);
                }
            }
            answer
        });
        drop(old);
        if let Some(after) = after {
            // It may have been the last one.
            self.finish(After { call_shard: true, ..after });
        }
        answer
    }

    /// The shard's visit: does what is due, wakes who is ready, and says when to come again.
    pub(crate) fn visit(self: &Arc<Self>) -> Option<Instant> {
        self.called.store(false, Ordering::Release);
        let now = self.shard.now();
        // From here on the shard comes when this visit says.
        self.admission.lock().armed = None;
        let (timeout, after) = self.in_gate(|admission| {
            admission.handle_timeout(now);
            admission.poll_timeout()
        });
        self.finish(After { call_shard: after.events.len() == MAX_EVENTS, ..after });
        let (segments, ends, ended) = self.in_hall(|hall| {
            self.catch_up(&mut hall.audience);
            let sessions = hall.audience.sessions();
            hall.audience.handle_timeout(now);
            if hall.audience.sessions() != sessions {
                self.stir(hall);
            }
            let news = hall.woken != hall.audience.applied() || hall.stirred;
            hall.woken = hall.audience.applied();
            hall.stirred = false;
            let ended = hall.audience.is_ended() && !hall.end_told && self.is_idle();
            hall.end_told |= ended;
            (if news { hall.parked.segments() } else { 0 }, hall.audience.poll_timeout(), ended)
        });
        self.wake_ready(segments);
        if ended {
            self.shard.deliver(self.id, &[Event::RoomEnded]);
        }
        timeout.into_iter().chain(ends).min()
    }

    /// Sessions were closed: those that wait must look.
    fn stir(&self, hall: &mut Hall<M>) {
        hall.stirred = true;
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Wakes the parked sessions that have something to read. The lock is held for one segment at a time, and never while waking.
    fn wake_ready(&self, segments: usize) {
        let mut wakers = Vec::new();
        for segment in 0..segments {
            {
                let mut hall = self.audience.lock();
                let Hall { audience, parked, .. } = &mut *hall;
                parked.take_ready(segment, &mut wakers, |session| audience.is_ready(session));
            }
            wakers.drain(..).for_each(Waker::wake);
        }
    }

    /// Brings the audience up to date with what was dispatched. The admission's lock is held for picking it up, not for applying it.
    fn catch_up(&self, audience: &mut Audience<M>) {
        if self.dispatched.load(Ordering::Acquire) != audience.applied().0 {
            let messages = Self::pick_up(&mut self.admission.lock().admission, audience.applied());
            messages.into_iter().for_each(|message| audience.apply(message));
        }
    }

    /// Takes what was dispatched after `applied` from the seam.
    fn pick_up(admission: &mut Admission<M>, applied: Seq) -> SmallVec<[Arc<Message<M>>; 16]> {
        let messages = admission.dispatched_after(applied).cloned().collect();
        admission.release_through(admission.dispatched());
        messages
    }

    /// Runs a call of the admission under its lock. What is to be done outside comes back, for [`finish`](Self::finish).
    fn in_gate<R>(&self, call: impl FnOnce(&mut Admission<M>) -> R) -> (R, After<M>) {
        let mut gate = self.admission.lock();
        let answer = call(&mut gate.admission);
        let dispatched = gate.admission.dispatched().0;
        let news = self.dispatched.swap(dispatched, Ordering::AcqRel) != dispatched;
        if news {
            self.epoch.fetch_add(1, Ordering::Release);
        }
        let events = Self::take_events(&mut gate.admission);
        let timeout = gate.admission.poll_timeout();
        let earlier = timeout.is_some_and(|timeout| gate.armed.is_none_or(|armed| timeout < armed));
        if earlier {
            gate.armed = timeout;
        }
        let call_shard = news || earlier || gate.admission.has_events();
        (answer, After { events, call_shard, debris: gate.admission.take_debris() })
    }

    /// Runs a call of the audience under its lock. What fell out of the log is dropped outside.
    fn in_hall<R>(&self, call: impl FnOnce(&mut Hall<M>) -> R) -> R {
        let mut hall = self.audience.lock();
        let answer = call(&mut hall);
        let debris = hall.audience.take_debris();
        drop(hall);
        drop(debris);
        answer
    }

    /// Runs a call that needs both halves, with nothing between them: the audience has applied all that was dispatched.
    fn in_both<R>(&self, call: impl FnOnce(&mut Admission<M>, &mut Hall<M>) -> R) -> (R, After<M>) {
        self.in_hall(|hall| {
            // What has piled up is applied before publishers have to wait; under both locks only what came since.
            self.catch_up(&mut hall.audience);
            self.in_gate(|admission| {
                let messages = Self::pick_up(admission, hall.audience.applied());
                messages.into_iter().for_each(|message| hall.audience.apply(message));
                call(admission, hall)
            })
        })
    }

    fn take_events(admission: &mut Admission<M>) -> Events {
        std::iter::from_fn(|| admission.poll_event()).take(MAX_EVENTS).collect()
    }

    /// What every call does last, outside the locks.
    fn finish(self: &Arc<Self>, after: After<M>) {
        let After { events, call_shard, debris } = after;
        drop(debris);
        self.shard.deliver(self.id, &events);
        if call_shard {
            self.call_shard();
        }
    }

    /// Asks the shard to look after this room.
    fn call_shard(self: &Arc<Self>) {
        if !self.called.swap(true, Ordering::AcqRel) {
            self.shard.send(Work::Visit(Arc::clone(self)));
        }
    }

    /// A subscription was dropped: the shard takes its session out (decision D6: dropping never locks).
    pub(crate) fn abandon(self: &Arc<Self>, session: SessionId, parked: Option<Place>) {
        self.shard.send(Work::Gone { cell: Arc::clone(self), session, parked });
    }
}
