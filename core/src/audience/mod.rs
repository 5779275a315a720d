//! The audience: the half of a room that members take messages from.
//!
//! Four rings shared by all, four cursors for each session. A message that is applied is stored
//! once; nothing is done for any session until that session reads. Falling out of a ring is a skip:
//! the subtraction of two positions.
//!
//! An [`Audience`] has few parts, each with its fields to itself: what was dispatched (`Feed`), who
//! is in and what the books say (`Crowd`), who shows life (`HeartbeatWheel`), when to tell whom
//! (`Wakeups`), how it ends (`Closing`), and a batch that others may share (`Shared`). The parts
//! know nothing of the audience; what is public is here, in the files that add to it, and calls
//! them in order.

mod accounts;
mod batch;
mod block;
mod closing;
mod cold_state;
mod crowd;
mod feed;
mod heartbeat_wheel;
mod inbox;
mod joining;
mod life_counters;
mod lineage;
mod liveness;
mod memory;
mod personal;
mod plan;
mod positions;
mod reading;
mod reconfigure;
mod replay;
mod retract;
mod session;
mod shared;
mod snapshot;
mod taking;
#[cfg(test)]
mod tests;
mod wakeups;
mod walking;

pub use batch::{Batch, Budget, Handoff, Item};
pub use plan::BatchKey;
pub use reading::{BatchRef, Delivery};
pub use snapshot::AudienceSnapshot;

use crate::config::RoomConfig;
use crate::deferred_drops::DeferredDrops;
use crate::event::EndReason;
use crate::gap::{GapCause, Skips};
use crate::handover::HandOver;
use crate::ids::{Seq, SessionId};
use crate::ledger::Deliveries;
use crate::message::{Message, Payload};
use crate::priority::PerLevel;
use crate::shard_index::ShardIndex;
use crate::time::{Instant, RoomClock};
use alloc::boxed::Box;
use alloc::sync::Arc;
use closing::Closing;
use crowd::Crowd;
use feed::Feed;
use heartbeat_wheel::HeartbeatWheel;
use shared::Shared;
use wakeups::Wakeups;

/// The maximum number of sessions that one call of `handle_timeout` ends.
const MAX_ENDED: u32 = 1_024;

/// The half of a room that members take messages from: the log and the sessions' cursors.
///
/// [`RoomState`](crate::RoomState) joins it to an admission and is what most hosts want. By itself
/// it serves whoever puts each half under a lock of its own. It is fed with
/// [`take_over`](Self::take_over).
#[derive(Debug)]
pub struct Audience<M> {
    /// The life of the room: sessions of another one are strangers.
    life: u64,
    clock: RoomClock,
    feed: Feed<M>,
    crowd: Crowd<M>,
    /// Signs of life, where they are asked for.
    wheel: Option<Box<HeartbeatWheel>>,
    wakeups: Wakeups,
    closing: Closing,
    shared: Shared<M>,
    deferred: DeferredDrops<M>,
}

impl<M: Payload> Audience<M> {
    /// The audience of a room that nobody is in yet.
    pub fn new(config: &RoomConfig) -> Self {
        Self::starting_at(config, ShardIndex::WHOLE, PerLevel::default())
    }

    /// One of several audiences that share a room, opened when so many messages of each level have
    /// been dispatched: it gets those that follow. See [`ShardIndex`] for which sessions it gives
    /// out, and how many.
    pub fn shard(config: &RoomConfig, part: ShardIndex, heads: PerLevel<u64>) -> Self {
        Self::starting_at(config, part, heads)
    }

    /// One of the audiences of a room, as if so many messages of each level had been applied
    /// before.
    pub(crate) fn starting_at(config: &RoomConfig, part: ShardIndex, heads: PerLevel<u64>) -> Self {
        let settings = &config.settings;
        Self {
            life: 0,
            clock: RoomClock::new(settings.max_step),
            feed: Feed::new(settings, heads),
            crowd: Crowd::new(settings, part),
            wheel: HeartbeatWheel::new(config),
            wakeups: Wakeups::new(settings.coalesce),
            closing: Closing::new(settings.grace),
            shared: Shared::default(),
            deferred: DeferredDrops::default(),
        }
    }

