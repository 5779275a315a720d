//! Going on where another session was: what it had not taken, and what has come since, is due.

use super::Oracle;
use super::listeners::Listener;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::config::Echo;
use roomcast_core::event::StartPosition;
use roomcast_core::resume::ResumeToken;
use roomcast_core::time::Duration;
use roomcast_core::{Instant, PerLevel, Priority, SessionId};

impl Oracle {
    /// `RoomState::resume_token` answered this: all that is not due lies before it, or is the session's own.
    pub fn token_taken(
        &mut self,
        now: Instant,
        session: SessionId,
        answer: Option<ResumeToken>,
    ) -> Check {
        // It only looks: the clock does not move.
        let now = self.clock.max(now);
        let is_open = self.is_open();
        let listener =
            self.listeners.here.get(&session).filter(|listener| is_open && listener.end.is_none());
        same(Law::Members, "whether a session gets a token", listener.is_some(), answer.is_some())?;
        let (Some(listener), Some(token)) = (listener, answer) else { return Ok(()) };
        same(
            Law::Members,
            "whose token, and when",
            (session, now),
            (token.session, token.taken_at),
        )?;
        for level in Priority::ALL {
            // What it missed before a mask and was not told of lies before it, too.
            let (from, head) = (token.positions[level] + listener.missed[level], self.heads[level]);
            if listener.mask.contains(level) {
                same(Law::L2Deliveries, format!("where the masked {level} stands"), head, from)?;
            }
            let pending = &listener.pending[level];
            let fits =
                |position| pending.contains(&position) || listener.own[level].contains(&position);
            if from > head
                || pending.front().is_some_and(|&first| first < from)
                || !(from..head).all(fits)
            {
                return Err(Violation::new(
                    Law::L2Deliveries,
                    format!("where {level} stands"),
                    (pending, head),
                    from,
                ));
            }
        }
        Ok(())
    }

    /// What a session that joins with this token finds, if the token is honoured; with the last number that it does not get.
    pub(super) fn resumed(
        &self,
        token: Option<ResumeToken>,
    ) -> Option<(Listener, u64, StartPosition)> {
        let token = token?;
        if token.session.life() != self.life {
            // Its positions are those of another feed: it starts as a fresh session does.
            let (listener, after, _) = self.comes();
            return Some((listener, after, StartPosition::Unknown));
        }
        let age =
            Duration::from_nanos(self.clock.as_nanos().checked_sub(token.taken_at.as_nanos())?);
        let behind =
            PerLevel::from_fn(|level| self.heads[level].checked_sub(token.positions[level]));
        if age >= self.rules.resume_within
            || behind.values().any(|behind| behind.is_none_or(|behind| behind > 1 << 30))
        {
            return None;
        }
        let mut listener = Listener::default();
        for level in Priority::ALL {
            for position in token.positions[level]..self.heads[level] {
                let is_own = self.listeners.sender(level, position) == Some(token.session.key());
                if is_own && self.rules.echo == Echo::Off {
                    listener.exclude_own(level, position);
                } else {
                    listener.give(level, position);
                }
            }
        }
        Some((listener, token.positions.values().sum(), StartPosition::Resumed))
    }
}
