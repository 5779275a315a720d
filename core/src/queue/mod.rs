//! The queue: four bounded levels under one budget.
//! [Clause B8](crate::rulebook#b8-eviction-is-a-setting).

mod accounting;
mod aged;
mod eviction;
mod ladder;
mod policies;
mod senders;
#[cfg(test)]
mod tests;
mod turns;
mod urgent;
mod walk;

use crate::chunked::{NIL, Slab};
use crate::config::QueueConfig;
use crate::index::{Hasher, Rng};
use crate::list::{Links, List};
use crate::message::{Limit, Sender, Urgency};
use crate::priority::{PerLevel, Priority};
use crate::time::{Instant, Watermark, saturating_nanos};
use accounting::{Books, Pages};
use alloc::vec::Vec;
use smallvec::SmallVec;
use urgent::Urgent;

/// A queue of four priorities under one budget of messages and bytes.
///
/// When it is full, the victim comes from the lowest level that has one: a High message evicts a
/// Lowest, never the reverse. Nothing in it has a rate or a clock; who pops decides when. Each call
/// is O(1), plus what it evicts.
///
/// ```
/// use roomcast_core::{Instant, Priority, Queue, UserId};
/// use roomcast_core::config::QueueConfig;
/// use roomcast_core::message::{Sender, Urgency};
///
/// let mut config = QueueConfig::default();
/// config.messages = 1;
/// let mut queue = Queue::new(config, 0);
/// let user = Sender::User(UserId(7));
/// let mut push = |priority, item| {
///     queue.push(Instant::ZERO, priority, Urgency::Plain, user, 4, item)
/// };
/// push(Priority::Low, "like").unwrap();
/// assert_eq!(push(Priority::High, "rocket").unwrap()[0].item, "like");
/// assert_eq!(push(Priority::Low, "like").unwrap_err().item, "like");
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
    /// What all levels keep for themselves.
    kept: Space,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    sender: Sender,
    size: u64,
    entered: Instant,
    /// The neighbours in the level, or among those of it that go first, in order of entry.
    order: Links,
    priority: Priority,
    urgency: Urgency,
}

fn order<T>(entry: &mut Entry<T>) -> &mut Links {
    &mut entry.order
}

/// One level.
#[derive(Debug)]
struct Level {
    /// What waits and is not urgent, in order of entry.
    order: List,
    /// What is urgent.
    urgent: Urgent,
    /// All that waits.
    len: u32,
    bytes: u64,
    /// The age at which its messages expire, in nanoseconds.
    fresh_within: Option<u64>,
    /// Places and bytes that nobody else's messages take.
    kept: Space,
}

/// Places for messages, and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) messages: u32,
    pub(crate) bytes: u64,
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

