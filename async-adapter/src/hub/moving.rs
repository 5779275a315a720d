//! Members that go on at another server, before this one stops.

use super::name::Name;
use super::room::Room;
use crate::room::personal::Moved;
use crate::room::token::ResumeToken;
use roomcast_core::{Direct, Payload, SessionId};

impl<M: Payload + Send + Sync + 'static, U: Name> Room<M, U> {
    /// From now on nobody joins the room: [`JoinError::ShuttingDown`](crate::error::JoinError::ShuttingDown). Those who are in stay, and what
    /// they say is let in as ever; before [`move_sessions`](Self::move_sessions), lest those come back
    /// here. There is no way back.
    pub fn refuse_joins(&self) {
        self.current().refuse_joins();
    }

    /// Ends up to `most` sessions that are to go on at another server: each still takes what it is due,
    /// then what `farewell` makes of its token, then [`EndReason::Moved`](crate::event::EndReason::Moved).
    /// The token is one of behind the last words, and good where the room's log is the same
    /// ([`EdgeStart`](crate::edge::EdgeStart)); what went out between the two is due to it as well, so a
    /// client drops what it has by number. Called again and again, it goes round all sessions: a server
    /// that stops spreads its members over some time, lest all come back at once.
    ///
    /// ```
    /// # use roomcast::error::SessionEnd;
    /// # use roomcast::event::EndReason;
    /// # use roomcast::{Direct, Hub, Join, RoomConfig, RoomId};
    /// # let hub = Hub::<String>::builder().spawn_threads()?;
    /// # let room = hub.open_room(RoomId(42), &RoomConfig::default())?;
    /// let mut guest = room.join(Join::guest())?;
    /// room.refuse_joins();
    /// let moved = room.move_sessions(100, |_, token| Some(Direct::new(format!("come back with {token}"))));
    /// assert_eq!((moved.sessions, moved.unsaid), (1, 0));
    ///
    /// let batch = guest.try_next_batch()?.expect("the last words are due");
    /// assert!(batch.directs().next().is_some_and(|words| words.payload.starts_with("come back")));
    /// assert_eq!(guest.try_next_batch().unwrap_err(), SessionEnd::Closed(EndReason::Moved));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// For each session two locks of its shard and one of the admission, none held in between; a walk
    /// over the slots of the room, which the next call continues.
    pub fn move_sessions(
        &self,
        most: usize,
        farewell: impl FnMut(SessionId, ResumeToken) -> Option<Direct<M>>,
    ) -> Moved {
        self.current().move_sessions(most, farewell)
    }
}
