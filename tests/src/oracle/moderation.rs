//! Admins, mutes and bans, as lists.

use super::Oracle;
use super::line::Entry;
use crate::moderation::Act;
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::dedup::SaidKey;
use roomcast_core::error::ModerationError;
use roomcast_core::event::EndReason;
use roomcast_core::ledger::DropReason;
use roomcast_core::member::MemberList;
use roomcast_core::message::Sender;
use roomcast_core::rights::{Action, NotAllowed, Role, Rule};
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::timed::Until;
use roomcast_core::{Actor, Instant, Priority, RoomState, UserId};
use std::collections::BTreeMap;

/// Whom the owner and the admins have dealt with.
#[derive(Clone, Debug, Default)]
pub struct Moderation {
    admins: Vec<UserId>,
    mutes: BTreeMap<UserId, Until>,
    bans: BTreeMap<UserId, Until>,
    /// Whether the room is muted.
    pub room_muted: bool,
}

impl Oracle {
    pub(super) fn role(&self, user: UserId) -> Role {
        if user == self.rules.owner {
            return Role::Owner;
        }
        if self.moderation.admins.contains(&user) { Role::Admin } else { Role::Member }
    }

    /// Until when a user is muted.
    pub fn muted(&self, user: UserId) -> Option<Until> {
        self.moderation.mutes.get(&user).copied().filter(|until| until.holds(self.clock))
    }

    /// Until when a user is banned.
    pub fn banned(&self, user: UserId) -> Option<Until> {
        self.moderation.bans.get(&user).copied().filter(|until| until.holds(self.clock))
    }

    /// Whether the muted room lets this user speak.
    pub fn is_silenced_with_the_room(&self, user: UserId) -> bool {
        self.moderation.room_muted && self.role(user) == Role::Member
    }

    /// The rules in prose: the owner alone names admins; the owner and the admins do the rest;
    /// nobody touches the owner; admins leave each other alone; the host may do what the owner
    /// may, and kick and mute the owner, and take back what the owner said.
    pub(super) fn rule(
        &self,
        actor: Actor,
        action: Action,
        target: Option<UserId>,
    ) -> Option<NotAllowed> {
        let (actor, as_role) = match actor {
            Actor::Host => (None, Role::Owner),
            // A banned admin has no powers.
            Actor::User(user) if self.banned(user).is_some() => (Some(user), Role::Member),
            Actor::User(user) => (Some(user), self.role(user)),
        };
        let may_host = actor.is_none()
            && matches!(action, Action::Kick | Action::Mute | Action::Unmute | Action::Retract);
        let target_role = target.map(|target| self.role(target));
        let rule = if matches!(
            action,
            Action::AddAdmin | Action::RemoveAdmin | Action::SetOwner | Action::Close
        ) && as_role != Role::Owner
        {
            Rule::OwnerOnly
        } else if as_role == Role::Member {
            Rule::AdminsOnly
        } else if target_role == Some(Role::Owner) && !may_host {
            Rule::NotToTheOwner
        } else if as_role == Role::Admin && target_role == Some(Role::Admin) {
            Rule::NotToAnAdmin
        } else {
            return None;
        };
        Some(NotAllowed { actor, action, target, rule })
    }

