//! The users who came last (clause A12, decision D25): a ring that every arrival is written into and nothing is taken out of.

use crate::chunked::Chunked;
use crate::ids::UserId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The last arrivals, so many of them.
#[derive(Debug)]
pub(crate) struct Newest {
    ring: Chunked<UserId>,
    /// The place of the oldest once the ring is full, which the next arrival takes.
    next: u32,
    limit: u32,
}

impl Newest {
    pub(crate) fn new(limit: u32) -> Self {
        Self { ring: Chunked::new(), next: 0, limit }
    }

    /// A user arrives. One store, whoever it is: who left since and who is named twice is seen when somebody asks.
    #[inline]
    pub(crate) fn push(&mut self, user: UserId) {
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

    /// Those of the last arrivals for whom `is_in` says yes, the newest first, nobody twice. O(n log n).
    pub(crate) fn users(&self, is_in: impl Fn(UserId) -> bool) -> Vec<UserId> {
        let len = self.ring.len() as u32;
        let newest_first = (0..self.next).rev().chain((self.next..len).rev());
        let mut seen = BTreeSet::new();
        newest_first.map(|place| self.ring[place]).filter(|&user| seen.insert(user) && is_in(user)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_so_many_arrivals_are_kept_newest_first_and_nobody_twice() {
        for limit in [0, 1, 2, 5, 3_000] {
            let (mut newest, mut all) = (Newest::new(limit), Vec::new());
            for step in 0..7_000_u64 {
                let user = UserId(step * step % 11);
                newest.push(user);
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
}
