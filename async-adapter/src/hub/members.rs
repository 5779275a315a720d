//! Who is in a room, and whose it is.

use super::name::Name;
use super::room::Room;
use roomcast_core::member::{Member, MemberList};
use roomcast_core::{Admission, Payload, UserId};

impl<M: Payload + Send + Sync + 'static, U: Name> Room<M, U> {
    /// Returns the users who came online last by a join and are online now, the newest first: of
    /// the last 1,000 arrivals, or as many as
    /// [`recent_users`](crate::config::RoomConfigBuilder::recent_users) says.
    ///
    /// # Cost
    /// O(n log n) of the arrivals. Publishers wait while those are copied, and for a few of them at
    /// a time while it is looked up who is still online.
    pub fn recent_users(&self) -> Vec<UserId> {
        self.current().recent_users()
    }

    /// As [`recent_users`](Self::recent_users), the names of those who have one.
    pub fn recent_names(&self) -> Vec<U> {
        let users = self.recent_users();
        users.into_iter().filter_map(|user| self.user_name(user)).collect()
    }

    /// Returns the members of a list who are online: the newest, those of a role, or who is marked;
    /// when each joined, the role, the profile and the mark. [`user_name`](Self::user_name) has the
    /// names.
    ///
    /// ```
    /// # use roomcast::moderation::{MemberList, Role};
    /// # use roomcast::{Actor, Hub, RoomConfig};
    /// let hub = Hub::<&str>::builder().spawn_threads()?;
    /// let room = hub.open_room("stream-42", &RoomConfig::default())?;
    /// let (ann, bob) = (room.join("ann")?, room.join("bob")?);
    /// room.moderation(Actor::Host).mark(&[room.user_id("ann")])?;
    /// let marked = room.members(MemberList::Marked);
    /// assert_eq!(room.user_name(marked[0].user).as_deref(), Some("ann"));
    /// assert_eq!(room.members(MemberList::Role(Role::Member)).len(), 2);
    /// # drop((ann, bob));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// As [`recent_users`](Self::recent_users); and O(the marks) where they are asked for.
    pub fn members(&self, list: MemberList) -> Vec<Member<M>> {
        self.current().members(list)
    }

    /// Returns whose room it is, if anybody's.
    pub fn owner(&self) -> Option<UserId> {
        self.current().peek(Admission::owner)
    }
}
