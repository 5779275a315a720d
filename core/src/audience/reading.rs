//! Reading: what a session would take now is planned without changing anything, handed out, and
//! then committed.

use super::Audience;
use super::batch::{Batch, Budget, Contents, Handoff, Item};
use super::cold_state::ColdState;
use super::plan::{BatchKey, LevelRange, Plan, is_own};
use super::positions::Positions;
use super::session::CursorState;
use crate::error::SessionEnd;
use crate::event::EndReason;
use crate::ids::{Group, SessionId};
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use alloc::sync::Arc;
use core::ops::Range;
use smallvec::SmallVec;

/// The batch that a session took last, for others that stand where it stood.
#[derive(Debug)]
pub(super) struct Shared<M> {
    budget: Budget,
    here: Positions,
    there: Positions,
    /// Messages of each level in it.
    counts: PerLevel<u32>,
    batch: Batch<M>,
}

/// What a session is due in a [sweep](Audience::sweep).
#[derive(Debug)]
pub enum Delivery<'a, M> {
    /// Messages, direct ones, gaps.
    Batch(BatchRef<'a, M>),
    /// The session has ended and has taken all that it was due; it is gone with this.
    End(EndReason),
}

/// A batch that is looked at in place: nothing is copied, counted or allocated for it.
#[derive(Debug)]
pub struct BatchRef<'a, M> {
    log: &'a Log<M>,
    cold: Option<&'a ColdState<M>>,
    plan: &'a Plan,
    key: Option<&'a BatchKey>,
    messages: u32,
}

impl<'a, M: Payload> BatchRef<'a, M> {
    /// The key under which what is encoded for one session serves all that read the same range;
    /// `None` when this batch is this session's alone.
    pub fn key(&self) -> Option<&'a BatchKey> {
        self.key
    }

    /// Gaps and messages in the order in which the session should see them, direct ones among them.
    pub fn items(&self) -> impl Iterator<Item = Item<'a, M>> + use<'a, M> {
        let (log, cold) = (self.log, self.cold);
        self.plan.levels.iter().flat_map(move |(level, plan)| {
            let gap = (plan.gap > 0).then_some(Item::Gap { priority: level, count: plan.gap });
            gap.into_iter().chain(level_items(log, cold, level, plan))
        })
    }

    /// The same as a [`Batch`], to be kept.
    pub fn to_batch(&self) -> Batch<M> {
        let gaps = PerLevel(self.plan.levels.0.map(|level| level.gap));
        let mut contents = Contents {
            gaps,
            messages: SmallVec::with_capacity(self.messages as usize),
            ..Contents::default()
        };
        contents.more = self.plan.more;
        for item in self.items() {
            match item {
                Item::Message(message) => contents.messages.push(Arc::clone(message)),
                Item::Direct(direct) => {
                    contents.directs.push((contents.messages.len(), Arc::clone(direct)))
                }
                Item::Gap { .. } => {}
            }
        }
        Batch { contents: Arc::new(contents) }
    }

    /// Messages of the room in it.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Direct messages in it.
    pub fn directs(&self) -> u32 {
        self.plan.directs
    }

    /// Whether the budget cut it short: the session is due more at once.
    pub fn more(&self) -> bool {
        self.plan.more
    }
}

/// What a session takes of one level, but for the gap.
fn level_items<'a, M: Payload>(
    log: &'a Log<M>,
    cold: Option<&'a ColdState<M>>,
    level: Priority,
    plan: &'a LevelRange,
) -> impl Iterator<Item = Item<'a, M>> + use<'a, M> {
    let waiting = cold
        .filter(|_| plan.directs > 0)
        .and_then(|cold| cold.inbox.as_ref())
        .map(|inbox| inbox.at(level));
    let (mut position, mut directs) = (plan.from, 0);
    core::iter::from_fn(move || {
        loop {
            if directs < plan.directs
                && let Some(held) = waiting.and_then(|waiting| waiting.get(directs as usize))
                && (held.follows <= position || position >= plan.to)
            {
                directs += 1;
                return Some(Item::Direct(&held.direct));
            }
            if position >= plan.to {
                return None;
            }
            let at = position;
            position += 1;
            if !is_own(cold, level, at)
                && let Some(message) = log.get(level, at)
            {
                return Some(Item::Message(message));
            }
        }
    })
}

impl<M: Payload> Audience<M> {
    /// Takes what a session is due, within a budget; `None` when that is nothing. Costs what is
    /// read.
    ///
    /// # Errors
    /// The session has ended: [`SessionEnd::Closed`] once, after its last batch, and
    /// [`SessionEnd::NoSession`] from then on.
    #[inline]
    pub fn next_batch(
        &mut self,
        session: SessionId,
        budget: Budget,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        match self.take_shared(session, budget) {
            Some(batch) => Ok(Some(batch)),
            None => self.take_own(session, budget),
        }
    }

