//! Signs of life (clause A7): they go to the hall that a session sits in; what the hall finds out goes to the admission.

use super::Cell;
use crate::hall::{Hall, Seats};
use roomcast_core::{Payload, Publish, SessionId, Source};
use std::sync::Arc;

/// Findings that go over under one pair of locks: publishers wait for no more than that.
const SOME: usize = 64;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// A session shows life. Returns whether it is in and nothing has closed it.
    pub(crate) fn touch(self: &Arc<Self>, session: SessionId) -> bool {
        let Some(hall) = self.hall_of(session) else { return false };
        let touched = hall.enter(|seats| self.touch_in(hall, seats, session));
        self.after_touch(hall, touched)
    }

    /// A message is a sign of life of the session that it comes from. Its hall may be busy with readers, and a publisher waits for none of
    /// them: then the hall's shard is asked to put it down.
    #[inline]
    pub(super) fn note_life(self: &Arc<Self>, publish: &Publish<M>) {
        if self.has_heartbeat
            && let Source::Session(session) = publish.source
            && let Some(hall) = self.hall_of(session)
        {
            self.touch_soon(hall, session);
        }
    }

    fn touch_soon(self: &Arc<Self>, hall: &Hall<M>, session: SessionId) {
        match hall.try_enter(|seats| self.touch_in(hall, seats, session)) {
            Some(touched) => _ = self.after_touch(hall, touched),
            None if hall.add_sign(session) => self.call(hall),
            // As many signs wait as may: this one waits for the lock.
            None => _ = self.touch(session),
        }
    }

    /// Puts down the signs of life that came while the hall was busy.
    pub(super) fn take_signs(&self, hall: &Hall<M>, seats: &mut Seats<M>) {
        for session in hall.take_signs() {
            seats.audience.touch(self.now(), session);
        }
    }

    /// Whether the session is in, and whether the hall's shard has to come sooner than it means to, or something was found.
    fn touch_in(&self, hall: &Hall<M>, seats: &mut Seats<M>, session: SessionId) -> (bool, bool, bool) {
        let is_live = seats.audience.touch(self.now(), session);
        (is_live, hall.note(seats), seats.audience.has_liveness())
    }

    fn after_touch(self: &Arc<Self>, hall: &Hall<M>, (is_live, calls, has_found): (bool, bool, bool)) -> bool {
        if has_found {
            self.settle(hall);
        }
        if calls {
            self.call(hall);
        }
        is_live
    }

    /// Passes on what a hall found out. The hall stays locked meanwhile: two threads that each pass something on must not do it the
    /// other way round.
    pub(super) fn settle(self: &Arc<Self>, hall: &Hall<M>) {
        let number = [hall.part.index()];
        while self.in_halls(&number, |halves, now| halves.settle(now, SOME)) {}
    }
}