    fn expected(&self, actor: Actor, act: &Act) -> Result<bool, ModerationError> {
        if !self.is_open() {
            return Err(ModerationError::RoomClosed);
        }
        let (action, users): (Action, &[UserId]) = match act {
            Act::AddAdmin(user) => (Action::AddAdmin, std::slice::from_ref(user)),
            Act::RemoveAdmin(user) => (Action::RemoveAdmin, std::slice::from_ref(user)),
            Act::SetOwner(user) => (Action::SetOwner, std::slice::from_ref(user)),
            Act::Mute(users, _) => (Action::Mute, users),
            Act::Unmute(users) => (Action::Unmute, users),
            Act::MuteRoom => (Action::MuteRoom, &[]),
            Act::UnmuteRoom => (Action::UnmuteRoom, &[]),
            Act::Kick(users) => (Action::Kick, users),
            Act::Ban(users, _) => (Action::Ban, users),
            Act::Unban(users) => (Action::Unban, users),
            Act::SpeakMode(_) => (Action::SetSpeakMode, &[]),
            Act::Mark(users) => (Action::Mark, users),
            Act::Unmark(users) => (Action::Unmark, users),
        };
        let room = users.is_empty().then_some(None);
        for target in users.iter().copied().map(Some).chain(room) {
            if let Some(error) = self.rule(actor, action, target) {
                return Err(error.into());
            }
        }
        let full = |table: &BTreeMap<UserId, Until>, users: &[UserId], max: u32| {
            let mut all: Vec<UserId> = table
                .iter()
                .filter(|(_, until)| until.holds(self.clock))
                .map(|(&user, _)| user)
                .chain(users.iter().copied())
                .collect();
            all.sort_unstable();
            all.dedup();
            // Nobody is put under the rule who is not: that is no more than there were.
            let is_more = users
                .iter()
                .any(|user| !table.get(user).is_some_and(|until| until.holds(self.clock)));
            is_more && all.len() as u64 > u64::from(max)
        };
        match act {
            Act::AddAdmin(user) if self.moderation.admins.contains(user) => Ok(false),
            Act::AddAdmin(_)
                if self.moderation.admins.len() as u64 >= u64::from(self.rules.admins) =>
            {
                Err(ModerationError::TooManyAdmins { max: self.rules.admins })
            }
            Act::RemoveAdmin(user) => Ok(self.moderation.admins.contains(user)),
            &Act::SetOwner(user) => match self.banned(user) {
                Some(until) => Err(ModerationError::Banned { user, until }),
                None => Ok(true),
            },
            Act::Mute(users, _) if full(&self.moderation.mutes, users, self.rules.mutes) => {
                Err(ModerationError::MutesFull { max: self.rules.mutes })
            }
            Act::Ban(users, _) if full(&self.moderation.bans, users, self.rules.bans) => {
                Err(ModerationError::BansFull { max: self.rules.bans })
            }
            Act::SpeakMode(mode) => Ok(*mode != self.speaking.mode),
            Act::Mark(users) if !self.speaking.has_place_for(users, self.rules.marks) => {
                Err(ModerationError::MarksFull { max: self.rules.marks })
            }
            _ => Ok(true),
        }
    }

    /// A call that deals with users answered this.
    pub fn moderated(
        &mut self,
        now: Instant,
        actor: Actor,
        act: &Act,
        answer: Result<bool, ModerationError>,
    ) -> Check {
        let before = (self.clock, self.steps);
        let now = self.advance(now);
        same(Law::Members, "who may do what to whom", self.expected(actor, act), answer)?;
        if matches!(
            answer,
            Err(ModerationError::NotAllowed(_)
                | ModerationError::Banned { .. }
                | ModerationError::RoomClosed)
        ) {
            // Who may not do it moves no clock, and nobody does in a closed room.
            (self.clock, self.steps) = before;
        }
        if answer.is_err() {
            return Ok(());
        }
        let until = |time: &Option<roomcast_core::time::Duration>| {
            time.map_or(Until::Forever, |time| Until::At(now + time))
        };
        match act {
            Act::AddAdmin(user) => {
                if answer == Ok(true) {
                    self.happens(SystemMessageKind::AdminSet, Some(*user));
                    self.moderation.admins.push(*user);
                }
            }
            Act::RemoveAdmin(user) => {
                if answer == Ok(true) {
                    self.happens(SystemMessageKind::AdminRemoved, Some(*user));
                }
                self.moderation.admins.retain(|other| other != user);
            }
            Act::SetOwner(user) => {
                self.rules.owner = *user;
                self.moderation.admins.retain(|other| other != user);
                self.happens(SystemMessageKind::OwnerSet, Some(*user));
            }
            Act::Mute(users, time) => {
                for &user in users {
                    let longest =
                        self.muted(user).map_or(until(time), |holds| holds.max(until(time)));
                    self.moderation.mutes.insert(user, longest);
                }
                for &user in users {
                    self.happens(SystemMessageKind::Muted, Some(user));
                }
            }
            Act::Unmute(users) => self.moderation.mutes.retain(|user, _| !users.contains(user)),
            Act::MuteRoom => self.moderation.room_muted = true,
            Act::UnmuteRoom => self.moderation.room_muted = false,
            Act::Kick(users) => self.take_out(now, users, EndReason::Kicked),
            Act::Ban(users, time) => {
                for &user in users {
                    let longest =
                        self.banned(user).map_or(until(time), |holds| holds.max(until(time)));
                    self.moderation.bans.insert(user, longest);
                }
                self.take_out(now, users, EndReason::Banned);
            }
            Act::Unban(users) => self.moderation.bans.retain(|user, _| !users.contains(user)),
            Act::SpeakMode(mode) => {
                self.speaking.set_mode(*mode);
                if answer == Ok(true) {
                    self.happens(SystemMessageKind::SpeakModeSet, None);
                }
            }
            Act::Mark(users) => self.speaking.marks.extend(users),
            Act::Unmark(users) => self.speaking.marks.retain(|user| !users.contains(user)),
        }
        self.check_held()
    }

