//! What can be read from a room at any instant, compared with the model.

use super::Oracle;
use crate::payload::Probe;
use crate::violation::{Check, Law, Violation, in_words, same};
use roomcast_core::admission::RoomStatus;
use roomcast_core::ledger::{Deliveries, Reason};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Instant, PerLevel, Priority, RoomState};
use std::fmt::Display;

impl Oracle {
    /// Compares everything that a look at the room shows, save the sessions one by one.
    pub fn inspect(&mut self, room: &RoomState<Probe>) -> Check {
        self.note_end();
        let snapshot = room.snapshot(self.clock);
        same(Law::Members, "the room's life", self.life, snapshot.admission.life)?;
        let cut = [snapshot.admission.clock_steps_cut, snapshot.audience.clock_steps_cut];
        same(Law::Timeouts, "steps of the clock that were cut", [self.steps.cut, 0], cut)?;
        self.messages(&snapshot)?;
        self.deliveries(&snapshot)?;
        self.inspect_directs(&snapshot)?;
        self.inspect_lives(&snapshot)?;
        self.bounds(&snapshot)?;
        self.inspect_audit(snapshot.admission.audit.as_ref())?;
        let bytes = [snapshot.bytes(), room.bytes()];
        same(Law::L7Bounded, "what the room holds, in bytes", [self.bytes(); 2], bytes)?;
        let expected = self.next_timeout().map(|at| at.max(self.clock));
        let found = room.poll_timeout().map(|at| at.max(self.clock));
        same(Law::Timeouts, "when the room wants to be called", expected, found)?;
        let wake = self.listeners.news.iter().copied().min();
        same(Law::Timeouts, "when those who wait are to be told", wake, room.poll_wake())?;
        same(Law::Events, "whether there are events", self.inbox.owes(), room.has_events())?;
        let ended = !self.is_open() && self.listeners.here.is_empty() && self.is_idle();
        same(Law::Members, "whether the room has ended", ended, room.is_ended())
    }

    /// Compares the books of each session, and the sessions of each user (law L2, by walking).
    pub fn inspect_sessions(&self, room: &RoomState<Probe>) -> Check {
        self.inspect_moderation(room)?;
        self.inspect_data(room)?;
        self.inspect_reviews(room)?;
        for (&session, listener) in &self.listeners.here {
            let stranger = session.key().in_life(!self.life);
            let known = (
                room.deliveries(stranger),
                room.skips(stranger),
                room.masked_levels(stranger),
                room.resume_token(self.clock, stranger),
            );
            same(Law::Members, "what is known of another life's", (None, None, None, None), known)?;
            let books = room.deliveries(session);
            let balance = books.is_some_and(|books| books.values().all(Deliveries::balances));
            same(
                Law::L2Deliveries,
                format_args!("the books of {session}"),
                Some(listener.deliveries()),
                books,
            )?;
            let (own, skips) = (listener.skipped, room.skips(session));
            same(
                Law::L2Deliveries,
                format_args!("{own:?} missed by {session}, by cause"),
                Some(true),
                skips.map(|skips| own.0 == skips.0),
            )?;
            same(
                Law::Members,
                format_args!("the mask of {session}"),
                Some(listener.mask),
                room.masked_levels(session),
            )?;
            same(
                Law::L2Deliveries,
                format_args!("whether the books of {session} balance"),
                true,
                balance,
            )?;
        }
        same(Law::Members, "the newest users", self.recent_users(), room.recent_users())?;
        self.inspect_lists(room)?;
        for (&user, sessions) in &self.members.sessions {
            let mut expected = sessions.clone();
            let mut found = room.sessions_of(user).to_vec();
            expected.sort_unstable();
            found.sort_unstable();
            same(Law::Members, format_args!("the sessions of {user}"), expected, found)?;
            same(
                Law::Members,
                format_args!("whether {user} is online"),
                self.is_online(user),
                room.is_online(user),
            )?;
        }
        Ok(())
    }

