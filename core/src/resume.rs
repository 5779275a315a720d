//! The resume token, which takes a session back to where it was:
//! [clause B18](crate::rulebook#b18-resuming).

use crate::ids::{SessionId, SessionKey};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use alloc::vec::Vec;

/// Former sessions that a token names at most.
pub const MAX_FORMERS: usize = 64;

/// Former sessions that are remembered whether or not the log holds anything that they sent: what
/// they sent may have yet to be dispatched.
pub(crate) const LATEST_FORMERS: usize = 8;

/// How far a session counts as having come when a token is taken of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenAt {
    /// What it was handed, and was told that it missed, lies before. What was on its way when the
    /// connection broke is lost.
    HandedOver,
    /// What its client has acknowledged lies before
    /// ([`RoomState::ack`](crate::RoomState::ack)), at each level for itself; of a level that it
    /// has acknowledged nothing of, nothing since it joined. Whatever was on its way comes
    /// again, and the client drops what it has by [`Message::seq`](crate::Message::seq).
    Acknowledged,
    /// All that is due to it by now lies before, as if it had taken that: for last words, which come
    /// behind it ([`RoomState::move_session`](crate::RoomState::move_session)).
    Due,
}

/// Where a session stood before it took a batch: [`Batch::rewind`](crate::Batch::rewind).
///
/// For hosts that took a batch and could not send it: the token of the session, taken before it
/// takes another one, goes back over it with [`ResumeToken::rewound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewind(pub(crate) PerLevel<u64>);

/// Where a session of a room stood at an instant: whoever joins with it reads on from there.
///
/// It is plain data, for a host to write in its own format; the crate `roomcast` has one that is
/// opaque and authenticated. Who makes one up reads at most what a genuine one could tell of:
/// nothing that was dispatched longer than [`resume_within`] ago, and no more than
/// [`resume_messages`] of a level. But its session may be that of a stranger, who is named where he
/// or she is in: a host that hands tokens to clients signs them, with the user they are for.
///
/// Positions are those of the whole room, so a token serves in any part of its audience. A room
/// that is made anew starts its positions anew: it knows a token from before by the life of its
/// session, and starts whoever brings one as it would a fresh session
/// ([`StartPosition::Unknown`](crate::event::StartPosition::Unknown)).
///
/// [`resume_within`]: crate::config::RoomConfigBuilder::resume_within
/// [`resume_messages`]: crate::config::RoomConfigBuilder::resume_messages
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeToken {
    /// The session that it was, of this life of the room: what this one said is not echoed to the
    /// one that resumes it.
    pub session: SessionId,
    /// The sessions that this one had resumed, the oldest first, at most [`MAX_FORMERS`]; of more,
    /// the last count. What they said is not echoed either.
    pub formers: Vec<SessionKey>,
    /// Of each level, the first message that it had neither been handed nor been told that it
    /// missed.
    pub positions: PerLevel<u64>,
    /// When it was taken, in the time of the room.
    pub taken_at: Instant,
}

impl Default for Rewind {
    /// Nothing was taken.
    fn default() -> Self {
        Self(PerLevel([u64::MAX; Priority::NUM]))
    }
}

impl Rewind {
    /// Where the session stood before it took either of two batches.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(PerLevel::from_fn(|level| self.0[level].min(other.0[level])))
    }
}

impl ResumeToken {
    /// The same token, but of before the session took this batch.
    pub fn rewound(mut self, batch: &Rewind) -> Self {
        for level in Priority::ALL {
            self.positions[level] = self.positions[level].min(batch.0[level]);
        }
        self
    }
}
