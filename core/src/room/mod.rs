//! One room, whole: an admission and its audiences behind one owner, under the rules of [`Halves`].

mod audit;
mod life;
mod memory;
mod people;
mod personal;
mod reconfigure;
mod shards;
#[cfg(feature = "internals")]
mod unchanged;

use crate::admission::{
    Actor, Admission, AdmissionSnapshot, PendingReview, ReviewDecision, ReviewError,
};
use crate::audience::{Audience, AudienceSnapshot, Batch, Budget, Delivery, Handoff};
use crate::broadcasts::Broadcasts;
use crate::config::RoomConfig;
use crate::direct::Directs;
use crate::error::{CloseError, JoinError, LeaveError, SessionEnd};
use crate::event::{EndReason, Event, Joined};
use crate::gap::Skips;
use crate::ids::{Group, SessionId, Ticket, UserId};
use crate::ledger::Deliveries;
use crate::memory::RoomBytes;
#[cfg(feature = "internals")]
use crate::message::Message;
use crate::message::{Payload, Publish, Receipt, Refused, Source};
use crate::priority::{PerLevel, Priority};
use crate::roster::UserSessions;
use crate::rules::{Audiences, Halves, Join, Sharding};
use crate::time::Instant;
#[cfg(feature = "internals")]
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use shards::Shards;

/// One live room as a complete state machine.
///
/// Calls go in and polls come out. Methods take `now`; between two calls no time passes. After any
/// call the host may want to ask [`poll_event`](Self::poll_event) until it returns `None`, and to
/// call [`handle_timeout`](Self::handle_timeout) at the instant that
/// [`poll_timeout`](Self::poll_timeout) names. Nothing breaks when the host is late: tokens,
/// deadlines and books are computed from the time that it does pass.
///
/// ```
/// use roomcast_core::{Budget, Instant, Join, Priority, Publish, RoomState, RoomConfig, Source, UserId};
///
/// let mut room = RoomState::new(&RoomConfig::av_chat_room(UserId(1)));
/// let now = Instant::from_secs(1);
/// let ann = room.join(now, Join::user(UserId(7)))?.session;
/// let guest = room.join(now, Join::guest())?.session;
///
/// let receipt = room.publish(now, Publish::new(Source::Session(ann), "hello").priority(Priority::Normal))?;
/// assert!(receipt.outcome.is_some(), "a quiet room dispatches in the same call");
///
/// let batch = room.next_batch(now, guest, Budget::default())?.expect("a message is due");
/// assert_eq!(batch.messages()[0].payload, "hello");
/// assert!(room.next_batch(now, ann, Budget::default())?.is_none(), "no echo to the sender's session");
/// assert!(room.snapshot(now).balances());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RoomState<M> {
    /// Its clock is that of the whole room: a call that only one half hears of moves the time of the
    /// other too.
    admission: Admission<M>,
    shards: Shards<M>,
}

/// The books of a room at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RoomSnapshot {
    /// The books of the messages.
    pub admission: AdmissionSnapshot,
    /// The books of the deliveries.
    pub audience: AudienceSnapshot,
}

impl RoomSnapshot {
    /// Joins what the two halves say.
    pub fn new(admission: AdmissionSnapshot, audience: AudienceSnapshot) -> Self {
        Self { admission, audience }
    }

    /// What the room holds, in bytes, by kind.
    pub fn bytes(&self) -> RoomBytes {
        self.admission.bytes.and(&self.audience.bytes)
    }

    /// Whether the books balance in every row, those of direct messages too; and over the seam: an
    /// audience that has applied all that was dispatched stands at each level where the admission
    /// does, and one that has not is ahead at none.
    pub fn balances(&self) -> bool {
        let audience = &self.audience;
        let has_all = audience.applied == self.admission.dispatched;
        let meets = |level| {
            let (here, there) = (audience.heads[level], self.admission.heads[level]);
            if has_all { here == there } else { here <= there }
        };
        Priority::ALL.into_iter().all(meets)
            && self.admission.ledger.balances()
            && audience.deliveries.values().all(Deliveries::balances)
            && audience.directs.values().all(Directs::balances)
    }
}

impl<M: Payload> RoomState<M> {
    /// An open room that nobody is in.
    pub fn new(config: &RoomConfig) -> Self {
        Self::sharded(config, Sharding::ONE)
    }

