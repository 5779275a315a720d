//! The queue: four bounded levels under one budget.
//! [Clause B8](crate::rulebook#b8-eviction-is-a-setting).

mod accounting;
#[cfg(feature = "internals")]
mod digest;
mod eviction;
mod ladder;
mod senders;
#[cfg(test)]
mod tests;
mod turns;

use crate::chunked::{NIL, Slab};
use crate::config::QueueConfig;
use crate::index::{Hasher, Rng};
use crate::list::{Links, List};
use crate::message::{Limit, Sender};
use crate::priority::{PerLevel, Priority};
use crate::time::{Instant, Watermark, saturating_nanos};
use accounting::{Books, Pages};
use alloc::vec::Vec;
use smallvec::SmallVec;

/// A queue of four priorities under one budget of messages and bytes.
///
/// When it is full, the victim comes from the lowest level that has one: a High message evicts a
/// Lowest, never the reverse. Nothing in it has a rate or a clock; who pops decides when. Each call
/// is O(1), plus what it evicts.
///
/// ```
/// use roomcast_core::{Instant, Priority, Queue, UserId};
/// use roomcast_core::config::QueueConfig;
/// use roomcast_core::message::Sender;
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
    /// A bit for each level that has something, that of `High` the lowest.
    occupied: u32,
    len: u32,
    bytes: u64,
    /// The entry that came last, while it is in no list and in no book, only in the counts: one
    /// that goes out at once needs no more.
    newcomer: u32,
    books: PerLevel<Books>,
    pages: Pages,
    rng: Rng,
    clock: Watermark,
    /// Whether any turn is remembered.
    has_memory: bool,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    sender: Sender,
    size: u64,
    entered: Instant,
    /// The neighbours in the level, in order of entry.
    order: Links,
    priority: Priority,
}

fn order<T>(entry: &mut Entry<T>) -> &mut Links {
    &mut entry.order
}

