//! The audit of a room: [clause B24](roomcast_core::rulebook#b24-one-audit-stream).

use super::SharedRoom;
use crate::sync::Arc;
use roomcast_core::Payload;
use roomcast_core::audit::AuditRecord;

/// The maximum number of records that are taken under one lock.
const MANY: usize = 256;

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// From now on the records have what messages carry, where the room has an audit.
    pub(crate) fn keep_audit_payloads(&self, copy: fn(&M) -> M) {
        self.body().admission.lock().admission.keep_audit_payloads_by(copy);
    }

    /// Takes the oldest records, at most so many; publishers come in between.
    pub(crate) fn take_audit(self: &Arc<Self>, most: usize) -> Vec<AuditRecord<M>> {
        let mut records = Vec::new();
        while records.len() < most {
            let many = MANY.min(most - records.len());
            records.reserve(many);
            let before = records.len();
            let ((), after) = self.in_admission(|admission| {
                let taken = std::iter::from_fn(|| admission.take_audit_record());
                records.extend(taken.take(many));
            });
            self.finish(after);
            if records.len() - before < many {
                break;
            }
        }
        records
    }
}
