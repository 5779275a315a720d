//! What has waited elsewhere before it came:
//! [clause B17](crate::rulebook#b17-admission-at-an-edge).

use super::{Entry, Queue, order};
use crate::list::List;
use crate::message::Urgency;
use crate::time::Instant;

impl<T> Queue<T> {
    /// What has just come was let in elsewhere at this instant, and not later than it came: it
    /// stands as if it had come then, in its level and among its sender's. So deadlines stay in
    /// order. O(those of the level that have come since).
    #[cold]
    pub(crate) fn backdate(&mut self, key: u32, to: Instant) {
        self.enter();
        let Some(&Entry { priority, urgency, .. }) = self.entries.get(key) else { return };
        self.entries[key].entered = to;
        let level = &mut self.levels[priority];
        let list = match urgency {
            Urgency::Plain => &mut level.order,
            Urgency::Urgent => level.urgent.order_mut(),
        };
        list.unlink(&mut self.entries, key, order);
        let mut before = list.back();
        while let Some(other) = before.map(|at| &self.entries[at])
            && other.entered > to
        {
            before = List::before(other.order);
        }
        list.insert_behind(&mut self.entries, before, key, order);
        if urgency == Urgency::Plain {
            let entries = &self.entries;
            let is_later = |other: u32| entries[other].entered > to;
            self.books[priority].move_up(&mut self.pages, key, is_later);
        }
    }
}
