//! The audience: the half of a room that members take messages from.
//!
//! Four rings shared by all, four cursors for each session. A message that is applied is stored
//! once; nothing is done for any session until that session reads. Falling out of a ring is a skip:
//! the subtraction of two positions.

mod accounting;
mod batch;
mod block;
mod cold_state;
mod departure;
mod directs;
mod heartbeat_wheel;
mod masks;
mod plan;
mod positions;
mod reading;
mod reconfigure;
mod replay;
mod resume;
mod session;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Budget, Handoff, Item};
pub use plan::BatchKey;
pub use reading::{BatchRef, Delivery};

use crate::config::{Echo, RoomConfig, Settings};
use crate::deferred_drops::DeferredDrops;
use crate::direct::Directs;
use crate::error::JoinError;
use crate::event::{EndReason, Joined, StartPosition};
use crate::handover::HandOver;
use crate::ids::{Group, Seq, SessionId};
use crate::index::Hasher;
use crate::ledger::Deliveries;
use crate::log::Log;
use crate::message::{Message, Payload};
use crate::priority::{PerLevel, Priority};
use crate::shard_index::ShardIndex;
use crate::time::{Duration, Instant, Watermark};
use accounting::Sums;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cold_state::{ColdStates, Ending};
use heartbeat_wheel::HeartbeatWheel;
use positions::Positions;
use reading::Shared;
use replay::Replay;
use session::Sessions;

/// How far behind the hand lets a position fall: a quarter of what 32 bits tell apart. It looks at
/// one slot for each applied message, so it comes by long before the rest is used up: there are at
/// most 2³⁰ slots.
const MAX_LAG: u32 = 1 << 30;
/// The maximum number of sessions that one call of `handle_timeout` ends.
const MAX_ENDED: u32 = 1_024;

/// The half of a room that members take messages from: the log and the sessions' cursors.
///
/// [`RoomState`](crate::RoomState) joins it to an admission and is what most hosts want. By itself
/// it serves whoever puts each half under a lock of its own. It is fed with
/// [`take_over`](Self::take_over).
#[derive(Debug)]
pub struct Audience<M> {
    log: Log<M>,
    /// Whether the log holds more than it may.
    is_trimming: bool,
    /// The low halves of the log's heads: what the cursors of whoever has read everything say.
    low_heads: Positions,
    applied: Seq,
    echo: Echo,
    grace: Duration,
    resume_within: Duration,
    coalesce: PerLevel<Duration>,
    /// Direct messages that may wait for one session, and their bytes.
    direct_limits: (u32, u64),
    /// The room's, and this part's share of them.
    max_sessions: (u32, u32),
    clock: Watermark,
    sessions: Sessions,
    cold_states: ColdStates<M>,
    /// Sessions that are in and not ending: those for which `due` grows.
    live: u32,
    sums: PerLevel<Sums>,
    directs: PerLevel<Directs>,
    closed: Option<(EndReason, Instant)>,
    /// Signs of life, where they are asked for.
    wheel: Option<Box<HeartbeatWheel>>,
    /// The batch that was taken last, until something is dispatched.
    shared: Option<Shared<M>>,
    /// When those who wait should be told that there is something new; `None` once they have been.
    wake: Option<Instant>,
    /// What a late joiner gets, if anything.
    replay: Option<Box<Replay>>,
    /// The next slot that the hand looks at.
    hand: u32,
    /// Whose grace was over in the last call.
    gone: Vec<SessionId>,
    deferred: DeferredDrops<M>,
}

/// What the audience's books say once it has applied the messages up to [`applied`](Self::applied).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudienceSnapshot {
    /// The last message applied.
    pub applied: Seq,
    /// How many messages of each level have been applied or passed over.
    pub heads: PerLevel<u64>,
    /// What became of every delivery, by level, over all sessions that are and were in.
    pub deliveries: PerLevel<Deliveries>,
    /// What became of every direct message, by level.
    pub directs: PerLevel<Directs>,
    /// Sessions that are in, ending ones included.
    pub sessions: u32,
    /// Of those, sessions that are not silent, guests included.
    pub online: u32,
    /// Sessions that have something of their own beside their cursors: own messages, skips, a mask,
    /// direct messages, an end.
    pub cold_sessions: u32,
    /// Messages in the log, by level.
    pub log: PerLevel<u32>,
    /// Payload and profile bytes in the log, by level.
    pub log_bytes: PerLevel<u64>,
}

impl AudienceSnapshot {
    /// The books of two parts of one room, taken together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            applied: self.applied.min(other.applied),
            heads: PerLevel::from_fn(|level| self.heads[level].min(other.heads[level])),
            deliveries: PerLevel::from_fn(|level| self.deliveries[level] + other.deliveries[level]),
            directs: PerLevel::from_fn(|level| self.directs[level] + other.directs[level]),
            sessions: self.sessions + other.sessions,
            online: self.online + other.online,
            cold_sessions: self.cold_sessions + other.cold_sessions,
            ..*self
        }
    }
}

