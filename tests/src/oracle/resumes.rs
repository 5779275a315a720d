//! Going on where another session was: what it had not taken, and what has come since, is due.

use super::Oracle;
use super::listeners::Listener;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::config::Echo;
use roomcast_core::event::StartPosition;
use roomcast_core::ids::{Seq, SessionKey};
use roomcast_core::resume::{MAX_FORMERS, ResumeToken, TokenAt};
use roomcast_core::time::Duration;
use roomcast_core::{GapCause, Instant, PerLevel, Priority, SessionId};

impl Oracle {
    /// `RoomState::resume_token` answered this: all that is not due lies before it, or is the
    /// session's own.
    pub fn token_taken(
        &mut self,
        now: Instant,
        session: SessionId,
        at: TokenAt,
        answer: Option<&ResumeToken>,
    ) -> Check {
        // It only looks: the clock does not move.
        let now = self.what_time(now);
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
        same(Law::Members, "whose token it was before", &listener.formers, &token.formers)?;
        if at == TokenAt::Acknowledged {
            return self.stands_acknowledged(listener, token);
        }
        if at == TokenAt::Due {
            return same(Law::Members, "where all that is due ends", self.heads, token.positions);
        }
        for level in Priority::ALL {
            // What it missed before a mask and was not told of lies before it, too.
            let (from, head) =
                (token.positions[level] + listener.missed[level].total(), self.heads[level]);
            if listener.mask.contains(level) {
                same(
                    Law::L2Deliveries,
                    format_args!("where the masked {level} stands"),
                    head,
                    from,
                )?;
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
                    format_args!("where {level} stands"),
                    (pending, head),
                    from,
                ));
            }
        }
        Ok(())
    }

    /// Of each level what was acknowledged lies before, and of a masked one all.
    fn stands_acknowledged(&self, listener: &Listener, token: &ResumeToken) -> Check {
        for level in Priority::ALL {
            let (least, most) = listener.acked[level];
            let start = listener.starts[level];
            let (least, most) = (least.max(start), most.max(start));
            let is_masked = listener.mask.contains(level);
            let expected =
                if is_masked { (self.heads[level], self.heads[level]) } else { (least, most) };
            let from = token.positions[level];
            if from < expected.0 || from > expected.1 {
                let what = format!("where the acknowledged {level} stands");
                return Err(Violation::new(Law::L2Deliveries, what, expected, from));
            }
        }
        Ok(())
    }

    /// `RoomState::ack` answered this.
    pub fn acked(&mut self, session: SessionId, level: Priority, seq: Seq, answer: bool) -> Check {
        let is_open = self.is_open();
        let head = self.heads[level];
        let has_all = self.listeners.numbered(level).filter(|&(number, _)| number <= seq).last();
        let listener = self
            .listeners
            .here
            .get_mut(&session)
            .filter(|listener| is_open && listener.end.is_none());
        same(Law::Members, "whether a session acknowledges", listener.is_some(), answer)?;
        let (Some(listener), Some((_, position))) = (listener, has_all) else { return Ok(()) };
        // Never beyond what it was handed. Where that ends is open by what it is not due: its own,
        // and what it has missed.
        let handed = listener.pending[level].front().copied().unwrap_or(head);
        let most = if listener.mask.contains(level) { head } else { handed }.min(position + 1);
        let missed = listener.missed[level].total();
        let sure = if listener.mask.contains(level) && missed == 0 {
            head
        } else {
            listener.handed[level].saturating_sub(missed)
        };
        let acked = &mut listener.acked[level];
        *acked = (acked.0.max(sure.min(most)), acked.1.max(most));
        Ok(())
    }

    /// Where a session goes on with a token: one of another machine may name what has yet to come here.
    pub(super) fn goes_on_at(&self, token: &ResumeToken) -> PerLevel<u64> {
        PerLevel::from_fn(|level| token.positions[level].min(self.heads[level]))
    }

    /// What a session that joins with this token finds, if the token is honoured; with the last
    /// number that it does not get.
    pub(super) fn resumed(
        &self,
        token: Option<&ResumeToken>,
    ) -> Option<(Listener, u64, StartPosition)> {
        let token = token?;
        if token.session.life() != self.life {
            // Its positions are those of another feed: it starts as a fresh session does.
            let (listener, after, _) = self.comes();
            return Some((listener, after, StartPosition::Unknown));
        }
        // Another machine's clock may be ahead of this room's by so much.
        if token.taken_at > self.clock + self.rules.resume_skew {
            return None;
        }
        let age = self.clock.saturating_since(token.taken_at);
        let from = self.goes_on_at(token);
        let is_far =
            Priority::ALL.into_iter().any(|level| self.heads[level] - from[level] > 1 << 30);
        if age >= self.rules.resume_within || is_far {
            return None;
        }
        let mut reach = PerLevel::from_fn(|level| from[level].max(self.reach(level)));
        // The last that count, and of these whom the room has reason to remember.
        let last = token.formers.iter().rev().take(MAX_FORMERS).rev().copied();
        let formers: Vec<SessionKey> = last.chain([token.session.key()]).collect();
        let latest = formers.len().saturating_sub(8);
        let echo = self.rules.echo == Echo::On;
        let said = |reach: &PerLevel<u64>, former: SessionKey| {
            let is_his =
                |level, position| !echo && self.listeners.sender(level, position) == Some(former);
            PerLevel::from_fn(|level| {
                (reach[level]..self.heads[level]).rev().find(|&position| is_his(level, position))
            })
        };
        let mut remembered: Vec<SessionKey> = Vec::new();
        for (place, &former) in formers.iter().enumerate() {
            let speaks = said(&reach, former).values().any(Option::is_some);
            if !echo && (speaks || place >= latest) {
                remembered.push(former);
            }
        }
        // What was out of reach whatever its age: given up while it was fresh, or too far back.
        let mut overrun = PerLevel::from_fn(|level| {
            let back = u64::from(self.rules.resume_messages);
            self.listeners.overrun[level].max(self.heads[level].saturating_sub(back))
        });
        // Too many: what the oldest said is missed, and all before it.
        while remembered.len() > MAX_FORMERS {
            let said = said(&reach, remembered.remove(0));
            for level in Priority::ALL {
                if let Some(position) = said[level] {
                    reach[level] = position + 1;
                    overrun[level] = position + 1;
                }
            }
        }
        let mut listener = Listener { formers: remembered, ..Listener::default() };
        for level in Priority::ALL {
            for position in from[level]..self.heads[level] {
                let sender = self.listeners.sender(level, position);
                let is_own = sender.is_some_and(|sender| listener.formers.contains(&sender));
                if position < reach[level] {
                    let is_overrun = position < overrun[level];
                    listener
                        .miss(level, if is_overrun { GapCause::Overrun } else { GapCause::Age });
                } else if is_own {
                    listener.exclude_own(level, position);
                } else {
                    listener.give(level, position);
                }
            }
        }
        Some((listener, from.values().sum(), StartPosition::Resumed))
    }

    /// The first position of a level behind the last that the log holds and that nobody may read
    /// who resumes.
    fn reach(&self, level: Priority) -> u64 {
        let fresh = self.listeners.given(self.rules.replay_on_join);
        let may_read = |position: u64, dispatched_at: Instant| {
            let is_near = self.heads[level] - position <= u64::from(self.rules.resume_messages);
            let age = self.clock.as_nanos().saturating_sub(dispatched_at.as_nanos());
            let is_young = Duration::from_nanos(age) < self.rules.resume_within;
            is_near && (is_young || fresh.contains(&(level, position)))
        };
        let logged = self.listeners.logged(level);
        let last = logged.filter(|&(position, dispatched_at)| !may_read(position, dispatched_at));
        last.map(|(position, _)| position + 1).max().unwrap_or_default()
    }
}

impl Listener {
    /// A message is due that it does not get, and that it is told it missed.
    fn miss(&mut self, level: Priority, cause: GapCause) {
        self.counts[level].due += 1;
        self.skip(level, cause);
        self.missed[level].add(cause);
    }
}
