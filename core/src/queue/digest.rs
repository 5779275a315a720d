//! What a queue holds, in an order that no slot decides: for checks that compare two of them.

use super::Queue;
use crate::priority::Priority;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Debug, Write};

impl<T> Queue<T> {
    /// Writes all that decides what becomes of what waits: the order of entry, whose turn it is,
    /// who holds how much and for how long, and what the next draws will be.
    pub(crate) fn digest<N: Debug>(&self, name: impl Fn(&T) -> N, to: &mut String) {
        for level in Priority::ALL {
            let (books, order) = (&self.books[level], self.levels[level].order);
            let entries = order.iter(&self.entries, |entry| entry.order).map(|key| {
                let entry = &self.entries[key];
                (name(&entry.item), entry.sender, entry.size, entry.entered)
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
