//! The host's names of users and rooms, and the numbers that stand for them in the core.
//!
//! A number is drawn once and never again in this process, so whoever comes back under a name that
//! was forgotten has none of the old one's rights, and nobody else gets them. The numbers begin at
//! another place in each process: those of a list that an earlier one left behind mean nobody.
//!
//! # How long a name is kept
//!
//! A room notes a user when it has a reason to remember him or her: a session, a role, a mute, a
//! ban. Nobody tells when that reason has gone. So whenever a name is new, and whenever a user of a
//! name joins, some entries have to prove themselves: the rooms that noted them are asked, a few at
//! a time, and an entry that no room knows, and that nobody has asked for in a minute, goes. The
//! table holds those who are needed, those of the last minutes, and about as many again. An entry
//! counts how often it was noted or asked for: what a room has said in between is void.
//!
//! # Locks
//!
//! A stripe of users, and the names of rooms, are leaves: nothing is locked under them. A stripe is
//! locked under a room's admission when the room notes a user, the names of rooms under the
//! registry's lock when a room is opened. A look at an entry locks the stripe, lets go, asks one
//! room after the other, and locks the stripe again. Names are hashed, and dropped, with nothing
//! locked; only `Eq` and `Clone` of a user's name run under a leaf, and of a room's under no lock.

use super::name::{AsIs, Name, STRIPES, draw};
use super::room_names::RoomNames;
use crate::room::mentions::{DisplacedName, Knows, Mentions};
use crate::sync::{Mutex, Weak};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, RoomId, UserId};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// How long a name is kept that no room knows.
const GRACE: Duration = Duration::from_secs(60);
/// Entries in turn that are looked at each time.
const SUSPECTS: usize = 2;
/// Rooms of an entry that are asked each time.
const ROOMS_ASKED: usize = 2;

/// The names of a hub.
pub(crate) struct Names<U> {
    state: RandomState,
    users: Box<[Mutex<Users<U>>]>,
    rooms: RoomNames<U>,
}

impl<U> fmt::Debug for Names<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("users", &self.len()).finish_non_exhaustive()
    }
}

/// A name with its hash, which is taken before anything is locked.
#[derive(Clone, PartialEq, Eq)]
struct Hashed<U> {
    hash: u64,
    name: U,
}

impl<U: Eq> Hash for Hashed<U> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

type ByName<U> = HashMap<Hashed<U>, UserId, BuildHasherDefault<AsIs>>;

struct Users<U> {
    by_name: ByName<U>,
    entries: HashMap<UserId, Entry<U>>,
    /// All numbers, each at the place that its entry tells.
    order: Vec<UserId>,
    /// The next place that is looked at.
    hand: usize,
}

struct Entry<U> {
    name: Hashed<U>,
    place: usize,
    /// When somebody last asked for it, or a room was last found to know it no longer.
    touched: Instant,
    /// How often it was noted or asked for.
    version: u64,
    /// The rooms that noted it, by their addresses.
    rooms: SmallVec<[Weak<dyn Knows>; 1]>,
    /// The next of them that is asked.
    hand: usize,
}

/// Rooms that are to be asked about a user.
struct Look {
    user: UserId,
    version: u64,
    rooms: SmallVec<[Weak<dyn Knows>; ROOMS_ASKED]>,
}

fn address(room: &Weak<dyn Knows>) -> usize {
    room.as_ptr().cast::<()>() as usize
}

impl<U> Names<U> {
    pub(crate) fn new() -> Self {
        let users = || Users {
            by_name: HashMap::default(),
            entries: HashMap::new(),
            order: Vec::new(),
            hand: 0,
        };
        Self {
            state: RandomState::new(),
            users: (0..STRIPES).map(|_| Mutex::new(users())).collect(),
            rooms: RoomNames::default(),
        }
    }

    /// Returns how many users have an entry.
    pub(crate) fn len(&self) -> usize {
        self.users.iter().map(|users| users.lock().order.len()).sum()
    }

    fn users_of(&self, user: UserId) -> &Mutex<Users<U>> {
        &self.users[user.0 as usize % STRIPES]
    }
}

impl<U: Name> Names<U> {
    /// A name, hashed; with nothing locked.
    fn hashed(&self, name: U) -> Hashed<U> {
        Hashed { hash: self.state.hash_one(&name), name }
    }

    /// Returns the number of a user, who has an entry from now on. With nothing locked.
    pub(crate) fn user_id(&self, now: Instant, name: U) -> UserId {
        let name = self.hashed(name);
        // Bits that the table of the stripe makes little use of.
        let stripe = (name.hash >> 40) as usize % STRIPES;
        let (user, is_new) = self.users[stripe].lock().intern(now, name, stripe);
        if is_new {
            self.look_at_some(now, user);
        }
        user
    }

