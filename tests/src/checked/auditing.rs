//! The audit of a room under watch.

use super::Checked;
use crate::payload::Probe;
use crate::violation::{Check, Law, same};
use roomcast_core::audit::AuditRecord;
use roomcast_core::{Instant, RoomState};

impl Checked {
    /// `RoomState::take_audit_record`, so many times.
    pub fn take_audit(&mut self, room: &mut RoomState<Probe>, now: Instant, times: usize) -> Check {
        let mut records = Vec::new();
        for _ in 0..times {
            let record = room.take_audit_record();
            let twin = self.twin.take_audit_record();
            let ids = [&record, &twin].map(|record| record.as_ref().map(|record| record.id));
            same(Law::L9Deterministic, "take_audit_record", ids[0], ids[1])?;
            self.oracle.record_taken(record.as_ref())?;
            records.extend(record);
        }
        self.on_hub("take_audit", &in_words(&records), |hub| {
            in_words(&hub.take_audit(now, times))
        })?;
        self.inspect(room)
    }

    /// Takes what is left: then the audit has told of every message, or counts it as missed.
    pub(super) fn finish_audit(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        self.take_audit(room, now, room.audit_records() + 1)?;
        self.oracle.check_missed(room.snapshot(now).admission.audit.as_ref())
    }
}

/// Records in words, in one order.
fn in_words(records: &[AuditRecord<Probe>]) -> Vec<String> {
    let mut words: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    words.sort();
    words
}
