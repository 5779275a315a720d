//! What single sessions are sent beside the log.

use super::super::cold_state::ColdState;
use super::super::inbox::Held;
use super::Crowd;
use crate::deferred_drops::DeferredDrops;
use crate::direct::Direct;
use crate::message::{Limit, Payload};
use crate::priority::Priority;
use alloc::sync::Arc;

impl<M: Payload> Crowd<M> {
    /// A live session is sent a message, behind what has been dispatched at its level up to `head`.
    ///
    /// # Errors
    /// As much waits for the session as may.
    pub(in crate::audience) fn send_direct(
        &mut self,
        slot: u32,
        head: u64,
        direct: &Arc<Direct<M>>,
    ) -> Result<(), Limit> {
        let inbox = self.cold(slot).and_then(ColdState::inbox);
        let bytes = direct.bytes();
        if let Some(limit) = self.cold_states.inbox_limits().refuse(inbox, bytes) {
            self.accounts.refuse_direct(direct.priority);
            return Err(limit);
        }
        self.keep_direct(slot, head, Arc::clone(direct), bytes);
        Ok(())
    }

    /// A live session is sent its last words, behind what has been dispatched at their level up to
    /// `head`. They have a place beside those of others, for nothing comes after them.
    pub(in crate::audience) fn send_farewell(&mut self, slot: u32, head: u64, farewell: Direct<M>) {
        let bytes = farewell.bytes();
        self.keep_direct(slot, head, Arc::new(farewell), bytes);
    }

    /// A session that has just come is handed what is pinned before all that it is due. It has a place
    /// beside those of others, for there are few.
    pub(in crate::audience) fn welcome(&mut self, slot: u32, pin: Arc<Direct<M>>) {
        let bytes = pin.bytes();
        self.keep_direct(slot, 0, pin, bytes);
    }

    fn keep_direct(&mut self, slot: u32, follows: u64, direct: Arc<Direct<M>>, bytes: u64) {
        self.accounts.keep_direct(direct.priority, bytes);
        self.cold_mut(slot).inbox_mut().push(Held { follows, direct, bytes });
    }

    /// Books the next of a level as handed over. The session lets go of them; what that drops is
    /// dropped outside.
    pub(super) fn deliver_directs(
        &mut self,
        slot: u32,
        level: Priority,
        count: u32,
        deferred: &mut DeferredDrops<M>,
    ) {
        if count > 0
            && let Some(cold) = self.existing_cold_mut(slot)
        {
            let inbox = cold.inbox_mut();
            let before = inbox.bytes();
            deferred.add_directs((0..count).map_while(|_| inbox.pop(level)));
            let bytes = before - inbox.bytes();
            cold.drop_empty_inbox();
            self.accounts.deliver_directs(level, count, bytes);
        }
    }

    /// A session goes that has not read them.
    pub(super) fn abandon_directs(&mut self, slot: u32, deferred: &mut DeferredDrops<M>) {
        let inbox = self.cold_states.get_mut(slot).and_then(ColdState::take_inbox);
        let Some(mut inbox) = inbox else { return };
        for level in Priority::ALL {
            let mut before = inbox.bytes();
            while let Some(direct) = inbox.pop(level) {
                deferred.add_directs([direct]);
                self.accounts.abandon_direct(level, before - inbox.bytes());
                before = inbox.bytes();
            }
        }
    }
}
