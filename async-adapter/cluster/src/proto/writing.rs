//! A flight on its way to the log.

use crate::bus::CallId;
use crate::wire::Flight;
use bytes::Bytes;
use roomcast_core::Instant;

/// A flight on its way to the log.
#[derive(Debug)]
pub(super) struct Writing<M> {
    pub(super) flight: Flight<M>,
    pub(super) bytes: Bytes,
    /// The append that is on its way: an answer to an earlier one says nothing of this flight.
    pub(super) call: Option<CallId>,
    /// When to ask what became of it.
    pub(super) ask_at: Option<Instant>,
}

impl<M> Writing<M> {
    pub(super) fn due(&self) -> Option<Instant> {
        self.ask_at
    }
}
