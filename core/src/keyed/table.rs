//! The buckets of one quota, found by their keys, and in the order in which they are full again.
//!
//! A heap of eight children a node whose entries are the buckets themselves: most stand at its
//! leaves, and one that is full later than before only ever moves down, so nearly every token is
//! taken without a second entry being looked at.

use super::refill::{FullAt, Refill};
use crate::chunked::Chunked;
use crate::index::{Hasher, Index};
use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

/// Children of a node.
const CHILDREN: u32 = 8;

/// A key and its bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) full_at: FullAt,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) refill: Refill,
    heap: Chunked<Entry>,
    index: Index,
    hasher: Hasher,
}

impl Table {
    pub(super) fn new(refill: Refill, hasher: Hasher) -> Self {
        Self { refill, heap: Chunked::new(), index: Index::new(), hasher }
    }

    pub(super) fn hasher(&self) -> Hasher {
        self.hasher
    }

    pub(super) fn len(&self) -> u32 {
        self.heap.len() as u32
    }

    /// Where a key stands, until the next change.
    #[inline]
    pub(super) fn find(&self, key: u64) -> Option<u32> {
        self.index.find(self.hasher.hash(key), |at| self.heap[at].key == key)
    }

    pub(super) fn full_at(&self, at: u32) -> FullAt {
        self.heap[at].full_at
    }

    /// The first to be full, or of which so many others are.
    pub(super) fn nth(&self, before: usize) -> Option<FullAt> {
        if before == 0 {
            return self.heap.get(0).map(|entry| entry.full_at);
        }
        // Whoever comes next is a child of one that has come.
        let at = |at: u32| Some((self.heap.get(at)?.full_at, at));
        let mut next = BinaryHeap::from_iter(at(0).map(Candidate).map(Reverse));
        for _ in 0..before {
            let Reverse(Candidate((_, passed))) = next.pop()?;
            next.extend(children(passed).filter_map(at).map(Candidate).map(Reverse));
        }
        next.pop().map(|Reverse(Candidate((full_at, _)))| full_at)
    }

    /// A bucket is full later than it was.
    #[inline]
    pub(super) fn put_off(&mut self, at: u32, full_at: FullAt) {
        self.heap[at].full_at = full_at;
        if children(at).next().is_some_and(|child| child < self.len()) {
            self.sink(at);
        }
    }

    /// Puts a key in that is not there.
    pub(super) fn insert(&mut self, entry: Entry) {
        let at = self.len();
        self.heap.push(entry);
        let (heap, hasher) = (&self.heap, self.hasher);
        self.index.insert(hasher.hash(entry.key), at, |at| hasher.hash(heap[at].key));
        self.rise(at);
    }

    /// Takes out the first to be full.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let first = *self.heap.get(0)?;
        self.remove(0);
        Some(first)
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, at: u32) {
        let Some(removed) = self.heap.swap_remove(at) else { return };
        self.index.remove(self.hasher.hash(removed.key), at);
        let Some(moved) = self.heap.get(at) else { return };
        let last = self.len();
        self.index.replace(self.hasher.hash(moved.key), last, at);
        self.rise(at);
        self.sink(at);
    }

    #[cfg(feature = "internals")]
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        (0..self.len()).map(|at| &self.heap[at])
    }

    fn rise(&mut self, mut at: u32) {
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if !self.heap[at].full_at.is_before(self.heap[parent].full_at) {
                return;
            }
            self.swap(at, parent);
            at = parent;
        }
    }

    fn sink(&mut self, mut at: u32) {
        loop {
            let mut first = at;
            for child in children(at) {
                let Some(entry) = self.heap.get(child) else { break };
                if entry.full_at.is_before(self.heap[first].full_at) {
                    first = child;
                }
            }
            if first == at {
                return;
            }
            self.swap(at, first);
            at = first;
        }
    }

    fn swap(&mut self, one: u32, other: u32) {
        let (first, second) = (self.heap[one], self.heap[other]);
        (self.heap[one], self.heap[other]) = (second, first);
        // While they change places, no third key is found at either.
        self.index.replace(self.hasher.hash(first.key), one, u32::MAX);
        self.index.replace(self.hasher.hash(second.key), other, one);
        self.index.replace(self.hasher.hash(first.key), u32::MAX, other);
    }
}

fn children(at: u32) -> impl Iterator<Item = u32> {
    let first = u64::from(at) * u64::from(CHILDREN) + 1;
    (first..first + u64::from(CHILDREN)).map_while(|child| u32::try_from(child).ok())
}

/// One that may be the next to be full.
#[derive(PartialEq, Eq)]
struct Candidate((FullAt, u32));

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        let key = |Self((full_at, at)): &Self| (full_at.nanos(), *at);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Rng;
    use crate::quota::Quota;
    use crate::time::Instant;
    use alloc::vec::Vec;
    use core::num::NonZeroU32;

    /// Whatever is put in, put off and taken out: each key is found, and the order is that of time.
    #[test]
    fn the_first_to_be_full_comes_first() {
        let (mut rng, quota) = (Rng::new(3), Quota::per_second(NonZeroU32::new(4).unwrap()));
        let refill = Refill::new(quota);
        let mut table = Table::new(refill, Hasher::new(1));
        let full_at = |millis: u32| {
            let taken = refill.take(FullAt::ALWAYS, Instant::from_millis(millis.into()));
            taken.unwrap()
        };
        let mut model: Vec<(u64, FullAt)> = Vec::new();
        for key in 0..6_000 {
            let at = full_at(rng.below(1_000_000));
            match rng.below(8) {
                0 if !model.is_empty() => {
                    let (key, _) = model.swap_remove(rng.below(model.len() as u32) as usize);
                    table.remove(table.find(key).unwrap());
                }
                1 => {
                    let popped = table.pop().map(|entry| entry.full_at.nanos());
                    let first = model.iter().map(|(_, full_at)| full_at.nanos()).min();
                    assert_eq!(popped, first);
                    model.retain(|&(key, _)| table.find(key).is_some());
                }
                2 if !model.is_empty() => {
                    let place = rng.below(model.len() as u32) as usize;
                    let (key, before) = model[place];
                    if before.is_before(at) {
                        model[place].1 = at;
                        table.put_off(table.find(key).unwrap(), at);
                    }
                }
                _ => {
                    model.push((key, at));
                    table.insert(Entry { key, full_at: at });
                }
            }
            assert_eq!(table.len() as usize, model.len());
        }
        let mut order: Vec<u128> = model.iter().map(|(_, full_at)| full_at.nanos()).collect();
        order.sort_unstable();
        for (place, nanos) in order.iter().enumerate().take(100) {
            assert_eq!(table.nth(place).map(FullAt::nanos), Some(*nanos));
        }
        assert!(model.iter().all(|&(key, full_at)| {
            table.find(key).map(|place| table.full_at(place)) == Some(full_at)
        }));
        let popped = core::iter::from_fn(|| table.pop()).map(|entry| entry.full_at.nanos());
        assert_eq!(popped.collect::<Vec<_>>(), order);
        assert_eq!((table.find(0), table.len()), (None, 0));
    }
}
