//! A session goes on where others were: what of that is out of reach, and what is its own.

use super::Crowd;
use crate::config::Echo;
use crate::ids::{Seq, SessionKey};
use crate::log::Log;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use crate::resume::{LATEST_FORMERS, MAX_FORMERS};
use alloc::vec;
use alloc::vec::Vec;

impl<M: Payload> Crowd<M> {
    /// A session that has just come from `positions` goes on from former ones, the oldest first. It
    /// reads nothing below `floors`: that it has missed, and is told; each comes with the position
    /// below which it was out of reach whatever its age. What the former ones sent, from there on
    /// in the log and later, is its own.
    pub(in crate::audience) fn go_on(
        &mut self,
        log: &Log<M>,
        session: SessionKey,
        formers: &[SessionKey],
        positions: &PerLevel<u64>,
        floors: PerLevel<(u64, u64)>,
    ) {
        let Some(slot) = self.sessions.slot_of(session) else { return };
        let mut overruns = PerLevel::from_fn(|level| floors[level].1);
        let mut floors = PerLevel::from_fn(|level| floors[level].0.max(positions[level]));
        let own = match self.echo {
            Echo::Off => {
                let before = floors;
                let own = self.find_own(log, slot, formers, &mut floors);
                for level in
                    Priority::ALL.into_iter().filter(|&level| floors[level] > before[level])
                {
                    overruns[level] = floors[level];
                }
                own
            }
            Echo::On => Vec::new(),
        };
        for level in Priority::ALL {
            self.skip(log, slot, level, positions[level]..floors[level], overruns[level]);
        }
        for (level, position) in own {
            self.exclude_own(log, slot, level, position);
        }
    }

    /// Returns the messages of former sessions from the floors on, and remembers those sessions
    /// whose messages these are, and the latest few, which may have some that wait. Where they are
    /// too many the floors rise over what the oldest said.
    fn find_own(
        &mut self,
        log: &Log<M>,
        slot: u32,
        formers: &[SessionKey],
        floors: &mut PerLevel<u64>,
    ) -> Vec<(Priority, u64)> {
        // A sorted list, so that each message costs little however many they are.
        let mut places: Vec<(SessionKey, usize)> = formers.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let mut is_kept = vec![false; formers.len()];
        is_kept.iter_mut().rev().take(LATEST_FORMERS).for_each(|kept| *kept = true);
        let mut own = Vec::new();
        for level in Priority::ALL {
            for position in floors[level].max(log.tail(level))..log.head(level) {
                let sender = log.get(level, position).and_then(|message| message.session);
                let found = sender
                    .and_then(|sender| places.binary_search_by_key(&sender, |&(key, _)| key).ok());
                if let Some(found) = found {
                    let place = places[found].1;
                    is_kept[place] = true;
                    own.push((level, position, place));
                }
            }
        }
        let kept = is_kept.iter().filter(|&&kept| kept).count();
        let too_many = kept.saturating_sub(MAX_FORMERS);
        let mut kept = (0..formers.len()).filter(|&place| is_kept[place]).skip(too_many).peekable();
        let oldest = kept.peek().copied().unwrap_or_default();
        for &(level, position, place) in &own {
            if place < oldest {
                floors[level] = position + 1;
            }
        }
        self.lineage.come(slot, kept.map(|place| formers[place]).collect());
        own.retain(|&(level, position, _)| position >= floors[level]);
        own.into_iter().map(|(level, position, _)| (level, position)).collect()
    }

    /// The client of a session has all messages of a level up to the one with this number.
    pub(in crate::audience) fn ack(&mut self, log: &Log<M>, slot: u32, level: Priority, seq: Seq) {
        let next = log.first_where(level, |message| message.seq > seq);
        if next == log.tail(level) {
            // Nobody knows any more which position the number has.
            return;
        }
        let reached = self.reached(log, slot)[level];
        let mut acked = self.acknowledged_or_start(log, slot);
        acked[level] = acked[level].max(next.min(reached));
        self.acks.insert(slot, acked);
    }

    /// Returns whether the client of a session has acknowledged anything.
    pub(in crate::audience) fn acknowledges(&self, slot: u32) -> bool {
        self.acks.contains_key(&slot)
    }

    /// Returns up to where a session has acknowledged each level; all of one that it has masked.
    pub(in crate::audience) fn acknowledged(&self, log: &Log<M>, slot: u32) -> PerLevel<u64> {
        let acked = self.acknowledged_or_start(log, slot);
        PerLevel::from_fn(
            |level| {
                if self.is_masked(slot, level) { log.head(level) } else { acked[level] }
            },
        )
    }

    fn acknowledged_or_start(&self, log: &Log<M>, slot: u32) -> PerLevel<u64> {
        let start = |level| self.sessions.span(slot, level, log.head(level)).start;
        self.acks.get(&slot).copied().unwrap_or_else(|| PerLevel::from_fn(start))
    }
}
