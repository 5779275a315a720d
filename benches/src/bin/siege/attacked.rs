//! What one attack did.

use crate::attack::Attack;
use crate::watchers::Watched;
use serde::Serialize;

/// What an attack did to a server.
#[derive(Debug, Serialize)]
pub(crate) struct Attacked {
    pub(crate) attack: Attack,
    /// How often hostile clients did what they do.
    pub(crate) count: u64,
    /// Bytes that the server held before, and the most that it held until the attack was over.
    pub(crate) resident_before: u64,
    pub(crate) resident_peak: u64,
    /// Descriptors of the server before and after.
    pub(crate) descriptors_before: usize,
    pub(crate) descriptors_after: usize,
    /// Connections that the pump gave up because they took nothing.
    pub(crate) stalled: u64,
    /// Sessions that are left beside the healthy peers'.
    pub(crate) strangers: u32,
    pub(crate) balances: bool,
    #[serde(flatten)]
    pub(crate) watched: Watched,
}

impl Attacked {
    /// Bytes by which the server grew at the most.
    pub(crate) fn growth(&self) -> u64 {
        self.resident_peak.saturating_sub(self.resident_before)
    }
}
