//! The newest users: a ring that every arrival is written into and nothing is taken out of.
//! [Clause A12](crate::rulebook#a12-who-is-online).

use crate::chunked::Chunked;
use crate::ids::UserId;
use crate::time::Instant;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The maximum number of arrivals that one call carries over.
const MAX_MOVED: usize = 4_096;

/// The last arrivals, so many of them.
#[derive(Debug)]
pub(crate) struct RecentUsers {
    /// Who came, and when; `None` for one who has gone since.
    ring: Chunked<Option<(UserId, Instant)>>,
    /// The place of the oldest once the ring is full, which the next arrival takes.
    next: u32,
    limit: u32,
}

impl RecentUsers {
    pub(crate) fn new(limit: u32) -> Self {
        Self { ring: Chunked::new(), next: 0, limit }
    }

    /// From now on so many: of those that are kept the newest stay, at most 4,096.
    pub(crate) fn reconfigure(&mut self, limit: u32) {
        if limit == self.limit {
            return;
        }
        let keep = (self.ring.len()).min(limit as usize).min(MAX_MOVED);
        let newest: Vec<_> = self.newest_first().take(keep).collect();
        *self = Self::new(limit);
        newest.into_iter().rev().for_each(|user| self.add(user));
    }

    /// All that are kept, the newest first.
    fn newest_first(&self) -> impl Iterator<Item = Option<(UserId, Instant)>> {
        let len = self.ring.len() as u32;
        (0..self.next).rev().chain((self.next..len).rev()).map(|place| self.ring[place])
    }

    /// A user arrives. One store, whoever it is: who left since and who is named twice is seen when
    /// somebody asks.
    #[inline]
    pub(crate) fn push(&mut self, now: Instant, user: UserId) {
        self.add(Some((user, now)));
    }

    /// A user has gone who has still sessions here, all of them silent: none of the arrivals so far
    /// counts any more, even if one of the sessions shows life again. O(n).
    #[cold]
    pub(crate) fn forget(&mut self, user: UserId) {
        for place in 0..self.ring.len() as u32 {
            if self.ring[place].is_some_and(|(other, _)| other == user) {
                self.ring[place] = None;
            }
        }
    }

    #[inline]
    fn add(&mut self, user: Option<(UserId, Instant)>) {
        if let Some(oldest) = self.ring.get_mut(self.next) {
            *oldest = user;
        } else if self.next < self.limit {
            self.ring.push(user);
        } else {
            // Nobody is kept.
            return;
        }
        self.next = if self.next + 1 < self.limit { self.next + 1 } else { 0 };
    }

    /// The last arrivals with their times, the newest first, each as often as it came. O(n).
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = (UserId, Instant)> {
        self.newest_first().flatten()
    }

    /// Those of the last arrivals for whom `is_in` says yes, the newest first, nobody twice. O(n
    /// log n).
    pub(crate) fn users(&self, is_in: impl Fn(UserId) -> bool) -> Vec<UserId> {
        let mut seen = BTreeSet::new();
        let users = self.arrivals().map(|(user, _)| user);
        users.filter(|&user| seen.insert(user) && is_in(user)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many are kept, and nobody twice.
    #[test]
    fn the_last_arrivals_are_kept_newest_first() {
        for limit in [0, 1, 2, 5, 3_000] {
            let (mut newest, mut all) = (RecentUsers::new(limit), Vec::new());
            for step in 0..7_000_u64 {
                let user = UserId(step * step % 11);
                newest.push(Instant::ZERO, user);
                all.push(user);
                if step % 997 == 0 || step < 12 {
                    let mut expected = Vec::new();
                    for &user in all.iter().rev().take(limit as usize) {
                        if !expected.contains(&user) && user.0 != 4 {
                            expected.push(user);
                        }
                    }
                    assert_eq!(newest.users(|user| user.0 != 4), expected);
                }
            }
            assert!(newest.ring.len() <= limit as usize);
        }
    }

    /// The size may grow or shrink.
    #[test]
    fn a_new_size_keeps_the_newest_in_their_order() {
        let users = |range: core::ops::Range<u64>| range.rev().map(UserId).collect::<Vec<_>>();
        let mut newest = RecentUsers::new(10);
        (0..14).for_each(|user| newest.push(Instant::ZERO, UserId(user)));
        newest.reconfigure(4);
        assert_eq!(newest.users(|_| true), users(10..14));
        newest.push(Instant::ZERO, UserId(14));
        newest.reconfigure(6);
        assert_eq!(newest.users(|_| true), users(11..15));
        (15..18).for_each(|user| newest.push(Instant::ZERO, UserId(user)));
        assert_eq!(newest.users(|_| true), users(12..18));
        newest.reconfigure(0);
        newest.push(Instant::ZERO, UserId(18));
        assert_eq!(newest.users(|_| true), []);
        let mut newest = RecentUsers::new(9_000);
        (0..20_000).for_each(|user| newest.push(Instant::ZERO, UserId(user)));
        newest.reconfigure(8_000);
        assert_eq!(newest.users(|_| true), users(20_000 - 4_096..20_000));
    }
}
