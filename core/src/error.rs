//! Errors of the calls that change a room.

use crate::event::EndReason;
use crate::ids::{SessionId, UserId};
use crate::rights::NotAllowed;
use crate::timed::Until;

/// Why a join was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The room takes nobody any more.
    #[error("the room is closed")]
    RoomClosed,
    /// The connection is in the room already.
    #[error("already joined as {session}")]
    AlreadyJoined {
        /// The session it has.
        session: SessionId,
    },
    /// The user has as many sessions as one user may have.
    #[error("{user} has too many sessions (limit {max})")]
    TooManySessions {
        /// The user.
        user: UserId,
        /// The most.
        max: u32,
    },
    /// The user is banned.
    #[error("{user} is banned {until}")]
    Banned {
        /// The user.
        user: UserId,
        /// Until when.
        until: Until,
    },
    /// The profile that the user brings is too large.
    #[error("profile too large: {size} bytes (limit {max})")]
    ProfileTooLarge {
        /// Its size.
        size: usize,
        /// The most.
        max: usize,
    },
    /// The user brings a profile, and what rooms hold that does not give way takes more than half
    /// of the memory that all may take, or the memory is full. Without a profile the user may join.
    #[error("memory of all rooms full (limit {limit} bytes): join without a profile")]
    MemoryFull {
        /// How many bytes all rooms may hold.
        limit: u64,
    },
    /// The room has as many sessions as it may have.
    #[error("room full (limit {max} sessions)")]
    RoomFull {
        /// The most.
        max: u32,
    },
    /// The server is shutting down and takes nobody any more: another one may.
    #[error("the server is shutting down: join at another")]
    ShuttingDown,
}

/// Why a room was not reconfigured. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconfigureError {
    /// The room is closed.
    #[error("the room is closed")]
    RoomClosed,
    /// The new configuration changes what stays as it is for a room's life.
    #[error("{setting} cannot change once the room has been created")]
    Fixed {
        /// The name of the setting: of several, the first in the order of
        /// [`RoomState::reconfigure`](crate::RoomState::reconfigure).
        setting: &'static str,
    },
}

/// Why a user could not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The user has no session in the room.
    #[error("{user} is not in the room")]
    NotMember {
        /// The user.
        user: UserId,
    },
    /// The owner cannot leave, only close the room.
    #[error("{owner} owns the room and may close it, but not leave it")]
    OwnerCannotLeave {
        /// The owner.
        owner: UserId,
    },
}

/// Why a room was not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// Only the host and the owner may close a room.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// It is closed already.
    #[error("the room is already closed")]
    AlreadyClosed,
}

/// Why users were not dealt with. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModerationError {
    /// The room is closed.
    #[error("the room is closed")]
    RoomClosed,
    /// The actor may not do this, to one of them at least.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// One call names too many.
    #[error("too many users in one call: {count} (limit {max})")]
    TooManyUsers {
        /// How many it names.
        count: usize,
        /// The most.
        max: usize,
    },
    /// Whoever is to own the room is banned.
    #[error("{user} is banned {until} and may not own the room; unban first")]
    Banned {
        /// Who.
        user: UserId,
        /// Until when.
        until: Until,
    },
    /// The room has as many admins as it may have.
    #[error("too many admins (limit {max})")]
    TooManyAdmins {
        /// The most.
        max: u32,
    },
    /// As many users are muted as may be.
    #[error("too many muted users (limit {max}); unmute some first")]
    MutesFull {
        /// The most.
        max: u32,
    },
    /// As many users are banned as may be.
    #[error("too many banned users (limit {max}); unban some first")]
    BansFull {
        /// The most.
        max: u32,
    },
    /// As many users are marked as may be.
    #[error("too many marked users (limit {max}); unmark some first")]
    MarksFull {
        /// The most.
        max: u32,
    },
}

/// Why a profile was not taken over. It hands the profile back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError<M> {
    /// The user has no session in the room.
    #[error("{user} is not in the room")]
    NotMember {
        /// The user.
        user: UserId,
        /// What was to be set.
        profile: M,
    },
    /// It is over the room's limit.
    #[error("profile too large: {size} bytes (limit {max})")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most it may be.
        max: usize,
        /// What was to be set.
        profile: M,
    },
    /// What rooms hold that does not give way takes more than half of the memory that all may take,
    /// or the memory is full. A profile can still be taken away.
    #[error("memory of all rooms full (limit {limit} bytes)")]
    MemoryFull {
        /// How many bytes all rooms may hold.
        limit: u64,
        /// What was to be set.
        profile: M,
    },
}

impl<M> core::fmt::Debug for ProfileError<M> {
    /// Without the profile, which need not be printable.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotMember { user, .. } => {
                f.debug_struct("NotMember").field("user", user).finish_non_exhaustive()
            }
            Self::TooLarge { size, max, .. } => f
                .debug_struct("TooLarge")
                .field("size", size)
                .field("max", max)
                .finish_non_exhaustive(),
            Self::MemoryFull { limit, .. } => {
                f.debug_struct("MemoryFull").field("limit", limit).finish_non_exhaustive()
            }
        }
    }
}

/// Why a session gets nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// It was closed from outside and has taken all that it was due. It is told once; then the
    /// session is gone.
    #[error("the session has ended: {0}")]
    Closed(EndReason),
    /// No such session: it never was, or it is gone.
    #[error("{0} is not in this room")]
    NoSession(SessionId),
}
