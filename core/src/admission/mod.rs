//! Admission: the half of a room that messages enter by.
//!
//! publish ─► gate ─► queue ─► dispatch ─► feed. It knows nothing of the audience; what it
//! dispatches waits at the seam, the feed, until an audience takes it over.
//!
//! What it knows is kept by a few components, each in a file of its own: the `people` who are in,
//! what holds for them (`moderation`), what the room says of itself (`room_data`), what the
//! gate grants from (`intake`), the messages that wait for a verdict (`reviews`), those that
//! wait in the queue or have gone out (`pipeline`), and the books (`accounts`). A component's
//! fields are its own, and it never sees the whole admission, so what a line may change shows in
//! what it names. The calls of an admission, in files by subject, only say who does what, and in
//! which order.

mod accounts;
mod attendance;
mod audit;
mod broadcast_import;
mod broadcast_position;
mod checks;
mod continuing;
mod data;
#[cfg(feature = "internals")]
mod digest;
mod direct;
mod discipline;
mod dispatch;
mod edge;
mod edge_outbox;
mod entry;
mod export;
mod inflow;
mod intake;
mod lists;
mod members;
mod memory;
mod merge_index;
mod moderation;
mod outbox;
mod people;
mod persisted;
mod pins;
mod pipeline;
mod queued;
mod reconfigure;
mod relayed;
mod retract;
mod review;
mod reviews;
mod room_data;
mod scheduler;
mod silent_sessions;
mod snapshot;
mod speak_mode;
mod speech;
mod status;
mod system_messages;
#[cfg(test)]
mod tests;

pub use continuing::Continued;
pub use inflow::Received;
pub use moderation::{Actor, ModerationCounts};
pub use persisted::{ImportError, PersistedState};
pub use reviews::{PendingReview, ReviewDecision, ReviewError};
pub use snapshot::AdmissionSnapshot;
pub use status::RoomStatus;

use crate::config::{Checked, RoomConfig};
use crate::deferred_drops::DeferredDrops;
use crate::error::CloseError;
use crate::event::Event;
use crate::handover::HandOver;
use crate::ids::Seq;
use crate::index::Hasher;
use crate::memory::Memory;
use crate::message::{Message, Payload};
use crate::priority::PerLevel;
use crate::rights::Action;
use crate::time::{Instant, RoomClock};
use crate::work::WorkLimit;
use accounts::Accounts;
use alloc::boxed::Box;
use alloc::sync::Arc;
use broadcast_position::BroadcastPosition;
use inflow::Inflow;
use intake::Intake;
use moderation::Moderation;
use people::People;
use pipeline::Pipeline;
use reviews::Reviews;
use room_data::RoomData;

/// The half of a room that messages enter by: who is a member, the queue, the rate, the ledger.
///
/// [`RoomState`](crate::RoomState) joins it to one audience and is what most hosts want. By itself
/// it serves whoever puts each half under a lock of its own, or feeds several audiences: what it
/// dispatches is picked up with [`hand_over`](Self::hand_over).
#[derive(Debug)]
pub struct Admission<M> {
    settings: Arc<Checked>,
    /// That of its random choices and hashes.
    seed: u64,
    status: RoomStatus,
    clock: RoomClock,
    people: People<M>,
    moderation: Moderation,
    data: RoomData<M>,
    intake: Intake,
    reviews: Reviews<M>,
    pipeline: Pipeline<M>,
    accounts: Accounts<M>,
    broadcasts: BroadcastPosition,
    memory: Memory,
    /// At an edge, what has come from the room too early.
    inflow: Option<Box<Inflow<M>>>,
}

impl<M: Payload> Admission<M> {
    /// The admission of a room that nobody is in yet.
    pub fn new(config: &RoomConfig) -> Self {
        Self::starting_at(config, PerLevel::default())
    }

    /// As [`new`](Self::new), as if so many messages of each level had been dispatched before.
    pub(crate) fn starting_at(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        let settings = Arc::clone(&config.settings);
        let seed = config.own_seed();
        let hasher = Hasher::new(seed);
        Self {
            status: RoomStatus::Open,
            clock: RoomClock::new(settings.max_step),
            people: People::new(&settings, hasher),
            moderation: Moderation::new(hasher),
            data: RoomData::new(&settings, settings.system_messages),
            intake: Intake::new(&settings, seed),
            reviews: Reviews::new(&settings, seed),
            pipeline: Pipeline::new(config, heads),
            accounts: Accounts::new(&settings, hasher),
            broadcasts: BroadcastPosition::default(),
            memory: Memory::Free,
            inflow: None,
            settings,
            seed,
        }
    }

    /// The same for a room in this life, which every half of the room has to be given, before
    /// anyone joins. See [`RoomState::with_life`](crate::RoomState::with_life).
    #[must_use]
    pub fn with_life(mut self, life: u64) -> Self {
        self.set_life(life);
        self
    }

    pub(crate) fn set_life(&mut self, life: u64) {
        self.people.set_life(life);
        self.pipeline.set_life(life);
    }

    /// The life of the room.
    pub fn life(&self) -> u64 {
        self.people.life()
    }

