//! Numbered lists, of which the lowest and the highest that are not empty are at hand.

use crate::chunked::{Chunked, Slab};
use crate::list::{List, Thread};
use alloc::vec;
use alloc::vec::Vec;

/// Numbered lists through the slots of a slab. Each call is O(1) but for [`Marks`].
#[derive(Debug)]
pub(super) struct Ladder<E> {
    rungs: Chunked<List>,
    /// Which of them hold anyone.
    held: Marks,
    thread: Thread<E>,
}

impl<E> Ladder<E> {
    pub(super) fn new(thread: Thread<E>) -> Self {
        Self { rungs: Chunked::new(), held: Marks::default(), thread }
    }

    /// Puts an entry last on a rung.
    pub(super) fn push_back(&mut self, queues: &mut Slab<E>, slot: u32, rung: u32) {
        self.rungs.reach(rung, List::EMPTY);
        self.rungs[rung].push_back(queues, slot, self.thread);
        self.held.set(rung);
    }

    /// Takes an entry off its rung.
    pub(super) fn unlink(&mut self, queues: &mut Slab<E>, slot: u32, rung: u32) {
        self.rungs[rung].unlink(queues, slot, self.thread);
        if self.rungs[rung].front().is_none() {
            self.held.clear(rung);
        }
    }

    /// Puts an entry back where [`unlink`](Self::unlink) took it from; several in the reverse
    /// order, with nothing else changed in between.
    pub(super) fn relink(&mut self, queues: &mut Slab<E>, slot: u32, rung: u32) {
        self.rungs[rung].relink(queues, slot, self.thread);
        self.held.set(rung);
    }

    /// The first entry on the lowest rung that holds anyone.
    pub(super) fn lowest(&self) -> Option<u32> {
        self.rungs[self.held.lowest()?].front()
    }

    /// The highest rung that holds anyone, with its first entry.
    pub(super) fn highest(&self) -> Option<(u32, u32)> {
        let rung = self.held.highest()?;
        Some((rung, self.rungs[rung].front()?))
    }

    /// All that hold anyone, the lowest first.
    #[cfg(feature = "internals")]
    pub(super) fn rungs(&self) -> impl Iterator<Item = (u32, List)> + '_ {
        let rungs = (0..self.rungs.len() as u32).map(|rung| (rung, self.rungs[rung]));
        rungs.filter(|(_, list)| list.front().is_some())
    }
}

/// A set of numbers. Each call looks at one word for each factor of 64 that the largest number ever
/// had: one up to 63, two up to 4,095.
#[derive(Debug, Default)]
struct Marks {
    /// A bit for each number, and above that a bit for each word that is not zero, up to one word.
    floors: Vec<Vec<u64>>,
}

const WORD: usize = u64::BITS as usize;

impl Marks {
    fn set(&mut self, number: u32) {
        let mut at = number as usize;
        self.reach(at);
        for floor in &mut self.floors {
            let word = &mut floor[at / WORD];
            let was_empty = *word == 0;
            *word |= 1 << (at % WORD);
            if !was_empty {
                return;
            }
            at /= WORD;
        }
    }

    fn clear(&mut self, number: u32) {
        let mut at = number as usize;
        for floor in &mut self.floors {
            let word = &mut floor[at / WORD];
            *word &= !(1 << (at % WORD));
            if *word != 0 {
                return;
            }
            at /= WORD;
        }
    }

    fn lowest(&self) -> Option<u32> {
        self.find(u64::trailing_zeros)
    }

    fn highest(&self) -> Option<u32> {
        self.find(|word| u64::BITS - 1 - word.leading_zeros())
    }

    fn find(&self, bit: impl Fn(u64) -> u32) -> Option<u32> {
        let mut at = 0;
        for floor in self.floors.iter().rev() {
            let word = floor[at];
            if word == 0 {
                return None;
            }
            at = at * WORD + bit(word) as usize;
        }
        (!self.floors.is_empty()).then_some(at as u32)
    }

    /// Makes words for a number, on as many floors as it takes to have one word on the last.
    fn reach(&mut self, mut at: usize) {
        for floor in &mut self.floors {
            at /= WORD;
            if floor.len() <= at {
                floor.resize(at + 1, 0);
            }
        }
        let Some(last) = self.floors.last() else {
            self.floors.push(vec![0; at / WORD + 1]);
            return self.cover();
        };
        if last.len() > 1 {
            self.cover();
        }
    }

    /// Adds floors until the last has one word.
    fn cover(&mut self) {
        while let Some(last) = self.floors.last()
            && last.len() > 1
        {
            let mut floor = vec![0; last.len().div_ceil(WORD)];
            for (at, _) in last.iter().enumerate().filter(|&(_, &word)| word != 0) {
                floor[at / WORD] |= 1 << (at % WORD);
            }
            self.floors.push(floor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Rng;
    use alloc::collections::BTreeSet;

    #[test]
    fn marks_are_a_set() {
        for largest in [3, 64, 65, 4_096, 300_000] {
            let (mut marks, mut set) = (Marks::default(), BTreeSet::new());
            let mut rng = Rng::new(largest.into());
            for step in 0..2_000 {
                let number = rng.below(if step < 500 { 1 + largest / 50 } else { largest });
                if rng.below(2) == 0 || step % 400 > 200 {
                    marks.clear_if_reached(number);
                    set.remove(&number);
                } else {
                    marks.set(number);
                    set.insert(number);
                }
                let ends = (set.first().copied(), set.last().copied());
                assert_eq!((marks.lowest(), marks.highest()), ends);
            }
        }
    }

    impl Marks {
        fn clear_if_reached(&mut self, number: u32) {
            if self.floors.first().is_some_and(|floor| floor.len() > number as usize / WORD) {
                self.clear(number);
            }
        }
    }
}
