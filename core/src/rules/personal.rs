//! Direct messages to one session or one user, over both halves:
//! [decision D37](crate::design#d37-personal-messages-are-in-the-stream).

use super::{Audiences, Halves};
use crate::direct::{Direct, DirectReason, DirectReceipt, DirectRefused, Recipient};
use crate::message::Payload;
use crate::time::Instant;

impl<M: Payload, A: Audiences<M>> Halves<'_, M, A> {
    /// Sends a message to one session, or to all sessions of a user, beside the room's rate. The
    /// audiences of those sessions have to be held. See
    /// [`RoomState::send_direct`](crate::RoomState::send_direct).
    ///
    /// # Errors
    /// Nobody got it, and the payload comes back.
    pub fn send_direct(
        &mut self,
        now: Instant,
        to: Recipient,
        direct: Direct<M>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        let is_known = match to {
            Recipient::User(user) => !self.admission.sessions_of(user).is_empty(),
            Recipient::Session(session) => {
                self.audiences.of(session).is_some_and(|audience| audience.is_in(session))
            }
        };
        let now = if is_known { self.advance(now) } else { self.admission.time() };
        let direct = Direct { sent_at: Some(now), ..direct };
        let audiences = &mut *self.audiences;
        self.admission.send_direct(to, direct, |session, direct| {
            let audience = audiences.of(session).ok_or(DirectReason::NoRecipient { to })?;
            audience.send_direct(now, session, direct)
        })
    }
}
