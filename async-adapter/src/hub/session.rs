//! One session of a room, looked up by its id.

use super::current::Current;
use crate::room::token::ResumeToken;
use roomcast_core::direct::DirectRefused;
use roomcast_core::event::EndReason;
use roomcast_core::ids::Seq;
use roomcast_core::ledger::{Deliveries, Skips};
use roomcast_core::level_set::LevelSet;
use roomcast_core::resume::TokenAt;
use roomcast_core::{Direct, Payload, PerLevel, Priority, SessionId};

/// One session of a room: [`Room::session`](crate::Room::session).
///
/// ```
/// # use roomcast::{Hub, Join, RoomConfig, RoomId};
/// let hub = Hub::<&str>::builder().spawn_threads()?;
/// let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
/// let guest = room.join(Join::guest())?;
/// assert!(room.session(guest.session()).close());
/// assert!(!room.session(guest.session()).touch(), "it is gone");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until something is asked for"]
pub struct Session<'a, M: Payload + Send + Sync + 'static> {
    shared: Current<'a, M>,
    id: SessionId,
}

impl<'a, M: Payload + Send + Sync + 'static> Session<'a, M> {
    pub(super) fn new(shared: Current<'a, M>, id: SessionId) -> Self {
        Self { shared, id }
    }

    /// Takes one session out at once; its subscription learns that it is gone. Returns whether it
    /// was in. O(1); takes the locks of its shard and of the admission.
    pub fn close(&self) -> bool {
        self.shared.close_session(self.id)
    }

    /// Ends the session: it still takes what it is due, then the last words, then
    /// [`EndReason::Ended`](crate::event::EndReason::Ended). See
    /// [`Room::end_session`](crate::Room::end_session).
    ///
    /// # Errors
    /// As [`Room::end_session`](crate::Room::end_session).
    pub fn end(
        &self,
        farewell: impl Into<Option<Direct<M>>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        self.shared.end_session(self.id, farewell.into())
    }

    /// Ends the session as [`end`](Self::end) does, but as
    /// [`EndReason::Moved`](crate::event::EndReason::Moved): its client is to come back at another
    /// server. See [`Room::move_sessions`](crate::Room::move_sessions).
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn move_away(
        &self,
        farewell: impl Into<Option<Direct<M>>>,
    ) -> Result<(), DirectRefused<Option<M>>> {
        self.shared.end_as(EndReason::Moved, self.id, farewell.into())
    }

    /// Sets the levels that a session does not want, from the next message on; returns whether it
    /// is in. See [`Audience::set_masked_levels`](crate::core::Audience::set_masked_levels).
    pub fn set_masked_levels(&self, mask: LevelSet) -> bool {
        self.shared.set_masked_levels(self.id, mask)
    }

    /// Returns where a session stands, for it to come back to with
    /// [`Join::resume`](crate::Join::resume), in any shard; `None` when it is not in, or ends. A
    /// host whose client is back before its old connection was found dead closes that session
    /// first, and then joins with the token.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.resume_token_at(TokenAt::HandedOver)
    }

    /// Returns where the session stands: behind what was handed over, or with
    /// [`TokenAt::Acknowledged`](crate::session::TokenAt) behind what the client has acknowledged
    /// ([`ack`](Self::ack)), at each level for itself. Then whatever was on its way when the
    /// connection broke comes again, and the client drops what it has by number.
    pub fn resume_token_at(&self, at: TokenAt) -> Option<ResumeToken> {
        self.shared.resume_token(self.id, at)
    }

    /// The client says that it has all messages of a level up to the one with this number
    /// ([`Message::seq`](crate::Message::seq)); what stands acknowledged never goes back, nor
    /// beyond what was handed over. Returns whether the session is in and does not end. See
    /// [`resume_token_at`](Self::resume_token_at).
    pub fn ack(&self, priority: Priority, seq: Seq) -> bool {
        self.shared.ack(self.id, priority, seq)
    }

    /// Returns what became of the session's deliveries, by level, up to what was dispatched before
    /// the call; `None` when it is not in. Takes the lock of its shard.
    pub fn deliveries(&self) -> Option<PerLevel<Deliveries>> {
        self.shared.deliveries(self.id)
    }

    /// Returns what the session has skipped since it joined, by level and cause; `None` when it is
    /// not in. Whoever is behind a narrow link skips for [`Age`](crate::GapCause::Age), whoever is
    /// away for long is also [overrun](crate::GapCause::Overrun). O(1); takes the lock of its
    /// shard.
    pub fn skips(&self) -> Option<PerLevel<Skips>> {
        self.shared.skips(self.id)
    }

    /// A session shows life, as with each heartbeat that its client sends. Returns whether it is in
    /// and nothing has closed it.
    ///
    /// Where the room's [`heartbeat`](crate::config::RoomConfigBuilder::heartbeat) is set, a host
    /// calls this for whatever a connection says beside its messages: publishing is a sign of life
    /// by itself. O(1); takes the lock of the shard that the session sits in.
    pub fn touch(&self) -> bool {
        self.shared.touch(self.id)
    }
}
