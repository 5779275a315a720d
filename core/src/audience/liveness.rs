//! Signs of life, where they are asked for.

use super::Audience;
use crate::event::Liveness;
use crate::ids::SessionId;
use crate::message::Payload;
use crate::time::Instant;

impl<M: Payload> Audience<M> {
    /// Whether silent sessions are told from others here:
    /// [`heartbeat`](crate::config::RoomConfigBuilder::heartbeat) is set.
    #[inline]
    pub fn has_heartbeat(&self) -> bool {
        self.wheel.is_some()
    }

    /// A session shows life. Returns whether it is in and nothing has closed it. O(1).
    ///
    /// Whoever joins a session here by hand touches it at once: [`join`](Self::join) knows no time,
    /// and counts as a sign of life at the next look. [`RoomState::join`](crate::RoomState::join)
    /// does both.
    pub fn touch(&mut self, now: Instant, session: SessionId) -> bool {
        let Some(slot) = self.slot_of(session) else { return false };
        let now = self.clock.advance(now);
        if self.closing.is_closed() {
            return false;
        }
        if let Some(wheel) = &mut self.wheel {
            wheel.touch(now, slot, session.key());
        }
        self.crowd.ending(slot).is_none()
    }

    /// The next session of a user's that was found silent or shows life again, in the order in
    /// which that came about: for [`Admission::note_liveness`](crate::Admission::note_liveness),
    /// which knows who is online. At most 1,024 sessions are found before they are polled.
    pub fn poll_liveness(&mut self) -> Option<(SessionId, Liveness)> {
        let (key, liveness) = self.wheel.as_mut()?.poll()?;
        Some((key.in_life(self.life), liveness))
    }

    /// Whether [`poll_liveness`](Self::poll_liveness) has something.
    #[inline]
    pub fn has_liveness(&self) -> bool {
        self.wheel.as_ref().is_some_and(|wheel| wheel.has_found())
    }
}
