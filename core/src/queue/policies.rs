//! Other policies while messages wait:
//! [clause B15](crate::rulebook#b15-reconfiguring-a-running-room).

use super::Queue;
use super::accounting::asks_who;
use crate::config::QueueConfig;
use crate::priority::Priority;

impl<T> Queue<T> {
    /// Whose turn it is, or who gives way, is decided in another way than under `old`: what waits is
    /// entered into the books anew, in order of entry.
    ///
    /// So with another discipline the round begins anew, in order of each sender's oldest message,
    /// and no turn is remembered. With another eviction alone the turns go on, and those that are
    /// remembered stay; unless nobody's were so far, since no policy asked who sent what.
    #[cold]
    pub(super) fn change_policies(&mut self, old: &QueueConfig) {
        self.enter();
        let new = self.config;
        let keeps_senders = old.discipline == new.discipline && asks_who(old) == asks_who(&new);
        for level in Priority::ALL {
            let books = &mut self.books[level];
            books.start_again(&new, keeps_senders);
            let order = self.levels[level].order;
            for key in order.iter(&self.entries, |entry| entry.order) {
                let sender = self.entries[key].sender;
                books.enter_again(&mut self.pages, key, sender, keeps_senders);
            }
        }
    }
}
