//! The log: the dispatched messages that a room still holds, one ring for each priority.
//! [Decision D5](crate::design#d5-positions-have-64-bits-cursors-32).
//!
//! A message is stored once, whatever the size of the audience. A ring is bounded by count and by
//! bytes; what falls out of it has been missed by whoever had not read it. How old messages may
//! become in it is in `ages.rs`.

mod ages;
mod withdrawn;

use crate::chunked::Deque;
use crate::config::Settings;
use crate::deferred_drops::DeferredDrops;
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use ages::{Ages, RingAges};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;
use smallvec::SmallVec;
use withdrawn::Withdrawn;

/// The maximum number of messages of each level that one call takes over from another log, and
/// those of all levels that one lets go of.
pub(crate) const MOVED: u32 = 4_096;

#[derive(Debug)]
pub(crate) struct Log<M> {
    rings: PerLevel<Ring<M>>,
    ages: Ages,
    lost: Option<Box<PerLevel<Lost>>>,
    withdrawn: Withdrawn,
}

/// The positions of a level that never came to this machine, the latest few stretches of them.
type Lost = SmallVec<[Range<u64>; MAX_LOST]>;

/// Stretches that are remembered of each level; older ones count as overrun.
const MAX_LOST: usize = 8;

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
    ages: RingAges,
}

impl<M: Payload> Log<M> {
    /// An empty one, as if so many messages of each level had been appended before.
    pub(crate) fn new(settings: &Settings, heads: PerLevel<u64>) -> Self {
        let ages = Ages::new(settings);
        let ring = |level| {
            let wanted = (settings.log_messages[level], settings.log_bytes[level]);
            Ring {
                messages: Deque::new(),
                head: heads[level],
                bytes: 0,
                max_messages: wanted.0,
                max_bytes: wanted.1,
                wanted,
                ages: RingAges::new(settings, level),
            }
        };
        Self { rings: PerLevel::from_fn(ring), ages, lost: None, withdrawn: None }
    }

    /// From now on other bounds. What is more than they allow goes at [`trim`](Self::trim), and
    /// what is older at `expire`; both have to follow.
    pub(crate) fn reconfigure(&mut self, settings: &Settings) {
        for level in Priority::ALL {
            let ring = &mut self.rings[level];
            ring.wanted = (settings.log_messages[level], settings.log_bytes[level]);
        }
        self.change_ages(settings);
    }

    /// From now on it may hold nothing; [`trim`](Self::trim) has to follow.
    pub(crate) fn hold_nothing(&mut self) {
        self.rings.0.iter_mut().for_each(|ring| ring.wanted = (0, 0));
    }

    /// Lets go of the oldest messages that are more than the bounds allow, as many as the call may:
    /// until all of them have gone, the rings stay as large as they are. Returns whether there are
    /// more.
    pub(crate) fn trim(
        &mut self,
        now: Instant,
        left: &mut u32,
        deferred: &mut DeferredDrops<M>,
    ) -> bool {
        let mut more = false;
        for ring in &mut self.rings.0 {
            while ring.is_over() && *left > 0 && ring.pop(now, deferred) {
                *left -= 1;
            }
            more |= ring.is_over();
            // At most what was configured before.
            ring.max_messages = ring.wanted.0.max(ring.messages.len() as u32);
            ring.max_bytes = ring.wanted.1.max(ring.bytes);
        }
        more
    }

    /// Lets go of the messages of a level below a position at `now`.
    pub(crate) fn give_up(
        &mut self,
        now: Instant,
        level: Priority,
        below: u64,
        deferred: &mut DeferredDrops<M>,
    ) {
        let ring = &mut self.rings[level];
        while ring.tail() < below && ring.pop(now, deferred) {}
    }

    /// A log of the newest messages in this one, as many as one call may take over.
    pub(crate) fn newest(&self) -> Self {
        let rings = PerLevel::from_fn(|level| self.rings[level].newest());
        let (lost, withdrawn) = (self.lost.clone(), self.withdrawn.clone());
        Self { rings, ages: self.ages, lost, withdrawn }
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
        self.rings[level].tail()
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
        let now = message.dispatched_at;
        // Before the newcomer comes, so that a full ring need not grow for a moment.
        if ring.messages.len() >= ring.max_messages as usize {
            ring.pop(now, deferred);
        }
        ring.head = message.position + 1;
        ring.bytes += message.bytes;
        ring.messages.push_back(message);
        while ring.bytes > ring.max_bytes && ring.pop(now, deferred) {}
        self.ages.note(ring, now);
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
            while ring.pop_oldest(deferred).is_some() {}
            ring.head = head;
            ring.ages.overrun(head);
        }
    }

    /// As [`pass_over`](Self::pass_over), of what was dispatched on another machine and never came to
    /// this one.
    pub(crate) fn lose(&mut self, level: Priority, head: u64, deferred: &mut DeferredDrops<M>) {
        let lost = self.head(level)..head;
        if !lost.is_empty() {
            let stretches = &mut self.lost.get_or_insert_default()[level];
            if stretches.len() == MAX_LOST {
                stretches.remove(0);
            }
            stretches.push(lost);
        }
        self.pass_over(level, head, deferred);
    }

    /// How many positions of a range never came to this machine.
    #[cold]
    pub(crate) fn lost_in(&self, level: Priority, range: &Range<u64>) -> u64 {
        let Some(lost) = &self.lost else { return 0 };
        let inside =
            |lost: &Range<u64>| lost.end.min(range.end).saturating_sub(lost.start.max(range.start));
        lost[level].iter().map(inside).sum()
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
        for message in
            (len.saturating_sub(MOVED as usize)..len).filter_map(|at| self.messages.get(at))
        {
            bytes += message.bytes;
            messages.push_back(Arc::clone(message));
        }
        let mut ring = Self { messages, bytes, ..*self };
        if ring.messages.len() < len {
            // Those were never seen there.
            ring.ages.overrun(ring.tail());
        }
        ring
    }

    fn is_over(&self) -> bool {
        self.messages.len() > self.wanted.0 as usize || self.bytes > self.wanted.1
    }

    /// The position of the oldest message that is still there; the head when none is.
    fn tail(&self) -> u64 {
        self.head - self.messages.len() as u64
    }

    /// Gives up the oldest message at `now`; returns whether there was one. Whoever had not read it
    /// has missed it.
    #[inline]
    fn pop(&mut self, now: Instant, deferred: &mut DeferredDrops<M>) -> bool {
        let Some((position, dispatched_at)) = self.pop_oldest(deferred) else { return false };
        self.ages.give_up(now, position, dispatched_at);
        true
    }

    /// Takes the oldest message out; returns its position and when it was dispatched.
    #[inline]
    fn pop_oldest(&mut self, deferred: &mut DeferredDrops<M>) -> Option<(u64, Instant)> {
        let oldest = self.messages.pop_front()?;
        let told = (oldest.position, oldest.dispatched_at);
        self.bytes -= oldest.bytes;
        deferred.add_message(oldest);
        Some(told)
    }
}

#[cfg(test)]
mod tests;
