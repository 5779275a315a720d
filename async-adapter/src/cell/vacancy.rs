//! A room without sessions closes by itself (clause B20): its first hall's shard looks after that.

use super::{After, Cell};
use crate::hall::Hall;
use roomcast_core::{Actor, EndReason, Instant, Payload, State};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// A room that expires when it is empty is so from its beginning.
    pub(crate) fn begin(self: &Arc<Self>) {
        if self.settings.expire_empty().is_some() {
            self.call(self.hall(0));
        }
    }

    /// Sessions have gone from a hall: if those were its last ones, the first hall's shard has to come by in time.
    pub(super) fn note_gone(self: &Arc<Self>, hall: &Hall<M>, now: Instant) {
        if self.settings.expire_empty().is_some() && hall.sessions.load(Ordering::Relaxed) == 0 {
            hall.empty_since.fetch_max(now.as_nanos(), Ordering::AcqRel);
            self.call(self.hall(0));
        }
    }

    /// When the room closes if nobody comes; `None` while somebody is in. Of the halls, the last to become empty counts.
    fn expires_at(&self) -> Option<Instant> {
        let after = self.settings.expire_empty()?;
        let mut since = Instant::ZERO;
        for hall in self.halls() {
            if hall.sessions.load(Ordering::Relaxed) > 0 {
                return None;
            }
            since = since.max(Instant::from_nanos(hall.empty_since.load(Ordering::Acquire)));
        }
        Some(since + after)
    }

    /// Closes the room if nobody has been in for so long. Answers when to come again.
    pub(super) fn expire_empty(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let at = self.expires_at().filter(|_| !self.hall(0).ended.load(Ordering::Acquire))?;
        if now < at {
            return Some(at);
        }
        // Under all locks, nobody joins.
        let ((closes, later), after) = self.in_all(|admission, seats| {
            let is_empty = seats.iter().all(|seats| seats.audience.sessions() == 0);
            if !is_empty || admission.state() != State::Open {
                return (false, None);
            }
            // Somebody came and went since.
            let later = self.expires_at().filter(|&at| now < at);
            // The host may do that, and the room is open.
            let closes = later.is_none() && admission.close(now, Actor::Host).is_ok();
            if closes {
                for seats in seats {
                    seats.audience.close(now, EndReason::RoomClosed);
                }
            }
            (closes, later)
        });
        // What follows a close is up to each hall's shard.
        self.finish(After { news: closes || after.news, home: closes || after.home, ..after });
        later
    }
}
