//! Who is online: users with a session that is not silent. Only silent sessions are kept, so a room
//! without any pays nothing.

use super::{Admission, RoomStatus};
use crate::chunked::Chunked;
use crate::event::{Liveness, Presence, PresenceCause};
use crate::ids::{SessionId, UserId};
use crate::message::Payload;
use crate::roster::Gone;
use crate::time::Instant;
use alloc::vec::Vec;

/// Which sessions of users are silent, and how many users have no other ones.
#[derive(Debug)]
pub(super) struct SilentSessions {
    /// A bit for each slot.
    slots: Chunked<u64>,
    sessions: u32,
    users: u32,
}

impl Default for SilentSessions {
    fn default() -> Self {
        Self { slots: Chunked::new(), sessions: 0, users: 0 }
    }
}

impl SilentSessions {
    /// Users with silent sessions only.
    pub(super) fn users(&self) -> u32 {
        self.users
    }

    fn contains(&self, slot: u32) -> bool {
        self.slots.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 != 0)
    }

    /// Returns whether that was news.
    fn insert(&mut self, slot: u32) -> bool {
        let is_new = !self.contains(slot);
        if is_new {
            self.slots.touch(slot / 64, 0);
            self.slots[slot / 64] |= 1 << (slot % 64);
            self.sessions += 1;
        }
        is_new
    }

    /// Returns whether it was in.
    #[inline]
    fn remove(&mut self, slot: u32) -> bool {
        if self.sessions == 0 || !self.contains(slot) {
            return false;
        }
        self.slots[slot / 64] &= !(1 << (slot % 64));
        self.sessions -= 1;
        true
    }
}

impl<M: Payload> Admission<M> {
    /// Notes what an audience found out about a session: a user whose sessions are all silent goes
    /// offline as [`HeartbeatInterrupt`](PresenceCause::HeartbeatInterrupt), and online as
    /// [`HeartbeatRecover`](PresenceCause::HeartbeatRecover) when one of them shows life. Harmless
    /// when the session is not registered, or when it is no news. O(sessions of the user).
    ///
    /// An audience's findings come in its own order; whoever passes them on from several threads
    /// keeps that order for each session.
    pub fn note_liveness(&mut self, now: Instant, session: SessionId, liveness: Liveness) {
        self.clock.advance(now);
        let Some(user) = self.roster.user_of(session) else { return };
        let was_online = !self.has_silent_only(user);
        let is_news = match liveness {
            Liveness::Silent => self.silent_sessions.insert(session.slot()),
            Liveness::Alive => self.silent_sessions.remove(session.slot()),
        };
        let is_online = !self.has_silent_only(user);
        if !is_news || was_online == is_online {
            return;
        }
        let (presence, cause) = if is_online {
            self.silent_sessions.users -= 1;
            (Presence::Online, PresenceCause::HeartbeatRecover)
        } else {
            self.silent_sessions.users += 1;
            (Presence::Offline, PresenceCause::HeartbeatInterrupt)
        };
        if self.state != RoomStatus::Closed {
            self.events.presence(user, presence, cause);
        }
    }

    /// Whether a user who has sessions here is online: not all of them are silent. O(sessions of
    /// the user).
    pub fn is_online(&self, user: UserId) -> bool {
        self.roster.is_in(user) && !self.has_silent_only(user)
    }

    /// The users who came online last by a join and are online now, the newest first, nobody twice:
    /// of the last [`recent_users`](crate::RoomConfigBuilder::recent_users) arrivals, those who
    /// have not gone since. It does not reach further back to make up for those who have. A second
    /// session of a user who is online is no arrival, nor is a sign of life. O(n log n).
    pub fn recent_users(&self) -> Vec<UserId> {
        self.newest.users(|user| self.is_online(user))
    }

    /// Whether all sessions that a user has are silent.
    #[inline]
    fn has_silent_only(&self, user: UserId) -> bool {
        self.silent_sessions.sessions > 0
            && self
                .roster
                .sessions_of(user)
                .iter()
                .all(|session| self.silent_sessions.contains(session.slot()))
    }

    /// Whether a user who had sessions, all of them silent, is online again with this new one.
    #[inline]
    pub(super) fn is_back(&mut self, user: UserId, session: SessionId) -> bool {
        if self.silent_sessions.users == 0 {
            return false;
        }
        let sessions = self.roster.sessions_of(user);
        let others_are_silent = sessions
            .iter()
            .all(|&other| other == session || self.silent_sessions.contains(other.slot()));
        self.silent_sessions.users -= u32::from(others_are_silent);
        others_are_silent
    }

    /// A session has gone: its user, if that takes the user offline. One who was offline already is
    /// not told to go again.
    #[inline]
    pub(super) fn goes_offline(&mut self, session: SessionId, gone: Gone) -> Option<UserId> {
        let was_silent = self.silent_sessions.remove(session.slot());
        match gone {
            Gone::Last(user) if !was_silent => Some(user),
            Gone::OneOf(user) if !was_silent && self.has_silent_only(user) => {
                self.silent_sessions.users += 1;
                Some(user)
            }
            Gone::Last(_) => {
                self.silent_sessions.users -= 1;
                None
            }
            Gone::OneOf(_) => None,
        }
    }
}
