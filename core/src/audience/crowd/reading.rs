//! How cursors move: what was planned and taken is booked.

use super::super::accounts::Stage;
use super::super::batch::{Budget, Handoff};
use super::super::cold_state::split;
use super::super::plan::{Plan, Step};
use super::super::positions::Positions;
use super::super::reading::BatchRef;
use super::super::session::Swept;
use super::{Crowd, Path};
use crate::deferred_drops::DeferredDrops;
use crate::gap::Skips;
use crate::ids::{Group, SessionKey};
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use core::ops::Range;

impl<M: Payload> Crowd<M> {
    /// Returns what a session would take now. Changes nothing.
    #[inline]
    pub(in crate::audience) fn plan(&self, log: &Log<M>, slot: u32, budget: Budget) -> Plan {
        Plan::new(log, self.cold(slot), self.sessions.cursors(slot), budget)
    }

    /// Returns what was planned for a session, to be read.
    #[inline]
    pub(in crate::audience) fn reading<'a>(
        &'a self,
        log: &'a Log<M>,
        slot: u32,
        plan: &'a Plan,
    ) -> BatchRef<'a, M> {
        BatchRef::new(log, self.cold(slot), plan)
    }

    /// Returns where a session would stand that came now and is told nothing of before: behind what
    /// it has been handed and been told that it missed. Of a level that it has masked, that is all.
    pub(in crate::audience) fn reached(&self, log: &Log<M>, slot: u32) -> PerLevel<u64> {
        PerLevel::from_fn(|level| {
            let head = log.head(level);
            let is_masked = self.is_masked(slot, level);
            let reached = if is_masked { head } else { self.sessions.cursor(slot, level, head) };
            let untold = self.cold(slot).map_or(0, |cold| cold.level(level).untold().total());
            reached.saturating_sub(untold)
        })
    }

    /// Returns whether a session with cold state is due anything, or ends.
    pub(in crate::audience) fn is_due_aside(
        &self,
        log: &Log<M>,
        slot: u32,
        low_heads: Positions,
    ) -> bool {
        let Some(cold) = self.cold(slot) else { return false };
        let is_due = cold.stage() == Stage::Ending || cold.has_untold() || cold.inbox().is_some();
        let is_behind = || !self.sessions.is_caught_up(slot, low_heads);
        let is_pending = |level| self.deliveries_of(log, slot, level).pending > 0;
        is_due || (is_behind() && Priority::ALL.into_iter().any(is_pending))
    }

    /// Lets a session take the step that another one took last, if it has no cold state and stands
    /// where that one stood. Returns whether it does.
    #[inline]
    pub(in crate::audience) fn take_step(&mut self, session: SessionKey, step: &Step) -> bool {
        match self.sessions.plain_cursors(session) {
            Some(cursors) if *cursors == step.here => *cursors = step.there,
            _ => return false,
        }
        self.accounts.read(&step.counts, 1);
        true
    }

    /// Offers each session of a group that has no cold state the same step, and books what was
    /// taken: see `Sessions::sweep`.
    #[inline]
    pub(in crate::audience) fn sweep_step(
        &mut self,
        slots: Range<u32>,
        group: Group,
        step: &Step,
        low_heads: Positions,
        take: impl FnMut(SessionKey) -> Handoff,
    ) -> Swept {
        let places = [step.here, step.there, low_heads];
        let swept = self.sessions.sweep(slots, group, places, take);
        self.accounts.read(&step.counts, swept.taken);
        swept
    }

    /// The same for a plan that begins with messages which whoever stands there has missed, or that has
    /// some which were taken back: each one that takes it is told the same gap, and they are nobody's.
    pub(in crate::audience) fn sweep_past_gap(
        &mut self,
        slots: Range<u32>,
        group: Group,
        plan: &Plan,
        low_heads: Positions,
        mut take: impl FnMut(SessionKey) -> Handoff,
    ) -> Swept {
        let (step, part) = (plan.step(), self.sessions.part());
        let Self { sessions, life_counters, accounts, .. } = self;
        let gaps = || plan.levels.iter().filter(|(_, level)| level.gap != Skips::NONE);
        let withdrawn = || plan.levels.iter().filter(|(_, level)| level.withdrawn > 0);
        let places = [step.here, step.there, low_heads];
        let swept = sessions.sweep(slots, group, places, |session| {
            let handoff = take(session);
            if handoff == Handoff::Taken
                && let Some(slot) = part.place(session.slot())
            {
                gaps().for_each(|(level, missed)| life_counters.skip(slot, level, missed.gap));
                withdrawn().for_each(|(level, plan)| {
                    life_counters.exclude(slot, level, plan.withdrawn.into());
                });
            }
            handoff
        });
        gaps().for_each(|(level, missed)| accounts.miss(level, missed.gap, swept.taken));
        for (level, plan) in withdrawn() {
            let messages = u64::from(plan.withdrawn) * u64::from(swept.taken);
            accounts.pass(level, Stage::Live, messages, 0);
            accounts.exclude(level, messages);
        }
        accounts.read(&step.counts, swept.taken);
        swept
    }

    /// Moves a session's cursors as planned and books what that means. Returns how the session is
    /// read from here on.
    pub(in crate::audience) fn commit(
        &mut self,
        slot: u32,
        plan: &Plan,
        deferred: &mut DeferredDrops<M>,
    ) -> Path {
        for (level, plan) in plan.levels.iter() {
            if plan.gap != Skips::NONE {
                // It is told with this very batch.
                let before = match self.existing_cold_mut(slot) {
                    Some(cold) => cold.level_mut(level).tell(),
                    None => Skips::NONE,
                };
                self.book_skips(slot, level, plan.gap - before);
            }
            if plan.from > plan.cursor {
                self.pass(slot, level, plan.cursor..plan.from);
            }
            let withdrawn = u64::from(plan.withdrawn);
            let read = self.pass(slot, level, plan.from..plan.to) - withdrawn;
            self.accounts.deliver(level, read);
            self.add_excluded(slot, level, withdrawn);
            self.deliver_directs(slot, level, plan.directs, deferred);
        }
        self.drop_blank_aside(slot)
    }

    /// Books what a session has missed from its cursor on, where the log's overrun ends at
    /// `overrun`, and that it is to be told.
    pub(super) fn skip(
        &mut self,
        log: &Log<M>,
        slot: u32,
        level: Priority,
        missed: Range<u64>,
        overrun: u64,
    ) {
        if missed.is_empty() {
            return;
        }
        let skips = match self.cold(slot) {
            Some(cold) => cold.level(level).skips(&missed, overrun),
            None => split(&missed, overrun),
        };
        let skips = skips.with_lost(log.lost_in(level, &missed));
        self.pass(slot, level, missed);
        if skips != Skips::NONE {
            self.book_skips(slot, level, skips);
            self.cold_mut(slot).level_mut(level).miss(skips);
        }
    }

    /// Books what a session passes and does not get.
    fn book_skips(&mut self, slot: u32, level: Priority, skips: Skips) {
        if skips != Skips::NONE {
            self.accounts.skip(level, skips);
            self.life_counters.skip(slot, level, skips);
        }
    }

    /// Moves a cursor over a range and keeps the sums. Returns how many positions it passed that
    /// were not the session's own.
    pub(super) fn pass(&mut self, slot: u32, level: Priority, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        self.sessions.set_cursor(slot, level, range.end);
        let (own, stage) = match self.existing_cold_mut(slot) {
            Some(cold) => {
                cold.pass_history(level, range.end);
                (cold.level_mut(level).pass(range.end), cold.stage())
            }
            None => (0, Stage::Live),
        };
        let positions = range.end - range.start;
        self.accounts.pass(level, stage, positions, own);
        positions - own
    }
}
