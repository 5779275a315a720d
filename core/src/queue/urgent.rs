//! Those of a level that go first: [clause B22](crate::rulebook#b22-shares-that-hold-when-the-queue-is-full).
//!
//! They are few and trusted: among them it is first come, first served, and where one has to give
//! way, it is the newest. Nobody else of the level takes their places or their turns.

use super::{Entry, Level, Queue, order};
use crate::list::List;
use crate::message::{Sender, Urgency};
use crate::priority::Priority;
use alloc::vec::Vec;

/// What is urgent in one level.
#[derive(Debug)]
pub(super) struct Urgent {
    /// In order of entry.
    order: List,
    len: u32,
    bytes: u64,
    /// Who has some that are in the order, and how many.
    senders: Vec<(Sender, u32)>,
}

impl Urgent {
    pub(super) const NOTHING: Self =
        Self { order: List::EMPTY, len: 0, bytes: 0, senders: Vec::new() };

    /// The messages in order of entry, but for one that has just come.
    pub(super) fn order(&self) -> List {
        self.order
    }

    pub(super) fn order_mut(&mut self) -> &mut List {
        &mut self.order
    }

    /// How many there are, one that has just come included.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn count_in(&mut self, size: u64) {
        self.len += 1;
        self.bytes += size;
    }

    pub(super) fn count_out(&mut self, size: u64) {
        self.len -= 1;
        self.bytes -= size;
    }

    fn has_any_of(&self, sender: Sender) -> bool {
        self.senders.iter().any(|&(other, _)| other == sender)
    }

    fn note(&mut self, sender: Sender) {
        match self.senders.iter_mut().find(|(other, _)| *other == sender) {
            Some((_, count)) => *count += 1,
            None => self.senders.push((sender, 1)),
        }
    }

    fn forget(&mut self, sender: Sender) {
        let Some(place) = self.senders.iter().position(|&(other, _)| other == sender) else {
            return;
        };
        self.senders[place].1 -= 1;
        if self.senders[place].1 == 0 {
            self.senders.swap_remove(place);
        }
    }
}

impl<T> Queue<T> {
    /// Whose messages stand so in a level, in order of entry, but for one that has just come.
    pub(crate) fn senders_of(
        &self,
        level: Priority,
        urgency: Urgency,
    ) -> impl Iterator<Item = Sender> + '_ {
        let order = match urgency {
            Urgency::Plain => self.levels[level].order,
            Urgency::Urgent => self.levels[level].urgent.order,
        };
        order.iter(&self.entries, |entry| entry.order).map(|slot| self.entries[slot].sender)
    }

    /// How a message of a sender's stands that comes to a level and would stand so: one user's
    /// messages keep their order, so it stands as the oldest of his that waits there. O(those who
    /// have urgent ones), and where no policy asks who sent what, O(those of the level) for an
    /// urgent one.
    #[inline]
    pub(crate) fn stands(&self, level: Priority, sender: Sender, urgency: Urgency) -> Urgency {
        if self.levels[level].len == 0 || sender == Sender::Host {
            return urgency;
        }
        self.stands_behind(level, sender, urgency)
    }

    fn stands_behind(&self, level: Priority, sender: Sender, urgency: Urgency) -> Urgency {
        let Level { order, urgent, .. } = &self.levels[level];
        match urgency {
            Urgency::Plain if urgent.has_any_of(sender) => Urgency::Urgent,
            Urgency::Urgent if self.has_plain_of(level, *order, sender) => Urgency::Plain,
            _ => urgency,
        }
    }

    fn has_plain_of(&self, level: Priority, order: List, sender: Sender) -> bool {
        let books = &self.books[level];
        if books.is_by_sender() {
            return books.oldest_of(sender).is_some();
        }
        let mut keys = order.iter(&self.entries, |entry| entry.order);
        keys.any(|key| self.entries[key].sender == sender)
    }

    /// The message that has just come is urgent, which was not asked while nobody else of its level
    /// waited.
    pub(crate) fn make_urgent(&mut self, key: u32) {
        debug_assert_eq!(self.newcomer, key, "no list and no book has it yet");
        if self.entries.get(key).is_some_and(|entry| entry.urgency == Urgency::Plain) {
            let Entry { priority, size, .. } = self.entries[key];
            self.entries[key].urgency = Urgency::Urgent;
            self.levels[priority].urgent.count_in(size);
        }
    }

    /// The urgent message of a level that came first.
    #[inline]
    pub(super) fn first_urgent(&self, level: Priority) -> Option<u32> {
        let urgent = &self.levels[level].urgent;
        // Counted and in no list: that is the newcomer.
        (urgent.len > 0).then(|| urgent.order.front().unwrap_or(self.newcomer))
    }

    /// How the message in a slot stands.
    pub(crate) fn urgency(&self, key: u32) -> Urgency {
        self.entries.get(key).map_or(Urgency::Plain, |entry| entry.urgency)
    }

    /// How many of a level are urgent.
    pub(crate) fn urgent_len(&self, level: Priority) -> u32 {
        self.levels[level].urgent.len()
    }

    pub(super) fn enter_urgent(&mut self, key: u32) {
        let Entry { priority, sender, .. } = self.entries[key];
        let urgent = &mut self.levels[priority].urgent;
        urgent.order.push_back(&mut self.entries, key, order);
        urgent.note(sender);
    }

    pub(super) fn unlink_urgent(&mut self, key: u32) {
        let Entry { priority, sender, .. } = self.entries[key];
        let urgent = &mut self.levels[priority].urgent;
        urgent.order.unlink(&mut self.entries, key, order);
        urgent.forget(sender);
    }

    pub(super) fn relink_urgent(&mut self, key: u32) {
        let Entry { priority, sender, .. } = self.entries[key];
        let urgent = &mut self.levels[priority].urgent;
        urgent.order.relink(&mut self.entries, key, order);
        urgent.note(sender);
    }
}