    /// An open room that nobody is in, whose sessions will be spread over several audiences.
    pub fn sharded(config: &RoomConfig, sharding: Sharding) -> Self {
        Self::from_heads(config, sharding, PerLevel::default())
    }

    /// As [`sharded`](Self::sharded), as if so many messages of each level had been dispatched
    /// before: for tests of what happens after years.
    #[cfg(feature = "internals")]
    pub fn starting_at(config: &RoomConfig, sharding: Sharding, heads: PerLevel<u64>) -> Self {
        Self::from_heads(config, sharding, heads)
    }

    fn from_heads(config: &RoomConfig, sharding: Sharding, heads: PerLevel<u64>) -> Self {
        Self {
            admission: Admission::starting_at(config, heads),
            shards: Shards::new(config, sharding, heads),
        }
    }

    /// The same room in this life, a number that the host gives: no two rooms have the same, nor
    /// the same room before and after it was made anew, in this process or in another one.
    ///
    /// A [`SessionId`] and a [`ResumeToken`](crate::resume::ResumeToken) carry it. One of another
    /// life names nobody here, though it is like one of this room's to the last bit: whoever
    /// publishes by it is no member, whoever closes it closes nobody, and whoever resumes by it
    /// starts as [`Unknown`](crate::event::StartPosition::Unknown). To be said before anyone
    /// joins. Default 0: then a host sees to it by other means that no id and no token outlives
    /// a room.
    ///
    /// ```
    /// use roomcast_core::{Instant, Join, RoomConfig, RoomState, UserId};
    ///
    /// let (config, now) = (RoomConfig::av_chat_room(UserId(1)), Instant::from_secs(1));
    /// let room = |life| RoomState::<&str>::new(&config).with_life(life);
    /// let (mut before, mut anew) = (room(0x5eed), room(0x5eee));
    /// let old = before.join(now, Join::user(UserId(7)))?.session;
    /// let stranger = anew.join(now, Join::user(UserId(8)))?.session;
    /// assert_eq!((old.key(), old.life()), (stranger.key(), 0x5eed));
    /// assert!(!anew.close_session(now, old) && anew.close_session(now, stranger));
    /// # Ok::<(), roomcast_core::error::JoinError>(())
    /// ```
    #[must_use]
    pub fn with_life(mut self, life: u64) -> Self {
        self.admission.set_life(life);
        self.shards.set_life(life);
        self
    }

    /// The life of the room.
    pub fn life(&self) -> u64 {
        self.admission.life()
    }

