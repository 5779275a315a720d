//! What became of every message, what the host has yet to hear of it, and what is done with.

use crate::audit::{Audit, AuditRecord, AuditSnapshot, Audited, Fate, Kept};
use crate::config::Settings;
use crate::deferred_drops::DeferredDrops;
use crate::event::{Event, EventQueue, Presence, PresenceCause};
use crate::ids::{MessageId, UserId};
use crate::index::Hasher;
use crate::ledger::{DropReason, Ledger, LevelLedger, RefusalReason};
use crate::message::{Limit, Message, Outcome, OutcomeSink, Refused};
use crate::priority::{PerLevel, Priority};
use crate::profile::Profile;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::sync::Arc;

/// The books of an admission. Nobody else changes a row of the ledger: each step that a message
/// takes has its method here, and so has everything that the host is told.
#[derive(Debug)]
pub(super) struct Accounts<M> {
    /// A level's row is made when the first message is offered there.
    ledger: PerLevel<Option<Box<LevelLedger>>>,
    /// Publish calls so far; the last one's number.
    submitted: u64,
    events: EventQueue,
    /// Whether the host has been told that the room has ended.
    is_end_told: bool,
    /// The profiles that travel with messages that wait, in bytes.
    waiting_profiles: PerLevel<u64>,
    drops: DeferredDrops<M>,
    /// One record for each row that a message comes to, where the room is asked for them.
    audit: Option<Box<Audit<M>>>,
}

/// What is left of a message whose fate is decided.
#[derive(Debug)]
pub(super) struct Remains<M> {
    /// The message as the audit names it, where there is one.
    pub(super) audited: Option<Audited>,
    pub(super) payload: M,
    /// The size of the payload.
    pub(super) size: u32,
}

/// A refusal that has not got its payload back yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denied {
    pub(super) reason: RefusalReason,
    /// The limit that decided.
    pub(super) limit: Option<Limit>,
    /// When to try again.
    pub(super) retry_at: Option<Instant>,
}

impl Denied {
    /// Returns a refusal that no limit and no time would have changed.
    pub(super) const fn because(reason: RefusalReason) -> Self {
        Self { reason, limit: None, retry_at: None }
    }

    /// Returns a refusal that a limit decided.
    pub(super) const fn by(reason: RefusalReason, limit: Limit) -> Self {
        Self { reason, limit: Some(limit), retry_at: None }
    }

    /// Returns this refusal with when to try again.
    pub(super) const fn until(self, retry_at: Option<Instant>) -> Self {
        Self { retry_at, ..self }
    }
}

/// The message that an outcome is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) id: MessageId,
    pub(super) level: Priority,
    /// Itself and those that were merged into it.
    pub(super) messages: u32,
    /// What they stand for.
    pub(super) units: u64,
    pub(super) outcome_sink: OutcomeSink,
}

impl Subject {
    /// Returns whether its publisher is to be told what became of it.
    #[inline]
    pub(super) fn is_told(&self) -> bool {
        is_told(self.outcome_sink)
    }
}

/// Returns whether an outcome for this sink takes a slot and becomes an event.
#[inline]
pub(super) fn is_told(outcome_sink: OutcomeSink) -> bool {
    outcome_sink != OutcomeSink::CountedOnly
}

/// The first message is offered at a level.
#[cold]
#[inline(never)]
fn begin(row: &mut Option<Box<LevelLedger>>) -> &mut LevelLedger {
    row.insert(Box::default())
}

impl<M> Accounts<M> {
    pub(super) fn new(settings: &Settings, hasher: Hasher) -> Self {
        Self {
            ledger: PerLevel::default(),
            submitted: 0,
            events: EventQueue::new(settings.outcomes, settings.presence_events, hasher),
            is_end_told: false,
            waiting_profiles: PerLevel::default(),
            drops: DeferredDrops::default(),
            audit: settings.audit.map(|config| Box::new(Audit::new(config))),
        }
    }

