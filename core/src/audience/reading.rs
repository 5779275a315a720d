//! Reading: what a session would take now is planned without changing anything, handed out, and then committed.

use super::Audience;
use super::aside::Aside;
use super::batch::{Batch, Budget, Contents, Item};
use super::session::{Positions, Stand};
use crate::error::SessionEnd;
use crate::event::EndReason;
use crate::ids::{Group, SessionId};
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use alloc::sync::Arc;
use core::ops::Range;
use smallvec::SmallVec;

/// What one session would take now.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    levels: PerLevel<LevelPlan>,
    messages: u32,
    more: bool,
    /// Every session with the same cursors gets the very same.
    key: Option<RangeKey>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LevelPlan {
    /// Where the session stands.
    cursor: u64,
    /// Where it starts to read: at its cursor, or behind what has fallen out of the log.
    from: u64,
    /// Where it will stand.
    to: u64,
    /// What it is to be told that it missed.
    gap: u64,
    /// Messages of its own from `from` to `to`.
    own: u64,
}

impl Plan {
    /// Where a session stands, and where it will stand: the low halves.
    fn positions(&self) -> (Positions, Positions) {
        (self.levels.0.map(|level| level.cursor as u32), self.levels.0.map(|level| level.to as u32))
    }

    fn is_empty(&self) -> bool {
        self.messages == 0 && self.levels.values().all(|level| level.gap == 0)
    }

    /// The key, unless there is a gap or something of the session's own.
    fn shared_key(&self) -> Option<RangeKey> {
        let levels = &self.levels.0;
        let alone = levels.iter().any(|level| level.gap > 0 || level.own > 0 || level.from != level.cursor);
        (!alone).then(|| RangeKey { from: levels.map(|level| level.from), to: levels.map(|level| level.to) })
    }
}

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
pub enum Due<'a, M> {
    /// Messages, gaps, or both.
    Batch(Reading<'a, M>),
    /// The session has ended and has taken all that it was due; it is gone with this.
    End(EndReason),
}

/// What a sweep's sink did with a session's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It took the batch.
    Taken,
    /// It could not, and nothing was taken: the session is due the same, or more, at the next sweep.
    NotNow,
}

/// A batch that is looked at in place: nothing is copied, counted or allocated for it.
#[derive(Debug)]
pub struct Reading<'a, M> {
    log: &'a Log<M>,
    aside: Option<&'a Aside>,
    plan: &'a Plan,
    key: Option<&'a RangeKey>,
    messages: u32,
}

/// The range that a batch covers: batches with the same key, of the same room, hold the same messages and no gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RangeKey {
    from: [u64; Priority::NUM],
    to: [u64; Priority::NUM],
}

impl<'a, M: Payload> Reading<'a, M> {
    /// The key under which what is encoded for one session serves all that read the same range (decision D29); `None` when this batch is
    /// this session's alone.
    pub fn key(&self) -> Option<&'a RangeKey> {
        self.key
    }

    /// Gaps and messages in the order in which the session should see them.
    pub fn items(&self) -> impl Iterator<Item = Item<'a, M>> + use<'a, M> {
        let (log, aside) = (self.log, self.aside);
        self.plan.levels.iter().flat_map(move |(level, plan)| {
            let gap = (plan.gap > 0).then_some(Item::Gap { priority: level, count: plan.gap });
            let messages = (plan.from..plan.to)
                .filter(move |&position| !is_own(aside, level, position))
                .filter_map(move |position| log.get(level, position))
                .map(Item::Message);
            gap.into_iter().chain(messages)
        })
    }

    /// The same as a [`Batch`], to be kept.
    pub fn to_batch(&self) -> Batch<M> {
        let gaps = PerLevel(self.plan.levels.0.map(|level| level.gap));
        let messages = self.items().filter_map(|item| match item {
            Item::Message(message) => Some(Arc::clone(message)),
            Item::Gap { .. } => None,
        });
        Batch { contents: Arc::new(Contents { gaps, messages: messages.collect(), more: self.plan.more }) }
    }

    /// Messages in it.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether the budget cut it short: the session is due more at once.
    pub fn more(&self) -> bool {
        self.plan.more
    }
}

fn is_own(aside: Option<&Aside>, level: Priority, position: u64) -> bool {
    aside.is_some_and(|aside| aside.levels[level].is_own(position))
}

impl<M: Payload> Audience<M> {
    /// Takes what a session is due, within a budget; `None` when that is nothing. Costs what is read.
    ///
    /// # Errors
    /// The session has ended: [`SessionEnd::Closed`] once, after its last batch, and [`SessionEnd::NoSession`] from then on.
    #[inline]
    pub fn next_batch(&mut self, session: SessionId, budget: Budget) -> Result<Option<Batch<M>>, SessionEnd> {
        match self.take_shared(session, budget) {
            Some(batch) => Ok(Some(batch)),
            None => self.take_own(session, budget),
        }
    }

