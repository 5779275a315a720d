//! The room's own data, attributes and counters: [clause A27](crate::rulebook#a27-attributes).

use super::{Admission, RoomStatus};
use crate::data::{Attributes, Counters, DataError};
use crate::ids::UserId;
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
        self.write(now, None, based_on, changes)
    }

    /// As [`write_attributes`](Self::write_attributes), and what is written ends with `owner`, who is
    /// in: when that user's last session goes, it is taken away, as one change that no quota counts and
    /// that a tip tells. Whoever writes over it makes it last as that write says. What ends with
    /// somebody is not part of what a room carries over a restart.
    ///
    /// # Errors
    /// The user is not in, or as for any other write. Nothing has changed then.
    ///
    /// ```
    /// use roomcast_core::{Instant, Join, RoomConfig, RoomState, UserId};
    ///
    /// let mut room: RoomState<&str> = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let (now, ann) = (Instant::ZERO, UserId(7));
    /// room.join(now, Join::user(ann))?;
    /// room.write_attributes_of(now, ann, None, &[("on stage", Some(b"ann"))])?;
    /// room.leave(now, ann)?;
    /// assert!(room.attributes().next().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_attributes_of(
        &mut self,
        now: Instant,
        owner: UserId,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        self.write(now, Some(owner), based_on, changes)
    }

    fn write(
        &mut self,
        now: Instant,
        owner: Option<UserId>,
        based_on: Option<u64>,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<u64, DataError> {
        let now = self.clock.advance(now);
        self.is_open_for_data()?;
        if let Some(user) = owner.filter(|&user| !self.people.is_in(user)) {
            return Err(DataError::NotMember { user });
        }
        if let Some(limit) = self.memory.keeps_out()
            && changes.iter().any(|(_, value)| value.is_some())
        {
            return Err(DataError::MemoryFull { limit });
        }
        self.data.write_attributes(now, owner, based_on, changes)
    }

    /// The version of the attributes: how many changes have been made.
    pub fn attributes_version(&self) -> u64 {
        self.data.attributes_version()
    }

    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.data.attributes()?.get(key)
    }

    /// All attributes, by key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.data.attributes().into_iter().flat_map(Attributes::iter)
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
        self.data.counters()?.get(key)
    }

    /// All counters, by key.
    pub fn counters(&self) -> impl Iterator<Item = (&str, i64)> {
        self.data.counters().into_iter().flat_map(Counters::iter)
    }

    fn is_open_for_data(&self) -> Result<(), DataError> {
        if self.status == RoomStatus::Closed { Err(DataError::RoomClosed) } else { Ok(()) }
    }
}
