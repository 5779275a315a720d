//! The rooms of a hub by their ids, and the rule across them:
//! [clause A8](roomcast_core::rulebook#a8-one-room-for-each-user).

use crate::room::SharedRoom;
use crate::room::mentions::Mentions;
use crate::room::token::Unsealed;
use crate::sync::{Arc, Mutex, RwLock};
use roomcast_core::engine::CreateRoomError;
use roomcast_core::error::JoinError;
use roomcast_core::event::{EndReason, StartPosition};
use roomcast_core::user_rooms::UserRooms;
use roomcast_core::{Join, Joined, Payload, RoomId, UserId};
use slab::Slab;
use std::collections::HashMap;

/// Locks that the users' homes are spread over.
const STRIPES: usize = 16;

/// Users whose place each join looks at, whether they are still there.
const SUSPECTS: usize = 2;

/// Rooms that are looked at under one lock, on the way of a broadcast to all of them.
const ROOMS_A_SLICE: usize = 64;

/// The rooms of a hub. Rooms do not know of it, or it would never end.
#[derive(Debug)]
pub(crate) struct RoomRegistry<M> {
    rooms: RwLock<Rooms<M>>,
    max_rooms: u32,
    user_rooms: Option<Stripes>,
    names: Arc<dyn Mentions>,
    /// Rooms that are here no more and that are still counted, where somebody counts.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    removed: Option<Mutex<Vec<Arc<SharedRoom<M>>>>>,
}

/// Rooms by places that stay, so that a broadcast can go from one to the next, and by their ids.
#[derive(Debug)]
struct Rooms<M> {
    places: Slab<Place<M>>,
    by_id: HashMap<RoomId, usize>,
    /// How many rooms begin at each worker.
    by_worker: Box<[usize]>,
    /// Rooms that were ever made.
    made: usize,
    /// No more are made.
    is_shutting_down: bool,
}

/// A room, and the worker that it begins at.
#[derive(Debug)]
struct Place<M> {
    shared: Arc<SharedRoom<M>>,
    worker: usize,
}

/// What a new room has to know of those before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    /// Rooms that were made before.
    pub(crate) made: usize,
    /// The number of the worker that it begins at.
    pub(crate) worker: usize,
}

impl<M> Rooms<M> {
    fn get(&self, id: RoomId) -> Option<&Arc<SharedRoom<M>>> {
        self.places.get(*self.by_id.get(&id)?).map(|place| &place.shared)
    }

    /// What the next room begins with: at the worker that has the fewest, of several at the next in
    /// turn. O(workers).
    fn beginning(&self) -> Beginning {
        let workers = self.by_worker.len();
        let in_turn = (0..workers).map(|step| self.made.wrapping_add(step) % workers);
        let worker = in_turn.min_by_key(|&worker| self.by_worker[worker]).unwrap_or(0);
        Beginning { made: self.made, worker }
    }

    fn insert(&mut self, id: RoomId, shared: Arc<SharedRoom<M>>, worker: usize) {
        self.made = self.made.wrapping_add(1);
        self.by_worker[worker] += 1;
        self.by_id.insert(id, self.places.insert(Place { shared, worker }));
    }

    fn remove(&mut self, id: RoomId) -> Option<Arc<SharedRoom<M>>> {
        let Place { shared, worker } = self.places.try_remove(self.by_id.remove(&id)?)?;
        self.by_worker[worker] -= 1;
        Some(shared)
    }
}

/// Which room each user is in. The last locks that anybody takes: a room's admission may be locked,
/// and nothing is called under them.
#[derive(Debug)]
struct Stripes(Box<[Mutex<UserRooms>]>);

impl Stripes {
    fn new(seed: u64) -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(UserRooms::new(seed))).collect())
    }

    fn of(&self, user: UserId) -> &Mutex<UserRooms> {
        &self.0[(user.0 ^ user.0 >> 32) as usize % STRIPES]
    }
}

/// A room that was looked up, if there is one, with a note.
pub(crate) type Looked<M, N> = Option<(Arc<SharedRoom<M>>, N)>;

/// A room that was opened, made or found.
#[derive(Debug)]
pub(crate) struct Opened<M, N> {
    pub(crate) shared: Arc<SharedRoom<M>>,
    pub(crate) is_new: bool,
    pub(crate) note: N,
}

/// What a key was found to stand for does not hold any more: it is to be looked up again.
#[derive(Debug)]
pub(crate) struct Changed;

/// What a key stands for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Room(RoomId),
    Nobody,
    /// It has to be looked up again.
    Changed,
}

impl Found {
    fn settled(self) -> Result<Option<RoomId>, Changed> {
        match self {
            Self::Room(id) => Ok(Some(id)),
            Self::Nobody => Ok(None),
            Self::Changed => Err(Changed),
        }
    }
}

