//! Types of the audit: [`Room::take_audit`](crate::Room::take_audit).

pub use roomcast_core::audit::{AuditRecord, AuditSnapshot, Fate};
