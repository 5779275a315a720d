//! Broadcasts to every room: one bounded log, which each room reads when it is next looked at.
//! [Decision D24](crate::design#d24-a-broadcast-is-one-log).

use crate::chunked::Deque;
use crate::dedup::{Dedup, DedupWindow};
use crate::ids::MessageId;
use crate::index::Hasher;
use crate::message::{DedupKey, Payload, Sender};
use crate::priority::Priority;
use crate::quota::{Quota, TokenBucket};
use crate::time::{Duration, Instant};
use core::fmt;
use core::num::NonZeroU32;

/// How much may be broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastLimits {
    /// Broadcasts in so long. Default 1 a second.
    pub quota: Quota,
    /// How long the same key is refused, and how many keys are remembered. Default 5 minutes,
    /// 1,024.
    pub keys: DedupWindow,
    /// Broadcasts that are kept for rooms that have yet to hear them; what has fallen out they
    /// have missed. Default 64, at least 1.
    pub kept: u32,
    /// The maximum number of bytes of a payload, so that what is kept is bounded by bytes, too.
    /// Default 12 KiB, as for a room's messages.
    pub payload_bytes: u32,
}

impl Default for BroadcastLimits {
    /// Those of an `AVChatRoom`: one a second, the same key within 5 minutes refused; 64 are kept.
    fn default() -> Self {
        let keys = DedupWindow { window: Duration::from_secs(300), keys: 1_024 };
        Self { quota: Quota::per_second(NonZeroU32::MIN), keys, kept: 64, payload_bytes: 12 * 1024 }
    }
}

/// Something for every room.
#[derive(Clone, Debug)]
#[must_use = "a broadcast does nothing until it is published"]
pub struct Broadcast<M> {
    key: DedupKey,
    priority: Priority,
    payload: M,
}

impl<M> Broadcast<M> {
    /// Under a key, at `Normal`. The same key is refused for a while.
    pub const fn new(key: DedupKey, payload: M) -> Self {
        Self { key, priority: Priority::Normal, payload }
    }

    /// With this priority.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }
}

/// Why something was not broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BroadcastReason {
    /// As many were broadcast as may be.
    Quota {
        /// The rate and the burst.
        quota: Quota,
    },
    /// The same key was broadcast within the window.
    Duplicate {
        /// The window.
        window: Duration,
    },
    /// The payload is too large.
    TooLarge {
        /// The size of this one.
        size: usize,
        /// The most it may be.
        max: usize,
    },
}

/// A broadcast that was refused. It hands the payload back.
#[derive(Clone, PartialEq, Eq)]
pub struct BroadcastRefused<M> {
    /// Why.
    pub reason: BroadcastReason,
    /// The earliest instant at which trying again may help; `None` when time alone will not.
    pub retry_at: Option<Instant>,
    /// What was to be broadcast.
    pub payload: M,
}

impl<M> fmt::Display for BroadcastRefused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            BroadcastReason::Quota { quota: Quota { rate, burst } } => {
                write!(f, "refused: broadcast quota exceeded (limit {rate}, burst {burst})")
            }
            BroadcastReason::Duplicate { window } => {
                write!(f, "refused: duplicate broadcast (window {window:?})")
            }
            BroadcastReason::TooLarge { size, max } => {
                write!(f, "refused: payload too large: {size} bytes (limit {max})")
            }
        }?;
        self.retry_at.map_or(Ok(()), |at| write!(f, "; retry at {at}"))
    }
}

impl<M> fmt::Debug for BroadcastRefused<M> {
    /// Without the payload, which need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastRefused")
            .field("reason", &self.reason)
            .field("retry_at", &self.retry_at)
            .finish_non_exhaustive()
    }
}

impl<M> core::error::Error for BroadcastRefused<M> {}

/// The log of what was broadcast.
///
/// An [`Engine`](crate::Engine) and a hub have one each; a host that keeps its rooms itself makes
/// one and has each room [`import_broadcasts`](crate::RoomState::import_broadcasts) it.
#[derive(Debug)]
pub struct Broadcasts<M> {
    log: Deque<Entry<M>>,
    /// Broadcasts so far, and when the last was.
    count: u64,
    last: Instant,
    bucket: TokenBucket,
    keys: Dedup,
    limits: BroadcastLimits,
}

/// A broadcast, as the log keeps it.
#[derive(Debug)]
pub(crate) struct Entry<M> {
    pub(crate) priority: Priority,
    payload: M,
    /// How a room gets its own: only whoever broadcasts has to know that a payload can be cloned.
    clone: fn(&M) -> M,
}

impl<M> Entry<M> {
    /// What a room takes over. It runs the host's code, which may panic.
    pub(crate) fn copy(&self) -> M {
        (self.clone)(&self.payload)
    }
}

impl<M: Payload> Broadcasts<M> {
    /// Nothing has been broadcast. The seed keeps outsiders from choosing keys that collide.
    pub fn new(limits: BroadcastLimits, seed: u64) -> Self {
        let keys = Dedup::new(limits.keys, Hasher::new(seed));
        Self {
            log: Deque::new(),
            count: 0,
            last: Instant::ZERO,
            bucket: limits.quota.bucket(),
            keys,
            limits,
        }
    }

