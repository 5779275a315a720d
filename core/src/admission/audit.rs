//! What the admission's audit says of a message:
//! [clause B24](crate::rulebook#b24-one-audit-stream).

use super::Admission;
use super::accounts::Remains;
use super::checks::Speaker;
use super::queued::{Lane, Queued};
use crate::audit::{AuditRecord, Audited, Fate};
use crate::ids::{MessageId, Seq};
use crate::message::{Payload, Publish, Sender, Source};
use crate::time::Instant;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// From now on the records of the audit have what messages carry, where the room has an audit.
    /// What is refused goes back to its sender and is copied, under the lock if the admission stands
    /// behind one; what is dropped or merged is kept as it is; what is dispatched is shared with the
    /// log.
    pub fn keep_audit_payloads(&mut self)
    where
        M: Clone,
    {
        self.keep_audit_payloads_by(M::clone);
    }

    /// As [`keep_audit_payloads`](Self::keep_audit_payloads), for a layer that was told earlier how
    /// payloads are copied.
    pub fn keep_audit_payloads_by(&mut self, copy: fn(&M) -> M) {
        self.accounts.keep_payloads(copy);
    }

    /// Takes the oldest record of the audit: of each message one, in the order in which their fates
    /// were decided. `None` where none waits, or the room has no audit. O(1).
    pub fn take_audit_record(&mut self) -> Option<AuditRecord<M>> {
        self.accounts.take_record()
    }

    /// How many records wait to be taken. O(1).
    pub fn audit_records(&self) -> usize {
        self.accounts.records()
    }

    /// What is left of a message that was offered and goes no further than the checks.
    #[cold]
    pub(super) fn remains_of_offer(
        &self,
        id: MessageId,
        publish: Publish<M>,
        size: usize,
    ) -> Remains<M> {
        let audited = self.accounts.is_audited().then(|| self.audited_offer(id, &publish));
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Remains { audited, payload: publish.payload, size }
    }

    pub(super) fn audited_offer(&self, id: MessageId, publish: &Publish<M>) -> Audited {
        let sender = match self.speaker(&publish.source) {
            Speaker::Host => Some(Sender::Host),
            Speaker::Member(user) | Speaker::AtEdge(user) => Some(Sender::User(user)),
            Speaker::Stranger => None,
        };
        let session = match publish.source {
            Source::Session(session) => Some(session),
            // As of a message that is let in: one of another life names nobody here.
            Source::Edge { session, .. } => {
                session.filter(|session| session.life() == self.people.life())
            }
            Source::Host => None,
        };
        Audited {
            id,
            priority: self.settings.levels.level(publish.priority),
            kind: publish.kind,
            sender,
            session,
            messages: 1,
            units: publish.units,
        }
    }

    /// What is left of a message that was let in; its profile is dropped later.
    #[inline]
    pub(super) fn remains(&mut self, lane: Lane, waiting: Queued<M>) -> Remains<M> {
        let audited = self.audited(lane, &waiting);
        self.accounts.drops().add_profile(waiting.profile);
        Remains { audited, payload: waiting.payload, size: waiting.size }
    }

    /// A message that was let in, as the audit names it, where there is one.
    #[inline]
    pub(super) fn audited(&self, lane: Lane, waiting: &Queued<M>) -> Option<Audited> {
        self.accounts.is_audited().then(|| self.audited_waiting(lane, waiting))
    }

    #[cold]
    #[inline(never)]
    fn audited_waiting(&self, lane: Lane, waiting: &Queued<M>) -> Audited {
        Audited {
            id: waiting.id,
            priority: lane.level,
            kind: waiting.kind,
            sender: Some(lane.sender),
            session: waiting.session.map(|key| key.in_life(self.people.life())),
            messages: waiting.messages(),
            units: waiting.units(),
        }
    }

    /// The message that went out last is written down: with its number, or as forwarded.
    #[cold]
    #[inline(never)]
    pub(super) fn audit_sent(&mut self, now: Instant, id: MessageId, seq: Option<Seq>) {
        let life = self.people.life();
        if let (Some(seq), Some(message)) = (seq, self.pipeline.last_message()) {
            let message = Arc::clone(message);
            let audited = Audited {
                id,
                priority: message.priority,
                kind: message.kind,
                sender: Some(message.sender),
                session: message.session.map(|key| key.in_life(life)),
                messages: message.messages,
                units: message.units,
            };
            self.accounts.record_sent(now, audited, Fate::Dispatched { seq }, Some(message));
        } else if let Some(message) = self.pipeline.last_for_room() {
            let audited = Audited {
                id,
                priority: message.priority,
                kind: message.kind,
                sender: Some(message.sender),
                session: message.session,
                messages: message.messages,
                units: message.units,
            };
            self.accounts.record_sent(now, audited, Fate::Forwarded, None);
        }
    }
}
