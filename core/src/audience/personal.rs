//! What single sessions are sent beside the log, and what they do not want of it.

use super::Audience;
use crate::direct::{Direct, DirectReason, Recipient};
use crate::event::EndReason;
use crate::ids::SessionId;
use crate::level_set::LevelSet;
use crate::message::Payload;
use crate::priority::Priority;
use crate::time::Instant;
use alloc::sync::Arc;

impl<M: Payload> Audience<M> {
    /// Sends a message to one session, beside the log: the session gets it in a batch, at its
    /// level, behind what has been applied so far and before what comes later; those who wait are
    /// to be told at once. O(1).
    ///
    /// [`Admission::send_direct`](crate::Admission::send_direct) checks the size, knows which
    /// sessions a user has, and calls this for each of them. A session that ends still gets what
    /// was sent before, then its reason: a farewell is sent first, then comes the kick.
    ///
    /// # Errors
    /// The audience is closed, the session is not in or ends, or as much waits for it as may.
    pub fn send_direct(
        &mut self,
        now: Instant,
        session: SessionId,
        direct: &Arc<Direct<M>>,
    ) -> Result<(), DirectReason> {
        if self.closing.is_closed() {
            return Err(DirectReason::RoomClosed);
        }
        let slot = self.live_slot(session);
        let slot = slot.ok_or(DirectReason::NoRecipient { to: Recipient::Session(session) })?;
        let now = self.clock.advance(now);
        let head = self.feed.log().head(direct.priority);
        let sent = self.crowd.send_direct(slot, head, direct);
        sent.map_err(|limit| DirectReason::QueueFull { limit })?;
        self.wakeups.by(now);
        Ok(())
    }

    /// A session that has just joined gets a pinned message before all else.
    pub(crate) fn welcome(&mut self, session: SessionId, pin: &Arc<Direct<M>>) {
        if let Some(slot) = self.live_slot(session) {
            self.crowd.welcome(slot, Arc::clone(pin));
        }
    }

    /// As [`end`](Self::end), with last words behind all that the session is due: they come at
    /// `Lowest`, whatever they say, and have a place of their own.
    pub fn end_with(
        &mut self,
        now: Instant,
        session: SessionId,
        reason: EndReason,
        farewell: Direct<M>,
    ) {
        let live = self.live_slot(session).filter(|_| !self.closing.is_closed());
        if let Some(slot) = live {
            let farewell = farewell.priority(Priority::Lowest);
            let head = self.feed.log().head(farewell.priority);
            self.crowd.send_farewell(slot, head, farewell);
        }
        self.end(now, session, reason);
    }

    /// Sets the levels that a session does not want, in place of those it did not want before.
    /// Returns whether it is in. O(1), plus its own messages in the log.
    ///
    /// What is dispatched at a masked level is `excluded` for the session, whoever sent it. A level
    /// that becomes masked is settled: what the session had not read of it is excluded as well; a
    /// gap that it has not been told yet still is, and what had become too old by `now` is part of
    /// one. A level that is masked no longer starts at the head.
    pub fn set_masked_levels(&mut self, now: Instant, session: SessionId, mask: LevelSet) -> bool {
        let Some(slot) = self.slot_of(session) else { return false };
        self.move_floors(now);
        self.crowd.set_masked_levels(self.feed.log(), slot, mask);
        true
    }

    /// The levels that a session does not want; `None` when it is not in. O(1).
    pub fn masked_levels(&self, session: SessionId) -> Option<LevelSet> {
        self.slot_of(session).map(|slot| self.crowd.mask_of(slot))
    }
}
