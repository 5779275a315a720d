//! A walk over the sessions, some at a time.

use super::Audience;
use crate::ids::SessionId;
use crate::message::Payload;
use alloc::vec::Vec;

impl<M: Payload> Audience<M> {
    /// Returns up to `most` sessions that are in and that nothing has closed, going on from where the
    /// last call stopped and round again, none of them twice. Those that come meanwhile may be left
    /// out. O(slots) at the worst.
    pub fn walk(&mut self, most: usize) -> Vec<SessionId> {
        let slots = if self.closing.is_closed() { 0 } else { self.crowd.sessions().slots() };
        let from = self.closing.walked_to.min(slots);
        let mut found = Vec::new();
        for slot in (from..slots).chain(0..from) {
            if found.len() >= most {
                break;
            }
            self.closing.walked_to = slot + 1;
            let holder = self.crowd.sessions().holder(slot);
            found.extend(
                holder
                    .filter(|_| self.crowd.ending(slot).is_none())
                    .map(|key| key.in_life(self.life)),
            );
        }
        found
    }
}
