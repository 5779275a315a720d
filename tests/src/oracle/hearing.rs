//! What was broadcast to every room, as a list; and how much of it this room has heard.

use super::Oracle;
use super::at_once::AtOnce;
use crate::checked::Crossed;
use crate::violation::{Check, Law, same};
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
            if !self.host_offers(level, Kind::Notice, size) {
                continue;
            }
            let broadcast =
                AtOnce { payload: id, level, kind: Kind::Notice, units: 1, admitted_at: now };
            let (m, _) = self.goes_at_once(now, "a broadcast", broadcast, &mut sent)?;
            self.listeners.dispatched(&self.rules, m, size as u64);
        }
        Self::nothing_beside("what was broadcast", &sent)
    }
}
