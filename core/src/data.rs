//! Attributes with versions, and counters: few, small, bounded.
//! [Clause A27](crate::rulebook#a27-attributes).

use crate::ids::UserId;
use crate::quota::{Quota, Rate, TokenBucket};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

/// The changes of attributes of an `AVChatRoom`.
const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How much of its own data a room may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataLimits {
    /// The maximum number of attributes.
    pub attribute_keys: u32,
    /// The maximum number of bytes of an attribute's key.
    pub attribute_key_bytes: u32,
    /// The maximum number of bytes of an attribute's value.
    pub attribute_value_bytes: u32,
    /// The maximum number of bytes of all attributes, keys and values.
    pub attribute_bytes: u32,
    /// Changes of the attributes in a second, and in a burst.
    pub attribute_writes: NonZeroU32,
    /// The maximum number of counters.
    pub counters: u32,
    /// The maximum number of bytes of a counter's key.
    pub counter_key_bytes: u32,
}

impl Default for DataLimits {
    /// 16 attributes with keys of 32 bytes and values of 4 KiB, 16 KiB in all, written 5 times a
    /// second; 20 counters with keys of 128 bytes.
    fn default() -> Self {
        Self {
            attribute_keys: 16,
            attribute_key_bytes: 32,
            attribute_value_bytes: 4 << 10,
            attribute_bytes: 16 << 10,
            attribute_writes: FIVE,
            counters: 20,
            counter_key_bytes: 128,
        }
    }
}

/// Why an attribute or a counter was not written. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum DataError {
    /// The room is closed.
    #[error("the room is closed")]
    RoomClosed,
    /// Attributes that end with a user were to be written, and that user is not in.
    #[error("{user} is not in the room")]
    NotMember {
        /// The user.
        user: UserId,
    },
    /// A key is too long, or empty.
    #[error("key length must be 1 to {max} bytes, not {bytes}")]
    KeyLength {
        /// Its length.
        bytes: usize,
        /// The most.
        max: u32,
    },
    /// There would be too many keys.
    #[error("too many keys (limit {max})")]
    TooManyKeys {
        /// The most.
        max: u32,
    },
    /// A value is too large.
    #[error("value too large: {bytes} bytes (limit {max})")]
    ValueTooLarge {
        /// Its size.
        bytes: usize,
        /// The most.
        max: u32,
    },
    /// Keys and values together would be too large.
    #[error("attributes too large: {bytes} bytes in all (limit {max})")]
    TooLarge {
        /// Their size.
        bytes: u64,
        /// The most.
        max: u32,
    },
    /// What rooms hold that does not give way takes more than half of the memory that all may take,
    /// or the memory is full. Attributes can still be taken away.
    #[error("memory of all rooms full (limit {limit} bytes)")]
    MemoryFull {
        /// How many bytes all rooms may hold.
        limit: u64,
    },
    /// Somebody else wrote first: read again, and base the change on what is there now.
    #[error("the attributes are at version {current}, not {based_on}; read them again")]
    Conflict {
        /// Their version.
        current: u64,
        /// The version that the writer had seen.
        based_on: u64,
    },
    /// As many changes were made as may be in a second.
    #[error("attribute quota exceeded (limit {max} writes per second); retry at {retry_at}")]
    Quota {
        /// The most.
        max: u32,
        /// When the next one may be made.
        retry_at: Instant,
    },
    /// The sum does not fit: the counter does not wrap.
    #[error("adding {delta} to {value} would overflow")]
    Overflow {
        /// What the counter says.
        value: i64,
        /// What was to be added.
        delta: i64,
    },
}

/// The attributes of a room: opaque values by key, under one version.
#[derive(Debug)]
pub(crate) struct Attributes {
    /// By key, in order.
    entries: Vec<(Box<str>, Arc<[u8]>)>,
    /// Which of them end with a user's last session.
    owned: Vec<(Box<str>, UserId)>,
    /// Keys and values together.
    bytes: u64,
    version: u64,
    bucket: TokenBucket,
    limits: DataLimits,
}

impl Attributes {
    pub(crate) fn new(limits: DataLimits) -> Self {
        let bucket =
            TokenBucket::new(Rate::per_second(limits.attribute_writes), limits.attribute_writes);
        let (entries, owned) = (Vec::new(), Vec::new());
        Self { entries, owned, bytes: 0, version: 0, bucket, limits }
    }

