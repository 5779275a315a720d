//! Who may give way. Where the policy leaves a choice (equally big senders, a random draw) every
//! choice is followed: the answer of the room must be one of those that some choice leads to.

use super::line::{Entry, Line, exceeded};
use roomcast_core::Priority;
use roomcast_core::config::EvictionPolicy;
use roomcast_core::message::{Limit, Sender, Urgency};
use std::collections::{BTreeMap, BTreeSet};

/// Victims of one call at the most (decision D16).
const MOST: usize = 64;
/// Ways that are followed before the search gives up and believes the room: only rooms far larger
/// than those of the law tests get there.
const PATIENCE: usize = 20_000;

/// The line after `newcomer` entered it over the budget, looked at without changing it.
pub struct Squeeze<'a> {
    line: &'a Line,
    newcomer: u64,
    /// How many of the newcomer's level can go in time.
    places: usize,
}

impl<'a> Squeeze<'a> {
    /// `newcomer` must be in the line.
    pub fn new(line: &'a Line, newcomer: u64) -> Self {
        Self { line, newcomer, places: usize::MAX }
    }

    /// The line under a budget that has become smaller: nobody is new.
    pub fn of_old(line: &'a Line) -> Self {
        // Numbers start at 1.
        Self { line, newcomer: 0, places: usize::MAX }
    }

    /// The same where so many of the newcomer's level can go out before they are too old.
    #[must_use]
    pub fn with_places(self, places: usize) -> Self {
        Self { places, ..self }
    }

    /// Whether the policy allows that exactly `victims` give way, without a newcomer.
    pub fn may_shed(&self, victims: &BTreeSet<u64>) -> bool {
        self.search(|id| victims.contains(&id), |gone| gone == victims && !self.is_over(gone))
    }

    /// Whether the policy allows that exactly `victims` give way.
    pub fn may_evict(&self, victims: &BTreeSet<u64>) -> bool {
        if victims.len() > MOST || victims.contains(&self.newcomer) || !self.can_help() {
            return false;
        }
        self.search(|id| victims.contains(&id), |gone| gone == victims && !self.is_over(gone))
    }

    /// Who gives way under a policy that leaves no choice, where nobody is new.
    pub fn forced_to_shed(&self) -> BTreeSet<u64> {
        let mut gone = BTreeSet::new();
        while self.is_over(&gone) {
            gone.extend(self.choices(&gone).first());
        }
        gone
    }

    /// Whether the policy allows that the newcomer is refused.
    pub fn may_refuse(&self) -> bool {
        !self.can_help()
            || self.search(
                |_| true,
                |gone| {
                    self.is_over(gone)
                        && (gone.len() == MOST || self.choices(gone).contains(&self.newcomer))
                },
            )
    }

    /// Would it be enough if everything went that may go: all of the same and of lower levels?
    fn can_help(&self) -> bool {
        let Some(newcomer) = self.line.find(self.newcomer) else { return false };
        if self.places == 0 {
            return false;
        }
        // Who goes first at its level stays as well, if it does not.
        let goes_first = |entry: &Entry| {
            entry.level == newcomer.level
                && entry.urgency == Urgency::Urgent
                && newcomer.urgency == Urgency::Plain
        };
        let stays = self.line.entries.iter().filter(|entry| {
            entry.level > newcomer.level || entry.id == newcomer.id || goes_first(entry)
        });
        !matches!(exceeded(self.line, stays), Some(Limit::QueueBytes { .. }))
    }

    fn left<'b>(&'b self, gone: &'b BTreeSet<u64>) -> impl DoubleEndedIterator<Item = &'b Entry> {
        self.line.entries.iter().filter(|entry| !gone.contains(&entry.id))
    }

    fn is_over(&self, gone: &BTreeSet<u64>) -> bool {
        exceeded(self.line, self.left(gone)).is_some() || self.is_late(gone)
    }

    /// Whether more of the newcomer's level wait than can go in time.
    fn is_late(&self, gone: &BTreeSet<u64>) -> bool {
        let lane = |entry: &Entry| (entry.level, entry.urgency);
        let newcomers = self.line.find(self.newcomer).map(lane);
        self.left(gone).filter(|entry| Some(lane(entry)) == newcomers).count() > self.places
    }

    /// Those that may be the next to give way: first to the budget of messages and bytes, then to
    /// time.
    fn choices(&self, gone: &BTreeSet<u64>) -> Vec<u64> {
        let Some(limit) = exceeded(self.line, self.left(gone)) else {
            return self.choices_of_late(gone);
        };
        // The lowest that has more than it keeps for itself.
        let has_more = |level: &Priority| {
            let of_level = self.left(gone).filter(|entry| entry.level == *level);
            let (messages, bytes) = self.line.kept[*level];
            match limit {
                Limit::QueueBytes { .. } => of_level.map(|entry| entry.size).sum::<u64>() > bytes,
                _ => of_level.count() as u64 > messages,
            }
        };
        let Some(lowest) = Priority::ALL.into_iter().rev().find(has_more) else {
            return Vec::new();
        };
        if self.line.find(self.newcomer).is_some_and(|newcomer| lowest > newcomer.level) {
            return vec![self.newcomer];
        }
        self.choices_of(lowest, gone)
    }

