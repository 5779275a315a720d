//! One part of a room's audience in the hub: its lock, and those who wait for it. One shard looks after it.

use crate::bell::Bell;
use crate::round::Round;
use crate::waiters::{Former, Waiters};
use parking_lot::{Mutex, MutexGuard};
use roomcast_core::{Audience, Instant, Part, Payload, SessionId};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

#[derive(Debug)]
pub(crate) struct Hall<M> {
    pub(crate) part: Part,
    seats: Mutex<Seats<M>>,
    /// Grows with everything that may make a waiting session ready, before any of them is woken for it.
    epoch: AtomicU64,
    /// The last message that it has picked up at the seam.
    pub(crate) picked: AtomicU64,
    /// About how many sessions there are: for choosing where the next one joins.
    pub(crate) sessions: AtomicU32,
    /// When its last session went, as far as that is asked for; from its beginning on, when it was opened.
    pub(crate) empty_since: AtomicU64,
    /// Whether its shard has been told that it wants looking after.
    pub(crate) called: AtomicBool,
    /// Whether the room is closed and everyone here has gone.
    pub(crate) ended: AtomicBool,
}

/// What a hall's lock guards.
#[derive(Debug)]
pub(crate) struct Seats<M> {
    pub(crate) audience: Audience<M>,
    pub(crate) waiters: Waiters,
    /// Told when those who wait are: the pumps that serve sessions here.
    pub(crate) bells: SmallVec<[Arc<Bell>; 1]>,
    /// The segments of waiters that have yet to be looked at for what came last.
    round: Round,
}

impl<M> Seats<M> {
    /// Those who wait are to be told: all segments will be looked at.
    pub(crate) fn tell(&mut self) {
        self.round.begin(self.waiters.segments() as u32);
    }
}

impl<M: Payload> Hall<M> {
    /// A hall whose audience is this one.
    pub(crate) fn new(part: Part, audience: Audience<M>, opened_at: Instant) -> Self {
        let applied = audience.applied().0;
        Self {
            part,
            seats: Mutex::new(Seats { audience, waiters: Waiters::default(), bells: SmallVec::new(), round: Round::default() }),
            epoch: AtomicU64::new(0),
            picked: AtomicU64::new(applied),
            sessions: AtomicU32::new(0),
            empty_since: AtomicU64::new(opened_at.as_nanos()),
            called: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// The lock itself, for a call that needs several.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Seats<M>> {
        self.seats.lock()
    }

    /// Runs a call under the lock. What fell out of the log is dropped outside.
    pub(crate) fn enter<R>(&self, call: impl FnOnce(&mut Seats<M>) -> R) -> R {
        let mut seats = self.seats.lock();
        let answer = call(&mut seats);
        // Most calls leave none, and an empty one is not worth moving.
        if seats.audience.has_debris() {
            let debris = seats.audience.take_debris();
            drop(seats);
            drop(debris);
        }
        answer
    }

    /// While this stays the same, a session that waits has nothing to read.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Puts down how many sessions there are, under the lock.
    pub(crate) fn note_sessions(&self, seats: &Seats<M>) {
        self.sessions.store(seats.audience.sessions(), Ordering::Relaxed);
    }

    /// Something came that may make those who wait ready.
    pub(crate) fn advance(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// The place of a session among the slots here.
    pub(crate) fn place(&self, session: SessionId) -> Option<u32> {
        self.part.place(session.slot())
    }

    /// Wakes those of the next segment that are ready, if segments are left. Answers how many were woken, and whether more are left. The
    /// lock is not held while waking.
    pub(crate) fn wake_some(&self) -> (usize, bool) {
        let (out, left) = {
            let Seats { audience, waiters, round, .. } = &mut *self.seats.lock();
            let Some(segment) = round.pass(1).next() else { return (0, false) };
            let out = waiters.take_ready(segment as usize, |first, waiting| audience.ready_among(first, waiting));
            (out, !round.is_over())
        };
        let Some(out) = out else { return (0, left) };
        out.wake();
        let woken = out.len();
        let old = self.seats.lock().waiters.put_back(out);
        old.into_iter().for_each(Former::settle);
        (woken, left)
    }
}
