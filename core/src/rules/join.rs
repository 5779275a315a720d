//! Joining: who asks, what is checked, and where the session starts.
//! [Clause A1](crate::rulebook#a1-joining).

use super::{Audiences, Halves};
use crate::error::JoinError;
use crate::event::Joined;
use crate::ids::{Group, SessionId, SessionKind, UserId};
use crate::level_set::LevelSet;
use crate::message::Payload;
use crate::profile::Profile;
use crate::resume::ResumeToken;
use crate::time::Instant;
use alloc::sync::Arc;

/// Who joins. `T` is what a session goes on with where it had been before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a join does nothing until a room gets it"]
pub struct Join<M, T = ResumeToken> {
    user: Option<UserId>,
    profile: Option<M>,
    known: Option<SessionId>,
    group: Group,
    mask: LevelSet,
    token: Option<T>,
}

impl<M, T> Join<M, T> {
    /// Someone without an id, who receives and may not speak.
    pub fn guest() -> Self {
        Self {
            user: None,
            profile: None,
            known: None,
            group: Group::DEFAULT,
            mask: LevelSet::EMPTY,
            token: None,
        }
    }

    /// A user. Each session of a user joins for itself.
    pub fn user(user: UserId) -> Self {
        Self::guest().with_user(user)
    }

    /// The same join for this user, whoever it was for. For hosts that have names and look up the
    /// number when the join is made already.
    pub fn with_user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// With a profile, which travels with the user's messages and tips from the start, that of
    /// having joined included. It takes the place of what another session of the user brought, and
    /// no tip tells of that. A guest's is of no use and is not looked at.
    pub fn profile(mut self, profile: M) -> Self {
        self.profile = Some(profile);
        self
    }

    /// On a connection that had this session of the room before: if it still has it, the answer is
    /// `AlreadyJoined`.
    pub fn on(mut self, session: SessionId) -> Self {
        self.known = Some(session);
        self
    }

    /// To be read together with the others of this group, in a [`sweep`](crate::RoomState::sweep).
    /// Default group 0.
    pub fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Without the messages of these levels, until
    /// [`RoomState::set_masked_levels`](crate::RoomState::set_masked_levels) says otherwise.
    /// Default none.
    pub fn mask(mut self, mask: LevelSet) -> Self {
        self.mask = mask;
        self
    }

    /// To go on where another session was, which must not be in any more: if it still is, the
    /// answer is `AlreadyJoined`. A token that is not honoured changes nothing:
    /// [`Joined::start`](crate::Joined::start) tells. See
    /// [`Audience::resume`](crate::Audience::resume).
    pub fn resume(mut self, token: T) -> Self {
        self.token = Some(token);
        self
    }

    /// The user; `None` for a guest.
    pub fn as_user(&self) -> Option<UserId> {
        self.user
    }

    /// The profile that the user brings.
    pub fn as_profile(&self) -> Option<&M> {
        self.profile.as_ref()
    }

    /// The session that the connection had before.
    pub fn known(&self) -> Option<SessionId> {
        self.known
    }

    /// The group.
    pub fn in_group(&self) -> Group {
        self.group
    }

    /// Where it wants to go on.
    pub fn token(&self) -> Option<&T> {
        self.token.as_ref()
    }

    /// The same join with another token in the place of the one it has, or with none.
    pub fn with_token<O>(self, token: Option<O>) -> Join<M, O> {
        let Self { user, profile, known, group, mask, token: _ } = self;
        Join { user, profile, known, group, mask, token }
    }

    /// The levels that the session does not want.
    pub fn masked_levels(&self) -> LevelSet {
        self.mask
    }
}

impl<M> Join<M> {
    /// The sessions that the connection had before.
    pub fn former(&self) -> impl Iterator<Item = SessionId> + use<M> {
        let of_token = self.token.as_ref().map(|token| token.session);
        self.known.into_iter().chain(of_token)
    }
}

