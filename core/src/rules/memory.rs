//! What of a room gives way when all rooms together hold too much:
//! [clause B25](crate::rulebook#b25-memory-of-all-rooms).

use super::{Audiences, Halves};
use crate::log::MOVED;
use crate::memory::Trimmed;
use crate::message::Payload;
use crate::priority::Priority;

/// What gives way, one after the other.
const ORDER: [(Part, Priority); 8] = [
    (Part::Log, Priority::Lowest),
    (Part::Log, Priority::Low),
    (Part::Log, Priority::Normal),
    (Part::Waiting, Priority::Lowest),
    (Part::Waiting, Priority::Low),
    (Part::Waiting, Priority::Normal),
    (Part::Log, Priority::High),
    (Part::Waiting, Priority::High),
];

#[derive(Clone, Copy)]
enum Part {
    /// What was dispatched.
    Log,
    /// What waits in the queue, and then what waits for a verdict.
    Waiting,
}

impl<M: Payload, A: Audiences<M>> Halves<'_, M, A> {
    /// Messages give way until so many bytes are free: at most 4,096 in this call. All audiences of
    /// the room have to be held. See [`RoomState::trim`](crate::RoomState::trim).
    pub fn trim(&mut self, bytes: u64, limit: u64) -> Trimmed {
        self.trim_at_most(bytes, limit, MOVED)
    }

    /// As [`trim`](Self::trim), and at most so many messages.
    pub(crate) fn trim_at_most(&mut self, bytes: u64, limit: u64, most: u32) -> Trimmed {
        // No time passes, but it is what it is in the whole room.
        self.follow();
        let mut trimmed = Trimmed::default();
        for (part, level) in ORDER {
            let (bytes, most) =
                (bytes.saturating_sub(trimmed.bytes), most.saturating_sub(trimmed.messages));
            if bytes == 0 || most == 0 {
                break;
            }
            let gone = match part {
                Part::Log => self.trim_log(level, bytes, most),
                Part::Waiting => self.admission.give_way(level, limit, bytes, most),
            };
            trimmed.messages += gone.messages;
            trimmed.bytes += gone.bytes;
        }
        trimmed
    }

    /// The oldest messages of a level go, from the log of every audience. They are shared: the log
    /// that reaches back farthest has all of them.
    fn trim_log(&mut self, level: Priority, bytes: u64, most: u32) -> Trimmed {
        let farthest = self.audiences.held().min_by_key(|audience| audience.log_tail(level));
        let Some(farthest) = farthest else { return Trimmed::default() };
        let oldest = farthest.oldest(level, bytes, most);
        if oldest.messages > 0 {
            let below = farthest.log_tail(level) + u64::from(oldest.messages);
            self.audiences.held().for_each(|audience| audience.give_up(level, below));
        }
        oldest
    }
}
