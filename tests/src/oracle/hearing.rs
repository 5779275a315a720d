//! What was broadcast to every room, as a list; and how much of it this room has heard.

use super::Oracle;
use crate::checked::Crossed;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::ids::{Seq, SessionKey};
use roomcast_core::ledger::RefusalReason;
use roomcast_core::message::Sender;
use roomcast_core::{Instant, Kind, Priority};

/// Everything that was broadcast since the room was made.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    all: Vec<(Priority, u64, usize)>,
    so_far: usize,
    /// Those that fell out of the log before the room heard them.
    pub(super) missed: u64,
}

/// Broadcasts that are kept.
const KEPT: usize = 64;

impl Oracle {
    /// Something is broadcast: its number and size.
    pub fn broadcast(&mut self, level: Priority, id: u64, size: usize) {
        self.heard.all.push((level, id, size));
    }

    /// `RoomState::import_broadcasts` was called after so many broadcasts, and this went out.
    pub fn heard(&mut self, now: Instant, count: u64, crossed: &[Crossed]) -> Check {
        let now = self.advance(now);
        same(
            Law::L5Rate,
            "broadcasts that the oracle was told of",
            self.heard.all.len() as u64,
            count,
        )?;
        let mut sent = crossed.iter();
        let first = self.heard.all.len().saturating_sub(KEPT);
        let heard = self.heard.so_far;
        self.heard.so_far = self.heard.all.len();
        if !self.is_open() {
            return same(Law::Events, "what a closed room hears", 0, crossed.len());
        }
        self.heard.missed += first.saturating_sub(heard) as u64;
        let news = self.heard.all.split_off(first.max(heard));
        self.heard.all.extend_from_slice(&news);
        for (level, id, size) in news {
            let level = self.counts_as(level);
            self.submitted += 1;
            let row = &mut self.books[level];
            (row.submitted, row.units_submitted) =
                (row.submitted + 1, row.units_submitted.wrapping_add(1));
            if size > self.rules.payload_bytes as usize {
                *row.refused.entry(RefusalReason::TooLarge).or_default() += 1;
                row.units_refused = row.units_refused.wrapping_add(1);
                continue;
            }
            (row.dispatched, row.units_dispatched) =
                (row.dispatched + 1, row.units_dispatched.wrapping_add(1));
            let Some(m) = sent.next() else {
                return Err(Violation::new(
                    Law::L5Rate,
                    "a broadcast goes out",
                    id,
                    "nothing sent",
                ));
            };
            let (seq, position) = (Seq(self.heads.values().sum::<u64>() + 1), self.heads[level]);
            self.heads[level] += 1;
            let expected =
                (id, seq, position, level, Kind::Notice, Sender::Host, None::<SessionKey>, now);
            let found = (
                m.payload.id(),
                m.seq,
                m.position,
                m.priority,
                m.kind,
                m.sender,
                m.session,
                m.dispatched_at,
            );
            same(Law::L4Order, "a broadcast", expected, found)?;
            self.listeners.dispatched(&self.rules, m, size as u64);
        }
        same(Law::L5Rate, "what goes out beside what was broadcast", 0, sent.len())
    }
}
