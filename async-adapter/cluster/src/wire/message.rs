//! A dispatched message in a flight.

use super::host::{HostIds, PayloadError, Wire};
use super::record::{Blob, MessageRecord, OriginRecord};
use roomcast_core::ids::Seq;
use roomcast_core::message::{DedupKey, MessageParts, Sender};
use roomcast_core::{Instant, Kind, PerLevel, Priority};
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

/// The number of a level on the wire.
pub(super) fn level_number(level: Priority) -> u8 {
    match level {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
        Priority::Lowest => 3,
    }
}

pub(super) fn level_of(number: u8) -> Result<Priority, String> {
    let level = Priority::ALL.into_iter().find(|&level| level_number(level) == number);
    level.ok_or_else(|| format!("level {number} (want 0 to 3)"))
}

pub(super) fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Custom => 1,
        Kind::System => 2,
        Kind::Notice => 3,
        _ => 0,
    }
}

/// A kind that is not known here is the host's own.
pub(super) fn kind_of(number: u8) -> Kind {
    match number {
        0 => Kind::Text,
        2 => Kind::System,
        3 => Kind::Notice,
        _ => Kind::Custom,
    }
}

pub(super) fn blob_of<T: Wire>(value: &T) -> Blob<'_> {
    Blob(value.encode())
}

pub(super) fn sender_blob(sender: Sender, ids: &impl HostIds) -> Option<Blob<'_>> {
    match sender {
        Sender::Host => None,
        Sender::User(user) => Some(Blob(ids.encode(user))),
    }
}

pub(super) fn sender_of(
    blob: Option<&Blob<'_>>,
    ids: &mut impl HostIds,
) -> Result<Sender, PayloadError> {
    blob.map_or(Ok(Sender::Host), |blob| Ok(Sender::User(ids.decode(&blob.0)?)))
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
        let payload = |blob: &Blob<'_>| M::decode(&blob.0).map_err(|error| error.to_string());
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
