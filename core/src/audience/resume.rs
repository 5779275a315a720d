//! Resuming: a session that goes on where another one was.

use super::{Audience, MAX_LAG};
use crate::config::Echo;
use crate::error::JoinError;
use crate::event::{Joined, StartPosition};
use crate::ids::{Group, Seq, SessionId};
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use crate::resume::ResumeToken;
use crate::time::Instant;

impl<M: Payload> Audience<M> {
    /// Where a session stands at `now`: what it has been handed, and been told that it missed, lies
    /// before. Of a level that it has masked, that is all. `None` when it is not in, or ends. O(1).
    ///
    /// It does not carry the session's mask, nor what was sent to it directly.
    pub fn resume_token(&self, now: Instant, session: SessionId) -> Option<ResumeToken> {
        let slot = self.sessions.slot_of(session).filter(|_| self.is_live(session))?;
        let positions = PerLevel::from_fn(|level| {
            let head = self.log.head(level);
            let reached = if self.is_masked(slot, level) {
                head
            } else {
                self.sessions.cursor(slot, level, head)
            };
            let untold = self.cold(slot).map_or(0, |cold| cold.levels[level].untold);
            reached.saturating_sub(untold)
        });
        Some(ResumeToken { session, positions, taken_at: self.clock.peek(now) })
    }

    /// Lets a session in that reads on from where another one was: what that had not got, and what
    /// has come since, is due to it; what the log does not hold any more is a gap. Messages of the
    /// other's own that the log still holds are excluded. Costs what is unread, at most the log.
    ///
    /// A token that is as old as [`resume_within`](crate::RoomConfigBuilder::resume_within) or
    /// older, that is from the future (of time, or of a level's positions), or that is more than
    /// 2³⁰ messages of a level behind, is not honoured: the session joins as any other.
    /// [`Joined::start`] tells which it was.
    ///
    /// # Errors
    /// As [`join`](Self::join); also when the session that the token names is still in.
    pub fn resume(
        &mut self,
        now: Instant,
        guest: bool,
        group: Group,
        known: Option<SessionId>,
        token: ResumeToken,
    ) -> Result<Joined, JoinError> {
        let now = self.clock.advance(now);
        self.check_enter(known.filter(|&known| self.is_live(known)).or(Some(token.session)))?;
        if !self.honours(now, &token) {
            return self.join(guest, group, None);
        }
        let session = self.enter(guest, group, token.positions);
        if self.echo == Echo::Off {
            self.exclude_former(session, &token);
        }
        Ok(Joined {
            session,
            starts_after: Seq(token.positions.values().sum()),
            start: StartPosition::Resumed,
        })
    }

    fn honours(&self, now: Instant, token: &ResumeToken) -> bool {
        let is_fresh =
            token.taken_at <= now && now.saturating_since(token.taken_at) < self.resume_within;
        let behind = |level| self.log.head(level).checked_sub(token.positions[level]);
        is_fresh
            && Priority::ALL
                .into_iter()
                .all(|level| behind(level).is_some_and(|behind| behind <= u64::from(MAX_LAG)))
    }

    /// What the former session sent is the new one's own.
    fn exclude_former(&mut self, session: SessionId, token: &ResumeToken) {
        let Some(slot) = self.sessions.slot_of(session) else { return };
        for level in Priority::ALL {
            for position in token.positions[level].max(self.log.tail(level))..self.log.head(level) {
                if self
                    .log
                    .get(level, position)
                    .is_some_and(|message| message.session == Some(token.session))
                {
                    self.exclude_own(slot, level, position);
                }
            }
        }
    }
}
