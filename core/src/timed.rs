//! Users under a rule for a time or for good, such as a mute: bounded, without a timer for each.
//! [Decision D27](crate::design#d27-full-tables-refuse).

use crate::chunked::Slab;
use crate::ids::UserId;
use crate::index::{Hasher, Index};
use crate::time::Instant;
use alloc::collections::BTreeSet;
use core::fmt;

/// The maximum number of entries that have lapsed and that one call forgets.
const MAX_FORGOTTEN: usize = 64;

/// How long a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Until {
    /// Up to, and not with, this instant.
    At(Instant),
    /// For good.
    Forever,
}

impl Until {
    /// The instant at which it ends, if it does.
    pub const fn instant(self) -> Option<Instant> {
        match self {
            Self::At(instant) => Some(instant),
            Self::Forever => None,
        }
    }

    /// Whether it still holds at `now`.
    pub fn holds(self, now: Instant) -> bool {
        self.instant().is_none_or(|end| now < end)
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => write!(f, "until {instant}"),
            Self::Forever => f.write_str("for good"),
        }
    }
}

/// Users under one rule. An entry that has lapsed says nothing any more and gives way when another
/// needs its place; until then it takes memory, within the bound.
#[derive(Debug)]
pub(crate) struct Timed {
    entries: Slab<(UserId, Until)>,
    index: Index,
    /// Those that end, the first to end first.
    ends: BTreeSet<(Instant, u32)>,
    limit: u32,
    hasher: Hasher,
}

impl Timed {
    pub(crate) fn new(limit: u32, hasher: Hasher) -> Self {
        Self { entries: Slab::new(), index: Index::new(), ends: BTreeSet::new(), limit, hasher }
    }

    /// Until when a user is under the rule, if so. O(1).
    #[inline]
    pub(crate) fn get(&self, now: Instant, user: UserId) -> Option<Until> {
        // Most rooms have none, and pay nothing.
        if self.entries.len() == 0 {
            return None;
        }
        self.slot(user).map(|slot| self.entries[slot].1).filter(|until| until.holds(now))
    }

    /// From now on at most so many; who is under the rule stays so.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Whether so many users more, who are not under the rule, find room. If so, what has lapsed is
    /// forgotten; if not, nothing changes. O(log n) for each.
    pub(crate) fn makes_room_for(&mut self, now: Instant, more: u32) -> bool {
        if more == 0 {
            return true;
        }
        let most = MAX_FORGOTTEN.max(more as usize);
        let lapsed = self.ends.iter().take(most).take_while(|&&(end, _)| end <= now).count() as u32;
        let has_room = (self.entries.len() - lapsed).saturating_add(more) <= self.limit;
        if has_room {
            for _ in 0..lapsed {
                let Some(&(_, slot)) = self.ends.first() else { break };
                self.forget(slot);
            }
        }
        has_room
    }

    /// Puts a user under the rule, anew if they are already. The caller has asked for room. O(log
    /// n).
    pub(crate) fn set(&mut self, user: UserId, until: Until) {
        if let Some(slot) = self.slot(user) {
            self.forget(slot);
        }
        let slot = self.entries.insert((user, until));
        let (entries, hasher) = (&self.entries, self.hasher);
        self.index.insert(hasher.hash(user.0), slot, |slot| hasher.hash(entries[slot].0.0));
        if let Until::At(end) = until {
            self.ends.insert((end, slot));
        }
    }

    /// Takes a user out from under the rule. O(log n).
    pub(crate) fn lift(&mut self, user: UserId) {
        if let Some(slot) = self.slot(user) {
            self.forget(slot);
        }
    }

    /// Those under the rule at `now`, in no particular order that a hash decides: by the place they
    /// took.
    pub(crate) fn iter(&self, now: Instant) -> impl Iterator<Item = (UserId, Until)> {
        self.entries.iter().copied().filter(move |(_, until)| until.holds(now))
    }

    /// Entries that are kept, lapsed ones included.
    pub(crate) fn len(&self) -> u32 {
        self.entries.len()
    }

    fn slot(&self, user: UserId) -> Option<u32> {
        self.index.find(self.hasher.hash(user.0), |slot| self.entries[slot].0 == user)
    }

    fn forget(&mut self, slot: u32) {
        let Some((user, until)) = self.entries.remove(slot) else { return };
        self.index.remove(self.hasher.hash(user.0), slot);
        if let Until::At(end) = until {
            self.ends.remove(&(end, slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_lapsed_gives_way() {
        let mut timed = Timed::new(2, Hasher::new(0));
        let at = Instant::from_secs;
        timed.set(UserId(1), Until::At(at(10)));
        timed.set(UserId(2), Until::Forever);
        assert_eq!(timed.get(at(9), UserId(1)), Some(Until::At(at(10))));
        assert_eq!(timed.get(at(10), UserId(1)), None);
        assert!(!timed.makes_room_for(at(9), 1));
        assert!(timed.makes_room_for(at(10), 1) && timed.len() == 1);
        timed.set(UserId(2), Until::At(at(20)));
        timed.set(UserId(2), Until::At(at(30)));
        assert_eq!((timed.len(), timed.get(at(25), UserId(2))), (1, Some(Until::At(at(30)))));
        timed.lift(UserId(2));
        timed.lift(UserId(2));
        assert_eq!((timed.len(), timed.get(at(0), UserId(2))), (0, None));
    }

    #[test]
    fn where_there_is_no_room_nothing_is_forgotten() {
        let (mut timed, at) = (Timed::new(2, Hasher::new(0)), Instant::from_secs);
        timed.set(UserId(1), Until::At(at(10)));
        timed.set(UserId(2), Until::Forever);
        assert!(!timed.makes_room_for(at(20), 2) && timed.len() == 2);
        assert!(timed.makes_room_for(at(20), 1) && timed.len() == 1);
    }
}
