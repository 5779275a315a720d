//! Where a session joins, and how.

use super::Cell;
use crate::hall::Hall;
use crate::waiters::Former;
use roomcast_core::{Join, JoinError, Joined, Payload, SessionId, UserId};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Sessions that each open hall has before another one is opened.
const OPEN_AT: u32 = 256;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// Lets a session in. Of a user who is let in, `note` is told under the admission's lock.
    pub(crate) fn join(self: &Arc<Self>, join: Join, note: &mut impl FnMut(UserId)) -> Result<Joined, JoinError> {
        let former: SmallVec<[SessionId; 2]> = join.known().into_iter().chain(join.token().map(|token| token.session)).collect();
        if !former.is_empty() {
            let answer = self.admission.lock().admission.check_join(self.now(), join.as_user());
            // Who joins again on a session that is in has not one too many.
            answer.or_else(|error| if matches!(error, JoinError::TooManySessions { .. }) { Ok(()) } else { Err(error) })?;
        }
        for session in former {
            if self.hall_of(session).is_some_and(|hall| hall.enter(|seats| seats.audience.is_live(session))) {
                return Err(JoinError::AlreadyJoined { session });
            }
        }
        let mut full = SmallVec::<[u32; 8]>::new();
        loop {
            let hall = self.hall_for_next(&full);
            let answer = self.join_in(hall, join, note);
            match answer {
                Err(JoinError::RoomFull { .. }) if full.len() + 1 < self.halls.len() && !self.is_full() => {
                    full.push(hall.part.index());
                }
                answer => return answer,
            }
        }
    }

    /// Where the next session joins: a new hall once the open ones have enough, else the one that has fewest.
    fn hall_for_next(&self, full: &[u32]) -> &Hall<M> {
        let candidates = self.halls().filter(|hall| !full.contains(&hall.part.index()));
        let fewest = candidates.min_by_key(|hall| hall.sessions.load(Ordering::Relaxed));
        let open = self.open.load(Ordering::Acquire);
        match fewest {
            Some(hall) if hall.sessions.load(Ordering::Relaxed) < OPEN_AT || open as usize == self.halls.len() => hall,
            _ => self.open_hall(open.min(self.halls.len() as u32 - 1)),
        }
    }

    fn join_in(self: &Arc<Self>, hall: &Hall<M>, join: Join, note: &mut impl FnMut(UserId)) -> Result<Joined, JoinError> {
        let now = self.now();
        let (answer, after) = self.in_both(hall, |admission, seats| {
            admission.check_join(now, join.as_user())?;
            self.check_room()?;
            let timer = seats.audience.has_heartbeat().then(|| seats.audience.poll_timeout());
            let (guest, group) = (join.as_user().is_none(), join.in_group());
            let joined = match join.token() {
                None => seats.audience.join(guest, group, None),
                Some(token) => seats.audience.resume(now, guest, group, None, token),
            }?;
            if !join.masked().is_none() {
                seats.audience.set_mask(joined.session, join.masked());
            }
            if let Some(user) = join.as_user() {
                admission.add_session(now, user, joined.session);
                note(user);
            }
            if timer.is_some() {
                seats.audience.touch(now, joined.session);
            }
            hall.note_sessions(seats);
            // Its slot may be that of a session that has ended and whose reader has yet to be woken.
            let former = hall.place(joined.session).and_then(|place| seats.waiters.clear(place));
            Ok((joined, former, timer.is_some_and(|timer| timer != seats.audience.poll_timeout())))
        });
        self.finish(after);
        let (joined, former, is_looked_at) = answer?;
        former.into_iter().for_each(Former::settle);
        if is_looked_at {
            // Nobody was, so far: the shard has to come for the next look.
            self.call(hall);
        }
        Ok(joined)
    }
}