impl<M: Payload + Send + Sync + 'static> RoomRegistry<M> {
    /// `user_rooms`: the seed of the table of users, where each is in one room.
    pub(crate) fn new(
        max_rooms: u32,
        workers: usize,
        user_rooms: Option<u64>,
        names: Arc<dyn Mentions>,
    ) -> Self {
        let rooms = Rooms {
            places: Slab::new(),
            by_id: HashMap::new(),
            by_worker: vec![0; workers.max(1)].into(),
            made: 0,
            is_shutting_down: false,
        };
        let user_rooms = user_rooms.map(Stripes::new);
        Self {
            rooms: RwLock::new(rooms),
            max_rooms,
            user_rooms,
            names,
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            removed: None,
        }
    }

    /// The same; rooms that are removed are kept for who counts.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn keeping_removed(mut self, keeps: bool) -> Self {
        self.removed = keeps.then(Mutex::default);
        self
    }

    /// Returns the rooms that are here no more; [`keep_removed`](Self::keep_removed) is to follow for those
    /// that still count.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn take_removed(&self) -> Vec<Arc<SharedRoom<M>>> {
        self.removed
            .as_ref()
            .map(|removed| std::mem::take(&mut *removed.lock()))
            .unwrap_or_default()
    }

    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn keep_removed(&self, rooms: impl IntoIterator<Item = Arc<SharedRoom<M>>>) {
        if let Some(removed) = &self.removed {
            removed.lock().extend(rooms);
        }
    }

    /// Returns how many rooms were ever made.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn made(&self) -> usize {
        self.rooms.read().made
    }

    /// Takes a room out; whoever counts finds it from now on among those that are here no more.
    #[cfg_attr(not(any(feature = "metrics", feature = "tracing")), allow(clippy::unused_self))]
    fn take_out(&self, rooms: &mut Rooms<M>, id: RoomId) -> Option<Arc<SharedRoom<M>>> {
        let removed = rooms.remove(id)?;
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        self.keep_removed([Arc::clone(&removed)]);
        Some(removed)
    }

    /// Returns the room with this id.
    pub(crate) fn get(&self, id: RoomId) -> Option<Arc<SharedRoom<M>>> {
        self.rooms.read().get(id).cloned()
    }

    /// Returns the room that `find` tells, with what `note` says of its id; nobody opens, removes
    /// or names a room meanwhile.
    pub(crate) fn find<N>(
        &self,
        find: impl FnOnce() -> Found,
        note: impl FnOnce(RoomId) -> N,
    ) -> Result<Looked<M, N>, Changed> {
        let rooms = self.rooms.read();
        let found = find().settled()?;
        Ok(found.and_then(|id| Some((Arc::clone(rooms.get(id)?), note(id)))))
    }

    /// Returns all rooms, in no particular order, each with what `note` says of its id.
    pub(crate) fn all<N>(&self, note: impl Fn(RoomId) -> N) -> Vec<(Arc<SharedRoom<M>>, N)> {
        let rooms = self.rooms.read();
        let noted = rooms
            .places
            .iter()
            .map(|(_, Place { shared, .. })| (Arc::clone(shared), note(shared.id())));
        noted.collect()
    }

    /// Returns all rooms, and makes no more from now on.
    pub(crate) fn shut_down(&self) -> Vec<Arc<SharedRoom<M>>> {
        let mut rooms = self.rooms.write();
        rooms.is_shutting_down = true;
        rooms.places.iter().map(|(_, place)| Arc::clone(&place.shared)).collect()
    }

    /// Returns the room that `find` tells, or a new one with the id that `begin` gives, and whether
    /// it is new. `make` gets that id, and what there is to know of the rooms before. One that has
    /// ended makes way for a new one. Nobody else opens, removes or names a room meanwhile.
    pub(crate) fn open<N>(
        &self,
        find: impl FnOnce() -> Found,
        begin: impl FnOnce() -> RoomId,
        make: impl FnOnce(RoomId, Beginning) -> Arc<SharedRoom<M>>,
        note: impl FnOnce(RoomId) -> N,
    ) -> Result<Result<Opened<M, N>, CreateRoomError>, Changed> {
        let mut rooms = self.rooms.write();
        // Dropping a room, or its name, may run foreign code: that waits until nothing is locked.
        let mut displaced = None;
        if let Some(id) = find().settled()?
            && let Some(shared) = rooms.get(id)
        {
            if !shared.is_ended() {
                let shared = Arc::clone(shared);
                return Ok(Ok(Opened { shared, is_new: false, note: note(id) }));
            }
            displaced =
                self.take_out(&mut rooms, id).map(|ended| (ended, self.names.forget_room(id)));
        }
        let made = if rooms.is_shutting_down {
            Err(CreateRoomError::ShuttingDown)
        } else if rooms.places.len() < self.max_rooms as usize {
            let id = begin();
            let beginning = rooms.beginning();
            let shared = make(id, beginning);
            rooms.insert(id, Arc::clone(&shared), beginning.worker);
            Ok(Opened { shared, is_new: true, note: note(id) })
        } else {
            Err(CreateRoomError::TooManyRooms { max: self.max_rooms })
        };
        drop(rooms);
        drop(displaced);
        Ok(made)
    }

    /// Forgets the room that `find` tells, and returns it with what `note` says of its id.
    pub(crate) fn remove<N>(
        &self,
        find: impl FnOnce() -> Found,
        note: impl FnOnce(RoomId) -> N,
    ) -> Result<Looked<M, N>, Changed> {
        let mut rooms = self.rooms.write();
        let Some(id) = find().settled()? else { return Ok(None) };
        let Some(removed) = self.take_out(&mut rooms, id) else { return Ok(None) };
        removed.stay_closed();
        let note = note(id);
        let name = self.names.forget_room(id);
        drop(rooms);
        drop(name);
        Ok(Some((removed, note)))
    }

    /// A room has ended: its id is free. Harmless when it has been given to another one.
    pub(crate) fn forget(&self, shared: &Arc<SharedRoom<M>>) {
        let mut rooms = self.rooms.write();
        let is_it = rooms.get(shared.id()).is_some_and(|other| Arc::ptr_eq(other, shared));
        let removed = if is_it { self.take_out(&mut rooms, shared.id()) } else { None };
        let displaced = removed.map(|removed| (self.names.forget_room(removed.id()), removed));
        drop(rooms);
        drop(displaced);
    }

    /// Returns how many slices the places of rooms make.
    pub(crate) fn slices(&self) -> usize {
        self.rooms.read().places.capacity().div_ceil(ROOMS_A_SLICE)
    }

    /// Returns the rooms of one slice. A room stays in its slice as long as it is in the hub.
    pub(crate) fn slice(&self, slice: usize) -> Vec<Arc<SharedRoom<M>>> {
        let rooms = self.rooms.read();
        let places = slice * ROOMS_A_SLICE..(slice + 1) * ROOMS_A_SLICE;
        let rooms = places.filter_map(|place| rooms.places.get(place));
        rooms.map(|place| Arc::clone(&place.shared)).collect()
    }

    /// Lets a session into a room; a profile that does not get in stays in `join`. By the rule of
    /// one room a user, it then takes the user out of the room that he or she joined before.
    ///
    /// No two rooms are locked at once. Each join is put down, and each leave asked for again,
    /// under the lock of its room's admission: when joins of one user race, the user ends up in the
    /// room that was put down last, and in no other.
    pub(crate) fn join(
        &self,
        shared: &Arc<SharedRoom<M>>,
        unsealed: &mut Unsealed<M>,
    ) -> Result<Joined, JoinError> {
        let mut joined = self.join_plain(shared, &mut unsealed.join)?;
        if unsealed.has_void_token {
            joined.start = StartPosition::Unknown;
        }
        Ok(joined)
    }

    fn join_plain(
        &self,
        shared: &Arc<SharedRoom<M>>,
        join: &mut Join<M>,
    ) -> Result<Joined, JoinError> {
        let Some(user_rooms) = &self.user_rooms else { return shared.join(join, &mut |_| {}) };
        let mut before = None;
        let user = join.as_user();
        let joined = shared
            .join(join, &mut |user| before = user_rooms.of(user).lock().enter(user, shared.id()))?;
        let Some(user) = user else { return Ok(joined) };
        if let Some(before) = before {
            self.leave(user_rooms, user, before);
        }
        for _ in 0..SUSPECTS {
            let next_stale_candidate = user_rooms.of(user).lock().next_stale_candidate();
            if let Some((user, room)) = next_stale_candidate {
                self.look_for(user_rooms, user, room);
            }
        }
        Ok(joined)
    }

    /// Takes a user out of a room that is not the last one joined. The owner stays.
    fn leave(&self, user_rooms: &Stripes, user: UserId, room: RoomId) {
        // A room that the user is not in any more, or that was made anew under its id, is not called.
        let Some(shared) = self.get(room).filter(|shared| shared.is_in(user)) else { return };
        // Who may not leave stays.
        let is_back = || user_rooms.of(user).lock().room_of(user) == Some(room);
        let _ = shared.leave(user, EndReason::JoinedElsewhere, is_back);
    }

    /// Forgets a user who is not where he or she is said to be.
    fn look_for(&self, user_rooms: &Stripes, user: UserId, room: RoomId) {
        let forget = || user_rooms.of(user).lock().forget(user, room);
        // Nobody makes this room meanwhile, or joins it.
        let rooms = self.rooms.read();
        match rooms.get(room) {
            Some(shared) => shared.unless_in(user, forget),
            None => forget(),
        }
    }

    /// Whether somebody has locked the rooms to change them.
    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.rooms.try_read().is_none()
    }

    #[cfg(test)]
    fn known(&self) -> u32 {
        self.user_rooms
            .as_ref()
            .map_or(0, |user_rooms| user_rooms.0.iter().map(|stripe| stripe.lock().len()).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Hub, Room};
    use crate::room::mentions::{DisplacedName, Knows};
    use crate::sync::{OnceLock, Weak};
    use roomcast_core::{Actor, Instant, RoomConfig};

    /// Names that note whether anybody could have looked while a room's was forgotten.
    #[derive(Debug, Default)]
    struct Witness {
        registry: OnceLock<Weak<RoomRegistry<&'static str>>>,
        forgotten: Mutex<Vec<(RoomId, bool)>>,
    }

    impl Mentions for Witness {
        fn note(&self, _: Instant, _: UserId, _: Weak<dyn Knows>) {}

        fn look(&self, _: Instant, _: UserId) {}

        fn lasting(&self, user: UserId) -> u64 {
            user.0
        }

        fn forget_room(&self, id: RoomId) -> DisplacedName {
            let registry = self.registry.get().and_then(Weak::upgrade).unwrap();
            let is_locked = registry.is_locked();
            self.forgotten.lock().push((id, is_locked));
            None
        }
    }

    #[test]
    fn a_name_goes_under_the_lock_that_its_room_goes_under() {
        let (hub, mut drivers) = Hub::<&'static str>::builder().workers(1).by_hand();
        let witness = Arc::new(Witness::default());
        let registry =
            Arc::new(RoomRegistry::new(10, 1, None, Arc::clone(&witness) as Arc<dyn Mentions>));
        witness.registry.set(Arc::downgrade(&registry)).unwrap();
        let mut open = |id: u64| {
            let id = RoomId(id);
            let room = hub.create_room(id, &RoomConfig::default()).unwrap();
            let found = || Found::Room(id);
            let opened = registry.open(found, || id, |_, _| Arc::clone(room.shared()), |_| ());
            (room, opened.unwrap().unwrap().shared)
        };
        // One is removed, one ends and is forgotten, and one ends and makes way.
        let rooms = [1, 2, 3].map(&mut open);
        registry.remove(|| Found::Room(RoomId(1)), |_| ()).unwrap().unwrap();
        for (room, _) in &rooms {
            room.close(Actor::Host).unwrap();
            drivers[0].turn();
            assert!(room.shared().is_ended());
        }
        registry.forget(&rooms[1].1);
        open(3);
        let forgotten = [1, 2, 3].map(|id| (RoomId(id), true));
        assert_eq!(*witness.forgotten.lock(), forgotten);
    }

    /// The rooms 0 and 1 of a hub where each user is in one room.
    fn two_rooms() -> (Hub<&'static str>, [Room<&'static str>; 2]) {
        let hub = Hub::<&'static str>::builder()
            .workers(1)
            .exclusive_membership()
            .spawn_threads()
            .unwrap();
        let rooms = [0, 1]
            .map(|id| hub.create_room(RoomId(id), &RoomConfig::av_chat_room(UserId(1))).unwrap());
        (hub, rooms)
    }

    #[test]
    fn a_hub_forgets_who_has_left_as_others_join() {
        let (_hub, rooms) = two_rooms();
        let mut most = 0;
        for user in 2..5_000 {
            let session =
                rooms[user as usize % 2].join(Join::user(UserId(user))).unwrap().session();
            rooms[user as usize % 2].session(session).close();
            most = most.max(rooms[0].registry().known());
        }
        assert!(
            (STRIPES as u32 / 2..=4 * STRIPES as u32).contains(&most),
            "{most} were known at a time"
        );
    }

    #[test]
    fn a_late_leave_spares_who_has_come_back() {
        let (_hub, rooms) = two_rooms();
        let users = |room: usize| rooms[room].stats().room.admission.users;
        let (user, registry) = (UserId(7), rooms[0].registry());
        let user_rooms = registry.user_rooms.as_ref().unwrap();
        let _session = rooms[0].join(Join::user(user)).unwrap();
        // Another thread's join of room 1 was put down, and then this one: only now does the other
        // come to take the user out of here.
        registry.leave(user_rooms, user, RoomId(0));
        assert_eq!((users(0), users(1)), (1, 0));
        user_rooms.of(user).lock().enter(user, RoomId(1));
        registry.leave(user_rooms, user, RoomId(0));
        assert_eq!((users(0), users(1)), (0, 0));
    }
}
