//! The room takes over what was broadcast to every room (clause A16, decision D24).

use super::waiting::Waiting;
use super::{Admission, State};
use crate::broadcasts::{Broadcasts, Heard};
use crate::ids::MessageId;
use crate::ledger::RefusalReason;
use crate::message::{Kind, Payload, Report, Sender};
use crate::queue::Popped;
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// Takes over what was broadcast since the last time: each goes out now, as a notice of the host's beside the room's rate. What the log no longer holds is counted as missed
    /// ([`AdmissionSnapshot::broadcasts_missed`](crate::AdmissionSnapshot::broadcasts_missed)). A room that takes nothing any more hears
    /// nothing. O(what it takes over), at most what the log keeps.
    pub fn hear(&mut self, now: Instant, broadcasts: &Broadcasts<M>) {
        let now = self.clock.advance(now);
        self.debris.clear();
        if self.state != State::Open {
            self.heard = broadcasts.count();
        }
        while let Some((missed, heard)) = broadcasts.next(self.heard) {
            self.heard += missed + 1;
            self.broadcasts_missed += missed;
            self.take_up(now, heard);
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

    fn take_up(&mut self, now: Instant, heard: Heard<M>) {
        let Heard { priority, payload } = heard;
        let level = self.settings.levels.level(priority);
        self.submitted += 1;
        self.ledger.levels[level].submit(1);
        if payload.size() > self.settings.payload_bytes as usize {
            self.ledger.levels[level].refuse(RefusalReason::TooLarge, 1);
            self.debris.add_payload(payload);
            return;
        }
        self.ledger.levels[level].queue(1);
        let (id, report) = (MessageId(self.submitted), Report::CountedOnly);
        let (kind, session, profile) = (Kind::Notice, None, None);
        let item = Waiting { id, kind, session, profile, report, extras: None, payload };
        self.send(now, Popped { item, priority: level, sender: Sender::Host, entered: now }, None);
    }
}