/// One level: what waits, in order of entry.
#[derive(Debug)]
struct Level {
    order: List,
    len: u32,
    bytes: u64,
    /// The age at which its messages expire, in nanoseconds.
    fresh_within: Option<u64>,
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

/// Those that give way.
#[derive(Debug)]
pub(crate) struct Victims {
    pub(crate) slots: SmallVec<[u32; 4]>,
    pub(crate) to: Shortage,
}

/// What a queue has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Places for messages, or bytes; and maybe time as well.
    Space,
    /// Time before messages are as old as their level's bound.
    Time,
}

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
        let fresh_within = |level| config.fresh_within[level].map(saturating_nanos);
        Self {
            entries: Slab::new(),
            levels: PerLevel::from_fn(|level| Level {
                order: List::EMPTY,
                len: 0,
                bytes: 0,
                fresh_within: fresh_within(level),
            }),
            occupied: 0,
            len: 0,
            bytes: 0,
            newcomer: NIL,
            books: PerLevel::from_fn(|_| Books::new(&config, Hasher::new(seed))),
            pages: Pages::new(),
            rng: Rng::new(seed),
            clock: Watermark::default(),
            has_memory: false,
            config,
        }
    }

    /// From now on another budget and other deadlines, for what waits as well. Whose turn it is,
    /// and who gives way, stays as it is; [`shed`](Self::shed) takes out what is over the budget.
    pub(crate) fn reconfigure(&mut self, config: &QueueConfig) {
        (self.config.messages, self.config.bytes) = (config.messages, config.bytes);
        (self.config.fresh_within, self.config.turn_memory) =
            (config.fresh_within, config.turn_memory);
        for level in Priority::ALL {
            self.levels[level].fresh_within = config.fresh_within[level].map(saturating_nanos);
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
        Priority::ALL.get(self.occupied.trailing_zeros() as usize).copied()
    }

    /// The lowest level that has something.
    pub fn lowest(&self) -> Option<Priority> {
        Priority::ALL.get(self.occupied.checked_ilog2()? as usize).copied()
    }

    /// Puts a message in; returns those that gave way to it. When the queue is full and nothing
    /// gives way, nothing changes and the message comes back. `size` is what the budget of bytes
    /// counts; one of 4 GiB or more counts as a byte less than that.
    pub fn push(
        &mut self,
        now: Instant,
        priority: Priority,
        sender: Sender,
        size: u64,
        item: T,
    ) -> Result<Evicted<T>, Full<T>> {
        self.advance(now);
        let key = self.insert(now, priority, sender, size, item);
        let victims = self.settle(key, u32::MAX)?;
        Ok(victims.slots.into_iter().filter_map(|victim| self.release(victim)).collect())
    }

    /// Takes out a message of the highest level that has one.
    pub fn pop_highest(&mut self) -> Option<Popped<T>> {
        self.pop(self.highest()?)
    }

    /// Takes out a message whose deadline has come: `now` is at or past the instant it was pushed
    /// plus its level's `fresh_within`.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Popped<T>> {
        self.advance(now);
        let key = self.expired(self.clock.at())?;
        self.take(key)
    }

    /// Takes out the oldest message of a sender in the highest level that has one. O(1) where a
    /// policy asks who sent what, else O(n).
    pub fn pop_of(&mut self, sender: Sender) -> Option<Popped<T>> {
        self.enter();
        let key = self.occupied().find_map(|level| self.oldest_of(level, sender))?;
        self.take(key)
    }

    /// The messages of some senders, each with its sender's place in the list: in the order of the
    /// list, of each sender the highest level first, of each level the oldest first. O(those of the
    /// senders) where a policy asks who sent what, else O(all that wait), once for all senders.
    pub(crate) fn all_of(&mut self, senders: &[Sender]) -> Vec<(usize, u32)> {
        self.enter();
        let mut found = Vec::new();
        for level in self.occupied() {
            let books = &self.books[level];
            if books.is_by_sender() {
                for (place, &sender) in senders.iter().enumerate() {
                    found.extend(books.all_of(&self.pages, sender).map(|key| (place, key)));
                }
            } else {
                let keys = self.levels[level].order.iter(&self.entries, |entry| entry.order);
                let place = |key: u32| {
                    senders.iter().position(|&sender| sender == self.entries[key].sender)
                };
                found.extend(keys.filter_map(|key| Some((place(key)?, key))));
            }
        }
        found.sort_by_key(|&(place, _)| place);
        found
    }

    /// The first deadline of all that wait.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.occupied().filter_map(|level| self.deadline(level)).min()
    }

    /// The levels that have something, the highest first.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = Priority> + use<T> {
        let occupied = self.occupied;
        Priority::ALL.into_iter().filter(move |&level| occupied & bit(level) != 0)
    }

    /// Whether [`pop_expired`](Self::pop_expired) would find one at a `now` that is not behind the
    /// queue's clock.
    #[inline]
    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.occupied != 0 && self.expired(now).is_some()
    }

    fn expired(&self, now: Instant) -> Option<u32> {
        let level = self
            .occupied()
            .find(|&level| self.deadline(level).is_some_and(|deadline| now >= deadline))?;
        self.levels[level].order.front()
    }

    fn oldest_of(&self, level: Priority, sender: Sender) -> Option<u32> {
        if self.books[level].is_by_sender() {
            return self.books[level].oldest_of(sender);
        }
        let mut keys = self.levels[level].order.iter(&self.entries, |entry| entry.order);
        keys.find(|&key| self.entries[key].sender == sender)
    }

    /// The deadline of the message of a level that came first, and so the first of the level.
    fn deadline(&self, level: Priority) -> Option<Instant> {
        let Level { order, fresh_within, .. } = self.levels[level];
        let entered = self.entries[order.front()?].entered;
        Some(Instant::from_nanos(entered.as_nanos().saturating_add(fresh_within?)))
    }

    /// Puts a message in, over the budget if need be. Unless the next calls pop it,
    /// [`settle`](Self::settle) must follow them.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        priority: Priority,
        sender: Sender,
        size: u64,
        item: T,
    ) -> u32 {
        debug_assert_eq!(self.newcomer, NIL, "the one before has been settled");
        let entered = self.clock.advance(now);
        // No sum of as many as a key can tell apart overflows.
        let size = size.min(u32::MAX.into());
        let key = self.entries.insert_with(|| Entry {
            item,
            sender,
            size,
            entered,
            order: Links::NONE,
            priority,
        });
        self.count_in(priority, size);
        self.newcomer = key;
        key
    }

    /// Enters the newcomer into the list and the books of its level, behind all that are there.
    /// Whoever looks for it there does this first.
    pub(crate) fn enter(&mut self) {
        let key = core::mem::replace(&mut self.newcomer, NIL);
        if let Some(&Entry { priority, sender, .. }) = self.entries.get(key) {
            self.levels[priority].order.push_back(&mut self.entries, key, order);
            self.books[priority].enter(&mut self.pages, key, sender);
        }
    }

    /// What waits in a slot that [`insert`](Self::insert) answered.
    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        self.entries.get(key).map(|entry| &entry.item)
    }

    /// Whose message waits in a slot.
    pub(crate) fn sender(&self, key: u32) -> Option<Sender> {
        self.entries.get(key).map(|entry| entry.sender)
    }

    /// At which level a message waits in a slot, and since when.
    pub(crate) fn place(&self, key: u32) -> Option<(Priority, Instant)> {
        self.entries.get(key).map(|entry| (entry.priority, entry.entered))
    }

    /// What waits in a slot that [`insert`](Self::insert) answered, to change it; its size stays
    /// what it was.
    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.entries.get_mut(key).map(|entry| &mut entry.item)
    }

    /// Takes an entry out of all lists and counts; its slots stay, so that [`relink`](Self::relink)
    /// can undo it.
    fn unlink(&mut self, key: u32) {
        let Entry { priority, size, .. } = self.entries[key];
        self.levels[priority].order.unlink(&mut self.entries, key, order);
        self.books[priority].unlink(&mut self.pages, key);
        self.count_out(priority, size);
    }

    fn relink(&mut self, key: u32) {
        let Entry { priority, size, .. } = self.entries[key];
        self.levels[priority].order.relink(&mut self.entries, key, order);
        self.books[priority].relink(&mut self.pages, key);
        self.count_in(priority, size);
    }

    fn count_in(&mut self, priority: Priority, size: u64) {
        let level = &mut self.levels[priority];
        level.len += 1;
        level.bytes += size;
        self.occupied |= bit(priority);
        self.len += 1;
        self.bytes += size;
    }

    fn count_out(&mut self, priority: Priority, size: u64) {
        let level = &mut self.levels[priority];
        level.len -= 1;
        level.bytes -= size;
        if level.len == 0 {
            self.occupied &= !bit(priority);
        }
        self.len -= 1;
        self.bytes -= size;
    }

    #[inline]
    pub(crate) fn take(&mut self, key: u32) -> Option<Popped<T>> {
        if key == self.newcomer {
            self.newcomer = NIL;
            let Entry { item, priority, sender, size, entered, .. } = self.entries.remove(key)?;
            self.count_out(priority, size);
            return Some(Popped { item, priority, sender, entered });
        }
        self.entries.get(key)?;
        self.unlink(key);
        self.release(key)
    }

    /// Frees the slots of an unlinked entry, its sender's too if that was the last one.
    pub(crate) fn release(&mut self, key: u32) -> Option<Popped<T>> {
        let Entry { item, priority, sender, entered, .. } = self.entries.remove(key)?;
        self.books[priority].leave(&self.pages, key);
        Some(Popped { item, priority, sender, entered })
    }
}

/// The bit of a level.
fn bit(level: Priority) -> u32 {
    1 << level.index()
}
