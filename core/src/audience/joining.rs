//! How a session comes: fresh, or to go on where another one was.

use super::Audience;
use crate::error::JoinError;
use crate::event::{Joined, StartPosition};
use crate::ids::{Group, Seq, SessionId, SessionKey, SessionKind};
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use crate::resume::{MAX_FORMERS, ResumeToken, TokenAt};
use crate::time::Instant;

impl<M: Payload> Audience<M> {
    /// Lets a session in: it gets what is applied from now on, when its `group` is swept or when it
    /// asks; and before that the last few messages, if the room is configured so: then
    /// it is ready at once, and these are [history](crate::Batch::is_history). O(1).
    ///
    /// # Errors
    /// The audience is closed or full, or `known`, the session that the connection had before, is
    /// still in.
    pub fn join(
        &mut self,
        kind: SessionKind,
        group: Group,
        known: Option<SessionId>,
    ) -> Result<Joined, JoinError> {
        self.check_enter(known)?;
        let (starts, starts_after, start) = self.feed.fresh_start();
        let key = self.enter(kind, group, &starts);
        if start == StartPosition::Late {
            self.crowd.begin_with_history(self.feed.log(), key);
        }
        Ok(Joined { session: key.in_life(self.life), starts_after, start })
    }

    /// Where a session stands at `now`: what it has been handed, and been told that it missed, lies
    /// before, and so does what it said itself while nothing was left for it to read. Of a level
    /// that it has masked, that is all. `None` when it is not in, or ends. O(1).
    ///
    /// It does not carry the session's mask, nor what was sent to it directly.
    pub fn resume_token(&self, now: Instant, session: SessionId) -> Option<ResumeToken> {
        self.resume_token_at(now, session, TokenAt::HandedOver)
    }

    /// As [`resume_token`](Self::resume_token), from what was handed over or what was acknowledged.
    pub fn resume_token_at(
        &self,
        now: Instant,
        session: SessionId,
        at: TokenAt,
    ) -> Option<ResumeToken> {
        self.token_taken_at(self.clock.peek(now), session, at)
    }

    /// As [`resume_token_at`](Self::resume_token_at), where the time of the room is this.
    pub(crate) fn token_taken_at(
        &self,
        taken_at: Instant,
        session: SessionId,
        at: TokenAt,
    ) -> Option<ResumeToken> {
        let slot = self.live_slot(session).filter(|_| !self.closing.is_closed())?;
        let positions = match at {
            TokenAt::HandedOver => self.crowd.reached(self.feed.log(), slot),
            TokenAt::Acknowledged => self.crowd.acknowledged(self.feed.log(), slot),
            TokenAt::Due => self.feed.log().heads(),
        };
        let formers = self.crowd.formers(slot).to_vec();
        Some(ResumeToken { session, formers, positions, taken_at })
    }

    /// The client of a session has all messages of a level up to the one with this number: a token
    /// that is taken [at what was acknowledged](TokenAt::Acknowledged) stands behind it. Returns
    /// whether the session is in and does not end. O(log log).
    ///
    /// Clients may say what they like: what stands acknowledged never goes back, nor beyond what
    /// was handed over, and a number that the log does not reach back to changes nothing.
    pub fn ack(&mut self, session: SessionId, level: Priority, seq: Seq) -> bool {
        let Some(slot) = self.live_slot(session).filter(|_| !self.closing.is_closed()) else {
            return false;
        };
        self.crowd.ack(self.feed.log(), slot, level, seq);
        true
    }

    /// Whether the client of a session has acknowledged anything.
    pub fn acknowledges(&self, session: SessionId) -> bool {
        self.live_slot(session).is_some_and(|slot| self.crowd.acknowledges(slot))
    }

    /// Lets a session in that reads on from where another one was: what that had not got, and what
    /// has come since, is due to it; what the log does not hold any more is a gap. Messages that
    /// the other sent, and those before it that it went on from, are excluded, those in the log
    /// and those that have yet to be dispatched. Costs what is unread, at most
    /// [`resume_messages`](crate::config::RoomConfigBuilder::resume_messages) of each level: what
    /// lies further back is a gap as well, and so is what was dispatched
    /// [`resume_within`](crate::config::RoomConfigBuilder::resume_within) ago or longer, unless any
    /// fresh session would get it. What it reads that was there before it came is
    /// [history](crate::Batch::is_history), and is handed over however old.
    ///
    /// An audience of another machine may be further on than this one, and a token of it ahead: then the
    /// session reads from the head, and gets again, once it is dispatched here, what its client drops by
    /// number.
    ///
    /// A token that is as old as `resume_within` or older, that is from the future by more than
    /// [`resume_skew`](crate::config::RoomConfigBuilder::resume_skew), or that is more than 2³⁰ messages
    /// of a level behind, is not honoured: the session joins as any other, and so it does with one of
    /// another life of the room. [`Joined::start`] tells which it was.
    ///
    /// # Errors
    /// As [`join`](Self::join); also when the session that the token names is still in.
    pub fn resume(
        &mut self,
        now: Instant,
        kind: SessionKind,
        group: Group,
        known: Option<SessionId>,
        token: &ResumeToken,
    ) -> Result<Joined, JoinError> {
        let former = known.filter(|&known| self.is_live(known)).unwrap_or(token.session);
        self.check_enter(Some(former))?;
        let now = self.clock.advance(now);
        let Some(former) = token.session.key_in(self.life) else {
            let joined = self.join(kind, group, None)?;
            return Ok(Joined { start: StartPosition::Unknown, ..joined });
        };
        if !self.feed.honours(now, token) {
            return self.join(kind, group, None);
        }
        let heads = self.feed.log().heads();
        let positions = &PerLevel::from_fn(|level| token.positions[level].min(heads[level]));
        let key = self.enter(kind, group, positions);
        let first = token.formers.len().saturating_sub(MAX_FORMERS);
        let mut formers = token.formers[first..].to_vec();
        formers.push(former);
        let floors = self.feed.resume_floors(now);
        self.crowd.go_on(self.feed.log(), key, &formers, positions, floors);
        self.crowd.begin_with_history(self.feed.log(), key);
        let starts_after = Seq(positions.values().sum());
        let session = key.in_life(self.life);
        Ok(Joined { session, starts_after, start: StartPosition::Resumed })
    }

    /// Checks whether a session may come whose connection had another before.
    #[inline]
    fn check_enter(&self, known: Option<SessionId>) -> Result<(), JoinError> {
        if self.closing.is_closed() {
            return Err(JoinError::RoomClosed);
        }
        if let Some(session) = known.filter(|&session| self.is_live(session)) {
            return Err(JoinError::AlreadyJoined { session });
        }
        let sessions = self.crowd.sessions();
        if sessions.is_full() { Err(JoinError::RoomFull { max: sessions.max() }) } else { Ok(()) }
    }

    /// A session comes that reads from these positions on.
    #[inline]
    fn enter(&mut self, kind: SessionKind, group: Group, starts: &PerLevel<u64>) -> SessionKey {
        let key = self.crowd.enter(kind, group, starts);
        if let Some(wheel) = &mut self.wheel
            && let Some(slot) = self.crowd.sessions().slot_of(key)
        {
            wheel.come(slot);
        }
        key
    }
}
