//! A dispatched message in a flight.

use super::host::{HostIds, Wire, payload_of};
use super::numbers::{
    blob_of, kind_number, kind_of, level_number, level_of, sender_blob, sender_of,
};
use super::parts::Blob;
use super::record::{MessageRecord, OriginRecord};
use roomcast_core::ids::Seq;
use roomcast_core::message::{DedupKey, MessageParts};
use roomcast_core::{Instant, PerLevel};
use std::sync::Arc;

/// Where a message was said: at which edge, and by which of its sessions.
///
/// Two edges give the same keys to their sessions, so the key says something at its own edge only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The incarnation of the edge's node.
    pub edge: u64,
    /// The session's key there, as [`SessionKey::to_bits`](roomcast_core::ids::SessionKey::to_bits)
    /// gives it.
    pub session: u64,
}

/// A dispatched message, and what its flight says of it beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent<M> {
    /// The message. Its session is none: it is that of the [`origin`](Self::origin), at the edge
    /// that it names.
    pub parts: MessageParts<M>,
    /// Which session said it, if one did.
    pub origin: Option<Origin>,
    /// The key that must not be said again.
    pub dedup_key: Option<DedupKey>,
}

impl<M: Wire> Sent<M> {
    pub(super) fn record<'a>(&'a self, ids: &'a impl HostIds) -> MessageRecord<'a> {
        let MessageParts { priority, kind, sender, units, messages, .. } = self.parts;
        MessageRecord {
            level: level_number(priority),
            kind: kind_number(kind),
            sender: sender_blob(sender, ids),
            origin: self.origin.map(|Origin { edge, session }| OriginRecord { edge, session }),
            units: (units != 1).then_some(units),
            messages: (messages != 1).then_some(messages.into()),
            admitted_at: self.parts.admitted_at.as_nanos(),
            dispatched_at: self.parts.dispatched_at.as_nanos(),
            profile: self.parts.profile.as_deref().map(blob_of),
            payload: blob_of(&self.parts.payload),
            dedup_key: self.dedup_key.map(|key| key.0),
        }
    }

    /// The message behind `next` messages of each level.
    pub(super) fn read(
        record: &MessageRecord<'_>,
        next: &mut PerLevel<u64>,
        ids: &mut impl HostIds,
    ) -> Result<Self, String> {
        let priority = level_of(record.level)?;
        let sender = sender_of(record.sender.as_ref(), ids).map_err(|error| error.to_string())?;
        let payload = |blob: &Blob<'_>| payload_of(&blob.0).map_err(|error| error.to_string());
        let messages = record.messages.unwrap_or(1);
        let parts = MessageParts {
            seq: Seq(next.values().sum::<u64>() + 1),
            position: next[priority],
            priority,
            kind: kind_of(record.kind),
            sender,
            session: None,
            units: record.units.unwrap_or(1),
            messages: messages.try_into().map_err(|_| format!("{messages} messages in one"))?,
            admitted_at: Instant::from_nanos(record.admitted_at),
            dispatched_at: Instant::from_nanos(record.dispatched_at),
            profile: record.profile.as_ref().map(payload).transpose()?.map(Arc::new),
            payload: payload(&record.payload)?,
        };
        next[priority] += 1;
        let origin = record.origin.map(|OriginRecord { edge, session }| Origin { edge, session });
        Ok(Self { parts, origin, dedup_key: record.dedup_key.map(DedupKey) })
    }
}
