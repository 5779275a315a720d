//! The audit: one stream of what became of every message.
//! [Clause B24](crate::rulebook#b24-one-audit-stream).
//!
//! A room that is asked for it ([`audit`](crate::config::RoomConfigBuilder::audit)) writes a record
//! where its books have a row for a fate: refused, dropped, merged, dispatched, or handed on by an
//! edge. So the records of a room, and what the audit has missed, add up to its ledger, reason by
//! reason.

use crate::chunked::Deque;
use crate::config::{AuditConfig, AuditOverflow};
use crate::ids::{MessageId, Seq, SessionId};
use crate::ledger::{DropReason, Ledger, LevelLedger, RefusalReason};
use crate::message::{Kind, Limit, Message, Sender};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It was not let in.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// The limit that decided, if one did.
        limit: Option<Limit>,
    },
    /// It was let in and never dispatched.
    Dropped {
        /// Why.
        reason: DropReason,
        /// The limit that decided, if one did.
        limit: Option<Limit>,
    },
    /// It became one with a message that waited, and shares its fate.
    Merged {
        /// The message that carries it.
        carrier: MessageId,
    },
    /// It went out to the audience.
    Dispatched {
        /// Its sequence number in the room.
        seq: Seq,
    },
    /// It left an edge for the room, whose own audit says what became of it there.
    Forwarded,
}

/// One message and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord<M> {
    /// The message, numbered as it was offered: the first of a room is 1, and none is left out.
    pub id: MessageId,
    /// Its priority, as the room tells priorities apart.
    pub priority: Priority,
    /// Its kind.
    pub kind: Kind,
    /// Who spoke; none where it was a guest, or a session that the room does not know.
    pub sender: Option<Sender>,
    /// The session that sent it, if one did; none if it carries others.
    pub session: Option<SessionId>,
    /// Itself and the messages that were merged into it.
    pub messages: u32,
    /// What they stand for.
    pub units: u64,
    /// When it was decided.
    pub at: Instant,
    /// What became of it.
    pub fate: Fate,
    payload: Option<Kept<M>>,
}

/// A payload in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept<M> {
    Own(M),
    /// What was dispatched is shared with the log.
    Shared(Arc<Message<M>>),
}

impl<M> AuditRecord<M> {
    /// Returns what the message carried, where payloads are kept; of one that a review has
    /// rewritten, what it carried then. None of one that an edge has forwarded: it is at the room.
    pub fn payload(&self) -> Option<&M> {
        self.payload.as_ref().map(|kept| match kept {
            Kept::Own(payload) => payload,
            Kept::Shared(message) => &message.payload,
        })
    }
}

/// What an audit holds and what it has missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct AuditSnapshot {
    /// Records that wait to be taken.
    pub records: u32,
    /// Payload bytes that they hold; those of what was dispatched are shared with the log while that
    /// has them.
    pub payload_bytes: u64,
    /// Fates without a record, since the audit was full: rows of refused, dropped, merged and
    /// dispatched messages, by reason, and their units.
    pub missed: Ledger,
    /// Records without the payload, since the audit held as many bytes as it may.
    pub payloads_missed: u64,
}

/// A message as a record names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audited {
    pub(crate) id: MessageId,
    pub(crate) priority: Priority,
    pub(crate) kind: Kind,
    pub(crate) sender: Option<Sender>,
    pub(crate) session: Option<SessionId>,
    pub(crate) messages: u32,
    pub(crate) units: u64,
}

/// The records that wait to be taken.
#[derive(Debug)]
pub(crate) struct Audit<M> {
    records: Deque<(AuditRecord<M>, u32)>,
    config: AuditConfig,
    /// How a payload is copied that goes back to its sender, where payloads are kept.
    copy: Option<fn(&M) -> M>,
    bytes: u64,
    missed: Ledger,
    payloads_missed: u64,
}

