//! Direct messages: a bounded queue beside the log for each session that is sent some.

use super::Audience;
use crate::direct::{Direct, DirectReason, Recipient};
use crate::ids::SessionId;
use crate::message::{Limit, Payload};
use crate::priority::{PerLevel, Priority};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// What waits for one session beside the log. There is one only while something does.
#[derive(Debug)]
pub(super) struct Inbox<M> {
    levels: PerLevel<VecDeque<Held<M>>>,
    messages: u32,
    bytes: u64,
}

/// A direct message, and its place among the room's messages of its level.
#[derive(Debug)]
pub(super) struct Held<M> {
    /// How many of those had been dispatched before it.
    pub(super) follows: u64,
    pub(super) direct: Arc<Direct<M>>,
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self { levels: PerLevel::from_fn(|_| VecDeque::new()), messages: 0, bytes: 0 }
    }
}

impl<M> Inbox<M> {
    /// What waits at one level, in order.
    pub(super) fn at(&self, level: Priority) -> &VecDeque<Held<M>> {
        &self.levels[level]
    }
}

impl<M: Payload> Inbox<M> {
    fn push(&mut self, held: Held<M>) {
        self.messages += 1;
        self.bytes += held.direct.bytes();
        self.levels[held.direct.priority].push_back(held);
    }

    fn pop(&mut self, level: Priority) -> Option<Arc<Direct<M>>> {
        let direct = self.levels[level].pop_front()?.direct;
        self.messages -= 1;
        self.bytes -= direct.bytes();
        Some(direct)
    }
}

impl<M: Payload> Audience<M> {
    /// Sends a message to one session, beside the log: the session gets it in a batch, at its
    /// level, behind what has been applied so far and before what comes later; those who wait are
    /// to be told at once. O(1).
    ///
    /// [`Admission::send_direct`](crate::Admission::send_direct) checks the size, knows which
    /// sessions a user has, and calls this for each of them. A session that ends still gets what
    /// was sent before, then its reason: a farewell is sent first, then comes the kick.
    ///
    /// # Errors
    /// The audience is closed, the session is not in or ends, or as much waits for it as may.
    pub fn send_direct(
        &mut self,
        now: Instant,
        session: SessionId,
        direct: &Arc<Direct<M>>,
    ) -> Result<(), DirectReason> {
        let now = self.clock.advance(now);
        if self.closed.is_some() {
            return Err(DirectReason::RoomClosed);
        }
        let slot = self.sessions.slot_of(session).filter(|&slot| self.ending(slot).is_none());
        let slot = slot.ok_or(DirectReason::NoRecipient { to: Recipient::Session(session) })?;
        let level = direct.priority;
        self.directs[level].sent += 1;
        if let Some(limit) = self.direct_limit(slot, direct.bytes()) {
            self.directs[level].refused += 1;
            return Err(DirectReason::QueueFull { limit });
        }
        let held = Held { follows: self.log.head(level), direct: Arc::clone(direct) };
        self.cold_mut(slot).inbox.get_or_insert_default().push(held);
        self.directs[level].pending += 1;
        self.wake_by(now);
        Ok(())
    }

    /// The limit that keeps so many more bytes out of a session's queue, if one does.
    fn direct_limit(&self, slot: u32, bytes: u64) -> Option<Limit> {
        let inbox = self.cold(slot).and_then(|cold| cold.inbox.as_ref());
        let (messages, held) = inbox.map_or((0, 0), |inbox| (inbox.messages, inbox.bytes));
        let (max_messages, max_bytes) = self.direct_limits;
        if messages >= max_messages {
            return Some(Limit::DirectMessages { max: max_messages });
        }
        (held.saturating_add(bytes) > max_bytes).then_some(Limit::DirectBytes { max: max_bytes })
    }

    /// Books the next of a level as handed over. The session lets go of them; what that drops is
    /// dropped outside.
    pub(super) fn deliver_directs(&mut self, slot: u32, level: Priority, count: u32) {
        if count > 0 && self.sessions.is_cold(slot) {
            let Some(cold) = self.cold_states.get_mut(slot) else { return };
            let Some(inbox) = &mut cold.inbox else { return };
            self.deferred.add_directs((0..count).map_while(|_| inbox.pop(level)));
            if inbox.messages == 0 {
                cold.inbox = None;
            }
            self.directs[level].pending -= u64::from(count);
            self.directs[level].delivered += u64::from(count);
        }
    }

    /// A session goes that has not read them.
    pub(super) fn abandon_directs(&mut self, slot: u32) {
        let Some(mut inbox) = self.cold_states.get_mut(slot).and_then(|cold| cold.inbox.take())
        else {
            return;
        };
        for level in Priority::ALL {
            while let Some(direct) = inbox.pop(level) {
                self.deferred.add_directs([direct]);
                self.directs[level].pending -= 1;
                self.directs[level].abandoned += 1;
            }
        }
    }
}
