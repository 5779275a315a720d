//! Out of the queue: what expires, what goes out, what gives way.

use super::waiting::{Extras, Waiting};
use super::{Admission, State, gate};
use crate::config::MAX_WORK;
use crate::ids::{MessageId, Seq};
use crate::ledger::{DropReason, RefusalReason};
use crate::message::{Kind, Limit, Message, Outcome, Payload, Publish, Receipt, Refused, Report, Sender};
use crate::priority::Priority;
use crate::queue::Popped;
use crate::time::Instant;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// The host speaks to the room: at once, by a rate of its own (clause A16). Then what is due goes out.
    pub(super) fn notify(&mut self, now: Instant, id: MessageId, publish: Publish<M>, work: u32) -> Result<Receipt, Refused<M>> {
        let (level, units) = (publish.priority, publish.units);
        if self.is_backed_up() {
            let denied = (RefusalReason::QueueFull, Some(Limit::Forwards { max: self.settings.feed_messages }), None);
            return Err(self.refuse(level, units, denied, publish.payload));
        }
        let taken = self.notices.take_keeping(now, 0);
        debug_assert!(taken, "the gate has looked, at this very instant");
        // This call tells the fate of a notice; but at an edge the room does.
        let report = if self.forwards.is_some() { gate::report(&self.settings, &publish) } else { Report::CountedOnly };
        if report != Report::CountedOnly {
            self.events.reserve(level);
        }
        self.pay(now, level, Sender::Host, publish.key, id);
        self.ledger.levels[level].queue(units);
        let Publish { kind, merge, key, payload, .. } = publish;
        let extras = Extras::of(units, merge, key);
        let item = Waiting { id, kind, session: None, profile: None, report, extras, payload };
        let popped = Popped { item, priority: level, sender: Sender::Host, entered: now };
        let seq = self.send(now, popped, Some(id));
        self.dispatch(now, work, None);
        Ok(Receipt { id, outcome: seq.map(|seq| Outcome::Dispatched { seq, at: now }), review: None })
    }

    /// The room speaks for the host or for itself, beside its rate: what was broadcast, and tips. What is too large is refused and counted.
    pub(super) fn speak(&mut self, now: Instant, level: Priority, kind: Kind, profile: Option<Arc<M>>, payload: M) {
        self.submitted += 1;
        self.ledger.levels[level].submit(1);
        if payload.size() > self.settings.payload_bytes as usize {
            self.ledger.levels[level].refuse(RefusalReason::TooLarge, 1);
            self.debris.add_payload(payload);
            return;
        }
        self.ledger.levels[level].queue(1);
        let (id, report) = (MessageId(self.submitted), Report::CountedOnly);
        let item = Waiting { id, kind, session: None, profile, report, extras: None, payload };
        self.send(now, Popped { item, priority: level, sender: Sender::Host, entered: now }, None);
    }

    /// Drops what has waited too long, at most `work` messages. Answers how much work is left.
    pub(super) fn expire(&mut self, now: Instant, mut work: u32) -> u32 {
        while work > 0 && self.queue.has_expired(now) {
            let Some(popped) = self.queue.pop_expired(now) else { break };
            let limit = self.settings.queue.max_wait[popped.priority].map(|max| Limit::MaxWait { max });
            self.drop_one(now, popped, DropReason::Expired, limit);
            work -= 1;
        }
        work
    }

    /// Sends out what may go, at most `work` messages. None that is past its deadline: when `expire` ran out of work, so does this.
    /// Answers the number of `own`, the message of the running publish call, if it was among them, and how much work is left.
    pub(super) fn dispatch(&mut self, now: Instant, mut work: u32, own: Option<MessageId>) -> (Option<Seq>, u32) {
        let mut dispatched = None;
        while work > 0 && !self.is_backed_up() {
            let (settings, moderation) = (&self.settings, &self.moderation);
            let is_staff = |sender| moderation.is_staff(settings, sender);
            let Some(turn) = self.rates.turn(now, &self.queue, is_staff) else { break };
            if !self.rates.take(now, turn) {
                break;
            }
            let is_open = self.rates.is_open(now, turn.level);
            let popped = if is_open { self.queue.pop(turn.level) } else { self.queue.pop_head(turn.level) };
            let Some(popped) = popped else { break };
            self.rates.take_of_level(now, turn.level, popped.sender, is_staff);
            dispatched = dispatched.or(self.send(now, popped, own));
            work -= 1;
        }
        (dispatched, work)
    }

    /// A message goes out. Its fate is told once: by the running call if it is its `own`, then this answers the number, or as an event.
    pub(super) fn send(&mut self, now: Instant, popped: Popped<Waiting<M>>, own: Option<MessageId>) -> Option<Seq> {
        self.leave_queue(&popped);
        if self.forwards.is_some() {
            self.forward(popped);
            return None;
        }
        let Popped { item, priority, sender, entered, .. } = popped;
        let Extras { messages, units, .. } = item.extras();
        let Waiting { id, kind, session, profile, report, payload, .. } = item;
        let seq = Seq(self.feed.last().0 + 1);
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
        self.feed.push(Arc::new(message));
        if own == Some(id) {
            self.release_slot(priority, report);
            return Some(seq);
        }
        if report != Report::CountedOnly {
            self.events.outcome(id, priority, (messages, units), report, Outcome::Dispatched { seq, at: now });
        }
        None
    }

    /// A message that waited in the queue is dropped. None is that of the running call: one that finds no room is refused.
    pub(super) fn drop_one(&mut self, now: Instant, popped: Popped<Waiting<M>>, reason: DropReason, limit: Option<Limit>) {
        self.leave_queue(&popped);
        self.drop_waiting_one(now, (popped.priority, popped.sender), popped.item, reason, limit);
    }

    /// A message that is in no count of what waits any more is dropped. It may be said again.
    pub(super) fn drop_waiting_one(
        &mut self,
        now: Instant,
        (level, sender): (Priority, Sender),
        waiting: Waiting<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let Extras { messages, units, key, .. } = waiting.extras();
        let Waiting { id, profile, report, payload, .. } = waiting;
        self.debris.add_payload(payload);
        self.debris.add_profile(profile);
        self.ledger.levels[level].drop(reason, units);
        if let Some(key) = key {
            self.duplicates.free(sender, key, id);
        }
        if report != Report::CountedOnly {
            let retry_at = match self.state {
                State::Open => self.next_for(now, level, sender),
                State::Draining | State::Closed => None,
            };
            self.events.outcome(id, level, (messages, units), report, Outcome::Dropped { reason, limit, retry_at });
        }
    }

    pub(super) fn drop_waiting(&mut self, now: Instant) {
        for _ in 0..self.drop_reviews(now, MAX_WORK) {
            let Some(popped) = self.queue.pop_highest() else { break };
            self.drop_one(now, popped, DropReason::RoomClosed, None);
        }
    }

    /// The earliest instant at which a message could go out if nothing else wanted to.
    pub(super) fn next_for(&self, now: Instant, level: Priority, sender: Sender) -> Option<Instant> {
        self.rates.next_for(now, level, sender, |sender| self.is_staff(sender))
    }

    pub(super) fn is_staff(&self, sender: Sender) -> bool {
        self.moderation.is_staff(&self.settings, sender)
    }

    pub(super) fn release_slot(&mut self, level: Priority, report: Report) {
        if report != Report::CountedOnly {
            self.events.release(level);
        }
    }

    /// The limit to name when something was evicted: which of the two it was shows in what the queue holds now.
    pub(super) fn queue_limit(&self) -> Limit {
        let queue = &self.settings.queue;
        if self.queue.len() >= queue.messages {
            Limit::QueueMessages { max: queue.messages }
        } else {
            Limit::QueueBytes { max: queue.bytes }
        }
    }
}
