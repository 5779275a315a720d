//! What comes with a message that an edge has let in:
//! [clause B17](crate::rulebook#b17-admission-at-an-edge).

use crate::time::Instant;
use alloc::sync::Arc;

/// Whether a host has decided on a message already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reviewed {
    /// Nobody has.
    #[default]
    NotYet,
    /// It has passed the review of an edge, and waits for no other one.
    AtEdge,
}

/// What comes with a message that an edge has let in: what has begun there is not begun anew at the
/// room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Relayed<M> {
    /// When the edge let it in, in the room's time; `None`: now. Its deadline counts from then, and
    /// it stands in the queue where it would if it had come then. One from the future counts as of
    /// now.
    ///
    /// Where the edge has another clock, a host sends the age along, and takes it from the room's
    /// time.
    pub admitted_at: Option<Instant>,
    /// Whether it has passed the edge's review.
    pub reviewed: Reviewed,
    /// The sender's profile, within the room's `profile_bytes`.
    pub profile: Option<Arc<M>>,
}

impl<M> Default for Relayed<M> {
    /// It was let in now, nobody has decided on it, and it has no profile.
    fn default() -> Self {
        Self { admitted_at: None, reviewed: Reviewed::NotYet, profile: None }
    }
}
