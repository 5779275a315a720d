//! The room's own data, attributes and counters: [clause A27](crate::rulebook#a27-attributes).

use super::{Admission, RoomStatus};
use crate::data::DataError;
use crate::message::Payload;
use crate::time::Instant;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// Writes attributes, all of these changes or none; `None` takes a key away. Returns the new
    /// version.
    ///
    /// `based_on` is the version that the writer had seen: of two who change the same version the
    /// first wins, and the other gets [`DataError::Conflict`]. `None` writes over whatever is
    /// there. A call that writes nothing and takes nothing away leaves the version as it is, so
    /// that it makes nobody else's change a conflict. O(attributes), of which there are few.
    pub fn write_attributes(
        &mut self,
        now: Instant,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        let now = self.clock.advance(now);
        self.is_open_for_data()?;
        if let Some(limit) = self.memory.keeps_out()
            && changes.iter().any(|(_, value)| value.is_some())
        {
            return Err(DataError::MemoryFull { limit });
        }
        self.data.write_attributes(now, based_on, changes)
    }

    /// The version of the attributes: how many changes have been made.
    pub fn attributes_version(&self) -> u64 {
        self.data.attributes().version()
    }

    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.data.attributes().get(key)
    }

    /// All attributes, by key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.data.attributes().iter()
    }

    /// Sets a counter, whatever it said; returns what that was.
    pub fn set_counter(&mut self, key: &str, value: i64) -> Result<Option<i64>, DataError> {
        self.is_open_for_data()?;
        self.data.set_counter(self.clock.at(), key, value)
    }

    /// Adds to a counter; one that is missing starts at 0. Returns the sum, which never wraps.
    pub fn add_counter(&mut self, key: &str, delta: i64) -> Result<i64, DataError> {
        self.is_open_for_data()?;
        self.data.add_counter(self.clock.at(), key, delta)
    }

    /// Takes a counter away; returns what it said, and `None` when there was none.
    ///
    /// # Errors
    /// The room is closed.
    pub fn remove_counter(&mut self, key: &str) -> Result<Option<i64>, DataError> {
        self.is_open_for_data()?;
        Ok(self.data.remove_counter(key))
    }

    /// What a counter says.
    pub fn counter(&self, key: &str) -> Option<i64> {
        self.data.counters().get(key)
    }

    /// All counters, by key.
    pub fn counters(&self) -> impl Iterator<Item = (&str, i64)> {
        self.data.counters().iter()
    }

    fn is_open_for_data(&self) -> Result<(), DataError> {
        if self.status == RoomStatus::Closed { Err(DataError::RoomClosed) } else { Ok(()) }
    }
}
