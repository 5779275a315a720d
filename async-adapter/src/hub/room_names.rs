//! The host's names of rooms, and the numbers that stand for them in the core.
//!
//! The table changes under the registry's lock alone: a room and its name come and go together.
//! A name is hashed, compared and dropped with nothing locked. It is looked up first; then, under
//! the registry's lock, the numbers that it was compared with tell whether the answer still holds,
//! and if it does not, it is looked up again.

use super::keys::RoomKey;
use super::name::{AsIs, Name, draw};
use super::registry::Found;
use crate::room::mentions::DisplacedName;
use crate::sync::{Arc, Mutex};
use roomcast_core::RoomId;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, RandomState};

/// Numbers of rooms whose names have one hash: nearly always one.
type Numbers = SmallVec<[RoomId; 1]>;

/// The names of a hub's rooms.
pub(crate) struct RoomNames<U> {
    state: RandomState,
    rooms: Mutex<Rooms<U>>,
}

struct Rooms<U> {
    by_hash: HashMap<u64, Numbers, BuildHasherDefault<AsIs>>,
    /// The name of each room that has one, with its hash.
    names: HashMap<RoomId, (u64, Arc<U>)>,
}

/// A key that was looked up with nothing locked.
pub(crate) enum Sought<U> {
    Id(RoomId),
    Name(SoughtName<U>),
}

pub(crate) struct SoughtName<U> {
    name: Arc<U>,
    hash: u64,
    /// The rooms whose names were compared. A number is drawn once, so as long as these are the
    /// ones, the answer holds.
    compared: Numbers,
    found: Option<RoomId>,
}

impl<U> Default for RoomNames<U> {
    fn default() -> Self {
        let rooms = Rooms { by_hash: HashMap::default(), names: HashMap::new() };
        Self { state: RandomState::new(), rooms: Mutex::new(rooms) }
    }
}

impl<U: Name> RoomNames<U> {
    /// Looks a key up, with nothing locked.
    pub(crate) fn seek(&self, key: RoomKey<U>) -> Sought<U> {
        match key {
            RoomKey::Id(id) => Sought::Id(id),
            RoomKey::Name(name) => self.seek_name(Arc::new(name)),
        }
    }

    /// Looks a key up again.
    pub(crate) fn seek_again(&self, sought: Sought<U>) -> Sought<U> {
        match sought {
            Sought::Name(SoughtName { name, .. }) => self.seek_name(name),
            id @ Sought::Id(_) => id,
        }
    }

    fn seek_name(&self, name: Arc<U>) -> Sought<U> {
        let hash = self.state.hash_one(&*name);
        let candidates = self.rooms.lock().of_hash(hash);
        let compared = candidates.iter().map(|&(id, _)| id).collect();
        let same = candidates.iter().find(|(_, other)| **other == *name);
        let found = same.map(|&(id, _)| id);
        Sought::Name(SoughtName { name, hash, compared, found })
    }

    /// Returns what a key that was looked up stands for now. It stays so as long as the registry is
    /// locked.
    pub(crate) fn find(&self, sought: &Sought<U>) -> Found {
        match sought {
            &Sought::Id(id) => Found::Room(id),
            Sought::Name(SoughtName { hash, compared, found, .. }) => {
                let rooms = self.rooms.lock();
                let now = rooms.by_hash.get(hash).map_or(&[][..], |numbers| numbers);
                if now != &compared[..] {
                    return Found::Changed;
                }
                found.map_or(Found::Nobody, Found::Room)
            }
        }
    }

    /// Returns the number of a room that is to be made, and gives it the name, if it was sought by
    /// one. The registry is locked.
    pub(crate) fn begin(&self, sought: &Sought<U>) -> RoomId {
        match sought {
            &Sought::Id(id) => id,
            Sought::Name(SoughtName { name, hash, .. }) => {
                let id = RoomId(draw(0));
                let mut rooms = self.rooms.lock();
                rooms.by_hash.entry(*hash).or_default().push(id);
                rooms.names.insert(id, (*hash, Arc::clone(name)));
                id
            }
        }
    }

    /// Returns the name of a room.
    pub(crate) fn name_of(&self, id: RoomId) -> Option<Arc<U>> {
        self.rooms.lock().names.get(&id).map(|(_, name)| Arc::clone(name))
    }

    /// Forgets the name of a room. The registry is locked.
    pub(crate) fn forget(&self, id: RoomId) -> DisplacedName {
        let mut rooms = self.rooms.lock();
        let (hash, name) = rooms.names.remove(&id)?;
        if let Some(numbers) = rooms.by_hash.get_mut(&hash) {
            numbers.retain(|other| *other != id);
            if numbers.is_empty() {
                rooms.by_hash.remove(&hash);
            }
        }
        Some(name)
    }
}

impl<U> Rooms<U> {
    fn of_hash(&self, hash: u64) -> SmallVec<[(RoomId, Arc<U>); 1]> {
        let numbers = self.by_hash.get(&hash).into_iter().flatten();
        let named = numbers.filter_map(|id| {
            let (_, name) = self.names.get(id)?;
            Some((*id, Arc::clone(name)))
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seek(names: &RoomNames<&'static str>, name: &'static str) -> Sought<&'static str> {
        names.seek(RoomKey::Name(name))
    }

    fn found(names: &RoomNames<&'static str>, name: &'static str) -> Found {
        names.find(&seek(names, name))
    }

    #[test]
    fn a_room_that_went_takes_its_own_name_along() {
        let names = RoomNames::default();
        let first = names.begin(&seek(&names, "stream"));
        let other = names.begin(&seek(&names, "other"));
        assert_eq!(
            (found(&names, "stream"), found(&names, "none")),
            (Found::Room(first), Found::Nobody)
        );
        assert!(names.forget(first).is_some() && names.forget(first).is_none());
        assert_eq!((found(&names, "stream"), names.name_of(first)), (Found::Nobody, None));
        let second = names.begin(&seek(&names, "stream"));
        assert_ne!(first, second);
        assert_eq!(found(&names, "stream"), Found::Room(second));
        assert_eq!(names.name_of(other).as_deref(), Some(&"other"));
        names.forget(second);
        names.forget(other);
        assert!(names.rooms.lock().by_hash.is_empty());
    }

    #[test]
    fn an_answer_is_void_once_the_table_has_changed() {
        let names = RoomNames::default();
        let nobody = seek(&names, "stream");
        let first = names.begin(&nobody);
        assert_eq!(names.find(&nobody), Found::Changed);
        let is_first = names.seek_again(nobody);
        assert_eq!(names.find(&is_first), Found::Room(first));
        names.forget(first);
        assert_eq!(names.find(&is_first), Found::Changed);
        let again = names.seek_again(is_first);
        assert_eq!(names.find(&again), Found::Nobody);
        // What others are called is of no matter.
        names.begin(&seek(&names, "other"));
        assert_eq!(names.find(&again), Found::Nobody);
    }
}
