//! What one session asks for, or is sent, by itself: calls of the audience.

use super::Room;
use crate::ids::SessionId;
use crate::mask::Mask;
use crate::message::Payload;
use crate::time::Instant;

impl<M: Payload> Room<M> {
    /// Sets the levels that a session does not want; answers whether it is in (clause B10). See
    /// [`Audience::set_mask`](crate::Audience::set_mask).
    pub fn set_mask(&mut self, now: Instant, session: SessionId, mask: Mask) -> bool {
        self.clock.advance(now);
        self.audience.set_mask(session, mask)
    }

    /// The levels that a session does not want; `None` when it is not in. O(1).
    pub fn mask(&self, session: SessionId) -> Option<Mask> {
        self.audience.mask(session)
    }
}