    /// One of several audiences that share a room, opened beside another one whose messages it
    /// takes over, at most 4,096 of each level: its late joiners, and sessions that are resumed in
    /// it, find there what they would find in the other. See [`part`](Self::shard). Costs what is
    /// taken over.
    pub fn new_shard(config: &RoomConfig, part: ShardIndex, other: &Self) -> Self {
        let settings = &config.settings;
        Self {
            life: other.life,
            clock: other.clock.beside(),
            feed: other.feed.beside(settings),
            wheel: other.wheel.as_ref().map(|wheel| wheel.beside()),
            closing: other.closing.beside(settings.grace),
            ..Self::starting_at(config, part, other.feed.log().heads())
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
        self.life = life;
    }

    /// The life of the room.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// The slot of a session that is in.
    #[inline]
    fn slot_of(&self, session: SessionId) -> Option<u32> {
        self.crowd.sessions().slot_of(session.key_in(self.life)?)
    }

    /// The slot of a session that is in and does not end.
    fn live_slot(&self, session: SessionId) -> Option<u32> {
        self.crowd.live_slot(session.key_in(self.life)?)
    }

    /// Whether a session is in, though it may end.
    pub(crate) fn is_in(&self, session: SessionId) -> bool {
        self.slot_of(session).is_some()
    }

    /// Whether a session is in and nothing has closed it.
    pub fn is_live(&self, session: SessionId) -> bool {
        !self.closing.is_closed() && self.live_slot(session).is_some()
    }

    /// Lets a session go at once; what it had not read is abandoned. Returns whether it was in.
    /// O(1), plus its own messages in the log.
    pub fn leave(&mut self, session: SessionId) -> bool {
        let Some(slot) = self.slot_of(session) else { return false };
        self.release(slot);
        true
    }

    /// Closes a session from outside: it still takes what it is due by now, then the reason; after
    /// the grace it is gone. Harmless when it is not in or ends already, as all do in an audience
    /// that is closed. O(1), or O(log n) while others end later who began to end before.
    pub fn end(&mut self, now: Instant, session: SessionId, reason: EndReason) {
        let Some(slot) = self.live_slot(session) else { return };
        let now = self.clock.advance(now);
        self.watch_no_more(slot);
        if self.closing.is_closed() {
            return;
        }
        self.crowd.end(self.feed.log(), slot, reason, self.closing.until(now));
        self.wakeups.by(now);
    }

    /// When the grace of the session is over that ends first, if any does.
    pub(crate) fn first_end(&self) -> Option<Instant> {
        self.crowd.cold_states().first_ending().map(|(_, until)| until)
    }

    /// Lets the session go that ends first, before its grace is over: it gives its place to one
    /// that comes. [`poll_gone`](Self::poll_gone) returns it.
    pub(crate) fn give_way(&mut self) {
        if let Some((slot, _)) = self.crowd.cold_states().first_ending() {
            self.release_late(slot);
        }
    }

    /// Closes the audience: every session still takes what it is due, then the reason; after the
    /// grace they are gone. Nothing is applied any more. O(1).
    pub fn close(&mut self, now: Instant, reason: EndReason) {
        let now = self.clock.advance(now);
        if self.closing.close(now, reason) {
            self.shared.forget(&mut self.deferred);
            self.wakeups.by(now);
        }
    }

    /// Ends the grace of a closed audience: the next calls of
    /// [`handle_timeout`](Self::handle_timeout) abandon what is left.
    pub fn end_grace(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.closing.end_grace(now);
    }

    /// Whether the audience is closed and everyone is gone.
    pub fn is_ended(&self) -> bool {
        self.closing.is_closed() && self.crowd.sessions().len() == 0
    }

    /// Takes over what was dispatched since the last time. Messages that were taken over already
    /// change nothing; those that are missing become skips of every session that was to get them,
    /// at whichever level they were. O(messages), whatever the number of sessions.
    pub fn take_over(&mut self, handed: HandOver<M>) {
        if self.closing.is_closed() {
            return;
        }
        self.pass_over_before(&handed, GapCause::Overrun);
        // What was dispatched tells what the time was.
        if let Some(last) = handed.messages.last() {
            self.clock.follow(last.dispatched_at);
        }
        for message in handed.messages {
            self.apply(message);
        }
    }

    /// As [`take_over`](Self::take_over), of what was dispatched on another machine and came here at
    /// `now`: those who wait are told by this machine's clock, however far the other one's is off, and
    /// what is missing has been lost on the way ([`GapCause::Bus`]).
    pub fn take_over_at(&mut self, now: Instant, handed: HandOver<M>) {
        if self.closing.is_closed() {
            return;
        }
        let now = self.clock.advance(now);
        self.pass_over_before(&handed, GapCause::Bus);
        for message in handed.messages {
            self.apply_at(now, message);
        }
    }

    /// What stands before a hand-over and has not come will not come any more.
    fn pass_over_before(&mut self, handed: &HandOver<M>, cause: GapCause) {
        let before = handed.heads_before();
        if before.values().sum::<u64>() > self.feed.applied().0 {
            self.pass_over(before, cause);
        }
    }

    /// The time is what it is in the admission, however long this audience was not called.
    pub(crate) fn follow(&mut self, now: Instant) {
        self.clock.follow(now);
    }

    /// So many messages of each level have been dispatched, and will not come here any more where
    /// they have not yet.
    #[cold]
    fn pass_over(&mut self, heads: PerLevel<u64>, cause: GapCause) {
        self.shared.forget(&mut self.deferred);
        self.feed.pass_over(heads, cause, &mut self.deferred);
        self.wakeups.by(self.clock.at());
    }

    /// Takes over the next dispatched message, in order of the sequence numbers.
    #[inline]
    pub(crate) fn apply(&mut self, message: Arc<Message<M>>) {
        self.apply_at(message.dispatched_at, message);
    }

    /// As [`apply`](Self::apply), of a message that came here at that instant.
    #[inline]
    fn apply_at(&mut self, came_at: Instant, message: Arc<Message<M>>) {
        if message.seq <= self.feed.applied() || self.closing.is_closed() {
            return;
        }
        let (level, position, session) = (message.priority, message.position, message.session);
        self.wakeups.by_message(level, came_at);
        self.shared.forget(&mut self.deferred);
        self.feed.append(message, &mut self.deferred);
        self.crowd.exclude_sender(self.feed.log(), level, position, session);
        self.crowd.move_hand(self.feed.log());
    }

    /// When the host should tell those who wait that there is something to take; `None` while
    /// nothing has come since it last did.
    ///
    /// That is the instant at which something came, or up to the level's
    /// [`coalesce`](crate::config::RoomConfigBuilder::coalesce) later, so that more messages share
    /// one wake-up and one write. It delays being told and nothing else: who asks before
    /// gets all there is.
    pub fn poll_wake(&self) -> Option<Instant> {
        self.wakeups.next()
    }

    /// Whether those who wait are to be told at `now`; then the host does, and
    /// [`poll_wake`](Self::poll_wake) starts anew.
    pub fn wake(&mut self, now: Instant) -> bool {
        let now = self.clock.advance(now);
        self.wakeups.take(now)
    }

    /// Those who wait are told now, though it may be for another audience's sake.
    pub(crate) fn told(&mut self) {
        self.wakeups.told();
    }

    /// Ends the sessions whose grace is over, at most 1,024 in one call; looks for silent ones, if
    /// a look is due: at no more than 8,192 slots, of which at most 1,024 are found silent; and
    /// lets go of what has become too old for the log, at most 4,096 messages. If more is due,
    /// [`poll_timeout`](Self::poll_timeout) asks for the next call at once.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.closing.forget_gone();
        if self.feed.is_trimming() {
            self.trim(now);
        } else if self.next_expiry().is_some_and(|due| now >= due) {
            self.shared.forget(&mut self.deferred);
            self.feed.expire_quietly(now, &mut self.deferred);
        }
        for _ in 0..MAX_ENDED {
            match self.crowd.cold_states().first_ending() {
                Some((slot, until)) if now >= until => self.release_late(slot),
                _ => break,
            }
        }
        if self.closing.over_at().is_some_and(|until| now >= until) {
            for _ in 0..MAX_ENDED.min(self.crowd.sessions().slots()) {
                let slot = self.crowd.next_slot();
                if self.crowd.sessions().is_held(slot) {
                    self.release_late(slot);
                }
            }
        }
        if let Some(wheel) = self.wheel.as_mut().filter(|_| !self.closing.is_closed()) {
            wheel.scan(now, |slot| self.crowd.sessions().holder(slot));
            for session in wheel.take_leaving() {
                self.end(now, session.in_life(self.life), EndReason::Silent);
            }
        }
    }

