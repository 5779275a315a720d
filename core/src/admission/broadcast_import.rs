//! Import of what was broadcast to every room:
//! [clause A16](crate::rulebook#a16-notices-and-broadcasts).

use super::{Admission, RoomStatus};
use crate::broadcasts::Broadcasts;
use crate::message::{Kind, Payload};
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// Takes over what was broadcast since the last time: each goes out now, as a notice of the
    /// host's beside the room's rate. What the log no longer holds is counted as missed
    /// ([`AdmissionSnapshot::broadcasts_missed`](crate::admission::AdmissionSnapshot::broadcasts_missed)).
    /// A room that takes nothing any more hears nothing, nor does an [edge](crate::Edge): its room
    /// does. O(what it takes over), at most what the log keeps.
    ///
    /// # Panics
    /// Where a payload does as it is cloned, or asked for its size. That one counts as missed, and
    /// the next call goes on behind it.
    pub fn import_broadcasts(&mut self, now: Instant, broadcasts: &Broadcasts<M>) {
        let now = self.begin_call(now);
        if self.status != RoomStatus::Open || self.pipeline.is_at_edge() {
            self.broadcasts.skip_all(broadcasts);
        }
        while let Some(next) = self.broadcasts.next(broadcasts) {
            let level = self.settings.levels.level(next.priority);
            self.emit(now, level, Kind::Notice, None, next.copy());
            self.broadcasts.hear();
        }
    }

    /// A room that is made now has nothing to hear of what was broadcast before.
    pub fn skip_broadcasts(&mut self, broadcasts: &Broadcasts<M>) {
        self.broadcasts.skip_all(broadcasts);
    }

    /// Starts behind so many broadcasts ([`Broadcasts::count`]): a room that was opened when there
    /// had been so many, and whose admission is made later, has nothing to hear of those.
    pub fn skip_first_broadcasts(&mut self, count: u64) {
        self.broadcasts.go_on(count);
    }

    /// Whether there is something that the room has not heard. O(1).
    pub fn has_broadcasts_to_import(&self, broadcasts: &Broadcasts<M>) -> bool {
        self.broadcasts.behind(broadcasts.count()) > 0
    }

    /// How many of so many broadcasts ([`Broadcasts::count`]) the room has yet to hear, those that
    /// the log no longer holds included. None where it hears nothing any more. O(1).
    pub fn broadcasts_pending(&self, count: u64) -> u64 {
        let hears = self.status == RoomStatus::Open && !self.pipeline.is_at_edge();
        if hears { self.broadcasts.behind(count) } else { 0 }
    }
}