    fn messages(&self, snapshot: &RoomSnapshot) -> Check {
        let admission = &snapshot.admission;
        same(Law::L1Messages, "whether the ledger balances", true, admission.ledger.balances())?;
        for level in Priority::ALL {
            let (own, row) = (&self.books[level], &admission.ledger.levels[level]);
            let queued = self.line.level(level).count() as u64;
            let name = |what: &'static str| in_words(move |f| write!(f, "{what} {level} messages"));
            same(Law::L1Messages, name("submitted"), own.submitted, row.submitted)?;
            let from_edges = [own.from_edges, own.units_from_edges];
            let found = [row.from_edges, row.units.from_edges];
            same(Law::L1Messages, name("from edges"), from_edges, found)?;
            same(Law::L1Messages, name("dispatched"), own.dispatched, row.dispatched)?;
            same(Law::L1Messages, name("queued"), queued, row.queued)?;
            let reviewed =
                self.reviews.pending.iter().filter(|pending| pending.entry.level == level);
            same(
                Law::L1Messages,
                name("reviewed"),
                reviewed.clone().count() as u64,
                row.under_review,
            )?;
            same(Law::L1Messages, name("merged"), own.merged, row.merged)?;
            let sum = |units: &mut dyn Iterator<Item = u64>| units.fold(0, u64::wrapping_add);
            let queued_units = sum(&mut self
                .line
                .level(level)
                .filter_map(|entry| Some(self.waiting.get(&entry.id)?.units)));
            let reviewed_units = sum(&mut reviewed.map(|pending| pending.waiting.units));
            let found = row.units;
            let expected =
                [own.units_submitted, own.units_refused, own.units_dropped, own.units_dispatched];
            same(
                Law::L1Messages,
                name("units of"),
                expected,
                [found.submitted, found.refused, found.dropped, found.dispatched],
            )?;
            same(
                Law::L1Messages,
                name("units of waiting"),
                [queued_units, reviewed_units],
                [found.queued, found.under_review],
            )?;
            same(Law::L1Messages, name("counted"), queued, u64::from(admission.queued[level]))?;
            reasons(name("refused"), &own.refused, row.refused.iter())?;
            reasons(name("dropped"), &own.dropped, row.dropped.iter())?;
            let bytes: u64 = self.line.level(level).map(|entry| entry.size).sum();
            same(Law::L7Bounded, name("bytes of queued"), bytes, admission.queued_bytes[level])?;
        }
        let state = if self.is_open() { RoomStatus::Open } else { RoomStatus::Closed };
        same(Law::Members, "the state of the room", state, admission.state)?;
        same(
            Law::L5Rate,
            "whole tokens",
            self.turns.room.whole(self.clock.as_nanos()),
            admission.tokens,
        )?;
        same(
            Law::L1Messages,
            "reviews",
            self.reviews.pending.len(),
            admission.under_review as usize,
        )?;
        let forgotten = (self.said.len(), self.forgotten);
        let (keys, found) = admission.duplicate_keys;
        same(
            Law::L7Bounded,
            "keys that are remembered and forgotten",
            forgotten,
            (keys as usize, found),
        )?;
        same(
            Law::L5Rate,
            "broadcasts that were missed",
            self.heard.missed,
            admission.broadcasts_missed,
        )?;
        same(Law::Events, "outcome slots", self.inbox.held, admission.outcomes)?;
        same(Law::L4Order, "the last number", self.heads.values().sum(), admission.dispatched.0)?;
        same(Law::L2Deliveries, "what was dispatched of each level", self.heads, admission.heads)?;
        same(Law::Members, "users", self.members.sessions.len(), admission.users as usize)?;
        let sessions: usize = self.members.sessions.values().map(Vec::len).sum();
        same(Law::Members, "sessions of users", sessions, admission.user_sessions as usize)
    }

    fn deliveries(&self, snapshot: &RoomSnapshot) -> Check {
        let audience = &snapshot.audience;
        let balance = audience.deliveries.values().all(Deliveries::balances);
        same(Law::L2Deliveries, "whether the sums balance", true, balance)?;
        same(
            Law::L2Deliveries,
            "the sums over all sessions",
            self.listeners.sums(),
            audience.deliveries,
        )?;
        let own = self.listeners.skips();
        let what = format_args!("{own:?} missed over all sessions, by cause");
        same(Law::L2Deliveries, what, true, own.0 == audience.skips.0)?;
        same(
            Law::L2Deliveries,
            "the last number applied",
            self.heads.values().sum(),
            audience.applied.0,
        )?;
        same(Law::L2Deliveries, "what crossed the seam of each level", self.heads, audience.heads)?;
        same(Law::Members, "sessions", self.listeners.here.len(), audience.sessions as usize)?;
        same(Law::L7Bounded, "messages in the log", self.listeners.log_len(), audience.log)?;
        same(Law::L7Bounded, "bytes in the log", self.listeners.log_bytes(), audience.log_bytes)
    }

    fn bounds(&self, snapshot: &RoomSnapshot) -> Check {
        let (rules, admission, audience) = (&self.rules, &snapshot.admission, &snapshot.audience);
        let sum = |levels: &PerLevel<u32>| levels.values().map(|&n| u64::from(n)).sum();
        Self::within("messages in the queue", rules.queue.messages.into(), sum(&admission.queued))?;
        Self::within(
            "bytes in the queue",
            rules.queue.bytes,
            admission.queued_bytes.values().sum(),
        )?;
        for level in Priority::ALL {
            Self::within(
                "messages in the log",
                rules.log_messages[level].into(),
                audience.log[level].into(),
            )?;
            Self::within("bytes in the log", rules.log_bytes[level], audience.log_bytes[level])?;
            self.eased(
                format_args!("outcome slots of {level}"),
                rules.outcomes[level],
                admission.outcomes[level],
            )?;
        }
        self.eased("reviews", rules.review.tickets, admission.under_review)?;
        Self::within("keys", rules.duplicates.keys.into(), admission.duplicate_keys.0.into())?;
        self.eased("sessions", rules.sessions, audience.sessions)?;
        let cold = self.listeners.here.values().filter(|listener| listener.needs_more()).count();
        same(Law::L7Bounded, "state aside", cold, audience.cold_sessions as usize)?;
        self.eased("changes of presence", rules.presence_events, self.inbox.presence_len() as u64)?;
        let most = self.members.sessions.values().map(Vec::len).max().unwrap_or(0) as u64;
        self.eased("sessions of a user", rules.sessions_per_user, most)
    }

    /// The clock of the room.
    pub fn clock(&self) -> Instant {
        self.clock
    }
}

fn reasons<R: Reason + Eq + std::hash::Hash>(
    what: impl Display,
    own: &std::collections::HashMap<R, u64>,
    found: impl Iterator<Item = (R, u64)>,
) -> Check {
    for (reason, count) in found {
        let expected = own.get(&reason).copied().unwrap_or(0);
        if expected != count {
            return Err(Violation::new(
                Law::L1Messages,
                format_args!("{what}, {}", reason.name()),
                expected,
                count,
            ));
        }
    }
    Ok(())
}