    fn take_own(&mut self, session: SessionId, budget: Budget) -> Result<Option<Batch<M>>, SessionEnd> {
        let slot = self.sessions.slot_of(session).ok_or(SessionEnd::NoSession(session))?;
        if self.closed.is_none() && !self.sessions.has_aside(slot) && self.sessions.is_caught_up(slot, self.low_heads) {
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
        let gaps = PerLevel(plan.levels.0.map(|level| level.gap));
        let mut contents = Contents { gaps, messages: SmallVec::with_capacity(plan.messages as usize), more: plan.more };
        let aside = self.aside(slot);
        for (level, plan) in plan.levels.iter() {
            let positions = (plan.from..plan.to).filter(|&position| !is_own(aside, level, position));
            positions
                .filter_map(|position| self.log.get(level, position))
                .for_each(|message| contents.messages.push(Arc::clone(message)));
        }
        self.commit(slot, &plan);
        let batch = Batch { contents: Arc::new(contents) };
        if plan.key.is_some() && !self.sessions.has_aside(slot) {
            self.unshare();
            let (here, there) = plan.positions();
            let counts = PerLevel(plan.levels.0.map(|level| (level.to - level.from) as u32));
            // Once the audience is closed, the end is due as well.
            self.shared = self.closed.is_none().then(|| Shared { budget, here, there, counts, batch: batch.clone() });
        }
        Ok(Some(batch))
    }

    /// The batch that another session took last, if this one has nothing aside and stands where that one stood.
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

    /// Forgets the batch that was taken last: what is dispatched next changes what those who stand there are due.
    pub(super) fn unshare(&mut self) {
        if let Some(contents) = self.shared.take().and_then(|shared| Arc::into_inner(shared.batch.contents)) {
            self.debris.messages.extend(contents.messages);
        }
    }

    /// Hands every session of a group in a range of slots what it is due, within a budget for each; the sink says whether it took it.
    /// Answers how many sessions had something.
    ///
    /// Sessions that stand at the same place get the same plan, made once: going on along a room whose sessions are all caught up costs little
    /// more than looking at their cursors. A host sweeps at most 1,024 slots under one lock (decision D1), from 0 up to
    /// [`slots`](Self::slots); in a [`Part`](crate::Part) of a room these are the places of its own slots.
    #[inline]
    pub fn sweep(
        &mut self,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Due<'_, M>) -> Verdict,
    ) -> u32 {
        let end = slots.end.min(self.sessions.slots());
        let mut slot = slots.start;
        let mut due = 0;
        while slot < end {
            let (stopped, handed) = self.sweep_alike(group, slot..end, budget, &mut sink);
            due += handed;
            slot = stopped;
            if slot < end {
                due += u32::from(self.sessions.is_in(slot, group) && self.sweep_one(slot, budget, &mut sink));
                slot += 1;
            }
        }
        due
    }

    /// Slots that sessions hold or held: the end of a whole [`sweep`](Self::sweep).
    pub fn slots(&self) -> u32 {
        self.sessions.slots()
    }

    /// Whether [`next_batch`](Self::next_batch) would answer anything but `Ok(None)`. Changes nothing. O(1).
    #[inline]
    pub fn is_ready(&self, session: SessionId) -> bool {
        match self.sessions.stands(session) {
            // With nothing aside, what it has not passed is due; of a closed audience, the end.
            Some(Stand::Plain(cursors)) => *cursors != self.low_heads || self.closed.is_some(),
            Some(Stand::Aside(slot)) => self.is_ready_aside(slot),
            None => true,
        }
    }

    /// Which of those who wait are ready, of 64 slots from `first` on, which is a multiple of 64: a bit for each. What `waiting` leaves out
    /// is not looked at; a slot that nobody holds is ready. In a [`Part`](crate::Part) these are the places of its own slots.
    pub fn ready_among(&self, first: u32, waiting: u64) -> u64 {
        if self.closed.is_some() {
            return waiting;
        }
        let (behind, aside) = self.sessions.behind_among(first, waiting, self.low_heads);
        let mut left = aside;
        let mut ready = behind;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            ready |= u64::from(self.is_ready_aside(first + bit)) << bit;
        }
        ready
    }

    fn is_ready_aside(&self, slot: u32) -> bool {
        let behind = !self.sessions.is_caught_up(slot, self.low_heads);
        if self.closed.is_some() {
            return true;
        }
        self.end_of(slot).is_some()
            || self.aside(slot).is_some_and(|aside| aside.levels.values().any(|level| level.untold > 0))
            || (behind && Priority::ALL.into_iter().any(|level| self.books_of(slot, level).pending > 0))
    }

    /// Sweeps the run of sessions from `slots.start` on that have nothing aside and stand where the first of them stands, or are caught up.
    /// Answers the slot at which the run ends, and how many were handed something.
    #[inline]
    fn sweep_alike(
        &mut self,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        sink: &mut impl FnMut(SessionId, Due<'_, M>) -> Verdict,
    ) -> (u32, u32) {
        if self.closed.is_some() {
            return (slots.start, 0);
        }
        let heads = self.low_heads;
        let Some(first) = self.sessions.first_behind(slots.clone(), group, heads) else { return (slots.end, 0) };
        if self.sessions.has_aside(first) {
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
            sink(session, Due::Batch(Reading { log, aside: None, plan: &plan, key, messages }))
        });
        for (level, plan) in plan.levels.iter() {
            self.sums[level].add_read((plan.to - plan.from) * u64::from(swept.taken));
        }
        (swept.stopped, swept.handed)
    }