impl<M> Audit<M> {
    pub(crate) fn new(config: AuditConfig) -> Self {
        Self {
            records: Deque::new(),
            config,
            copy: None,
            bytes: 0,
            missed: Ledger::default(),
            payloads_missed: 0,
        }
    }

    /// From now on payloads are kept, and copied so.
    pub(crate) fn keep_payloads(&mut self, copy: fn(&M) -> M) {
        self.copy = Some(copy);
    }

    /// Returns how a payload is copied, where payloads are kept.
    pub(crate) fn copies(&self) -> Option<fn(&M) -> M> {
        self.copy
    }

    /// Returns whether there is a place for one more record where so many messages wait.
    fn has_place(&self, waiting: u64) -> bool {
        let promised = match self.config.when_full {
            AuditOverflow::Refuse => waiting,
            AuditOverflow::Count => 0,
        };
        self.records.len() as u64 + promised < u64::from(self.config.records)
    }

    /// Returns the limit that keeps a message out where so many wait, if one does.
    pub(crate) fn keeps_out(&self, waiting: u64) -> Option<Limit> {
        if self.config.when_full != AuditOverflow::Refuse {
            return None;
        }
        let max = self.config.payload_bytes;
        if !self.has_place(waiting) {
            Some(Limit::AuditRecords { max: self.config.records })
        } else if self.copy.is_some() && self.bytes >= max {
            Some(Limit::AuditBytes { max })
        } else {
            None
        }
    }

    /// Writes a record, if there is a place where so many messages wait now; else the fate is
    /// counted as missed. Returns whether there is a record.
    pub(crate) fn record(
        &mut self,
        at: Instant,
        audited: Audited,
        fate: Fate,
        waiting: u64,
    ) -> bool {
        if !self.has_place(waiting) {
            let Audited { priority, units, .. } = audited;
            let row = &mut self.missed.levels[priority];
            miss(row, fate, units);
            return false;
        }
        let Audited { id, priority, kind, sender, session, messages, units } = audited;
        let payload = None;
        let record =
            AuditRecord { id, priority, kind, sender, session, messages, units, at, fate, payload };
        self.records.push_back((record, 0));
        true
    }

    /// Returns whether the record that was just written is to have a payload of this size; it is
    /// [`attach`](Self::attach)ed then.
    pub(crate) fn wants_payload(&mut self, size: u32) -> bool {
        let fits = self.bytes.saturating_add(size.into()) <= self.config.payload_bytes;
        let wants = self.copy.is_some();
        if wants && !fits && self.config.when_full == AuditOverflow::Count {
            self.payloads_missed += 1;
            return false;
        }
        wants
    }

    /// The record that was just written has this payload.
    pub(crate) fn attach(&mut self, payload: Kept<M>, size: u32) {
        let last = self.records.len().wrapping_sub(1);
        if let Some((record, bytes)) = self.records.get_mut(last) {
            (record.payload, *bytes) = (Some(payload), size);
            self.bytes += u64::from(size);
        }
    }

    /// Hands the oldest record over.
    pub(crate) fn pop(&mut self) -> Option<AuditRecord<M>> {
        let (record, size) = self.records.pop_front()?;
        self.bytes -= u64::from(size);
        Some(record)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn snapshot(&self) -> AuditSnapshot {
        AuditSnapshot {
            records: self.records.len() as u32,
            payload_bytes: self.bytes,
            missed: self.missed,
            payloads_missed: self.payloads_missed,
        }
    }
}

/// A fate without a record is counted.
fn miss(row: &mut LevelLedger, fate: Fate, units: u64) {
    match fate {
        Fate::Refused { reason, .. } => row.refuse(reason, units),
        Fate::Dropped { reason, .. } => row.drop(reason, units),
        // Its units go with the carrier.
        Fate::Merged { .. } => row.merged += 1,
        Fate::Dispatched { .. } | Fate::Forwarded => row.dispatch(units),
    }
}
