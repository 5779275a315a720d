//! One room, whole: an admission and an audience.

mod join;
mod life;
mod people;
mod personal;
mod reconfigure;
mod vacancy;

pub use join::Join;

use crate::admission::{Actor, Admission, AdmissionSnapshot, ReviewVerdict, UnderReview, VerdictError};
use crate::audience::{Audience, AudienceSnapshot, Batch, Budget, Due, Verdict};
use crate::broadcasts::Broadcasts;
use crate::config::RoomConfig;
use crate::direct::Directs;
use crate::error::{CloseError, JoinError, LeaveError, SessionEnd};
use crate::event::{EndReason, Event, Joined};
use crate::ids::{Group, SessionId, Ticket, UserId};
use crate::ledger::Deliveries;
use crate::message::{Payload, Publish, Receipt, Refused, Source};
use crate::part::Part;
use crate::priority::{PerLevel, Priority};
use crate::roster::UserSessions;
use crate::time::{Instant, Watermark};
use core::ops::Range;
use vacancy::Vacancy;

/// One live room as a complete state machine.
///
/// Calls go in and polls come out. Methods take `now`; between two calls no time passes. After any call the host may want to ask
/// [`poll_event`](Self::poll_event) until it answers `None`, and to call [`handle_timeout`](Self::handle_timeout) at the instant that
/// [`poll_timeout`](Self::poll_timeout) names. Nothing breaks when the host is late: tokens, deadlines and books are computed from the
/// time that it does pass.
///
/// ```
/// use roomcast_core::{Budget, Instant, Join, Priority, Publish, Room, RoomConfig, Source, UserId};
///
/// let mut room = Room::new(&RoomConfig::av_chat_room(UserId(1)));
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
pub struct Room<M> {
    admission: Admission<M>,
    audience: Audience<M>,
    /// One clock for both halves: a call that only one of them hears of moves the time of the other too (law L6).
    clock: Watermark,
    vacancy: Option<Vacancy>,
    end_told: bool,
}

/// The books of a room at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Whether the books balance in every row (laws L1 and L2), those of direct messages too; and over the seam: an audience that has
    /// applied all that was dispatched stands at each level where the admission does, and one that has not is ahead at none.
    pub fn balances(&self) -> bool {
        let audience = &self.audience;
        let meets = |level| match audience.applied == self.admission.dispatched {
            true => audience.heads[level] == self.admission.heads[level],
            false => audience.heads[level] <= self.admission.heads[level],
        };
        Priority::ALL.into_iter().all(meets)
            && self.admission.ledger.balances()
            && audience.deliveries.values().all(Deliveries::balances)
            && audience.directs.values().all(Directs::balances)
    }
}

impl<M: Payload> Room<M> {
    /// An open room that nobody is in.
    pub fn new(config: &RoomConfig) -> Self {
        Self::from_heads(config, PerLevel::default())
    }

    /// As [`new`](Self::new), as if so many messages of each level had been dispatched before: for tests of what happens after years.
    #[cfg(feature = "internals")]
    pub fn starting_at(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        Self::from_heads(config, heads)
    }

    fn from_heads(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        Self {
            admission: Admission::starting_at(config, heads),
            audience: Audience::starting_at(&config.settings, Part::WHOLE, heads),
            clock: Watermark::default(),
            vacancy: config.settings.expire_empty.map(Vacancy::new),
            end_told: false,
        }
    }

    /// Lets a session in: at the head of the room, a few messages before it (clause A24), or where another session was (clause B18). The
    /// answer names the position (decision D38); who starts before the head is ready at once, and nobody is told to wake for it. O(1), and for
    /// one that resumes what is unread, at most the log.
    pub fn join(&mut self, now: Instant, join: Join) -> Result<Joined, JoinError> {
        let now = self.clock.advance(now);
        let checked = self.admission.check_join(now, join.user);
        if let Ok(()) | Err(JoinError::TooManySessions { .. }) = checked {
            // Who joins again on a session that is in has not one too many.
            let mut former = join.known.into_iter().chain(join.token.map(|token| token.session));
            if let Some(session) = former.find(|&session| self.audience.is_live(session)) {
                return Err(JoinError::AlreadyJoined { session });
            }
        }
        checked?;
        let joined = match join.token {
            None => self.audience.join(join.user.is_none(), join.group, join.known),
            Some(token) => self.audience.resume(now, join.user.is_none(), join.group, join.known, token),
        }?;
        if !join.mask.is_none() {
            self.audience.set_mask(joined.session, join.mask);
        }
        if let Some(user) = join.user {
            self.admission.add_session(now, user, joined.session);
        }
        if self.audience.has_heartbeat() {
            self.audience.touch(now, joined.session);
        }
        Ok(joined)
    }