impl<M: Payload> Audience<M> {
    /// The audience of a room that nobody is in yet.
    pub fn new(config: &RoomConfig) -> Self {
        Self::starting_at(&config.settings, ShardIndex::WHOLE, PerLevel::default())
    }

    /// One of several audiences that share a room, opened when so many messages of each level have
    /// been dispatched: it gets those that follow. See [`ShardIndex`] for which sessions it gives
    /// out, and how many.
    pub fn shard(config: &RoomConfig, part: ShardIndex, heads: PerLevel<u64>) -> Self {
        Self::starting_at(&config.settings, part, heads)
    }

    /// One of the audiences of a room, as if so many messages of each level had been applied
    /// before.
    pub(crate) fn starting_at(settings: &Settings, part: ShardIndex, heads: PerLevel<u64>) -> Self {
        Self {
            log: Log::new(settings.log_messages, settings.log_bytes, heads),
            is_trimming: false,
            low_heads: heads.0.map(|head| head as u32),
            applied: Seq(heads.values().sum()),
            echo: settings.echo,
            grace: settings.grace,
            resume_within: settings.resume_within,
            coalesce: settings.coalesce,
            direct_limits: (settings.direct_messages, settings.direct_bytes),
            max_sessions: (settings.sessions, part.share(settings.sessions)),
            clock: Watermark::default(),
            sessions: Sessions::new(part),
            cold_states: ColdStates::new(Hasher::new(settings.seed())),
            live: 0,
            sums: PerLevel::default(),
            directs: PerLevel::default(),
            closed: None,
            wheel: HeartbeatWheel::new(settings),
            shared: None,
            wake: None,
            replay: Replay::new(settings.replay_on_join),
            hand: 0,
            gone: Vec::new(),
            deferred: DeferredDrops::default(),
        }
    }

    /// Lets a session in: it gets what is applied from now on, when its `group` is swept or when it
    /// asks; and before that the last few messages, if the room is configured so: then it is ready
    /// at once. O(1).
    ///
    /// # Errors
    /// The audience is closed or full, or `known`, the session that the connection had before, is
    /// still in.
    pub fn join(
        &mut self,
        guest: bool,
        group: Group,
        known: Option<SessionId>,
    ) -> Result<Joined, JoinError> {
        self.check_enter(known)?;
        if self.replay.is_none() {
            let session = self.enter(guest, group, self.heads());
            return Ok(Joined { session, starts_after: self.applied, start: StartPosition::Head });
        }
        let (given, (starts_after, start)) = (self.given(), self.fresh_start());
        let session = self.enter(
            guest,
            group,
            PerLevel::from_fn(|level| self.log.head(level) - u64::from(given[level])),
        );
        Ok(Joined { session, starts_after, start })
    }

    /// Whether a session may come whose connection had another before.
    #[inline]
    fn check_enter(&self, known: Option<SessionId>) -> Result<(), JoinError> {
        if self.closed.is_some() {
            return Err(JoinError::RoomClosed);
        }
        if let Some(session) = known.filter(|&session| self.is_live(session)) {
            return Err(JoinError::AlreadyJoined { session });
        }
        let (max, share) = self.max_sessions;
        if self.sessions.len() >= share { Err(JoinError::RoomFull { max }) } else { Ok(()) }
    }

    /// A session comes that reads from these positions on.
    #[inline]
    fn enter(&mut self, guest: bool, group: Group, starts: PerLevel<u64>) -> SessionId {
        self.live += 1;
        for level in Priority::ALL {
            self.sums[level].add_come(starts[level]);
        }
        let session = self.sessions.insert(guest, group, starts.0.map(|start| start as u32));
        if let Some(wheel) = &mut self.wheel
            && let Some(slot) = self.sessions.slot_of(session)
        {
            wheel.come(slot);
        }
        session
    }

    /// Whether a session is in and nothing has closed it.
    pub fn is_live(&self, session: SessionId) -> bool {
        self.closed.is_none()
            && self.sessions.slot_of(session).is_some_and(|slot| self.ending(slot).is_none())
    }

    /// Lets a session go at once; what it had not read is abandoned. Returns whether it was in.
    /// O(1), plus its own messages in the log.
    pub fn leave(&mut self, session: SessionId) -> bool {
        let Some(slot) = self.sessions.slot_of(session) else { return false };
        self.release(slot);
        true
    }

