//! A rate limit for each key (a sender, an address, a device), in bounded memory and without a
//! cleaning task: [clause B16](crate::rulebook#b16-limits-for-any-key).

mod refill;
mod table;
#[cfg(test)]
mod tests;

use crate::index::Hasher;
use crate::quota::{NotYet, Quota, TokenBucket};
use crate::time::{Instant, Watermark};
use alloc::collections::VecDeque;
use refill::{FullAt, Refill};
use table::{Entry, Table};

/// A token bucket for each key, for at most so many keys at a time.
///
/// A bucket that is full again says nothing that a fresh one would not, so its place goes to
/// whoever needs one; nobody has to clean up. When every place is taken by a bucket that is not
/// full, further keys share one bucket among themselves until a place is free: a flood of new keys
/// gains nothing by being new, and takes nothing from those who have a place.
/// [`has_place_for`](Self::has_place_for) tells which it is. A key takes some 35 bytes.
///
/// Time that runs backwards counts as standing still.
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
    /// The buckets.
    table: Table,
    /// Those that still count by a former quota, the oldest quota first.
    former: VecDeque<Table>,
    /// Since when the quota is what it is.
    changed_at: Instant,
    /// What those share who have no place.
    shared: TokenBucket,
    max_keys: u32,
    clock: Watermark,
}

/// The maximum number of buckets that are full again and that one call forgets, and of those that
/// it takes over under another quota.
const MAX_FORGOTTEN: usize = 64;
/// Buckets that a change of the quota takes over at once.
const MAX_MOVED: usize = 4_096;

impl KeyedLimit {
    /// A limit for at most `max_keys` keys at a time. The seed keeps outsiders from choosing keys
    /// that collide.
    pub fn new(quota: Quota, max_keys: u32, seed: u64) -> Self {
        Self {
            table: Table::new(Refill::new(quota), Hasher::new(seed)),
            former: VecDeque::new(),
            changed_at: Instant::ZERO,
            shared: quota.bucket(),
            max_keys,
            clock: Watermark::default(),
        }
    }

    /// The rate and the burst of each key.
    pub fn quota(&self) -> Quota {
        self.table.refill.quota()
    }

    /// Whether a key would get a token now, or when it would if nothing else happens. Changes
    /// nothing. O(1).
    pub fn check(&self, now: Instant, key: u64) -> Result<(), NotYet> {
        let mut answer = self.look(self.clock.peek(now), key);
        // By then it may have another bucket: a place of its own, or none any more.
        while let Err(NotYet { retry_at: Some(at) }) = answer
            && let Err(later) = self.look(at, key)
        {
            answer = Err(later);
        }
        answer
    }

    fn look(&self, now: Instant, key: u64) -> Result<(), NotYet> {
        let not_before = |next: Option<Instant>| match next {
            Some(at) if at <= now => Ok(()),
            retry_at => Err(NotYet { retry_at }),
        };
        match self.own(now, key) {
            Some(full_at) => not_before(self.table.refill.next_at(full_at, now)),
            None if self.has_place(now) => Ok(()),
            None => not_before(self.shared.next_at(now, 0)).map_err(|NotYet { retry_at }| NotYet {
                retry_at: retry_at.into_iter().chain(self.next_place()).min(),
            }),
        }
    }

    /// Whether a key has a bucket of its own at `now`, or would get one; if not, it shares one with
    /// all others that have none. O(1).
    pub fn has_place_for(&self, now: Instant, key: u64) -> bool {
        let now = self.clock.peek(now);
        self.own(now, key).is_some() || self.has_place(now)
    }

    /// Takes a token for a key, or says when there will be one. O(log keys).
    pub fn take(&mut self, now: Instant, key: u64) -> Result<(), NotYet> {
        let now = self.clock.advance(now);
        if !self.former.is_empty() {
            self.take_over(MAX_FORGOTTEN);
            self.move_over(key);
        }
        let place = match self.table.find(key) {
            Some(place) if self.keeps_place(now, self.table.full_at(place)) => Some(place),
            _ => self.give_place(now, key),
        };
        let Some(place) = place else {
            return if self.shared.take_keeping(now, 0) { Ok(()) } else { self.check(now, key) };
        };
        match self.table.refill.take(self.table.full_at(place), now) {
            Some(full_at) => {
                self.table.put_off(place, full_at);
                Ok(())
            }
            None => self.check(now, key),
        }
    }

    /// From now on another quota. What each key has left counts on, as far as the new burst holds
    /// it: nobody starts anew. Costs at most 4,096 keys in this call; the others follow in the next
    /// ones.
    pub(crate) fn change(&mut self, now: Instant, quota: Quota) {
        let now = self.clock.advance(now);
        // Those that are still to follow count by what they have, whichever quota it was.
        self.take_over(MAX_MOVED);
        let fresh = Table::new(Refill::new(quota), self.table.hasher());
        let before = core::mem::replace(&mut self.table, fresh);
        if before.len() > 0 {
            self.former.push_back(before);
        }
        self.changed_at = now;
        self.shared.change(now, quota);
        self.take_over(MAX_MOVED);
    }

