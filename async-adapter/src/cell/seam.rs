//! The seam between a room's admission and its halls, and the calls that hold their locks together.

use super::{After, Cell, Events, Gate, MAX_EVENTS};
use crate::hall::{Hall, Seats};
use parking_lot::MutexGuard;
use roomcast_core::{Admission, Audience, Debris, HandOver, Payload, Seq};
use smallvec::SmallVec;
use std::sync::atomic::Ordering;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// Brings a hall up to date with what was dispatched. The admission's lock is held for picking it up, not for applying it.
    #[inline]
    pub(crate) fn catch_up(&self, hall: &Hall<M>, audience: &mut Audience<M>) {
        if self.dispatched.load(Ordering::Acquire) != audience.applied().0 {
            self.bring_up(hall, audience);
        }
    }

    #[inline(never)]
    fn bring_up(&self, hall: &Hall<M>, audience: &mut Audience<M>) {
        let handed = self.pick_up(hall, &mut self.admission.lock().admission, audience.applied());
        audience.take_over(handed);
    }

    /// Takes what was dispatched after `applied` from the seam, and lets go there of what every hall has.
    pub(super) fn pick_up(&self, hall: &Hall<M>, admission: &mut Admission<M>, applied: Seq) -> HandOver<M> {
        let handed = admission.hand_over(applied);
        hall.picked.store(admission.dispatched().0, Ordering::Relaxed);
        // Written and read under the admission's lock, and so is the number of open halls.
        let all_have = self.halls().map(|hall| hall.picked.load(Ordering::Relaxed)).min();
        admission.release_through(Seq(all_have.unwrap_or(0)));
        handed
    }

    /// Runs a call of the admission under its lock. What is to be done outside comes back, for [`finish`](Self::finish).
    pub(super) fn in_gate<R>(&self, call: impl FnOnce(&mut Admission<M>) -> R) -> (R, After<M>) {
        let mut gate = self.admission.lock();
        let heard = if gate.heard == self.air.count() { None } else { self.hear(&mut gate) };
        let answer = call(&mut gate.admission);
        let dispatched = gate.admission.dispatched().0;
        let news = self.dispatched.load(Ordering::Relaxed) != dispatched;
        if news {
            self.dispatched.store(dispatched, Ordering::Release);
            self.halls().for_each(|hall| hall.advance());
        }
        let events: Events = std::iter::from_fn(|| gate.admission.poll_event()).take(MAX_EVENTS).collect();
        self.telling.begin(&events);
        let timeout = gate.admission.poll_timeout();
        let earlier = timeout.is_some_and(|timeout| gate.armed.is_none_or(|armed| timeout < armed));
        if earlier {
            gate.armed = timeout;
        }
        let home = earlier || gate.admission.has_events();
        (answer, After { events, news, home, heard, debris: gate.admission.take_debris() })
    }

    /// The room takes over what was broadcast since it was called last (decision D24). Answers what is to be dropped outside the locks.
    #[inline(never)]
    fn hear(&self, gate: &mut Gate<M>) -> Option<Box<Debris<M>>> {
        let now = self.now();
        gate.heard = self.air.with(|broadcasts| {
            gate.admission.hear(now, broadcasts);
            broadcasts.count()
        });
        gate.admission.take_debris().map(Box::new)
    }

    /// Runs a call that needs the admission and one hall, with nothing between them: the hall has applied all that was dispatched.
    pub(super) fn in_both<R>(&self, hall: &Hall<M>, call: impl FnOnce(&mut Admission<M>, &mut Seats<M>) -> R) -> (R, After<M>) {
        hall.enter(|seats| {
            // What has piled up is applied before publishers have to wait; under both locks only what came since.
            self.catch_up(hall, &mut seats.audience);
            self.in_gate(|admission| {
                let handed = self.pick_up(hall, admission, seats.audience.applied());
                seats.audience.take_over(handed);
                call(admission, seats)
            })
        })
    }

    /// As `in_both`, with all halls, in the order of their numbers.
    pub(super) fn in_all<R>(&self, call: impl FnOnce(&mut Admission<M>, &mut [MutexGuard<'_, Seats<M>>]) -> R) -> (R, After<M>) {
        let mut seats = SmallVec::<[MutexGuard<'_, Seats<M>>; 4]>::new();
        seats.push(self.hall(0).lock());
        // Halls are opened under the first one's lock: from here on there are as many as there are.
        seats.extend(self.halls().skip(1).map(|hall| hall.lock()));
        for (hall, seats) in self.halls().zip(seats.iter_mut()) {
            self.catch_up(hall, &mut seats.audience);
        }
        let answer = self.in_gate(|admission| {
            for (hall, seats) in self.halls().zip(seats.iter_mut()) {
                let handed = self.pick_up(hall, admission, seats.audience.applied());
                seats.audience.take_over(handed);
            }
            call(admission, &mut seats)
        });
        let debris: SmallVec<[_; 4]> = seats.iter_mut().map(|seats| seats.audience.take_debris()).collect();
        drop(seats);
        drop(debris);
        answer
    }
}