    /// Closes a session from outside: it still takes what it is due by now, then the reason; after
    /// the grace it is gone. Harmless when it is not in or ends already. O(1), or O(log n) while
    /// others end later who began to end before.
    pub fn end(&mut self, now: Instant, session: SessionId, reason: EndReason) {
        let now = self.clock.advance(now);
        let Some(slot) = self.sessions.slot_of(session) else { return };
        if self.ending(slot).is_none() {
            self.retire(slot);
            self.watch_no_more(slot);
            self.sessions.mark_aside(slot);
            self.cold_states
                .end(slot, Ending { reason, until: now + self.grace, ends: self.heads() });
            self.wake_by(now);
        }
    }

    /// Closes the audience: every session still takes what it is due, then the reason; after the
    /// grace they are gone. Nothing is applied any more. O(1).
    pub fn close(&mut self, now: Instant, reason: EndReason) {
        let now = self.clock.advance(now);
        if self.closed.is_none() {
            self.closed = Some((reason, now + self.grace));
            self.unshare();
            self.wake_by(now);
        }
    }

    /// Ends the grace of a closed audience: the next calls of
    /// [`handle_timeout`](Self::handle_timeout) abandon what is left.
    pub fn end_grace(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Some((_, until)) = &mut self.closed {
            *until = now.min(*until);
        }
    }

    /// Whether the audience is closed and everyone is gone.
    pub fn is_ended(&self) -> bool {
        self.closed.is_some() && self.sessions.len() == 0
    }

    /// Takes over what was dispatched since the last time. Messages that were taken over already
    /// change nothing; those that are missing become skips of every session that was to get them,
    /// at whichever level they were. O(messages), whatever the number of sessions.
    pub fn take_over(&mut self, handed: HandOver<M>) {
        if self.closed.is_some() {
            return;
        }
        let before = handed.heads_before();
        if before.values().sum::<u64>() > self.applied.0 {
            self.pass_over(before);
        }
        for message in handed.messages {
            self.apply(message);
        }
    }

    /// So many messages of each level have been dispatched, and will not come here any more where
    /// they have not yet.
    #[cold]
    fn pass_over(&mut self, heads: PerLevel<u64>) {
        self.unshare();
        for level in Priority::ALL {
            self.log.pass_over(level, heads[level], &mut self.deferred);
            self.low_heads[level.index()] = self.log.head(level) as u32;
        }
        self.applied = Seq(self.heads().values().sum());
        if let Some(replay) = &mut self.replay {
            replay.forget();
        }
        self.wake_by(self.clock.peek(Instant::ZERO));
    }

    /// Takes over the next dispatched message, in order of the sequence numbers.
    pub(crate) fn apply(&mut self, message: Arc<Message<M>>) {
        if message.seq <= self.applied || self.closed.is_some() {
            return;
        }
        let (level, position, session) = (message.priority, message.position, message.session);
        let follows = message.seq.0 == self.applied.0 + 1;
        self.applied = message.seq;
        self.wake_by(message.dispatched_at + self.coalesce[level]);
        self.unshare();
        self.log.append(message, &mut self.deferred);
        if let Some(replay) = &mut self.replay {
            replay.note(level, self.log.len(level), follows);
        }
        self.low_heads[level.index()] = self.log.head(level) as u32;
        if self.echo == Echo::Off {
            self.exclude(level, position, session);
        }
        self.move_hand();
    }

    /// When the host should tell those who wait that there is something to take; `None` while
    /// nothing has come since it last did.
    ///
    /// That is the instant at which something came, or up to the level's
    /// [`coalesce`](crate::RoomConfigBuilder::coalesce) later, so that more messages share one
    /// wake-up and one write. It delays being told and nothing else: who asks before gets all there
    /// is.
    pub fn poll_wake(&self) -> Option<Instant> {
        self.wake
    }

    /// Whether those who wait are to be told at `now`; then the host does, and
    /// [`poll_wake`](Self::poll_wake) starts anew.
    pub fn wake(&mut self, now: Instant) -> bool {
        let now = self.clock.advance(now);
        self.wake.take_if(|wake| *wake <= now).is_some()
    }

    /// Those who wait are told now, though it may be for another audience's sake.
    pub(crate) fn told(&mut self) {
        self.wake = None;
    }

    fn wake_by(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Ends the sessions whose grace is over, at most 1,024 in one call; and looks for silent ones,
    /// if a look is due: at no more than 8,192 slots, of which at most 1,024 are found silent. If
    /// more is due, [`poll_timeout`](Self::poll_timeout) returns an instant that is already due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.gone = Vec::new();
        if self.is_trimming {
            self.trim();
        }
        for _ in 0..MAX_ENDED {
            match self.cold_states.first_ending() {
                Some((slot, until)) if now >= until => self.release_late(slot),
                _ => break,
            }
        }
        if self.closed.is_some_and(|(_, until)| now >= until) {
            for _ in 0..MAX_ENDED.min(self.sessions.slots()) {
                let slot = self.next_slot();
                if self.sessions.is_held(slot) {
                    self.release_late(slot);
                }
            }
        }
        if let Some(wheel) = self.wheel.as_mut().filter(|_| self.closed.is_none()) {
            wheel.scan(now, |slot| self.sessions.holder(slot));
        }
    }

