//! Leaving: sessions go one by one, with their user, or with the room.
//! [Decision D26](crate::design#d26-the-end-of-a-session).

use super::{Audiences, Halves};
use crate::admission::Actor;
use crate::direct::{Direct, DirectReason, DirectRefused, Recipient};
use crate::error::{CloseError, LeaveError, ModerationError};
use crate::event::EndReason;
use crate::ids::{SessionId, UserId};
use crate::message::Payload;
use crate::time::{Duration, Instant};

impl<M: Payload, A: Audiences<M>> Halves<'_, M, A> {
    /// Takes a user out on all devices. The sessions still take what they are due, then the reason;
    /// in a room that is closed, that is still why they end. O(sessions of the user).
    ///
    /// # Errors
    /// The user is not in, or is the owner.
    pub fn leave(
        &mut self,
        now: Instant,
        user: UserId,
        reason: EndReason,
    ) -> Result<(), LeaveError> {
        let sessions = self.admission.leave(now, user)?;
        self.end(&sessions, reason);
        Ok(())
    }

    /// Takes users out. See [`Admission::kick`](crate::Admission::kick).
    ///
    /// # Errors
    /// The actor may not do that to one of them, or named too many. Nobody has gone then.
    pub fn kick(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
    ) -> Result<(), ModerationError> {
        let sessions = self.admission.kick(now, actor, users)?;
        self.end(&sessions, EndReason::Kicked);
        Ok(())
    }

    /// Takes users out and keeps them out for a time. See
    /// [`Admission::ban`](crate::Admission::ban).
    ///
    /// # Errors
    /// The actor may not do that to one of them, or named too many, or the table is full. Nobody
    /// has gone then.
    pub fn ban(
        &mut self,
        now: Instant,
        actor: Actor,
        users: &[UserId],
        time: Option<Duration>,
    ) -> Result<(), ModerationError> {
        let sessions = self.admission.ban(now, actor, users, time)?;
        self.end(&sessions, EndReason::Banned);
        Ok(())
    }

    /// Takes one session out at once; what it had not read is abandoned. Returns whether it was in;
    /// if not, no clock has moved. O(1).
    pub fn close_session(&mut self, now: Instant, session: SessionId) -> bool {
        let was_in = self.audiences.of(session).is_some_and(|audience| audience.leave(session));
        if was_in {
            self.admission.gone(now, session);
        }
        was_in
    }

    /// Ends one session: it still takes what it is due, then the last words, then the reason, which is
    /// [`EndReason::Ended`] or [`EndReason::Moved`]. The audience that it is in has to be held. See
    /// [`RoomState::end_session`](crate::RoomState::end_session).
    ///
    /// # Errors
    /// The session is not in or ends already, the room is closed, or the last words are too large.
    /// Nothing has ended then, and the last words come back.
    pub fn end_session_as(
        &mut self,
        reason: EndReason,
        now: Instant,
        session: SessionId,
        farewell: Option<Direct<M>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        let is_in = self.audiences.of(session).is_some_and(|audience| audience.is_in(session));
        let now = if is_in { self.advance(now) } else { self.admission.time() };
        let size = farewell.as_ref().map_or(0, |farewell| farewell.payload.size());
        let allowed = self.admission.check_farewell(size);
        let audience = self.audiences.of(session).filter(|audience| audience.is_live(session));
        let audience = allowed.and_then(|()| {
            audience.ok_or(DirectReason::NoRecipient { to: Recipient::Session(session) })
        });
        let audience = match audience {
            Ok(audience) => audience,
            Err(reason) => {
                let payload = farewell.map(|farewell| farewell.payload);
                return Err(DirectRefused { reason, payload });
            }
        };
        self.admission.remove_session(now, session);
        match farewell {
            Some(farewell) => {
                let farewell = Direct { sent_at: Some(now), ..farewell };
                audience.end_with(now, session, reason, farewell);
            }
            None => audience.end(now, session, reason),
        }
        Ok(())
    }

    /// Closes the room: nothing more is accepted, what waits is dropped, every session gets what it
    /// is still due, then the reason. All audiences of the room have to be held. O(1) in the
    /// audience.
    ///
    /// # Errors
    /// The actor may not close it, or it is closed already.
    pub fn close(&mut self, now: Instant, actor: Actor) -> Result<(), CloseError> {
        self.admission.close(now, actor)?;
        let now = self.follow();
        self.audiences.catch_up(self.admission);
        self.audiences.held().for_each(|audience| audience.close(now, EndReason::RoomClosed));
        Ok(())
    }

    fn end(&mut self, sessions: &[SessionId], reason: EndReason) {
        let now = self.follow();
        for &session in sessions {
            if let Some(audience) = self.audiences.of(session) {
                audience.end(now, session, reason);
            }
        }
    }
}