    /// From now on other limits for what is not polled; what was promised and what waits stays.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.events.reconfigure(settings.outcomes, settings.presence_events);
    }

    /// Books that a message is offered; returns its number.
    #[inline]
    pub(super) fn submit(&mut self, level: Priority, units: u64) -> MessageId {
        self.submitted += 1;
        self.row(level).submit(units);
        MessageId(self.submitted)
    }

    /// Books that a message that is offered comes from an edge.
    pub(super) fn receive(&mut self, level: Priority, units: u64) {
        self.row(level).receive(units);
    }

    /// Books that a message is not let in, and hands its payload back.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        (level, units): (Priority, u64),
        denied: Denied,
        remains: Remains<M>,
    ) -> Refused<M> {
        let Denied { reason, limit, retry_at } = denied;
        let Remains { audited, payload, size } = remains;
        self.row(level).refuse(reason, units);
        if let Some(audited) = audited {
            self.record_refusal(now, audited, Fate::Refused { reason, limit }, (&payload, size));
        }
        Refused { reason, limit, retry_at, payload }
    }

    #[cold]
    #[inline(never)]
    fn record_refusal(
        &mut self,
        now: Instant,
        audited: Audited,
        fate: Fate,
        (payload, size): (&M, u32),
    ) {
        let waiting = self.waiting();
        let Some(audit) = &mut self.audit else { return };
        if audit.record(now, audited, fate, waiting)
            && audit.wants_payload(size)
            && let Some(copy) = audit.copies()
        {
            // That runs code of the host's: all else is done.
            audit.attach(Kept::Own(copy(payload)), size);
        }
    }

    /// Writes down what became of a message, if it is audited; the payload is kept there, or
    /// dropped later.
    #[inline]
    fn conclude(&mut self, now: Instant, fate: Fate, remains: Remains<M>) {
        let Remains { audited, payload, size } = remains;
        match audited {
            Some(audited) => self.record_own(now, audited, fate, (payload, size)),
            None => self.drops.add_payload(payload),
        }
    }

    #[cold]
    #[inline(never)]
    fn record_own(
        &mut self,
        now: Instant,
        audited: Audited,
        fate: Fate,
        (payload, size): (M, u32),
    ) {
        let waiting = self.waiting();
        if let Some(audit) = &mut self.audit
            && audit.record(now, audited, fate, waiting)
            && audit.wants_payload(size)
        {
            audit.attach(Kept::Own(payload), size);
        } else {
            self.drops.add_payload(payload);
        }
    }

    /// Writes down that a message went out, or to the room of this edge: then without what it
    /// carries.
    #[cold]
    #[inline(never)]
    pub(super) fn record_sent(
        &mut self,
        now: Instant,
        audited: Audited,
        fate: Fate,
        message: Option<Arc<Message<M>>>,
    ) {
        let waiting = self.waiting();
        let Some(audit) = &mut self.audit else { return };
        if audit.record(now, audited, fate, waiting)
            && let Some(message) = message
        {
            let size = u32::try_from(message.bytes).unwrap_or(u32::MAX);
            if audit.wants_payload(size) {
                audit.attach(Kept::Shared(message), size);
            }
        }
    }

    /// Returns how many messages wait, whose records are to come.
    fn waiting(&self) -> u64 {
        let rows = self.ledger.values().flatten();
        rows.map(|row| row.queued + row.under_review).sum()
    }

    /// Returns whether records are written.
    #[inline]
    pub(super) fn is_audited(&self) -> bool {
        self.audit.is_some()
    }

    /// From now on records have the payload, copied so where it goes back to its sender.
    pub(super) fn keep_payloads(&mut self, copy: fn(&M) -> M) {
        if let Some(audit) = &mut self.audit {
            audit.keep_payloads(copy);
        }
    }

    /// Returns the limit of the audit that lets no more messages in, if one does.
    #[inline]
    pub(super) fn audit_keeps_out(&self) -> Option<Limit> {
        self.audit.as_ref()?.keeps_out(self.waiting())
    }

    /// Hands the oldest record over.
    pub(super) fn take_record(&mut self) -> Option<AuditRecord<M>> {
        self.audit.as_mut()?.pop()
    }

    /// Returns how many records wait.
    pub(super) fn records(&self) -> usize {
        self.audit.as_ref().map_or(0, |audit| audit.len())
    }

    /// Returns the payload bytes in the records.
    pub(super) fn audit_bytes(&self) -> u64 {
        self.audit.as_ref().map_or(0, |audit| audit.bytes())
    }

    /// Returns what the audit holds and has missed.
    pub(super) fn audit(&self) -> Option<AuditSnapshot> {
        self.audit.as_ref().map(|audit| audit.snapshot())
    }

    /// Books that a message waits in the queue.
    #[inline]
    pub(super) fn queue(&mut self, level: Priority, units: u64) {
        self.row(level).queue(units);
    }

    /// Books that it waits in the queue no more.
    #[inline]
    pub(super) fn leave_queue(&mut self, level: Priority, units: u64) {
        self.row(level).leave_queue(units);
    }

    /// Books that a message waits for a verdict.
    pub(super) fn review(&mut self, level: Priority, units: u64) {
        self.row(level).review(units);
    }

    /// Books that it waits for a verdict no more.
    pub(super) fn leave_review(&mut self, level: Priority, units: u64) {
        self.row(level).leave_review(units);
    }

    /// Books that a message became one with another that waits.
    pub(super) fn merge(
        &mut self,
        now: Instant,
        (level, units): (Priority, u64),
        carrier: MessageId,
        remains: Remains<M>,
    ) {
        self.row(level).merge(units);
        self.conclude(now, Fate::Merged { carrier }, remains);
    }

    /// Books that a message is dropped, with all that it carries.
    pub(super) fn drop(
        &mut self,
        now: Instant,
        (level, units): (Priority, u64),
        (reason, limit): (DropReason, Option<Limit>),
        remains: Remains<M>,
    ) {
        self.row(level).drop(reason, units);
        self.conclude(now, Fate::Dropped { reason, limit }, remains);
    }

    /// Books that a message that waits in the queue goes out; [`record_sent`](Self::record_sent) is
    /// to follow where it is audited.
    #[inline]
    pub(super) fn dispatch(&mut self, level: Priority, units: u64) {
        let row = self.row(level);
        row.leave_queue(units);
        row.dispatch(units);
    }

    /// Books that a message waits with this profile, or goes out at once with it.
    #[inline]
    pub(super) fn carry_profile(&mut self, level: Priority, profile: Option<&Profile<M>>) {
        if let Some(profile) = profile {
            self.waiting_profiles[level] += u64::from(profile.size);
        }
    }

    /// Books that it waits no more.
    #[inline]
    pub(super) fn leave_profile(&mut self, level: Priority, profile: Option<&Profile<M>>) {
        if let Some(profile) = profile {
            self.waiting_profiles[level] -= u64::from(profile.size);
        }
    }

    /// Returns what the profiles hold that travel with messages that wait, in bytes.
    pub(super) fn waiting_profiles(&self) -> u64 {
        self.waiting_profiles.values().sum()
    }

    /// Returns what those of one level hold.
    pub(super) fn waiting_profiles_of(&self, level: Priority) -> u64 {
        self.waiting_profiles[level]
    }

    /// Returns the ledger.
    pub(super) fn ledger(&self) -> Ledger {
        let row = |level| self.ledger[level].as_deref().copied().unwrap_or_default();
        Ledger { levels: PerLevel::from_fn(row) }
    }

    #[inline]
    fn row(&mut self, level: Priority) -> &mut LevelLedger {
        match &mut self.ledger[level] {
            Some(row) => row,
            unused => begin(unused),
        }
    }

    /// Returns whether a message ever had this number.
    pub(super) fn knows(&self, id: MessageId) -> bool {
        id.0 != 0 && id.0 <= self.submitted
    }

    /// Returns whether a message of this level can be promised that its outcome will be told.
    #[inline]
    pub(super) fn has_outcome_slot(&self, level: Priority) -> bool {
        self.events.has_room(level)
    }

    /// Promises to tell an outcome, if it is to be told;
    /// [`release_outcome`](Self::release_outcome) or [`tell`](Self::tell) takes the promise up.
    #[inline]
    pub(super) fn promise_outcome(&mut self, level: Priority, outcome_sink: OutcomeSink) {
        if is_told(outcome_sink) {
            self.events.reserve(level);
        }
    }

    /// Gives a promise back, if there was one: somebody else tells the outcome.
    #[inline]
    pub(super) fn release_outcome(&mut self, level: Priority, outcome_sink: OutcomeSink) {
        if is_told(outcome_sink) {
            self.events.release(level);
        }
    }

    /// Tells an outcome as an event, if it is to be told.
    #[inline]
    pub(super) fn tell(&mut self, subject: Subject, outcome: Outcome) {
        if subject.is_told() {
            let Subject { id, level, messages, units, outcome_sink } = subject;
            self.events.outcome(id, level, (messages, units), outcome_sink, outcome);
        }
    }

    /// Tells that a user came online or went offline.
    pub(super) fn tell_presence(&mut self, user: UserId, presence: Presence, cause: PresenceCause) {
        self.events.presence(user, presence, cause);
    }

    /// Tells that the room is closed.
    pub(super) fn tell_close(&mut self) {
        self.events.closed();
    }

    /// Returns the next event but that of the room's end.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns whether [`poll_event`](Self::poll_event) has something.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Returns whether the host has been told that the room has ended.
    pub(super) fn is_end_told(&self) -> bool {
        self.is_end_told
    }

    /// Tells that the room has ended: the last of its events.
    pub(super) fn tell_end(&mut self) -> Event {
        self.is_end_told = true;
        Event::RoomEnded
    }

    /// Returns the outcome slots in use, by level.
    pub(super) fn outcome_slots(&self) -> PerLevel<u32> {
        PerLevel::from_fn(|level| self.events.held(level))
    }

    /// Returns what is to be dropped where no lock is held, to add to it.
    #[inline]
    pub(super) fn drops(&mut self) -> &mut DeferredDrops<M> {
        &mut self.drops
    }
}
