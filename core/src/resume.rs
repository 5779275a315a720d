//! The resume token, which takes a session back to where it was:
//! [clause B18](crate::rulebook#b18-resuming).

use crate::ids::SessionId;
use crate::priority::PerLevel;
use crate::time::Instant;

/// Where a session of a room stood at an instant: whoever joins with it reads on from there.
///
/// It is plain data, for a host to write in its own format. Who has one sees at most what the
/// room's log holds, and so does who makes one up: a host that hands tokens to clients signs them,
/// with the room and the user they are for. Positions are those of the whole room, so a token
/// serves in any part of its audience. A room that is made anew starts its positions anew: it knows a
/// token from before by the life of its session, and starts whoever brings one as it would a fresh
/// session ([`StartPosition::Unknown`](crate::event::StartPosition::Unknown)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeToken {
    /// The session that it was, of this life of the room: what this one said is not echoed to the
    /// one that resumes it.
    pub session: SessionId,
    /// Of each level, the first message that it had neither been handed nor been told that it
    /// missed.
    pub positions: PerLevel<u64>,
    /// When it was taken, in the time of the room.
    pub taken_at: Instant,
}
