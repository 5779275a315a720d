//! Attributes and counters, as maps.

use super::Oracle;
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::data::DataError;
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::{Instant, RoomState, UserId};
use std::collections::BTreeMap;

/// The room's own data.
#[derive(Clone, Debug, Default)]
pub struct Data {
    attributes: BTreeMap<String, Vec<u8>>,
    /// Whose going takes some of them away.
    ends_with: BTreeMap<String, UserId>,
    version: u64,
    counters: BTreeMap<String, i64>,
}

/// A change of an attribute: its key, and the size of its new value if it is to have one.
pub type Change = (String, Option<usize>);

/// What is done to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// It is set.
    Set(i64),
    /// Something is added.
    Add(i64),
    /// It is taken away.
    Remove,
}

impl Data {
    pub(super) fn counter(&self, key: &str) -> Option<i64> {
        self.counters.get(key).copied()
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// All of it, in bytes: a counter is its key and 8 of its own.
    pub(super) fn bytes(&self) -> u64 {
        let counters = self.counters.keys().map(|key| key.len() as u64 + 8);
        bytes_of(&self.attributes) + counters.sum::<u64>()
    }
}

fn key_error(key: &str, max: u32) -> Option<DataError> {
    let bytes = key.len();
    (bytes == 0 || bytes > max as usize).then_some(DataError::KeyLength { bytes, max })
}

fn bytes_of(attributes: &BTreeMap<String, Vec<u8>>) -> u64 {
    attributes.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
}

impl Oracle {
    /// Whether all of it could be imported by a room of these rules.
    pub(super) fn data_fits(&self) -> bool {
        let (limits, mut data) = (self.rules.data, self.data.clone());
        data.attributes.retain(|key, _| !data.ends_with.contains_key(key));
        let fits = |key: &str, max: u32| key_error(key, max).is_none();
        let is_small = |value: &Vec<u8>| value.len() <= limits.attribute_value_bytes as usize;
        data.attributes
            .iter()
            .all(|(key, value)| fits(key, limits.attribute_key_bytes) && is_small(value))
            && data.attributes.len() <= limits.attribute_keys as usize
            && bytes_of(&data.attributes) <= u64::from(limits.attribute_bytes)
            && data.counters.keys().all(|key| fits(key, limits.counter_key_bytes))
            && data.counters.len() <= limits.counters as usize
    }

    /// Whether nothing is written and nothing taken away.
    fn is_empty_write(&self, changes: &[Change]) -> bool {
        changes.iter().all(|(key, size)| size.is_none() && !self.data.attributes.contains_key(key))
    }

    fn attribute_error(
        &self,
        (owner, based_on): (Option<UserId>, Option<u64>),
        changes: &[Change],
        after: &BTreeMap<String, Vec<u8>>,
    ) -> Option<DataError> {
        let limits = self.rules.data;
        if !self.is_open() {
            return Some(DataError::RoomClosed);
        }
        if let Some(user) = owner.filter(|&user| self.members.count(user) == 0) {
            return Some(DataError::NotMember { user });
        }
        if let Some(limit) = self.kept_out()
            && changes.iter().any(|(_, size)| size.is_some())
        {
            return Some(DataError::MemoryFull { limit });
        }
        let here = &self.data.attributes;
        if changes.len() > 2 * here.len().max(limits.attribute_keys as usize) {
            return Some(DataError::TooManyKeys { max: limits.attribute_keys });
        }
        for (key, size) in changes {
            let goes = size.is_none() && here.contains_key(key);
            if let Some(error) = key_error(key, limits.attribute_key_bytes).filter(|_| !goes) {
                return Some(error);
            }
            let (bytes, max) = (size.unwrap_or(0), limits.attribute_value_bytes);
            if bytes > max as usize {
                return Some(DataError::ValueTooLarge { bytes, max });
            }
        }
        let current = self.data.version;
        if let Some(based_on) = based_on.filter(|&based_on| based_on != current) {
            return Some(DataError::Conflict { current, based_on });
        }
        // What is too much may become less.
        if after.len() > limits.attribute_keys as usize && after.len() > here.len() {
            return Some(DataError::TooManyKeys { max: limits.attribute_keys });
        }
        let bytes = bytes_of(after);
        if bytes > u64::from(limits.attribute_bytes) && bytes > bytes_of(here) {
            return Some(DataError::TooLarge { bytes, max: limits.attribute_bytes });
        }
        let nanos = self.clock.as_nanos();
        if !self.is_empty_write(changes) && !self.writes.may_pass(nanos, 0) {
            let retry_at = self.writes.next(nanos, 0).map_or(Instant::MAX, Instant::from_nanos);
            return Some(DataError::Quota { max: limits.attribute_writes.get(), retry_at });
        }
        None
    }

