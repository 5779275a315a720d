//! What a queue holds, in an order that no slot decides.

use super::{Level, Queue};
use crate::priority::Priority;

impl<T> Queue<T> {
    /// All that waits: the highest level first, in each what is urgent before the rest.
    pub(crate) fn items(&self) -> impl Iterator<Item = &T> + '_ {
        let slots = Priority::ALL.into_iter().flat_map(|level| self.slots(level));
        slots.map(|key| &self.entries[key].item)
    }

    /// Returns the slot of the first of those of which `is_it` holds. O(what waits).
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<u32> {
        let mut slots = Priority::ALL.into_iter().flat_map(|level| self.slots(level));
        slots.find(|&key| is_it(&self.entries[key].item))
    }

    fn slots(&self, level: Priority) -> impl Iterator<Item = u32> + '_ {
        let Level { urgent, order, .. } = &self.levels[level];
        [urgent.order(), *order]
            .into_iter()
            .flat_map(|list| list.iter(&self.entries, |entry| entry.order))
    }
}

#[cfg(feature = "internals")]
impl<T> Queue<T> {
    /// Writes all that decides what becomes of what waits: the order of entry, whose turn it is,
    /// who holds how much and for how long, and what the next draws will be.
    pub(crate) fn digest<N: core::fmt::Debug>(
        &self,
        name: impl Fn(&T) -> N,
        to: &mut alloc::string::String,
    ) {
        use alloc::vec::Vec;
        use core::fmt::Write;
        for level in Priority::ALL {
            let books = &self.books[level];
            let entries = self.slots(level).map(|key| {
                let entry = &self.entries[key];
                (name(&entry.item), entry.sender, entry.size, entry.entered, entry.urgency)
            });
            let entries: Vec<_> = entries.collect();
            let draws = (0..books.dense.len() as u32).map(|place| books.dense[place]);
            let draws: Vec<_> = draws.map(|key| name(&self.entries[key].item)).collect();
            let _ = writeln!(to, "{level} {entries:?} {draws:?}");
            books.senders.digest(to);
        }
        let _ = writeln!(to, "{:?}", self.rng);
    }
}
