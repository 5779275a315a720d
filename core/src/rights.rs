//! Rights: one table of who may do what to whom. [Clause A5](crate::rulebook#a5-admins).

use crate::ids::UserId;
use core::fmt;

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Everyone else, in the room or not.
    Member,
    /// Named by the owner.
    Admin,
    /// Whose room it is.
    Owner,
}

/// What somebody wants done to the room or to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Close the room.
    Close,
    /// Name an admin.
    AddAdmin,
    /// Make an admin a member again.
    RemoveAdmin,
    /// Hand the room over to another owner.
    SetOwner,
    /// Take a user out.
    Kick,
    /// Take a user out and keep them out.
    Ban,
    /// Let a user in again.
    Unban,
    /// Keep a user from speaking.
    Mute,
    /// Let a user speak again.
    Unmute,
    /// Keep all but the owner and the admins from speaking.
    MuteRoom,
    /// Let everyone speak again.
    UnmuteRoom,
    /// Set what the room asks of those who speak.
    SetSpeakMode,
    /// Mark a user.
    Mark,
    /// Take a user's mark away.
    Unmark,
    /// Take back what somebody has said.
    Retract,
    /// Pin a message, or unpin one.
    Pin,
}

/// The rule that forbids an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Only the host may.
    HostOnly,
    /// Only the host and the owner may.
    OwnerOnly,
    /// Only the host, the owner and the admins may.
    AdminsOnly,
    /// Nobody may do this to the owner. The host may kick and mute the owner and take back what the
    /// owner has said, and nobody else may.
    NotToTheOwner,
    /// Admins may not do this to each other, or to themselves.
    NotToAnAdmin,
}

/// An action that is not allowed: who wanted it, what it was, to whom, and the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotAllowed {
    /// Who wanted it; `None` is the host.
    pub actor: Option<UserId>,
    /// What.
    pub action: Action,
    /// To whom; `None` is the room.
    pub target: Option<UserId>,
    /// Why not.
    pub rule: Rule,
}

/// The rule that forbids an action of somebody (`None` is the host) to somebody (`None` is the
/// room), if one does.
pub(crate) fn forbids(actor: Option<Role>, action: Action, target: Option<Role>) -> Option<Rule> {
    let least = match action {
        Action::Close | Action::AddAdmin | Action::RemoveAdmin | Action::SetOwner => Role::Owner,
        Action::Kick
        | Action::Ban
        | Action::Unban
        | Action::Mute
        | Action::Unmute
        | Action::MuteRoom
        | Action::UnmuteRoom
        | Action::SetSpeakMode
        | Action::Mark
        | Action::Unmark
        | Action::Retract
        | Action::Pin => Role::Admin,
    };
    match (actor, target) {
        (Some(actor), _) if actor < least => {
            Some(if least == Role::Owner { Rule::OwnerOnly } else { Rule::AdminsOnly })
        }
        // The host may quiet the owner, or take the owner out, and take nothing away for good.
        (None, Some(Role::Owner))
            if matches!(action, Action::Kick | Action::Mute | Action::Unmute | Action::Retract) =>
        {
            None
        }
        (_, Some(Role::Owner)) => Some(Rule::NotToTheOwner),
        (Some(Role::Admin), Some(Role::Admin)) => Some(Rule::NotToAnAdmin),
        _ => None,
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Close => "close",
            Self::AddAdmin => "make an admin of",
            Self::SetOwner => "hand the room over to",
            Self::RemoveAdmin => "take the admin rights of",
            Self::Kick => "kick",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Mute | Self::MuteRoom => "mute",
            Self::Unmute | Self::UnmuteRoom => "unmute",
            Self::SetSpeakMode => "set the speak mode of",
            Self::Mark => "mark",
            Self::Unmark => "unmark",
            Self::Retract => "retract messages of",
            Self::Pin => "pin messages in",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostOnly => "only the host may",
            Self::OwnerOnly => "only the host and the owner may",
            Self::AdminsOnly => "only the host, the owner and the admins may",
            Self::NotToTheOwner => "nobody may do that to the owner",
            Self::NotToAnAdmin => "an admin may not do that to an admin",
        })
    }
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.actor {
            Some(actor) => write!(f, "{actor}")?,
            None => f.write_str("the host")?,
        }
        write!(f, " may not {} ", self.action)?;
        match self.target {
            Some(target) => write!(f, "{target}")?,
            None => f.write_str("the room")?,
        }
        write!(f, ": {}", self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    #[test]
    fn the_table() {
        use Role::{Admin, Member, Owner};
        let actors = [None, Some(Owner), Some(Admin), Some(Member)];
        // To the room, to a member, to an admin, to the owner.
        let targets = [None, Some(Member), Some(Admin), Some(Owner)];
        let row = |action| {
            actors.map(|actor| {
                targets
                    .map(|target| if forbids(actor, action, target).is_none() { 'y' } else { '-' })
                    .iter()
                    .collect()
            })
        };
        for action in [Action::AddAdmin, Action::RemoveAdmin, Action::SetOwner] {
            let owners: [String; 4] = row(action);
            assert_eq!(owners, ["yyy-", "yyy-", "----", "----"]);
        }
        for action in [Action::Kick, Action::Mute, Action::Unmute, Action::Retract] {
            let admins: [String; 4] = row(action);
            assert_eq!(admins, ["yyyy", "yyy-", "yy--", "----"]);
        }
        for action in [
            Action::Ban,
            Action::Unban,
            Action::MuteRoom,
            Action::UnmuteRoom,
            Action::SetSpeakMode,
            Action::Mark,
            Action::Unmark,
            Action::Pin,
        ] {
            let admins: [String; 4] = row(action);
            assert_eq!(admins, ["yyy-", "yyy-", "yy--", "----"]);
        }
    }

    #[test]
    fn an_error_names_actor_action_target_and_rule() {
        let error = NotAllowed {
            actor: Some(UserId(7)),
            action: Action::Ban,
            target: Some(UserId(1)),
            rule: Rule::NotToTheOwner,
        };
        assert_eq!(error.to_string(), "user 7 may not ban user 1: nobody may do that to the owner");
    }
}
