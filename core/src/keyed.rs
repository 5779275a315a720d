//! A rate limit for each key (a sender, an address, a device), in bounded memory and without a
//! cleaning task: [clause B16](crate::rulebook#b16-limits-for-any-key).

use crate::chunked::Slab;
use crate::index::{Hasher, Index};
use crate::quota::{NotYet, Quota, TokenBucket};
use crate::time::Instant;
use crate::timed::Until;
use alloc::collections::BTreeSet;

/// A token bucket for each key, for at most so many keys at a time.
///
/// A bucket that is full again says nothing that a fresh one would not, so its place goes to
/// whoever needs one; nobody has to clean up. When every place is taken by a bucket that is not
/// full, further keys share one bucket among themselves until a place is free: a flood of new keys
/// gains nothing by being new, and takes nothing from those who have a place.
/// [`has_place_for`](Self::has_place_for) tells which it is.
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
    /// Until when each bucket is not full again, the first first.
    full: BTreeSet<(Until, u32)>,
    /// When the buckets would have been full again that still count by a former quota.
    stale: BTreeSet<(Until, u32)>,
    /// Since when the quota is what it is.
    changed_at: Instant,
    /// What those share who have no place.
    shared: TokenBucket,
    max_keys: u32,
    hasher: Hasher,
}

