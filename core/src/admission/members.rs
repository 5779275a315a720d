//! Who comes, goes, is silent or shows life; a room that nobody is in closes by itself.

use super::people::{Arrival, Departure, PresenceChange};
use super::{Admission, RoomStatus, checks};
use crate::error::{JoinError, LeaveError, ProfileError};
use crate::event::{Liveness, Presence, PresenceCause};
use crate::ids::{SessionId, SessionKey, UserId};
use crate::message::Payload;
use crate::profile::Profile;
use crate::rights::Role;
use crate::roster::{UserSessions, in_life};
use crate::system_messages::SystemMessageKind;
use crate::time::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<M: Payload> Admission<M> {
    /// Whether a user (`None`: a guest) may join now. Changes nothing.
    pub fn check_join(&self, now: Instant, user: Option<UserId>) -> Result<(), JoinError> {
        if self.status != RoomStatus::Open {
            return Err(JoinError::RoomClosed);
        }
        let Some(user) = user else { return Ok(()) };
        if let Some(until) = self.moderation.banned(self.clock.peek(now), user) {
            return Err(JoinError::Banned { user, until });
        }
        let max = self.settings.sessions_per_user;
        if self.people.sessions_of(user).len() >= max as usize {
            return Err(JoinError::TooManySessions { user, max });
        }
        Ok(())
    }

    /// Registers a session of a user, fresh from an audience. O(1). A guest's id, or one that no
    /// audience of this configuration gives out, changes nothing; one whose slot is taken puts out
    /// who holds it.
    pub fn add_session(&mut self, now: Instant, user: UserId, session: SessionId) {
        let key = session.key_in(self.people.life());
        let Some(key) = key.filter(|&key| self.people.may_register(key)) else { return };
        let now = self.clock.advance(now);
        if let Some(holder) = self.people.holder(key.slot()) {
            self.let_go(now, holder, SystemMessageKind::Left);
        }
        let arrival = self.people.register(now, user, key);
        if arrival == Arrival::First {
            self.data.note(now, SystemMessageKind::Joined, Some(user));
        }
        if arrival != Arrival::Another {
            self.accounts.tell_presence(user, Presence::Online, PresenceCause::Join);
        }
    }

    /// Takes one session out; harmless when it is not registered. O(sessions of the user).
    #[inline]
    pub fn remove_session(&mut self, now: Instant, session: SessionId) {
        if let Some(key) = session.key_in(self.people.life()).filter(|key| !key.is_guest()) {
            self.let_go(now, key, SystemMessageKind::Left);
        }
    }

    /// A session goes; if it is its user's last, a tip of this kind tells it.
    pub(super) fn let_go(&mut self, now: Instant, key: SessionKey, tip: SystemMessageKind) {
        let Some(departure) = self.people.unregister(key) else { return };
        let now = self.clock.advance(now);
        let Departure { user, is_last, goes_offline, profile } = departure;
        // The one event of the close stands for the going of everyone.
        if self.status == RoomStatus::Closed {
            self.accounts.drops().add_profile(profile);
            return;
        }
        if is_last {
            self.data.note_going(now, tip, user, profile, self.accounts.drops());
            self.data.end_attributes_of(now, user);
        }
        if goes_offline {
            self.accounts.tell_presence(user, Presence::Offline, PresenceCause::Quit);
        }
    }

    /// Takes all sessions of a user out and returns them; the audience has to end them.
    pub fn leave(&mut self, now: Instant, user: UserId) -> Result<UserSessions, LeaveError> {
        if checks::is_owner(&self.settings, user) {
            return Err(LeaveError::OwnerCannotLeave { owner: user });
        }
        let sessions = self.sessions_of(user);
        if sessions.is_empty() {
            return Err(LeaveError::NotMember { user });
        }
        let now = self.clock.advance(now);
        for &session in &sessions {
            self.remove_session(now, session);
        }
        Ok(sessions)
    }

    /// Sets what travels with a user's messages from the next one on; `None` takes it away. It goes
    /// when the user's last session does.
    ///
    /// # Errors
    /// It is too large, the user is not in, or the memory that all rooms share lets no more in. The
    /// profile comes back, and the one before stays.
    pub fn set_profile(&mut self, user: UserId, profile: Option<M>) -> Result<(), ProfileError<M>> {
        let Some(profile) = profile else {
            let old = self.people.take_profile(user);
            self.accounts.drops().add_profile(old);
            return Ok(());
        };
        let (size, max) = (profile.size(), self.settings.profile_bytes as usize);
        if size > max {
            return Err(ProfileError::TooLarge { size, max, profile });
        }
        if !self.people.is_in(user) {
            return Err(ProfileError::NotMember { user, profile });
        }
        if let Some(limit) = self.memory.keeps_out() {
            return Err(ProfileError::MemoryFull { limit, profile });
        }
        let now = self.clock.at();
        self.data.note(now, SystemMessageKind::ProfileChanged, Some(user));
        let old = self.people.set_profile(user, Profile::from((Arc::new(profile), size)));
        self.accounts.drops().add_profile(old);
        Ok(())
    }

    /// The sessions of a user.
    pub fn sessions_of(&self, user: UserId) -> UserSessions {
        in_life(&self.people.sessions_of(user), self.people.life())
    }

    /// Whether the room has anything to remember a user for: a session, a role, a mark, a mute or a
    /// ban that holds at `now`. Changes nothing. O(1).
    ///
    /// A host that gives out the numbers of its users itself asks this before it takes one back.
    pub fn knows(&self, now: Instant, user: UserId) -> bool {
        let now = self.clock.peek(now);
        self.people.is_in(user)
            || self.moderation.role(&self.settings, user) != Role::Member
            || self.moderation.is_marked(user)
            || self.moderation.muted(now, user).is_some()
            || self.moderation.banned(now, user).is_some()
    }

    /// The user whom a session speaks for; `None` for a guest's and for one that is gone. O(1).
    pub fn user_of(&self, session: SessionId) -> Option<UserId> {
        self.people.user_of(session.key_in(self.people.life())?)
    }

    /// A session has joined an audience: a user's, who may bring a profile, or a guest's. Whoever
    /// says so says [`gone`](Self::gone) once, when the audience has let it go. One of another life
    /// of the room changes nothing, in either call. O(1).
    pub(crate) fn come(
        &mut self,
        now: Instant,
        session: SessionId,
        user: Option<(UserId, Option<Profile<M>>)>,
    ) {
        if session.life() != self.people.life() {
            return;
        }
        let now = self.clock.advance(now);
        self.people.attendance_mut().come();
        let Some((user, profile)) = user else { return };
        self.add_session(now, user, session);
        if let Some(profile) = profile {
            let old = self.people.set_profile(user, profile);
            self.accounts.drops().add_profile(old);
        }
    }

    /// Whether a profile of so many bytes may come with a join. Changes nothing.
    ///
    /// # Errors
    /// It is larger than [`profile_bytes`](crate::config::RoomConfigBuilder::profile_bytes), or the
    /// memory that all rooms share lets no more in.
    pub fn check_profile(&self, size: usize) -> Result<(), JoinError> {
        let max = self.settings.profile_bytes as usize;
        if size > max {
            return Err(JoinError::ProfileTooLarge { size, max });
        }
        self.memory.keeps_out().map_or(Ok(()), |limit| Err(JoinError::MemoryFull { limit }))
    }

    /// An audience has let a session go. O(sessions of the user).
    #[inline]
    pub fn gone(&mut self, now: Instant, session: SessionId) {
        let Some(key) = session.key_in(self.people.life()) else { return };
        let now = self.clock.advance(now);
        self.people.attendance_mut().go(now);
        if !key.is_guest() {
            self.let_go(now, key, SystemMessageKind::Left);
        }
    }

    /// Returns how many sessions are in, guests and ending ones included.
    pub fn sessions(&self) -> u32 {
        self.people.attendance().sessions()
    }

    /// Whether there is room for one more session, over all audiences. Changes nothing.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn check_space(&self) -> Result<(), JoinError> {
        let max = self.settings.sessions;
        if self.people.attendance().sessions() < max {
            Ok(())
        } else {
            Err(JoinError::RoomFull { max })
        }
    }

    /// Whether there are just as many sessions as there may be: one that goes makes room for one.
    pub(crate) fn has_just_no_space(&self) -> bool {
        self.people.attendance().sessions() == self.settings.sessions
    }

    /// Whether nobody has been in for as long as an open room may be empty. A fresh room counts
    /// from the first such call.
    pub fn is_vacant(&mut self, now: Instant) -> bool {
        let now = self.clock.advance(now);
        self.status == RoomStatus::Open && self.people.attendance_mut().is_vacant(now)
    }

    /// When the room closes by itself, if nobody comes.
    pub(super) fn vacant_at(&self) -> Option<Instant> {
        let now = self.clock.at();
        self.people.attendance().vacant_at(now).filter(|_| self.status == RoomStatus::Open)
    }

    /// Notes what an audience found out about a session: a user whose sessions are all silent goes
    /// offline as [`HeartbeatInterrupt`](PresenceCause::HeartbeatInterrupt), and online as
    /// [`HeartbeatRecover`](PresenceCause::HeartbeatRecover) when one of them shows life; a session
    /// that was silent for too long is none of its user's any more. Harmless
    /// when the session is not registered, or when it is no news. O(sessions of the user).
    ///
    /// An audience's findings come in its own order; whoever passes them on from several threads
    /// keeps that order for each session.
    pub fn note_liveness(&mut self, now: Instant, session: SessionId, liveness: Liveness) {
        let Some(key) = session.key_in(self.people.life()) else { return };
        if self.people.user_of(key).is_none() {
            return;
        }
        let now = self.clock.advance(now);
        if liveness == Liveness::Left {
            // Its audience lets it take what it is due, and says when it has gone.
            return self.let_go(now, key, SystemMessageKind::Left);
        }
        let change = self.people.note_liveness(key, liveness);
        let Some(change) = change else { return };
        if self.status != RoomStatus::Closed {
            let PresenceChange { user, presence, cause } = change;
            self.accounts.tell_presence(user, presence, cause);
        }
    }

    /// Whether a user who has sessions here is online: not all of them are silent. O(sessions of
    /// the user).
    pub fn is_online(&self, user: UserId) -> bool {
        self.people.is_online(user)
    }

    /// The users who came online last by a join and are online now, the newest first, nobody twice:
    /// of the last [`recent_users`](crate::config::RoomConfigBuilder::recent_users) arrivals, those
    /// who have not gone since. It does not reach further back to make up for those who have. A
    /// second session of a user who is online is no arrival, nor is a sign of life. O(n log n).
    pub fn recent_users(&self) -> Vec<UserId> {
        self.people.recent_users()
    }

    /// What [`recent_users`](Self::recent_users) looks through, the newest first: a user stands
    /// there as often as he or she came, and may have gone. For who holds a lock for no longer than
    /// a copy, and asks afterwards who [is online](Self::is_online). O(n).
    pub fn recent_arrivals(&self) -> Vec<UserId> {
        self.people.recent_arrivals().map(|(user, _)| user).collect()
    }
}
