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
    payloads: SmallVec<[M; 2]>,
    profiles: SmallVec<[Arc<M>; 1]>,
    messages: SmallVec<[Arc<Message<M>>; 2]>,
    directs: SmallVec<[Arc<Direct<M>>; 1]>,
    /// Whether any of them has something: every call asks.
    is_any: bool,
}

impl<M> Default for Debris<M> {
    fn default() -> Self {
        Self {
            payloads: SmallVec::new(),
            profiles: SmallVec::new(),
            messages: SmallVec::new(),
            directs: SmallVec::new(),
            is_any: false,
        }
    }
}

impl<M> Debris<M> {
    /// Whether there is nothing in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        !self.is_any
    }

    pub(crate) fn add_payload(&mut self, payload: M) {
        self.is_any = true;
        self.payloads.push(payload);
    }

    pub(crate) fn add_profile(&mut self, profile: Option<Arc<M>>) {
        if let Some(profile) = profile {
            self.is_any = true;
            self.profiles.push(profile);
        }
    }

    #[inline]
    pub(crate) fn add_message(&mut self, message: Arc<Message<M>>) {
        self.is_any = true;
        self.messages.push(message);
    }

    pub(crate) fn add_messages(&mut self, messages: impl IntoIterator<Item = Arc<Message<M>>>) {
        self.is_any = true;
        self.messages.extend(messages);
    }

    pub(crate) fn add_directs(&mut self, directs: impl IntoIterator<Item = Arc<Direct<M>>>) {
        self.is_any = true;
        self.directs.extend(directs);
    }

    /// Takes it out, if there is any.
    pub(crate) fn take(&mut self) -> Option<Self> {
        self.is_any.then(|| core::mem::take(self))
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.is_any {
            self.empty();
        }
    }

    fn empty(&mut self) {
        self.is_any = false;
        self.payloads.clear();
        self.profiles.clear();
        self.messages.clear();
        self.directs.clear();
    }
}