    /// The two halves, for a call that concerns both.
    #[inline]
    fn halves(&mut self) -> Halves<'_, M, Shards<M>> {
        Halves::new(&mut self.admission, &mut self.shards)
    }

    /// Lets a session in: at the head of the room, a few messages before it, or where another
    /// session was. The answer names the position; who starts before the head is ready at once, and
    /// nobody is told to wake for it. O(1), and for one that resumes what is unread, at most the
    /// log.
    pub fn join(&mut self, now: Instant, mut join: Join<M>) -> Result<Joined, JoinError> {
        let now = self.admission.advance(now);
        self.shards.sharding().place(
            self,
            |room| room.shards.loads(),
            |room, index| {
                room.shards.open(index);
                room.halves().join(now, &mut join, index)
            },
        )
    }

    /// Takes a user out on all devices. The sessions still take what they are due, then the reason.
    /// O(sessions of the user).
    pub fn leave(&mut self, now: Instant, user: UserId) -> Result<(), LeaveError> {
        self.leave_as(now, user, EndReason::Left)
    }

    /// As [`leave`](Self::leave), of a user who has joined another room where one may be in one at
    /// a time.
    pub fn leave_for_another(&mut self, now: Instant, user: UserId) -> Result<(), LeaveError> {
        self.leave_as(now, user, EndReason::JoinedElsewhere)
    }

    fn leave_as(
        &mut self,
        now: Instant,
        user: UserId,
        reason: EndReason,
    ) -> Result<(), LeaveError> {
        let answer = self.halves().leave(now, user, reason);
        self.clear_deferred_drops();
        answer
    }

    /// Takes one session out at once, as when its connection is gone; what it had not read is
    /// abandoned. Returns whether it was in. O(1).
    pub fn close_session(&mut self, now: Instant, session: SessionId) -> bool {
        let was_in = self.halves().close_session(now, session);
        self.clear_deferred_drops();
        was_in
    }

    /// Offers a message. O(1), whatever the audience. It is a sign of life of the session that it
    /// comes from. See [`Admission::publish`].
    ///
    /// # Errors
    /// The refusal says why, which limit decided, when to try again, and hands the payload back.
    // What is offered is large: inlined, it is not put into memory for this call and read again
    // from there.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn publish(&mut self, now: Instant, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        let now = match publish.source {
            Source::Session(session) if self.shards.has_heartbeat() => self.show_life(now, session),
            _ => now,
        };
        let answer = self.admission.publish(now, publish);
        self.hand_over();
        self.admission.clear_deferred_drops();
        answer
    }

    // Few rooms ask for it, and every publish passes by.
    #[inline(never)]
    fn show_life(&mut self, now: Instant, session: SessionId) -> Instant {
        if !self.shards.get(session).is_some_and(|audience| audience.is_in(session)) {
            return now;
        }
        let now = self.admission.advance(now);
        self.halves().touch(now, session);
        now
    }

    /// Takes over what was broadcast to every room since the last time. See
    /// [`Admission::import_broadcasts`](crate::Admission::import_broadcasts).
    pub fn import_broadcasts(&mut self, now: Instant, broadcasts: &Broadcasts<M>) {
        self.admission.import_broadcasts(now, broadcasts);
        self.hand_over();
        self.admission.clear_deferred_drops();
    }

    pub(crate) fn broadcasts_pending(&self, count: u64) -> u64 {
        self.admission.broadcasts_pending(count)
    }

    /// Whether there is something that the room has not heard. O(1).
    pub(crate) fn has_broadcasts_to_import(&self, broadcasts: &Broadcasts<M>) -> bool {
        self.admission.has_broadcasts_to_import(broadcasts)
    }

    /// This room, made when so much had been broadcast: it hears what comes from now on.
    #[must_use]
    pub fn with_broadcast_position(mut self, broadcasts: &Broadcasts<M>) -> Self {
        self.admission.skip_broadcasts(broadcasts);
        self
    }

    /// The host's verdict on a message that waits for it. See
    /// [`Admission::review`](crate::Admission::review).
    pub fn review(
        &mut self,
        now: Instant,
        ticket: Ticket,
        decision: ReviewDecision<M>,
    ) -> Result<(), ReviewError<M>> {
        let answer = self.admission.review(now, ticket, decision);
        self.hand_over();
        self.admission.clear_deferred_drops();
        answer
    }

    /// The message that a ticket stands for; `None` when it waits no more. O(1).
    pub fn pending_review(&self, ticket: Ticket) -> Option<PendingReview<'_, M>> {
        self.admission.pending_review(ticket)
    }

    /// Takes what a session is due, High first, within a budget; `None` when that is nothing. Costs
    /// what is read.
    ///
    /// # Errors
    /// The session has ended: [`SessionEnd::Closed`] once, after its last batch, and
    /// [`SessionEnd::NoSession`] from then on.
    pub fn next_batch(
        &mut self,
        now: Instant,
        session: SessionId,
        budget: Budget,
    ) -> Result<Option<Batch<M>>, SessionEnd> {
        let Some(audience) = self.shards.get_mut(session) else {
            return Err(SessionEnd::NoSession(session));
        };
        let mut now = now;
        if audience.bounds_deliveries() && audience.is_in(session) {
            now = self.admission.advance(now);
            audience.follow(now);
        }
        let answer = audience.next_batch(now, session, budget);
        match answer {
            Err(SessionEnd::NoSession(_)) => {}
            Err(SessionEnd::Closed(_)) => self.admission.gone(now, session),
            Ok(_) => _ = self.admission.advance(now),
        }
        self.clear_deferred_drops();
        answer
    }

    /// Whether [`next_batch`](Self::next_batch) would return anything but `Ok(None)`. Changes
    /// nothing. O(1).
    pub fn is_ready(&self, session: SessionId) -> bool {
        self.shards.get(session).is_none_or(|audience| audience.is_ready(session))
    }

    /// Hands every session of a group in a range of slots what it is due; the sink says whether it
    /// took it. Returns how many had something. See [`Audience::sweep`].
    #[inline]
    pub fn sweep(
        &mut self,
        now: Instant,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> u32 {
        let now = self.admission.advance(now);
        let admission = &mut self.admission;
        let handed = self.shards.sweep(now, group, slots, budget, |session, due| {
            if let Delivery::End(_) = due {
                Self::swept_out(admission, now, session);
            }
            sink(session, due)
        });
        self.clear_deferred_drops();
        handed
    }

    /// A session has been told its end in a sweep: few are, so this is kept out of its loop.
    #[cold]
    #[inline(never)]
    fn swept_out(admission: &mut Admission<M>, now: Instant, session: SessionId) {
        admission.gone(now, session);
    }

    /// Slots that sessions hold or held: the end of a whole [`sweep`](Self::sweep).
    pub fn slots(&self) -> u32 {
        self.shards.slots()
    }

    /// When the host should tell those who wait that there is something to take. See
    /// [`Audience::poll_wake`].
    pub fn poll_wake(&self) -> Option<Instant> {
        self.shards.iter().filter_map(Audience::poll_wake).min()
    }

    /// Whether those who wait are to be told at `now`. See [`Audience::wake`].
    pub fn wake(&mut self, now: Instant) -> bool {
        let now = self.admission.advance(now);
        let is_due = self.poll_wake().is_some_and(|wake| wake <= now);
        if is_due {
            // Whoever waits is told, in every shard.
            self.shards.held().for_each(Audience::told);
        }
        is_due
    }

    /// Does what is due at `now`. A call when nothing is due is harmless. One call does a bounded
    /// amount of work.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.halves().handle_timeout(now);
        self.clear_deferred_drops();
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next; `None` while nothing is
    /// due. An instant that has passed already means at once. Every other call may change the
    /// answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.admission
            .poll_timeout()
            .into_iter()
            .chain(self.shards.iter().filter_map(Audience::poll_timeout))
            .min()
    }

    /// The next event, if there is one. What is not polled stays within the configured bounds:
    /// outcomes by refusing messages that want one, presence by folding.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.admission.poll_event()
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_events(&self) -> bool {
        self.admission.has_events()
    }

    /// Closes the room: nothing more is accepted, what waits is dropped as `RoomClosed`, every
    /// session gets what it is still due, then the reason. O(1) in the audience.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        let answer = self.halves().close(now, actor);
        self.clear_deferred_drops();
        answer
    }

    /// Whether the room is closed, nothing waits and everyone is gone: its books are final.
    pub fn is_ended(&self) -> bool {
        self.admission.is_ended()
    }

    /// The sessions of a user.
    pub fn sessions_of(&self, user: UserId) -> UserSessions {
        self.admission.sessions_of(user)
    }

    /// The books of one session, by level; `None` when it is not in. O(1).
    pub fn deliveries(&self, session: SessionId) -> Option<PerLevel<Deliveries>> {
        self.shards.get(session)?.deliveries(session)
    }

    /// What one session has skipped, by level and cause; `None` when it is not in. O(1).
    pub fn skips(&self, session: SessionId) -> Option<PerLevel<Skips>> {
        self.shards.get(session)?.skips(session)
    }

    /// The books of the room. O(1); changes nothing.
    pub fn snapshot(&self, now: Instant) -> RoomSnapshot {
        RoomSnapshot::new(self.admission.snapshot(now), self.shards.snapshot())
    }

    /// The two halves, for whoever puts each under a lock of its own: the audiences that are open,
    /// in order.
    pub fn into_halves(self) -> (Admission<M>, Vec<Audience<M>>) {
        (self.admission, self.shards.into_audiences())
    }

    /// What each call dispatches is kept from now on, until the next one.
    #[cfg(feature = "internals")]
    pub fn record_dispatches(&mut self) {
        self.shards.crossed = Some(Vec::new());
    }

    /// What was dispatched since the last time this was asked.
    #[cfg(feature = "internals")]
    pub fn take_dispatches(&mut self) -> Vec<Arc<Message<M>>> {
        self.shards.crossed.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// The audience that a session would be in, and its place among the slots there.
    #[cfg(feature = "internals")]
    pub fn place_of(&self, session: SessionId) -> (Option<&Audience<M>>, u32) {
        let part = self.shards.sharding().part(0).at(session.slot());
        (self.shards.get(session), part.place(session.slot()).unwrap_or(0))
    }

    /// What the halves are done with goes: a room has no lock to be dropped outside of.
    #[inline]
    fn clear_deferred_drops(&mut self) {
        self.admission.clear_deferred_drops();
        self.shards.clear_deferred_drops();
    }

    /// What was dispatched crosses the seam.
    #[inline]
    fn hand_over(&mut self) {
        self.shards.catch_up(&mut self.admission);
        self.shards.clear_deferred_drops();
    }
}
