//! The two halves of a room under the calls of a whole one: what a host does that gives each half a lock of its own.
//!
//! Beside a real room it shows two things. The same calls give the same answers (law L9). And each dispatched message is seen at the
//! seam, so that the oracle knows what went out even when nobody is told and no log holds it for long.

use crate::payload::Probe;
use roomcast_core::{
    Actor, Admission, Audience, Batch, Budget, CloseError, Due, EndReason, Event, Instant, Join, JoinError, Joined, LeaveError,
    Message, ProfileError, Publish, Receipt, Refused, Room, RoomSnapshot, SessionEnd, SessionId, UserId, Verdict,
};
use std::ops::Range;
use std::sync::Arc;

/// An admission and an audience, and what went over the seam in the last call.
#[derive(Debug)]
pub struct Halves {
    /// The half that messages enter by.
    pub admission: Admission<Probe>,
    /// The half that members take them from.
    pub audience: Audience<Probe>,
    /// What the last call dispatched.
    pub crossed: Vec<Arc<Message<Probe>>>,
    clock: Instant,
    end_told: bool,
}

impl Halves {
    /// Takes a fresh room apart.
    pub fn new(room: Room<Probe>) -> Self {
        let (admission, audience) = room.into_halves();
        Self { admission, audience, crossed: Vec::new(), clock: Instant::ZERO, end_told: false }
    }

    /// Starts a call: time that runs backwards counts as standing still.
    fn call(&mut self, now: Instant) -> Instant {
        self.crossed.clear();
        self.clock = self.clock.max(now);
        self.clock
    }

    /// As `Room::join`.
    pub fn join(&mut self, now: Instant, join: Join) -> Result<Joined, JoinError> {
        let now = self.call(now);
        self.admission.check_join(join.as_user())?;
        let joined = self.audience.join(join.as_user().is_none(), join.known())?;
        if let Some(user) = join.as_user() {
            self.admission.add_session(now, user, joined.session);
        }
        Ok(joined)
    }

    /// As `Room::leave`.
    pub fn leave(&mut self, now: Instant, user: UserId) -> Result<(), LeaveError> {
        let now = self.call(now);
        for session in self.admission.leave(now, user)? {
            self.audience.end(now, session, EndReason::Left);
        }
        Ok(())
    }

    /// As `Room::close_session`.
    pub fn close_session(&mut self, now: Instant, session: SessionId) -> bool {
        let now = self.call(now);
        self.admission.remove_session(now, session);
        self.audience.leave(session)
    }

    /// As `Room::publish`.
    pub fn publish(&mut self, now: Instant, publish: Publish<Probe>) -> Result<Receipt, Refused<Probe>> {
        let now = self.call(now);
        let answer = self.admission.publish(now, publish);
        self.hand_over();
        self.clear();
        answer
    }

    /// As `Room::next_batch`.
    pub fn next_batch(&mut self, now: Instant, session: SessionId, budget: Budget) -> Result<Option<Batch<Probe>>, SessionEnd> {
        let now = self.call(now);
        let answer = self.audience.next_batch(session, budget);
        if answer.is_err() {
            self.admission.remove_session(now, session);
        }
        answer
    }

    /// As `Room::sweep`.
    pub fn sweep(
        &mut self,
        now: Instant,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Due<'_, Probe>) -> Verdict,
    ) -> u32 {
        let now = self.call(now);
        let admission = &mut self.admission;
        self.audience.sweep(slots, budget, |session, due| {
            if let Due::End(_) = due {
                admission.remove_session(now, session);
            }
            sink(session, due)
        })
    }

    /// As `Room::handle_timeout`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.call(now);
        self.admission.handle_timeout(now);
        self.hand_over();
        self.audience.handle_timeout(now);
        self.clear();
    }

    /// As `Room::poll_timeout`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.admission.poll_timeout(), self.audience.poll_timeout()].into_iter().flatten().min()
    }

    /// As `Room::poll_event`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.crossed.clear();
        self.admission.poll_event().or_else(|| {
            let ended = self.audience.is_ended() && self.admission.is_idle() && !self.end_told;
            self.end_told |= ended;
            ended.then_some(Event::RoomEnded)
        })
    }

    /// As `Room::close`.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        let now = self.call(now);
        self.admission.close(now, actor)?;
        self.hand_over();
        self.audience.close(now, EndReason::RoomClosed);
        self.clear();
        Ok(())
    }

    /// As `Room::set_profile`.
    pub fn set_profile(&mut self, user: UserId, profile: Option<Probe>) -> Result<(), ProfileError<Probe>> {
        self.crossed.clear();
        self.admission.set_profile(user, profile)
    }

    /// As `Room::snapshot`.
    pub fn snapshot(&self, now: Instant) -> RoomSnapshot {
        RoomSnapshot::new(self.admission.snapshot(self.clock.max(now)), self.audience.snapshot())
    }

    /// Here a host with locks would drop, once they are free, what the halves are done with.
    fn clear(&mut self) {
        drop((self.admission.take_debris(), self.audience.take_debris()));
    }

    fn hand_over(&mut self) {
        self.crossed.extend(self.admission.dispatched_after(self.audience.applied()).map(Arc::clone));
        for message in &self.crossed {
            self.audience.apply(Arc::clone(message));
        }
        self.admission.release_through(self.audience.applied());
    }
}
