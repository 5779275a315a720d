//! How one session reads: a batch, or a place among those who wait.

use crate::cell::Cell;
use crate::hall::Hall;
use roomcast_core::{Batch, Budget, Payload, SessionEnd, SessionId};
use std::sync::Arc;
use std::task::Waker;

/// Where a session sits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) session: SessionId,
    /// Its place in its hall.
    pub(crate) place: u32,
    /// The epoch as of which it had nothing to read and waited; `None` when it is not known to wait.
    pub(crate) waits_since: Option<u64>,
}

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// The hall and the seat of a session that has just joined.
    pub(crate) fn seat(&self, session: SessionId) -> (Arc<Hall<M>>, Seat) {
        let part = self.hall(0).part.at(session.slot());
        let place = part.place(session.slot()).unwrap_or(0);
        (Arc::clone(self.hall(part.index())), Seat { session, place, waits_since: None })
    }

    /// Takes a batch for a session, or nothing. Either way it waits with `waker` for what comes next, unless more is due at once; the seat
    /// says since which epoch.
    pub(crate) fn next_batch(
        self: &Arc<Self>,
        hall: &Hall<M>,
        seat: &mut Seat,
        budget: Budget,
        waker: Option<&Waker>,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        // Read first: what comes later than this is news.
        let epoch = hall.epoch();
        let session = seat.session;
        let mut old = None;
        let answer = hall.enter(|seats| {
            self.catch_up(hall, &mut seats.audience);
            let answer = seats.audience.next_batch(session, budget);
            match (&answer, waker) {
                (Err(_), _) => old = seats.waiters.remove(seat.place, session),
                // There is more, or the end is yet to be told.
                (Ok(Some(_)), _) if seats.audience.is_ready(session) => seat.waits_since = None,
                (Ok(_), Some(waker)) => {
                    old = seats.waiters.park(seat.place, session, waker);
                    seat.waits_since = Some(epoch);
                }
                (Ok(_), None) => seat.waits_since = None,
            }
            answer
        });
        drop(old);
        if answer.is_err() {
            self.forget(hall, session);
        }
        answer
    }
}
