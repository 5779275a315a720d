//! A rate limit for each key (a sender, an address, a device), in bounded memory and without a
//! cleaning task: [clause B16](crate::rulebook#b16-limits-for-any-key).

use crate::chunked::Slab;
use crate::index::{Hasher, Index};
use crate::quota::{NotYet, Quota, TokenBucket};
use crate::time::Instant;
use alloc::collections::BTreeSet;

/// A token bucket for each key, for at most so many keys at a time.
///
/// A bucket that is full again says nothing that a fresh one would not, so its place goes to
/// whoever needs one; nobody has to clean up. When every place is taken by a bucket that is not
/// full, further keys share one bucket among themselves: a flood of new keys gains nothing by being
/// new, and takes nothing from those who have a place.
///
/// ```
/// use roomcast_core::{Instant, KeyedLimit};
/// use roomcast_core::quota::Quota;
/// use std::num::NonZeroU32;
///
/// let mut by_address = KeyedLimit::new(Quota::per_second(NonZeroU32::MIN), 10_000, 0);
/// let (now, address) = (Instant::from_secs(1), 0x7f00_0001);
/// assert!(by_address.take(now, address).is_ok());
/// assert_eq!(by_address.take(now, address).unwrap_err().retry_at, Some(Instant::from_secs(2)));
/// assert!(by_address.take(now, address + 1).is_ok());
/// ```
#[derive(Debug)]
pub struct KeyedLimit {
    quota: Quota,
    entries: Slab<Entry>,
    index: Index,
    /// When each bucket will be full again, the first first.
    full: BTreeSet<(Instant, u32)>,
    /// What those share who have no place.
    shared: TokenBucket,
    max_keys: u32,
    hasher: Hasher,
}

/// The maximum number of buckets that are full again and that one call forgets.
const MAX_FORGOTTEN: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    bucket: TokenBucket,
    full_at: Option<Instant>,
}

impl KeyedLimit {
    /// A limit for at most `max_keys` keys at a time. The seed keeps outsiders from choosing keys
    /// that collide.
    pub fn new(quota: Quota, max_keys: u32, seed: u64) -> Self {
        let (entries, index, full) = (Slab::new(), Index::new(), BTreeSet::new());
        Self {
            quota,
            entries,
            index,
            full,
            shared: quota.bucket(),
            max_keys,
            hasher: Hasher::new(seed),
        }
    }

    /// The rate and the burst of each key.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Whether a key would get a token now, or when it would. Changes nothing. O(1).
    pub fn check(&self, now: Instant, key: u64) -> Result<(), NotYet> {
        match self.own(now, key) {
            Some(slot) => check(&self.entries[slot].bucket, now),
            None if self.has_place(now) => Ok(()),
            None => check(&self.shared, now),
        }
    }

    /// Takes a token for a key, or says when there will be one. O(log keys).
    pub fn take(&mut self, now: Instant, key: u64) -> Result<(), NotYet> {
        let Some(slot) = self.own(now, key).or_else(|| self.give_place(now, key)) else {
            return self.shared.try_take(now);
        };
        let entry = &mut self.entries[slot];
        entry.bucket.try_take(now)?;
        let full_at = entry.bucket.next_at(now, self.quota.burst.get() - 1);
        let before = core::mem::replace(&mut entry.full_at, full_at);
        if let Some(before) = before {
            self.full.remove(&(before, slot));
        }
        // One that is full at no instant that there is keeps its place.
        self.full.extend(full_at.map(|full_at| (full_at, slot)));
        Ok(())
    }

    /// Keys that have a place, those whose bucket is full again included.
    pub fn len(&self) -> u32 {
        self.entries.len()
    }

    /// Whether no key has a place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a key. Where there are more than there may be now, one whose bucket is full
    /// again has none unless it would get one.
    fn own(&self, now: Instant, key: u64) -> Option<u32> {
        let slot = self.find(key)?;
        let is_over = self.entries.len() > self.max_keys
            && self.entries[slot].full_at.is_some_and(|full_at| full_at <= now);
        (!is_over || self.has_place(now)).then_some(slot)
    }

    fn find(&self, key: u64) -> Option<u32> {
        self.index.find(self.hasher.hash(key), |slot| self.entries[slot].key == key)
    }

    /// From now on at most so many keys at a time. Of those that have a place and are more, each
    /// keeps it until its bucket is full again.
    pub(crate) fn set_max_keys(&mut self, max_keys: u32) {
        self.max_keys = max_keys;
    }

