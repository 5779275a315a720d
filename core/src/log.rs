//! The log: the dispatched messages that a room still holds, one ring for each priority.
//! [Decision D5](crate::design#d5-positions-have-64-bits-cursors-32).
//!
//! A message is stored once, whatever the size of the audience. A ring is bounded by count and by
//! bytes; what falls out of it has been missed by whoever had not read it.

use crate::chunked::Deque;
use crate::deferred_drops::DeferredDrops;
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use alloc::sync::Arc;

/// The maximum number of messages of each level that one call takes over from another log, and
/// those of all levels that one lets go of.
const MOVED: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Log<M> {
    rings: PerLevel<Ring<M>>,
}

/// The newest messages of one level. Positions count from the level's first message and never wrap.
#[derive(Debug)]
struct Ring<M> {
    messages: Deque<Arc<Message<M>>>,
    /// The position that the next message gets.
    head: u64,
    bytes: u64,
    max_messages: u32,
    max_bytes: u64,
    /// What the two are to be once [`Log::trim`] has let go of what is more.
    wanted: (u32, u64),
}

impl<M: Payload> Log<M> {
    pub(crate) fn new(
        max_messages: PerLevel<u32>,
        max_bytes: PerLevel<u64>,
        heads: PerLevel<u64>,
    ) -> Self {
        Self {
            rings: PerLevel::from_fn(|level| Ring {
                messages: Deque::new(),
                head: heads[level],
                bytes: 0,
                max_messages: max_messages[level],
                max_bytes: max_bytes[level],
                wanted: (max_messages[level], max_bytes[level]),
            }),
        }
    }

    /// From now on other bounds. What is more than they allow goes at [`trim`](Self::trim), which
    /// has to follow.
    pub(crate) fn reconfigure(&mut self, max_messages: PerLevel<u32>, max_bytes: PerLevel<u64>) {
        for level in Priority::ALL {
            self.rings[level].wanted = (max_messages[level], max_bytes[level]);
        }
    }

    /// Lets go of the oldest messages that are more than the bounds allow, at most 4,096 in one
    /// call: until all of them have gone, the rings stay as large as they are. Returns whether
    /// there are more.
    pub(crate) fn trim(&mut self, deferred: &mut DeferredDrops<M>) -> bool {
        let (mut left, mut more) = (MOVED, false);
        for ring in &mut self.rings.0 {
            while ring.is_over() && left > 0 && ring.pop(deferred) {
                left -= 1;
            }
            more |= ring.is_over();
            // At most what was configured before.
            ring.max_messages = ring.wanted.0.max(ring.messages.len() as u32);
            ring.max_bytes = ring.wanted.1.max(ring.bytes);
        }
        more
    }

    /// A log of the newest messages in this one, as many as one call may take over.
    pub(crate) fn newest(&self) -> Self {
        Self { rings: PerLevel::from_fn(|level| self.rings[level].newest()) }
    }

    /// The position that the next message of a level gets.
    pub(crate) fn head(&self, level: Priority) -> u64 {
        self.rings[level].head
    }

    /// Returns the position that the next message of each level gets.
    pub(crate) fn heads(&self) -> PerLevel<u64> {
        PerLevel::from_fn(|level| self.head(level))
    }

    /// The position of the oldest message of a level that is still there; the head when none is.
    pub(crate) fn tail(&self, level: Priority) -> u64 {
        let ring = &self.rings[level];
        ring.head - ring.messages.len() as u64
    }

    /// Appends a message at its own position. Positions that were never seen (this audience fell
    /// behind the feed) are passed over, and with them all that the ring held: what it holds has no
    /// holes. A position that was seen already changes nothing. What falls out goes to the deferred
    /// drops.
    #[inline]
    pub(crate) fn append(&mut self, message: Arc<Message<M>>, deferred: &mut DeferredDrops<M>) {
        let level = message.priority;
        if message.position > self.rings[level].head {
            self.pass_over(level, message.position, deferred);
        }
        let ring = &mut self.rings[level];
        if message.position < ring.head {
            return;
        }
        // Before the newcomer comes, so that a full ring need not grow for a moment.
        if ring.messages.len() >= ring.max_messages as usize {
            ring.pop(deferred);
        }
        ring.head = message.position + 1;
        ring.bytes += message.bytes;
        ring.messages.push_back(message);
        while ring.bytes > ring.max_bytes && ring.pop(deferred) {}
    }

    /// Moves the head of a level on to a position: what stood before it was never seen here. What
    /// the ring held goes with it, since what it holds has no holes. A head that is there already
    /// changes nothing.
    pub(crate) fn pass_over(
        &mut self,
        level: Priority,
        head: u64,
        deferred: &mut DeferredDrops<M>,
    ) {
        let ring = &mut self.rings[level];
        if head > ring.head {
            while ring.pop(deferred) {}
            ring.head = head;
        }
    }