/// The maximum number of buckets that are full again and that one call forgets, and of those that
/// it takes over under another quota.
const MAX_FORGOTTEN: usize = 64;
/// Buckets that a change of the quota takes over at once.
const MAX_MOVED: usize = 4_096;

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    bucket: TokenBucket,
    full_at: Until,
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
            stale: BTreeSet::new(),
            changed_at: Instant::ZERO,
            shared: quota.bucket(),
            max_keys,
            hasher: Hasher::new(seed),
        }
    }

    /// The rate and the burst of each key.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Whether a key would get a token now, or when it would if nothing else happens. Changes
    /// nothing. O(1).
    pub fn check(&self, now: Instant, key: u64) -> Result<(), NotYet> {
        let mut answer = self.look(now, key);
        // By then it may have another bucket: a place of its own, or none any more.
        while let Err(NotYet { retry_at: Some(at) }) = answer
            && let Err(later) = self.look(at, key)
        {
            answer = Err(later);
        }
        answer
    }

    fn look(&self, now: Instant, key: u64) -> Result<(), NotYet> {
        match self.own(now, key) {
            Some(slot) => check(&self.bucket(slot), now),
            None if self.has_place(now) => Ok(()),
            None => check(&self.shared, now).map_err(|NotYet { retry_at }| NotYet {
                retry_at: retry_at.into_iter().chain(self.next_place()).min(),
            }),
        }
    }

    /// Whether a key has a bucket of its own at `now`, or would get one; if not, it shares one with
    /// all others that have none. O(1).
    pub fn has_place_for(&self, now: Instant, key: u64) -> bool {
        self.own(now, key).is_some() || self.has_place(now)
    }

    /// From now on another quota. What each key has left counts on, as far as the new burst holds
    /// it: nobody starts anew. Costs at most 4,096 keys in this call; the others follow in the next
    /// ones.
    pub(crate) fn change(&mut self, now: Instant, quota: Quota) {
        // Those that are still to follow count by what they have, whichever quota it was.
        self.take_over(MAX_MOVED);
        if self.stale.is_empty() {
            core::mem::swap(&mut self.stale, &mut self.full);
        } else {
            self.stale.append(&mut self.full);
        }
        (self.quota, self.changed_at) = (quota, now);
        self.shared.change(now, quota);
        self.take_over(MAX_MOVED);
    }

    /// Takes buckets over that count by a former quota, at most so many.
    fn take_over(&mut self, most: usize) {
        for _ in 0..most {
            let Some((full_at, slot)) = self.stale.pop_first() else { return };
            if !full_at.holds(self.changed_at) {
                self.forget(slot);
                continue;
            }
            let bucket = self.bucket(slot);
            let full_at = self.full_at(&bucket, self.changed_at);
            let entry = &mut self.entries[slot];
            (entry.bucket, entry.full_at) = (bucket, full_at);
            self.full.insert((full_at, slot));
        }
    }

    /// When a bucket is full again; one that is full at no instant that there is keeps its place.
    fn full_at(&self, bucket: &TokenBucket, now: Instant) -> Until {
        bucket.next_at(now, self.quota.burst.get() - 1).map_or(Until::Forever, Until::At)
    }

    /// A key's bucket, by the quota that holds.
    fn bucket(&self, slot: u32) -> TokenBucket {
        let Entry { mut bucket, full_at, .. } = self.entries[slot];
        if (bucket.rate(), bucket.burst()) == (self.quota.rate, self.quota.burst) {
            return bucket;
        }
        if !full_at.holds(self.changed_at) {
            // It was full, and as good as none.
            return self.quota.bucket();
        }
        bucket.change(self.changed_at, self.quota);
        bucket
    }

    fn forget(&mut self, slot: u32) {
        if let Some(Entry { key, .. }) = self.entries.remove(slot) {
            self.index.remove(self.hasher.hash(key), slot);
        }
    }

    /// Takes a token for a key, or says when there will be one. O(log keys).
    pub fn take(&mut self, now: Instant, key: u64) -> Result<(), NotYet> {
        self.take_over(MAX_FORGOTTEN);
        let Some(slot) = self.own(now, key).or_else(|| self.give_place(now, key)) else {
            return if self.shared.take_keeping(now, 0) { Ok(()) } else { self.check(now, key) };
        };
        let mut bucket = self.bucket(slot);
        if !bucket.take_keeping(now, 0) {
            return self.check(now, key);
        }
        let full_at = self.full_at(&bucket, now);
        let entry = &mut self.entries[slot];
        entry.bucket = bucket;
        let before = core::mem::replace(&mut entry.full_at, full_at);
        if !self.full.remove(&(before, slot)) {
            self.stale.remove(&(before, slot));
        }
        self.full.insert((full_at, slot));
        Ok(())
    }

    /// Writes what each key, and those that share, have left at `now`.
    #[cfg(feature = "internals")]
    pub(crate) fn digest(&self, now: Instant, to: &mut alloc::string::String) {
        use core::fmt::Write;
        let left = |bucket: TokenBucket| (bucket.available(now), bucket.next_at(now, 0));
        let mut keys: alloc::vec::Vec<_> = (0..self.entries.slots())
            .filter_map(|slot| Some((self.entries.get(slot)?.key, left(self.bucket(slot)))))
            .collect();
        keys.sort_unstable_by_key(|&(key, _)| key);
        let _ = writeln!(to, "quotas {keys:?} {:?}", left(self.shared));
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
        let is_over = self.entries.len() > self.max_keys && !self.entries[slot].full_at.holds(now);
        (!is_over || self.has_place(now)).then_some(slot)
    }

    fn find(&self, key: u64) -> Option<u32> {
        self.index.find(self.hasher.hash(key), |slot| self.entries[slot].key == key)
    }

    /// How many keys may have a place at a time.
    pub(crate) fn max_keys(&self) -> u32 {
        self.max_keys
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
        self.next_place().is_some_and(|place_at| place_at <= now)
    }

    /// When there is a place for a new key, where there is none; `None` when that is never.
    fn next_place(&self) -> Option<Instant> {
        // One has to go; more, if there may be fewer than there are.
        let surplus = self.entries.len().checked_sub(self.max_keys)? as usize;
        let next = || self.full.iter().nth(surplus).and_then(|&(full_at, _)| full_at.instant());
        (surplus < MAX_FORGOTTEN).then(next)?
    }

    /// A place for a new key, if there is one: that of the bucket that has been full for longest,
    /// or a new one.
    fn give_place(&mut self, now: Instant, key: u64) -> Option<u32> {
        for _ in 0..MAX_FORGOTTEN {
            let Some(&(full_at, slot)) =
                self.full.first().filter(|(full_at, _)| !full_at.holds(now))
            else {
                break;
            };
            self.full.remove(&(full_at, slot));
            self.forget(slot);
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
            full_at: Until::At(Instant::ZERO),
        });
        let (entries, hasher) = (&self.entries, self.hasher);
        self.index.insert(hasher.hash(key), slot, |slot| hasher.hash(entries[slot].key));
        self.full.insert((Until::At(Instant::ZERO), slot));
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

    /// Earlier than what is shared has a token again.
    #[test]
    fn who_has_no_place_is_told_when_one_is_free() {
        let (mut limit, at) = (limit(1), Instant::from_millis);
        assert!(limit.take(at(4_800), 1).is_ok());
        assert!([2, 3].iter().all(|&key| limit.take(at(5_000), key).is_ok()));
        assert!(limit.has_place_for(at(5_000), 1) && !limit.has_place_for(at(5_000), 4));
        let refused = limit.take(at(5_000), 4).unwrap_err();
        assert_eq!(refused.retry_at, Some(at(5_300)));
        assert_eq!(limit.check(at(5_299), 4).unwrap_err().retry_at, Some(at(5_300)));
        assert!(limit.take(at(5_300), 4).is_ok() && limit.has_place_for(at(5_300), 4));
    }

    /// Whatever the quota becomes: who was full is fresh, who was not has what was left.
    #[test]
    fn another_quota_takes_over_what_is_left() {
        let (mut limit, at) = (limit(20_000), Instant::from_secs);
        for key in 0..10_000 {
            assert!(limit.take(at(if key < 5_000 { 1 } else { 9 }), key).is_ok());
        }
        for count in [9, 3, 2] {
            limit.change(at(9), Quota::per_second(NonZeroU32::new(count).unwrap()));
        }
        for key in 0..10_000 {
            let left = (0..3).filter(|_| limit.take(at(9), key).is_ok()).count();
            assert_eq!(left, if key < 5_000 { 2 } else { 1 }, "of {key}");
        }
        assert!(limit.stale.is_empty());
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

    #[test]
    fn fewer_keys_than_there_are_lose_their_places_in_turn() {
        let (mut limit, at) = (limit(100), Instant::from_millis);
        assert!(limit.is_empty());
        assert!((0..70).all(|key| limit.take(at(1_000), key).is_ok()) && !limit.is_empty());
        // All are full again after half a second, but one call lets no more than 64 go.
        limit.set_max_keys(6);
        assert!(!limit.has_place_for(at(1_500), 100));
        limit.set_max_keys(7);
        assert!(limit.has_place_for(at(1_500), 100) && limit.has_place_for(at(1_500), 69));
        assert!(limit.take(at(1_500), 100).is_ok());
        assert_eq!(limit.len(), 7);
        assert!(limit.take(at(1_500), 101).is_ok());
        assert_eq!(limit.len(), 7, "one goes for one that comes");
        // Those two are full again at two seconds; until then nobody has a place who is full.
        limit.set_max_keys(1);
        assert!(!limit.has_place_for(at(1_600), 69) && limit.has_place_for(at(1_600), 100));
    }

    #[test]
    fn who_waits_to_be_taken_over_keeps_what_is_left() {
        let (mut limit, at) = (limit(20_000), Instant::from_secs);
        assert!((0..10_000).all(|key| limit.take(at(1), key).is_ok()));
        limit.change(at(9), Quota::per_second(NonZeroU32::new(3).unwrap()));
        // The last of those that are still to follow.
        assert!((0..3).all(|_| limit.take(at(9), 9_999).is_ok()));
        assert!((20_000..20_100).all(|key| limit.take(at(9), key).is_ok()));
        assert!(limit.take(at(9), 9_999).is_err(), "all of them have followed");
    }

    #[test]
    fn who_waits_to_be_taken_over_keeps_a_place() {
        let (mut limit, at) = (limit(10_000), Instant::from_millis);
        assert!((0..10_000).all(|key| limit.take(at(1_000), key).is_ok()));
        let rate = crate::quota::Rate::new(NonZeroU32::MIN, crate::time::Duration::from_secs(10));
        let quota = Quota { rate: rate.unwrap(), burst: NonZeroU32::new(2).unwrap() };
        limit.change(at(1_100), quota);
        // By the quota that held, it would be full by now.
        assert!(limit.has_place_for(at(2_000), 9_999) && !limit.has_place_for(at(2_000), 10_000));
    }
}
