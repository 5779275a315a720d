//! Admission: the half of a room that messages enter by.
//!
//! publish ─► gate ─► queue ─► dispatch ─► feed. It knows nothing of the audience; what it
//! dispatches waits at the seam, the feed, until an audience takes it over.

mod attendance;
mod broadcast_import;
mod broadcast_position;
mod checks;
mod data;
mod direct;
mod discipline;
mod dispatch;
mod edge_outbox;
mod entry;
mod export;
mod members;
mod merge_index;
mod moderation;
mod outbox;
mod people;
mod persisted;
mod queued;
mod reconfigure;
mod review;
mod room_data;
mod scheduler;
mod silent_sessions;
mod snapshot;
mod status;
mod system_messages;
#[cfg(test)]
mod tests;

pub use moderation::{Actor, ModerationCounts};
pub use persisted::{ImportError, PersistedState};
pub use review::{PendingReview, ReviewDecision, ReviewError};
pub use snapshot::AdmissionSnapshot;
pub use status::RoomStatus;

use crate::config::{RoomConfig, Settings};
use crate::dedup::Dedup;
use crate::deferred_drops::DeferredDrops;
use crate::error::CloseError;
use crate::event::{Event, EventQueue};
use crate::handover::HandOver;
use crate::ids::Seq;
use crate::index::Hasher;
use crate::keyed::KeyedLimit;
use crate::ledger::Ledger;
use crate::message::{Message, Payload};
use crate::priority::PerLevel;
use crate::queue::Queue;
use crate::quota::{Rate, TokenBucket};
use crate::rights::Action;
use crate::time::{Instant, Watermark};
use crate::work::WorkLimit;
use alloc::boxed::Box;
use alloc::sync::Arc;
use broadcast_position::BroadcastPosition;
use edge_outbox::EdgeOutbox;
use merge_index::MergeIndex;
use moderation::Moderation;
use outbox::Outbox;
use people::People;
use queued::Queued;
use review::Reviews;
use room_data::RoomData;
use scheduler::Scheduler;

/// The half of a room that messages enter by: who is a member, the queue, the rate, the ledger.
///
/// [`RoomState`](crate::RoomState) joins it to one audience and is what most hosts want. By itself
/// it serves whoever puts each half under a lock of its own, or feeds several audiences: what it
/// dispatches is picked up with [`hand_over`](Self::hand_over).
#[derive(Debug)]
pub struct Admission<M> {
    settings: Settings,
    state: RoomStatus,
    clock: Watermark,
    people: People<M>,
    moderation: Moderation,
    data: RoomData<M>,
    scheduler: Scheduler,
    /// The host's notices have a bucket of their own.
    notices: TokenBucket,
    sender_quotas: PerLevel<Option<Box<KeyedLimit>>>,
    duplicates: Dedup,
    reviews: Reviews<M>,
    queue: Queue<Queued<M>>,
    merge_index: MergeIndex,
    outbox: Outbox<M>,
    /// At an edge, what waits to be taken to the room.
    edge_outbox: EdgeOutbox<M>,
    heads: PerLevel<u64>,
    ledger: Ledger,
    events: EventQueue,
    /// Publish calls so far.
    submitted: u64,
    /// Whether the host has been told that the room has ended.
    is_end_told: bool,
    broadcasts: BroadcastPosition,
    deferred: DeferredDrops<M>,
}

impl<M: Payload> Admission<M> {
    /// The admission of a room that nobody is in yet.
    pub fn new(config: &RoomConfig) -> Self {
        Self::starting_at(config, PerLevel::default())
    }

    /// As [`new`](Self::new), as if so many messages of each level had been dispatched before.
    pub(crate) fn starting_at(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        let settings = config.settings.clone();
        let hasher = Hasher::new(settings.seed());
        Self {
            state: RoomStatus::Open,
            clock: Watermark::default(),
            people: People::new(&settings, hasher),
            moderation: Moderation::new(&settings, hasher),
            data: RoomData::new(&settings, settings.system_messages),
            scheduler: Scheduler::new(config),
            notices: TokenBucket::new(Rate::per_second(settings.notices), settings.notices),
            sender_quotas: PerLevel(settings.sender_quota.0.map(|quota| {
                quota.map(|quota| {
                    Box::new(KeyedLimit::new(quota, settings.sender_table_size, settings.seed()))
                })
            })),
            duplicates: Dedup::new(settings.dedup_window, hasher),
            reviews: Reviews::new(),
            merge_index: MergeIndex::new(hasher),
            queue: Queue::new(settings.queue, settings.seed()),
            outbox: Outbox::new(Seq(heads.values().sum()), settings.outbox_capacity),
            edge_outbox: None,
            heads,
            ledger: Ledger::default(),
            events: EventQueue::new(settings.outcomes, settings.presence_events, hasher),
            submitted: 0,
            is_end_told: false,
            broadcasts: BroadcastPosition::default(),
            deferred: DeferredDrops::default(),
            settings,
        }
    }

