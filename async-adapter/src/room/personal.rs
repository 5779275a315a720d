//! Calls that concern one session: they go to the shard that it is in.

use super::SharedRoom;
use super::token;
use crate::sync::Arc;
use roomcast_core::direct::{DirectReason, DirectReceipt, DirectRefused};
use roomcast_core::event::EndReason;
use roomcast_core::ids::Seq;
use roomcast_core::ledger::{Deliveries, Skips};
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::{ResumeToken, Rewind, TokenAt};
use roomcast_core::{Direct, Payload, PerLevel, Priority, Recipient, SessionId};

/// What [`Room::move_sessions`](crate::Room::move_sessions) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Sessions that end, as moved.
    pub sessions: usize,
    /// Those of them whose last words were larger than a direct message may be, and were left out.
    pub unsaid: usize,
}

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Sets the levels that a session does not want; what was dispatched before the call is settled
    /// first. Returns whether it is in.
    pub(crate) fn set_masked_levels(&self, session: SessionId, mask: LevelSet) -> bool {
        let Some(shard) = self.shard_of(session) else { return false };
        let now = self.now();
        shard.enter(|state| {
            self.catch_up(shard, &mut state.audience);
            state.audience.set_masked_levels(now, session, mask)
        })
    }

    /// The books of a session, up to what was dispatched before the call; `None` when it is not in.
    pub(crate) fn deliveries(self: &Arc<Self>, session: SessionId) -> Option<PerLevel<Deliveries>> {
        self.settle_gone();
        let shard = self.shard_of(session)?;
        shard.enter(|state| {
            self.catch_up(shard, &mut state.audience);
            state.audience.deliveries(session)
        })
    }

    /// What a session has skipped, by cause; `None` when it is not in.
    pub(crate) fn skips(self: &Arc<Self>, session: SessionId) -> Option<PerLevel<Skips>> {
        self.settle_gone();
        self.shard_of(session)?.enter(|state| state.audience.skips(session))
    }

    /// The client of a session has all of a level up to this number. Returns whether the session is
    /// in.
    pub(crate) fn ack(&self, session: SessionId, level: Priority, seq: Seq) -> bool {
        let Some(shard) = self.shard_of(session) else { return false };
        shard.enter(|state| state.audience.ack(session, level, seq))
    }

    /// Where a session stands; `None` when it is not in, or ends.
    pub(crate) fn resume_token(
        &self,
        session: SessionId,
        at: TokenAt,
    ) -> Option<token::ResumeToken> {
        self.resume_token_over(session, at, None)
    }

    /// As [`resume_token`](Self::resume_token), and where that is behind what it took last, before
    /// that.
    pub(crate) fn resume_token_over(
        &self,
        session: SessionId,
        at: TokenAt,
        unsent: Option<&Rewind>,
    ) -> Option<token::ResumeToken> {
        let (shard, user) = (self.shard_of(session)?, self.user_of(session));
        // What has been dispatched and not picked up lies behind a masked level's head.
        let token = shard.enter(|state| {
            self.catch_up(shard, &mut state.audience);
            state.audience.resume_token_at(self.now(), session, at)
        })?;
        let token = unsent.into_iter().fold(token, ResumeToken::rewound);
        // A user's session that is in is known as such, unless it has gone in between.
        (session.is_guest() || user.is_some()).then(|| self.seal(&token, user))
    }

    /// Where the client of a session goes on whose connection has broken: behind what it has
    /// acknowledged, if it acknowledges, or else before what could not be sent.
    pub(crate) fn end_token(
        &self,
        session: SessionId,
        unsent: Option<&Rewind>,
    ) -> Option<token::ResumeToken> {
        let shard = self.shard_of(session)?;
        let acknowledges = shard.enter(|state| state.audience.acknowledges(session));
        let at = if acknowledges { TokenAt::Acknowledged } else { TokenAt::HandedOver };
        self.resume_token_over(session, at, unsent)
    }

    /// Ends a session: it takes what it is due, then the last words, then the reason.
    pub(crate) fn end_session(
        self: &Arc<Self>,
        session: SessionId,
        farewell: Option<Direct<M>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        self.end_as(EndReason::Ended, session, farewell)
    }

    /// As [`end_session`](Self::end_session), for this reason.
    pub(crate) fn end_as(
        self: &Arc<Self>,
        reason: EndReason,
        session: SessionId,
        farewell: Option<Direct<M>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        self.settle_gone();
        self.in_shards(&[self.shard_number(session)], |halves, now| {
            halves.end_session_as(reason, now, session, farewell)
        })
    }

    /// Ends up to `most` sessions as moved, each with what `farewell` says to its token.
    pub(crate) fn move_sessions(
        self: &Arc<Self>,
        most: usize,
        mut farewell: impl FnMut(SessionId, token::ResumeToken) -> Option<Direct<M>>,
    ) -> Moved {
        self.settle_gone();
        let mut moved = Moved::default();
        let shards: Vec<_> = self.shards().cloned().collect();
        for shard in &shards {
            loop {
                let before = moved.sessions;
                let found = shard.enter(|state| state.audience.walk(most - before));
                for session in found {
                    // One without a token is about to go.
                    let token = self.resume_token(session, TokenAt::Due);
                    let farewell = token.and_then(|token| farewell(session, token));
                    self.move_session(session, farewell, &mut moved);
                }
                if moved.sessions == before {
                    break;
                }
            }
        }
        moved
    }

    fn move_session(
        self: &Arc<Self>,
        session: SessionId,
        farewell: Option<Direct<M>>,
        moved: &mut Moved,
    ) {
        let end = |farewell| self.end_as(EndReason::Moved, session, farewell);
        let answer = match end(farewell) {
            Err(DirectRefused { reason: DirectReason::TooLarge { .. }, .. }) => {
                moved.unsaid += 1;
                end(None)
            }
            answer => answer,
        };
        moved.sessions += usize::from(answer.is_ok());
    }

    /// Sends a message to one session or to one user: behind all that was dispatched before the
    /// call. Those who wait for it are woken.
    pub(crate) fn send_direct(
        self: &Arc<Self>,
        to: Recipient,
        direct: Direct<M>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        self.settle_gone();
        match to {
            Recipient::Session(session) => self
                .in_shards(&[self.shard_number(session)], |halves, now| {
                    halves.send_direct(now, to, direct)
                }),
            Recipient::User(_) => self.in_all(|halves, now| halves.send_direct(now, to, direct)),
        }
    }
}
