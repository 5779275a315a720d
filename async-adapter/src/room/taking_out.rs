//! Sessions that are taken out, and who is told.

use super::SharedRoom;
use super::seam::Aftermath;
use crate::room::pump_notify::PumpNotify;
use crate::room::waiters::DisplacedWaker;
use crate::sync::Arc;
use roomcast_core::{Payload, SessionId};
use smallvec::SmallVec;

/// A session that was taken out, and what that leaves to be done outside the locks.
pub(super) struct TakenOut<M> {
    session: SessionId,
    was_in: bool,
    waker: Option<DisplacedWaker>,
    pumps: SmallVec<[Arc<PumpNotify>; 1]>,
    aftermath: Option<Aftermath<M>>,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Takes a session out at once. Returns whether it was in. Whoever waits for it learns of it.
    pub(crate) fn close_session(self: &Arc<Self>, session: SessionId) -> bool {
        self.take_out(session).is_some_and(|taken| self.finish_taking_out(taken))
    }

    /// Takes a session out, and tells nobody yet.
    pub(super) fn take_out(&self, session: SessionId) -> Option<TakenOut<M>> {
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
    pub(super) fn finish_taking_out(self: &Arc<Self>, taken: TakenOut<M>) -> bool {
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
}
