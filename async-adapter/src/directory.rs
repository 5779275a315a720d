//! The rooms of a hub, and the rule that goes across them: one room a user (clause A8).

use crate::cell::Cell;
use parking_lot::{Mutex, RwLock};
use roomcast_core::{EndReason, Homes, Join, JoinError, Joined, Payload, RoomId, UserId};
use std::collections::HashMap;
use std::sync::Arc;

/// Locks that the users' homes are spread over.
const STRIPES: usize = 16;
/// Users whose place each join looks at, whether they are still there.
const SUSPECTS: usize = 2;

/// The rooms of a hub. Rooms do not know of it, or it would never end.
#[derive(Debug)]
pub(crate) struct Directory<M> {
    pub(crate) rooms: RwLock<HashMap<RoomId, Arc<Cell<M>>>>,
    homes: Option<Stripes>,
}

/// Which room each user is in. The last locks that anybody takes: a room's admission may be locked, and nothing is called under them.
#[derive(Debug)]
struct Stripes(Box<[Mutex<Homes>]>);

impl Stripes {
    fn new(seed: u64) -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(Homes::new(seed))).collect())
    }

    fn of(&self, user: UserId) -> &Mutex<Homes> {
        &self.0[(user.0 ^ user.0 >> 32) as usize % STRIPES]
    }
}

impl<M> Directory<M> {
    /// `homes`: the seed of the users' homes, where each user is in one room.
    pub(crate) fn new(homes: Option<u64>) -> Self {
        Self { rooms: RwLock::default(), homes: homes.map(Stripes::new) }
    }
}

impl<M: Payload + Send + Sync + 'static> Directory<M> {
    /// Lets a session into a room. By the rule of one room a user, it then takes the user out of the room that he or she joined before.
    ///
    /// No two rooms are locked at once. Each join is put down, and each leave asked for again, under the lock of its room's admission: when
    /// joins of one user race, the user ends up in the room that was put down last, and in no other.
    pub(crate) fn join(&self, cell: &Arc<Cell<M>>, join: Join<M>) -> Result<Joined, JoinError> {
        let Some(homes) = &self.homes else { return cell.join(join, &mut |_| {}) };
        let mut before = None;
        let user = join.as_user();
        let joined = cell.join(join, &mut |user| before = homes.of(user).lock().enter(user, cell.id()))?;
        let Some(user) = user else { return Ok(joined) };
        if let Some(before) = before {
            self.leave(homes, user, before);
        }
        for _ in 0..SUSPECTS {
            let suspect = homes.of(user).lock().suspect();
            if let Some((user, room)) = suspect {
                self.look_for(homes, user, room);
            }
        }
        Ok(joined)
    }

    /// Takes a user out of a room that is not the last one joined. The owner stays (clause A4).
    fn leave(&self, homes: &Stripes, user: UserId, room: RoomId) {
        let Some(cell) = self.rooms.read().get(&room).cloned() else { return };
        // Who is not in, or may not leave, has nothing to leave.
        let is_back = || homes.of(user).lock().home(user) == Some(room);
        let _ = cell.leave(user, EndReason::JoinedElsewhere, is_back);
    }

    /// Forgets a user who is not where he or she is said to be.
    fn look_for(&self, homes: &Stripes, user: UserId, room: RoomId) {
        let forget = || homes.of(user).lock().forget(user, room);
        // Nobody makes this room meanwhile, or joins it.
        let rooms = self.rooms.read();
        match rooms.get(&room) {
            Some(cell) => cell.unless_in(user, forget),
            None => forget(),
        }
    }

    #[cfg(test)]
    fn known(&self) -> u32 {
        self.homes.as_ref().map_or(0, |homes| homes.0.iter().map(|stripe| stripe.lock().len()).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Hub;
    use roomcast_core::RoomConfig;

    #[test]
    fn a_hub_forgets_who_has_left_as_others_join() {
        let hub: Hub<&'static str> = Hub::<&'static str>::builder().shards(1).one_room_a_user().spawn_threads().unwrap();
        let rooms: Vec<_> = (0..2).map(|id| hub.create_room(RoomId(id), &RoomConfig::av_chat_room(UserId(1))).unwrap()).collect();
        let mut most = 0;
        for user in 2..5_000 {
            let session = rooms[user as usize % 2].join(Join::user(UserId(user))).unwrap().session();
            rooms[user as usize % 2].close_session(session);
            most = most.max(rooms[0].directory().known());
        }
        assert!((STRIPES as u32 / 2..=4 * STRIPES as u32).contains(&most), "{most} were known at a time");
    }

    #[test]
    fn a_leave_that_comes_late_leaves_who_has_come_back_alone() {
        let hub: Hub<&'static str> = Hub::<&'static str>::builder().shards(1).one_room_a_user().spawn_threads().unwrap();
        let rooms: Vec<_> = (0..2).map(|id| hub.create_room(RoomId(id), &RoomConfig::av_chat_room(UserId(1))).unwrap()).collect();
        let users = |room: usize| rooms[room].snapshot().room.admission.users;
        let (user, directory) = (UserId(7), rooms[0].directory());
        let homes = directory.homes.as_ref().unwrap();
        let _session = rooms[0].join(Join::user(user)).unwrap();
        // Another thread's join of room 1 was put down, and then this one: only now does the other come to take the user out of here.
        directory.leave(homes, user, RoomId(0));
        assert_eq!((users(0), users(1)), (1, 0));
        homes.of(user).lock().enter(user, RoomId(1));
        directory.leave(homes, user, RoomId(0));
        assert_eq!((users(0), users(1)), (0, 0));
    }
}
