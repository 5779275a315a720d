//! From a key to a slot: a hash table that grows one bucket at a time.
//!
//! Linear hashing (Litwin, 1980) over small tables. A table that doubles would move everything in one call (half a second at
//! four million entries); here one insertion splits at most one bucket, a few hundred entries.

use crate::chunked::Chunked;
use hashbrown::HashTable;

/// Entries in a bucket, on average.
const TARGET: usize = 128;

/// Finds slots by the hash of a key that the caller keeps at the slot.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    buckets: Chunked<HashTable<u32>>,
    /// Buckets below this mark have been split in the running round.
    split: u32,
    /// Buckets at the start of the running round: a power of two.
    round: u32,
    len: usize,
}

impl Index {
    pub(crate) const fn new() -> Self {
        Self { buckets: Chunked::new(), split: 0, round: 1, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Which bucket a hash belongs to. Bits from the middle: the tables inside use the low bits and the top seven.
    fn bucket(&self, hash: u64) -> u32 {
        let bits = (hash >> 16) as u32;
        let bucket = bits & (self.round - 1);
        if bucket < self.split { bits & (2 * self.round - 1) } else { bucket }
    }

    /// The slot of the key with this hash for which `is_it` says yes.
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.buckets.get(self.bucket(hash))?.find(hash, |&slot| is_it(slot)).copied()
    }

    /// Stores a slot. The key must not be there yet. `hash_of` answers the hash of the key at a slot, for those that move.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if self.buckets.len() == 0 {
            self.buckets.push(HashTable::new());
        }
        let bucket = self.bucket(hash);
        self.buckets[bucket].insert_unique(hash, slot, |&other| hash_of(other));
        self.len += 1;
        if self.len > self.buckets.len() * TARGET {
            self.split_one(hash_of);
        }
    }

    /// Lets the key at `old` be found at `new`. Answers whether it was there.
    pub(crate) fn replace(&mut self, hash: u64, old: u32, new: u32) -> bool {
        let bucket = self.bucket(hash);
        let Some(table) = self.buckets.get_mut(bucket) else { return false };
        match table.find_mut(hash, |&slot| slot == old) {
            Some(slot) => {
                *slot = new;
                true
            }
            None => false,
        }
    }

    /// Takes a slot out. Answers whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let bucket = self.bucket(hash);
        let Some(table) = self.buckets.get_mut(bucket) else { return false };
        match table.find_entry(hash, |&other| other == slot) {
            Ok(entry) => {
                entry.remove();
                self.len -= 1;
                true
            }
            Err(_) => false,
        }
    }

    fn split_one(&mut self, hash_of: impl Fn(u32) -> u64) {
        let old = core::mem::take(&mut self.buckets[self.split]);
        let high_bit = self.round;
        let is_high = |hash: u64| (hash >> 16) as u32 & high_bit != 0;
        let high = old.iter().filter(|&&slot| is_high(hash_of(slot))).count();
        let mut pair = [HashTable::with_capacity(old.len() - high), HashTable::with_capacity(high)];
        for slot in old {
            let hash = hash_of(slot);
            pair[usize::from(is_high(hash))].insert_unique(hash, slot, |&other| hash_of(other));
        }
        let [low, high] = pair;
        self.buckets[self.split] = low;
        self.buckets.push(high);
        self.split += 1;
        if self.split == self.round {
            self.round *= 2;
            self.split = 0;
        }
    }
}

/// Hashes numbers under a seed of the host's, so that nobody outside can aim at one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    seed: u64,
}

impl Hasher {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed: mix(seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// The hash of a number.
    pub(crate) const fn hash(self, key: u64) -> u64 {
        // Two rounds: one multiplication alone leaves the low bits of close keys too regular.
        mix(mix(key ^ self.seed) ^ self.seed.rotate_left(32))
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood, 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A small seeded generator (SplitMix64): the same seed draws the same numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, or 0 when that is 0. The bias is below `bound / 2^64`.
    pub(crate) const fn below(&mut self, bound: u32) -> u32 {
        ((self.next() as u128 * bound as u128) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_goes_in_is_found_until_it_is_taken_out() {
        let hasher = Hasher::new(1);
        let keys: Vec<u64> = (0..20_000).map(|n| n * 7).collect();
        let hash_of = |slot: u32| hasher.hash(keys[slot as usize]);
        let mut index = Index::new();
        for slot in 0..keys.len() as u32 {
            index.insert(hash_of(slot), slot, hash_of);
        }
        for slot in 0..keys.len() as u32 {
            assert_eq!(index.find(hash_of(slot), |other| other == slot), Some(slot));
        }
        assert_eq!(index.find(hasher.hash(3), |slot| keys[slot as usize] == 3), None);
        for slot in (0..keys.len() as u32).step_by(2) {
            assert!(index.remove(hash_of(slot), slot));
            assert!(!index.remove(hash_of(slot), slot));
        }
        assert_eq!(index.len(), 10_000);
        assert!(index.replace(hash_of(1), 1, 0) && !index.replace(hash_of(2), 2, 0));
        assert_eq!(index.find(hash_of(1), |slot| slot == 0), Some(0));
    }

    #[test]
    fn no_insertion_moves_more_than_a_few_hundred() {
        use core::cell::Cell;
        let hasher = Hasher::new(9);
        let mut index = Index::new();
        let moved = Cell::new(0_u32);
        let mut most = 0;
        for slot in 0..100_000_u32 {
            moved.set(0);
            index.insert(hasher.hash(u64::from(slot)), slot, |other| {
                moved.set(moved.get() + 1);
                hasher.hash(u64::from(other))
            });
            most = most.max(moved.get());
        }
        assert!(most <= 4_096, "one insertion looked at {most} entries");
    }

    #[test]
    fn seeds_change_the_hashes_and_draws_stay_below_their_bound() {
        assert_ne!(Hasher::new(1).hash(5), Hasher::new(2).hash(5));
        let mut rng = Rng::new(3);
        assert!((0..1_000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