/// Those that give way, and the limit that they give way to.
#[derive(Debug)]
pub(crate) struct Victims {
    pub(crate) slots: SmallVec<[u32; 4]>,
    pub(crate) limit: Option<Limit>,
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
                urgent: Urgent::NOTHING,
                len: 0,
                bytes: 0,
                fresh_within: fresh_within(level),
                kept: Space::default(),
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
            kept: Space::default(),
            config,
        }
    }

    /// From now on other settings, for what waits as well: it keeps its place in the order of entry,
    /// and [`shed`](Self::shed) takes out what is over the budget. O(1), and where whose turn it is or
    /// who gives way is decided in another way, O(what waits).
    pub(crate) fn reconfigure(&mut self, config: &QueueConfig) {
        let old = core::mem::replace(&mut self.config, *config);
        if (old.discipline, old.eviction) != (config.discipline, config.eviction) {
            self.change_policies(&old);
        }
        for level in Priority::ALL {
            self.levels[level].fresh_within = config.fresh_within[level].map(saturating_nanos);
        }
    }

    /// From now on so much of the budget is each level's own.
    pub(crate) fn set_kept(&mut self, kept: PerLevel<Space>) {
        let messages = kept.values().map(|kept| kept.messages).fold(0, u32::saturating_add);
        let bytes = kept.values().map(|kept| kept.bytes).fold(0, u64::saturating_add);
        self.kept = Space { messages, bytes };
        for level in Priority::ALL {
            self.levels[level].kept = kept[level];
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
    /// gives way, nothing changes and the message comes back. A user's messages keep their order:
    /// one stands as the oldest of his that waits at its level. `size` is what the budget of bytes
    /// counts; one of 4 GiB or more counts as a byte less than that.
    pub fn push(
        &mut self,
        now: Instant,
        priority: Priority,
        urgency: Urgency,
        sender: Sender,
        size: u64,
        item: T,
    ) -> Result<Evicted<T>, Full<T>> {
        self.advance(now);
        let urgency = self.stands(priority, sender, urgency);
        let key = self.insert(now, (priority, urgency), sender, size, item);
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
    /// senders) where a policy asks who sent what, else O(all that wait), each looked up among the
    /// senders in O(log senders).
    pub(crate) fn all_of(&mut self, senders: &[Sender]) -> Vec<(usize, u32)> {
        self.enter();
        let mut found = Vec::new();
        let mut places: Vec<(Sender, usize)> = senders.iter().copied().zip(0..).collect();
        places.sort_unstable();
        for level in self.occupied() {
            let books = &self.books[level];
            let first = self.levels[level].urgent.order();
            let place = |key: u32| {
                let sender = self.entries[key].sender;
                let at = places.partition_point(|&(other, _)| other < sender);
                places.get(at).filter(|&&(other, _)| other == sender).map(|&(_, place)| place)
            };
            let first = first.iter(&self.entries, |entry| entry.order);
            found.extend(first.filter_map(|key| Some((place(key)?, key))));
            if books.is_by_sender() {
                for (place, &sender) in senders.iter().enumerate() {
                    found.extend(books.all_of(&self.pages, sender).map(|key| (place, key)));
                }
            } else {
                let keys = self.levels[level].order.iter(&self.entries, |entry| entry.order);
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

    /// Of the highest level with one whose deadline has come: the urgent first.
    fn expired(&self, now: Instant) -> Option<u32> {
        self.occupied().find_map(|level| {
            let is_late = |&key: &u32| self.deadline_of(key).is_some_and(|at| now >= at);
            self.fronts(level).find(is_late)
        })
    }

    fn oldest_of(&self, level: Priority, sender: Sender) -> Option<u32> {
        let is_his = |&key: &u32| self.entries[key].sender == sender;
        let urgent = self.levels[level].urgent.order();
        let urgent = urgent.iter(&self.entries, |entry| entry.order).find(is_his);
        if urgent.is_some() || self.books[level].is_by_sender() {
            return urgent.or_else(|| self.books[level].oldest_of(sender));
        }
        self.levels[level].order.iter(&self.entries, |entry| entry.order).find(is_his)
    }

    /// The first deadline of a level.
    fn deadline(&self, level: Priority) -> Option<Instant> {
        self.fronts(level).filter_map(|key| self.deadline_of(key)).min()
    }

    /// What came first to a level, of those that are urgent and of the others.
    fn fronts(&self, level: Priority) -> impl Iterator<Item = u32> + use<T> {
        let Level { urgent, order, .. } = &self.levels[level];
        urgent.order().front().into_iter().chain(order.front())
    }

    fn deadline_of(&self, key: u32) -> Option<Instant> {
        let &Entry { entered, priority, .. } = self.entries.get(key)?;
        let fresh_within = self.levels[priority].fresh_within?;
        Some(Instant::from_nanos(entered.as_nanos().saturating_add(fresh_within)))
    }

    /// Puts a message in, over the budget if need be. Unless the next calls pop it,
    /// [`settle`](Self::settle) must follow them.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        (priority, urgency): (Priority, Urgency),
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
            urgency,
        });
        self.count_in((priority, urgency), size);
        self.newcomer = key;
        key
    }

    /// Enters the newcomer into the list and the books of its level, behind all that are there.
    /// Whoever looks for it there does this first.
    pub(crate) fn enter(&mut self) {
        let key = core::mem::replace(&mut self.newcomer, NIL);
        match self.entries.get(key) {
            Some(&Entry { urgency: Urgency::Urgent, .. }) => self.enter_urgent(key),
            Some(&Entry { priority, sender, .. }) => {
                self.levels[priority].order.push_back(&mut self.entries, key, order);
                self.books[priority].enter(&mut self.pages, key, sender);
            }
            None => {}
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
        let Entry { priority, urgency, size, .. } = self.entries[key];
        if urgency == Urgency::Urgent {
            self.unlink_urgent(key);
        } else {
            self.levels[priority].order.unlink(&mut self.entries, key, order);
            self.books[priority].unlink(&mut self.pages, key);
        }
        self.count_out((priority, urgency), size);
    }

    fn relink(&mut self, key: u32) {
        let Entry { priority, urgency, size, .. } = self.entries[key];
        if urgency == Urgency::Urgent {
            self.relink_urgent(key);
        } else {
            self.levels[priority].order.relink(&mut self.entries, key, order);
            self.books[priority].relink(&mut self.pages, key);
        }
        self.count_in((priority, urgency), size);
    }

    #[inline]
    fn count_in(&mut self, (priority, urgency): (Priority, Urgency), size: u64) {
        let level = &mut self.levels[priority];
        level.len += 1;
        level.bytes += size;
        if urgency == Urgency::Urgent {
            level.urgent.count_in(size);
        }
        self.occupied |= bit(priority);
        self.len += 1;
        self.bytes += size;
    }

    #[inline]
    fn count_out(&mut self, (priority, urgency): (Priority, Urgency), size: u64) {
        let level = &mut self.levels[priority];
        level.len -= 1;
        level.bytes -= size;
        if urgency == Urgency::Urgent {
            level.urgent.count_out(size);
        }
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
            let Entry { item, priority, urgency, sender, size, entered, .. } =
                self.entries.remove(key)?;
            self.count_out((priority, urgency), size);
            return Some(Popped { item, priority, sender, entered });
        }
        self.entries.get(key)?;
        self.unlink(key);
        self.release(key)
    }

    /// Frees the slots of an unlinked entry, its sender's too if that was the last one.
    pub(crate) fn release(&mut self, key: u32) -> Option<Popped<T>> {
        let Entry { item, priority, urgency, sender, entered, .. } = self.entries.remove(key)?;
        if urgency == Urgency::Plain {
            self.books[priority].leave(&self.pages, key);
        }
        Some(Popped { item, priority, sender, entered })
    }
}

/// The bit of a level.
fn bit(level: Priority) -> u32 {
    1 << level.index()
}
