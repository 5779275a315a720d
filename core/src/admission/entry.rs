//! The way in: past checks and review, a message merges with one that waits, goes out, or waits
//! itself. [Decision D13](crate::design#d13-one-path).

use super::accounts::{Denied, Remains};
use super::checks::Speaker;
use super::moderation::Moderation;
use super::queued::{Lane, Queued, QueuedExt};
use super::{Admission, RoomStatus, checks};
use crate::config::Settings;
use crate::ids::{MessageId, Seq};
use crate::ledger::{DropReason, RefusalReason};
use crate::message::{
    DedupKey, Limit, Outcome, Payload, Publish, Receipt, Refused, Relayed, Reviewed, Sender, Source,
};
use crate::priority::Priority;
use crate::profile::Profile;
use crate::queue::{Full, Popped};
use crate::time::{Instant, saturating_nanos};
use crate::work::WorkLimit;

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
    pub fn publish(&mut self, now: Instant, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        if publish.relayed.is_some() {
            return self.publish_relayed(now, publish);
        }
        if self.moderation.asks_of_speech() {
            return self.publish_compared(now, publish);
        }
        self.offer::<false, false>(now, publish)
    }

    /// Offers a message that an edge has let in, or one that comes here first, in a room that may
    /// compare contents, or one that does not: made for each, so that what comes here first in a room
    /// that asks nothing, which all do in most rooms, is asked nothing that concerns the others.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(super) fn offer<const RELAYED: bool, const COMPARED: bool>(
        &mut self,
        now: Instant,
        mut publish: Publish<M>,
    ) -> Result<Receipt, Refused<M>> {
        let relayed = if RELAYED { publish.relayed.take().map(|relayed| *relayed) } else { None };
        let Relayed { admitted_at, reviewed, profile } = relayed.unwrap_or_default();
        // To ask runs code of the host's.
        let size = publish.payload.size();
        let profile_size = profile.as_ref().map(|profile| profile.size());
        if COMPARED {
            self.offer_content(&publish);
        }
        let speaker = self.speaker(&publish.source);
        if speaker == Speaker::Stranger {
            return Err(self.refuse_stranger(now, publish, size));
        }
        let now = self.begin_call(now);
        let mut work = WorkLimit::per_call();
        if self.status == RoomStatus::Closed {
            self.drop_waiting(now);
        } else {
            self.fall_due(now, &mut work);
        }
        publish.priority = self.settings.levels.level(publish.priority);
        let (level, units) = (publish.priority, publish.units);
        let id = self.accounts.submit(level, units);
        if RELAYED {
            self.accounts.receive(level, units);
        }
        let sender = match self.checks().check(now, speaker, &publish, size, profile_size) {
            Ok(sender) => sender,
            Err(denied) => {
                let remains = self.remains_of_offer(id, publish, size);
                return Err(self.refuse(now, (level, units), denied, remains, &mut work));
            }
        };
        let age = saturating_nanos(now.saturating_since(admitted_at.unwrap_or(now)));
        if checks::is_notice(sender, &publish) {
            return self.send_notice(now, (id, age), publish, size, &mut work);
        }
        let lane = Lane { level, sender };
        let outcome_sink = checks::outcome_sink(&self.settings, &publish);
        let (session, profile) = match publish.source {
            // Whoever may speak is of this life.
            Source::Session(session) => (Some(session.key()), self.profile_of(sender)),
            Source::Edge { session, .. } => {
                let profile = profile.zip(profile_size);
                (session.and_then(|id| id.key_in(self.people.life())), profile.map(Profile::from))
            }
            Source::Host => (None, None),
        };
        self.accounts.carry_profile(level, profile.as_ref());
        let Publish { kind, merge_key, dedup_key, counter, urgency, payload, .. } = publish;
        let ext = QueuedExt::of(units, merge_key, dedup_key, counter, urgency);
        // It is not above the limit.
        let size = size as u32;
        let mut waiting = Queued { id, kind, session, profile, outcome_sink, ext, size, payload };
        if RELAYED {
            let ext = waiting.ext_mut();
            (ext.age, ext.reviewed) = (age, reviewed);
        }
        let answer = if RELAYED && self.is_too_late(level, age) {
            Ok(self.drop_too_late(now, lane, waiting, &mut work))
        } else {
            self.accounts.promise_outcome(level, outcome_sink);
            if self.is_reviewed(lane) && !(RELAYED && reviewed == Reviewed::AtEdge) {
                self.have_reviewed(now, lane, waiting, &mut work)
            } else {
                self.let_in::<RELAYED>(now, lane, waiting, &mut work)
            }
        };
        if let Ok(receipt) = &answer {
            self.intake.pay(now, lane);
            if counter.is_some() || dedup_key.is_some() {
                self.keep(now, lane, (counter, units), dedup_key, receipt);
            }
            if COMPARED {
                self.note_content(now, sender, receipt);
            }
        }
        answer
    }

    /// Whoever speaks by no user's session moves no clock, and nothing falls due by it.
    #[cold]
    #[inline(never)]
    fn refuse_stranger(&mut self, now: Instant, publish: Publish<M>, size: usize) -> Refused<M> {
        let (level, units) = (self.settings.levels.level(publish.priority), publish.units);
        let id = self.accounts.submit(level, units);
        let denied = self.checks().stranger(&publish.source);
        let remains = self.remains_of_offer(id, publish, size);
        self.accounts.refuse(self.clock.peek(now), (level, units), denied, remains)
    }

    /// What only an admitted message leaves: it is counted, where no verdict is waited for, and its
    /// repetition is known by its key.
    #[inline(never)]
    fn keep(
        &mut self,
        now: Instant,
        lane: Lane,
        (counter, units): (Option<&'static str>, u64),
        dedup_key: Option<DedupKey>,
        receipt: &Receipt,
    ) {
        if receipt.review.is_none() {
            self.count(now, counter, units);
        }
        if let Some(key) = dedup_key {
            self.keep_key(now, lane, key, receipt);
        }
    }

    /// To the review, where a verdict is waited for.
    #[inline(never)]
    fn have_reviewed(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (id, outcome_sink, units) = (waiting.id, waiting.outcome_sink, waiting.units());
        let limit = Limit::Reviews { max: self.settings.review.tickets };
        match self.reviews.insert(now, lane, waiting) {
            Ok((ticket, victims)) => {
                self.accounts.review(lane.level, units);
                for victim in victims {
                    self.drop_reviewed(now, victim, DropReason::Evicted, Some(limit));
                }
                self.dispatch(now, work, None);
                Ok(Receipt { id, outcome: None, review: Some(ticket) })
            }
            Err(back) => {
                self.accounts.release_outcome(lane.level, outcome_sink);
                self.accounts.leave_profile(lane.level, back.profile.as_ref());
                let denied = Denied::by(RefusalReason::ReviewsFull, limit)
                    .until(self.reviews.next_deadline());
                let remains = self.remains(lane, back);
                Err(self.refuse(now, (lane.level, units), denied, remains, work))
            }
        }
    }

    /// Past the gate and the review, into the queue.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn let_in<const RELAYED: bool>(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (id, outcome_sink) = (waiting.id, waiting.outcome_sink);
        let age = if RELAYED { waiting.age() } else { 0 };
        let outcome = match self.enter(now, lane, waiting, age, Some(id), work) {
            Entered::Waits => None,
            Entered::Sent(seq) => seq.map(|seq| Outcome::Dispatched { seq, at: now }),
            Entered::Merged { carrier } => {
                self.accounts.release_outcome(lane.level, outcome_sink);
                Some(Outcome::Merged { carrier })
            }
            Entered::Full(full) => {
                let is_in = RELAYED || full.item.counter().is_some();
                return self.turn_away(now, lane, full, is_in, work);
            }
        };
        Ok(Receipt { id, outcome, review: None })
    }

    /// A message found no room. It is refused; but one that is in already gives way itself: it is
    /// counted, and whoever sent it again would have it counted twice, or it was let in at an edge.
    #[cold]
    fn turn_away(
        &mut self,
        now: Instant,
        lane: Lane,
        Full { item, limit }: Full<Queued<M>>,
        is_in: bool,
        work: &mut WorkLimit,
    ) -> Result<Receipt, Refused<M>> {
        let (level, units) = (lane.level, item.units());
        self.accounts.release_outcome(level, item.outcome_sink);
        self.accounts.leave_profile(level, item.profile.as_ref());
        self.do_due(now, work);
        if is_in {
            let (id, remains) = (item.id, self.remains(lane, item));
            return Ok(self.drop_at_once(now, (id, level, units), limit, remains));
        }
        let is_staff = |sender| self.is_staff(sender);
        let is_urgent = || is_urgent(&self.settings, &self.moderation, lane.sender);
        let denied = if let Limit::FreshWithin { max } = limit {
            let lane = (lane, self.pipeline.stands(lane, item.urgency(), is_urgent));
            let next = self.pipeline.has_place_at(now, lane, max, is_staff);
            Denied::by(RefusalReason::Congested, limit).until(next)
        } else {
            let next = self.pipeline.next_due(now, is_staff);
            Denied::by(RefusalReason::QueueFull, limit).until(next)
        };
        let remains = self.remains(lane, item);
        Err(self.refuse(now, (level, units), denied, remains, work))
    }

    /// A message that was let in and finds no room is dropped by the call that tells it.
    pub(super) fn drop_at_once(
        &mut self,
        now: Instant,
        (id, level, units): (MessageId, Priority, u64),
        limit: Limit,
        remains: Remains<M>,
    ) -> Receipt {
        let reason = drop_reason(limit);
        self.accounts.drop(now, (level, units), (reason, Some(limit)), remains);
        let outcome = Outcome::Dropped { reason, limit: Some(limit), retry_at: None };
        Receipt { id, outcome: Some(outcome), review: None }
    }

    /// A message is not let in: nothing is done but what was due.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        (level, units): (Priority, u64),
        denied: Denied,
        remains: Remains<M>,
        work: &mut WorkLimit,
    ) -> Refused<M> {
        if self.status != RoomStatus::Closed {
            self.do_due(now, work);
        }
        self.accounts.refuse(now, (level, units), denied, remains)
    }

    /// A message was let in under a key, which is free again when it is dropped. One that merged
    /// has noted it with its carrier.
    #[inline(never)]
    fn keep_key(&mut self, now: Instant, lane: Lane, key: DedupKey, receipt: &Receipt) {
        match receipt.outcome {
            Some(Outcome::Merged { .. } | Outcome::Dropped { .. }) => {}
            Some(Outcome::Dispatched { .. }) | None => {
                self.intake.note(now, lane, key, receipt.id);
            }
        }
    }

    /// The message is in: its units are counted.
    #[inline]
    pub(super) fn count(&mut self, now: Instant, counter: Option<&'static str>, units: u64) {
        if let Some(counter) = counter {
            let counted = self.data.add_counter(now, counter, checks::as_delta(units));
            debug_assert!(counted.is_ok(), "the gate has looked");
        }
    }

    /// Sends what may go, after [`fall_due`](Self::fall_due), in a call that brings nothing new.
    pub(super) fn do_due(&mut self, now: Instant, work: &mut WorkLimit) {
        self.shed(now, work);
        self.dispatch(now, work, None);
    }

    /// What time alone brings about, before anything goes out: tips are told, what has waited too
    /// long expires, and reviews time out. The checks look at what is left.
    #[inline]
    pub(super) fn fall_due(&mut self, now: Instant, work: &mut WorkLimit) {
        if self.data.next_system_message().is_some_and(|due| due <= now) {
            self.flush_system_messages(now);
        }
        self.pipeline.advance(now);
        if self.pipeline.has_expired(now) {
            self.expire(now, work);
        }
        if self.reviews.len() > 0 {
            self.time_out_reviews(now, work);
        }
    }

    /// A message enters that is so many nanoseconds old; then what is due goes out. If it is its
    /// `own`, its fate is told by the running call, else by an event. What has waited too long must be
    /// gone before.
    // A message is large, and this is on every message's way: inlined, it is not copied once more.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(super) fn enter(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        age: u64,
        own: Option<MessageId>,
        work: &mut WorkLimit,
    ) -> Entered<M> {
        let level = lane.level;
        let units = waiting.units();
        if own.is_some() && self.pipeline.goes_past(now, level, work) {
            self.accounts.queue(level, units);
            let popped =
                Popped { item: waiting, priority: level, sender: lane.sender, entered: now };
            return Entered::Sent(self.send(now, popped, own));
        }
        let (id, merge_key) = (waiting.id, waiting.merge_key());
        if let Some(slot) = merge_key.and_then(|key| self.pipeline.find_carrier(level, key)) {
            let carrier = self.merge(now, slot, lane, waiting, own.is_some());
            self.dispatch(now, work, None);
            return Entered::Merged { carrier };
        }
        let (settings, moderation) = (&self.settings, &self.moderation);
        let is_alone = self.pipeline.is_alone(level);
        let slot = self
            .pipeline
            .insert(now, lane, waiting, || is_urgent(settings, moderation, lane.sender));
        self.accounts.queue(level, units);
        let sent = self.dispatch(now, work, own);
        if sent.is_some() || !self.pipeline.waits_at(slot, id) {
            return Entered::Sent(sent);
        }
        let (settings, moderation) = (&self.settings, &self.moderation);
        let is_staff = |sender| moderation.is_staff(settings, sender);
        // How it stands was asked where others of its level waited, whoever has gone since.
        if is_alone && is_urgent(settings, moderation, lane.sender) {
            self.pipeline.make_urgent(slot, lane);
        }
        match self.pipeline.settle(now, slot, lane, &settings.queue, is_staff) {
            Ok(victims) => {
                let reason = victims.limit.map_or(DropReason::Evicted, drop_reason);
                let limit = victims.limit;
                for victim in victims.slots {
                    if let Some(popped) = self.pipeline.release(victim) {
                        self.drop_one(now, popped, reason, limit);
                    }
                }
                if let Some(merge_key) = merge_key {
                    self.pipeline.make_carrier(slot, level, merge_key);
                }
                if age > 0 {
                    self.pipeline.backdate(now, slot, age);
                }
                Entered::Waits
            }
            Err(full) => {
                self.accounts.leave_queue(level, units);
                Entered::Full(full)
            }
        }
    }

    /// A message enters that was due before: it waits among the others.
    pub(super) fn enter_due(&mut self, now: Instant, lane: Lane, waiting: Queued<M>) {
        let (level, units, merge_key) = (lane.level, waiting.units(), waiting.merge_key());
        let age = waiting.age();
        if let Some(slot) = merge_key.and_then(|key| self.pipeline.find_carrier(level, key)) {
            let subject = waiting.subject(level);
            let carrier = self.merge(now, slot, lane, waiting, false);
            self.accounts.tell(subject, Outcome::Merged { carrier });
            return;
        }
        let (settings, moderation) = (&self.settings, &self.moderation);
        let is_urgent = is_urgent(settings, moderation, lane.sender);
        let slot = self.pipeline.insert_due(now, lane, waiting, is_urgent);
        self.accounts.queue(level, units);
        if let Some(merge_key) = merge_key {
            self.pipeline.make_carrier(slot, level, merge_key);
        }
        if age > 0 {
            self.pipeline.backdate(now, slot, age);
        }
    }

    /// A message that waits carries another one, whose key is free again with its own. If that one
    /// `is_new`, its key has not been noted yet.
    fn merge(
        &mut self,
        now: Instant,
        slot: u32,
        lane: Lane,
        waiting: Queued<M>,
        is_new: bool,
    ) -> MessageId {
        let QueuedExt { units, dedup_key, .. } = waiting.ext();
        self.accounts.leave_profile(lane.level, waiting.profile.as_ref());
        let (carrier, place) = self.pipeline.merge(slot, lane.sender, units);
        if let Some(key) = dedup_key {
            if is_new {
                self.intake.note(now, lane, key, waiting.id);
            }
            let carried = (lane.sender, key, waiting.id);
            let place = self.intake.carry(carrier, place, carried);
            self.pipeline.set_carried_keys(slot, place);
        }
        let remains = self.remains(lane, waiting);
        self.accounts.merge(now, (lane.level, units), carrier, remains);
        carrier
    }

    fn profile_of(&self, sender: Sender) -> Option<Profile<M>> {
        match sender {
            Sender::User(user) => self.people.profile(user).cloned(),
            Sender::Host => None,
        }
    }

    /// Whose message it is. O(1), without hashing.
    #[inline]
    pub(super) fn speaker(&self, source: &Source) -> Speaker {
        match *source {
            Source::Host => Speaker::Host,
            Source::Edge { user, .. } => Speaker::AtEdge(user),
            Source::Session(session) => match self.user_of(session) {
                Some(user) => Speaker::Member(user),
                None => Speaker::Stranger,
            },
        }
    }

    /// The checks before a message is let in, in their order.
    #[inline]
    pub(super) fn checks(&self) -> checks::Checks<'_, M> {
        checks::Checks {
            status: self.status,
            settings: &self.settings,
            people: &self.people,
            moderation: &self.moderation,
            intake: &self.intake,
            data: &self.data,
            accounts: &self.accounts,
            memory: self.memory,
        }
    }
}

/// Why a message is dropped that found no room by this limit.
pub(super) fn drop_reason(limit: Limit) -> DropReason {
    match limit {
        Limit::FreshWithin { .. } => DropReason::Congested,
        _ => DropReason::Evicted,
    }
}

/// Whether what a sender says goes before others of its level.
fn is_urgent(settings: &Settings, moderation: &Moderation, sender: Sender) -> bool {
    sender != Sender::Host && moderation.is_staff(settings, sender)
}
