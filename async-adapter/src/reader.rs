//! How one session reads: a batch, or a place among those who wait.

use crate::cell::Cell;
use crate::hall::{Hall, Seats};
use crate::waiters::Former;
use parking_lot::MutexGuard;
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
    #[inline]
    pub(crate) fn next_batch(
        self: &Arc<Self>,
        hall: &Hall<M>,
        seat: &mut Seat,
        budget: Budget,
        waker: Option<&Waker>,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        // Read first: what comes later than this is news.
        let epoch = hall.epoch();
        let mut seats = hall.lock();
        self.catch_up(hall, &mut seats.audience);
        let answer = seats.audience.next_batch(seat.session, budget);
        let waits = match &answer {
            // There may be more, or an end yet to be told.
            Ok(Some(batch)) => !batch.more() && (!seats.audience.has_ends() || !seats.audience.is_ready(seat.session)),
            Ok(None) => true,
            Err(_) => false,
        };
        seat.waits_since = None;
        let mut old = None;
        if answer.is_err() {
            hall.note_sessions(&seats);
            // It learns of its end here and now.
            old = seats.waiters.remove(seat.place, seat.session).map(Former::told);
        } else if waits && let Some(waker) = waker {
            old = seats.waiters.park(seat.place, seat.session, waker);
            seat.waits_since = Some(epoch);
        }
        if seats.audience.has_debris() || old.is_some() || answer.is_err() {
            Self::clean_up(seats, old);
            if let Err(SessionEnd::Closed(_)) = answer {
                self.forget(seat.session);
            }
        }
        answer
    }

    /// What is left is dropped outside the lock: that may run foreign code (decision D6).
    #[cold]
    #[inline(never)]
    fn clean_up(mut seats: MutexGuard<'_, Seats<M>>, old: Option<Former>) {
        let debris = seats.audience.take_debris();
        drop(seats);
        drop(debris);
        old.into_iter().for_each(Former::settle);
    }
}
