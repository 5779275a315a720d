//! The way in: past checks and review, a message merges with one that waits, goes out, or waits
//! itself. [Decision D13](crate::design#d13-one-path).

use super::accounts::Denied;
use super::queued::{Lane, Queued, QueuedExt};
use super::{Admission, checks};
use crate::config::ReviewTimeout;
use crate::ids::{MessageId, Seq};
use crate::ledger::{DropReason, RefusalReason};
use crate::message::{Limit, Outcome, Payload, Publish, Receipt, Refused, Sender, Source};
use crate::priority::Priority;
use crate::queue::Full;
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
        let id = self.accounts.submit(level, units);
        let sender = match self.check(now, &publish) {
            Ok(sender) => sender,
            Err(denied) => return Err(self.accounts.refuse(level, units, denied, publish.payload)),
        };
        let lane = Lane { level, sender };
        let is_reviewed = self.is_reviewed(lane);
        if !is_reviewed {
            self.count(now, publish.counter, units);
        }
        let mut work = WorkLimit::per_call();
        self.fall_due(now, &mut work);
        if checks::is_notice(sender, &publish) {
            return self.send_notice(now, id, publish, &mut work);
        }
        let outcome_sink = checks::outcome_sink(&self.settings, &publish);
        let (session, profile) = match publish.source {
            // Whoever may speak is of this life.
            Source::Session(session) => (Some(session.key()), self.profile_of(sender)),
            Source::Edge { session, .. } => {
                (session.and_then(|id| id.key_in(self.people.life())), publish.profile.take())
            }
            Source::Host => (None, None),
        };
        let Publish { kind, merge_key, dedup_key, counter, payload, .. } = publish;
        let ext = QueuedExt::of(units, merge_key, dedup_key);
        let waiting = Queued { id, kind, session, profile, outcome_sink, ext, payload };
        self.accounts.promise_outcome(level, outcome_sink);
        let receipt = if is_reviewed {
            self.have_reviewed(now, lane, waiting, counter, &mut work)?
        } else {
            self.let_in(now, lane, waiting, &mut work)?
        };
        self.intake.pay(now, lane, dedup_key, id);
        Ok(receipt)
    }

    /// To the review; into the queue if nobody has time for it.
    #[inline(never)]
    fn have_reviewed(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        counter: Option<&'static str>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (id, outcome_sink, units) = (waiting.id, waiting.outcome_sink, waiting.units());
        match self.put_under_review(now, lane, waiting, work) {
            Ok(ticket) => {
                self.count(now, counter, units);
                self.dispatch(now, work, None);
                Ok(Receipt { id, outcome: None, review: Some(ticket) })
            }
            Err(back) if self.settings.review.on_timeout == ReviewTimeout::Closed => {
                self.accounts.release_outcome(lane.level, outcome_sink);
                let limit = Limit::Reviews { max: self.settings.review.tickets };
                let denied = Denied::by(RefusalReason::ReviewsFull, limit);
                Err(self.accounts.refuse(lane.level, units, denied, back.payload))
            }
            Err(back) => {
                self.count(now, counter, units);
                self.let_in(now, lane, back, work)
            }
        }
    }

    /// Past the gate and the review, into the queue.
    #[inline]
    fn let_in(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (id, outcome_sink) = (waiting.id, waiting.outcome_sink);
        let outcome = match self.enter(now, lane, waiting, Some(id), work) {
            Entered::Waits => None,
            Entered::Sent(seq) => seq.map(|seq| Outcome::Dispatched { seq, at: now }),
            Entered::Merged { carrier } => {
                self.accounts.release_outcome(lane.level, outcome_sink);
                Some(Outcome::Merged { carrier })
            }
            Entered::Full(Full { item, limit }) => {
                self.accounts.release_outcome(lane.level, outcome_sink);
                let denied =
                    Denied::by(RefusalReason::QueueFull, limit).until(self.next_for(now, lane));
                return Err(self.accounts.refuse(lane.level, item.units(), denied, item.payload));
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

    /// What time alone brings about, before anything goes out: tips are told, what has waited too
    /// long expires, and reviews time out.
    #[inline]
    pub(super) fn fall_due(&mut self, now: Instant, work: &mut WorkLimit) {
        if self.data.next_system_message().is_some_and(|due| due <= now) {
            self.flush_system_messages(now);
        }
        if self.pipeline.has_expired(now) {
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
        lane: Lane,
        waiting: Queued<M>,
        own: Option<MessageId>,
        work: &mut WorkLimit,
    ) -> Entered<M> {
        let level = lane.level;
        let (id, QueuedExt { units, merge_key, .. }) = (waiting.id, waiting.ext());
        if let Some(slot) = merge_key.and_then(|key| self.pipeline.find_carrier(level, key)) {
            let carrier = self.merge(slot, level, waiting);
            self.dispatch(now, work, None);
            return Entered::Merged { carrier };
        }
        let slot = self.pipeline.insert(now, lane, waiting);
        self.accounts.queue(level, units);
        let sent = self.dispatch(now, work, own);
        if sent.is_some() || !self.pipeline.waits_at(slot, id) {
            return Entered::Sent(sent);
        }
        match self.pipeline.settle(slot) {
            Ok(victims) => {
                let limit = Some(self.pipeline.limit(&self.settings.queue));
                for victim in victims {
                    if let Some(popped) = self.pipeline.release(victim) {
                        self.drop_one(now, popped, DropReason::Evicted, limit);
                    }
                }
                if let Some(merge_key) = merge_key {
                    self.pipeline.make_carrier(slot, level, merge_key);
                }
                Entered::Waits
            }
            Err(full) => {
                self.accounts.leave_queue(level, units);
                Entered::Full(full)
            }
        }
    }

    /// A message that waits carries another one.
    fn merge(&mut self, slot: u32, level: Priority, waiting: Queued<M>) -> MessageId {
        let units = waiting.units();
        self.accounts.merge(level, units);
        let carrier = self.pipeline.merge(slot, units);
        let drops = self.accounts.drops();
        drops.add_payload(waiting.payload);
        drops.add_profile(waiting.profile);
        carrier
    }

    fn profile_of(&self, sender: Sender) -> Option<Arc<M>> {
        match sender {
            Sender::User(user) => self.people.profile(user).cloned(),
            Sender::Host => None,
        }
    }

    /// The checks before a message is let in, in their order.
    #[inline]
    fn check(&self, now: Instant, publish: &Publish<M>) -> Result<Sender, Denied> {
        checks::Checks {
            status: self.status,
            settings: &self.settings,
            people: &self.people,
            moderation: &self.moderation,
            intake: &self.intake,
            data: &self.data,
            accounts: &self.accounts,
        }
        .check(now, publish)
    }
}
