//! What a room holds in bytes, reckoned by walking, and what gives way (clause B25).

use super::line::Line;
use super::messages::Offer;
use super::victims::Squeeze;
use super::{Oracle, Waiting};
use crate::violation::{Check, Law, same};
use roomcast_core::ledger::DropReason;
use roomcast_core::memory::Trimmed;
use roomcast_core::message::Limit;
use roomcast_core::{Memory, Priority, RoomBytes};
use std::collections::{BTreeMap, BTreeSet};

/// Messages that give way in one call at the most.
const MOST: u32 = 4_096;

/// What has given way so far, and what is to.
struct Way {
    bytes: u64,
    limit: u64,
    gone: Trimmed,
}

impl Way {
    fn is_over(&self) -> bool {
        self.gone.bytes >= self.bytes || self.gone.messages >= MOST
    }

    fn take(&mut self, bytes: u64) {
        self.gone.messages += 1;
        self.gone.bytes += bytes;
    }
}

impl Oracle {
    /// `RoomState::set_memory` was called.
    pub fn told_memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// The limit for the sake of which nothing is let in that would not give way.
    pub(super) fn kept_out(&self) -> Option<u64> {
        match self.memory {
            Memory::Tight { limit } | Memory::Full { limit } => Some(limit),
            _ => None,
        }
    }

    /// The limit for the sake of which a message is not let in: none for High, and where only what
    /// does not give way is kept out, none for one without a key.
    pub(super) fn lacks_memory(&self, offer: &Offer) -> Option<u64> {
        let is_full = matches!(self.memory, Memory::Full { .. });
        let wants = offer.level != Priority::High && (is_full || offer.key.is_some());
        self.kept_out().filter(|_| wants)
    }

    /// All that the room holds, in bytes.
    pub(super) fn bytes(&self) -> RoomBytes {
        let mut bytes = RoomBytes::default();
        bytes.queued = self.line.entries.iter().map(|entry| entry.size).sum();
        let reviews = || self.reviews.pending.iter();
        bytes.under_review = reviews().map(|pending| pending.entry.size).sum();
        let waiting = self.waiting.values().chain(reviews().map(|pending| &pending.waiting));
        let profiles = waiting.filter_map(|waiting| waiting.profile);
        bytes.waiting_profiles = profiles.map(|(_, size)| size as u64).sum();
        let waiting = self.line.entries.iter().map(|entry| (entry, self.waiting.get(&entry.id)));
        let reviewed = reviews().map(|pending| (&pending.entry, Some(&pending.waiting)));
        let high = waiting.chain(reviewed).filter(|(entry, _)| entry.level == Priority::High);
        bytes.high_waiting = high.map(|(entry, waiting)| entry.size + profile_of(waiting)).sum();
        bytes.logged = self.listeners.log_bytes().values().sum();
        bytes.high_logged = self.listeners.log_bytes()[Priority::High];
        let directs =
            self.listeners.here.values().flat_map(|listener| listener.directs.values().flatten());
        bytes.directs = directs.map(|waits| waits.bytes).sum();
        bytes.profiles = self.members.profiles.values().map(|&(_, size)| size as u64).sum();
        bytes.data = self.data.bytes() + self.pins.bytes();
        bytes.keys = self.said.len() as u64 * 64;
        bytes
    }

    /// `RoomState::trim` answered this. The logs of the three lower levels give way, then what
    /// waits there, then what there is of High, in the same order.
    pub fn trimmed(&mut self, bytes: u64, limit: u64, answer: Trimmed) -> Check {
        let mut way = Way { bytes, limit, gone: Trimmed::default() };
        let lower = [Priority::Lowest, Priority::Low, Priority::Normal];
        for level in lower {
            self.log_yields(level, &mut way);
        }
        for level in lower {
            self.line_yields(level, &mut way)?;
        }
        self.log_yields(Priority::High, &mut way);
        self.line_yields(Priority::High, &mut way)?;
        same(Law::L7Bounded, "how much gave way", way.gone, answer)?;
        self.check_held()
    }

    /// The oldest of a level's log go.
    fn log_yields(&mut self, level: Priority, way: &mut Way) {
        while !way.is_over() && !self.listeners.log[level].is_empty() {
            let oldest = self.listeners.log[level].remove(0);
            way.take(oldest.bytes);
            self.listeners.give_up(&self.rules, level, oldest, self.clock);
        }
    }

    /// What waits at a level goes, in the queue and then under review. Which it is, is seen by
    /// whose payload is gone.
    fn line_yields(&mut self, level: Priority, way: &mut Way) -> Check {
        let of_level = |line: &Line, id: &u64| line.find(*id).is_some_and(|at| at.level == level);
        let mut victims = self.lost()?;
        victims.retain(|id| of_level(&self.line, id));
        let sizes = self
            .line
            .level(level)
            .map(|entry| (entry.id, entry.size + profile_of(self.waiting.get(&entry.id))));
        let sizes: BTreeMap<u64, u64> = sizes.collect();
        give_way(&self.line, level, &sizes, &victims, way)?;
        let limit = Some(Limit::Memory { max: way.limit });
        self.inbox.decide();
        for id in victims {
            if let Some(entry) = self.line.remove(id) {
                self.drop_entry(&entry, DropReason::MemoryFull, limit);
            }
        }
        let table = self.review_table();
        let here = || self.reviews.pending.iter().filter(|pending| pending.entry.level == level);
        let is_gone = |pending: &&super::reviews::Pending| !pending.waiting.held[0].is_held();
        let victims: BTreeSet<u64> =
            here().filter(is_gone).map(|pending| pending.entry.id).collect();
        let sizes = here().map(|pending| {
            (pending.entry.id, pending.entry.size + profile_of(Some(&pending.waiting)))
        });
        let sizes: BTreeMap<u64, u64> = sizes.collect();
        give_way(&table, level, &sizes, &victims, way)?;
        self.inbox.decide();
        while let Some(place) =
            self.reviews.pending.iter().position(|pending| victims.contains(&pending.entry.id))
        {
            let pending = self.reviews.pending.remove(place);
            self.drop_uncounted(pending, DropReason::MemoryFull, limit);
        }
        Ok(())
    }
}

/// The bytes of the profile that a message carries.
fn profile_of(waiting: Option<&Waiting>) -> u64 {
    waiting.and_then(|waiting| waiting.profile).map_or(0, |(_, size)| size as u64)
}

/// These of a level give way: as the policy says, as many as are needed, and none more.
fn give_way(
    line: &Line,
    level: Priority,
    sizes: &BTreeMap<u64, u64>,
    victims: &BTreeSet<u64>,
    way: &mut Way,
) -> Check {
    let was_over = way.is_over();
    let allowed =
        if was_over { victims.is_empty() } else { Squeeze::of_old(line).may_yield(level, victims) };
    let what = format!("whether {victims:?} of {level} may give way to memory");
    same(Law::L7Bounded, what, true, allowed)?;
    let before = way.gone.bytes;
    for id in victims {
        way.take(sizes[id]);
    }
    let is_enough = was_over || way.is_over() || victims.len() == sizes.len();
    same(Law::L7Bounded, format_args!("whether enough of {level} gave way"), true, is_enough)?;
    // The last that went was needed, whichever that was.
    let gone = way.gone.bytes - before;
    let is_needed = |id: &u64| before + gone - sizes[id] < way.bytes;
    let none_more = was_over || victims.is_empty() || victims.iter().any(is_needed);
    same(Law::L7Bounded, format_args!("whether too much of {level} gave way"), true, none_more)
}
