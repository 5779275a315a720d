//! Who joins, and how.

use crate::ids::{Group, SessionId, UserId};
use crate::mask::Mask;
use crate::resume::ResumeToken;

/// Who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a join does nothing until a room gets it"]
pub struct Join {
    pub(super) user: Option<UserId>,
    pub(super) known: Option<SessionId>,
    pub(super) group: Group,
    pub(super) mask: Mask,
    pub(super) token: Option<ResumeToken>,
}

impl Join {
    /// Someone without an id, who receives and may not speak (clause A3).
    pub const fn guest() -> Self {
        Self { user: None, known: None, group: Group::DEFAULT, mask: Mask::NONE, token: None }
    }

    /// A user. Each session of a user joins for itself.
    pub const fn user(user: UserId) -> Self {
        Self { user: Some(user), ..Self::guest() }
    }

    /// On a connection that had this session of the room before: if it still has it, the answer is `AlreadyJoined` (clause A1).
    pub const fn on(mut self, session: SessionId) -> Self {
        self.known = Some(session);
        self
    }

    /// To be read together with the others of this group, in a [`sweep`](crate::Room::sweep). Default group 0.
    pub const fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Without the messages of these levels, until [`Room::set_mask`](crate::Room::set_mask) says otherwise (clause B10). Default none.
    pub const fn mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// To go on where another session was (clause B18), which must not be in any more: if it still is, the answer is `AlreadyJoined`. A
    /// token that is not honoured changes nothing: [`Joined::start`](crate::Joined::start) tells. See [`Audience::resume`](crate::Audience::resume).
    pub const fn resume(mut self, token: ResumeToken) -> Self {
        self.token = Some(token);
        self
    }

    /// The user; `None` for a guest.
    pub const fn as_user(&self) -> Option<UserId> {
        self.user
    }

    /// The session that the connection had before.
    pub const fn known(&self) -> Option<SessionId> {
        self.known
    }

    /// The group.
    pub const fn in_group(&self) -> Group {
        self.group
    }

    /// Where it wants to go on.
    pub const fn token(&self) -> Option<ResumeToken> {
        self.token
    }

    /// The levels that the session does not want.
    pub const fn masked(&self) -> Mask {
        self.mask
    }
}
