//! Dispatch: which messages leave the queue, expire, or give way.
//! [Clause A14](crate::rulebook#a14-the-rooms-rate).

use super::accounts::Denied;
use super::pipeline::Left;
use super::queued::{Lane, Queued, QueuedExt};
use super::{Admission, RoomStatus, checks};
use crate::dedup::CarriedKeys;
use crate::ids::{MessageId, Seq};
use crate::ledger::{DropReason, RefusalReason};
use crate::message::{
    Kind, Limit, Outcome, OutcomeSink, Payload, Publish, Receipt, Refused, Sender, Source,
};
use crate::priority::Priority;
use crate::profile::Profile;
use crate::queue::Popped;
use crate::time::{Duration, Instant};
use crate::work::WorkLimit;

impl<M: Payload> Admission<M> {
    /// The host speaks to the room: at once, by a rate of its own. Then what is due goes out.
    pub(super) fn send_notice(
        &mut self,
        now: Instant,
        (id, age): (MessageId, u64),
        publish: Publish<M>,
        size: usize,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (level, units) = (publish.priority, publish.units);
        if self.pipeline.is_backed_up() {
            let limit = Limit::EdgeOutbox { max: self.settings.outbox_capacity };
            if publish.counter.is_some() {
                self.intake.take_notice(now);
                self.count(now, publish.counter, units);
                let remains = self.remains_of_offer(id, publish, size);
                return Ok(self.drop_at_once(now, (id, level, units), limit, remains));
            }
            let denied = Denied::by(RefusalReason::QueueFull, limit);
            let remains = self.remains_of_offer(id, publish, size);
            return Err(self.refuse(now, (level, units), denied, remains, work));
        }
        self.intake.take_notice(now);
        self.count(now, publish.counter, units);
        // This call tells the fate of a notice; but at an edge the room does.
        let outcome_sink = if self.pipeline.is_at_edge() {
            checks::outcome_sink(&self.settings, &publish)
        } else {
            OutcomeSink::CountedOnly
        };
        self.accounts.promise_outcome(level, outcome_sink);
        if let Some(key) = publish.dedup_key {
            self.intake.note(now, Lane { level, sender: Sender::Host }, key, id);
        }
        self.accounts.queue(level, units);
        let Publish { kind, merge_key, dedup_key, urgency, payload, .. } = publish;
        let ext = QueuedExt::of(units, merge_key, dedup_key, None, urgency);
        let (session, profile) = (None, None);
        let size = size as u32;
        let item = Queued { id, kind, session, profile, outcome_sink, ext, size, payload };
        let entered = now.saturating_sub(Duration::from_nanos(age));
        let popped = Popped { item, priority: level, sender: Sender::Host, entered };
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
        profile: Option<Profile<M>>,
        payload: M,
    ) {
        let size = payload.size();
        let id = self.accounts.submit(level, 1);
        if size > self.settings.payload_bytes as usize {
            let denied = Denied::because(RefusalReason::TooLarge);
            let publish = Publish::new(Source::Host, payload).priority(level).kind(kind);
            let remains = self.remains_of_offer(id, publish, size);
            let Refused { payload, .. } = self.accounts.refuse(now, (level, 1), denied, remains);
            self.accounts.drops().add_payload(payload);
            return;
        }
        self.accounts.queue(level, 1);
        self.accounts.carry_profile(level, profile.as_ref());
        let outcome_sink = OutcomeSink::CountedOnly;
        let (session, ext) = (None, None);
        let size = size as u32;
        let item = Queued { id, kind, session, profile, outcome_sink, ext, size, payload };
        self.send(now, Popped { item, priority: level, sender: Sender::Host, entered: now }, None);
    }

    /// Drops what has waited too long, as far as there is work left.
    pub(super) fn expire(&mut self, now: Instant, work: &mut WorkLimit) {
        while !work.is_spent() && self.pipeline.has_expired(now) {
            let Some(popped) = self.pipeline.pop_expired(now) else { break };
            let limit = self.fresh_within(popped.priority);
            self.drop_one(now, popped, DropReason::Expired, limit);
            work.take();
        }
    }

    /// The bound on the age of a level's messages.
    pub(super) fn fresh_within(&self, level: Priority) -> Option<Limit> {
        self.settings.queue.fresh_within[level].map(|max| Limit::FreshWithin { max })
    }

