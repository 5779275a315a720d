//! Members of a room, as its lists tell them: [clause A12](crate::rulebook#a12-who-is-online).

use crate::ids::UserId;
use crate::rights::Role;
use crate::time::Instant;
use alloc::sync::Arc;

/// Which of the users who are online a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberList {
    /// Who came last by a join, the newest first: of the last
    /// [`recent_users`](crate::config::RoomConfigBuilder::recent_users) arrivals, those who have not
    /// gone since.
    Newest,
    /// Who has this role: the owner, the admins in the order in which they were named, or those of
    /// the newest who are neither.
    Role(Role),
    /// Who is [marked](crate::RoomState::mark), by id.
    Marked,
}

/// A user who is online.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<M> {
    /// The user.
    pub user: UserId,
    /// When the user came online by a join, the last time; `None` where that is not among the last
    /// [`recent_users`](crate::config::RoomConfigBuilder::recent_users) arrivals any more.
    pub joined_at: Option<Instant>,
    /// What the user is in the room.
    pub role: Role,
    /// What travels with the user's messages, shared.
    pub profile: Option<Arc<M>>,
    /// Whether the host, or the room's staff, has marked the user.
    pub is_marked: bool,
}

impl<M> Clone for Member<M> {
    /// Shares the profile.
    fn clone(&self) -> Self {
        let Self { user, joined_at, role, ref profile, is_marked } = *self;
        Self { user, joined_at, role, profile: profile.clone(), is_marked }
    }
}
