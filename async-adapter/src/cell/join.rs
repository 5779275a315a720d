//! Where a session joins, and how.

use super::Cell;
use crate::hall::Hall;
use crate::waiters::Former;
use roomcast_core::{Audience, Join, JoinError, Joined, NotJoined, Payload, Sharding, State, UserId};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Sessions that each open hall has before another one is opened.
const OPEN_AT: u32 = 256;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// How the sessions of a room are spread over so many shards; a power of two.
    pub(super) fn sharding_over(shards: usize) -> Sharding {
        Sharding::new(shards as u32, OPEN_AT).unwrap_or_default()
    }

    /// Lets a session in. Of a user who is let in, `note` is told under the admission's lock.
    pub(crate) fn join(self: &Arc<Self>, mut join: Join<M>, note: &mut impl FnMut(UserId)) -> Result<Joined, JoinError> {
        let loads = |cell: &Arc<Self>| cell.halls().map(|hall| hall.sessions.load(Ordering::Relaxed)).collect();
        self.sharding.place(&mut Arc::clone(self), loads, |cell, index| cell.join_in(index, &mut join, note))
    }

    fn join_in(self: &Arc<Self>, index: u32, join: &mut Join<M>, note: &mut impl FnMut(UserId)) -> Result<Joined, NotJoined> {
        let index = self.open_hall(index).part.index();
        let mut numbers: SmallVec<[u32; 4]> = join.former().map(|session| self.hall_number(session)).collect();
        numbers.push(index);
        numbers.sort_unstable();
        numbers.dedup();
        let (answer, former) = self.in_halls(&numbers, |halves, now| {
            let answer = halves.join(now, join, index);
            if let (Ok(_), Some(user)) = (answer, join.as_user()) {
                note(user);
            }
            // Its slot may be that of a session that has ended and whose reader has yet to be woken.
            let former = answer.ok().zip(halves.audiences.hall(index)).and_then(|(joined, (hall, seats))| {
                let place = hall.place(joined.session)?;
                seats.waiters.clear(place)
            });
            (answer, former)
        });
        former.into_iter().for_each(Former::settle);
        answer
    }

    /// Opens the hall with this number, if it is the next; harmless when it is open. A room that takes nobody any more opens none, and
    /// answers its first.
    ///
    /// It takes over what the first hall's log holds, for late joiners and for those who resume; publishers wait only for what came since.
    pub(super) fn open_hall(&self, index: u32) -> &Hall<M> {
        if let Some(hall) = self.halls[index as usize].get() {
            return hall;
        }
        let first = self.hall(0);
        first.enter(|seats| {
            // No other is opened while the first hall is locked.
            let index = self.open.load(Ordering::Acquire).min(index);
            if let Some(hall) = self.halls[index as usize].get() {
                return hall;
            }
            self.catch_up(first, &mut seats.audience);
            let part = self.sharding.part(index);
            let mut audience = Audience::beside(&self.settings.lock(), part, &seats.audience);
            let gate = self.admission.lock();
            if gate.admission.state() != State::Open {
                return first;
            }
            // The first hall holds back at the seam what it has not picked up itself.
            audience.take_over(gate.admission.hand_over(audience.applied()));
            let hall = self.halls[index as usize].get_or_init(|| Arc::new(Hall::new(part, audience)));
            self.open.fetch_max(index + 1, Ordering::AcqRel);
            hall
        })
    }
}
