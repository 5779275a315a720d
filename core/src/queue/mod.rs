//! Four bounded levels under one budget.

mod senders;
#[cfg(test)]
mod tests;

use crate::chunked::{Chunked, Slab};
use crate::config::{QueueConfig, TieBreak, VictimPolicy};
use crate::index::{Hasher, Rng};
use crate::list::{Links, List};
use crate::message::{Limit, Sender};
use crate::priority::{PerLevel, Priority};
use crate::time::{Instant, Watermark};
use senders::Senders;
use smallvec::SmallVec;

/// Victims of one call at the most; a message that would need more is refused (decision D16).
const MAX_VICTIMS: usize = 64;

/// A queue of four priorities under one budget of messages and bytes.
///
/// When it is full, the victim comes from the lowest level that has one: a High message evicts a Lowest, never the reverse.
/// Nothing in it has a rate or a clock; who pops decides when. Each call is O(1), plus what it evicts.
///
/// ```
/// use roomcast_core::{Instant, Priority, Queue, QueueConfig, Sender, UserId};
///
/// let mut config = QueueConfig::default();
/// config.messages = 1;
/// let mut queue = Queue::new(config, 0);
/// let user = Sender::User(UserId(7));
/// queue.push(Instant::ZERO, Priority::Low, user, 4, "like").unwrap();
/// let evicted = queue.push(Instant::ZERO, Priority::High, user, 6, "rocket").unwrap();
/// assert_eq!(evicted[0].item, "like");
/// assert_eq!(queue.push(Instant::ZERO, Priority::Low, user, 4, "like").unwrap_err().item, "like");
/// ```
#[derive(Debug)]
pub struct Queue<T> {
    config: QueueConfig,
    entries: Slab<Entry<T>>,
    levels: PerLevel<Level>,
    len: u32,
    bytes: u64,
    rng: Rng,
    clock: Watermark,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    priority: Priority,
    sender: u32,
    size: u64,
    entered: Instant,
    /// The neighbours in the level, in order of entry.
    order: Links,
    /// The neighbours of the same sender.
    peers: Links,
    /// The place in the level's dense array.
    dense: u32,
}

fn order<T>(entry: &mut Entry<T>) -> &mut Links {
    &mut entry.order
}

fn peers<T>(entry: &mut Entry<T>) -> &mut Links {
    &mut entry.peers
}

#[derive(Debug)]
struct Level {
    order: List,
    senders: Senders,
    /// Every entry in some order, for random draws.
    dense: Chunked<u32>,
    len: u32,
    bytes: u64,
}

/// A message that left the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Popped<T> {
    /// What was pushed.
    pub item: T,
    /// Its priority.
    pub priority: Priority,
    /// Its sender.
    pub sender: Sender,
    /// When it was pushed.
    pub entered: Instant,
}

/// The messages that gave way to a newcomer.
pub type Evicted<T> = SmallVec<[Popped<T>; 1]>;

/// The refusal of a full queue. It hands the message back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Full<T> {
    /// What was to be pushed.
    pub item: T,
    /// The limit that decided.
    pub limit: Limit,
}

impl<T> Queue<T> {
    /// An empty queue. The seed drives its random choices and its hashes.
    pub fn new(config: QueueConfig, seed: u64) -> Self {
        let level =
            |_| Level { order: List::EMPTY, senders: Senders::new(Hasher::new(seed)), dense: Chunked::new(), len: 0, bytes: 0 };
        Self {
            config,
            entries: Slab::new(),
            levels: PerLevel::from_fn(level),
            len: 0,
            bytes: 0,
            rng: Rng::new(seed),
            clock: Watermark::default(),
        }
    }

    /// Messages waiting, over all levels.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Messages waiting in one level.
    pub fn level_len(&self, level: Priority) -> u32 {
        self.levels[level].len
    }

    /// Bytes waiting in one level.
    pub fn level_bytes(&self, level: Priority) -> u64 {
        self.levels[level].bytes
    }

    /// Bytes waiting, over all levels.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The highest level that has something.
    pub fn highest(&self) -> Option<Priority> {
        Priority::ALL.into_iter().find(|&level| self.levels[level].len > 0)
    }

