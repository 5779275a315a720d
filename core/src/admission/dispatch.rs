//! Out of the queue: what expires, what goes out, what gives way.

use super::queued::{Queued, QueuedExt};
use super::{Admission, RoomStatus, checks};
use crate::ids::{MessageId, Seq};
use crate::ledger::{DropReason, RefusalReason};
use crate::message::{
    Kind, Limit, Message, Outcome, OutcomeSink, Payload, Publish, Receipt, Refused, Sender,
};
use crate::priority::Priority;
use crate::queue::Popped;
use crate::time::Instant;
use crate::work::WorkLimit;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// The host speaks to the room: at once, by a rate of its own. Then what is due goes out.
    pub(super) fn send_notice(
        &mut self,
        now: Instant,
        id: MessageId,
        publish: Publish<M>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (level, units) = (publish.priority, publish.units);
        if self.is_backed_up() {
            let denied = (
                RefusalReason::QueueFull,
                Some(Limit::EdgeOutbox { max: self.settings.outbox_capacity }),
                None,
            );
            return Err(self.refuse(level, units, denied, publish.payload));
        }
        let taken = self.notices.take_keeping(now, 0);
        debug_assert!(taken, "the gate has looked, at this very instant");
        // This call tells the fate of a notice; but at an edge the room does.
        let outcome_sink = if self.edge_outbox.is_some() {
            checks::outcome_sink(&self.settings, &publish)
        } else {
            OutcomeSink::CountedOnly
        };
        if outcome_sink != OutcomeSink::CountedOnly {
            self.events.reserve(level);
        }
        self.pay(now, level, Sender::Host, publish.dedup_key, id);
        self.ledger.levels[level].queue(units);
        let Publish { kind, merge_key, dedup_key, payload, .. } = publish;
        let ext = QueuedExt::of(units, merge_key, dedup_key);
        let item = Queued { id, kind, session: None, profile: None, outcome_sink, ext, payload };
        let popped = Popped { item, priority: level, sender: Sender::Host, entered: now };
        let seq = self.send(now, popped, Some(id));
        self.dispatch(now, work, None);
        Ok(Receipt {
            id,
            outcome: seq.map(|seq| Outcome::Dispatched { seq, at: now }),
            review: None,
        })
    }

    /// The room speaks for the host or for itself, beside its rate: what was broadcast, and tips.
    /// What is too large is refused and counted.
    pub(super) fn emit(
        &mut self,
        now: Instant,
        level: Priority,
        kind: Kind,
        profile: Option<Arc<M>>,
        payload: M,
    ) {
        self.submitted += 1;
        self.ledger.levels[level].submit(1);
        if payload.size() > self.settings.payload_bytes as usize {
            self.ledger.levels[level].refuse(RefusalReason::TooLarge, 1);
            self.deferred.add_payload(payload);
            return;
        }
        self.ledger.levels[level].queue(1);
        let (id, outcome_sink) = (MessageId(self.submitted), OutcomeSink::CountedOnly);
        let item = Queued { id, kind, session: None, profile, outcome_sink, ext: None, payload };
        self.send(now, Popped { item, priority: level, sender: Sender::Host, entered: now }, None);
    }

    /// Drops what has waited too long, as far as there is work left.
    pub(super) fn expire(&mut self, now: Instant, work: &mut WorkLimit) {
        while !work.is_spent() && self.queue.has_expired(now) {
            let Some(popped) = self.queue.pop_expired(now) else { break };
            let limit =
                self.settings.queue.max_wait[popped.priority].map(|max| Limit::MaxWait { max });
            self.drop_one(now, popped, DropReason::Expired, limit);
            work.take();
        }
    }

    /// Sends out what may go, as far as there is work left. None that is past its deadline: when
    /// `expire` ran out of work, so does this. Returns the number of `own`, the message of the
    /// running publish call, if it was among them.
    pub(super) fn dispatch(
        &mut self,
        now: Instant,
        work: &mut WorkLimit,
        own: Option<MessageId>,
    ) -> Option<Seq> {
        let mut dispatched = None;
        while !work.is_spent() && !self.is_backed_up() {
            let (settings, moderation) = (&self.settings, &self.moderation);
            let is_staff = |sender| moderation.is_staff(settings, sender);
            let Some(pick) = self.scheduler.pick(now, &self.queue, is_staff) else { break };
            if !self.scheduler.take(now, pick) {
                break;
            }
            let is_open = self.scheduler.is_open(now, pick.level);
            let popped =
                if is_open { self.queue.pop(pick.level) } else { self.queue.pop_head(pick.level) };
            let Some(popped) = popped else { break };
            self.scheduler.take_of_level(now, pick.level, popped.sender, is_staff);
            dispatched = dispatched.or(self.send(now, popped, own));
            work.take();
        }
        dispatched
    }

    /// A message goes out. Its fate is told once: by the running call if it is its `own`, then this
    /// returns the number, or as an event.
    pub(super) fn send(
        &mut self,
        now: Instant,
        popped: Popped<Queued<M>>,
        own: Option<MessageId>,
    ) -> Option<Seq> {
        self.leave_queue(&popped);
        if self.edge_outbox.is_some() {
            self.put_in_edge_outbox(popped);
            return None;
        }
        let Popped { item, priority, sender, entered, .. } = popped;
        let QueuedExt { messages, units, .. } = item.ext();
        let Queued { id, kind, session, profile, outcome_sink, payload, .. } = item;
        let seq = Seq(self.outbox.last().0 + 1);
        let position = self.heads[priority];
        self.heads[priority] += 1;
        self.ledger.levels[priority].dispatch(units);
        let (admitted_at, dispatched_at) = (entered, now);
        let message = Message {
            seq,
            position,
            priority,
            kind,
            sender,
            session,
            units,
            messages,
            admitted_at,
            dispatched_at,
            profile,
            payload,
        };
        self.outbox.push(Arc::new(message));
        if own == Some(id) {
            self.release_slot(priority, outcome_sink);
            return Some(seq);
        }
        if outcome_sink != OutcomeSink::CountedOnly {
            self.events.outcome(
                id,
                priority,
                (messages, units),
                outcome_sink,
                Outcome::Dispatched { seq, at: now },
            );
        }
        None
    }

    /// A message that waited in the queue is dropped. None is that of the running call: one that
    /// finds no room is refused.
    pub(super) fn drop_one(
        &mut self,
        now: Instant,
        popped: Popped<Queued<M>>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        self.leave_queue(&popped);
        self.drop_waiting_one(now, (popped.priority, popped.sender), popped.item, reason, limit);
    }

    /// A message that is in no count of what waits any more is dropped. It may be said again.
    pub(super) fn drop_waiting_one(
        &mut self,
        now: Instant,
        (level, sender): (Priority, Sender),
        waiting: Queued<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let QueuedExt { messages, units, dedup_key, .. } = waiting.ext();
        let Queued { id, profile, outcome_sink, payload, .. } = waiting;
        self.deferred.add_payload(payload);
        self.deferred.add_profile(profile);
        self.ledger.levels[level].drop(reason, units);
        if let Some(dedup_key) = dedup_key {
            self.duplicates.free(sender, dedup_key, id);
        }
        if outcome_sink != OutcomeSink::CountedOnly {
            let retry_at = match self.state {
                RoomStatus::Open => self.next_for(now, level, sender),
                RoomStatus::Draining | RoomStatus::Closed => None,
            };
            self.events.outcome(
                id,
                level,
                (messages, units),
                outcome_sink,
                Outcome::Dropped { reason, limit, retry_at },
            );
        }
    }

    /// Drops what waits in a room that is closed, as much as one call may.
    pub(super) fn drop_waiting(&mut self, now: Instant) {
        let mut work = WorkLimit::per_call();
        self.drop_reviews(now, &mut work);
        while work.take() {
            let Some(popped) = self.queue.pop_highest() else { break };
            self.drop_one(now, popped, DropReason::RoomClosed, None);
        }
    }

    /// The earliest instant at which a message could go out if nothing else wanted to.
    pub(super) fn next_for(
        &self,
        now: Instant,
        level: Priority,
        sender: Sender,
    ) -> Option<Instant> {
        self.scheduler.next_for(now, level, sender, |sender| self.is_staff(sender))
    }

    pub(super) fn is_staff(&self, sender: Sender) -> bool {
        self.moderation.is_staff(&self.settings, sender)
    }

    pub(super) fn release_slot(&mut self, level: Priority, outcome_sink: OutcomeSink) {
        if outcome_sink != OutcomeSink::CountedOnly {
            self.events.release(level);
        }
    }

    /// The limit to name when something was evicted: which of the two it was shows in what the
    /// queue holds now.
    pub(super) fn queue_limit(&self) -> Limit {
        let queue = &self.settings.queue;
        if self.queue.len() >= queue.messages {
            Limit::QueueMessages { max: queue.messages }
        } else {
            Limit::QueueBytes { max: queue.bytes }
        }
    }
}
