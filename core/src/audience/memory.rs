//! What an audience holds in bytes, and what of its log gives way:
//! [clause B25](crate::rulebook#b25-memory-of-all-rooms).

use super::Audience;
use crate::memory::{RoomBytes, Trimmed};
use crate::message::Payload;
use crate::priority::Priority;

impl<M: Payload> Audience<M> {
    /// What this half holds, in bytes. O(1).
    pub fn bytes(&self) -> RoomBytes {
        let log = self.feed.log();
        RoomBytes {
            logged: Priority::ALL.into_iter().map(|level| log.bytes(level)).sum(),
            high_logged: log.bytes(Priority::High),
            directs: self.crowd.direct_bytes(),
            ..RoomBytes::default()
        }
    }

    /// The position of the oldest message of a level in the log; the head when there is none.
    pub(crate) fn log_tail(&self, level: Priority) -> u64 {
        self.feed.log().tail(level)
    }

    /// What would go of a level's oldest messages until so many bytes are free, at most so many.
    pub(crate) fn oldest(&self, level: Priority, bytes: u64, most: u32) -> Trimmed {
        let (log, mut oldest) = (self.feed.log(), Trimmed::default());
        while oldest.bytes < bytes && oldest.messages < most {
            let position = log.tail(level) + u64::from(oldest.messages);
            let Some(message) = log.get(level, position) else { break };
            oldest.messages += 1;
            oldest.bytes += message.bytes;
        }
        oldest
    }

    /// Lets go of the messages of a level below a position. Whoever had not read them has missed
    /// them.
    pub(crate) fn give_up(&mut self, level: Priority, below: u64) {
        // What was taken last may have been longer than what is left.
        self.shared.forget(&mut self.deferred);
        self.feed.give_up(self.clock.at(), level, below, &mut self.deferred);
    }
}
