//! What a fresh session is given: the last dispatches, back to the first that the log does not hold any more.

use super::listeners::{Listener, Listeners};
use roomcast_core::Priority;

impl Listeners {
    /// The levels and positions of at most `most` dispatches that a session is given that comes now, the oldest first.
    pub fn given(&self, most: u32) -> Vec<(Priority, u64)> {
        let newest = self.order.iter().rev().take(usize::try_from(most).unwrap_or(usize::MAX));
        let mut given: Vec<_> = newest.copied().take_while(|&(level, position)| self.holds(level, position)).collect();
        given.reverse();
        given
    }
}

impl Listener {
    /// A message from before it came is due.
    pub fn give(&mut self, level: Priority, position: u64) {
        self.counts[level].due += 1;
        self.pending[level].push_back(position);
    }
}