    fn take_own(
        &mut self,
        session: SessionId,
        budget: Budget,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        let slot = self.sessions.slot_of(session).ok_or(SessionEnd::NoSession(session))?;
        if self.closed.is_none()
            && !self.sessions.is_cold(slot)
            && self.sessions.is_caught_up(slot, self.low_heads)
        {
            return Ok(None);
        }
        let plan = self.plan(slot, budget);
        if plan.is_empty() {
            self.commit(slot, &plan);
            return self.end_of(slot).map_or(Ok(None), |reason| {
                self.release(slot);
                Err(SessionEnd::Closed(reason))
            });
        }
        let batch = self.reading(slot, &plan).to_batch();
        self.commit(slot, &plan);
        if plan.key.is_some() && !self.sessions.is_cold(slot) {
            self.unshare();
            let (here, there) = plan.positions();
            let counts = PerLevel(plan.levels.0.map(|level| (level.to - level.from) as u32));
            // Once the audience is closed, the end is due as well.
            self.shared = self.closed.is_none().then(|| Shared {
                budget,
                here,
                there,
                counts,
                batch: batch.clone(),
            });
        }
        Ok(Some(batch))
    }

    /// The batch that another session took last, if this one has no cold state and stands where
    /// that one stood.
    #[inline]
    fn take_shared(&mut self, session: SessionId, budget: Budget) -> Option<Batch<M>> {
        let shared = self.shared.as_ref().filter(|shared| shared.budget == budget)?;
        let cursors = self.sessions.plain_cursors(session)?;
        if *cursors != shared.here {
            return None;
        }
        *cursors = shared.there;
        for (sums, &count) in self.sums.0.iter_mut().zip(&shared.counts.0) {
            if count > 0 {
                sums.add_read(u64::from(count));
            }
        }
        Some(shared.batch.clone())
    }

    /// Forgets the batch that was taken last: what is dispatched next changes what those who stand
    /// there are due.
    pub(super) fn unshare(&mut self) {
        if let Some(contents) =
            self.shared.take().and_then(|shared| Arc::into_inner(shared.batch.contents))
        {
            self.deferred.add_messages(contents.messages);
        }
    }

    /// Hands every session of a group in a range of slots what it is due, within a budget for each;
    /// the sink says whether it took it. Returns how many sessions had something.
    ///
    /// Sessions that stand at the same place get the same plan, made once: going on along a room
    /// whose sessions are all caught up costs little more than looking at their cursors. A host
    /// sweeps at most 1,024 slots under one lock, from 0 up to [`slots`](Self::slots); in a shard
    /// (see [`ShardIndex`](crate::ShardIndex)) these are the places of its own slots.
    #[inline]
    pub fn sweep(
        &mut self,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> u32 {
        let end = slots.end.min(self.sessions.slots());
        let mut slot = slots.start;
        let mut due = 0;
        while slot < end {
            let (stopped, handed) = self.sweep_alike(group, slot..end, budget, &mut sink);
            due += handed;
            slot = stopped;
            if slot < end {
                due += u32::from(
                    self.sessions.is_in(slot, group) && self.sweep_one(slot, budget, &mut sink),
                );
                slot += 1;
            }
        }
        due
    }

    /// Slots that sessions hold or held: the end of a whole [`sweep`](Self::sweep).
    pub fn slots(&self) -> u32 {
        self.sessions.slots()
    }

    /// One more than the last slot of the room that a session of this audience holds or held.
    pub(crate) fn end_slot(&self) -> u32 {
        let slots = self.sessions.slots();
        if slots == 0 { 0 } else { self.sessions.part().slot(slots - 1) + 1 }
    }

    /// Whether [`next_batch`](Self::next_batch) would return anything but `Ok(None)`. Changes
    /// nothing. O(1).
    #[inline]
    pub fn is_ready(&self, session: SessionId) -> bool {
        match self.sessions.stands(session) {
            // With nothing aside, what it has not passed is due; of a closed audience, the end.
            Some(CursorState::Plain(cursors)) => {
                *cursors != self.low_heads || self.closed.is_some()
            }
            Some(CursorState::Cold(slot)) => self.is_ready_cold(slot),
            None => true,
        }
    }

    /// Which of those who wait are ready, of 64 slots from `first` on, rounded down to a multiple
    /// of 64: a bit for each. What `waiting` leaves out is not looked at; a slot that nobody holds
    /// is ready. In a shard (see [`ShardIndex`](crate::ShardIndex)) these are the places of its own
    /// slots.
    pub fn ready_among(&self, first: u32, waiting: u64) -> u64 {
        let first = first - first % 64;
        if self.closed.is_some() {
            return waiting;
        }
        let (behind, cold) = self.sessions.behind_among(first, waiting, self.low_heads);
        let mut left = cold;
        let mut ready = behind;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            ready |= u64::from(self.is_ready_cold(first + bit)) << bit;
        }
        ready
    }

