//! A worker's visit to a shard, and with the first to the admission.

use super::audience_shard::AudienceShard;
use super::{Job, SharedRoom};
use crate::sync::Arc;
use roomcast_core::{Instant, Payload, SessionId};
use smallvec::SmallVec;

/// What a visit leaves.
pub(crate) struct Visited {
    /// Readers that were woken.
    pub(crate) woken: usize,
    /// When to come again; `None` when nothing is due.
    pub(crate) next: Option<Instant>,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
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
                // Also for those whom the time has ended: they look once more.
                shard.advance();
                state.pump_notifies.clone()
            } else {
                SmallVec::new()
            };
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
        self.body().admission.lock().armed = Some(Instant::ZERO);
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
        let mut guarded = self.body().admission.lock();
        guarded.armed = guarded.admission.poll_timeout();
        guarded.armed
    }

    /// Asks a shard's worker to look after it.
    pub(super) fn call(self: &Arc<Self>, shard: &AudienceShard<M>) {
        if shard.called.call() {
            self.worker(shard).send(Job::Poll(Arc::clone(self), shard.part.index()));
        }
    }
}