    /// `RoomState::write_attributes` answered this; the bytes of every value are `fill`.
    pub fn attributes_written(
        &mut self,
        now: Instant,
        (owner, based_on): (Option<UserId>, Option<u64>),
        changes: &[Change],
        fill: u8,
        answer: Result<u64, DataError>,
    ) -> Check {
        self.advance(now);
        let mut after = self.data.attributes.clone();
        for (key, size) in changes {
            match size {
                Some(size) => after.insert(key.clone(), vec![fill; *size]),
                None => after.remove(key),
            };
        }
        if let Some(error) = self.attribute_error((owner, based_on), changes, &after) {
            return same(Law::L7Bounded, "writing attributes", Err(error), answer);
        }
        if self.is_empty_write(changes) {
            return same(Law::L7Bounded, "writing nothing", Ok(self.data.version), answer);
        }
        let nanos = self.clock.as_nanos();
        same(Law::L5Rate, "every window of the writes holds", true, self.writes.pass(nanos))?;
        self.data.attributes = after;
        self.data.version += 1;
        // The last who wrote it says how long it lasts.
        for (key, size) in changes {
            match owner.filter(|_| size.is_some()) {
                Some(owner) => self.data.ends_with.insert(key.clone(), owner),
                None => self.data.ends_with.remove(key),
            };
        }
        self.happens(SystemMessageKind::AttributesChanged, None);
        same(Law::L7Bounded, "writing attributes", Ok(self.data.version), answer)
    }

    /// Nobody of a user's is in any more: what lasts as long as that user stays goes, told as a deletion
    /// by hand is.
    pub(super) fn attributes_end_with(&mut self, user: UserId) {
        if self.take_attributes(|owner| owner == user) {
            self.happens(SystemMessageKind::AttributesChanged, None);
        }
    }

    /// What lasts as long as somebody stays does not last over a restart.
    pub(super) fn attributes_restart(&mut self) {
        self.take_attributes(|_| true);
    }

    fn take_attributes(&mut self, of: impl Fn(UserId) -> bool) -> bool {
        let (gone, stay) =
            std::mem::take(&mut self.data.ends_with).into_iter().partition(|&(_, owner)| of(owner));
        self.data.ends_with = stay;
        let gone: BTreeMap<String, UserId> = gone;
        self.data.attributes.retain(|key, _| !gone.contains_key(key));
        self.data.version += u64::from(!gone.is_empty());
        !gone.is_empty()
    }

    /// What a message stands for is added to a counter.
    pub(super) fn count_units(&mut self, key: &str, units: u64) -> Result<(), DataError> {
        let (limits, before) = (self.rules.data, self.data.counters.get(key).copied());
        if let Some(error) = key_error(key, limits.counter_key_bytes) {
            return Err(error);
        }
        if before.is_none() && self.data.counters.len() as u64 >= u64::from(limits.counters) {
            return Err(DataError::TooManyKeys { max: limits.counters });
        }
        let (value, delta) = (before.unwrap_or(0), i64::try_from(units).unwrap_or(i64::MAX));
        let sum = value.checked_add(delta).ok_or(DataError::Overflow { value, delta })?;
        self.data.counters.insert(key.to_owned(), sum);
        self.counter_changes(key);
        Ok(())
    }

    /// A call of a counter answered this; nothing where there is none.
    pub fn counted(
        &mut self,
        key: &str,
        count: Count,
        answer: Result<Option<i64>, DataError>,
    ) -> Check {
        let limits = self.rules.data;
        let (before, is_open) = (self.data.counters.get(key).copied(), self.is_open());
        let is_full =
            before.is_none() && self.data.counters.len() as u64 >= u64::from(limits.counters);
        let fits = || match key_error(key, limits.counter_key_bytes) {
            Some(error) => Err(error),
            None if is_full => Err(DataError::TooManyKeys { max: limits.counters }),
            None => Ok(()),
        };
        let value = before.unwrap_or(0);
        let expected = match count {
            _ if !is_open => Err(DataError::RoomClosed),
            Count::Remove => Ok(before),
            Count::Set(_) => fits().map(|()| before),
            Count::Add(delta) => match value.checked_add(delta) {
                None => Err(DataError::Overflow { value, delta }),
                Some(sum) => fits().map(|()| Some(sum)),
            },
        };
        if expected.is_ok() {
            match count {
                Count::Remove => self.happened.counters.retain(|other| other != key),
                Count::Set(_) | Count::Add(_) => self.counter_changes(key),
            }
            match count {
                Count::Remove => drop(self.data.counters.remove(key)),
                Count::Set(value) => drop(self.data.counters.insert(key.to_owned(), value)),
                Count::Add(delta) => drop(self.data.counters.insert(key.to_owned(), value + delta)),
            }
        }
        same(Law::L7Bounded, format_args!("{count:?} of counter {key}"), expected, answer)
    }

    /// What can be read.
    pub fn inspect_data(&self, room: &RoomState<Probe>) -> Check {
        let found: Vec<_> =
            room.attributes().map(|(key, value)| (key.to_owned(), value.to_vec())).collect();
        let expected: Vec<_> = self.data.attributes.clone().into_iter().collect();
        same(Law::L7Bounded, "the attributes", expected, found)?;
        same(Law::L7Bounded, "their version", self.data.version, room.attributes_version())?;
        let found: Vec<_> = room.counters().map(|(key, value)| (key.to_owned(), value)).collect();
        let expected: Vec<_> = self.data.counters.clone().into_iter().collect();
        same(Law::L7Bounded, "the counters", expected, found)
    }
}
