//! One shard of a room's audience: its lock, and those who wait for it. One worker looks after it.

use crate::drive::called::Called;
use crate::drive::fence::Fence;
use crate::room::pump_notify::PumpNotify;
use crate::room::round_robin::RoundRobin;
use crate::room::waiters::Waiters;
use crate::room::weight::Half;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::{Audience, Instant, Payload, SessionId};
use smallvec::SmallVec;

#[derive(Debug)]
pub(crate) struct AudienceShard<M> {
    pub(crate) part: ShardIndex,
    state: Mutex<ShardState<M>>,
    /// Grows with everything that may make a waiting session ready, before any of them is woken
    /// for it.
    epoch: AtomicU64,
    /// The last message that it has picked up at the seam.
    pub(crate) picked: AtomicU64,
    /// About how many sessions there are: for choosing where the next one joins.
    pub(crate) sessions: AtomicU32,
    /// What it holds, in bytes.
    pub(crate) half: Half,
    /// Whether what is due may become too old to be handed over, so that who reads has to know the
    /// time.
    bounds_deliveries: AtomicBool,
    /// Sessions that showed life while the lock was taken.
    signs: Mutex<Vec<SessionId>>,
    /// Whether its worker has been told that it wants looking after.
    pub(crate) called: Called,
    fence: Arc<Fence>,
}

/// Signs of life that may wait for a shard's lock.
const MAX_SIGNS: usize = 1_024;

/// What a shard's lock guards.
#[derive(Debug)]
pub(crate) struct ShardState<M> {
    pub(crate) audience: Audience<M>,
    pub(crate) waiters: Waiters,
    /// Told when those who wait are: the pumps that serve sessions here.
    pub(crate) pump_notifies: SmallVec<[Arc<PumpNotify>; 1]>,
    /// The segments of waiters that have yet to be looked at for what came last.
    round: RoundRobin,
    /// When its worker means to come by.
    armed: Option<Instant>,
}

impl<M> ShardState<M> {
    /// Those who wait are to be told: all segments will be looked at.
    pub(crate) fn begin_waking(&mut self) {
        self.round.begin(self.waiters.segments() as u32);
    }
}

impl<M: Payload> AudienceShard<M> {
    /// A shard whose audience is this one.
    pub(crate) fn new(part: ShardIndex, audience: Audience<M>, fence: &Arc<Fence>) -> Self {
        let applied = audience.applied().0;
        Self {
            part,
            bounds_deliveries: AtomicBool::new(audience.bounds_deliveries()),
            state: Mutex::new(ShardState {
                audience,
                waiters: Waiters::default(),
                pump_notifies: SmallVec::new(),
                round: RoundRobin::default(),
                armed: None,
            }),
            epoch: AtomicU64::new(0),
            picked: AtomicU64::new(applied),
            sessions: AtomicU32::new(0),
            half: Half::default(),
            signs: Mutex::default(),
            called: Called::default(),
            fence: Arc::clone(fence),
        }
    }

    /// The fence around code of the host's.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// The lock itself, for a call that needs several.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, ShardState<M>> {
        self.state.lock()
    }

    /// Runs a call under the lock. What fell out of the log is dropped outside.
    pub(crate) fn enter<R>(&self, call: impl FnOnce(&mut ShardState<M>) -> R) -> R {
        self.run(self.state.lock(), call)
    }

    /// As [`enter`](Self::enter), unless somebody has the lock.
    pub(crate) fn try_enter<R>(&self, call: impl FnOnce(&mut ShardState<M>) -> R) -> Option<R> {
        Some(self.run(self.state.try_lock()?, call))
    }

    #[inline]
    fn run<R>(
        &self,
        mut state: MutexGuard<'_, ShardState<M>>,
        call: impl FnOnce(&mut ShardState<M>) -> R,
    ) -> R {
        let answer = call(&mut state);
        // Most calls leave none, and an empty one is not worth moving.
        if state.audience.has_deferred_drops() {
            let deferred = state.audience.take_deferred_drops();
            drop(state);
            self.fence.drop_deferred(deferred);
        }
        answer
    }

    /// A session showed life while the lock was taken. Returns whether there was room to put that
    /// down.
    pub(crate) fn add_sign(&self, session: SessionId) -> bool {
        let mut signs = self.signs.lock();
        let has_room = signs.len() < MAX_SIGNS;
        if has_room {
            signs.push(session);
        }
        has_room
    }

    /// The signs of life that wait.
    pub(crate) fn take_signs(&self) -> Vec<SessionId> {
        std::mem::take(&mut self.signs.lock())
    }

    /// Puts down, under the lock, what is looked at without it: how many sessions there are, and
    /// whether somebody may have become ready. Returns whether the worker has to come sooner than
    /// it means to.
    pub(crate) fn note(&self, state: &mut ShardState<M>) -> bool {
        self.note_sessions(state);
        self.bounds_deliveries.store(state.audience.bounds_deliveries(), Ordering::Relaxed);
        let wake = state.audience.poll_wake();
        if wake.is_some() {
            self.advance();
        }
        let due = state.audience.poll_timeout().into_iter().chain(wake).min();
        let sooner = due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed));
        if sooner {
            state.armed = due;
        }
        sooner
    }

    /// The worker is here, and is told when to come next.
    pub(crate) fn arm(&self, state: &mut ShardState<M>) -> Option<Instant> {
        self.note_sessions(state);
        state.armed =
            state.audience.poll_timeout().into_iter().chain(state.audience.poll_wake()).min();
        state.armed
    }

    /// Whether what is due may become too old to be handed over.
    #[inline]
    pub(crate) fn bounds_deliveries(&self) -> bool {
        self.bounds_deliveries.load(Ordering::Relaxed)
    }

    /// While this stays the same, a session that waits has nothing to read.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Puts down how many sessions there are and what is held, under the lock.
    pub(crate) fn note_sessions(&self, state: &ShardState<M>) {
        self.half.put_down(&state.audience.bytes());
        self.sessions.store(state.audience.sessions(), Ordering::Relaxed);
    }

    /// Something came that may make those who wait ready.
    pub(crate) fn advance(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// The place of a session among the slots here.
    pub(crate) fn place(&self, session: SessionId) -> Option<u32> {
        self.part.place(session.slot())
    }

    /// Wakes those of the next segment that are ready, if segments are left. Returns how many were
    /// woken, and whether more are left. The lock is not held while waking.
    pub(crate) fn wake_some(&self) -> (usize, bool) {
        let (out, left) = {
            let ShardState { audience, waiters, round, .. } = &mut *self.state.lock();
            let Some(segment) = round.pass(1).next() else { return (0, false) };
            let out = waiters.take_ready(segment as usize, |first, waiting| {
                audience.ready_among(first, waiting)
            });
            (out, !round.is_over())
        };
        let Some(out) = out else { return (0, left) };
        out.wake(&self.fence);
        let woken = out.len();
        let old = self.state.lock().waiters.put_back(out);
        for waker in old {
            waker.settle(&self.fence);
        }
        (woken, left)
    }
}
