//! Whose turn it is among the levels: the room's tokens, the second limit, the reserves, the floor.

use super::Oracle;
use super::line::Entry;
use super::meters::Meter;
use crate::rules::Rules;
use roomcast_core::config::{Exempt, QueueDiscipline};
use roomcast_core::message::{Sender, Urgency};
use roomcast_core::rights::Role;
use roomcast_core::{Instant, PerLevel, Priority};

/// What has passed, and what the floor has counted.
#[derive(Clone, Debug)]
pub struct Turns {
    /// Under the room's rate.
    pub room: Meter,
    levels: PerLevel<Option<Meter>>,
    /// Dispatches since the floor's last that passed a lower level over.
    passed_over: u32,
    /// The levels of all that went out since there is this floor.
    served: Vec<Priority>,
}

impl Turns {
    /// Nothing has passed yet.
    pub fn new(rules: &Rules) -> Self {
        let levels = PerLevel(rules.level_quotas.levels.0.map(|quota| quota.map(Meter::new)));
        Self { room: Meter::new(rules.rate_limit()), levels, passed_over: 0, served: Vec::new() }
    }

    /// From `now` on other rules. What is the same goes on as if nothing were.
    #[must_use]
    pub fn become_of(&self, now: u64, old: &Rules, new: &Rules) -> Self {
        let meter = |meter: &Meter, old, new| {
            if old == new { meter.clone() } else { meter.become_of(now, new) }
        };
        let levels = PerLevel::from_fn(|level| {
            match (&self.levels[level], new.level_quotas.levels[level]) {
                (_, None) => None,
                (None, Some(quota)) => Some(Meter::new(quota)),
                (Some(own), Some(quota)) => {
                    Some(meter(own, old.level_quotas.levels[level].unwrap_or(quota), quota))
                }
            }
        });
        let (passed_over, served) = if old.min_share == new.min_share {
            (self.passed_over, self.served.clone())
        } else {
            (0, Vec::new())
        };
        Self {
            room: meter(&self.room, old.rate_limit(), new.rate_limit()),
            levels,
            passed_over,
            served,
        }
    }
}

impl Oracle {
    /// Who goes next while a level's own quota is used up, if it does not bind its sender: the one
    /// whose turn it is, or the oldest where that is left to chance. Whoever has just come and may
    /// still be refused stands in nobody's way.
    fn head(&self, level: Priority) -> Option<&Entry> {
        let is_exempt = |entry: &&Entry| self.is_exempt(entry.sender);
        let urgent = self.line.lane(level, Urgency::Urgent).next();
        if let Some(first) = urgent
            && (is_exempt(&first) || !self.line.is_newcomer(first.id))
        {
            return Some(first).filter(is_exempt);
        }
        let next = match self.rules.queue.discipline {
            QueueDiscipline::Random => self.line.lane(level, Urgency::Plain).next(),
            _ => self.line.find(*self.line.may_go_in_turn(level).first()?),
        };
        next.filter(is_exempt)
    }

    fn is_exempt(&self, sender: Sender) -> bool {
        let is_staff = match sender {
            Sender::Host => true,
            Sender::User(user) => self.role(user) != Role::Member,
        };
        self.rules.level_quotas.exempt == Exempt::OwnerAndAdmins && is_staff
    }

    fn has_own(&self, at: u64, level: Priority) -> bool {
        self.turns.levels[level].as_ref().is_none_or(|meter| meter.may_pass(at, 0))
    }

    /// The levels that wait and that their own quota lets go at an instant, the highest first.
    fn ready(&self, at: u64) -> Vec<Priority> {
        let may_go = |level| {
            let waits = self.line.level(level).next().is_some();
            waits && (self.has_own(at, level) || self.head(level).is_some())
        };
        Priority::ALL.into_iter().filter(|&level| may_go(level)).collect()
    }

    /// Which level is served next at an instant, and what its message must leave behind: the
    /// highest that may go; but once so many have passed a lower one over, the one of the lower
    /// ones that waits for its turn the longest, whatever the reserves (clause B5). Whoever has
    /// just come and may still be refused changes nobody else's turn.
    pub(super) fn turn(&self, at: u64) -> Option<(Priority, u32)> {
        let mut ready = self.ready(at);
        let turn = self.turn_among(&ready)?;
        if self.line.is_newcomers(turn.0) {
            return Some(turn);
        }
        ready.retain(|&level| !self.line.is_newcomers(level));
        self.turn_among(&ready)
    }

    fn turn_among(&self, ready: &[Priority]) -> Option<(Priority, u32)> {
        let (highest, lowest) = (*ready.first()?, *ready.last()?);
        if highest == lowest || !self.is_floors_turn() {
            return Some((highest, self.rules.kept(highest)));
        }
        let mut floors = lowest;
        for &level in ready.iter().rev().filter(|&&level| level != highest) {
            let last = |level| self.turns.served.iter().rposition(|&served| served == level);
            if last(level) < last(floors) {
                floors = level;
            }
        }
        Some((floors, 0))
    }

    fn is_floors_turn(&self) -> bool {
        self.rules.min_share.is_some_and(|min_share| self.turns.passed_over + 1 >= min_share)
    }

    /// Those of a level that may be next, at a level's turn.
    pub(super) fn may_go(&self, level: Priority) -> Vec<u64> {
        if self.has_own(self.clock.as_nanos(), level) {
            self.line.may_go(level)
        } else {
            self.head(level).map(|head| head.id).into_iter().collect()
        }
    }

    /// A message goes out at its level's turn. Answers whether every window still holds.
    pub(super) fn goes(&mut self, level: Priority, sender: Sender) -> bool {
        let now = self.clock.as_nanos();
        let mut ready = self.ready(now);
        if !self.line.is_newcomers(level) {
            ready.retain(|&level| !self.line.is_newcomers(level));
        }
        self.turns.served.push(level);
        if self.rules.min_share.is_some() && ready.first() != ready.last() {
            self.turns.passed_over =
                if ready.first() == Some(&level) { self.turns.passed_over + 1 } else { 0 };
        }
        let is_exempt = self.is_exempt(sender);
        let own = self.turns.levels[level].as_mut().filter(|_| !is_exempt);
        let holds = own.is_none_or(|meter| meter.pass(now));
        self.turns.room.pass(now) && holds
    }

    /// The earliest instant at which a message could go out if nothing else wanted to.
    pub(super) fn next_chance(
        &self,
        now: Instant,
        level: Priority,
        sender: Sender,
    ) -> Option<Instant> {
        let now = now.as_nanos();
        let room = self.turns.room.next(now, self.rules.kept(level))?;
        let own = self.turns.levels[level].as_ref().filter(|_| !self.is_exempt(sender));
        let own = own.map_or(Some(now), |meter| meter.next(now, 0))?;
        Some(Instant::from_nanos(room.max(own)))
    }

    /// When tokens let something go next: of all instants at which a meter brings something, the
    /// first at which a turn is granted.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        let now = self.clock.as_nanos();
        let keeps = Priority::ALL.map(|level| self.rules.kept(level)).into_iter().chain([0]);
        let of_room = keeps.filter_map(|kept| self.turns.room.next(now, kept));
        let of_levels = self.turns.levels.values().flatten().filter_map(|meter| meter.next(now, 0));
        let mut instants: Vec<u64> = of_room.chain(of_levels).collect();
        instants.sort_unstable();
        let is_granted =
            |&at: &u64| self.turn(at).is_some_and(|(_, kept)| self.turns.room.may_pass(at, kept));
        instants.into_iter().find(is_granted).map(Instant::from_nanos)
    }
}