    /// Hands one session what it is due. Answers whether that was anything.
    #[inline]
    fn sweep_one(&mut self, slot: u32, budget: Budget, sink: &mut impl FnMut(SessionId, Due<'_, M>) -> Verdict) -> bool {
        let Some(session) = self.sessions.holder(slot) else { return false };
        let plan = self.plan(slot, budget);
        if plan.is_empty() {
            self.commit(slot, &plan);
            let Some(reason) = self.end_of(slot) else { return false };
            self.release(slot);
            sink(session, Due::End(reason));
            return true;
        }
        let reading =
            Reading { log: &self.log, aside: self.aside(slot), plan: &plan, key: plan.key.as_ref(), messages: plan.messages };
        if sink(session, Due::Batch(reading)) == Verdict::Taken {
            self.commit(slot, &plan);
        }
        true
    }

    /// What a session would take now. Changes nothing.
    fn plan(&self, slot: u32, budget: Budget) -> Plan {
        let aside = self.aside(slot);
        let ending = aside.and_then(|aside| aside.ending);
        let mut plan = Plan::default();
        let mut left = Budget { messages: budget.messages.max(1), ..budget };
        for level in Priority::ALL {
            let end = ending.map_or(self.log.head(level), |ending| ending.ends[level]);
            plan.levels[level] = self.plan_level(slot, level, end, aside, &mut left, &mut plan);
        }
        plan.key = plan.shared_key();
        plan
    }

    fn plan_level(
        &self,
        slot: u32,
        level: Priority,
        end: u64,
        aside: Option<&Aside>,
        left: &mut Budget,
        plan: &mut Plan,
    ) -> LevelPlan {
        let cursor = self.sessions.cursor(slot, level, end);
        if cursor == end && aside.is_none() {
            return LevelPlan { cursor, from: cursor, to: cursor, gap: 0, own: 0 };
        }
        let (untold, own_unread, is_masked) = aside.map_or((0, 0, false), |aside| {
            let of_level = &aside.levels[level];
            (of_level.untold, of_level.own_unread(), aside.mask.contains(level))
        });
        // Nobody reads a masked level; a gap from before is still told.
        let end = if is_masked { cursor } else { end };
        if left.messages == 0 {
            // Not the distance of two positions: what is left may be the session's own messages, which are not due.
            plan.more |= untold > 0 || end - cursor > own_unread;
            return LevelPlan { cursor, from: cursor, to: cursor, gap: 0, own: 0 };
        }
        let from = cursor.max(self.log.tail(level).min(end));
        let own_lost = aside.map_or(0, |aside| aside.levels[level].own_below(from));
        let gap = untold + (from - cursor - own_lost);
        let (mut to, mut own) = (from, 0);
        while to < end {
            let Some(message) = self.log.get(level, to) else { break };
            if is_own(aside, level, to) {
                own += 1;
            } else {
                let bytes = message.bytes();
                if left.messages == 0 || (bytes > left.bytes && plan.messages > 0) {
                    left.messages = 0;
                    plan.more = true;
                    break;
                }
                left.messages -= 1;
                left.bytes = left.bytes.saturating_sub(bytes);
                plan.messages += 1;
            }
            to += 1;
        }
        LevelPlan { cursor, from, to, gap, own }
    }

    /// Moves a session's cursors as planned and books what that means.
    fn commit(&mut self, slot: u32, plan: &Plan) {
        for (level, plan) in plan.levels.iter() {
            if plan.from > plan.cursor {
                self.skip(slot, level, plan.cursor, plan.from);
            }
            if plan.gap > 0
                && let Some(aside) = self.existing_aside_mut(slot)
            {
                aside.levels[level].untold = 0;
            }
            let read = self.pass(slot, level, plan.from, plan.to);
            self.sums[level].delivered += read;
        }
    }

    /// Books what has fallen out of the log before the session read it: the positions from `cursor` to `to`.
    pub(super) fn skip(&mut self, slot: u32, level: Priority, cursor: u64, to: u64) {
        let skipped = self.pass(slot, level, cursor, to);
        if skipped > 0 {
            self.sums[level].skipped += skipped;
            let aside = &mut self.aside_mut(slot).levels[level];
            aside.skipped += skipped;
            aside.untold += skipped;
        }
    }

    /// Moves a cursor and keeps the sums. Answers how many positions it passed that were not the session's own.
    pub(super) fn pass(&mut self, slot: u32, level: Priority, cursor: u64, to: u64) -> u64 {
        if to == cursor {
            return 0;
        }
        self.sessions.set_cursor(slot, level, to);
        let (own, ends) = match self.existing_aside_mut(slot) {
            Some(aside) => (aside.levels[level].pass(to), aside.ending.is_some()),
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
