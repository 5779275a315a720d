//! Statistics: what became of every message and of every delivery.

pub use crate::hub::drain::DrainReport;
#[cfg(feature = "tokio")]
pub use crate::pump::PumpStats;
pub use roomcast_core::admission::{AdmissionSnapshot, ModerationCounts};
pub use roomcast_core::audience::AudienceSnapshot;
pub use roomcast_core::direct::Directs;
pub use roomcast_core::ledger::{
    Deliveries, DropReason, Ledger, LevelLedger, Reason, RefusalReason, Skips, Tally, Units,
};
pub use roomcast_core::memory::{MemoryUse, RoomBytes};
pub use roomcast_core::room::RoomSnapshot;

use roomcast_core::Priority;

/// The books of a room and of its transports at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RoomStats {
    /// The books of the room.
    pub room: RoomSnapshot,
    /// Messages that count as delivered and that a transport could not send: what
    /// [`forward`](crate::forward) took and lost.
    pub unsent: u64,
}

impl RoomStats {
    /// Returns how many messages of a priority were offered.
    pub fn submitted(&self, priority: Priority) -> u64 {
        self.level(priority).submitted
    }

    /// Returns how many messages of a priority were refused for a reason.
    pub fn refused(&self, priority: Priority, reason: RefusalReason) -> u64 {
        self.level(priority).refused.count(reason)
    }

    /// Returns how many messages of a priority were let in and dropped for a reason.
    pub fn dropped(&self, priority: Priority, reason: DropReason) -> u64 {
        self.level(priority).dropped.count(reason)
    }

    /// Returns how many messages of a priority were dispatched.
    pub fn dispatched(&self, priority: Priority) -> u64 {
        self.level(priority).dispatched
    }

    /// Returns how many messages of a priority wait in the queue.
    pub fn queued(&self, priority: Priority) -> u64 {
        self.level(priority).queued
    }

    /// Returns what became of the deliveries of a priority, over all sessions that are or were in.
    pub fn deliveries(&self, priority: Priority) -> Deliveries {
        self.room.audience.deliveries[priority]
    }

    /// Returns how many sessions are in, guests included.
    pub fn sessions(&self) -> u32 {
        self.room.audience.sessions
    }

    /// Returns how many users are online.
    pub fn users_online(&self) -> u32 {
        self.room.admission.online
    }

    /// Whether the books balance in every row.
    pub fn balances(&self) -> bool {
        self.room.balances()
    }

    fn level(&self, priority: Priority) -> &LevelLedger {
        &self.room.admission.ledger.levels[priority]
    }
}
