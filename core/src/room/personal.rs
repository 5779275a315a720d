//! What one session asks for, or is sent, by itself: calls of the audience.

use super::Room;
use crate::ids::SessionId;
use crate::mask::Mask;
use crate::message::Payload;
use crate::resume::ResumeToken;
use crate::time::Instant;

impl<M: Payload> Room<M> {
    /// Sets the levels that a session does not want; answers whether it is in (clause B10). See
    /// [`Audience::set_mask`](crate::Audience::set_mask).
    pub fn set_mask(&mut self, now: Instant, session: SessionId, mask: Mask) -> bool {
        self.clock.advance(now);
        self.audience.set_mask(session, mask)
    }

    /// Where a session stands, for it to come back to with [`Join::resume`](crate::Join::resume); `None` when it is not in, or ends (clause
    /// B18). O(1). See [`Audience::resume_token`](crate::Audience::resume_token).
    pub fn resume_token(&self, now: Instant, session: SessionId) -> Option<ResumeToken> {
        self.audience.resume_token(self.clock.peek(now), session)
    }

    /// The levels that a session does not want; `None` when it is not in. O(1).
    pub fn mask(&self, session: SessionId) -> Option<Mask> {
        self.audience.mask(session)
    }
}