    /// Puts something into the log, for every room there is. O(1), whatever the number of rooms and
    /// sessions. Returns the payload that had to go for it, for whoever holds a lock.
    ///
    /// # Errors
    /// The payload is too large, the same key was broadcast within the window, or the quota is used
    /// up.
    pub fn publish(
        &mut self,
        now: Instant,
        broadcast: Broadcast<M>,
    ) -> Result<Option<M>, BroadcastRefused<M>>
    where
        M: Clone,
    {
        let Broadcast { key, priority, payload } = broadcast;
        let (size, max) = (payload.size(), self.limits.payload_bytes as usize);
        if size > max {
            return Err(BroadcastRefused {
                reason: BroadcastReason::TooLarge { size, max },
                retry_at: None,
                payload,
            });
        }
        if let Some(until) = self.keys.refused_until(now, Sender::Host, key) {
            let reason = BroadcastReason::Duplicate { window: self.limits.keys.window };
            // The quota may hold longer.
            let retry_at = self.bucket.next_at(now, 0).map(|at| at.max(until));
            return Err(BroadcastRefused { reason, retry_at, payload });
        }
        if !self.bucket.take_keeping(now, 0) {
            let reason = BroadcastReason::Quota { quota: self.limits.quota };
            return Err(BroadcastRefused {
                reason,
                retry_at: self.bucket.next_at(now, 0),
                payload,
            });
        }
        self.count += 1;
        self.last = self.last.max(now);
        self.keys.note(now, priority, Sender::Host, key, MessageId(self.count));
        let old = if self.log.len() >= self.limits.kept.max(1) as usize {
            self.log.pop_front()
        } else {
            None
        };
        self.log.push_back(Entry { priority, payload, clone: M::clone });
        Ok(old.map(|entry| entry.payload))
    }

    /// Broadcasts so far: what a room has heard that has heard them all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// When the last one was.
    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// What a room gets next that has heard `imported` of them, and how many it has missed before
    /// that one; `None` when it has heard all.
    pub(crate) fn next(&self, imported: u64) -> Option<(u64, &Entry<M>)> {
        let first = self.count - self.log.len() as u64;
        let entry = self.log.get(usize::try_from(imported.saturating_sub(first)).ok()?)?;
        Some((first.saturating_sub(imported), entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn one_a_second_and_a_key_once_in_five_minutes() {
        let mut broadcasts: Broadcasts<&str> = Broadcasts::new(BroadcastLimits::default(), 0);
        let at = Instant::from_secs;
        let mut say = |now, key| {
            broadcasts
                .publish(now, Broadcast::new(DedupKey(key), "hello"))
                .map_err(|refused| refused.retry_at)
        };
        assert_eq!(say(at(10), 1), Ok(None));
        assert_eq!(say(at(10), 2), Err(Some(at(11))));
        assert_eq!(say(at(11), 2), Ok(None));
        assert_eq!(say(at(12), 1), Err(Some(at(310))));
        assert_eq!(say(at(310), 1), Ok(None));
        assert_eq!(broadcasts.count(), 3);
    }

    #[test]
    fn what_is_too_large_is_refused_at_no_cost() {
        let mut broadcasts: Broadcasts<&str> =
            Broadcasts::new(BroadcastLimits { payload_bytes: 4, ..BroadcastLimits::default() }, 0);
        let mut say = |text| broadcasts.publish(Instant::ZERO, Broadcast::new(DedupKey(1), text));
        let refused = say("hello").unwrap_err();
        assert_eq!(
            (refused.reason, refused.retry_at),
            (BroadcastReason::TooLarge { size: 5, max: 4 }, None)
        );
        assert_eq!(refused.to_string(), "refused: payload too large: 5 bytes (limit 4)");
        assert_eq!(say("hell"), Ok(None));
    }

    #[test]
    fn who_comes_late_is_told_how_many_were_missed() {
        let limits = BroadcastLimits {
            quota: Quota::per_second(NonZeroU32::new(100).unwrap()),
            kept: 3,
            ..BroadcastLimits::default()
        };
        let mut broadcasts = Broadcasts::new(limits, 0);
        let texts = ["0", "1", "2", "3", "4"];
        let fell_out: std::vec::Vec<_> = (0..)
            .zip(texts)
            .filter_map(|(key, text)| {
                broadcasts.publish(Instant::ZERO, Broadcast::new(DedupKey(key), text)).unwrap()
            })
            .collect();
        assert_eq!(fell_out, ["0", "1"]);
        let next = |imported| {
            broadcasts.next(imported).map(|(missed, imported)| (missed, imported.copy()))
        };
        assert_eq!(
            (next(0), next(2), next(4), next(5)),
            (Some((2, "2")), Some((0, "2")), Some((0, "4")), None)
        );
    }
}
