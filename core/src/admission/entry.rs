//! The way in: past the gate and the review, a message joins another that waits, or goes out, or
//! waits itself.

use super::queued::{Queued, QueuedExt};
use super::{Admission, RoomStatus, checks};
use crate::config::ReviewTimeout;
use crate::ids::{MessageId, Seq};
use crate::ledger::{DropReason, RefusalReason};
use crate::message::{
    DedupKey, Limit, Outcome, OutcomeSink, Payload, Publish, Receipt, Refused, Sender, Source,
};
use crate::priority::Priority;
use crate::queue::{Full, Popped};
use crate::time::Instant;
use crate::work::WorkLimit;
use alloc::sync::Arc;

/// What became of a message that entered.
pub(super) enum Entered<M> {
    /// Another one carries it.
    Merged { carrier: MessageId },
    /// It went out; with a number if the running call is to tell it.
    Sent(Option<Seq>),
    /// It waits.
    Waits,
    /// It found no room; nothing of it is in the books of what waits.
    Full(Full<Queued<M>>),
}

impl<M: Payload> Admission<M> {
    /// Offers a message. It is refused, or it enters the queue; then whatever is due goes out, this
    /// message perhaps among it.
    ///
    /// Tokens are granted at the time of the call: after a late `handle_timeout`, an arriving High
    /// still goes before a waiting Low. O(1), plus what falls due; the audience costs it nothing.
    ///
    /// # Errors
    /// The refusal says why, which limit decided, when to try again, and hands the payload back.
    #[inline]
    pub fn publish(
        &mut self,
        now: Instant,
        mut publish: Publish<M>,
    ) -> Result<Receipt, Refused<M>> {
        let now = self.begin_call(now);
        publish.priority = self.settings.levels.level(publish.priority);
        let (level, units) = (publish.priority, publish.units);
        self.submitted += 1;
        self.ledger.levels[level].submit(units);
        let sender = match self.check(now, &publish) {
            Ok(sender) => sender,
            Err(denied) => return Err(self.refuse(level, units, denied, publish.payload)),
        };
        let (id, is_reviewed) = (MessageId(self.submitted), self.is_reviewed(level, sender));
        if !is_reviewed {
            self.count(now, publish.counter, units);
        }
        let mut work = WorkLimit::per_call();
        self.fall_due(now, &mut work);
        if checks::is_notice(sender, &publish) {
            return self.send_notice(now, id, publish, &mut work);
        }
        let outcome_sink = checks::outcome_sink(&self.settings, &publish);
        let Publish { source, kind, merge_key, dedup_key, counter, profile, payload, .. } = publish;
        let session = match source {
            Source::Session(session) => Some(session),
            Source::Edge { session, .. } => session,
            Source::Host => None,
        };
        let profile = match source {
            Source::Edge { .. } => profile,
            Source::Session(_) | Source::Host => self.profile_of(sender),
        };
        let ext = QueuedExt::of(units, merge_key, dedup_key);
        let waiting = Queued { id, kind, session, profile, outcome_sink, ext, payload };
        if outcome_sink != OutcomeSink::CountedOnly {
            self.events.reserve(level);
        }
        let receipt = if is_reviewed {
            self.have_reviewed(now, (level, sender), waiting, counter, &mut work)?
        } else {
            self.let_in(now, (level, sender), waiting, &mut work)?
        };
        self.pay(now, level, sender, dedup_key, id);
        Ok(receipt)
    }

    /// To the review; into the queue if nobody has time for it.
    #[inline(never)]
    fn have_reviewed(
        &mut self,
        now: Instant,
        (level, sender): (Priority, Sender),
        waiting: Queued<M>,
        counter: Option<&'static str>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (id, outcome_sink, units) = (waiting.id, waiting.outcome_sink, waiting.units());
        match self.put_under_review(now, (level, sender), waiting, work) {
            Ok(ticket) => {
                self.count(now, counter, units);
                self.dispatch(now, work, None);
                Ok(Receipt { id, outcome: None, review: Some(ticket) })
            }
            Err(back) if self.settings.review.on_timeout == ReviewTimeout::Closed => {
                self.release_slot(level, outcome_sink);
                let denied = (
                    RefusalReason::ReviewsFull,
                    Some(Limit::Reviews { max: self.settings.review.tickets }),
                    None,
                );
                Err(self.refuse(level, back.units(), denied, back.payload))
            }
            Err(back) => {
                self.count(now, counter, units);
                self.let_in(now, (level, sender), back, work)
            }
        }
    }

    /// Past the gate and the review, into the queue.
    #[inline]
    fn let_in(
        &mut self,
        now: Instant,
        (level, sender): (Priority, Sender),
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (id, outcome_sink) = (waiting.id, waiting.outcome_sink);
        let outcome = match self.enter(now, (level, sender), waiting, Some(id), work) {
            Entered::Waits => None,
            Entered::Sent(seq) => seq.map(|seq| Outcome::Dispatched { seq, at: now }),
            Entered::Merged { carrier } => {
                self.release_slot(level, outcome_sink);
                Some(Outcome::Merged { carrier })
            }
            Entered::Full(full) => {
                self.release_slot(level, outcome_sink);
                let denied =
                    (RefusalReason::QueueFull, Some(full.limit), self.next_for(now, level, sender));
                return Err(self.refuse(level, full.item.units(), denied, full.item.payload));
            }
        };
        Ok(Receipt { id, outcome, review: None })
    }

