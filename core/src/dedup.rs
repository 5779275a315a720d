//! Deduplication: the same message of the same sender is not let in twice.
//! [Clause B11](crate::rulebook#b11-the-order-of-the-checks).

use crate::chunked::Deque;
use crate::ids::MessageId;
use crate::index::{Hasher, Index};
use crate::message::{DedupKey, Sender};
use crate::time::{Duration, Instant};

/// How long, and how many: keys are refused within the window or while they are among the newest,
/// whichever is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DedupWindow {
    /// How long the same message is refused.
    pub window: Duration,
    /// The maximum number of messages that are remembered; the oldest is forgotten for the newest.
    pub keys: u32,
}

impl Default for DedupWindow {
    /// A minute, 4,096 messages.
    fn default() -> Self {
        Self { window: Duration::from_secs(60), keys: 4_096 }
    }
}

/// The maximum number of entries that have lapsed and that one call forgets.
const MAX_FORGOTTEN: u32 = 64;
/// Entries that are let go of when there may be fewer.
const MAX_MOVED: u32 = 4_096;

#[derive(Debug)]
pub(crate) struct Dedup {
    /// In order of time.
    entries: Deque<Entry>,
    /// The running number of the front, modulo 2³²: the index keeps numbers, which pops do not
    /// shift.
    base: u32,
    index: Index,
    hasher: Hasher,
    limits: DedupWindow,
    /// Keys that were forgotten within their window.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sender: Sender,
    key: DedupKey,
    id: MessageId,
    at: Instant,
    /// Freed: the index does not know it any more.
    freed: bool,
}

impl Dedup {
    pub(crate) fn new(limits: DedupWindow, hasher: Hasher) -> Self {
        Self { entries: Deque::new(), base: 0, index: Index::new(), hasher, limits, forgotten: 0 }
    }

    /// From now on another window, for what is remembered as well, and another number of messages.
    /// What has lapsed is forgotten first; then the oldest, if there are too many: at most 4,096 in
    /// this call, the others as new ones come.
    pub(crate) fn reconfigure(&mut self, now: Instant, limits: DedupWindow) {
        let old = core::mem::replace(&mut self.limits, limits);
        let mut left = MAX_MOVED;
        for window in [old.window, limits.window] {
            while left > 0
                && self.entries.front().is_some_and(|entry| entry.freed || now >= entry.at + window)
            {
                self.pop();
                left -= 1;
            }
        }
        while left > 0 && self.entries.len() > limits.keys as usize {
            self.forgotten += u64::from(self.pop());
            left -= 1;
        }
    }

    /// Until when a message is refused as said already, if so. Changes nothing.
    pub(crate) fn refused_until(
        &self,
        now: Instant,
        sender: Sender,
        key: DedupKey,
    ) -> Option<Instant> {
        let number = self.find(sender, key)?;
        let until = self.at(number)?.at + self.limits.window;
        (now < until).then_some(until)
    }

    /// A message has been let in. O(1).
    pub(crate) fn note(&mut self, now: Instant, sender: Sender, key: DedupKey, id: MessageId) {
        // One that has lapsed gives its place in the index up.
        self.unindex(sender, key);
        for _ in 0..MAX_FORGOTTEN {
            if !self
                .entries
                .front()
                .is_some_and(|entry| entry.freed || now >= entry.at + self.limits.window)
            {
                break;
            }
            self.pop();
        }
        // One goes for one that comes; more, where there may be fewer than there are.
        for _ in 0..MAX_FORGOTTEN {
            if self.entries.len() < self.limits.keys.max(1) as usize {
                break;
            }
            self.forgotten += u64::from(self.pop());
        }
        if self.limits.keys == 0 {
            return;
        }
        let number = self.base.wrapping_add(self.entries.len() as u32);
        self.entries.push_back(Entry { sender, key, id, at: now, freed: false });
        let (entries, base, hasher) = (&self.entries, self.base, self.hasher);
        self.index.insert(hash(hasher, sender, key), number, |number| {
            entries
                .get(number.wrapping_sub(base) as usize)
                .map_or(0, |entry| hash(hasher, entry.sender, entry.key))
        });
    }

    /// The message was dropped: it may be said again.
    pub(crate) fn free(&mut self, sender: Sender, key: DedupKey, id: MessageId) {
        // After the window, or when this one has been forgotten, another may stand there.
        if self
            .find(sender, key)
            .and_then(|number| self.at(number))
            .is_some_and(|entry| entry.id == id)
        {
            self.unindex(sender, key);
        }
    }

