//! Pinned messages, which everyone who joins gets first: [clause C4](crate::rulebook#c4-pinned-messages).

use crate::direct::Direct;
use crate::error::ModerationError;
pub use crate::ids::PinId;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// How many messages may be pinned in a room at one time.
pub const MAX_PINS: u32 = 3;

/// Why a message was not pinned. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinReason {
    /// The room is closed, or the actor is neither the host, the owner nor an admin.
    #[error(transparent)]
    Moderation(#[from] ModerationError),
    /// It is larger than a payload of this room may be.
    #[error("payload too large: {size} bytes (limit {max})")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most it may be.
        max: u32,
    },
    /// As many are pinned as may be, and none of them has this number.
    #[error("too many pinned messages (limit {max}); replace or unpin one")]
    Full {
        /// The most.
        max: u32,
    },
    /// What rooms hold that does not give way takes more than half of the memory that all may take,
    /// or the memory is full.
    #[error("memory of all rooms full (limit {limit} bytes)")]
    MemoryFull {
        /// How many bytes all rooms may hold.
        limit: u64,
    },
}

/// A message that was not pinned. It hands the payload back.
#[derive(Clone, PartialEq, Eq)]
pub struct PinRefused<M> {
    /// Why.
    pub reason: PinReason,
    /// What was to be pinned.
    pub payload: M,
}

impl<M> fmt::Display for PinRefused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not pinned: {}", self.reason)
    }
}

impl<M> fmt::Debug for PinRefused<M> {
    /// Without the payload, which need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinRefused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<M> core::error::Error for PinRefused<M> {}

/// What is pinned in a room, in the order in which it was.
#[derive(Debug)]
pub(crate) struct Pins<M> {
    pins: Vec<Pinned<M>>,
}

/// A pinned message.
#[derive(Debug)]
struct Pinned<M> {
    id: PinId,
    direct: Arc<Direct<M>>,
    /// The size of its payload, as it was pinned.
    size: u64,
}

impl<M> Default for Pins<M> {
    fn default() -> Self {
        Self { pins: Vec::new() }
    }
}

impl<M> Pins<M> {
    /// Returns the numbers of what is pinned.
    pub(crate) fn ids(&self) -> impl Iterator<Item = PinId> + '_ {
        self.pins.iter().map(|pin| pin.id)
    }

    /// Returns what is pinned.
    pub(crate) fn directs(&self) -> impl Iterator<Item = &Arc<Direct<M>>> {
        self.pins.iter().map(|pin| &pin.direct)
    }

    /// Returns the bytes of what is pinned.
    pub(crate) fn bytes(&self) -> u64 {
        self.pins.iter().map(|pin| pin.size).sum()
    }

    /// Returns whether one more may be pinned under this number, or takes the place of what is.
    pub(crate) fn has_place_for(&self, id: PinId) -> bool {
        self.pins.len() < MAX_PINS as usize || self.ids().any(|other| other == id)
    }

    /// Pins a message; returns what it takes the place of.
    pub(crate) fn pin(
        &mut self,
        id: PinId,
        direct: Direct<M>,
        size: u64,
    ) -> Option<Arc<Direct<M>>> {
        let direct = Arc::new(direct);
        if let Some(pin) = self.pins.iter_mut().find(|pin| pin.id == id) {
            pin.size = size;
            return Some(core::mem::replace(&mut pin.direct, direct));
        }
        self.pins.push(Pinned { id, direct, size });
        None
    }

    /// Takes out what is pinned under a number.
    pub(crate) fn unpin(&mut self, id: PinId) -> Option<Arc<Direct<M>>> {
        let place = self.ids().position(|other| other == id)?;
        Some(self.pins.remove(place).direct)
    }

    /// Returns whether nothing is pinned.
    pub(crate) fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }
}
