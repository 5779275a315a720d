//! Who is in, who is online, and who came last.

use super::attendance::Attendance;
use super::silent_sessions::SilentSessions;
use crate::config::Settings;
use crate::event::{Liveness, Presence, PresenceCause};
use crate::ids::{SessionKey, UserId};
use crate::index::Hasher;
use crate::profile::Profile;
use crate::recent_users::RecentUsers;
use crate::roster::{Gone, Roster, UserKeys};
use crate::shard_index::ShardIndex;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The people of a room: its sessions, the users they speak for, and those users' profiles.
///
/// A user is online while one of the sessions is not silent.
#[derive(Debug)]
pub(super) struct People<M> {
    /// The life of the room: sessions of another one are strangers.
    life: u64,
    attendance: Attendance,
    /// None while no user has been in.
    users: Option<Box<Users<M>>>,
    /// When those came who have come since somebody wanted to know.
    comings: Option<BTreeMap<UserId, Instant>>,
    hasher: Hasher,
    /// Users that are told as the newest.
    recent_users: u32,
    /// One more than the last slot that an audience has given out under any of the room's
    /// configurations.
    slots: u32,
}

/// The users who are in or were, and their sessions.
#[derive(Debug)]
struct Users<M> {
    roster: Roster<M>,
    silent_sessions: SilentSessions,
    /// Users all of whose sessions are silent.
    silent: u32,
    recent: RecentUsers,
}

/// What a new session means for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the only one: the user comes.
    First,
    /// The others are silent: the user is online again.
    Back,
    /// The user was online.
    Another,
}

/// What the going of a session means for its user.
#[derive(Debug)]
pub(super) struct Departure<M> {
    pub(super) user: UserId,
    /// Whether it was the user's last session.
    pub(super) is_last: bool,
    /// Whether that takes the user offline. One who was offline already does not go again.
    pub(super) goes_offline: bool,
    /// The user's profile, which goes with the last session.
    pub(super) profile: Option<Profile<M>>,
}

/// A user has come online or gone offline.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresenceChange {
    pub(super) user: UserId,
    pub(super) presence: Presence,
    pub(super) cause: PresenceCause,
}

impl<M> People<M> {
    pub(super) fn new(settings: &Settings, hasher: Hasher) -> Self {
        Self {
            life: 0,
            attendance: Attendance::new(settings.idle_timeout),
            users: None,
            comings: None,
            hasher,
            recent_users: settings.recent_users,
            slots: ShardIndex::slots(settings.sessions),
        }
    }

    /// Returns the life of the room.
    #[inline]
    pub(super) fn life(&self) -> u64 {
        self.life
    }

    /// The room is in this life, and nobody has joined yet.
    pub(super) fn set_life(&mut self, life: u64) {
        self.life = life;
    }

    /// From now on other bounds; whoever is in stays.
    pub(super) fn reconfigure(&mut self, now: Instant, settings: &Settings) {
        if let Some(users) = &mut self.users {
            users.recent.reconfigure(settings.recent_users);
        }
        self.recent_users = settings.recent_users;
        self.attendance.reconfigure(now, settings.idle_timeout);
        self.slots = self.slots.max(ShardIndex::slots(settings.sessions));
    }

    /// Returns the count of the sessions over all audiences, guests and ending ones included.
    #[inline]
    pub(super) fn attendance(&self) -> &Attendance {
        &self.attendance
    }

    /// As [`attendance`](Self::attendance), to count those who come and go.
    #[inline]
    pub(super) fn attendance_mut(&mut self) -> &mut Attendance {
        &mut self.attendance
    }

    /// Returns whether an audience can have given out such a session to a user.
    pub(super) fn may_register(&self, session: SessionKey) -> bool {
        !session.is_guest() && session.generation() != 0 && session.slot() < self.slots
    }

    /// Notes from now on when users come.
    pub(super) fn note_comings(&mut self) {
        self.comings.get_or_insert_default();
    }

    /// Returns when a user came who is in and has come since that is noted.
    pub(super) fn came_at(&self, user: UserId) -> Option<Instant> {
        self.comings.as_ref()?.get(&user).copied()
    }

    /// Registers a session of a user in a slot that nobody holds.
    #[inline]
    pub(super) fn register(&mut self, now: Instant, user: UserId, session: SessionKey) -> Arrival {
        let (hasher, recent_users) = (self.hasher, self.recent_users);
        let users = self.users.get_or_insert_with(|| {
            Box::new(Users {
                roster: Roster::new(hasher),
                silent_sessions: SilentSessions::new(),
                silent: 0,
                recent: RecentUsers::new(recent_users),
            })
        });
        let arrival = if users.roster.add(user, session) {
            if let Some(comings) = &mut self.comings {
                comings.insert(user, now);
            }
            Arrival::First
        } else if users.is_back(user, session) {
            Arrival::Back
        } else {
            return Arrival::Another;
        };
        users.recent.push(now, user);
        arrival
    }

