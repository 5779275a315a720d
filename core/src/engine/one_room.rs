//! One room for each user, a rule across rooms:
//! [clause A8](crate::rulebook#a8-one-room-for-each-user).

use super::{Engine, NoSuchRoom};
use crate::error::JoinError;
use crate::event::Joined;
use crate::ids::{RoomId, UserId};
use crate::message::Payload;
use crate::rules::Join;
use crate::time::Instant;
use crate::user_rooms::UserRooms;

/// Users whose place each join looks at, whether they are still there.
const SUSPECTS: usize = 2;

/// Why a join through the engine was not granted. Nothing has changed, in this room or in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineJoinError {
    /// There is no such room.
    #[error(transparent)]
    NoSuchRoom(#[from] NoSuchRoom),
    /// The room did not grant it.
    #[error(transparent)]
    Join(#[from] JoinError),
}

impl<M: Payload> Engine<M> {
    /// This engine with the rule that a user is in one room at a time; set it before anyone joins.
    /// [`join`](Self::join) keeps it.
    ///
    /// The engine then knows for each user which room that was last. It forgets those who have left
    /// as others join, so that it never knows more than about twice as many as there are at one
    /// time.
    #[must_use]
    pub fn exclusive_membership(mut self) -> Self {
        self.user_rooms = Some(UserRooms::new(self.seed));
        self
    }

    /// Lets a session into a room. O(1).
    ///
    /// With [`exclusive_membership`](Self::exclusive_membership), a user who is let in leaves the
    /// room that he or she joined before through this call: the sessions there still get what they
    /// are due, then [`EndReason::JoinedElsewhere`](crate::event::EndReason::JoinedElsewhere). A
    /// second device in the same room leaves nothing; nobody leaves a room that he or she owns;
    /// guests are in as many as they like. Who joins a room by [`room_mut`](Self::room_mut)
    /// goes by the rule's back.
    ///
    /// # Errors
    /// There is no such room, or it did not grant the join; then nothing is left either.
    pub fn join(
        &mut self,
        now: Instant,
        id: RoomId,
        join: Join<M>,
    ) -> Result<Joined, EngineJoinError> {
        let user = join.as_user();
        let joined = self.room_mut(id)?.join(now, join)?;
        if let Some(user) = user {
            self.settle(now, id, user);
        }
        Ok(joined)
    }

    /// A user is in this room now, and in no other.
    fn settle(&mut self, now: Instant, id: RoomId, user: UserId) {
        let Some(user_rooms) = &mut self.user_rooms else { return };
        let before = user_rooms.enter(user, id);
        // A room that the user is not in any more, or that was made anew under its id, is left alone.
        let before = before.filter(|&before| self.is_in(before, user));
        if let Some(mut room) = before.and_then(|before| self.room_mut(before).ok()) {
            // The owner does not leave.
            let _ = room.leave_for_another(now, user);
        }
        for _ in 0..SUSPECTS {
            let Some((user, room)) =
                self.user_rooms.as_mut().and_then(UserRooms::next_stale_candidate)
            else {
                continue;
            };
            let is_there = self.is_in(room, user);
            if let Some(user_rooms) = self.user_rooms.as_mut().filter(|_| !is_there) {
                user_rooms.forget(user, room);
            }
        }
    }

    /// Whether there is such a room, and the user has a session in it that does not end.
    fn is_in(&self, room: RoomId, user: UserId) -> bool {
        self.room(room).is_ok_and(|room| !room.sessions_of(user).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RoomConfig;

    #[test]
    fn who_has_left_is_forgotten_as_others_join() {
        let mut engine: Engine<&str> = Engine::new(10, 0).exclusive_membership();
        let config = RoomConfig::av_chat_room(UserId(1));
        for id in 0..3 {
            engine.create_room(RoomId(id), &config).unwrap();
        }
        let now = Instant::ZERO;
        // Half of them leave, the others' room is removed with them.
        for user in 2..20_000 {
            let id = RoomId(user % 2);
            engine.join(now, id, Join::user(UserId(user))).unwrap();
            if user % 100 == 0 {
                engine.remove_room(now, RoomId(0)).unwrap();
                engine.create_room(RoomId(0), &config).unwrap();
            }
            if user % 2 == 1 {
                engine.room_mut(id).unwrap().leave(now, UserId(user)).unwrap();
            }
            let known = engine.user_rooms.as_ref().map_or(0, UserRooms::len);
            assert!(known <= 110, "{known} are known after user {user}");
        }
    }
}