    /// Puts a message in; answers those that gave way to it. When the queue is full and nothing gives way, nothing changes and the
    /// message comes back. `size` is what the budget of bytes counts.
    pub fn push(&mut self, now: Instant, priority: Priority, sender: Sender, size: u64, item: T) -> Result<Evicted<T>, Full<T>> {
        let key = self.insert(now, priority, sender, size, item);
        self.settle(key)
    }

    /// Takes out the message of `level` whose turn it is.
    pub fn pop(&mut self, level: Priority) -> Option<Popped<T>> {
        let Level { order, senders, dense, len, .. } = &self.levels[level];
        let key = match self.config.tie_break {
            TieBreak::Fifo => order.front()?,
            TieBreak::RoundRobin => {
                let sender = senders.next()?;
                let key = senders.queue(sender).messages.front()?;
                self.levels[level].senders.end_turn(sender);
                key
            }
            TieBreak::Random => {
                let drawn = *dense.get(self.rng.below(*len))?;
                senders.queue(self.entries[drawn].sender).messages.front()?
            }
        };
        self.take(key)
    }

    /// Takes out a message of the highest level that has one.
    pub fn pop_highest(&mut self) -> Option<Popped<T>> {
        self.pop(self.highest()?)
    }

    /// Takes out a message whose deadline has come: `now` is at or past the instant it was pushed plus its level's `max_wait`.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Popped<T>> {
        let now = self.clock.advance(now);
        let level = Priority::ALL.into_iter().find(|&level| self.deadline(level).is_some_and(|deadline| now >= deadline))?;
        let key = self.levels[level].order.front()?;
        self.take(key)
    }

    /// The first deadline of all that wait.
    pub fn next_deadline(&self) -> Option<Instant> {
        Priority::ALL.into_iter().filter_map(|level| self.deadline(level)).min()
    }

    /// The deadline of the message of a level that came first, and so the first of the level.
    fn deadline(&self, level: Priority) -> Option<Instant> {
        let max_wait = self.config.max_wait[level]?;
        let first = self.levels[level].order.front()?;
        Some(self.entries[first].entered + max_wait)
    }

    /// Puts a message in, over the budget if need be; [`settle`](Self::settle) must follow.
    pub(crate) fn insert(&mut self, now: Instant, priority: Priority, sender: Sender, size: u64, item: T) -> u32 {
        let entered = self.clock.advance(now);
        let level = &mut self.levels[priority];
        let sender = level.senders.enter(sender);
        let entry = Entry { item, priority, sender, size, entered, order: Links::NONE, peers: Links::NONE, dense: level.len };
        let key = self.entries.insert(entry);
        level.order.push_back(&mut self.entries, key, order);
        let queue = level.senders.queue_mut(sender);
        queue.messages.push_back(&mut self.entries, key, peers);
        let count = queue.count + 1;
        level.senders.recount(sender, count);
        level.dense.push(key);
        level.len += 1;
        level.bytes = level.bytes.saturating_add(size);
        self.len += 1;
        self.bytes = self.bytes.saturating_add(size);
        key
    }

    /// Brings the queue back under its budget after [`insert`](Self::insert) answered `newcomer`: others give way, or the newcomer
    /// goes. Nothing to do if it has been popped in the meantime.
    pub(crate) fn settle(&mut self, newcomer: u32) -> Result<Evicted<T>, Full<T>> {
        let Some(limit) = self.exceeded() else { return Ok(Evicted::new()) };
        let mut victims = SmallVec::<[u32; MAX_VICTIMS]>::new();
        let mut enough = self.eviction_can_help(newcomer);
        while enough && self.exceeded().is_some() {
            match self.choose_victim() {
                Some(victim) if victim != newcomer && victims.len() < MAX_VICTIMS => {
                    self.unlink(victim);
                    victims.push(victim);
                }
                _ => enough = false,
            }
        }
        if enough {
            Ok(self.release_all(&victims))
        } else {
            for &victim in victims.iter().rev() {
                self.relink(victim);
            }
            match self.take(newcomer) {
                Some(popped) => Err(Full { item: popped.item, limit }),
                None => Ok(Evicted::new()),
            }
        }
    }

    /// From the totals alone: would it be enough if all went that may go for this newcomer?
    fn eviction_can_help(&self, newcomer: u32) -> bool {
        let Some(newcomer) = self.entries.get(newcomer) else { return false };
        let kept = Priority::ALL.into_iter().filter(|&level| level > newcomer.priority);
        let kept_bytes: u64 = kept.map(|level| self.levels[level].bytes).fold(0, u64::saturating_add);
        kept_bytes.saturating_add(newcomer.size) <= self.config.bytes
    }

    fn exceeded(&self) -> Option<Limit> {
        if self.len > self.config.messages {
            Some(Limit::QueueMessages { max: self.config.messages })
        } else if self.bytes > self.config.bytes {
            Some(Limit::QueueBytes { max: self.config.bytes })
        } else {
            None
        }
    }

    fn choose_victim(&mut self) -> Option<u32> {
        let lowest = Priority::ALL.into_iter().rev().find(|&level| self.levels[level].len > 0)?;
        let Level { order, senders, dense, len, .. } = &self.levels[lowest];
        match self.config.victim {
            VictimPolicy::BiggestSender => senders.queue(senders.biggest()?).messages.back(),
            VictimPolicy::Newest => order.back(),
            VictimPolicy::Oldest => order.front(),
            VictimPolicy::Random => dense.get(self.rng.below(*len)).copied(),
        }
    }

    /// Takes an entry out of all lists and counts; its slot and its sender's stay, so that [`relink`](Self::relink) can undo it.
    fn unlink(&mut self, key: u32) {
        let Entry { priority, sender, size, dense, .. } = self.entries[key];
        let level = &mut self.levels[priority];
        level.order.unlink(&mut self.entries, key, order);
        let queue = level.senders.queue_mut(sender);
        queue.messages.unlink(&mut self.entries, key, peers);
        let count = queue.count - 1;
        level.senders.recount(sender, count);
        level.dense.swap_remove(dense);
        if let Some(&moved) = level.dense.get(dense) {
            self.entries[moved].dense = dense;
        }
        level.len -= 1;
        level.bytes -= size;
        self.len -= 1;
        self.bytes -= size;
    }

    fn relink(&mut self, key: u32) {
        let Entry { priority, sender, size, dense, .. } = self.entries[key];
        let level = &mut self.levels[priority];
        level.order.relink(&mut self.entries, key, order);
        let queue = level.senders.queue_mut(sender);
        queue.messages.relink(&mut self.entries, key, peers);
        let count = queue.count + 1;
        level.senders.recount(sender, count);
        level.dense.push(key);
        if dense < level.len {
            let moved = core::mem::replace(&mut level.dense[dense], key);
            level.dense[level.len] = moved;
            self.entries[moved].dense = level.len;
        }
        level.len += 1;
        level.bytes += size;
        self.len += 1;
        self.bytes += size;
    }

    fn take(&mut self, key: u32) -> Option<Popped<T>> {
        self.entries.get(key)?;
        self.unlink(key);
        self.release(key)
    }

    /// Frees the slots of unlinked entries. Two of them may share a sender, whose slot goes once, after both.
    fn release_all(&mut self, keys: &[u32]) -> Evicted<T> {
        let places = keys.iter().map(|&key| (self.entries[key].priority, self.entries[key].sender));
        let places: SmallVec<[(Priority, u32); 1]> = places.collect();
        let popped = keys.iter().filter_map(|&key| self.detach(key)).collect();
        for (level, sender) in places {
            self.levels[level].senders.leave_if_empty(sender);
        }
        popped
    }

    /// Frees the slot of an unlinked entry.
    fn release(&mut self, key: u32) -> Option<Popped<T>> {
        let Entry { priority, sender, .. } = *self.entries.get(key)?;
        let popped = self.detach(key);
        self.levels[priority].senders.leave_if_empty(sender);
        popped
    }

    /// Takes an unlinked entry out of its slot; its sender's slot stays.
    fn detach(&mut self, key: u32) -> Option<Popped<T>> {
        let Entry { item, priority, sender, entered, .. } = self.entries.remove(key)?;
        let sender = self.levels[priority].senders.sender(sender);
        Some(Popped { item, priority, sender, entered })
    }
}
