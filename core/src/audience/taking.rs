//! Taking: what a session is due is planned without changing anything, handed out, and then
//! committed.

use super::Audience;
use super::batch::{Batch, Budget, Handoff};
use super::crowd::Path;
use super::plan::{LevelRange, Plan};
use super::reading::{BatchRef, Delivery};
use super::session::CursorState;
use crate::error::SessionEnd;
use crate::event::EndReason;
use crate::ids::{Group, SessionId};
use crate::message::Payload;
use crate::time::Instant;
use core::ops::Range;

impl<M: Payload> Audience<M> {
    /// Takes what a session is due, within a budget; `None` when that is nothing. What has become
    /// too old by `now` ([`deliver_within`](crate::config::RoomConfigBuilder::deliver_within)) is a
    /// gap, unless it was there before the session came. Costs what is read.
    ///
    /// # Errors
    /// The session has ended: [`SessionEnd::Closed`] once, after its last batch, and
    /// [`SessionEnd::NoSession`] from then on.
    #[inline]
    pub fn next_batch(
        &mut self,
        now: Instant,
        session: SessionId,
        budget: Budget,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        if self.feed.bounds_deliveries() && self.is_in(session) {
            self.move_floors(now);
        }
        match self.take_shared(session, budget) {
            Some(batch) => Ok(Some(batch)),
            None => self.take_own(session, budget),
        }
    }

    /// The time goes on to `now` for what is handed out: sessions that were in all the time pass
    /// what is too old by then.
    #[inline]
    pub(super) fn move_floors(&mut self, now: Instant) {
        if self.feed.bounds_deliveries() {
            let now = self.clock.advance(now);
            if self.feed.move_floors(now) {
                // What was taken last may begin with something that has become too old.
                self.shared.forget(&mut self.deferred);
            }
        }
    }

    fn take_own(
        &mut self,
        session: SessionId,
        budget: Budget,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        let slot = self.slot_of(session).ok_or(SessionEnd::NoSession(session))?;
        let sessions = self.crowd.sessions();
        let is_plain = !self.closing.is_closed() && !sessions.is_cold(slot);
        if is_plain && sessions.is_caught_up(slot, self.feed.low_heads()) {
            return Ok(None);
        }
        let plan = self.plan_due(slot, budget);
        if plan.is_empty() {
            self.crowd.commit(slot, &plan, &mut self.deferred);
            return self.end_of(slot).map_or(Ok(None), |reason| {
                self.release(slot);
                Err(SessionEnd::Closed(reason))
            });
        }
        let batch = self.crowd.reading(self.feed.log(), slot, &plan).to_batch();
        let path = self.crowd.commit(slot, &plan, &mut self.deferred);
        if plan.key.is_some() && path == Path::Fast {
            self.shared.forget(&mut self.deferred);
            // Once the audience is closed, the end is due as well.
            if !self.closing.is_closed() {
                self.shared.keep(budget, plan.step(), batch.clone());
            }
        }
        Ok(Some(batch))
    }

    /// What a session would take now: nothing only where nothing is due. History of which all was
    /// taken back is passed on the way to the gap behind it.
    fn plan_due(&mut self, slot: u32, budget: Budget) -> Plan {
        loop {
            let plan = self.crowd.plan(self.feed.log(), slot, budget);
            if !plan.is_empty() || !plan.more {
                return plan;
            }
            self.crowd.commit(slot, &plan, &mut self.deferred);
        }
    }

    /// The batch that another session took last, if this one has no cold state and stands where
    /// that one stood.
    #[inline]
    fn take_shared(&mut self, session: SessionId, budget: Budget) -> Option<Batch<M>> {
        let key = session.key_in(self.life)?;
        self.shared.take(budget, |step| self.crowd.take_step(key, step))
    }

