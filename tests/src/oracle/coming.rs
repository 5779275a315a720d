//! Who comes and who goes (clauses A1 to A10): joins, leaving, sessions that end.

use super::Oracle;
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::direct::DirectReason;
use roomcast_core::error::{JoinError, LeaveError};
use roomcast_core::event::{EndReason, Presence, PresenceCause, StartPosition};
use roomcast_core::system_messages::SystemMessageKind;
use roomcast_core::{Instant, Join, Joined, Payload, PerLevel, Recipient, SessionId, UserId};

impl Oracle {
    /// `RoomState::join` answered this.
    pub fn joined(
        &mut self,
        now: Instant,
        join: &Join<Probe>,
        answer: &Result<Joined, JoinError>,
        is_gone: impl Fn(SessionId) -> bool,
    ) -> Check {
        self.advance(now);
        let expected = self.join_error(join);
        if answer.is_ok() && self.listeners.here.len() as u64 >= u64::from(self.rules.sessions) {
            // Who ends first gives way; of several, any.
            let first = self.ending().map(|(_, until)| until).min();
            let mut gone = self.ending().filter(|&(session, _)| is_gone(session));
            let (session, until) = gone.next().unzip();
            same(Law::Members, "whose place is taken", (first, None), (until, gone.next()))?;
            drop(gone);
            self.go(session.unwrap_or(SessionId::from_bits(0)));
            self.listeners.release(session.unwrap_or(SessionId::from_bits(0)));
        }
        match answer {
            Err(error) => same(Law::Members, "why a join is not granted", expected, Some(*error)),
            Ok(joined) => {
                same(Law::Members, "a join is granted", expected, None)?;
                let session = joined.session;
                same(
                    Law::Members,
                    "a session id is new",
                    true,
                    self.sessions_ever.insert(session),
                )?;
                same(Law::Members, "of which life a session is", self.life, session.life())?;
                same(
                    Law::Members,
                    "a guest's id says so",
                    join.as_user().is_none(),
                    session.is_guest(),
                )?;
                let (mut listener, after, start) =
                    self.resumed(join.token()).unwrap_or_else(|| self.comes());
                same(
                    Law::Members,
                    "where a session starts",
                    (after, start),
                    (joined.starts_after.0, joined.start),
                )?;
                listener.group = join.in_group();
                listener.starts = match (start, join.token()) {
                    (StartPosition::Resumed, Some(token)) => self.goes_on_at(token),
                    _ => PerLevel::from_fn(|level| {
                        listener.pending[level].front().copied().unwrap_or(self.heads[level])
                    }),
                };
                listener.history = self.heads;
                self.welcome(&mut listener);
                self.listeners.here.insert(session, listener);
                let (now, mask) = (self.clock, join.masked_levels());
                self.listeners.set_masked_levels(&self.rules, now, session, mask);
                if let Some(user) = join.as_user() {
                    let was_online = self.is_online(user);
                    if self.members.count(user) == 0 {
                        self.speaking.comes(self.clock, user);
                        self.happens(SystemMessageKind::Joined, Some(user));
                    }
                    self.members.come(user, session);
                    if let Some(profile) = join.as_profile() {
                        self.members.profiles.insert(user, (profile.id(), profile.size()));
                    }
                    if !was_online {
                        self.arrivals.push(Some((user, self.clock)));
                        self.inbox.presence(
                            &self.rules,
                            user,
                            Presence::Online,
                            PresenceCause::Join,
                        );
                    }
                }
                self.shows_life(session);
                self.note_vacancy();
                Ok(())
            }
        }
    }

    /// Those that end, with when their grace is over.
    fn ending(&self) -> impl Iterator<Item = (SessionId, Instant)> {
        let ends = self.listeners.here.iter();
        ends.filter_map(|(&session, listener)| Some((session, listener.end?.1)))
    }

    /// A user's session goes; who was offline already does not go offline again. Once the room is
    /// closed, its one event stands for the going of everyone.
    pub(super) fn go(&mut self, session: SessionId) {
        self.go_as(session, SystemMessageKind::Left);
    }

    pub(super) fn go_as(&mut self, session: SessionId, tip: SystemMessageKind) {
        let user = self.members.user_of(session);
        let was_online = user.filter(|&user| self.is_online(user));
        let profile = user.and_then(|user| self.members.profiles.get(&user)).copied();
        self.members.go(session);
        self.lives.forget(session);
        if let Some(user) = user.filter(|&user| self.members.count(user) == 0) {
            self.speaking.goes(user);
        }
        if let Some(user) = user.filter(|&user| self.is_open() && self.members.count(user) == 0) {
            self.goes_with(tip, user, profile);
            self.attributes_end_with(user);
        }
        let gone = was_online.filter(|&user| !self.is_online(user));
        for arrival in &mut self.arrivals {
            arrival.take_if(|(user, _)| gone == Some(*user));
        }
        if let Some(user) = gone.filter(|_| self.is_open()) {
            self.inbox.presence(&self.rules, user, Presence::Offline, PresenceCause::Quit);
        }
    }