    /// From now on other limits; what is there stays. The rate of the writes changes as every
    /// bucket does.
    pub(crate) fn reconfigure(&mut self, now: Instant, limits: DataLimits) {
        let writes = Quota::per_second(limits.attribute_writes);
        self.bucket.change(now, writes);
        self.limits = limits;
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Keys and values together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Arc<[u8]>> {
        let place = self.place(key).ok()?;
        Some(&self.entries[place].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// Returns those that end with no user, and the version that the attributes have without the
    /// others.
    pub(crate) fn lasting(&self) -> (impl Iterator<Item = (&str, &Arc<[u8]>)>, u64) {
        let lasts = |key: &str| self.owned.iter().all(|(owned, _)| **owned != *key);
        let version = self.version.wrapping_add(u64::from(!self.owned.is_empty()));
        (self.iter().filter(move |(key, _)| lasts(key)), version)
    }

    /// Takes away what ends with this user, whose last session has gone. Returns whether anything
    /// did; no quota counts it.
    pub(crate) fn end_with(&mut self, user: UserId) -> bool {
        let Self { entries, owned, .. } = self;
        let before = entries.len();
        for (key, _) in owned.iter().filter(|&&(_, owner)| owner == user) {
            entries.retain(|(other, _)| other != key);
        }
        owned.retain(|&(_, owner)| owner != user);
        let ends = entries.len() < before;
        if ends {
            self.bytes = bytes_of(&self.entries);
            self.version = self.version.wrapping_add(1);
        }
        ends
    }

    /// Makes all changes or none; `None` takes a key away. What is written ends with `owner`, if
    /// there is one. Returns the new version. Where nothing
    /// is written and nothing taken away the version stays, and no quota counts it.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        owner: Option<UserId>,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        let limits = &self.limits;
        let max = limits.attribute_keys;
        // One call may replace them all, and no more.
        if changes.len() > 2 * self.entries.len().max(max as usize) {
            return Err(DataError::TooManyKeys { max });
        }
        for (key, value) in changes {
            // What is there can be taken away, however long its key.
            if value.is_some() || self.place(key).is_err() {
                check_key(key, limits.attribute_key_bytes)?;
            }
            let (bytes, max) = (value.map_or(0, <[u8]>::len), limits.attribute_value_bytes);
            if bytes > max as usize {
                return Err(DataError::ValueTooLarge { bytes, max });
            }
        }
        if let Some(based_on) = based_on.filter(|&based_on| based_on != self.version) {
            return Err(DataError::Conflict { current: self.version, based_on });
        }
        if changes.iter().all(|(key, value)| value.is_none() && self.place(key).is_err()) {
            // Nothing is written and nothing taken away.
            return Ok(self.version);
        }
        let mut entries = self.entries.clone();
        for &(key, value) in changes {
            match (place(&entries, key), value) {
                (Ok(at), Some(value)) => entries[at].1 = value.into(),
                (Ok(at), None) => drop(entries.remove(at)),
                (Err(at), Some(value)) => entries.insert(at, (key.into(), value.into())),
                (Err(_), None) => {}
            }
        }
        let bytes = self.check_all(&entries)?;
        let limits = &self.limits;
        if !self.bucket.take_keeping(now, 0) {
            let retry_at = self.bucket.next_at(now, 0).unwrap_or(Instant::MAX);
            return Err(DataError::Quota { max: limits.attribute_writes.get(), retry_at });
        }
        (self.entries, self.bytes) = (entries, bytes);
        for &(key, value) in changes {
            self.owned.retain(|(owned, _)| **owned != *key);
            self.owned.extend(owner.filter(|_| value.is_some()).map(|owner| (key.into(), owner)));
        }
        // Only an import can have brought it near its end.
        self.version = self.version.wrapping_add(1);
        Ok(self.version)
    }

    /// Takes the entries and the version of others; the quota stays.
    pub(crate) fn replace(&mut self, other: Self) {
        (self.entries, self.bytes, self.version) = (other.entries, other.bytes, other.version);
        self.owned.clear();
    }

    /// Takes over what another room's attributes held, in so far as it is within the limits.
    pub(crate) fn import(
        &mut self,
        version: u64,
        entries: Vec<(Box<str>, Arc<[u8]>)>,
    ) -> Result<(), DataError> {
        let limits = &self.limits;
        for (key, value) in &entries {
            check_key(key, limits.attribute_key_bytes)?;
            let (bytes, max) = (value.len(), limits.attribute_value_bytes);
            if bytes > max as usize {
                return Err(DataError::ValueTooLarge { bytes, max });
            }
        }
        self.check_all(&entries)?;
        let mut entries = entries;
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(a, _), (b, _)| a == b);
        self.bytes = bytes_of(&entries);
        (self.entries, self.version) = (entries, version);
        Ok(())
    }

    /// Whether so much may be there, and how many bytes that is; what is over a limit already may
    /// become less.
    fn check_all(&self, entries: &[(Box<str>, Arc<[u8]>)]) -> Result<u64, DataError> {
        let max = self.limits.attribute_keys;
        if entries.len() > self.entries.len().max(max as usize) {
            return Err(DataError::TooManyKeys { max });
        }
        let bytes = bytes_of(entries);
        let max = self.limits.attribute_bytes;
        if bytes > u64::from(max).max(self.bytes) {
            Err(DataError::TooLarge { bytes, max })
        } else {
            Ok(bytes)
        }
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        place(&self.entries, key)
    }
}

/// Keys and values together.
fn bytes_of(entries: &[(Box<str>, Arc<[u8]>)]) -> u64 {
    entries.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
}

/// A counter's key and its value.
fn counter_bytes(key: &str) -> u64 {
    (key.len() + size_of::<i64>()) as u64
}

fn place<V>(entries: &[(Box<str>, V)], key: &str) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| (**other).cmp(key))
}

