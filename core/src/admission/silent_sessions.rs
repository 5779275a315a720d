//! Which sessions are silent. Only those are kept, so a room without any pays nothing.

use crate::chunked::Chunked;
use crate::ids::SessionKey;

/// The silent sessions of users, by slot.
#[derive(Debug)]
pub(super) struct SilentSessions {
    /// A bit for each slot.
    slots: Chunked<u64>,
    len: u32,
}

impl SilentSessions {
    pub(super) fn new() -> Self {
        Self { slots: Chunked::new(), len: 0 }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn contains(&self, session: SessionKey) -> bool {
        let slot = session.slot();
        self.slots.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 != 0)
    }

    /// Returns whether that was news.
    pub(super) fn insert(&mut self, session: SessionKey) -> bool {
        let (slot, is_new) = (session.slot(), !self.contains(session));
        if is_new {
            self.slots.touch(slot / 64, 0);
            self.slots[slot / 64] |= 1 << (slot % 64);
            self.len += 1;
        }
        is_new
    }

    /// Returns whether it was in.
    #[inline]
    pub(super) fn remove(&mut self, session: SessionKey) -> bool {
        if self.is_empty() || !self.contains(session) {
            return false;
        }
        let slot = session.slot();
        self.slots[slot / 64] &= !(1 << (slot % 64));
        self.len -= 1;
        true
    }
}
