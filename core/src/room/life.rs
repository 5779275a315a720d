//! Signs of life: the audience finds the silent sessions, the admission knows who is online.
//! [Clause A7](crate::rulebook#a7-heartbeats).

use super::RoomState;
use crate::ids::{SessionId, UserId};
use crate::message::Payload;
use crate::time::Instant;
use alloc::vec::Vec;

impl<M: Payload> RoomState<M> {
    /// A session shows life, as with each heartbeat that its client sends. Returns whether it is in
    /// and nothing has closed it. O(1). See [`Heartbeat`](crate::config::Heartbeat).
    pub fn touch(&mut self, now: Instant, session: SessionId) -> bool {
        self.halves().touch(now, session)
    }

    /// Whether a user is online: has a session that is not silent. O(sessions of the user).
    pub fn is_online(&self, user: UserId) -> bool {
        self.admission.is_online(user)
    }

    /// The users who came online last by a join and are online now, the newest first. See
    /// [`Admission::recent_users`](crate::Admission::recent_users).
    pub fn recent_users(&self) -> Vec<UserId> {
        self.admission.recent_users()
    }
}