    fn has_place(&self, now: Instant) -> bool {
        if self.entries.len() < self.max_keys {
            return true;
        }
        // One has to go; more, if there may be fewer than there are.
        let surplus = (self.entries.len() - self.max_keys) as usize;
        surplus < MAX_FORGOTTEN
            && self.full.iter().nth(surplus).is_some_and(|&(full_at, _)| full_at <= now)
    }

    /// A place for a new key, if there is one: that of the bucket that has been full for longest,
    /// or a new one.
    fn give_place(&mut self, now: Instant, key: u64) -> Option<u32> {
        for _ in 0..MAX_FORGOTTEN {
            let Some(&(full_at, slot)) = self.full.first().filter(|(full_at, _)| *full_at <= now)
            else {
                break;
            };
            self.full.remove(&(full_at, slot));
            self.index.remove(self.hasher.hash(self.entries[slot].key), slot);
            self.entries.remove(slot);
            if self.entries.len() < self.max_keys {
                break;
            }
        }
        if self.entries.len() >= self.max_keys {
            return None;
        }
        let slot = self.entries.insert(Entry {
            key,
            bucket: self.quota.bucket(),
            full_at: Some(Instant::ZERO),
        });
        let (entries, hasher) = (&self.entries, self.hasher);
        self.index.insert(hasher.hash(key), slot, |slot| hasher.hash(entries[slot].key));
        self.full.insert((Instant::ZERO, slot));
        Some(slot)
    }
}

fn check(bucket: &TokenBucket, now: Instant) -> Result<(), NotYet> {
    if bucket.available(now) > 0 {
        Ok(())
    } else {
        Err(NotYet { retry_at: bucket.next_at(now, 0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::num::NonZeroU32;

    fn limit(max_keys: u32) -> KeyedLimit {
        KeyedLimit::new(Quota::per_second(NonZeroU32::new(2).unwrap()), max_keys, 7)
    }

    #[test]
    fn each_key_has_its_own_rate() {
        let (mut limit, now) = (limit(10), Instant::from_secs(5));
        for key in [1, 2] {
            assert!(limit.check(now, key).is_ok());
            assert!(limit.take(now, key).is_ok() && limit.take(now, key).is_ok());
            assert_eq!(
                limit.take(now, key).unwrap_err().retry_at,
                Some(Instant::from_millis(5_500))
            );
            assert_eq!(
                limit.check(now, key).unwrap_err().retry_at,
                Some(Instant::from_millis(5_500))
            );
        }
        assert!(limit.take(Instant::from_millis(5_500), 1).is_ok());
    }

    /// It takes nobody's place.
    #[test]
    fn a_flood_of_new_keys_shares_one_bucket() {
        let (mut limit, now) = (limit(3), Instant::from_secs(5));
        assert!((1..=3).all(|key| limit.take(now, key).is_ok()));
        let granted = (100..10_000).filter(|&key| limit.take(now, key).is_ok()).count();
        assert_eq!((granted, limit.len()), (2, 3));
        assert!(limit.take(now, 1).is_ok(), "who has a place keeps it");
        // The second and the third are full again after half a second, the first after one.
        let later = Instant::from_millis(5_500);
        assert!(
            (4..=5).all(|key| limit.take(later, key).is_ok() && limit.take(later, key).is_ok())
        );
        assert_eq!(limit.len(), 3);
        assert_eq!(
            (limit.check(later, 1).is_ok(), limit.take(later, 6).is_ok()),
            (true, true),
            "the shared bucket has a token again"
        );
        assert!(limit.take(later, 7).is_err());
    }

    /// A key stays until its bucket is full again, and a check says what a take does.
    #[test]
    fn with_fewer_places_each_stays_until_full() {
        let mut limit = limit(200);
        for key in 0..200 {
            let now = Instant::from_millis(5_000 + key);
            assert!(limit.take(now, key).is_ok());
        }
        limit.set_max_keys(3);
        let mut newcomers = 0;
        for millis in 5_200..5_800 {
            let (now, key) = (Instant::from_millis(millis), 1_000 + millis);
            let (expected, before) = (limit.check(now, key).is_ok(), limit.len());
            assert_eq!(limit.take(now, key).is_ok(), expected, "at {millis} ms");
            newcomers += u32::from(limit.find(key).is_some());
            assert!(limit.len() <= before.max(3));
        }
        assert_eq!((limit.len(), newcomers > 0), (3, true));
    }

    #[test]
    fn without_a_place_everyone_shares() {
        let (mut limit, now) = (limit(0), Instant::from_secs(5));
        assert_eq!((0..100).filter(|&key| limit.take(now, key).is_ok()).count(), 2);
        assert!(limit.is_empty());
    }
}