    fn is_ready_cold(&self, slot: u32) -> bool {
        let behind = !self.sessions.is_caught_up(slot, self.low_heads);
        if self.closed.is_some() {
            return true;
        }
        self.end_of(slot).is_some()
            || self.cold(slot).is_some_and(|cold| {
                cold.levels.values().any(|level| level.untold > 0) || cold.inbox.is_some()
            })
            || (behind
                && Priority::ALL
                    .into_iter()
                    .any(|level| self.deliveries_of(slot, level).pending > 0))
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
        if self.closed.is_some() {
            return (slots.start, 0);
        }
        let heads = self.low_heads;
        let Some(first) = self.sessions.first_behind(slots.clone(), group, heads) else {
            return (slots.end, 0);
        };
        if self.sessions.is_cold(first) {
            return (first, 0);
        }
        let plan = self.plan(first, budget);
        if plan.levels.values().any(|level| level.from != level.cursor) {
            return (first, 0);
        }
        let (here, there) = plan.positions();
        let log = &self.log;
        let (key, messages) = (plan.key.as_ref(), plan.messages);
        let swept = self.sessions.sweep(first..slots.end, group, [here, there, heads], |session| {
            sink(session, Delivery::Batch(BatchRef { log, cold: None, plan: &plan, key, messages }))
        });
        for (level, plan) in plan.levels.iter() {
            self.sums[level].add_read((plan.to - plan.from) * u64::from(swept.taken));
        }
        (swept.stopped, swept.handed)
    }

    /// Hands one session what it is due. Returns whether that was anything.
    #[inline]
    fn sweep_one(
        &mut self,
        slot: u32,
        budget: Budget,
        sink: &mut impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> bool {
        let Some(session) = self.sessions.holder(slot) else { return false };
        let plan = self.plan(slot, budget);
        if plan.is_empty() {
            self.commit(slot, &plan);
            let Some(reason) = self.end_of(slot) else { return false };
            self.release(slot);
            sink(session, Delivery::End(reason));
            return true;
        }
        if sink(session, Delivery::Batch(self.reading(slot, &plan))) == Handoff::Taken {
            self.commit(slot, &plan);
        }
        true
    }

    fn reading<'a>(&'a self, slot: u32, plan: &'a Plan) -> BatchRef<'a, M> {
        BatchRef {
            log: &self.log,
            cold: self.cold(slot),
            plan,
            key: plan.key.as_ref(),
            messages: plan.messages,
        }
    }

    /// Moves a session's cursors as planned and books what that means.
    fn commit(&mut self, slot: u32, plan: &Plan) {
        for (level, plan) in plan.levels.iter() {
            if plan.from > plan.cursor {
                self.skip(slot, level, plan.cursor, plan.from);
            }
            if plan.gap > 0
                && let Some(cold) = self.existing_cold_mut(slot)
            {
                cold.levels[level].untold = 0;
            }
            let read = self.pass(slot, level, plan.from, plan.to);
            self.sums[level].delivered += read;
            self.deliver_directs(slot, level, plan.directs);
        }
        if plan.directs > 0 {
            self.drop_blank_aside(slot);
        }
    }

    /// Books what has fallen out of the log before the session read it: the positions from `cursor`
    /// to `to`.
    pub(super) fn skip(&mut self, slot: u32, level: Priority, cursor: u64, to: u64) {
        let skipped = self.pass(slot, level, cursor, to);
        if skipped > 0 {
            self.sums[level].skipped += skipped;
            let cold = &mut self.cold_mut(slot).levels[level];
            cold.skipped += skipped;
            cold.untold += skipped;
        }
    }

    /// Moves a cursor and keeps the sums. Returns how many positions it passed that were not the
    /// session's own.
    pub(super) fn pass(&mut self, slot: u32, level: Priority, cursor: u64, to: u64) -> u64 {
        if to == cursor {
            return 0;
        }
        self.sessions.set_cursor(slot, level, to);
        let (own, ends) = match self.existing_cold_mut(slot) {
            Some(cold) => (cold.levels[level].pass(to), cold.ending.is_some()),
            None => (0, false),
        };
        let sums = &mut self.sums[level];
        let others = to - cursor - own;
        if ends {
            sums.ending_pending -= others;
        } else {
            sums.cursors = sums.cursors.wrapping_add(to - cursor);
            sums.own_unread -= own;
        }
        others
    }

    /// Why a session ends once it has taken what it is due, if it ends.
    fn end_of(&self, slot: u32) -> Option<EndReason> {
        self.ending(slot).map(|ending| ending.reason).or(self.closed.map(|(reason, _)| reason))
    }
}
