//! The room takes over what was broadcast to every room (clause A16, decision D24).

use super::{Admission, State};
use crate::broadcasts::Broadcasts;
use crate::message::{Kind, Payload};
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// Takes over what was broadcast since the last time: each goes out now, as a notice of the host's beside the room's rate. What the log no
    /// longer holds is counted as missed ([`AdmissionSnapshot::broadcasts_missed`](crate::AdmissionSnapshot::broadcasts_missed)). A room
    /// that takes nothing any more hears nothing, nor does an [edge](crate::Edge): its room does. O(what it takes over), at most what the log keeps.
    pub fn hear(&mut self, now: Instant, broadcasts: &Broadcasts<M>) {
        let now = self.begin_call(now);
        if self.state != State::Open || self.forwards.is_some() {
            self.heard = broadcasts.count();
        }
        while let Some((missed, heard)) = broadcasts.next(self.heard) {
            self.heard += missed + 1;
            self.broadcasts_missed += missed;
            let level = self.settings.levels.level(heard.priority);
            self.speak(now, level, Kind::Notice, None, heard.payload);
        }
    }

    /// A room that is made now has nothing to hear of what was broadcast before.
    pub fn skip_broadcasts(&mut self, broadcasts: &Broadcasts<M>) {
        self.heard = broadcasts.count();
    }

    /// Whether there is something that the room has not heard. O(1).
    pub fn has_to_hear(&self, broadcasts: &Broadcasts<M>) -> bool {
        self.heard < broadcasts.count()
    }
}
