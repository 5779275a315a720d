//! Whether a room closed by itself, because nobody was in, and may be opened anew by who joins.

use super::SharedRoom;
use crate::sync::atomic::{AtomicU8, Ordering};

const NOT_EXPIRED: u8 = 0;
const EXPIRED: u8 = 1;
const STAYS_CLOSED: u8 = 2;

/// How a room's end came about.
#[derive(Debug, Default)]
pub(crate) struct Expiry(AtomicU8);

impl Expiry {
    /// The room has closed by itself.
    pub(crate) fn expire(&self) {
        // One that the host has removed stays closed.
        let _ = self.0.compare_exchange(NOT_EXPIRED, EXPIRED, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The host has removed the room.
    pub(crate) fn stay_closed(&self) {
        self.0.swap(STAYS_CLOSED, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn has_expired(&self) -> bool {
        self.0.load(Ordering::Acquire) == EXPIRED
    }
}

impl<M> SharedRoom<M> {
    /// Whether the room closed by itself, because nobody was in: nobody asked for that.
    #[inline]
    pub(crate) fn has_expired(&self) -> bool {
        self.expiry.has_expired()
    }

    /// The host has removed the room: however it ends, nobody who joins opens it anew.
    pub(crate) fn stay_closed(&self) {
        self.expiry.stay_closed();
    }
}
