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
mod merge_index;
mod moderation;
mod outbox;
mod persisted;
mod presence;
mod queued;
mod reconfigure;
mod review;
mod scheduler;
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
use crate::data::{Attributes, Counters};
use crate::dedup::Dedup;
use crate::deferred_drops::DeferredDrops;
use crate::error::{CloseError, JoinError, LeaveError, ProfileError};
use crate::event::{Event, EventQueue, Presence, PresenceCause};
use crate::handover::HandOver;
use crate::ids::{Seq, SessionId, UserId};
use crate::index::Hasher;
use crate::keyed::KeyedLimit;
use crate::ledger::Ledger;
use crate::message::{Message, Payload};
use crate::priority::PerLevel;
use crate::queue::Queue;
use crate::quota::{Rate, TokenBucket};
use crate::recent_users::RecentUsers;
use crate::rights::Action;
use crate::roster::{Gone, Roster, UserSessions};
use crate::shard_index::ShardIndex;
use crate::system_messages::{Folds, SystemMessageKind};
use crate::time::{Instant, Watermark};
use crate::work::WorkLimit;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use attendance::Attendance;
use broadcast_position::BroadcastPosition;
use edge_outbox::EdgeOutbox;
use merge_index::MergeIndex;
use moderation::Moderation;
use outbox::Outbox;
use presence::SilentSessions;
use queued::Queued;
use review::Reviews;
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
    attendance: Attendance,
    roster: Roster<M>,
    silent_sessions: SilentSessions,
    newest: RecentUsers,
    moderation: Moderation,
    attributes: Attributes,
    counters: Counters,
    system_messages: Folds,
    /// Profiles of users who are gone, for tips that are still to tell it: at most one of each
    /// kind.
    kept_profiles: Vec<(SystemMessageKind, Arc<M>)>,
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
    broadcasts: BroadcastPosition,
    /// One more than the last slot that an audience has given out under any of the room's
    /// configurations.
    slots: u32,
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
            attendance: Attendance::new(settings.idle_timeout),
            roster: Roster::new(hasher),
            silent_sessions: SilentSessions::default(),
            newest: RecentUsers::new(settings.recent_users),
            moderation: Moderation::new(&settings, hasher),
            attributes: Attributes::new(settings.data),
            counters: Counters::new(settings.data),
            system_messages: Folds::new(settings.system_messages),
            kept_profiles: Vec::new(),
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
            broadcasts: BroadcastPosition::default(),
            slots: ShardIndex::slots(settings.sessions),
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
        let tip = self.next_system_message().into_iter().chain(self.expires_at()).min();
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

    /// Whether a user (`None`: a guest) may join now. Changes nothing.
    pub fn check_join(&self, now: Instant, user: Option<UserId>) -> Result<(), JoinError> {
        if self.state != RoomStatus::Open {
            return Err(JoinError::RoomClosed);
        }
        let Some(user) = user else { return Ok(()) };
        if let Some(until) = self.moderation.banned(self.clock.peek(now), user) {
            return Err(JoinError::Banned { user, until });
        }
        let max = self.settings.sessions_per_user;
        if self.roster.sessions_of(user).len() >= max as usize {
            return Err(JoinError::TooManySessions { user, max });
        }
        Ok(())
    }

    /// Registers a session of a user, fresh from an audience. O(1). A guest's id, or one that no
    /// audience of this configuration gives out, changes nothing; one whose slot is taken puts out
    /// who holds it.
    pub fn add_session(&mut self, now: Instant, user: UserId, session: SessionId) {
        if session.is_guest() || session.generation() == 0 || session.slot() >= self.slots {
            return;
        }
        if let Some(holder) = self.roster.holder(session.slot()) {
            self.remove_session(now, holder);
        }
        let now = self.clock.advance(now);
        let is_first = self.roster.add(user, session);
        if is_first {
            self.system_messages.note(now, SystemMessageKind::Joined, Some(user));
        }
        if is_first || self.is_back(user, session) {
            self.newest.push(user);
            self.events.presence(user, Presence::Online, PresenceCause::Join);
        }
    }

    /// Takes one session out; harmless when it is not registered. O(sessions of the user).
    #[inline]
    pub fn remove_session(&mut self, now: Instant, session: SessionId) {
        if session.is_guest() {
            // Nobody here knows it.
            self.clock.advance(now);
        } else {
            self.let_go(now, session, SystemMessageKind::Left);
        }
    }

    /// A session goes; if it is its user's last, a tip of this kind tells it.
    fn let_go(&mut self, now: Instant, session: SessionId, tip: SystemMessageKind) {
        let now = self.clock.advance(now);
        let Some(gone) = self.roster.remove(session) else { return };
        if let Gone::Last(user) = gone {
            let profile = self.roster.take_profile(user);
            if self.state == RoomStatus::Closed {
                self.deferred.add_profile(profile);
            } else {
                self.system_messages.note(now, tip, Some(user));
                self.keep_for_system_message(tip, profile);
            }
        }
        let Some(user) = self.goes_offline(session, gone) else { return };
        // The one event of the close stands for the going of everyone.
        if self.state != RoomStatus::Closed {
            self.events.presence(user, Presence::Offline, PresenceCause::Quit);
        }
    }

    /// Takes all sessions of a user out and returns them; the audience has to end them.
    pub fn leave(&mut self, now: Instant, user: UserId) -> Result<UserSessions, LeaveError> {
        if checks::is_owner(&self.settings, user) {
            return Err(LeaveError::OwnerCannotLeave { owner: user });
        }
        let sessions = self.roster.sessions_of(user);
        if sessions.is_empty() {
            return Err(LeaveError::NotMember { user });
        }
        for &session in &sessions {
            self.remove_session(now, session);
        }
        Ok(sessions)
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

    /// Sets what travels with a user's messages from the next one on; `None` takes it away. It goes
    /// when the user's last session does.
    pub fn set_profile(&mut self, user: UserId, profile: Option<M>) -> Result<(), ProfileError<M>> {
        let Some(profile) = profile else {
            self.deferred.add_profile(self.roster.take_profile(user));
            return Ok(());
        };
        let (size, max) = (profile.size(), self.settings.profile_bytes as usize);
        if size > max {
            return Err(ProfileError::TooLarge { size, max, profile });
        }
        if !self.roster.is_in(user) {
            return Err(ProfileError::NotMember { user, profile });
        }
        self.system_messages.note(
            self.clock.peek(Instant::ZERO),
            SystemMessageKind::ProfileChanged,
            Some(user),
        );
        let old = self.roster.set_profile(user, Arc::new(profile));
        self.deferred.add_profile(old);
        Ok(())
    }

    /// The sessions of a user.
    pub fn sessions_of(&self, user: UserId) -> UserSessions {
        self.roster.sessions_of(user)
    }

    /// The user whom a session speaks for; `None` for a guest's and for one that is gone. O(1).
    pub fn user_of(&self, session: SessionId) -> Option<UserId> {
        self.roster.user_of(session)
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
            users: self.roster.users(),
            online: self.roster.users() - self.silent_sessions.users(),
            user_sessions: self.roster.sessions(),
            moderation: self.moderation.counts(),
        }
    }
}
