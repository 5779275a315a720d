//! What can go out before it is too old, looked ahead as if nothing more came (clause B21).

use super::Oracle;
use super::line::Entry;
use super::victims::Squeeze;
use roomcast_core::config::{Exempt, WhenLate};
use roomcast_core::ledger::DropReason;
use roomcast_core::message::{Limit, Urgency};
use roomcast_core::{Instant, Priority};
use std::ops::RangeInclusive;

impl Oracle {
    /// How many of those that wait at a level can go out before those that come now are too old;
    /// `None` where nobody looks ahead, or all can.
    ///
    /// Where somebody is exempt from a level's own quota, the room may hope for more.
    pub(super) fn places(
        &self,
        level: Priority,
        urgency: Urgency,
    ) -> Option<RangeInclusive<usize>> {
        let bound = self.rules.queue.fresh_within[level]?;
        if self.rules.queue.when_late != WhenLate::RefuseAtOnce {
            return None;
        }
        let all = self.line.lane(level, urgency).count();
        let end = (self.clock + bound).as_nanos();
        let [least, most] = [end.saturating_sub(ROUNDING), end.saturating_add(ROUNDING)]
            .map(|end| self.go_before(Instant::from_nanos(end), level, urgency));
        let has_quota = self.rules.level_quotas.levels.values().any(Option::is_some);
        let is_exact = !has_quota || self.rules.level_quotas.exempt == Exempt::Nobody;
        // And with a floor, whom they pass over.
        let floor = if is_exact || self.rules.min_share.is_none() { 0 } else { FLOOR };
        Some(least.saturating_sub(floor)..=if is_exact { most } else { all })
    }

    /// How many of a level go before an instant, if nothing comes and nothing expires.
    fn go_before(&self, end: Instant, level: Priority, urgency: Urgency) -> usize {
        let mut later = self.clone();
        let mut gone = 0;
        while let Some(at) = later.next_turn()
            && at < end
        {
            later.clock = later.clock.max(at);
            let Some((turn, _)) = later.turn(later.clock.as_nanos()) else { break };
            let Some(&id) = later.may_go(turn).first() else { break };
            let Some(entry) = later.line.find(id).cloned() else { break };
            later.goes(turn, entry.sender);
            later.line.go(id);
            gone += usize::from(turn == level && entry.urgency == urgency);
        }
        gone
    }

    /// Whether a squeeze comes out one way for any number of places that the room may reckon with.
    pub(super) fn squeezed(&self, newcomer: u64, is_so: impl Fn(Squeeze<'_>) -> bool) -> bool {
        let newcomers = self.line.find(newcomer);
        match newcomers.and_then(|entry| self.places(entry.level, entry.urgency)) {
            None => is_so(Squeeze::new(&self.line, newcomer)),
            Some(mut places) => {
                places.any(|places| is_so(Squeeze::new(&self.line, newcomer).with_places(places)))
            }
        }
    }

    /// Why somebody gives way to a newcomer, or the newcomer itself, and by which limit it is
    /// refused: the budget of messages and bytes comes before that of time.
    pub(super) fn shortage(&self, level: Priority) -> (DropReason, Option<Limit>) {
        match self.line.exceeded() {
            Some(limit) => (DropReason::Evicted, Some(limit)),
            None => (DropReason::Congested, self.bound(level)),
        }
    }

    /// The bound on the age of a level, as a limit.
    pub(super) fn bound(&self, level: Priority) -> Option<Limit> {
        self.rules.queue.fresh_within[level].map(|max| Limit::FreshWithin { max })
    }

    /// When one would be let in that was refused as congested and is not in the line any more: when
    /// it can still go before it is too old. Where the room may reckon differently, and within its
    /// rounding, what it says.
    pub(super) fn uncongested(&self, refused: &Entry, says: Option<Instant>) -> Option<Instant> {
        let level = refused.level;
        let is_exact = self.rules.min_share.is_none()
            && self.rules.level_quotas.levels.values().all(Option::is_none);
        if !is_exact {
            return says.filter(|&at| at >= self.clock);
        }
        let bound = self.rules.queue.fresh_within[level]?.as_nanos();
        let first = |entry: &&Entry| {
            let is_before = refused.urgency == Urgency::Plain || entry.urgency == refused.urgency;
            entry.level > level || (entry.level == level && is_before)
        };
        let before = self.line.entries.iter().filter(first).count();
        let (mut room, mut goes) = (self.turns.room.clone(), self.clock.as_nanos());
        for _ in 0..=before {
            goes = room.next(goes, self.rules.kept(level))?;
            room.pass(goes);
        }
        // What goes at the end of time may be rounded to after it.
        if says.is_none() && goes >= u64::MAX - ROUNDING {
            return None;
        }
        // One that is as old as its bound does not go.
        let early = u64::try_from(bound).unwrap_or(u64::MAX).saturating_sub(1);
        let at = Instant::from_nanos(goes.saturating_sub(early)).max(self.clock);
        let is_near = |says: &Instant| says.as_nanos().abs_diff(at.as_nanos()) <= ROUNDING;
        says.filter(is_near).or(Some(at))
    }
}

/// How far the room may be off with a floor where somebody is exempt, in messages.
const FLOOR: usize = 2;
/// How far it may be off in time, in nanoseconds: a token is there at a whole one.
const ROUNDING: u64 = 16;
