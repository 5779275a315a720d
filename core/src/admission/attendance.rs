//! How many sessions are in, over all audiences; a room that nobody is in closes by itself, and one
//! that is closed ends with its last.

use super::{Admission, RoomStatus};
use crate::error::JoinError;
use crate::event::Event;
use crate::ids::{SessionId, UserId};
use crate::message::Payload;
use crate::time::{Duration, Instant};
use alloc::sync::Arc;

/// The sessions of a room, guests and ending ones included.
#[derive(Debug)]
pub(super) struct Attendance {
    sessions: u32,
    /// How long the room may be empty; `None` is for ever.
    empty_for: Option<Duration>,
    /// Since when nobody is in, as far as that is known: a fresh room counts from the first call of
    /// `handle_timeout`.
    empty_since: Option<Instant>,
    /// Whether the host has been told that the room has ended.
    is_end_told: bool,
}

impl Attendance {
    pub(super) fn new(empty_for: Option<Duration>) -> Self {
        Self { sessions: 0, empty_for, empty_since: None, is_end_told: false }
    }

    /// From now on the room may be empty for another time. One that could stay so for ever counts
    /// from now.
    pub(super) fn reconfigure(&mut self, now: Instant, empty_for: Option<Duration>) {
        if self.empty_for.is_none() && self.sessions == 0 {
            self.empty_since = Some(now);
        }
        self.empty_for = empty_for;
    }

    #[inline]
    fn come(&mut self) {
        self.sessions += 1;
    }

    #[inline]
    fn go(&mut self, now: Instant) {
        self.sessions = self.sessions.saturating_sub(1);
        if self.sessions == 0 {
            self.empty_since = Some(now);
        }
    }
}

impl<M: Payload> Admission<M> {
    /// A session has joined an audience: a user's, who may bring a profile, or a guest's. Whoever
    /// says so says [`gone`](Self::gone) once, when the audience has let it go. O(1).
    pub fn come(&mut self, now: Instant, session: SessionId, user: Option<(UserId, Option<M>)>) {
        let now = self.clock.advance(now);
        self.attendance.come();
        let Some((user, profile)) = user else { return };
        self.add_session(now, user, session);
        if let Some(profile) = profile {
            let old = self.roster.set_profile(user, Arc::new(profile));
            self.deferred.add_profile(old);
        }
    }

    /// Whether a profile of so many bytes may come with a join. Changes nothing.
    ///
    /// # Errors
    /// It is larger than [`profile_bytes`](crate::RoomConfigBuilder::profile_bytes).
    pub fn check_profile(&self, size: usize) -> Result<(), JoinError> {
        let max = self.settings.profile_bytes as usize;
        if size > max { Err(JoinError::ProfileTooLarge { size, max }) } else { Ok(()) }
    }

    /// An audience has let a session go. O(sessions of the user).
    #[inline]
    pub fn gone(&mut self, now: Instant, session: SessionId) {
        let now = self.clock.advance(now);
        self.attendance.go(now);
        self.remove_session(now, session);
    }

    /// Returns how many sessions are in, guests and ending ones included.
    pub fn sessions(&self) -> u32 {
        self.attendance.sessions
    }

    /// Whether there is room for one more session, over all audiences. Changes nothing.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn check_space(&self) -> Result<(), JoinError> {
        let max = self.settings.sessions;
        if self.attendance.sessions < max { Ok(()) } else { Err(JoinError::RoomFull { max }) }
    }

    /// Whether nobody has been in for as long as an open room may be empty. A fresh room counts
    /// from the first such call.
    pub fn is_vacant(&mut self, now: Instant) -> bool {
        let now = self.clock.advance(now);
        match self.attendance.empty_for.filter(|_| self.may_expire()) {
            Some(after) => now >= *self.attendance.empty_since.get_or_insert(now) + after,
            None => false,
        }
    }

    /// When the room closes by itself, if nobody comes.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        let after = self.attendance.empty_for.filter(|_| self.may_expire())?;
        let since = self.attendance.empty_since;
        Some(since.map_or(self.clock.peek(Instant::ZERO), |since| since + after))
    }

    fn may_expire(&self) -> bool {
        self.attendance.sessions == 0 && self.state == RoomStatus::Open
    }

    /// Whether the room is closed, nothing waits and everyone is gone: its books are final.
    pub fn is_ended(&self) -> bool {
        self.state == RoomStatus::Closed && self.attendance.sessions == 0 && self.is_idle()
    }

    /// Whether the host has yet to be told that the room has ended.
    pub(super) fn owes_end(&self) -> bool {
        self.is_ended() && !self.attendance.is_end_told
    }

    /// The end of the room, once: the last of its events.
    pub(super) fn poll_end(&mut self) -> Option<Event> {
        let owes = self.owes_end();
        self.attendance.is_end_told |= owes;
        owes.then_some(Event::RoomEnded)
    }
}