fn check_key(key: &str, max: u32) -> Result<(), DataError> {
    let bytes = key.len();
    if bytes == 0 || bytes > max as usize {
        Err(DataError::KeyLength { bytes, max })
    } else {
        Ok(())
    }
}

/// The counters of a room.
#[derive(Debug)]
pub(crate) struct Counters {
    /// By key, in order.
    entries: Vec<(Box<str>, Counter)>,
    /// Keys and values together.
    bytes: u64,
    limits: DataLimits,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    value: i64,
    /// Since it was told last.
    changed: bool,
    /// How much of it the room knows, at an edge.
    handed_on: i64,
}

impl Counters {
    pub(crate) fn new(limits: DataLimits) -> Self {
        Self { entries: Vec::new(), bytes: 0, limits }
    }

    /// Keys and values together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// From now on other limits; what is there stays.
    pub(crate) fn reconfigure(&mut self, limits: DataLimits) {
        self.limits = limits;
    }

    /// Those that have changed since the last [`told`](Self::told).
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&str, i64)> {
        self.entries
            .iter()
            .filter(|(_, counter)| counter.changed)
            .map(|(key, counter)| (&**key, counter.value))
    }

    /// What has changed has been told.
    pub(crate) fn told(&mut self) {
        self.entries.iter_mut().for_each(|(_, counter)| counter.changed = false);
    }

    pub(crate) fn get(&self, key: &str) -> Option<i64> {
        let place = place(&self.entries, key).ok()?;
        Some(self.entries[place].1.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.entries.iter().map(|(key, counter)| (&**key, counter.value))
    }

    /// Sets a counter; returns what it said before.
    pub(crate) fn set(&mut self, key: &str, value: i64) -> Result<Option<i64>, DataError> {
        let before = self.get(key);
        let counter = self.entry(key)?;
        (counter.value, counter.changed) = (value, true);
        Ok(before)
    }

    /// Adds to a counter; one that is missing starts at 0. Returns the sum.
    pub(crate) fn add(&mut self, key: &str, delta: i64) -> Result<i64, DataError> {
        let value = self.get(key).unwrap_or(0);
        let sum = value.checked_add(delta).ok_or(DataError::Overflow { value, delta })?;
        let counter = self.entry(key)?;
        (counter.value, counter.changed) = (sum, true);
        Ok(sum)
    }

    /// Whether [`add`](Self::add) would be granted.
    pub(crate) fn check_add(&self, key: &str, delta: i64) -> Result<(), DataError> {
        check_key(key, self.limits.counter_key_bytes)?;
        match self.get(key) {
            Some(value) => {
                value.checked_add(delta).map(drop).ok_or(DataError::Overflow { value, delta })
            }
            None if self.entries.len() >= self.limits.counters as usize => {
                Err(DataError::TooManyKeys { max: self.limits.counters })
            }
            None => Ok(()),
        }
    }

    /// What a counter has gained since the last time, one counter after the other; `None` when the
    /// room knows all.
    pub(crate) fn hand_on(&mut self) -> Option<(Box<str>, i64)> {
        let is_ahead = |(_, counter): &&mut (_, Counter)| counter.value != counter.handed_on;
        let (key, counter) = self.entries.iter_mut().find(is_ahead)?;
        let gained = counter.value.saturating_sub(counter.handed_on);
        counter.handed_on += gained;
        Some((key.clone(), gained))
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<i64> {
        let place = place(&self.entries, key).ok()?;
        self.bytes -= counter_bytes(key);
        Some(self.entries.remove(place).1.value)
    }

    /// Takes over what another room's counters said, in so far as it is within the limits.
    pub(crate) fn import(&mut self, entries: Vec<(Box<str>, i64)>) -> Result<(), DataError> {
        for (key, _) in &entries {
            check_key(key, self.limits.counter_key_bytes)?;
        }
        let max = self.limits.counters;
        if entries.len() > max as usize {
            return Err(DataError::TooManyKeys { max });
        }
        let mut entries = entries;
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(a, _), (b, _)| a == b);
        self.bytes = entries.iter().map(|(key, _)| counter_bytes(key)).sum();
        self.entries = entries
            .into_iter()
            .map(|(key, value)| (key, Counter { value, changed: false, handed_on: value }))
            .collect();
        Ok(())
    }

    fn entry(&mut self, key: &str) -> Result<&mut Counter, DataError> {
        check_key(key, self.limits.counter_key_bytes)?;
        let at = match place(&self.entries, key) {
            Ok(at) => at,
            Err(_) if self.entries.len() >= self.limits.counters as usize => {
                return Err(DataError::TooManyKeys { max: self.limits.counters });
            }
            Err(at) => {
                self.bytes += counter_bytes(key);
                self.entries.insert(at, (key.into(), Counter::default()));
                at
            }
        };
        Ok(&mut self.entries[at].1)
    }
}
