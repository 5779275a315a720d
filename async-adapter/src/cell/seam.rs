//! The seam between a room's admission and its halls, and the calls that hold their locks together: take the locks, call the rules,
//! then, outside, wake and drop.

use super::{After, Cell, Events, Gate, MAX_EVENTS};
use crate::hall::{Hall, Seats};
use parking_lot::MutexGuard;
use roomcast_core::{Admission, Audience, Audiences, Debris, Halves, HandOver, Instant, Part, Payload, RoomSnapshot, Seq};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The halls that a call holds, in the order of their numbers.
pub(crate) struct Held<'a, M> {
    cell: &'a Cell<M>,
    halls: SmallVec<[(&'a Arc<Hall<M>>, MutexGuard<'a, Seats<M>>); 2]>,
}

/// What a call leaves in the halls that it held.
struct Left<M> {
    /// Halls that their shards have to look after.
    calls: SmallVec<[u32; 4]>,
    debris: SmallVec<[Debris<M>; 2]>,
}

impl<M: Payload> Held<'_, M> {
    /// A hall that is held, and what its lock guards.
    pub(super) fn hall(&mut self, number: u32) -> Option<(&Hall<M>, &mut Seats<M>)> {
        let held = self.halls.iter_mut().find(|(hall, _)| hall.part.index() == number)?;
        Some((held.0, &mut held.1))
    }

    /// Puts down what readers and the shards look at without the lock, and lets go of the locks.
    fn let_go(mut self) -> Left<M> {
        let mut left = Left { calls: SmallVec::new(), debris: SmallVec::new() };
        for (hall, seats) in &mut self.halls {
            if hall.note(seats) {
                left.calls.push(hall.part.index());
            }
            left.debris.extend(seats.audience.take_debris());
        }
        left
    }
}

impl<M: Payload + Send + Sync + 'static> Audiences<M> for Held<'_, M> {
    fn part(&self) -> Part {
        self.cell.hall(0).part
    }

    fn at(&mut self, index: u32) -> Option<&mut Audience<M>> {
        self.hall(index).map(|(_, seats)| &mut seats.audience)
    }

    fn held<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Audience<M>>
    where
        M: 'a,
    {
        self.halls.iter_mut().map(|(_, seats)| &mut seats.audience)
    }

    fn catch_up(&mut self, admission: &mut Admission<M>) {
        for (hall, seats) in &mut self.halls {
            if admission.dispatched() != seats.audience.applied() {
                let handed = self.cell.pick_up(hall, admission, seats.audience.applied());
                seats.audience.take_over(handed);
            }
        }
    }
}

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
        let mut events: Events = std::iter::from_fn(|| gate.admission.poll_event()).take(MAX_EVENTS).collect();
        self.telling.begin(&mut events);
        let timeout = gate.admission.poll_timeout();
        let earlier = timeout.is_some_and(|timeout| gate.armed.is_none_or(|armed| timeout < armed));
        if earlier {
            gate.armed = timeout;
        }
        let home = earlier || gate.admission.has_events();
        (answer, After { events, news, home, heard, debris: gate.admission.take_debris() })
    }

    /// The room takes over what was broadcast since it was called last (decision D24). Returns what is to be dropped outside the locks.
    #[inline(never)]
    fn hear(&self, gate: &mut Gate<M>) -> Option<Box<Debris<M>>> {
        let now = self.now();
        gate.heard = self.air.with(|broadcasts| {
            gate.admission.hear(now, broadcasts);
            broadcasts.count()
        });
        gate.admission.take_debris().map(Box::new)
    }

    /// Runs a call under the rules that needs the admission and these halls, whose numbers rise; then wakes and drops.
    pub(crate) fn in_halls<R>(
        self: &Arc<Self>,
        numbers: &[u32],
        call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R,
    ) -> R {
        let halls = numbers.iter().filter_map(|&number| self.halls.get(number as usize)?.get());
        self.in_held(Held { cell: self, halls: halls.map(|hall| (hall, hall.lock())).collect() }, call)
    }

    /// As [`in_halls`](Self::in_halls), with all of them.
    pub(crate) fn in_all<R>(self: &Arc<Self>, call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R) -> R {
        self.in_held(self.hold_all(), call)
    }

    /// Takes the locks of all halls.
    pub(super) fn hold_all(&self) -> Held<'_, M> {
        let first = self.hall(0);
        let mut halls = SmallVec::new();
        halls.push((first, first.lock()));
        // Halls are opened under the first one's lock: from here on there are as many as there are.
        halls.extend(self.halls().skip(1).map(|hall| (hall, hall.lock())));
        Held { cell: self, halls }
    }

    fn in_held<R>(self: &Arc<Self>, mut held: Held<'_, M>, call: impl FnOnce(&mut Halves<'_, M, Held<'_, M>>, Instant) -> R) -> R {
        let now = self.now();
        // What has piled up is applied before publishers have to wait; under both locks only what came since.
        for (hall, seats) in &mut held.halls {
            self.catch_up(hall, &mut seats.audience);
        }
        let (answer, after) = self.in_gate(|admission| call(&mut Halves::new(admission, &mut held), now));
        self.let_go(held);
        self.finish(after);
        answer
    }

    /// Lets go of halls, and does outside what that leaves.
    fn let_go(self: &Arc<Self>, held: Held<'_, M>) {
        let Left { calls, debris } = held.let_go();
        drop(debris);
        for number in calls {
            self.call(self.hall(number));
        }
    }

    /// The books of both halves at one instant. Publishers wait while the admission's books are copied and what the halls have yet to
    /// apply is picked up; readers of this room wait until the halls' books are added up.
    pub(crate) fn snapshot(self: &Arc<Self>) -> RoomSnapshot {
        let mut held = self.hold_all();
        let (admission, handed) = {
            let mut gate = self.admission.lock();
            let picked = held.halls.iter().map(|(hall, seats)| self.pick_up(hall, &mut gate.admission, seats.audience.applied()));
            let handed: SmallVec<[_; 2]> = picked.collect();
            (gate.admission.snapshot(self.now()), handed)
        };
        for ((_, seats), handed) in held.halls.iter_mut().zip(handed) {
            seats.audience.take_over(handed);
        }
        let audiences = held.halls.iter().map(|(_, seats)| seats.audience.snapshot());
        let audience = audiences.reduce(|sum, one| sum.and(&one)).unwrap_or_else(|| unreachable!("the first hall is held"));
        self.let_go(held);
        RoomSnapshot::new(admission, audience)
    }
}
