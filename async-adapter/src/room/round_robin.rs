//! A walk round all places of a shard, some at a time, which may be begun anew before it is over.

use std::ops::Range;

/// A walk round as many places as there were when it began. One that is begun anew goes on from
/// where the last one stopped, so that news that never end starve nobody; places that are added
/// meanwhile are for the next one.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    of: u32,
    next: u32,
    left: u32,
}

impl RoundRobin {
    /// All of so many places are to be passed.
    pub(crate) fn begin(&mut self, of: u32) {
        self.of = of;
        self.left = of;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// The next places, at most that many; none when it is over.
    pub(crate) fn pass(&mut self, most: u32) -> Range<u32> {
        let start = if self.next < self.of { self.next } else { 0 };
        let count = most.min(self.left).min(self.of - start);
        self.left -= count;
        self.next = start + count;
        start..self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_passed_once_however_it_was_begun() {
        for (before, of, most) in
            [(0, 10, 3), (4, 10, 3), (10, 10, 3), (10, 25, 7), (12, 5, 100), (3, 0, 1)]
        {
            let mut round = RoundRobin::default();
            round.begin(before);
            round.pass(before);
            round.begin(of);
            let mut passed: Vec<u32> =
                std::iter::from_fn(|| (!round.is_over()).then(|| round.pass(most)))
                    .flatten()
                    .collect();
            passed.sort_unstable();
            assert_eq!(passed, (0..of).collect::<Vec<_>>(), "{before} before");
            assert!(round.pass(most).is_empty());
        }
    }

    /// It goes on where it was.
    #[test]
    fn a_round_begun_anew_takes_in_what_was_added() {
        let mut round = RoundRobin::default();
        round.begin(10);
        assert_eq!(round.pass(6), 0..6);
        round.begin(12);
        assert_eq!([round.pass(8), round.pass(8)], [6..12, 0..6]);
        assert!(round.is_over());
    }
}
