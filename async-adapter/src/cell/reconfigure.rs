//! Other quotas and bounds while the room runs (clause B15): one call that changes the admission and all halls.

use super::{After, Cell};
use parking_lot::Mutex;
use roomcast_core::{Duration, JoinError, Payload, ReconfigureError, RoomConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The configuration by now, and what is asked of it without a lock.
#[derive(Debug)]
pub(super) struct Live {
    /// Changed under the locks of all halls and of the admission.
    config: Mutex<Arc<RoomConfig>>,
    /// Sessions at the most.
    sessions: AtomicU32,
    /// How long the room may be empty, in nanoseconds; 0 is for ever.
    expire_empty: AtomicU64,
}

fn nanos(after: Option<Duration>) -> u64 {
    after.map_or(0, |after| u64::try_from(after.as_nanos()).unwrap_or(u64::MAX))
}

impl Live {
    pub(super) fn new(config: &RoomConfig) -> Self {
        Self {
            config: Mutex::new(Arc::new(config.clone())),
            sessions: AtomicU32::new(config.sessions()),
            expire_empty: AtomicU64::new(nanos(config.expire_empty())),
        }
    }

    /// The configuration. Whoever holds the lock of a hall sees the one that its audience has.
    pub(super) fn config(&self) -> Arc<RoomConfig> {
        Arc::clone(&self.config.lock())
    }

    fn set(&self, config: &RoomConfig) -> Arc<RoomConfig> {
        self.sessions.store(config.sessions(), Ordering::Relaxed);
        self.expire_empty.store(nanos(config.expire_empty()), Ordering::Release);
        std::mem::replace(&mut *self.config.lock(), Arc::new(config.clone()))
    }

    /// How long the room may be empty; `None` is for ever.
    pub(super) fn expire_empty(&self) -> Option<Duration> {
        let nanos = self.expire_empty.load(Ordering::Acquire);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }
}

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// Goes on under another configuration. Afterwards every hall's shard comes by, since what it meant to come for may be due sooner.
    pub(crate) fn reconfigure(self: &Arc<Self>, config: &RoomConfig) -> Result<(), ReconfigureError> {
        let now = self.now();
        let (answer, after) = self.in_all(|admission, seats| {
            admission.reconfigure(now, config)?;
            for (hall, seats) in self.halls().zip(seats) {
                // What was due went out under the old configuration, and is applied under it.
                let handed = self.pick_up(hall, admission, seats.audience.applied());
                seats.audience.take_over(handed);
                seats.audience.reconfigure(now, config)?;
                hall.advance();
            }
            let is_new = self.settings.expire_empty().is_none() && config.expire_empty().is_some();
            for hall in self.halls().filter(|_| is_new) {
                // Who was not asked so far counts from here.
                hall.empty_since.fetch_max(now.as_nanos(), Ordering::AcqRel);
            }
            Ok(self.settings.set(config))
        });
        let is_changed = answer.is_ok();
        self.finish(After { news: is_changed || after.news, home: is_changed || after.home, ..after });
        answer.map(drop)
    }

    /// Whether there are as many sessions as there may be, over all halls: a hall knows its own share, and others may have more than theirs
    /// once these have become fewer.
    pub(super) fn is_full(&self) -> bool {
        let sessions: u32 = self.halls().map(|hall| hall.sessions.load(Ordering::Relaxed)).sum();
        sessions >= self.settings.sessions.load(Ordering::Relaxed)
    }

    /// Whether there is room for one more. Under the admission's lock nobody else joins.
    pub(super) fn check_room(&self) -> Result<(), JoinError> {
        if self.is_full() { Err(JoinError::RoomFull { max: self.settings.sessions.load(Ordering::Relaxed) }) } else { Ok(()) }
    }
}