    /// What the room carries was exported, and imported if that is not more than it may hold by
    /// now.
    pub fn restarted(
        &mut self,
        now: Instant,
        said: &[(Sender, SaidKey)],
        is_imported: bool,
    ) -> Check {
        let now = self.advance(now);
        same(Law::Events, "keys of what has gone out", self.said_out(), said.to_vec())?;
        let held = |table: &BTreeMap<UserId, Until>| {
            table.values().filter(|until| until.holds(now)).count()
        };
        let Moderation { admins, mutes, bans, .. } = &self.moderation;
        let counts = [admins.len(), held(mutes), held(bans), self.speaking.marks.len()];
        let limits = [self.rules.admins, self.rules.mutes, self.rules.bans, self.rules.marks];
        let fits = counts.iter().zip(limits).all(|(&count, max)| count as u64 <= u64::from(max))
            && self.data_fits();
        same(Law::L7Bounded, "whether what is exported can be imported", fits, is_imported)?;
        if !fits {
            return Ok(());
        }
        // What was imported has changed nothing else.
        self.attributes_restart();
        self.happened.counters.clear();
        self.moderation.mutes.retain(|_, until| until.holds(now));
        self.moderation.bans.retain(|_, until| until.holds(now));
        Ok(())
    }

    fn take_out(&mut self, now: Instant, users: &[UserId], reason: EndReason) {
        for (place, &user) in users.iter().enumerate() {
            if users[..place].contains(&user) {
                continue;
            }
            self.drop_reviews_of(Sender::User(user));
            loop {
                // The highest level first, in each the one that has waited longest.
                let carries_others =
                    |id| self.waiting.get(&id).is_some_and(|waiting| waiting.carries_others);
                let is_theirs = |entry: &&Entry| {
                    entry.sender == Sender::User(user) && !carries_others(entry.id)
                };
                let of_level = |level| self.line.level(level).find(is_theirs);
                let Some(next) = Priority::ALL.into_iter().find_map(of_level).map(|entry| entry.id)
                else {
                    break;
                };
                self.inbox.decide();
                if let Some(entry) = self.line.remove(next) {
                    self.drop_entry(&entry, DropReason::SenderOut, None);
                }
            }
            if reason == EndReason::Banned && self.members.count(user) == 0 {
                self.goes_with(SystemMessageKind::Banned, user, None);
            }
            self.all_end(now, user, reason);
        }
    }

    /// The lists of who is online, one user after the other.
    pub fn inspect_lists(&self, room: &RoomState<Probe>) -> Check {
        let newest = self.recent_users();
        let lists = [
            (MemberList::Newest, newest.clone()),
            (MemberList::Role(Role::Owner), vec![self.rules.owner]),
            (MemberList::Role(Role::Admin), self.moderation.admins.clone()),
            (MemberList::Role(Role::Member), newest),
            (MemberList::Marked, self.speaking.marks.iter().copied().collect()),
        ];
        for (list, mut users) in lists {
            users.retain(|&user| self.is_online(user));
            if let MemberList::Role(role) = list {
                users.retain(|&user| self.role(user) == role);
            }
            let expected = users.into_iter().map(|user| {
                let came = self.remembered().find(|&(other, _)| other == user).map(|(_, at)| at);
                let profile = self.members.profiles.get(&user).map(|&(id, _)| id);
                (user, came, self.role(user), profile, self.speaking.marks.contains(&user))
            });
            let found = room.members(list).into_iter().map(|member| {
                let profile = member.profile.map(|profile| profile.id());
                (member.user, member.joined_at, member.role, profile, member.is_marked)
            });
            let (expected, found): (Vec<_>, Vec<_>) = (expected.collect(), found.collect());
            same(Law::Members, format_args!("the members of {list:?}"), expected, found)?;
        }
        Ok(())
    }

    /// What can be asked of each user.
    pub fn inspect_moderation(&self, room: &RoomState<Probe>) -> Check {
        for user in (0..6).map(UserId) {
            same(
                Law::Members,
                format_args!("the role of {user}"),
                self.role(user),
                room.role_of(user),
            )?;
            same(
                Law::Members,
                format_args!("the mute of {user}"),
                self.muted(user),
                room.muted_until(self.clock, user),
            )?;
            same(
                Law::Members,
                format_args!("the ban of {user}"),
                self.banned(user),
                room.banned_until(self.clock, user),
            )?;
        }
        same(Law::Members, "the owner", Some(self.rules.owner), room.owner())?;
        let counts = room.snapshot(self.clock).admission.moderation;
        self.inspect_speaking(room)?;
        same(Law::Members, "what is pinned", self.pins.ids(), room.pinned())?;
        self.eased("mutes", self.rules.mutes, counts.mutes)?;
        self.eased("bans", self.rules.bans, counts.bans)?;
        same(Law::Members, "admins", self.moderation.admins.len() as u64, u64::from(counts.admins))
    }
}
