//! Signs of life: the audience finds the silent sessions, the admission knows who is online.
//! [Clause A7](crate::rulebook#a7-heartbeats).

use super::RoomState;
use crate::ids::{SessionId, UserId};
use crate::member::{Member, MemberList};
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

    /// The members of a list who are online: the newest, those of a role, or who is marked. See
    /// [`Admission::members`](crate::Admission::members).
    ///
    /// ```
    /// use roomcast_core::member::MemberList;
    /// use roomcast_core::rights::Role;
    /// use roomcast_core::{Actor, Instant, Join, RoomConfig, RoomState, UserId};
    ///
    /// let mut room: RoomState<&str> = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
    /// let now = Instant::from_secs(5);
    /// room.join(now, Join::user(UserId(7)).profile("Ann"))?;
    /// room.add_admin(now, Actor::Host, UserId(7))?;
    /// let admins = room.members(MemberList::Role(Role::Admin));
    /// assert_eq!((admins[0].user, admins[0].joined_at), (UserId(7), Some(now)));
    /// assert_eq!(admins[0].profile.as_deref(), Some(&"Ann"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn members(&self, list: MemberList) -> Vec<Member<M>> {
        self.admission.members(list)
    }
}
