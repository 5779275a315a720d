//! The settings of the audit: how many records it holds, and what happens when it is full.
//! [Clause B24](crate::rulebook#b24-one-audit-stream).

/// What happens when the audit holds as many records as it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditOverflow {
    /// The room goes on, and what becomes of messages is counted only, in
    /// [`AuditSnapshot::missed`](crate::audit::AuditSnapshot::missed).
    #[default]
    Count,
    /// What is offered is refused as [`AuditFull`](crate::ledger::RefusalReason::AuditFull) until
    /// the host takes records. Of what was let in no record is missed: each message that waits has
    /// a place for its own.
    Refuse,
}

/// The audit of a room: one record of each message, to be taken by the host.
///
/// ```
/// use roomcast_core::config::{AuditConfig, AuditOverflow};
/// use roomcast_core::{RoomConfig, UserId};
///
/// let mut audit = AuditConfig::default();
/// audit.when_full = AuditOverflow::Refuse;
/// let config = RoomConfig::builder(UserId(1)).audit(Some(audit)).build()?;
/// assert_eq!(config.audit().map(|audit| audit.records), Some(16_384));
/// # Ok::<(), roomcast_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditConfig {
    /// The maximum number of records that wait to be taken: 1 to 2²⁴.
    pub records: u32,
    /// The maximum number of payload bytes that they hold, where payloads are kept
    /// ([`Admission::keep_audit_payloads`](crate::Admission::keep_audit_payloads)). Beyond it records
    /// come without. With [`AuditOverflow::Refuse`] messages are refused from there on, and what was
    /// let in before is kept all the same: the queue and the reviews have bounds of their own.
    pub payload_bytes: u64,
    /// What happens when there are as many.
    pub when_full: AuditOverflow,
}

impl Default for AuditConfig {
    /// 16,384 records and 16 MiB of payloads; what comes beyond is counted.
    fn default() -> Self {
        Self { records: 1 << 14, payload_bytes: 16 << 20, when_full: AuditOverflow::Count }
    }
}
