//! The keys of what has gone out cross a restart:
//! [clause B20](crate::rulebook#b20-restart-move-expiry).

use super::{Dedup, Entry, order};
use crate::chunked::NIL;
use crate::ids::MessageId;
use crate::list::{Links, List};
use crate::message::{DedupKey, Sender};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Whose message it is that was said elsewhere: no message of this room has this number.
const ELSEWHERE: MessageId = MessageId(u64::MAX);

/// The key of a message that has gone out, for as long as it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SaidKey {
    /// The key.
    pub key: DedupKey,
    /// The message's level: in a full table the lowest is forgotten first.
    pub priority: Priority,
    /// When the message was let in. It is refused for the window from then on.
    pub said_at: Instant,
}

impl Dedup {
    /// The keys that are refused at `now`, of each level the oldest first. Left out are those of
    /// messages that wait, and of those which they carry: they may still be dropped. O(keys).
    pub(crate) fn export(
        &self,
        now: Instant,
        waiting: &BTreeSet<MessageId>,
    ) -> Vec<(Sender, SaidKey)> {
        // Dropped already, though their keys are not free yet.
        let dropped: BTreeSet<u32> = self.dropped.iter().copied().collect();
        let is_out = |entry: &&Entry| {
            let fate_of = self.carriers.get(entry.carrier).map_or(entry.id, |carrier| carrier.id);
            !waiting.contains(&fate_of) && !dropped.contains(&entry.carrier)
        };
        let mut said = Vec::new();
        for level in Priority::ALL {
            let slots = self.levels[level].iter(&self.entries, |entry| entry.order);
            let entries = slots.map(|slot| &self.entries[slot]);
            let refused = entries.filter(|entry| now < entry.at + self.limits.window);
            said.extend(refused.filter(is_out).map(|&Entry { sender, key, at, .. }| {
                (sender, SaidKey { key, priority: level, said_at: at })
            }));
        }
        said
    }

    /// Adds keys of what was said elsewhere to those that are here; one that is here already stays
    /// as it is. None counts as said later than `now`. If there are too many, the oldest of the
    /// lowest level are forgotten. O(n log n) in all of them.
    pub(crate) fn import(&mut self, now: Instant, said: &[(Sender, SaidKey)]) {
        let mut added = PerLevel([(); 4].map(|()| Vec::new()));
        for &(sender, SaidKey { key, priority, said_at }) in said {
            let at = said_at.min(now);
            if now >= at + self.limits.window || self.find(sender, key).is_some() {
                continue;
            }
            added[priority].push(self.insert(Entry {
                sender,
                key,
                id: ELSEWHERE,
                at,
                level: priority,
                order: Links::NONE,
                carrier: NIL,
                peers: Links::NONE,
            }));
        }
        let count: usize = added.values().map(Vec::len).sum();
        for level in Priority::ALL {
            let mut slots = core::mem::take(&mut added[level]);
            if slots.is_empty() {
                continue;
            }
            slots.extend(self.levels[level].iter(&self.entries, |entry| entry.order));
            slots.sort_by_key(|&slot| self.entries[slot].at);
            self.levels[level] = List::EMPTY;
            for slot in slots {
                self.levels[level].push_back(&mut self.entries, slot, order);
            }
        }
        for _ in 0..count {
            if self.entries.len() > self.limits.keys
                && self.forget_lapsed(now, self.limits.window, 1) == 0
            {
                self.forget_lowest(Priority::High);
            }
        }
    }
}