    /// Takes buckets over that count by a former quota, at most so many.
    fn take_over(&mut self, most: usize) {
        for _ in 0..most {
            let Some(former) = self.former.front_mut() else { return };
            match former.pop() {
                Some(Entry { key, full_at }) => {
                    let full_at = self.as_of_now(0, full_at);
                    if !full_at.is_reached(self.changed_at) {
                        self.table.insert(Entry { key, full_at });
                    }
                }
                None => drop(self.former.pop_front()),
            }
        }
    }

    /// Takes over the bucket of a key, if it counts by a former quota.
    fn move_over(&mut self, key: u64) {
        let Some((number, place)) = self.find_former(key) else { return };
        let full_at = self.as_of_now(number, self.former[number].full_at(place));
        self.former[number].remove(place);
        self.table.insert(Entry { key, full_at });
    }

    /// Which table of a former quota has a key, and where.
    fn find_former(&self, key: u64) -> Option<(usize, u32)> {
        let mut former = self.former.iter().enumerate();
        former.find_map(|(number, table)| Some((number, table.find(key)?)))
    }

    /// When a bucket that was of a former quota is full by the one that holds.
    fn as_of_now(&self, former: usize, full_at: FullAt) -> FullAt {
        if full_at.is_reached(self.changed_at) {
            // As good as none.
            return FullAt::ALWAYS;
        }
        let mut bucket = self.former[former].refill.bucket(full_at, self.changed_at);
        bucket.change(self.changed_at, self.quota());
        self.table.refill.full_at(&bucket, self.changed_at)
    }

    /// Writes what each key, and those that share, have left at `now`.
    #[cfg(feature = "internals")]
    pub(crate) fn digest(&self, now: Instant, to: &mut alloc::string::String) {
        use core::fmt::Write;
        let now = self.clock.peek(now);
        let left = |bucket: TokenBucket| (bucket.available(now), bucket.next_at(now, 0));
        let of = |full_at| left(self.table.refill.bucket(full_at, now));
        let own = self.table.entries().map(|entry| (entry.key, of(entry.full_at)));
        let former = self.former.iter().enumerate().flat_map(|(number, table)| {
            table.entries().map(move |entry| (entry.key, of(self.as_of_now(number, entry.full_at))))
        });
        let mut keys: alloc::vec::Vec<_> = own.chain(former).collect();
        keys.sort_unstable_by_key(|&(key, _)| key);
        let _ = writeln!(to, "quotas {keys:?} {:?}", left(self.shared));
    }

    /// Keys that have a place, those whose bucket is full again included.
    pub fn len(&self) -> u32 {
        self.former.iter().map(Table::len).fold(self.table.len(), u32::saturating_add)
    }

    /// Whether no key has a place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the bucket of a key is full, if it has a place of its own.
    fn own(&self, now: Instant, key: u64) -> Option<FullAt> {
        if let Some(place) = self.table.find(key) {
            let full_at = self.table.full_at(place);
            return self.keeps_place(now, full_at).then_some(full_at);
        }
        let (number, place) = self.find_former(key)?;
        let full_at = self.as_of_now(number, self.former[number].full_at(place));
        self.keeps_place(now, full_at).then_some(full_at)
    }

    /// Whether a bucket that is full then has its place: where there are more than there may be now,
    /// one that is full again has none unless it would get one.
    #[inline]
    fn keeps_place(&self, now: Instant, full_at: FullAt) -> bool {
        let is_over = self.len() > self.max_keys && full_at.is_reached(now);
        !is_over || self.has_place(now)
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
        if self.len() < self.max_keys {
            return true;
        }
        self.next_place().is_some_and(|place_at| place_at <= now)
    }

    /// When there is a place for a new key, where there is none; `None` when that is never.
    fn next_place(&self) -> Option<Instant> {
        // One has to go; more, if there may be fewer than there are.
        let surplus = self.len().checked_sub(self.max_keys)? as usize;
        let next = || self.table.nth(surplus).and_then(FullAt::instant);
        (surplus < MAX_FORGOTTEN).then(next)?
    }

    /// A place for a new key, if there is one: that of the bucket that has been full for longest,
    /// or a new one.
    fn give_place(&mut self, now: Instant, key: u64) -> Option<u32> {
        for _ in 0..MAX_FORGOTTEN {
            if !self.table.nth(0).is_some_and(|full_at| full_at.is_reached(now)) {
                break;
            }
            self.table.pop();
            if self.len() < self.max_keys {
                break;
            }
        }
        if self.len() >= self.max_keys {
            return None;
        }
        self.table.insert(Entry { key, full_at: FullAt::ALWAYS });
        self.table.find(key)
    }
}
