//! Signs of life (clause A7): they go to the hall that a session sits in; what the hall finds out goes to the admission.

use super::Cell;
use crate::hall::Hall;
use roomcast_core::{Payload, SessionId};
use std::sync::Arc;

/// Findings that go over under one pair of locks: publishers wait for no more than that.
const SOME: usize = 64;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// A session shows life. Answers whether it is in and nothing has closed it.
    pub(crate) fn touch(self: &Arc<Self>, session: SessionId) -> bool {
        let Some(hall) = self.hall_of(session) else { return false };
        let now = self.now();
        let (is_live, is_news) = hall.enter(|seats| {
            let before = seats.audience.online();
            let is_live = seats.audience.touch(now, session);
            (is_live, seats.audience.online() != before)
        });
        if is_news {
            self.tell_liveness(hall);
            // If it was the only one, nobody has been looked at for a while.
            self.call(hall);
        }
        is_live
    }

    /// Passes on what a hall found out. The hall stays locked meanwhile: two threads that each pass something on must not do it the
    /// other way round.
    pub(super) fn tell_liveness(self: &Arc<Self>, hall: &Hall<M>) {
        loop {
            let now = self.now();
            let (left, after) = self.in_both(hall, |admission, seats| {
                for _ in 0..SOME {
                    let Some((session, liveness)) = seats.audience.poll_liveness() else { break };
                    admission.note_liveness(now, session, liveness);
                }
                seats.audience.has_liveness()
            });
            self.finish(after);
            if !left {
                return;
            }
        }
    }
}