    /// Takes a session out; `None` when it is not registered. O(sessions of the user).
    #[inline]
    pub(super) fn unregister(&mut self, session: SessionKey) -> Option<Departure<M>> {
        let users = self.users.as_mut()?;
        let gone = users.roster.remove(session)?;
        let was_silent = users.silent_sessions.remove(session);
        Some(match gone {
            Gone::Last(user) => {
                if let Some(comings) = &mut self.comings {
                    comings.remove(&user);
                }
                users.silent -= u32::from(was_silent);
                let profile = users.roster.take_profile(user);
                Departure { user, is_last: true, goes_offline: !was_silent, profile }
            }
            Gone::OneOf(user) => {
                let goes_offline = !was_silent && users.has_silent_only(user);
                if goes_offline {
                    users.silent += 1;
                    users.recent.forget(user);
                }
                Departure { user, is_last: false, goes_offline, profile: None }
            }
        })
    }

    /// Notes that a session is silent, or shows life; returns what that changes for its user. That
    /// one goes is no news here.
    /// O(sessions of the user).
    pub(super) fn note_liveness(
        &mut self,
        session: SessionKey,
        liveness: Liveness,
    ) -> Option<PresenceChange> {
        let users = self.users.as_mut()?;
        let user = users.roster.user_of(session)?;
        let was_online = !users.has_silent_only(user);
        let is_news = match liveness {
            Liveness::Silent => users.silent_sessions.insert(session),
            Liveness::Alive => users.silent_sessions.remove(session),
            Liveness::Left => false,
        };
        let is_online = !users.has_silent_only(user);
        if !is_news || was_online == is_online {
            return None;
        }
        let (presence, cause) = if is_online {
            users.silent -= 1;
            (Presence::Online, PresenceCause::HeartbeatRecover)
        } else {
            users.silent += 1;
            (Presence::Offline, PresenceCause::HeartbeatInterrupt)
        };
        Some(PresenceChange { user, presence, cause })
    }

    /// Returns whether a user has sessions that are not silent. O(sessions of the user).
    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.users
            .as_ref()
            .is_some_and(|users| users.roster.is_in(user) && !users.has_silent_only(user))
    }

    /// Returns the users who came online last by a join and are online now, the newest first.
    pub(super) fn recent_users(&self) -> Vec<UserId> {
        let users = self.users.as_ref();
        users.map_or_else(Vec::new, |users| users.recent.users(|user| self.is_online(user)))
    }

    /// Returns the users who came online last by a join, the newest first, as often as they came.
    pub(super) fn recent_arrivals(&self) -> impl Iterator<Item = (UserId, Instant)> {
        self.users.iter().flat_map(|users| users.recent.arrivals())
    }

    /// Returns the user whom a session speaks for. O(1), without hashing.
    #[inline]
    pub(super) fn user_of(&self, session: SessionKey) -> Option<UserId> {
        self.users.as_ref()?.roster.user_of(session)
    }

    /// Returns the sessions of a user.
    pub(super) fn sessions_of(&self, user: UserId) -> UserKeys {
        self.users.as_ref().map_or_else(UserKeys::new, |users| users.roster.sessions_of(user))
    }

    /// Returns whether a user has a session.
    pub(super) fn is_in(&self, user: UserId) -> bool {
        self.users.as_ref().is_some_and(|users| users.roster.is_in(user))
    }

    /// Returns the user's session that holds a slot.
    pub(super) fn holder(&self, slot: u32) -> Option<SessionKey> {
        self.users.as_ref()?.roster.holder(slot)
    }

    /// Returns what travels with a user's messages.
    #[inline]
    pub(super) fn profile(&self, user: UserId) -> Option<&Profile<M>> {
        self.users.as_ref()?.roster.profile(user)
    }

    /// Returns what the profiles hold, in bytes.
    pub(super) fn profile_bytes(&self) -> u64 {
        self.users.as_ref().map_or(0, |users| users.roster.profile_bytes())
    }

    /// Sets the profile of a user who is in; returns the one before.
    pub(super) fn set_profile(&mut self, user: UserId, profile: Profile<M>) -> Option<Profile<M>> {
        self.users.as_mut()?.roster.set_profile(user, profile)
    }

    /// Takes a user's profile away.
    pub(super) fn take_profile(&mut self, user: UserId) -> Option<Profile<M>> {
        self.users.as_mut()?.roster.take_profile(user)
    }

    /// Returns how many users have a session.
    pub(super) fn users(&self) -> u32 {
        self.users.as_ref().map_or(0, |users| users.roster.users())
    }

    /// Returns how many users are online.
    pub(super) fn online(&self) -> u32 {
        self.users.as_ref().map_or(0, |users| users.roster.users() - users.silent)
    }

    /// Returns how many sessions users have.
    pub(super) fn user_sessions(&self) -> u32 {
        self.users.as_ref().map_or(0, |users| users.roster.sessions())
    }
}

impl<M> Users<M> {
    /// Returns whether all sessions that a user has are silent.
    #[inline]
    fn has_silent_only(&self, user: UserId) -> bool {
        !self.silent_sessions.is_empty()
            && self
                .roster
                .sessions_of(user)
                .iter()
                .all(|&session| self.silent_sessions.contains(session))
    }

    /// Returns whether a user who had sessions, all of them silent, is online again with this new
    /// one, and counts that user so.
    #[inline]
    fn is_back(&mut self, user: UserId, session: SessionKey) -> bool {
        if self.silent == 0 {
            return false;
        }
        let others_are_silent = self
            .roster
            .sessions_of(user)
            .iter()
            .all(|&other| other == session || self.silent_sessions.contains(other));
        self.silent -= u32::from(others_are_silent);
        others_are_silent
    }
}