    /// Returns the name of a user, if there is an entry.
    pub(crate) fn user_name(&self, user: UserId) -> Option<U> {
        let users = self.users_of(user).lock();
        users.entries.get(&user).map(|entry| entry.name.name.clone())
    }

    /// The names of rooms.
    pub(super) fn rooms(&self) -> &RoomNames<U> {
        &self.rooms
    }

    /// Looks at some entries of a stripe in turn, that of this user.
    fn look_at_some(&self, now: Instant, user: UserId) {
        for _ in 0..SUSPECTS {
            let look = self.users_of(user).lock().next_look(now);
            if let Some(look) = look {
                self.finish_look(now, look);
            }
        }
    }

    fn finish_look(&self, now: Instant, look: Look) {
        let Look { user, version, mut rooms } = look;
        // A room of which this is the last handle is dropped here, with nothing locked.
        rooms.retain(|room| !room.upgrade().is_some_and(|room| room.knows(user)));
        let forgotten = self.users_of(user).lock().end_look(now, user, version, &rooms);
        drop(forgotten);
    }
}

impl<U: Name> Users<U> {
    fn intern(&mut self, now: Instant, name: Hashed<U>, stripe: usize) -> (UserId, bool) {
        if let Some(&user) = self.by_name.get(&name) {
            self.touch(now, user);
            return (user, false);
        }
        let (user, place) = (UserId(draw(stripe)), self.order.len());
        self.by_name.insert(name.clone(), user);
        let rooms = SmallVec::new();
        let entry = Entry { name, place, touched: now, version: 0, rooms, hand: 0 };
        self.entries.insert(user, entry);
        self.order.push(user);
        (user, true)
    }

    fn touch(&mut self, now: Instant, user: UserId) -> Option<&mut Entry<U>> {
        let entry = self.entries.get_mut(&user)?;
        entry.touched = entry.touched.max(now);
        entry.version += 1;
        Some(entry)
    }

    /// The rooms to ask about the entry whose turn it is, unless it was asked for a short time ago.
    fn next_look(&mut self, now: Instant) -> Option<Look> {
        let place = if self.hand < self.order.len() { self.hand } else { 0 };
        let user = *self.order.get(place)?;
        self.hand = place + 1;
        let entry = self.entries.get(&user)?;
        if now < entry.touched + GRACE { None } else { self.look(user) }
    }

    /// The rooms to ask about an entry.
    fn look(&mut self, user: UserId) -> Option<Look> {
        let entry = self.entries.get_mut(&user)?;
        let asked = ROOMS_ASKED.min(entry.rooms.len());
        let rooms = (0..asked).map(|next| {
            let place = (entry.hand + next) % entry.rooms.len();
            Weak::clone(&entry.rooms[place])
        });
        let rooms = rooms.collect();
        entry.hand = (entry.hand + asked) % entry.rooms.len().max(1);
        Some(Look { user, version: entry.version, rooms })
    }

    /// Forgets the rooms that know a user no longer, and the user with the last of them. Returns
    /// what is to be dropped with nothing locked.
    fn end_look(
        &mut self,
        now: Instant,
        user: UserId,
        version: u64,
        unknown: &[Weak<dyn Knows>],
    ) -> Option<(Hashed<U>, Hashed<U>)> {
        let entry = self.entries.get_mut(&user).filter(|entry| entry.version == version)?;
        let before = entry.rooms.len();
        for room in unknown {
            if let Ok(place) = entry.rooms.binary_search_by_key(&address(room), address) {
                entry.rooms.remove(place);
            }
        }
        if entry.rooms.len() < before {
            // Events and messages that name the user are still on their way.
            entry.touched = entry.touched.max(now);
        }
        if !entry.rooms.is_empty() || now < entry.touched + GRACE {
            return None;
        }
        let entry = self.entries.remove(&user)?;
        self.order.swap_remove(entry.place);
        if let Some(moved) = self.order.get(entry.place)
            && let Some(moved) = self.entries.get_mut(moved)
        {
            moved.place = entry.place;
        }
        let (key, _) = self.by_name.remove_entry(&entry.name)?;
        Some((key, entry.name))
    }
}

impl<U: Name> Mentions for Names<U> {
    fn note(&self, now: Instant, user: UserId, room: Weak<dyn Knows>) {
        let mut users = self.users_of(user).lock();
        let Some(entry) = users.touch(now, user) else { return };
        if let Err(place) = entry.rooms.binary_search_by_key(&address(&room), address) {
            entry.rooms.insert(place, room);
        }
    }

