//! Who lives, and who owns a room: the values of the two kinds of keys on the bus.

use super::record::{LeaseRecord, RoomRecord};
use super::{Record, VERSION, WireError, read, write};
use roomcast_core::Instant;

/// A node that lives: the value of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLease {
    /// The node's name.
    pub node: u64,
    /// What tells this start of it from others; 0 where the lease is new, and its first revision is
    /// the incarnation.
    pub incarnation: u64,
    /// The latest version of the wire that it reads: what is written is the lowest of all that live.
    pub reads: u32,
    /// It is about to stop, and takes no room.
    pub retires: bool,
    /// When it was sent, by the node's clock; `None`: its version does not say that.
    pub sent_at: Option<Instant>,
}

/// Who owns a room: the value of the room's key. The key's revision is the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomKey {
    /// The name of the owner's node.
    pub owner: u64,
    /// The incarnation of that node: the room is free when no lease has it.
    pub incarnation: u64,
}

impl Record for LeaseRecord {
    const NAME: &'static str = "node lease";
    const MARK: u64 = 3;
}

impl Record for RoomRecord {
    const NAME: &'static str = "room key";
    const MARK: u64 = 4;
}

impl NodeLease {
    /// Returns the bytes.
    pub fn encode(&self) -> Vec<u8> {
        let &Self { node, incarnation, reads, retires, sent_at } = self;
        let (version, mark) = (VERSION, LeaseRecord::MARK);
        let (retires, sent_at) = (retires.then_some(true), sent_at.map(Instant::as_nanos));
        write(&LeaseRecord { version, mark, node, incarnation, reads, retires, sent_at })
    }

    /// Reads what [`encode`](Self::encode) returned.
    ///
    /// # Errors
    /// The bytes are no such record of a version that is read here.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let LeaseRecord { node, incarnation, reads, retires, sent_at, .. } = read(bytes)?;
        let (retires, sent_at) = (retires.unwrap_or(false), sent_at.map(Instant::from_nanos));
        Ok(Self { node, incarnation, reads, retires, sent_at })
    }
}

impl RoomKey {
    /// Returns the bytes.
    pub fn encode(&self) -> Vec<u8> {
        let &Self { owner, incarnation } = self;
        write(&RoomRecord { version: VERSION, mark: RoomRecord::MARK, owner, incarnation })
    }

    /// Reads what [`encode`](Self::encode) returned.
    ///
    /// # Errors
    /// The bytes are no such record of a version that is read here.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let RoomRecord { owner, incarnation, .. } = read(bytes)?;
        Ok(Self { owner, incarnation })
    }
}
