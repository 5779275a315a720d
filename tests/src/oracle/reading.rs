//! What one who reads is handed (clauses A25 and B10): batches and sweeps.

use super::Oracle;
use super::listeners::{Swept, check_batch};
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::error::SessionEnd;
use roomcast_core::{Batch, Budget, Group, Instant, SessionId};
use std::ops::Range;

impl Oracle {
    /// `RoomState::next_batch` answered this.
    pub fn took(
        &mut self,
        now: Instant,
        session: SessionId,
        budget: Budget,
        answer: &Result<Option<Batch<Probe>>, SessionEnd>,
    ) -> Check {
        let now = self.advance_if(self.is_in(session), now);
        if !self.is_in(session) {
            self.go(session);
            let answer = answer.as_ref().map(Option::is_some).map_err(|&end| end);
            return same(
                Law::Batches,
                "a session that is not in",
                Err(SessionEnd::NoSession(session)),
                answer,
            );
        }
        let reason = self.listeners.reason(session);
        let expected = self.listeners.take(&self.rules, now, session, budget);
        match answer {
            Ok(Some(batch)) => check_batch(expected, batch),
            Ok(None) => {
                same(Law::Batches, "what is due", expected, (Vec::new(), false))?;
                same(Law::Batches, "a session that ends is told so", reason, None)
            }
            Err(end) => {
                same(Law::Batches, "what is due before the end", expected, (Vec::new(), false))?;
                same(
                    Law::Batches,
                    "why a session ends",
                    reason.map(SessionEnd::Closed),
                    Some(*end),
                )?;
                self.go(session);
                self.listeners.release(session);
                self.note_vacancy();
                Ok(())
            }
        }
    }

    /// `RoomState::sweep` handed out this, in this order; the sessions that are `busy` did not take
    /// theirs.
    pub fn swept(
        &mut self,
        now: Instant,
        group: Group,
        slots: &Range<u32>,
        budget: Budget,
        busy: impl Fn(SessionId) -> bool,
        found: &[(SessionId, Swept)],
    ) -> Check {
        let now = self.advance(now);
        let inside = self
            .listeners
            .here
            .iter()
            .filter(|(session, other)| slots.contains(&session.slot()) && other.group == group);
        let inside: Vec<SessionId> = inside.map(|(&session, _)| session).collect();
        let mut expected = Vec::new();
        for session in inside {
            let (before, directs, taken, more) = loop {
                let before = self.listeners.here[&session].clone();
                let directs = self.listeners.directs;
                let (taken, more) = self.listeners.take_or_pass(&self.rules, now, session, budget);
                if !taken.is_empty() || !more {
                    break (before, directs, taken, more);
                }
            };
            if !taken.is_empty() {
                expected.push((session, Swept::Batch(taken, more)));
                if busy(session) {
                    self.listeners.here.insert(session, before);
                    self.listeners.directs = directs;
                }
            } else if let Some(reason) = self.listeners.reason(session) {
                expected.push((session, Swept::End(reason)));
                self.go(session);
                self.listeners.release(session);
            }
        }
        self.note_vacancy();
        same(Law::Batches, "what a sweep hands out", expected, found.to_vec())
    }
}