    fn look(&self, now: Instant, user: UserId) {
        let look = self.users_of(user).lock().look(user);
        if let Some(look) = look.filter(|look| look.rooms.len() > 1) {
            self.finish_look(now, look);
        }
        self.look_at_some(now, user);
    }

    fn lasting(&self, user: UserId) -> u64 {
        let users = self.users_of(user).lock();
        users.entries.get(&user).map_or(user.0, |entry| entry.name.hash)
    }

    fn forget_room(&self, id: RoomId) -> DisplacedName {
        self.rooms.forget(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::mentions::FIRST_NAMED;
    use crate::sync::Arc;
    use crate::sync::atomic::AtomicBool;
    use crate::sync::atomic::Ordering;
    use std::collections::HashSet;

    /// A room that knows everyone, or nobody.
    struct Room(AtomicBool);

    impl Knows for Room {
        fn knows(&self, _: UserId) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn room(knows: bool) -> (Arc<Room>, Weak<dyn Knows>) {
        let room = Arc::new(Room(AtomicBool::new(knows)));
        let weak: Weak<Room> = Arc::downgrade(&room);
        (room, weak)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn names() -> Names<Arc<str>> {
        Names::new()
    }

    /// Has every entry looked at, by as many looks as there may be entries.
    fn look_at_all(names: &Names<Arc<str>>, now: Instant) {
        for stripe in 0..STRIPES as u64 {
            (0..20).for_each(|_| names.look_at_some(now, UserId(stripe)));
        }
    }

    #[test]
    fn a_name_has_one_number_in_the_upper_half() {
        let names = names();
        let ann = names.user_id(at(0), "ann".into());
        assert_eq!(names.user_id(at(1), "ann".into()), ann);
        let bob = names.user_id(at(0), "bob".into());
        assert_ne!(ann, bob);
        assert!(ann.0 >= FIRST_NAMED && bob.0 >= FIRST_NAMED);
        assert_eq!(names.user_name(ann).as_deref(), Some("ann"));
        assert_eq!(names.user_name(UserId(7)), None);
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn an_entry_goes_a_minute_after_the_last_room() {
        let names = names();
        let ann = names.user_id(at(0), "ann".into());
        let (room, weak) = room(true);
        names.note(at(0), ann, weak);
        look_at_all(&names, at(1_000));
        assert_eq!(names.len(), 1, "the room knows it");
        room.0.store(false, Ordering::Relaxed);
        look_at_all(&names, at(1_000));
        assert_eq!(names.user_name(ann).as_deref(), Some("ann"), "events are still on their way");
        look_at_all(&names, at(1_059));
        assert_eq!(names.len(), 1);
        look_at_all(&names, at(1_060));
        assert_eq!((names.len(), names.user_name(ann)), (0, None));
        assert_ne!(names.user_id(at(1_060), "ann".into()), ann);
    }

    #[test]
    fn an_old_answer_of_a_room_is_void() {
        let names = names();
        let ann = names.user_id(at(0), "ann".into());
        let (_room, weak) = room(false);
        names.note(at(0), ann, weak.clone());
        let look = names.users_of(ann).lock().look(ann).unwrap();
        // Between the answer of the room and the end of the look the user joins.
        names.note(at(0), ann, weak);
        names.finish_look(at(100), look);
        assert_eq!(names.users_of(ann).lock().entries[&ann].rooms.len(), 1);
        // Undisturbed, it counts.
        let look = names.users_of(ann).lock().look(ann).unwrap();
        names.finish_look(at(100), look);
        assert_eq!(names.users_of(ann).lock().entries[&ann].rooms.len(), 0);
    }

    #[test]
    fn going_from_room_to_room_leaves_no_trail() {
        let names = names();
        let ann = names.user_id(at(0), "ann".into());
        let (_home, home) = room(true);
        names.note(at(0), ann, home);
        let mut most = 0;
        for _ in 0..1_000 {
            let (_visited, weak) = room(false);
            names.note(at(0), ann, weak);
            names.look(at(0), ann);
            most = most.max(names.users_of(ann).lock().entries[&ann].rooms.len());
        }
        assert!(most <= 4, "{most} rooms at a time");
    }

    #[test]
    fn threads_get_one_number_for_one_name() {
        let names = names();
        let numbers: Vec<Vec<UserId>> = std::thread::scope(|scope| {
            let ask = |_| {
                let names = &names;
                scope.spawn(move || {
                    let ids = (0..500).map(|id| names.user_id(at(0), format!("{id}").into()));
                    ids.collect()
                })
            };
            let threads: Vec<_> = (0..2).map(ask).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(numbers[0], numbers[1]);
        assert_eq!(numbers[0].iter().collect::<HashSet<_>>().len(), 500);
    }
}