    /// A session whose grace was over in the last call of [`handle_timeout`](Self::handle_timeout),
    /// and that has not been told here: it is gone, and the admission has to hear of it
    /// ([`Admission::remove_session`](crate::Admission::remove_session)). The next call of
    /// `handle_timeout` forgets those that nobody asked for.
    pub fn poll_gone(&mut self) -> Option<SessionId> {
        self.closing.poll_gone().map(|key| key.in_life(self.life))
    }

    /// The sessions that [`poll_gone`](Self::poll_gone) has yet to return.
    pub fn gone(&self) -> impl ExactSizeIterator<Item = SessionId> + '_ {
        self.closing.gone().iter().map(|key| key.in_life(self.life))
    }

    /// When the next call of [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing
    /// ends, nobody is to be looked at and nothing becomes too old for the log. An instant that has
    /// passed already means at once.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let closed = self.closing.over_at().filter(|_| self.crowd.sessions().len() > 0);
        let ending = self.crowd.cold_states().first_ending().map(|(_, until)| until);
        let wheel = self.wheel.as_ref().filter(|_| !self.closing.is_closed());
        let scan = wheel.and_then(|wheel| wheel.next());
        let trim = self.feed.is_trimming().then(|| self.clock.at());
        let expiry = self.next_expiry();
        let clock = self.clock.next().filter(|_| !self.is_ended());
        closed.into_iter().chain(ending).chain(scan).chain(trim).chain(expiry).chain(clock).min()
    }

    /// When the log is to let go of what is too old for it, if nothing comes before.
    fn next_expiry(&self) -> Option<Instant> {
        if self.closing.is_closed() { None } else { self.feed.next_expiry() }
    }

    /// Whether any session ends: the audience is closed, or a session was closed from outside and
    /// has not gone.
    #[inline]
    pub fn has_ends(&self) -> bool {
        self.closing.is_closed() || self.crowd.cold_states().has_ending()
    }

    /// Whether [`take_deferred_drops`](Self::take_deferred_drops) has something.
    #[inline]
    pub fn has_deferred_drops(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// What fell out of the log since the last time, and the direct messages that were read: for
    /// whoever holds a lock.
    pub fn take_deferred_drops(&mut self) -> Option<DeferredDrops<M>> {
        self.deferred.take()
    }

    pub(crate) fn clear_deferred_drops(&mut self) {
        self.deferred.clear();
    }

    /// Whether any level has an age at which its messages are handed over no more
    /// ([`deliver_within`](crate::config::RoomConfigBuilder::deliver_within)). Where none has,
    /// [`next_batch`](Self::next_batch) and [`sweep`](Self::sweep) go by no time, whatever `now`
    /// they are given, and move no clock.
    #[inline]
    pub fn bounds_deliveries(&self) -> bool {
        self.feed.bounds_deliveries()
    }

    /// The last message applied.
    pub fn applied(&self) -> Seq {
        self.feed.applied()
    }

    /// Sessions that are in.
    pub fn sessions(&self) -> u32 {
        self.crowd.sessions().len()
    }

    /// Of those, sessions that are not silent.
    pub fn online(&self) -> u32 {
        self.crowd.sessions().len() - self.wheel.as_ref().map_or(0, |wheel| wheel.silent())
    }

    /// The books of one session, by level; `None` when it is not in. O(1).
    pub fn deliveries(&self, session: SessionId) -> Option<PerLevel<Deliveries>> {
        let slot = self.slot_of(session)?;
        Some(PerLevel::from_fn(|level| self.crowd.deliveries_of(self.feed.log(), slot, level)))
    }

    /// What one session has skipped, by level and cause; `None` when it is not in. O(1).
    pub fn skips(&self, session: SessionId) -> Option<PerLevel<Skips>> {
        Some(self.crowd.skips_of(self.slot_of(session)?))
    }

    /// The books over all sessions. O(1).
    pub fn snapshot(&self) -> AudienceSnapshot {
        let log = self.feed.log();
        AudienceSnapshot {
            clock_steps_cut: self.clock.cuts(),
            applied: self.feed.applied(),
            heads: log.heads(),
            deliveries: PerLevel::from_fn(|level| self.crowd.deliveries(log, level)),
            skips: self.crowd.skips(),
            directs: self.crowd.directs(),
            sessions: self.crowd.sessions().len(),
            online: self.online(),
            cold_sessions: self.crowd.cold_states().len(),
            log: PerLevel::from_fn(|level| log.len(level)),
            log_bytes: PerLevel::from_fn(|level| log.bytes(level)),
            bytes: self.bytes(),
        }
    }

    /// A session ends or is gone: whether it shows life is of no interest any more.
    #[inline]
    fn watch_no_more(&mut self, slot: u32) {
        if let Some(wheel) = &mut self.wheel {
            wheel.go(slot);
        }
    }

    /// A session is gone: what it had not read is abandoned.
    fn release(&mut self, slot: u32) {
        self.watch_no_more(slot);
        self.crowd.release(self.feed.log(), slot, &mut self.deferred);
    }

    /// A session whose grace is over is gone.
    fn release_late(&mut self, slot: u32) {
        self.closing.note_gone(self.crowd.sessions().holder(slot));
        self.release(slot);
    }
}
