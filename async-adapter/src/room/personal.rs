//! Calls that concern one session: they go to the shard that it is in.

use super::SharedRoom;
use super::token::ResumeToken;
use crate::sync::Arc;
use roomcast_core::direct::{DirectReceipt, DirectRefused};
use roomcast_core::level_set::LevelSet;
use roomcast_core::{Direct, Payload, Recipient, SessionId};

impl<M: Payload + Send + Sync + 'static> SharedRoom<M> {
    /// Sets the levels that a session does not want; what was dispatched before the call is settled
    /// first. Returns whether it is in.
    pub(crate) fn set_masked_levels(&self, session: SessionId, mask: LevelSet) -> bool {
        let Some(shard) = self.shard_of(session) else { return false };
        shard.enter(|state| {
            self.catch_up(shard, &mut state.audience);
            state.audience.set_masked_levels(session, mask)
        })
    }

    /// Where a session stands; `None` when it is not in, or ends.
    pub(crate) fn resume_token(&self, session: SessionId) -> Option<ResumeToken> {
        let (shard, user) = (self.shard_of(session)?, self.user_of(session));
        // What has been dispatched and not picked up lies behind a masked level's head.
        let token = shard.enter(|state| {
            self.catch_up(shard, &mut state.audience);
            state.audience.resume_token(self.now(), session)
        })?;
        // A user's session that is in is known as such, unless it has gone in between.
        (session.is_guest() || user.is_some()).then(|| self.seal(&token, user))
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