    pub(super) fn join_error(&self, join: &Join<Probe>) -> Option<JoinError> {
        let max = self.rules.sessions_per_user;
        let is_live = |session: &SessionId| {
            self.listeners.here.get(session).is_some_and(|listener| listener.end.is_none())
        };
        if !self.is_open() {
            return Some(JoinError::RoomClosed);
        }
        if let Some((user, until)) =
            join.as_user().and_then(|user| Some((user, self.banned(user)?)))
        {
            return Some(JoinError::Banned { user, until });
        }
        let former = join.token().map(|token| token.session);
        if let Some(session) = join.known().filter(is_live).or(former.filter(is_live)) {
            return Some(JoinError::AlreadyJoined { session });
        }
        if let Some(user) =
            join.as_user().filter(|&user| self.members.count(user) as u64 >= u64::from(max))
        {
            return Some(JoinError::TooManySessions { user, max });
        }
        let max = self.rules.sessions;
        // One that ends gives way to one that comes.
        let (here, max_here) = (self.listeners.here.len() as u64, u64::from(max));
        if here > max_here || here == max_here && self.ending().next().is_none() {
            return Some(JoinError::RoomFull { max });
        }
        let (size, max) =
            (join.as_user().and(join.as_profile())?.size(), self.rules.profile_bytes as usize);
        if size > max {
            return Some(JoinError::ProfileTooLarge { size, max });
        }
        self.kept_out().map(|limit| JoinError::MemoryFull { limit })
    }

    /// `RoomState::leave` answered this.
    pub fn left(&mut self, now: Instant, user: UserId, answer: Result<(), LeaveError>) -> Check {
        let leaves = self.is_member(user) && user != self.rules.owner;
        let now = self.advance_if(leaves, now);
        let sessions = self.members.sessions.get(&user).cloned().unwrap_or_default();
        let expected = if user == self.rules.owner {
            Err(LeaveError::OwnerCannotLeave { owner: user })
        } else if sessions.is_empty() {
            Err(LeaveError::NotMember { user })
        } else {
            Ok(())
        };
        if expected.is_ok() {
            self.all_end(now, user, EndReason::Left);
        }
        same(Law::Members, "leaving on all devices", expected, answer)
    }

    /// All sessions of a user go; they still take what they are due, then the reason.
    pub(super) fn all_end(&mut self, now: Instant, user: UserId, reason: EndReason) {
        let tip = match reason {
            EndReason::Kicked => SystemMessageKind::Kicked,
            EndReason::Banned => SystemMessageKind::Banned,
            _ => SystemMessageKind::Left,
        };
        for session in self.members.sessions.get(&user).cloned().unwrap_or_default() {
            self.go_as(session, tip);
            // In a closed room all end already, and why they do stays.
            let is_open = self.is_open();
            let listener = self.listeners.here.get_mut(&session);
            if let Some(listener) = listener.filter(|listener| is_open && listener.end.is_none()) {
                listener.end = Some((reason, now + self.rules.grace));
                self.listeners.news.push(now);
            }
        }
    }

    /// `RoomState::end_session` answered this, or `move_session`, by the reason; the last words are told
    /// by number and size.
    pub fn session_ended(
        &mut self,
        (now, reason): (Instant, EndReason),
        session: SessionId,
        farewell: Option<(u64, usize)>,
        answer: Result<(), (DirectReason, Option<usize>)>,
    ) -> Check {
        let now = self.advance_if(self.is_in(session), now);
        let size = farewell.map_or(0, |(_, size)| size);
        let max = u64::from(self.rules.payload_bytes).min(self.rules.direct_bytes);
        let listener = self.listeners.here.get(&session);
        let ends = listener.is_some_and(|listener| listener.end.is_none());
        let expected = if !self.is_open() {
            Err(DirectReason::RoomClosed)
        } else if size as u64 > max {
            Err(DirectReason::TooLarge { size, max })
        } else if !ends {
            Err(DirectReason::NoRecipient { to: Recipient::Session(session) })
        } else {
            Ok(())
        };
        if expected.is_ok() {
            if let Some((id, size)) = farewell {
                self.say_farewell(session, id, size as u64);
            }
            self.go(session);
            if let Some(listener) = self.listeners.here.get_mut(&session) {
                listener.end = Some((reason, now + self.rules.grace));
            }
            self.listeners.news.push(now);
        }
        let expected = expected.map_err(|reason| (reason, farewell.map(|(_, size)| size)));
        same(Law::Members, "ending a session", expected, answer)
    }

    /// `RoomState::close_session` answered this.
    pub fn session_closed(&mut self, now: Instant, session: SessionId, answer: bool) -> Check {
        self.advance_if(self.is_in(session), now);
        self.go(session);
        let was_in = self.listeners.release(session);
        self.note_vacancy();
        same(Law::Members, "whether the closed session was in", was_in, answer)
    }
}