    /// The message has passed the checks: its units are counted.
    #[inline]
    fn count(&mut self, now: Instant, counter: Option<&'static str>, units: u64) {
        if let Some(counter) = counter {
            let counted = self.data.add_counter(now, counter, checks::as_delta(units));
            debug_assert!(counted.is_ok(), "the gate has looked");
        }
    }

    /// The message has been let in: now, and only now, it takes from its sender's quota, and its
    /// key is used.
    #[inline]
    pub(super) fn pay(
        &mut self,
        now: Instant,
        level: Priority,
        sender: Sender,
        key: Option<DedupKey>,
        id: MessageId,
    ) {
        if let (Some(quota), Sender::User(user)) = (&mut self.sender_quotas[level], sender) {
            // The gate has looked, at this very instant.
            let taken = quota.take(now, user.0);
            debug_assert!(taken.is_ok(), "the gate has looked");
        }
        if let Some(key) = key {
            self.duplicates.note(now, sender, key, id);
        }
    }

    /// What time alone brings about, before anything goes out: tips are told, what has waited too
    /// long expires, and reviews time out.
    #[inline]
    pub(super) fn fall_due(&mut self, now: Instant, work: &mut WorkLimit) {
        if self.data.next_system_message().is_some_and(|due| due <= now) {
            self.flush_system_messages(now);
        }
        if self.queue.has_expired(now) {
            self.expire(now, work);
        }
        if self.reviews.len() > 0 {
            self.time_out_reviews(now, work);
        }
    }

    /// A message enters; then what is due goes out. If it is its `own`, its fate is told by the
    /// running call, else by an event. What has waited too long must be gone before.
    // A message is large, and this is on every message's way: inlined, it is not copied once more.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(super) fn enter(
        &mut self,
        now: Instant,
        (level, sender): (Priority, Sender),
        waiting: Queued<M>,
        own: Option<MessageId>,
        work: &mut WorkLimit,
    ) -> Entered<M> {
        let (id, QueuedExt { units, merge_key, .. }) = (waiting.id, waiting.ext());
        if let Some(slot) = merge_key.and_then(|key| self.merge_index.find(level, key)) {
            let carrier = self.merge(slot, level, waiting);
            self.dispatch(now, work, None);
            return Entered::Merged { carrier };
        }
        let size = waiting.payload.size() as u64;
        let key = self.queue.insert(now, level, sender, size, waiting);
        self.ledger.levels[level].queue(units);
        let sent = self.dispatch(now, work, own);
        if sent.is_some() || self.queue.get_mut(key).is_none_or(|waiting| waiting.id != id) {
            return Entered::Sent(sent);
        }
        match self.queue.settle(key) {
            Ok(victims) => {
                let limit = Some(self.queue_limit());
                for victim in victims {
                    if let Some(popped) = self.queue.release(victim) {
                        self.drop_one(now, popped, DropReason::Evicted, limit);
                    }
                }
                if let Some(merge_key) = merge_key {
                    let place = self.merge_index.add(level, merge_key, key);
                    if let Some(ext) =
                        self.queue.get_mut(key).and_then(|waiting| waiting.ext.as_mut())
                    {
                        ext.carrier = place;
                    }
                }
                Entered::Waits
            }
            Err(full) => {
                self.ledger.levels[level].leave_queue(units);
                Entered::Full(full)
            }
        }
    }

    /// A message that waits carries another one. From now on it excludes nobody.
    fn merge(&mut self, slot: u32, level: Priority, waiting: Queued<M>) -> MessageId {
        let units = waiting.units();
        self.ledger.levels[level].merge(units);
        let carrier = self
            .queue
            .get_mut(slot)
            .unwrap_or_else(|| unreachable!("a carrier waits until it is forgotten"));
        if let Some(ext) = &mut carrier.ext {
            ext.units = ext.units.wrapping_add(units);
            ext.messages = ext.messages.saturating_add(1);
        }
        carrier.session = None;
        let id = carrier.id;
        self.deferred.add_payload(waiting.payload);
        self.deferred.add_profile(waiting.profile);
        id
    }

    /// A message leaves the queue: nobody is merged into it any more.
    #[inline]
    pub(super) fn leave_queue(&mut self, popped: &Popped<Queued<M>>) {
        self.ledger.levels[popped.priority].leave_queue(popped.item.units());
        if let Some(ext) = &popped.item.ext {
            self.merge_index.remove(ext.carrier);
        }
    }

    fn profile_of(&self, sender: Sender) -> Option<Arc<M>> {
        match sender {
            Sender::User(user) => self.people.profile(user).cloned(),
            Sender::Host => None,
        }
    }

    /// The checks before a message is let in, in their order.
    #[inline]
    fn check(&self, now: Instant, publish: &Publish<M>) -> Result<Sender, checks::Denied> {
        checks::Checks {
            open: self.state == RoomStatus::Open,
            settings: &self.settings,
            people: &self.people,
            moderation: &self.moderation,
            duplicates: &self.duplicates,
            quotas: &self.sender_quotas,
            notices: &self.notices,
            data: &self.data,
            events: &self.events,
        }
        .check(now, publish)
    }

    pub(super) fn refuse(
        &mut self,
        level: Priority,
        units: u64,
        (reason, limit, retry_at): checks::Denied,
        payload: M,
    ) -> Refused<M> {
        self.ledger.levels[level].refuse(reason, units);
        Refused { reason, limit, retry_at, payload }
    }
}