    /// Takes a user out on all devices (clause A6). The sessions still take what they are due, then the reason. O(sessions of the user).
    pub fn leave(&mut self, now: Instant, user: UserId) -> Result<(), LeaveError> {
        self.leave_as(now, user, EndReason::Left)
    }

    /// The user has joined another room (clause A8). Who is not in, and the owner, do not leave.
    pub(crate) fn leave_for_another(&mut self, now: Instant, user: UserId) {
        let _ = self.leave_as(now, user, EndReason::JoinedElsewhere);
    }

    fn leave_as(&mut self, now: Instant, user: UserId, reason: EndReason) -> Result<(), LeaveError> {
        let now = self.clock.advance(now);
        for session in self.admission.leave(now, user)? {
            self.audience.end(now, session, reason);
        }
        self.clear_debris();
        Ok(())
    }

    /// Takes one session out at once, as when its connection is gone; what it had not read is abandoned. Answers whether it was in. O(1).
    pub fn close_session(&mut self, now: Instant, session: SessionId) -> bool {
        let now = self.clock.advance(now);
        self.admission.remove_session(now, session);
        let before = self.audience.sessions();
        let was_in = self.audience.leave(session);
        self.clear_debris();
        self.note_gone(now, before);
        was_in
    }

    /// Offers a message. O(1), whatever the audience. It is a sign of life of the session that it comes from (clause A7). See [`Admission::publish`].
    ///
    /// # Errors
    /// The refusal says why, which limit decided, when to try again, and hands the payload back.
    // What is offered is large: inlined, it is not put into memory for this call and read again from there.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn publish(&mut self, now: Instant, publish: Publish<M>) -> Result<Receipt, Refused<M>> {
        let now = self.clock.advance(now);
        if self.audience.has_heartbeat()
            && let Source::Session(session) = publish.source
        {
            self.show_life(now, session);
        }
        let answer = self.admission.publish(now, publish);
        self.hand_over();
        self.admission.clear_debris();
        answer
    }

    /// Takes over what was broadcast to every room since the last time. See [`Admission::hear`](crate::Admission::hear).
    pub fn hear(&mut self, now: Instant, broadcasts: &Broadcasts<M>) {
        let now = self.clock.advance(now);
        self.admission.hear(now, broadcasts);
        self.hand_over();
        self.admission.clear_debris();
    }

    /// Whether there is something that the room has not heard. O(1).
    pub(crate) fn has_to_hear(&self, broadcasts: &Broadcasts<M>) -> bool {
        self.admission.has_to_hear(broadcasts)
    }

    /// This room, made when so much had been broadcast: it hears what comes from now on.
    #[must_use]
    pub fn skipping(mut self, broadcasts: &Broadcasts<M>) -> Self {
        self.admission.skip_broadcasts(broadcasts);
        self
    }

    /// The host's verdict on a message that waits for it (clause A19). See [`Admission::review`](crate::Admission::review).
    pub fn review(&mut self, now: Instant, ticket: Ticket, verdict: ReviewVerdict<M>) -> Result<(), VerdictError<M>> {
        let now = self.clock.advance(now);
        let answer = self.admission.review(now, ticket, verdict);
        self.hand_over();
        self.admission.clear_debris();
        answer
    }

    /// The message that a ticket stands for; `None` when it waits no more. O(1).
    pub fn under_review(&self, ticket: Ticket) -> Option<UnderReview<'_, M>> {
        self.admission.under_review(ticket)
    }

    /// Takes what a session is due, High first, within a budget; `None` when that is nothing. Costs what is read.
    ///
    /// # Errors
    /// The session has ended: [`SessionEnd::Closed`] once, after its last batch, and [`SessionEnd::NoSession`] from then on.
    pub fn next_batch(&mut self, now: Instant, session: SessionId, budget: Budget) -> Result<Option<Batch<M>>, SessionEnd> {
        let now = self.clock.advance(now);
        let before = self.audience.sessions();
        let answer = self.audience.next_batch(session, budget);
        if answer.is_err() {
            self.admission.remove_session(now, session);
            self.note_gone(now, before);
        }
        self.clear_debris();
        answer
    }

    /// Hands every session of a group in a range of slots what it is due; the sink says whether it took it. Answers how many had
    /// something. See [`Audience::sweep`].
    #[inline]
    pub fn sweep(
        &mut self,
        now: Instant,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Due<'_, M>) -> Verdict,
    ) -> u32 {
        let now = self.clock.advance(now);
        let (admission, before) = (&mut self.admission, self.audience.sessions());
        let handed = self.audience.sweep(group, slots, budget, |session, due| {
            if let Due::End(_) = due {
                admission.remove_session(now, session);
            }
            sink(session, due)
        });
        self.clear_debris();
        self.note_gone(now, before);
        handed
    }

    /// Slots that sessions hold or held: the end of a whole [`sweep`](Self::sweep).
    pub fn slots(&self) -> u32 {
        self.audience.slots()
    }

    /// When the host should tell those who wait that there is something to take. See [`Audience::poll_wake`].
    pub fn poll_wake(&self) -> Option<Instant> {
        self.audience.poll_wake()
    }

    /// Whether those who wait are to be told at `now`. See [`Audience::wake`].
    pub fn wake(&mut self, now: Instant) -> bool {
        let now = self.clock.advance(now);
        self.audience.wake(now)
    }

    /// Does what is due at `now`. A call when nothing is due is harmless. One call does a bounded amount of work.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.admission.handle_timeout(now);
        self.hand_over();
        drop(self.admission.take_debris());
        let before = self.audience.sessions();
        self.audience.handle_timeout(now);
        self.note_liveness(now);
        while let Some(session) = self.audience.poll_gone() {
            self.admission.remove_session(now, session);
        }
        self.clear_debris();
        self.note_gone(now, before);
        self.expire_empty(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next; `None` while nothing is due. An instant that has passed
    /// already means at once. Every other call may change the answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.admission.poll_timeout().into_iter().chain(self.audience.poll_timeout()).chain(self.expires_at()).min()
    }

    /// The next event, if there is one. What is not polled stays within the configured bounds: outcomes by refusing messages that
    /// want one, presence by folding.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.admission.poll_event() {
            return Some(event);
        }
        let ended = self.is_ended() && !self.end_told;
        self.end_told |= ended;
        ended.then_some(Event::RoomEnded)
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_events(&self) -> bool {
        self.admission.has_events() || (self.is_ended() && !self.end_told)
    }

    /// Closes the room (clause A4): nothing more is accepted, what waits is dropped as `RoomClosed`, every session gets what it is
    /// still due, then the reason. O(1) in the audience.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        let now = self.clock.advance(now);
        self.admission.close(now, actor)?;
        self.hand_over();
        drop(self.admission.take_debris());
        self.audience.close(now, EndReason::RoomClosed);
        Ok(())
    }

    /// Whether the room is closed, nothing waits and everyone is gone: its books are final.
    pub fn is_ended(&self) -> bool {
        self.audience.is_ended() && self.admission.is_idle()
    }

    /// The sessions of a user.
    pub fn sessions_of(&self, user: UserId) -> UserSessions {
        self.admission.sessions_of(user)
    }

    /// The books of one session, by level; `None` when it is not in. O(1).
    pub fn books(&self, session: SessionId) -> Option<PerLevel<Deliveries>> {
        self.audience.books(session)
    }

    /// The books of the room. O(1); changes nothing.
    pub fn snapshot(&self, now: Instant) -> RoomSnapshot {
        RoomSnapshot::new(self.admission.snapshot(self.clock.peek(now)), self.audience.snapshot())
    }

    /// The two halves, for whoever puts each under a lock of its own.
    pub fn into_halves(self) -> (Admission<M>, Audience<M>) {
        (self.admission, self.audience)
    }

    /// What the halves are done with goes: a room has no lock to be dropped outside of.
    #[inline]
    fn clear_debris(&mut self) {
        self.admission.clear_debris();
        self.audience.clear_debris();
    }

    /// What was dispatched crosses the seam.
    fn hand_over(&mut self) {
        while let Some(message) = self.admission.hand_out() {
            self.audience.apply(message);
        }
        self.audience.clear_debris();
    }
}