    /// Hands every session of a group in a range of slots what it is due at `now`, within a budget
    /// for each; the sink says whether it took it. Returns how many sessions had something.
    ///
    /// Sessions that stand at the same place get the same plan, made once: going on along a room
    /// whose sessions are all caught up costs little more than looking at their cursors. A host
    /// sweeps at most 1,024 slots under one lock, from 0 up to [`slots`](Self::slots); in a shard
    /// (see [`ShardIndex`](crate::shard_index::ShardIndex)) these are the places of its own slots.
    #[inline]
    pub fn sweep(
        &mut self,
        now: Instant,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> u32 {
        self.move_floors(now);
        let end = slots.end.min(self.crowd.sessions().slots());
        let mut slot = slots.start;
        let mut due = 0;
        while slot < end {
            let (stopped, handed) = self.sweep_alike(group, slot..end, budget, &mut sink);
            due += handed;
            slot = stopped;
            if slot < end {
                due += u32::from(
                    self.crowd.sessions().is_in(slot, group)
                        && self.sweep_one(slot, budget, &mut sink),
                );
                slot += 1;
            }
        }
        due
    }

    /// Slots that sessions hold or held: the end of a whole [`sweep`](Self::sweep).
    pub fn slots(&self) -> u32 {
        self.crowd.sessions().slots()
    }

    /// One more than the last slot of the room that a session of this audience holds or held.
    pub(crate) fn end_slot(&self) -> u32 {
        let slots = self.crowd.sessions().slots();
        if slots == 0 { 0 } else { self.crowd.sessions().part().slot(slots - 1) + 1 }
    }

    /// Whether [`next_batch`](Self::next_batch) would return anything but `Ok(None)`. Changes
    /// nothing. O(1).
    #[inline]
    pub fn is_ready(&self, session: SessionId) -> bool {
        let key = session.key_in(self.life);
        match key.and_then(|key| self.crowd.sessions().stands(key)) {
            // With nothing aside, what it has not passed is due; of a closed audience, the end.
            Some(CursorState::Plain(cursors)) => {
                *cursors != self.feed.low_heads() || self.closing.is_closed()
            }
            Some(CursorState::Cold(slot)) => self.closing.is_closed() || self.is_due_aside(slot),
            None => true,
        }
    }

    /// Which of those who wait are ready, of 64 slots from `first` on, rounded down to a multiple
    /// of 64: a bit for each. What `waiting` leaves out is not looked at; a slot that nobody holds
    /// is ready. In a shard (see [`ShardIndex`](crate::shard_index::ShardIndex)) these are the
    /// places of its own slots.
    pub fn ready_among(&self, first: u32, waiting: u64) -> u64 {
        let first = first - first % 64;
        if self.closing.is_closed() {
            return waiting;
        }
        let (sessions, heads) = (self.crowd.sessions(), self.feed.low_heads());
        let (mut ready, mut left) = sessions.behind_among(first, waiting, heads);
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            ready |= u64::from(self.is_due_aside(first + bit)) << bit;
        }
        ready
    }

    fn is_due_aside(&self, slot: u32) -> bool {
        self.crowd.is_due_aside(self.feed.log(), slot, self.feed.low_heads())
    }

    /// Sweeps the run of sessions from `slots.start` on that have no cold state and stand where the
    /// first of them stands, or are caught up. Returns the slot at which the run ends, and how many
    /// were handed something.
    #[inline]
    fn sweep_alike(
        &mut self,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        sink: &mut impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> (u32, u32) {
        if self.closing.is_closed() {
            return (slots.start, 0);
        }
        let heads = self.feed.low_heads();
        let sessions = self.crowd.sessions();
        let Some(first) = sessions.first_behind(slots.clone(), group, heads) else {
            return (slots.end, 0);
        };
        if sessions.is_cold(first) {
            return (first, 0);
        }
        let log = self.feed.log();
        let plan = self.crowd.plan(log, first, budget);
        let slots = first..slots.end;
        let is_told_apart = |level: &LevelRange| level.from != level.cursor || level.withdrawn > 0;
        if plan.levels.values().any(is_told_apart) {
            return self.sweep_past_gap(group, slots, &plan, sink);
        }
        let (reading, step, life) = (BatchRef::new(log, None, &plan), plan.step(), self.life);
        let swept = self.crowd.sweep_step(slots, group, &step, heads, |key| {
            sink(key.in_life(life), Delivery::Batch(reading.again()))
        });
        (swept.stopped, swept.handed)
    }

    /// The same where all that stand there have missed something first, or something was taken back.
    /// Not inlined, and through a sink that it does not know: a sink that is called in one place only
    /// is inlined there.
    #[inline(never)]
    fn sweep_past_gap(
        &mut self,
        group: Group,
        slots: Range<u32>,
        plan: &Plan,
        sink: &mut dyn FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> (u32, u32) {
        let (reading, life) = (BatchRef::new(self.feed.log(), None, plan), self.life);
        let (heads, is_empty) = (self.feed.low_heads(), plan.is_empty());
        let swept = self.crowd.sweep_past_gap(slots, group, plan, heads, |key| {
            if is_empty {
                return Handoff::Taken;
            }
            sink(key.in_life(life), Delivery::Batch(reading.again()))
        });
        (swept.stopped, if is_empty { 0 } else { swept.handed })
    }

    /// Hands one session what it is due. Returns whether that was anything.
    #[inline]
    fn sweep_one(
        &mut self,
        slot: u32,
        budget: Budget,
        sink: &mut impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> bool {
        let Some(key) = self.crowd.sessions().holder(slot) else { return false };
        let session = key.in_life(self.life);
        let plan = self.plan_due(slot, budget);
        if plan.is_empty() {
            self.crowd.commit(slot, &plan, &mut self.deferred);
            let Some(reason) = self.end_of(slot) else { return false };
            self.release(slot);
            sink(session, Delivery::End(reason));
            return true;
        }
        let reading = self.crowd.reading(self.feed.log(), slot, &plan);
        if sink(session, Delivery::Batch(reading)) == Handoff::Taken {
            self.crowd.commit(slot, &plan, &mut self.deferred);
        }
        true
    }

    /// Why a session ends once it has taken what it is due, if it ends.
    fn end_of(&self, slot: u32) -> Option<EndReason> {
        self.crowd.ending(slot).map(|ending| ending.reason).or(self.closing.reason())
    }
}