    /// The message at a position, if the log still holds it.
    pub(crate) fn get(&self, level: Priority, position: u64) -> Option<&Arc<Message<M>>> {
        let place = position.checked_sub(self.tail(level))?;
        self.rings[level].messages.get(usize::try_from(place).ok()?)
    }

    /// The position of the first message of a level that the log holds and of which `is_so` holds,
    /// as it does of all that follow; the head when there is none. O(log messages).
    pub(crate) fn first_where(&self, level: Priority, is_so: impl Fn(&Message<M>) -> bool) -> u64 {
        let (mut low, mut high) = (self.tail(level), self.head(level));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(level, middle).is_some_and(|message| is_so(message)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// Messages that the log holds of a level.
    pub(crate) fn len(&self, level: Priority) -> u32 {
        // At most `max_messages`.
        self.rings[level].messages.len() as u32
    }

    /// Payload and profile bytes that the log holds of a level.
    pub(crate) fn bytes(&self, level: Priority) -> u64 {
        self.rings[level].bytes
    }
}

impl<M: Payload> Ring<M> {
    fn newest(&self) -> Self {
        let (mut messages, mut bytes) = (Deque::new(), 0);
        let len = self.messages.len();
        for message in (len.saturating_sub(MOVED)..len).filter_map(|at| self.messages.get(at)) {
            bytes += message.bytes;
            messages.push_back(Arc::clone(message));
        }
        Self { messages, bytes, ..*self }
    }

    fn is_over(&self) -> bool {
        self.messages.len() > self.wanted.0 as usize || self.bytes > self.wanted.1
    }

    /// Gives up the oldest message; returns whether there was one.
    fn pop(&mut self, deferred: &mut DeferredDrops<M>) -> bool {
        let Some(oldest) = self.messages.pop_front() else { return false };
        self.bytes -= oldest.bytes;
        deferred.add_message(oldest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seq;
    use crate::message::Sender;
    use crate::{Instant, Kind};

    fn message(position: u64, payload: &'static str) -> Arc<Message<&'static str>> {
        Arc::new(Message {
            seq: Seq(position + 1),
            position,
            priority: Priority::Normal,
            kind: Kind::Text,
            sender: Sender::Host,
            session: None,
            units: 1,
            messages: 1,
            admitted_at: Instant::ZERO,
            dispatched_at: Instant::ZERO,
            profile: None,
            payload,
            bytes: payload.len() as u64,
        })
    }

    fn log() -> Log<&'static str> {
        Log::new(PerLevel([3; 4]), PerLevel([10; 4]), PerLevel([5; 4]))
    }

    #[test]
    fn the_newest_stay_within_both_bounds() {
        let mut log = log();
        for (position, payload) in [(5, "a"), (6, "b"), (7, "c"), (8, "d")] {
            log.append(message(position, payload), &mut DeferredDrops::default());
        }
        assert_eq!((log.tail(Priority::Normal), log.head(Priority::Normal)), (6, 9));
        log.append(message(9, "eight...."), &mut DeferredDrops::default());
        assert_eq!((log.tail(Priority::Normal), log.bytes(Priority::Normal)), (8, 10));
        assert_eq!(log.get(Priority::Normal, 8).unwrap().payload, "d");
        assert!(log.get(Priority::Normal, 7).is_none() && log.get(Priority::Normal, 10).is_none());
        assert_eq!(log.len(Priority::High), 0);
    }

    #[test]
    fn the_newest_is_taken_over_and_goes_on() {
        let mut log = Log::new(PerLevel([5_000; 4]), PerLevel([1 << 20; 4]), PerLevel([5; 4]));
        for position in 5..5_005 {
            log.append(message(position, "ab"), &mut DeferredDrops::default());
        }
        let mut other = log.newest();
        let range =
            |log: &Log<&'static str>| (log.tail(Priority::Normal), log.head(Priority::Normal));
        assert_eq!(
            (range(&other), other.bytes(Priority::Normal)),
            ((5_005 - 4_096, 5_005), 2 * 4_096)
        );
        other.append(message(5_005, "ab"), &mut DeferredDrops::default());
        assert_eq!((range(&other).1, range(&log)), (5_006, (5, 5_005)));
        assert!(Arc::ptr_eq(
            other.get(Priority::Normal, 5_000).unwrap(),
            log.get(Priority::Normal, 5_000).unwrap()
        ));
    }

    /// A repetition changes nothing.
    #[test]
    fn a_hole_empties_the_ring_and_a_repeat_does_not() {
        let mut log = log();
        log.append(message(5, "a"), &mut DeferredDrops::default());
        log.append(message(5, "again"), &mut DeferredDrops::default());
        assert_eq!((log.head(Priority::Normal), log.bytes(Priority::Normal)), (6, 1));
        log.append(message(8, "b"), &mut DeferredDrops::default());
        assert_eq!(
            (log.tail(Priority::Normal), log.head(Priority::Normal), log.bytes(Priority::Normal)),
            (8, 9, 1)
        );
    }
}
