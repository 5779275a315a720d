//! Which room each user is in, where that is one at a time: bounded memory without a cleaning task.
//! [Clause A8](crate::rulebook#a8-one-room-for-each-user).

use crate::chunked::Slab;
use crate::ids::{RoomId, UserId};
use crate::index::{Hasher, Index};

/// The room that each user has joined last, for the rule of one room a user.
///
/// [`Engine`](crate::Engine) has one inside, and so has a hub; it is for hosts that spread rooms
/// over several of them. It hears of joins only. Who has left, or whose room is gone, is found when
/// somebody else joins: the host asks for a [`next_stale_candidate`](Self::next_stale_candidate)
/// twice a join and has it [`forget`](Self::forget) those who are not where it says. So it holds at
/// most about twice as many users as are in rooms, or ever were at one time: 16 bytes each and 10
/// for the index.
///
/// ```
/// use roomcast_core::{RoomId, UserId};
/// use roomcast_core::user_rooms::UserRooms;
///
/// let mut user_rooms = UserRooms::new(0);
/// assert_eq!(user_rooms.enter(UserId(7), RoomId(1)), None);
/// assert_eq!(user_rooms.enter(UserId(7), RoomId(1)), None, "a second device");
/// assert_eq!(user_rooms.enter(UserId(7), RoomId(2)), Some(RoomId(1)), "the host takes the user out there");
/// assert_eq!(user_rooms.room_of(UserId(7)), Some(RoomId(2)));
/// ```
#[derive(Debug)]
pub struct UserRooms {
    entries: Slab<(UserId, RoomId)>,
    index: Index,
    hasher: Hasher,
    /// The next slot that is looked at.
    hand: u32,
}

impl UserRooms {
    /// Of nobody yet. The seed keeps outsiders from choosing ids that collide.
    pub const fn new(seed: u64) -> Self {
        Self { entries: Slab::new(), index: Index::new(), hasher: Hasher::new(seed), hand: 0 }
    }

    /// The room that a user joined last, as far as it is known. O(1).
    pub fn room_of(&self, user: UserId) -> Option<RoomId> {
        self.slot(user).map(|slot| self.entries[slot].1)
    }

    /// A user has joined a room. Returns the one that the user joined before, if it is another.
    /// O(1).
    pub fn enter(&mut self, user: UserId, room: RoomId) -> Option<RoomId> {
        if let Some(slot) = self.slot(user) {
            let before = core::mem::replace(&mut self.entries[slot].1, room);
            return Some(before).filter(|&before| before != room);
        }
        let slot = self.entries.insert((user, room));
        let (entries, hasher) = (&self.entries, self.hasher);
        self.index.insert(hasher.hash(user.0), slot, |slot| hasher.hash(entries[slot].0.0));
        None
    }

    /// The next place in turn: a user and the room where the user should be; `None` when that place
    /// is free. O(1).
    pub fn next_stale_candidate(&mut self) -> Option<(UserId, RoomId)> {
        let slot = self.hand;
        self.hand = if slot + 1 < self.entries.slots() { slot + 1 } else { 0 };
        self.entries.get(slot).copied()
    }

    /// Forgets that a user is in a room; harmless when the user is known to be elsewhere by now.
    /// O(1).
    pub fn forget(&mut self, user: UserId, room: RoomId) {
        let Some(slot) = self.slot(user).filter(|&slot| self.entries[slot].1 == room) else {
            return;
        };
        self.index.remove(self.hasher.hash(user.0), slot);
        self.entries.remove(slot);
    }

    /// Users who are known, those included who have left and have not been found out.
    pub fn len(&self) -> u32 {
        self.entries.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot(&self, user: UserId) -> Option<u32> {
        self.index.find(self.hasher.hash(user.0), |slot| self.entries[slot].0 == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_room_that_is_still_said_is_forgotten() {
        let mut user_rooms = UserRooms::new(0);
        user_rooms.enter(UserId(1), RoomId(1));
        user_rooms.enter(UserId(2), RoomId(1));
        user_rooms.enter(UserId(1), RoomId(2));
        user_rooms.forget(UserId(1), RoomId(1));
        assert_eq!((user_rooms.room_of(UserId(1)), user_rooms.len()), (Some(RoomId(2)), 2));
        user_rooms.forget(UserId(1), RoomId(2));
        user_rooms.forget(UserId(1), RoomId(2));
        assert_eq!((user_rooms.room_of(UserId(1)), user_rooms.len()), (None, 1));
        let seen: alloc::vec::Vec<_> = (0..4).map(|_| user_rooms.next_stale_candidate()).collect();
        let second = Some((UserId(2), RoomId(1)));
        assert_eq!(seen, [None, second, None, second]);
    }

    /// They take no more than those who are in.
    #[test]
    fn those_who_have_left_take_no_extra_room() {
        let mut user_rooms = UserRooms::new(3);
        let mut most = 0;
        for user in 0..100_000_u64 {
            user_rooms.enter(UserId(user), RoomId(user % 5));
            // The last 1,000 are in.
            for _ in 0..2 {
                if let Some((other, room)) =
                    user_rooms.next_stale_candidate().filter(|(other, _)| other.0 + 1_000 <= user)
                {
                    user_rooms.forget(other, room);
                }
            }
            most = most.max(user_rooms.len());
            if user % 7_777 == 0 {
                assert!(
                    (user.saturating_sub(999)..=user)
                        .all(|user| user_rooms.room_of(UserId(user)).is_some())
                );
            }
        }
        assert!((1_000..=2_010).contains(&most), "{most} were known at a time");
    }
}
