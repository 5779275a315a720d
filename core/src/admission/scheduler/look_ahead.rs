//! What can go out before it is too old, reckoned as if nothing more came:
//! [clause B21](crate::rulebook#b21-freshness).
//!
//! Behind all that waits at higher levels, by the room's rate and what is kept back for others.
//! Where neither a floor nor a level's own quota is set, this is exact, but for the fraction of a
//! nanosecond that each token may be late; where somebody is exempt from a level's quota, it may
//! hope for more than goes. O(1), but where that is so, and where a sum would be
//! [rough](Scheduler::is_rough).

use super::Scheduler;
use crate::admission::queued::Lane;
use crate::config::Exempt;
use crate::message::{Sender, Urgency};
use crate::priority::{PerLevel, Priority};
use crate::queue::Queue;
use crate::time::Instant;
use core::cmp::Reverse;

impl Scheduler {
    /// How many messages of a level that stand so can go out, one of a sender's the last of them,
    /// before those that come now are so old.
    pub(in crate::admission) fn places<T>(
        &mut self,
        now: Instant,
        (Lane { level, sender }, urgency): (Lane, Urgency),
        within: u64,
        queue: &Queue<T>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> u32 {
        // At the end of it, it has expired.
        let end = now.as_nanos().saturating_add(within);
        let Some(last) = end.checked_sub(1).map(Instant::from_nanos).filter(|&last| last >= now)
        else {
            return 0;
        };
        let lane = (Lane { level, sender }, urgency);
        if !self.is_rough(level) {
            return self.reckon((now, last), lane, queue, is_staff);
        }
        let waiting = PerLevel::from_fn(|level| queue.level_len(level));
        let first = first(queue, level, urgency);
        let enough = first.saturating_add(queue.lane_len((level, urgency)));
        // Whose message comes up when, and passes a quota that others have used up, is not rehearsed.
        let is_bound = self.exempt == Exempt::Nobody;
        let Some(gone) = self.rehearse((now, last), level, is_bound, enough, waiting) else {
            return self.reckon((now, last), lane, queue, is_staff);
        };
        let places = gone.saturating_sub(first);
        match self.own(level) {
            Some(meter) if !is_bound && !self.is_exempt(sender, &is_staff) => {
                let exempt = self.exempt_in(queue, (level, urgency), &is_staff);
                places.min(meter.passing(now, last, 0).saturating_add(exempt))
            }
            _ => places,
        }
    }

    /// The same by sums.
    fn reckon<T>(
        &self,
        (now, last): (Instant, Instant),
        (Lane { level, sender }, urgency): (Lane, Urgency),
        queue: &Queue<T>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> u32 {
        let may_pass =
            |level: Priority| self.own(level).map_or(u32::MAX, |meter| meter.passing(now, last, 0));
        let waiting = |level: Priority| queue.level_len(level).min(may_pass(level));
        let (above, behind) = around(level, waiting);
        let first = first(queue, level, urgency);
        let ahead = above.saturating_add(first);
        let turns = self.room.passing(now, last, self.kept[level]);
        let of_floor = self.min_share.map_or(0, |min_share| {
            self.passed_over.saturating_add(self.room.passing(now, last, 0)) / min_share
        });
        let mut places = turns.saturating_sub(ahead).saturating_sub(of_floor.min(behind));
        if above > 0 && of_floor > 0 {
            let share = self.floors_share(level, of_floor, waiting);
            places = places.max(share.saturating_sub(first));
        }
        if self.is_exempt(sender, &is_staff) {
            return places;
        }
        // Its own quota gains nothing beyond the burst before its first turn comes.
        let own = self.own(level).map_or(u32::MAX, |meter| {
            let turn = self.first_turn(now, level, above);
            turn.map_or(0, |turn| meter.passing(turn, last, 0))
        });
        let exempt = self.exempt_in(queue, (level, urgency), is_staff);
        places.min(own.saturating_add(exempt).saturating_sub(self.bound(first)))
    }

    /// The first instant at which one more message of a level could go out before it is so old;
    /// `None` when that is never.
    pub(in crate::admission) fn has_place_at<T>(
        &self,
        now: Instant,
        (Lane { level, sender }, urgency): (Lane, Urgency),
        within: u64,
        queue: &Queue<T>,
        is_staff: impl Fn(Sender) -> bool,
    ) -> Option<Instant> {
        let waiting = |level: Priority| queue.level_len(level);
        let (above, behind) = around(level, waiting);
        let first = first(queue, level, urgency);
        // With those of its level that go before it; or only these.
        let own = match urgency {
            Urgency::Plain => waiting(level),
            Urgency::Urgent => queue.urgent_len(level),
        };
        let own = own.saturating_add(1);
        let before = above.saturating_add(own);
        let of_floor = self.min_share.map_or(0, |min_share| {
            behind.min(self.passed_over.saturating_add(before) / (min_share - 1).max(1))
        });
        let turn = self.room.passed_at(now, self.kept[level], before.saturating_add(of_floor));
        let floors = self.min_share.filter(|_| above > 0).and_then(|min_share| {
            let turns = self.floors_turns(level, own, waiting).saturating_mul(min_share);
            self.room.passed_at(now, 0, turns.saturating_sub(self.passed_over).max(1))
        });
        let mut goes = turn.into_iter().chain(floors).min()?;
        if let Some(meter) = self.own(level)
            && !self.is_exempt(sender, &is_staff)
        {
            let exempt = first - self.bound(first);
            let exempt = exempt + self.exempt_in(queue, (level, urgency), is_staff);
            let own = own.saturating_sub(exempt).max(1);
            goes = goes.max(meter.passed_at(self.first_turn(now, level, above)?, 0, own)?);
        }
        let early = within.saturating_sub(1);
        Some(Instant::from_nanos(goes.as_nanos().saturating_sub(early)).max(now))
    }

    /// When a level's first turn comes, behind so many above it.
    fn first_turn(&self, now: Instant, level: Priority, above: u32) -> Option<Instant> {
        self.room.passed_at(now, self.kept[level], above.saturating_add(1))
    }

    /// How many of those that stand so in a level its own quota does not bind. O(those that do),
    /// where it has one and somebody is exempt.
    fn exempt_in<T>(
        &self,
        queue: &Queue<T>,
        (level, urgency): (Priority, Urgency),
        is_staff: impl Fn(Sender) -> bool,
    ) -> u32 {
        if self.exempt == Exempt::Nobody || self.own(level).is_none() {
            return 0;
        }
        let exempt = |sender: &Sender| self.is_exempt(*sender, &is_staff);
        let count = queue.senders_of(level, urgency).filter(exempt).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How many of those that go first their level's own quota binds.
    fn bound(&self, first: u32) -> u32 {
        if self.exempt == Exempt::Nobody { first } else { 0 }
    }

    /// How many of the floor's next turns are a level's, below others that wait.
    fn floors_share(
        &self,
        level: Priority,
        turns: u32,
        waiting: impl Fn(Priority) -> u32 + Copy,
    ) -> u32 {
        let (mut share, mut too_much) = (0, turns.saturating_add(1));
        while share + 1 < too_much {
            let middle = share + (too_much - share) / 2;
            if self.floors_turns(level, middle, waiting) <= turns {
                share = middle;
            } else {
                too_much = middle;
            }
        }
        share
    }

    /// How many turns the floor has given when a level has had so many of them.
    fn floors_turns(&self, level: Priority, own: u32, waiting: impl Fn(Priority) -> u32) -> u32 {
        let order = |level: Priority| (self.served[level], Reverse(level.index()));
        let highest = Priority::ALL.into_iter().find(|&other| waiting(other) > 0);
        let others = Priority::ALL.into_iter().filter(|&other| Some(other) < highest);
        let others = others.filter(|&other| other != level).map(|other| {
            let is_before = order(other) < order(level);
            waiting(other).min(if is_before { own } else { own.saturating_sub(1) })
        });
        others.fold(own, u32::saturating_add)
    }
}

/// How many of a level go before one that stands so, whatever its turn.
fn first<T>(queue: &Queue<T>, level: Priority, urgency: Urgency) -> u32 {
    match urgency {
        Urgency::Plain => queue.urgent_len(level),
        Urgency::Urgent => 0,
    }
}

/// How many wait above a level, and below it.
fn around(level: Priority, waiting: impl Fn(Priority) -> u32) -> (u32, u32) {
    let sum = |levels: &[Priority]| {
        levels.iter().map(|&level| waiting(level)).fold(0, u32::saturating_add)
    };
    let (above, rest) = Priority::ALL.split_at(level.index());
    (sum(above), sum(&rest[1..]))
}