    /// Drops what the queue holds beyond its budget, as far as there is work left.
    pub(super) fn shed(&mut self, now: Instant, work: &mut WorkLimit) {
        let Some(limit) = self.pipeline.exceeds() else { return };
        while !work.is_spent() {
            let Some(popped) = self.pipeline.pop_excess() else { break };
            self.drop_one(now, popped, DropReason::Evicted, Some(limit));
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
        while !work.is_spent() && !self.pipeline.is_backed_up() {
            let (settings, moderation) = (&self.settings, &self.moderation);
            let is_staff = |sender| moderation.is_staff(settings, sender);
            let Some(popped) = self.pipeline.pop_due(now, is_staff) else { break };
            dispatched = dispatched.or(self.send(now, popped, own));
            work.take();
        }
        dispatched
    }

    /// A message goes out. Its fate is told once: by the running call if it is its `own`, then this
    /// returns the number, or as an event; of one that leaves an edge, by the room.
    pub(super) fn send(
        &mut self,
        now: Instant,
        popped: Left<M>,
        own: Option<MessageId>,
    ) -> Option<Seq> {
        let subject = popped.item.subject(popped.priority);
        self.accounts.dispatch(subject.level, subject.units);
        self.accounts.leave_profile(subject.level, popped.item.profile.as_ref());
        let seq = self.pipeline.send(now, popped);
        if self.accounts.is_audited() {
            self.audit_sent(now, subject.id, seq);
        }
        match seq {
            Some(seq) if own != Some(subject.id) => {
                self.accounts.tell(subject, Outcome::Dispatched { seq, at: now });
                None
            }
            _ => {
                self.accounts.release_outcome(subject.level, subject.outcome_sink);
                seq
            }
        }
    }

    /// A message that waited in the queue is dropped. None is that of the running call: one that
    /// finds no room is refused.
    pub(super) fn drop_one(
        &mut self,
        now: Instant,
        popped: Left<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let lane = Lane { level: popped.priority, sender: popped.sender };
        self.accounts.leave_queue(lane.level, popped.item.units());
        self.drop_waiting_one(now, lane, popped.item, reason, limit);
    }

    /// A message that is in no count of what waits any more is dropped. It may be said again, and
    /// so may those that it carries.
    pub(super) fn drop_waiting_one(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        reason: DropReason,
        limit: Option<Limit>,
    ) {
        let (subject, ext) = (waiting.subject(lane.level), waiting.ext());
        self.accounts.leave_profile(lane.level, waiting.profile.as_ref());
        let remains = self.remains(lane, waiting);
        self.accounts.drop(now, (lane.level, subject.units), (reason, limit), remains);
        self.moderation.free_content(subject.id);
        if let Some(dedup_key) = ext.dedup_key {
            self.intake.free(lane.sender, dedup_key, subject.id);
        }
        if ext.carried_keys != CarriedKeys::NONE {
            self.intake.free_carried(subject.id, ext.carried_keys);
        }
        if subject.is_told() {
            // Nobody is asked to send again what has been counted or taken back, whoever was taken
            // out would have to come back first, and no time frees memory.
            let is_final = ext.counter.is_some()
                || matches!(
                    reason,
                    DropReason::SenderOut | DropReason::Retracted | DropReason::MemoryFull
                )
                || self.status != RoomStatus::Open;
            let retry_at = if is_final { None } else { self.next_for(now, lane) };
            self.accounts.tell(subject, Outcome::Dropped { reason, limit, retry_at });
        }
    }

    /// Drops what waits in a room that is closed, as much as one call may.
    pub(super) fn drop_waiting(&mut self, now: Instant) {
        let mut work = WorkLimit::per_call();
        self.drop_reviews(now, &mut work);
        while work.take() {
            let Some(popped) = self.pipeline.pop_highest() else { break };
            self.drop_one(now, popped, DropReason::RoomClosed, None);
        }
    }

    /// The earliest instant at which a message could go out if nothing else wanted to: when the
    /// room's rate, its level's and its sender's own have something left, and its sender may speak.
    fn next_for(&self, now: Instant, lane: Lane) -> Option<Instant> {
        let turn = self.pipeline.next_for(now, lane, |sender| self.is_staff(sender))?;
        Some(turn.max(self.checks().may_speak_at(now, lane)?))
    }

    pub(super) fn is_staff(&self, sender: Sender) -> bool {
        self.moderation.is_staff(&self.settings, sender)
    }
}