    /// Does what is due at `now`: expires, dispatches, and after a close drops what waits. A call
    /// when nothing is due is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.begin_call(now);
        if self.status == RoomStatus::Closed {
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
        let now = self.clock.at();
        let clock = self.clock.next().filter(|_| !self.is_ended());
        let tip = self.next_system_message().into_iter().chain(self.vacant_at()).chain(clock).min();
        if self.is_idle() {
            return tip;
        }
        if self.status == RoomStatus::Closed || self.pipeline.exceeds().is_some() {
            return Some(now);
        }
        self.pipeline
            .next_due(now, |sender| self.is_staff(sender))
            .into_iter()
            .chain(self.reviews.next_deadline())
            .chain(tip)
            .min()
    }

    /// The time moves on to `now`, as far as one step goes; returns where it stands. An audience of
    /// this room that is called with this is called at the same time.
    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        self.clock.advance(now)
    }

    /// Where the time stands.
    #[inline]
    pub(crate) fn time(&self) -> Instant {
        self.clock.at()
    }

    /// What [`advance`](Self::advance) would return.
    pub(crate) fn peek(&self, now: Instant) -> Instant {
        self.clock.peek(now)
    }

    /// The next event, if there is one. Outcomes first, in the order in which they were decided;
    /// that the room has ended last of all.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.accounts.poll_event().or_else(|| self.owes_end().then(|| self.accounts.tell_end()))
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_events(&self) -> bool {
        self.accounts.has_events() || self.owes_end()
    }

    /// Takes nothing more; what waits still goes out at the room's rate.
    pub fn stop(&mut self) {
        if self.status == RoomStatus::Open {
            self.status = RoomStatus::Draining;
        }
    }

    /// Closes the room: what waits is dropped as `RoomClosed`, at most 1,024 messages in this call.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        let at = self.clock.peek(now);
        self.moderation.check_one(&self.settings, at, actor, Action::Close, None)?;
        if self.status == RoomStatus::Closed {
            return Err(CloseError::AlreadyClosed);
        }
        let now = self.clock.advance(now);
        self.status = RoomStatus::Closed;
        self.accounts.tell_close();
        self.drop_waiting(now);
        Ok(())
    }

    /// A call begins that may dispatch: what the last one was done with is dropped, and the seam
    /// keeps its bound.
    #[inline]
    fn begin_call(&mut self, now: Instant) -> Instant {
        let drops = self.accounts.drops();
        drops.clear();
        self.pipeline.begin_call(drops);
        self.clock.advance(now)
    }

    /// Returns what was dispatched after `seq`, for an audience that has applied the messages up to
    /// there. Afterwards, once every audience of the room has done so,
    /// [`release_through`](Self::release_through) lets go of it. Costs what it returns.
    ///
    /// Between two pick-ups the seam keeps the last
    /// [`outbox_capacity`](crate::config::RoomConfigBuilder::outbox_capacity) messages and all that
    /// the last call dispatched. What an audience came too late for shows in the heads, and
    /// becomes a gap.
    pub fn hand_over(&self, seq: Seq) -> HandOver<M> {
        self.pipeline.hand_over(seq)
    }

    /// How many messages of each level have been dispatched: where an audience stands that is
    /// opened now.
    pub fn heads(&self) -> PerLevel<u64> {
        self.pipeline.heads()
    }

    /// Lets go of the messages up to and with `seq`: every audience has taken them over.
    pub fn release_through(&mut self, seq: Seq) {
        self.pipeline.release_through(seq);
    }

    /// What the calls since the last time are done with: for whoever holds a lock.
    pub fn take_deferred_drops(&mut self) -> Option<DeferredDrops<M>> {
        self.accounts.drops().take()
    }

    /// Hands a dispatched message over to the only audience.
    pub(crate) fn hand_out(&mut self) -> Option<Arc<Message<M>>> {
        self.pipeline.pop_sent()
    }

    pub(crate) fn clear_deferred_drops(&mut self) {
        self.accounts.drops().clear();
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.pipeline.is_empty() && self.reviews.len() == 0
    }

    /// The last message dispatched.
    pub fn dispatched(&self) -> Seq {
        self.pipeline.last_sent()
    }

    /// Whether the room is closed, nothing waits and everyone is gone: its books are final.
    pub fn is_ended(&self) -> bool {
        self.status == RoomStatus::Closed
            && self.people.attendance().sessions() == 0
            && self.is_idle()
    }

    /// Whether the host has yet to be told that the room has ended.
    fn owes_end(&self) -> bool {
        self.is_ended() && !self.accounts.is_end_told()
    }

    /// What the room still does with messages.
    pub fn state(&self) -> RoomStatus {
        self.status
    }

    /// The books. O(1); changes nothing.
    pub fn snapshot(&self, now: Instant) -> AdmissionSnapshot {
        AdmissionSnapshot {
            life: self.people.life(),
            clock_steps_cut: self.clock.cuts(),
            state: self.status,
            ledger: self.accounts.ledger(),
            tokens: self.pipeline.tokens(self.clock.peek(now)),
            queued: self.pipeline.queued(),
            queued_bytes: self.pipeline.queued_bytes(),
            under_review: self.reviews.len(),
            duplicate_keys: self.intake.duplicate_keys(),
            turns_forgotten: self.pipeline.forgotten_turns(),
            broadcasts_missed: self.broadcasts.missed(),
            broadcasts_pending: 0,
            outcomes: self.accounts.outcome_slots(),
            dispatched: self.pipeline.last_sent(),
            heads: self.pipeline.heads(),
            users: self.people.users(),
            online: self.people.online(),
            user_sessions: self.people.user_sessions(),
            moderation: self.moderation.counts(),
            bytes: self.bytes(),
            audit: self.accounts.audit(),
        }
    }
}
