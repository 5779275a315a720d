//! Signs of life: they go to the shard that a session sits in, and what the shard finds out goes to
//! the admission. [Clause A7](roomcast_core::rulebook#a7-heartbeats).

use super::SharedRoom;
use crate::room::audience_shard::{AudienceShard, ShardState};
use crate::sync::Arc;
use roomcast_core::{Payload, Publish, SessionId, Source};

/// Findings that go over under one pair of locks: publishers wait for no more than that.
const SOME: usize = 64;

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// A session shows life. Returns whether it is in and nothing has closed it.
    pub(crate) fn touch(self: &Arc<Self>, session: SessionId) -> bool {
        let Some(shard) = self.shard_of(session) else { return false };
        let touched = shard.enter(|state| self.touch_in(shard, state, session));
        self.after_touch(shard, touched)
    }

    /// A message is a sign of life of the session that it comes from. Its shard may be busy with
    /// readers, and a publisher waits for none of them: then the shard's worker is asked to put it
    /// down.
    #[inline]
    pub(super) fn note_life(self: &Arc<Self>, publish: &Publish<M>) {
        if self.has_heartbeat
            && let Source::Session(session) = publish.source
            && let Some(shard) = self.shard_of(session)
        {
            self.touch_soon(shard, session);
        }
    }

    fn touch_soon(self: &Arc<Self>, shard: &AudienceShard<M>, session: SessionId) {
        match shard.try_enter(|state| self.touch_in(shard, state, session)) {
            Some(touched) => _ = self.after_touch(shard, touched),
            None if shard.add_sign(session) => self.call(shard),
            // As many signs wait as may: this one waits for the lock.
            None => _ = self.touch(session),
        }
    }

    /// Puts down the signs of life that came while the shard was busy.
    pub(super) fn take_signs(&self, shard: &AudienceShard<M>, state: &mut ShardState<M>) {
        for session in shard.take_signs() {
            state.audience.touch(self.now(), session);
        }
    }

    /// Whether the session is in, and whether the shard's worker has to come sooner than it means
    /// to, or something was found.
    fn touch_in(
        &self,
        shard: &AudienceShard<M>,
        state: &mut ShardState<M>,
        session: SessionId,
    ) -> (bool, bool, bool) {
        let is_live = state.audience.touch(self.now(), session);
        (is_live, shard.note(state), state.audience.has_liveness())
    }

    fn after_touch(
        self: &Arc<Self>,
        shard: &AudienceShard<M>,
        (is_live, calls, has_found): (bool, bool, bool),
    ) -> bool {
        if has_found {
            self.settle(shard);
        }
        if calls {
            self.call(shard);
        }
        is_live
    }

    /// Passes on what a shard found out. The shard stays locked meanwhile: two threads that each
    /// pass something on must not do it the other way round.
    pub(super) fn settle(self: &Arc<Self>, shard: &AudienceShard<M>) {
        let number = [shard.part.index()];
        while self.in_shards(&number, |halves, now| halves.settle(now, SOME)) {}
    }
}