/// Why a session did not join the audience that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJoined {
    /// It may not join this room now.
    Refused(JoinError),
    /// This audience has its share of the room's sessions; another one may have room.
    ShareFull {
        /// Sessions that the room may have.
        max: u32,
    },
}

impl<M: Payload, A: Audiences<M>> Halves<'_, M, A> {
    /// Lets a session into the audience with this number: at the head of the room, a few messages
    /// before it, or where another session was. That audience has to be held, and those of the
    /// sessions that the connection had before. O(1), and for one that resumes what is unread, at
    /// most [`resume_messages`](crate::config::RoomConfigBuilder::resume_messages) of each level.
    ///
    /// # Errors
    /// Checked in this order: the room is closed, the user is banned, the connection has a session
    /// that is in, the user has as many sessions as one may have, the room is full, the profile is
    /// too large, there is no memory for it, this audience is full. The profile stays in `join`
    /// then.
    ///
    /// A full room in which a session ends already is not full: the one whose grace is over first
    /// gives its place up, and what it had not read is abandoned. That takes all audiences: who
    /// holds only some and is told that the room is full asks again with all of them.
    pub fn join(
        &mut self,
        now: Instant,
        join: &mut Join<M>,
        into: u32,
    ) -> Result<Joined, NotJoined> {
        // To ask runs code of the host's.
        let profile_size = join.profile.as_ref().map(Payload::size);
        let now = self.advance(now);
        self.check(now, join, profile_size).map_err(NotJoined::Refused)?;
        if self.admission.check_space().is_err() {
            self.give_way(now);
        }
        let Some(audience) = self.audiences.at(into) else {
            return Err(NotJoined::Refused(JoinError::RoomClosed));
        };
        let kind = if join.user.is_none() { SessionKind::Guest } else { SessionKind::User };
        let joined = match &join.token {
            None => audience.join(kind, join.group, None),
            Some(token) => audience.resume(now, kind, join.group, None, token),
        };
        let joined = joined.map_err(|error| match error {
            JoinError::RoomFull { max } => NotJoined::ShareFull { max },
            error => NotJoined::Refused(error),
        })?;
        if !join.mask.is_empty() {
            audience.set_masked_levels(now, joined.session, join.mask);
        }
        for pin in self.admission.pins() {
            audience.welcome(joined.session, pin);
        }
        if audience.has_heartbeat() {
            audience.touch(now, joined.session);
        }
        let profile =
            join.profile.take_if(|_| kind == SessionKind::User).map(Arc::new).zip(profile_size);
        let profile = profile.map(Profile::from);
        self.admission.come(now, joined.session, join.user.map(|user| (user, profile)));
        Ok(joined)
    }

    /// The session whose grace is over first gives its place up.
    #[cold]
    fn give_way(&mut self, now: Instant) {
        let ending = self.audiences.held().filter(|audience| audience.first_end().is_some());
        if let Some(audience) = ending.min_by_key(|audience| audience.first_end()) {
            audience.give_way();
        }
        self.settle(now, usize::MAX);
    }

    fn check(
        &mut self,
        now: Instant,
        join: &Join<M>,
        profile_size: Option<usize>,
    ) -> Result<(), JoinError> {
        let checked = self.admission.check_join(now, join.user);
        if let Ok(()) | Err(JoinError::TooManySessions { .. }) = checked {
            // Joining again on a session that is in is not one session too many.
            for session in join.former() {
                if self.audiences.of(session).is_some_and(|audience| audience.is_live(session)) {
                    return Err(JoinError::AlreadyJoined { session });
                }
            }
        }
        checked?;
        let mut is_any_ending = || {
            self.audiences.are_all_held()
                && self.audiences.held().any(|audience| audience.first_end().is_some())
        };
        match self.admission.check_space() {
            // Where there are more than may be, one that goes would not help.
            Err(_) if self.admission.has_just_no_space() && is_any_ending() => {}
            checked => checked?,
        }
        match (profile_size, join.user) {
            (Some(size), Some(_)) => self.admission.check_profile(size),
            _ => Ok(()),
        }
    }
}