    /// Does what is due at `now`: expires, dispatches, and after a close drops what waits. A call
    /// when nothing is due is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.begin_call(now);
        if self.state == RoomStatus::Closed {
            self.drop_waiting(now);
        } else {
            let mut work = WorkLimit::per_call();
            self.fall_due(now, &mut work);
            self.shed(now, &mut work);
            self.dispatch(now, &mut work, None);
        }
    }

    /// When the next call of [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing
    /// waits. An instant that has passed already means at once. Every other call may change the
    /// answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let now = self.clock.peek(Instant::ZERO);
        let tip = self.next_system_message().into_iter().chain(self.vacant_at()).min();
        if self.is_idle() {
            return tip;
        }
        if self.state == RoomStatus::Closed || self.queue.exceeds().is_some() {
            return Some(now);
        }
        let pick = || self.scheduler.next_turn(now, &self.queue, |sender| self.is_staff(sender));
        let token = if self.is_backed_up() { None } else { pick() };
        token
            .into_iter()
            .chain(self.queue.next_deadline())
            .chain(self.next_review_deadline())
            .chain(tip)
            .min()
    }

    /// The next event, if there is one. Outcomes first, in the order in which they were decided;
    /// that the room has ended last of all.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop().or_else(|| self.poll_end())
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty() || self.owes_end()
    }

    /// Takes nothing more; what waits still goes out at the room's rate.
    pub fn stop(&mut self) {
        if self.state == RoomStatus::Open {
            self.state = RoomStatus::Draining;
        }
    }

    /// Closes the room: what waits is dropped as `RoomClosed`, at most 1,024 messages in this call.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        let now = self.clock.advance(now);
        self.moderation.check_one(&self.settings, actor, Action::Close, None)?;
        if self.state == RoomStatus::Closed {
            return Err(CloseError::AlreadyClosed);
        }
        self.state = RoomStatus::Closed;
        self.events.closed();
        self.drop_waiting(now);
        Ok(())
    }

    /// A call begins that may dispatch: what the last one was done with is dropped, and the seam
    /// keeps its bound.
    #[inline]
    fn begin_call(&mut self, now: Instant) -> Instant {
        self.deferred.clear();
        self.outbox.begin_call(&mut self.deferred);
        self.clock.advance(now)
    }

    /// Returns what was dispatched after `seq`, for an audience that has applied the messages up to
    /// there. Afterwards, once every audience of the room has done so,
    /// [`release_through`](Self::release_through) lets go of it. Costs what it returns.
    ///
    /// Between two pick-ups the seam keeps the last
    /// [`outbox_capacity`](crate::RoomConfigBuilder::outbox_capacity) messages and all that the
    /// last call dispatched. What an audience came too late for shows in the heads, and becomes a
    /// gap.
    pub fn hand_over(&self, seq: Seq) -> HandOver<M> {
        HandOver { messages: self.outbox.after(seq).cloned().collect(), heads: self.heads }
    }

    /// How many messages of each level have been dispatched: where an audience stands that is
    /// opened now.
    pub fn heads(&self) -> PerLevel<u64> {
        self.heads
    }

    /// Lets go of the messages up to and with `seq`: every audience has taken them over.
    pub fn release_through(&mut self, seq: Seq) {
        self.outbox.trim(seq);
    }

    /// What the calls since the last time are done with: for whoever holds a lock.
    pub fn take_deferred_drops(&mut self) -> Option<DeferredDrops<M>> {
        self.deferred.take()
    }

    /// Hands a dispatched message over to the only audience.
    pub(crate) fn hand_out(&mut self) -> Option<Arc<Message<M>>> {
        self.outbox.pop()
    }

    pub(crate) fn clear_deferred_drops(&mut self) {
        self.deferred.clear();
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.reviews.len() == 0
    }

    /// The last message dispatched.
    pub fn dispatched(&self) -> Seq {
        self.outbox.last()
    }

    /// Whether the room is closed, nothing waits and everyone is gone: its books are final.
    pub fn is_ended(&self) -> bool {
        self.state == RoomStatus::Closed
            && self.people.attendance().sessions() == 0
            && self.is_idle()
    }

    /// Whether the host has yet to be told that the room has ended.
    fn owes_end(&self) -> bool {
        self.is_ended() && !self.is_end_told
    }

    /// The end of the room, once: the last of its events.
    fn poll_end(&mut self) -> Option<Event> {
        let owes = self.owes_end();
        self.is_end_told |= owes;
        owes.then_some(Event::RoomEnded)
    }

    /// What the room still does with messages.
    pub fn state(&self) -> RoomStatus {
        self.state
    }

    /// The books. O(1); changes nothing.
    pub fn snapshot(&self, now: Instant) -> AdmissionSnapshot {
        AdmissionSnapshot {
            state: self.state,
            ledger: self.ledger,
            tokens: self.scheduler.available(self.clock.peek(now)),
            queued: PerLevel::from_fn(|level| self.queue.level_len(level)),
            queued_bytes: PerLevel::from_fn(|level| self.queue.level_bytes(level)),
            under_review: self.reviews.len(),
            duplicate_keys: self.duplicates.counts(),
            broadcasts_missed: self.broadcasts.missed(),
            outcomes: PerLevel::from_fn(|level| self.events.held(level)),
            dispatched: self.outbox.last(),
            heads: self.heads,
            users: self.people.users(),
            online: self.people.online(),
            user_sessions: self.people.user_sessions(),
            moderation: self.moderation.counts(),
        }
    }
}
