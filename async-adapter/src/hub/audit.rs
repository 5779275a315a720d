//! The audit of one room, as its host takes it.

use super::name::Name;
use super::room::Room;
use crate::sync::Arc;
use roomcast_core::Payload;
use roomcast_core::audit::AuditRecord;

impl<M: Payload + Send + Sync + 'static, U: Name> Room<M, U> {
    /// Takes the oldest records of the room's audit, at most so many: of each message one, with who
    /// spoke, what became of it and why, whatever its priority, and whether the call has told it or an
    /// event. Empty where none waits, or where the room has no audit
    /// ([`audit`](crate::config::RoomConfigBuilder::audit)).
    ///
    /// A host calls it from a task of its own, often enough that the audit does not get full:
    /// [`AuditSnapshot::missed`](crate::audit::AuditSnapshot::missed) counts what it has missed. Of a
    /// room that has ended the rest is taken by a handle that is kept, or in the hook that is told
    /// [`RoomEnded`](crate::Event::RoomEnded). Users are numbers here; their
    /// [names](crate::names) may be gone when they have left.
    ///
    /// O(records taken). Publishers wait for 256 of them at a time.
    ///
    /// ```
    /// use roomcast::audit::Fate;
    /// use roomcast::config::AuditConfig;
    /// use roomcast::{Hub, Publish, RoomConfig, Source};
    ///
    /// let hub = Hub::<&str>::builder().audit_payloads().spawn_threads()?;
    /// let audited = RoomConfig::builder(None).audit(Some(AuditConfig::default())).build()?;
    /// let room = hub.open_room("lobby", &audited)?;
    /// room.try_publish(Publish::like(Source::Host, "a like"))?;
    /// for record in room.take_audit(1_000) {
    ///     assert!(matches!(record.fate, Fate::Dispatched { .. }));
    ///     assert_eq!(record.payload(), Some(&"a like"));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_audit(&self, most: usize) -> Vec<AuditRecord<M>> {
        let (own, current) = self.own_and_current();
        let mut records = own.take_audit(most);
        // The handle may stand for a room by now that was opened in the place of its first one.
        if !Arc::ptr_eq(own, &current) {
            records.extend(current.take_audit(most - records.len()));
        }
        records
    }
}
