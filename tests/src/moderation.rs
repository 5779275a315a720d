//! What owners and admins do, as data.

use crate::payload::Probe;
use roomcast_core::error::ModerationError;
use roomcast_core::speak_mode::SpeakMode;
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Instant, RoomState, UserId};

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `add_admin`.
    AddAdmin(UserId),
    /// `remove_admin`.
    RemoveAdmin(UserId),
    /// `set_owner`.
    SetOwner(UserId),
    /// `mute`.
    Mute(Vec<UserId>, Option<Duration>),
    /// `unmute`.
    Unmute(Vec<UserId>),
    /// `mute_room`.
    MuteRoom,
    /// `unmute_room`.
    UnmuteRoom,
    /// `kick`.
    Kick(Vec<UserId>),
    /// `ban`.
    Ban(Vec<UserId>, Option<Duration>),
    /// `unban`.
    Unban(Vec<UserId>),
    /// `set_speak_mode`.
    SpeakMode(SpeakMode),
    /// `mark`.
    Mark(Vec<UserId>),
    /// `unmark`.
    Unmark(Vec<UserId>),
}

impl Act {
    /// Makes the call. Answers whether it changed anything, where that is told.
    pub fn on(
        &self,
        room: &mut RoomState<Probe>,
        now: Instant,
        actor: Actor,
    ) -> Result<bool, ModerationError> {
        match self {
            Self::AddAdmin(user) => room.add_admin(now, actor, *user),
            Self::RemoveAdmin(user) => room.remove_admin(now, actor, *user),
            Self::SetOwner(user) => room.set_owner(now, actor, *user).map(|()| true),
            Self::Mute(users, time) => room.mute(now, actor, users, *time).map(|()| true),
            Self::Unmute(users) => room.unmute(now, actor, users).map(|()| true),
            Self::MuteRoom => room.mute_room(now, actor).map(|()| true),
            Self::UnmuteRoom => room.unmute_room(now, actor).map(|()| true),
            Self::Kick(users) => room.kick(now, actor, users).map(|()| true),
            Self::Ban(users, time) => room.ban(now, actor, users, *time).map(|()| true),
            Self::Unban(users) => room.unban(now, actor, users).map(|()| true),
            Self::SpeakMode(mode) => room.set_speak_mode(now, actor, *mode),
            Self::Mark(users) => room.mark(now, actor, users).map(|()| true),
            Self::Unmark(users) => room.unmark(now, actor, users).map(|()| true),
        }
    }
}
