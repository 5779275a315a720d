//! The audit (clause B24): each message that was offered has one record, or is counted as missed.

use super::messages::Offer;
use super::{Oracle, Waiting};
use crate::payload::Probe;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::audit::{AuditRecord, AuditSnapshot, Fate};
use roomcast_core::config::AuditOverflow;
use roomcast_core::ids::MessageId;
use roomcast_core::ledger::{Ledger, Reason};
use roomcast_core::message::{Limit, Sender};
use roomcast_core::{Kind, PerLevel, Priority, SessionId, Source};
use std::collections::HashMap;

/// What the audit owes.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    /// What became of messages, and no record was taken of it yet.
    fates: HashMap<MessageId, Fated>,
    /// Records that wait to be taken.
    held: u64,
}

/// A message and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fated {
    priority: Priority,
    kind: Kind,
    sender: Option<Sender>,
    session: Option<SessionId>,
    messages: u32,
    units: u64,
    fate: Fate,
}

/// Whether a message had a place for its record promised when it was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promised {
    Yes,
    No,
}

impl Oracle {
    /// The limit of the audit that keeps messages out.
    pub(super) fn audit_keeps_out(&self) -> Option<Limit> {
        let audit = self.rules.audit?;
        let is_full = audit.when_full == AuditOverflow::Refuse && !self.has_record_place();
        is_full.then_some(Limit::AuditRecords { max: audit.records })
    }

    /// Whether there is a place for the record of one that none is promised to.
    fn has_record_place(&self) -> bool {
        let Some(audit) = self.rules.audit else { return false };
        let promised = match audit.when_full {
            AuditOverflow::Refuse => self.line.entries.len() + self.reviews.pending.len(),
            _ => 0,
        };
        self.audit.held + (promised as u64) < u64::from(audit.records)
    }

    fn fated(&mut self, id: MessageId, fated: Fated, promised: Promised) {
        let Some(audit) = self.rules.audit else { return };
        let is_kept = promised == Promised::Yes && audit.when_full == AuditOverflow::Refuse;
        if is_kept || self.has_record_place() {
            self.audit.held += 1;
        }
        self.audit.fates.insert(id, fated);
    }

    /// The fate of a message that the call which offers it decides before it waits.
    pub(super) fn offer_fated(&mut self, id: MessageId, offer: &Offer, fate: Fate) {
        let (sender, session) = match offer.source {
            Source::Host => (Some(Sender::Host), None),
            // Of what comes from an edge, only a session of this life is known.
            Source::Edge { user, session } => {
                let session = session.filter(|session| session.life() == self.life);
                (Some(Sender::User(user)), session)
            }
            Source::Session(session) => {
                (self.members.user_of(session).map(Sender::User), Some(session))
            }
        };
        let is_refused = matches!(fate, Fate::Refused { .. });
        let Offer { level: priority, kind, units, .. } = *offer;
        let fated = Fated { priority, kind, sender, session, messages: 1, units, fate };
        self.fated(id, fated, if is_refused { Promised::No } else { Promised::Yes });
    }

    /// The fate of a message that waited, or came to wait.
    pub(super) fn waiting_fated(
        &mut self,
        (priority, sender): (Priority, Sender),
        waiting: &Waiting,
        fate: Fate,
    ) {
        let Waiting { id, kind, session, messages, units, .. } = *waiting;
        let sender = Some(sender);
        let fated = Fated { priority, kind, sender, session, messages, units, fate };
        self.fated(id, fated, Promised::Yes);
    }

    /// The fate of what the host or the room says beside the rate: the message offered last.
    pub(super) fn own_fated(&mut self, priority: Priority, kind: Kind, units: u64, fate: Fate) {
        let (sender, session, messages) = (Some(Sender::Host), None, 1);
        let fated = Fated { priority, kind, sender, session, messages, units, fate };
        self.fated(MessageId(self.submitted), fated, Promised::No);
    }

    /// `RoomState::take_audit_record` answered this.
    pub fn record_taken(&mut self, record: Option<&AuditRecord<Probe>>) -> Check {
        let is_there = self.audit.held > 0;
        same(Law::Audit, "whether there is a record", is_there, record.is_some())?;
        let Some(record) = record else { return Ok(()) };
        self.audit.held -= 1;
        let AuditRecord { id, priority, kind, sender, session, messages, units, fate, .. } =
            *record;
        let found = Fated { priority, kind, sender, session, messages, units, fate };
        let expected = self.audit.fates.remove(&id);
        same(Law::Audit, format_args!("the one record of {id}"), expected, Some(found))
    }

    /// Compares what the audit says of itself.
    pub(super) fn inspect_audit(&self, snapshot: Option<&AuditSnapshot>) -> Check {
        same(Law::Audit, "an audit", self.rules.audit.is_some(), snapshot.is_some())?;
        let Some(snapshot) = snapshot else { return Ok(()) };
        same(Law::Audit, "records that wait", self.audit.held, snapshot.records.into())?;
        let missed = snapshot.missed.total();
        let counts = [missed.refused.total(), missed.dropped.total(), missed.merged];
        let missed = counts.into_iter().sum::<u64>() + missed.dispatched;
        let expected = self.audit.fates.len() as u64 - self.audit.held;
        same(Law::Audit, "fates that it has missed", expected, missed)
    }

    /// All records have been taken: what is left is what the audit counts as missed, reason by
    /// reason.
    pub fn check_missed(&self, snapshot: Option<&AuditSnapshot>) -> Check {
        let Some(snapshot) = snapshot else { return Ok(()) };
        let mut own = PerLevel::<HashMap<String, (u64, u64)>>::default();
        for fated in self.audit.fates.values() {
            let (row, units) = match fated.fate {
                Fate::Refused { reason, .. } => (format!("refused {reason}"), fated.units),
                Fate::Dropped { reason, .. } => (format!("dropped {reason}"), fated.units),
                Fate::Merged { .. } => ("merged".into(), 0),
                Fate::Dispatched { .. } => ("dispatched".into(), fated.units),
                fate => return Err(Violation::new(Law::Audit, "a fate", "one of a room", fate)),
            };
            let row = own[fated.priority].entry(row).or_default();
            *row = (row.0 + 1, row.1.wrapping_add(units));
        }
        for level in Priority::ALL {
            let found = rows(&snapshot.missed, level);
            let own = &own[level];
            let counts: HashMap<String, u64> =
                own.iter().map(|(row, &(count, _))| (row.clone(), count)).collect();
            same(Law::Audit, format_args!("missed of {level}"), counts, found)?;
            let units = |of: &str| {
                let rows = own.iter().filter(|(row, _)| row.starts_with(of));
                rows.fold(0_u64, |sum, (_, &(_, units))| sum.wrapping_add(units))
            };
            let units = ["refused", "dropped", "dispatched"].map(units);
            let missed = snapshot.missed.levels[level].units;
            let found = [missed.refused, missed.dropped, missed.dispatched];
            same(Law::Audit, format_args!("units missed of {level}"), units, found)?;
        }
        Ok(())
    }
}

/// The rows of a ledger that are not empty.
fn rows(ledger: &Ledger, level: Priority) -> HashMap<String, u64> {
    let row = &ledger.levels[level];
    let refused = row.refused.iter().map(|(reason, n)| (format!("refused {}", reason.name()), n));
    let dropped = row.dropped.iter().map(|(reason, n)| (format!("dropped {}", reason.name()), n));
    let others = [("merged".into(), row.merged), ("dispatched".into(), row.dispatched)];
    refused.chain(dropped).chain(others).filter(|(_, count)| *count > 0).collect()
}