    /// A session whose grace was over in the last call of [`handle_timeout`](Self::handle_timeout),
    /// and that has not been told here: it is gone, and the admission has to hear of it
    /// ([`Admission::remove_session`](crate::Admission::remove_session)). The next call of
    /// `handle_timeout` forgets those that nobody asked for.
    pub fn poll_gone(&mut self) -> Option<SessionId> {
        self.gone.pop()
    }

    /// The sessions that [`poll_gone`](Self::poll_gone) has yet to return.
    pub fn gone(&self) -> &[SessionId] {
        &self.gone
    }

    /// When the next call of [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing
    /// ends and nobody is to be looked at. An instant that has passed already means at once.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let closed = self.closed.filter(|_| self.sessions.len() > 0).map(|(_, until)| until);
        let ending = self.cold_states.first_ending().map(|(_, until)| until);
        let scan =
            self.wheel.as_ref().filter(|_| self.closed.is_none()).and_then(|wheel| wheel.next());
        let trim = self.is_trimming.then(|| self.clock.peek(Instant::ZERO));
        closed.into_iter().chain(ending).chain(scan).chain(trim).min()
    }

    /// Whether any session ends: the audience is closed, or a session was closed from outside and
    /// has not gone.
    #[inline]
    pub fn has_ends(&self) -> bool {
        self.closed.is_some() || self.cold_states.has_ending()
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

    /// The last message applied.
    pub fn applied(&self) -> Seq {
        self.applied
    }

    /// Sessions that are in.
    pub fn sessions(&self) -> u32 {
        self.sessions.len()
    }

    /// Of those, sessions that are not silent.
    pub fn online(&self) -> u32 {
        self.sessions.len() - self.wheel.as_ref().map_or(0, |wheel| wheel.silent())
    }

    /// The books of one session, by level; `None` when it is not in. O(1).
    pub fn deliveries(&self, session: SessionId) -> Option<PerLevel<Deliveries>> {
        let slot = self.sessions.slot_of(session)?;
        Some(PerLevel::from_fn(|level| self.deliveries_of(slot, level)))
    }

    /// The books over all sessions. O(1).
    pub fn snapshot(&self) -> AudienceSnapshot {
        AudienceSnapshot {
            applied: self.applied,
            heads: self.heads(),
            deliveries: PerLevel::from_fn(|level| self.sum_of(level)),
            directs: self.directs,
            sessions: self.sessions.len(),
            online: self.online(),
            cold_sessions: self.cold_states.len(),
            log: PerLevel::from_fn(|level| self.log.len(level)),
            log_bytes: PerLevel::from_fn(|level| self.log.bytes(level)),
        }
    }

    fn heads(&self) -> PerLevel<u64> {
        PerLevel::from_fn(|level| self.log.head(level))
    }

    fn cold(&self, slot: u32) -> Option<&cold_state::ColdState<M>> {
        if self.sessions.is_cold(slot) { self.cold_states.get(slot) } else { None }
    }

    fn cold_mut(&mut self, slot: u32) -> &mut cold_state::ColdState<M> {
        self.sessions.mark_aside(slot);
        self.cold_states.get_or_insert(slot)
    }

    /// Whoever needs no cold state any more is read on the fast path again.
    fn drop_blank_aside(&mut self, slot: u32) {
        if self.cold(slot).is_some_and(cold_state::ColdState::is_blank) {
            self.cold_states.remove(slot);
            self.sessions.unmark_aside(slot);
        }
    }

    fn existing_cold_mut(&mut self, slot: u32) -> Option<&mut cold_state::ColdState<M>> {
        if self.sessions.is_cold(slot) { self.cold_states.get_mut(slot) } else { None }
    }

    fn ending(&self, slot: u32) -> Option<Ending> {
        self.cold(slot)?.ending
    }

    /// A message is not meant for the session that sent it.
    fn exclude(&mut self, level: Priority, position: u64, session: Option<SessionId>) {
        if let Some(slot) = session.and_then(|session| self.sessions.slot_of(session)) {
            self.exclude_own(slot, level, position);
        }
    }

    #[inline]
    fn exclude_own(&mut self, slot: u32, level: Priority, position: u64) {
        let tail = self.log.tail(level);
        let cold = self.cold_mut(slot);
        // What is masked is excluded anyhow.
        if cold.ending.is_some() || cold.mask.contains(level) {
            return;
        }
        cold.levels[level].add_own(position, tail);
        self.sums[level].own_unread += 1;
        self.sums[level].excluded += 1;
    }
}
