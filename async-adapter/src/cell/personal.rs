//! What one session asks for by itself: calls of the hall that it is in.

use super::Cell;
use roomcast_core::{Mask, Payload, ResumeToken, SessionId};

impl<M: Payload + Send + Sync + 'static> Cell<M> {
    /// Sets the levels that a session does not want; what was dispatched before the call is settled first. Answers whether it is in.
    pub(crate) fn set_mask(&self, session: SessionId, mask: Mask) -> bool {
        let Some(hall) = self.hall_of(session) else { return false };
        hall.enter(|seats| {
            self.catch_up(hall, &mut seats.audience);
            seats.audience.set_mask(session, mask)
        })
    }

    /// Where a session stands; `None` when it is not in, or ends.
    pub(crate) fn resume_token(&self, session: SessionId) -> Option<ResumeToken> {
        let hall = self.hall_of(session)?;
        // What has been dispatched and not picked up lies behind a masked level's head.
        hall.enter(|seats| {
            self.catch_up(hall, &mut seats.audience);
            seats.audience.resume_token(self.now(), session)
        })
    }
}
