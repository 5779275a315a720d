//! The audit of a room: [clause B24](crate::rulebook#b24-one-audit-stream).

use super::RoomState;
use crate::audit::AuditRecord;
use crate::message::Payload;

impl<M: Payload> RoomState<M> {
    /// From now on the records of the audit have what messages carry. See
    /// [`Admission::keep_audit_payloads`](crate::Admission::keep_audit_payloads).
    pub fn keep_audit_payloads(&mut self)
    where
        M: Clone,
    {
        self.admission.keep_audit_payloads();
    }

    /// Takes the oldest record of the audit: of each message one, in the order in which their fates
    /// were decided. `None` where none waits, or the room has no audit. O(1).
    ///
    /// ```
    /// use roomcast_core::audit::Fate;
    /// use roomcast_core::config::AuditConfig;
    /// use roomcast_core::ids::Seq;
    /// use roomcast_core::ledger::RefusalReason;
    /// use roomcast_core::{Instant, Publish, RoomConfig, RoomState, Source, UserId};
    ///
    /// let config = RoomConfig::builder(UserId(1)).audit(Some(AuditConfig::default())).build()?;
    /// let (mut room, now) = (RoomState::new(&config), Instant::from_secs(1));
    /// room.keep_audit_payloads();
    /// let _ = room.publish(now, Publish::like(Source::Host, "like"))?;
    /// let _ = room.publish(now, Publish::new(Source::Host, "way too long".repeat(1_100).leak()));
    ///
    /// let record = room.take_audit_record().expect("of the like");
    /// assert_eq!((record.fate, record.payload()), (Fate::Dispatched { seq: Seq(1) }, Some(&"like")));
    /// let record = room.take_audit_record().expect("of the other");
    /// assert!(matches!(record.fate, Fate::Refused { reason: RefusalReason::TooLarge, .. }));
    /// assert!(room.take_audit_record().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_audit_record(&mut self) -> Option<AuditRecord<M>> {
        self.admission.take_audit_record()
    }

    /// How many records wait to be taken. O(1).
    pub fn audit_records(&self) -> usize {
        self.admission.audit_records()
    }
}
