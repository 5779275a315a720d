//! One read: a batch, or a place among those who wait.

use crate::room::SharedRoom;
use crate::room::audience_shard::{AudienceShard, ShardState};
use crate::room::waiters::DisplacedWaker;
use crate::sync::Arc;
use crate::sync::MutexGuard;
use roomcast_core::error::SessionEnd;
use roomcast_core::{Batch, Budget, Instant, Payload, SessionId};
use std::task::Waker;

/// Where a session sits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReaderState {
    pub(crate) session: SessionId,
    /// Its place in its shard.
    pub(crate) place: u32,
    /// The epoch as of which it had nothing to read and waited; `None` when it is not known to
    /// wait.
    pub(crate) waits_since: Option<u64>,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// The shard and the reader state of a session that has just joined.
    pub(crate) fn reader(&self, session: SessionId) -> (Arc<AudienceShard<M>>, ReaderState) {
        let part = self.shard(0).part.at(session.slot());
        let place = part.place(session.slot()).unwrap_or(0);
        (Arc::clone(self.shard(part.index())), ReaderState { session, place, waits_since: None })
    }

    /// The time for whatever hands out what sessions are due, read before the shard's lock is taken;
    /// any where nothing that is due becomes too old.
    #[inline]
    pub(crate) fn time_to_read(&self, shard: &AudienceShard<M>) -> Instant {
        if shard.bounds_deliveries() { self.now() } else { Instant::ZERO }
    }

    /// Takes a batch for a session, or nothing. Either way it waits with `waker` for what comes
    /// next, unless more is due at once; the seat says since which epoch.
    #[inline]
    pub(crate) fn next_batch(
        self: &Arc<Self>,
        shard: &AudienceShard<M>,
        reader: &mut ReaderState,
        budget: Budget,
        waker: Option<&Waker>,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        // Read first: what comes later than this is news.
        let epoch = shard.epoch();
        let now = self.time_to_read(shard);
        let mut state = shard.lock();
        self.catch_up(shard, &mut state.audience);
        let answer = state.audience.next_batch(now, reader.session, budget);
        let waits = match &answer {
            // There may be more, or an end yet to be told.
            Ok(Some(batch)) => {
                !batch.more()
                    && (!state.audience.has_ends() || !state.audience.is_ready(reader.session))
            }
            Ok(None) => true,
            Err(_) => false,
        };
        reader.waits_since = None;
        let mut old = None;
        if answer.is_err() {
            shard.note_sessions(&state);
            // It learns of its end here and now.
            old =
                state.waiters.remove(reader.place, reader.session.key()).map(DisplacedWaker::told);
        } else if waits && let Some(waker) = waker {
            old = state.waiters.park(reader.place, reader.session.key(), waker);
            reader.waits_since = Some(epoch);
        }
        if state.audience.has_deferred_drops() || old.is_some() || answer.is_err() {
            Self::clean_up(shard, state, old);
            if let Err(SessionEnd::Closed(_)) = answer {
                self.forget(reader.session);
            }
        }
        answer
    }

    /// What is left is dropped outside the lock: that may run foreign code.
    #[cold]
    #[inline(never)]
    fn clean_up(
        shard: &AudienceShard<M>,
        mut state: MutexGuard<'_, ShardState<M>>,
        old: Option<DisplacedWaker>,
    ) {
        let deferred = state.audience.take_deferred_drops();
        drop(state);
        shard.fence().drop_deferred(deferred);
        if let Some(waker) = old {
            waker.settle(shard.fence());
        }
    }
}
