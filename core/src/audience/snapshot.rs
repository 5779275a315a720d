//! The books of an audience, as they are told.

use crate::direct::Directs;
use crate::gap::Skips;
use crate::ids::Seq;
use crate::ledger::Deliveries;
use crate::memory::RoomBytes;
use crate::priority::PerLevel;

/// What the audience's books say once it has applied the messages up to [`applied`](Self::applied).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct AudienceSnapshot {
    /// Calls of an audience by itself whose `now` was further ahead than one step may go, and that
    /// counted as one step. In a whole room the admission counts them.
    pub clock_steps_cut: u64,
    /// The last message applied.
    pub applied: Seq,
    /// How many messages of each level have been applied or passed over.
    pub heads: PerLevel<u64>,
    /// What became of every delivery, by level, over all sessions that are and were in.
    pub deliveries: PerLevel<Deliveries>,
    /// Of those, what was skipped, by level and cause.
    pub skips: PerLevel<Skips>,
    /// What became of every direct message, by level.
    pub directs: PerLevel<Directs>,
    /// Sessions that are in, ending ones included.
    pub sessions: u32,
    /// Of those, sessions that are not silent, guests included.
    pub online: u32,
    /// Sessions that need something beside their cursors for now: own messages behind one that
    /// they are due, a gap that they have not been told, history to be read, a mask, direct
    /// messages, an end.
    pub cold_sessions: u32,
    /// Messages in the log, by level.
    pub log: PerLevel<u32>,
    /// Payload and profile bytes in the log, by level.
    pub log_bytes: PerLevel<u64>,
    /// What this half holds, in bytes.
    pub bytes: RoomBytes,
}

impl AudienceSnapshot {
    /// The books of two parts of one room, taken together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            clock_steps_cut: self.clock_steps_cut + other.clock_steps_cut,
            applied: self.applied.min(other.applied),
            heads: PerLevel::from_fn(|level| self.heads[level].min(other.heads[level])),
            deliveries: PerLevel::from_fn(|level| self.deliveries[level] + other.deliveries[level]),
            skips: PerLevel::from_fn(|level| self.skips[level] + other.skips[level]),
            directs: PerLevel::from_fn(|level| self.directs[level] + other.directs[level]),
            sessions: self.sessions + other.sessions,
            online: self.online + other.online,
            cold_sessions: self.cold_sessions + other.cold_sessions,
            bytes: self.bytes.and(&other.bytes),
            ..*self
        }
    }
}