    /// Keys that are kept, lapsed and freed ones included; and how many were forgotten within their
    /// window.
    pub(crate) fn counts(&self) -> (u32, u64) {
        (self.entries.len() as u32, self.forgotten)
    }

    fn unindex(&mut self, sender: Sender, key: DedupKey) {
        let Some(number) = self.find(sender, key) else { return };
        self.index.remove(hash(self.hasher, sender, key), number);
        if let Some(entry) = self.entries.get_mut(number.wrapping_sub(self.base) as usize) {
            entry.freed = true;
        }
    }

    fn pop(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        if !entry.freed {
            self.index.remove(hash(self.hasher, entry.sender, entry.key), self.base);
        }
        self.base = self.base.wrapping_add(1);
        !entry.freed
    }

    fn find(&self, sender: Sender, key: DedupKey) -> Option<u32> {
        let is_it = |number| {
            self.at(number)
                .is_some_and(|entry| entry.sender == sender && entry.key == key && !entry.freed)
        };
        self.index.find(hash(self.hasher, sender, key), is_it)
    }

    fn at(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number.wrapping_sub(self.base) as usize)
    }
}

fn hash(hasher: Hasher, sender: Sender, key: DedupKey) -> u64 {
    match sender {
        Sender::User(user) => hasher.hash(hasher.hash(user.0) ^ key.0),
        Sender::Host => hasher.hash(key.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    const ANN: Sender = Sender::User(UserId(7));

    fn duplicates(keys: u32) -> Dedup {
        Dedup::new(DedupWindow { window: Duration::from_secs(10), keys }, Hasher::new(3))
    }

    #[test]
    fn a_key_is_refused_for_its_window_and_by_sender() {
        let (mut seen, at) = (duplicates(10), Instant::from_secs);
        seen.note(at(5), ANN, DedupKey(1), MessageId(1));
        assert_eq!(seen.refused_until(at(14), ANN, DedupKey(1)), Some(at(15)));
        assert_eq!(seen.refused_until(at(15), ANN, DedupKey(1)), None);
        assert_eq!(seen.refused_until(at(6), Sender::Host, DedupKey(1)), None);
        seen.note(at(15), ANN, DedupKey(1), MessageId(2));
        seen.free(ANN, DedupKey(1), MessageId(1));
        assert_eq!(
            seen.refused_until(at(16), ANN, DedupKey(1)),
            Some(at(25)),
            "what is freed is another's"
        );
        seen.free(ANN, DedupKey(1), MessageId(2));
        assert_eq!(seen.refused_until(at(16), ANN, DedupKey(1)), None);
    }

    /// Fewer keys and another window are a matter of one call or of a few.
    #[test]
    fn a_change_of_keys_or_window_takes_few_calls() {
        let (mut seen, at) = (duplicates(10_000), Instant::from_secs);
        for key in 0..6_000 {
            seen.note(at(key / 1_000), ANN, DedupKey(key), MessageId(key));
        }
        let limits = |keys, secs| DedupWindow { window: Duration::from_secs(secs), keys };
        // The first thousand has lapsed, and stays lapsed under a longer window.
        seen.reconfigure(at(10), limits(10_000, 100));
        assert_eq!(
            (seen.counts(), seen.refused_until(at(10), ANN, DedupKey(0))),
            ((5_000, 0), None)
        );
        assert_eq!(seen.refused_until(at(10), ANN, DedupKey(1_000)), Some(at(101)));
        seen.reconfigure(at(10), limits(5, 100));
        assert_eq!(seen.counts(), (5_000 - 4_096, 4_096));
        for key in 6_000..6_020 {
            seen.note(at(10), ANN, DedupKey(key), MessageId(key));
        }
        assert_eq!(seen.counts(), (5, 4_995 + 20));
        seen.reconfigure(at(10), limits(5, 0));
        assert_eq!(seen.counts(), (0, 5_015));
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted() {
        let (mut seen, now) = (duplicates(3), Instant::from_secs(5));
        for key in 0..1_000 {
            seen.note(now, ANN, DedupKey(key), MessageId(key));
        }
        assert_eq!(seen.counts(), (3, 997));
        assert_eq!(
            (0..1_000).filter(|&key| seen.refused_until(now, ANN, DedupKey(key)).is_some()).count(),
            3
        );
        let mut none = duplicates(0);
        none.note(now, ANN, DedupKey(1), MessageId(1));
        assert_eq!((none.counts(), none.refused_until(now, ANN, DedupKey(1))), ((0, 0), None));
    }
}
