//! What a fresh session is given: the last dispatches, back to the first that the log does not hold
//! any more.

use super::Oracle;
use super::listeners::{Listener, Listeners};
use roomcast_core::Priority;
use roomcast_core::event::StartPosition;

impl Oracle {
    /// What a fresh session finds, with the last number that it does not get.
    pub(super) fn comes(&self) -> (Listener, u64, StartPosition) {
        let given = self.listeners.given(self.rules.replay_on_join);
        let after = self.heads.values().sum::<u64>() - given.len() as u64;
        let start = if given.is_empty() { StartPosition::Head } else { StartPosition::Late };
        let mut listener = Listener::default();
        for (level, position) in given {
            listener.give(level, position);
        }
        (listener, after, start)
    }
}

impl Listeners {
    /// The levels and positions of at most `most` dispatches that a session is given that comes
    /// now, the oldest first.
    pub fn given(&self, most: u32) -> Vec<(Priority, u64)> {
        let newest = self.order[self.reserved_above..]
            .iter()
            .rev()
            .take(usize::try_from(most).unwrap_or(usize::MAX));
        let mut given: Vec<_> =
            newest.copied().take_while(|&(level, position)| self.holds(level, position)).collect();
        given.reverse();
        given
    }
}

impl Listener {
    /// A message of its own is due.
    pub fn exclude_own(&mut self, level: Priority, position: u64) {
        self.exclude(level);
        self.own[level].push(position);
    }

    /// A message is due of a level that it does not want.
    pub fn exclude(&mut self, level: Priority) {
        self.counts[level].due += 1;
        self.counts[level].excluded += 1;
    }

    /// A message is due.
    pub fn give(&mut self, level: Priority, position: u64) {
        self.counts[level].due += 1;
        self.pending[level].push_back(position);
    }
}
