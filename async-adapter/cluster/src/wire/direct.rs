//! A direct message on its way to whoever it is for, at any node.

use super::host::{HostIds, PayloadError, Wire, payload_of};
use super::numbers::{kind_number, kind_of, level_number, level_of, sender_blob, sender_of};
use super::parts::Blob;
use minicbor::{Decode, Encode};
use roomcast_core::message::Sender;
use roomcast_core::pins::PinId;
use roomcast_core::{Direct, Kind, Priority, UserId};
use std::sync::Arc;

/// A direct message as it crosses the wire: its payload is read where somebody gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedDirect {
    /// Its priority.
    pub priority: Priority,
    /// Its kind.
    pub kind: Kind,
    /// Who speaks.
    pub sender: Sender,
    /// The payload's bytes.
    pub payload: Arc<[u8]>,
}

impl EncodedDirect {
    /// A direct message, but for the number under which it is pinned.
    pub fn new<M: Wire>(direct: &Direct<M>) -> Self {
        let &Direct { priority, kind, sender, ref payload, .. } = direct;
        Self { priority, kind, sender, payload: payload.encode().as_ref().into() }
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// The bytes are none of the host's payloads.
    pub fn decode<M: Wire>(&self) -> Result<Direct<M>, PayloadError> {
        let direct = Direct::new(payload_of(&self.payload)?);
        Ok(direct.priority(self.priority).kind(self.kind).sender(self.sender))
    }

    pub(super) fn record<'a>(&'a self, ids: &'a impl HostIds) -> DirectRecord<'a> {
        DirectRecord {
            level: level_number(self.priority),
            kind: kind_number(self.kind),
            sender: sender_blob(self.sender, ids),
            payload: Blob((&*self.payload).into()),
        }
    }

    pub(super) fn read(record: &DirectRecord<'_>, ids: &mut impl HostIds) -> Result<Self, String> {
        let sender = sender_of(record.sender.as_ref(), ids).map_err(|error| error.to_string())?;
        let (priority, kind) = (level_of(record.level)?, kind_of(record.kind));
        Ok(Self { priority, kind, sender, payload: (&*record.payload.0).into() })
    }
}

/// A direct message to all sessions of a user, wherever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToUser {
    /// Whom it is for.
    pub user: UserId,
    /// What.
    pub direct: EncodedDirect,
}

impl ToUser {
    pub(super) fn record<'a>(&'a self, ids: &'a impl HostIds) -> ToUserRecord<'a> {
        ToUserRecord { user: Blob(ids.encode(self.user)), direct: self.direct.record(ids) }
    }

    pub(super) fn read(record: &ToUserRecord<'_>, ids: &mut impl HostIds) -> Result<Self, String> {
        let user = ids.decode(&record.user.0).map_err(|error| error.to_string())?;
        Ok(Self { user, direct: EncodedDirect::read(&record.direct, ids)? })
    }
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct DirectRecord<'b> {
    #[n(0)]
    pub(super) level: u8,
    #[n(1)]
    pub(super) kind: u8,
    #[b(2)]
    pub(super) sender: Option<Blob<'b>>,
    #[b(3)]
    pub(super) payload: Blob<'b>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ToUserRecord<'b> {
    #[b(0)]
    pub(super) user: Blob<'b>,
    #[b(1)]
    pub(super) direct: DirectRecord<'b>,
}

/// What is pinned under a number; `None`: nothing any more.
pub type Pin = (PinId, Option<EncodedDirect>);

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct PinRecord<'b> {
    #[n(0)]
    pub(super) id: u64,
    #[b(1)]
    pub(super) direct: Option<DirectRecord<'b>>,
}

pub(super) fn pin_record<'a>((id, direct): &'a Pin, ids: &'a impl HostIds) -> PinRecord<'a> {
    PinRecord { id: id.0, direct: direct.as_ref().map(|direct| direct.record(ids)) }
}

pub(super) fn pin_of(record: &PinRecord<'_>, ids: &mut impl HostIds) -> Result<Pin, String> {
    let direct = record.direct.as_ref().map(|direct| EncodedDirect::read(direct, ids));
    Ok((PinId(record.id), direct.transpose()?))
}
