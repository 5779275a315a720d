//! What is to be dropped where no lock is held.

use crate::direct::Direct;
use crate::message::Message;
use alloc::sync::Arc;
use smallvec::SmallVec;

/// What a half of a room is done with: payloads, profiles, messages that fell out of the log, direct messages that were read.
///
/// Dropping a payload may run code of the host's. Who calls a half under a lock takes the debris out and drops it once the lock is free
/// (decision D6); who does not need not ask, the next call clears it away.
#[derive(Debug)]
#[must_use = "take it to drop it outside the lock"]
pub struct Debris<M> {
    pub(crate) payloads: SmallVec<[M; 2]>,
    pub(crate) profiles: SmallVec<[Arc<M>; 1]>,
    pub(crate) messages: SmallVec<[Arc<Message<M>>; 2]>,
    pub(crate) directs: SmallVec<[Arc<Direct<M>>; 1]>,
}

impl<M> Default for Debris<M> {
    fn default() -> Self {
        Self { payloads: SmallVec::new(), profiles: SmallVec::new(), messages: SmallVec::new(), directs: SmallVec::new() }
    }
}

impl<M> Debris<M> {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty() && self.profiles.is_empty() && self.messages.is_empty() && self.directs.is_empty()
    }

    /// Takes it out, if there is any.
    pub(crate) fn take(&mut self) -> Option<Self> {
        (!self.is_empty()).then(|| core::mem::take(self))
    }

    pub(crate) fn clear(&mut self) {
        if !self.payloads.is_empty() {
            self.payloads = SmallVec::new();
        }
        if !self.profiles.is_empty() {
            self.profiles = SmallVec::new();
        }
        if !self.messages.is_empty() {
            self.messages = SmallVec::new();
        }
        if !self.directs.is_empty() {
            self.directs = SmallVec::new();
        }
    }
}
