//! Calls that concern one session or one user: masks, resume tokens, direct messages.

use super::RoomState;
use crate::direct::{Direct, DirectReceipt, DirectRefused, Recipient};
use crate::event::EndReason;
use crate::ids::{Seq, SessionId};
use crate::level_set::LevelSet;
use crate::message::Payload;
use crate::priority::Priority;
use crate::resume::{ResumeToken, TokenAt};
use crate::time::Instant;

impl<M: Payload> RoomState<M> {
    /// Sets the levels that a session does not want; returns whether it is in. See
    /// [`Audience::set_masked_levels`](crate::Audience::set_masked_levels).
    pub fn set_masked_levels(&mut self, now: Instant, session: SessionId, mask: LevelSet) -> bool {
        let Some(audience) = self.shards.get_mut(session) else { return false };
        if !audience.is_in(session) {
            return false;
        }
        let now = self.admission.advance(now);
        audience.follow(now);
        audience.set_masked_levels(now, session, mask)
    }

    /// Where a session stands, for it to come back to with [`Join::resume`](crate::Join::resume);
    /// `None` when it is not in, or ends. O(1). See
    /// [`Audience::resume_token`](crate::Audience::resume_token).
    pub fn resume_token(&self, now: Instant, session: SessionId) -> Option<ResumeToken> {
        self.resume_token_at(now, session, TokenAt::HandedOver)
    }

    /// As [`resume_token`](Self::resume_token), from what was handed over or what was acknowledged.
    pub fn resume_token_at(
        &self,
        now: Instant,
        session: SessionId,
        at: TokenAt,
    ) -> Option<ResumeToken> {
        self.shards.get(session)?.token_taken_at(self.admission.peek(now), session, at)
    }

    /// The client of a session has all messages of a level up to the one with this number. Returns
    /// whether the session is in and does not end. O(log log). See
    /// [`Audience::ack`](crate::Audience::ack).
    pub fn ack(&mut self, session: SessionId, level: Priority, seq: Seq) -> bool {
        self.shards.get_mut(session).is_some_and(|audience| audience.ack(session, level, seq))
    }

    /// Sends a message to one session, or to all sessions of a user, beside the room's rate and its
    /// queue: each gets it in a batch, at its level, behind what the room has dispatched so far;
    /// those who wait are to be told at once. O(sessions of the user).
    ///
    /// A session that ends still gets what was sent before, then its reason. So a kick's farewell
    /// is sent first, and then comes the [`kick`](Self::kick): afterwards the user is no recipient
    /// any more.
    ///
    /// # Errors
    /// Nobody got it, and the payload comes back. Checked in this order: the room is closed, the
    /// payload is too large, the memory that all rooms share lets no more in, nobody by that name
    /// is in, the queues of all their sessions are full. When only some are, the receipt counts
    /// them.
    pub fn send_direct(
        &mut self,
        now: Instant,
        to: Recipient,
        direct: Direct<M>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        self.shards.clear_deferred_drops();
        self.halves().send_direct(now, to, direct)
    }

    /// Ends one session, as when the host shows somebody out: it still takes what it is due, High
    /// first, then the last words, if there are any, then
    /// [`EndReason::Ended`]. From now on it is none of its user's
    /// sessions and nothing more becomes due for it; after the
    /// [grace](crate::config::RoomConfigBuilder::grace) it is gone. O(sessions of the user).
    ///
    /// The last words come at `Lowest`, behind everything else, whatever priority they have; they
    /// find a place where as many direct messages wait as may. See
    /// [`close_session`](Self::close_session) for a connection that is gone already.
    ///
    /// # Errors
    /// The room is closed, the last words are larger than a direct message may be, or the session is
    /// not in or ends already, checked in this order. Nothing has ended then, and the last words
    /// come back.
    pub fn end_session(
        &mut self,
        now: Instant,
        session: SessionId,
        farewell: Option<Direct<M>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        let answer = self.halves().end_session_as(EndReason::Ended, now, session, farewell);
        self.clear_deferred_drops();
        answer
    }

    /// Ends one session that is to go on at another server, which has the same log of the room: as
    /// [`end_session`](Self::end_session), but for the reason, which is
    /// [`EndReason::Moved`]. A [token](Self::resume_token_at) that is
    /// taken just before, at what is [due](TokenAt::Due), and goes with the last words is good for
    /// what comes after them.
    ///
    /// # Errors
    /// As there.
    pub fn move_session(
        &mut self,
        now: Instant,
        session: SessionId,
        farewell: Option<Direct<M>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        let answer = self.halves().end_session_as(EndReason::Moved, now, session, farewell);
        self.clear_deferred_drops();
        answer
    }

    /// The levels that a session does not want; `None` when it is not in. O(1).
    pub fn masked_levels(&self, session: SessionId) -> Option<LevelSet> {
        self.shards.get(session)?.masked_levels(session)
    }
}