    /// Whether the policy allows that these of a level give way, one after the other.
    pub fn may_yield(&self, level: Priority, victims: &BTreeSet<u64>) -> bool {
        let mut gone = BTreeSet::new();
        while gone.len() < victims.len() {
            let choices = self.choices_of(level, &gone);
            let Some(next) = choices.into_iter().find(|choice| victims.contains(choice)) else {
                return false;
            };
            gone.insert(next);
        }
        true
    }

    /// Those of a level that may be the next to give way.
    fn choices_of(&self, lowest: Priority, gone: &BTreeSet<u64>) -> Vec<u64> {
        let of_lowest = || {
            let of_lowest = self.left(gone).filter(|entry| entry.level == lowest);
            of_lowest.filter(|entry| entry.urgency == Urgency::Plain)
        };
        if of_lowest().next().is_none() {
            // Of those that go first it is the newest.
            let mut urgent = self.left(gone).filter(|entry| entry.level == lowest);
            return urgent.next_back().map(|entry| entry.id).into_iter().collect();
        }
        match self.line.config.eviction {
            EvictionPolicy::Newest => {
                of_lowest().next_back().map(|entry| entry.id).into_iter().collect()
            }
            EvictionPolicy::Oldest => {
                of_lowest().next().map(|entry| entry.id).into_iter().collect()
            }
            EvictionPolicy::BiggestSender => {
                let had = self.line.turns_had(lowest);
                let mut held: BTreeMap<Sender, (usize, u64)> = BTreeMap::new();
                for entry in of_lowest() {
                    let had = || (had.get(&entry.sender).copied().unwrap_or(0), 0);
                    let (count, newest) = held.entry(entry.sender).or_insert_with(had);
                    *count += 1;
                    *newest = entry.id;
                }
                let most = held.values().map(|&(count, _)| count).max();
                held.values()
                    .filter(|(count, _)| Some(*count) == most)
                    .map(|&(_, newest)| newest)
                    .collect()
            }
            _ => of_lowest().map(|entry| entry.id).collect(),
        }
    }

    /// Those of the newcomer's level that may be the next to give way to time. Among senders who
    /// hold equally much, the newcomer's gives way.
    fn choices_of_late(&self, gone: &BTreeSet<u64>) -> Vec<u64> {
        let Some(newcomer) = self.line.find(self.newcomer) else { return Vec::new() };
        if newcomer.urgency == Urgency::Urgent {
            return vec![self.newcomer];
        }
        let of_level = || {
            let plain = self.left(gone).filter(|entry| entry.urgency == Urgency::Plain);
            plain.filter(|entry| entry.level == newcomer.level)
        };
        match self.line.config.eviction {
            EvictionPolicy::Newest => vec![self.newcomer],
            EvictionPolicy::Oldest => of_level().next().map(|entry| entry.id).into_iter().collect(),
            EvictionPolicy::BiggestSender => {
                let mut held = self.line.turns_had(newcomer.level);
                for entry in of_level() {
                    *held.entry(entry.sender).or_default() += 1;
                }
                let held = |sender| held.get(&sender).copied().unwrap_or(0);
                let most = of_level().map(|entry| held(entry.sender)).max();
                if most == Some(held(newcomer.sender)) {
                    return vec![self.newcomer];
                }
                let of_biggest = of_level().filter(|entry| Some(held(entry.sender)) == most);
                let newest: BTreeMap<Sender, u64> =
                    of_biggest.map(|entry| (entry.sender, entry.id)).collect();
                newest.into_values().collect()
            }
            _ => of_level().map(|entry| entry.id).collect(),
        }
    }

    /// Whether some way of choosing, among those that `follow` allows, comes to a state that is
    /// `wanted`.
    fn search(
        &self,
        follow: impl Fn(u64) -> bool,
        wanted: impl Fn(&BTreeSet<u64>) -> bool,
    ) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![BTreeSet::new()];
        while let Some(gone) = open.pop() {
            if wanted(&gone) || seen.len() > PATIENCE {
                return true;
            }
            if !self.is_over(&gone) || gone.len() >= MOST || !seen.insert(gone.clone()) {
                continue;
            }
            for choice in self.choices(&gone) {
                if choice != self.newcomer && follow(choice) {
                    let mut next = gone.clone();
                    next.insert(choice);
                    open.push(next);
                }
            }
        }
        false
    }
}
