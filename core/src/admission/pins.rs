//! Pinned messages: [clause C4](crate::rulebook#c4-pinned-messages).

use super::{Actor, Admission};
use crate::direct::Direct;
use crate::error::ModerationError;
use crate::message::Payload;
use crate::pins::{MAX_PINS, PinId, PinReason, PinRefused, Pins};
use crate::priority::Priority;
use crate::rights::Action;
use crate::system_messages::SystemMessageKind;
use crate::time::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<M: Payload> Admission<M> {
    /// Pins a message under a number of the host's, in the place of what has that number. See
    /// [`RoomState::pin`](crate::RoomState::pin).
    ///
    /// # Errors
    /// The payload comes back, and nothing has changed.
    pub fn pin(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
        direct: Direct<M>,
    ) -> Result<(), PinRefused<M>> {
        // To ask runs code of the host's.
        let (size, max) = (direct.payload.size(), self.settings.payload_bytes);
        let allowed = self.allows_at(now, actor, Action::Pin);
        let reason = match allowed {
            Err(error) => Some(PinReason::Moderation(error)),
            Ok(()) if size > max as usize => Some(PinReason::TooLarge { size, max }),
            Ok(()) if !self.data.has_place_for_pin(id) => Some(PinReason::Full { max: MAX_PINS }),
            Ok(()) => self.memory.keeps_out().map(|limit| PinReason::MemoryFull { limit }),
        };
        if let Some(reason) = reason {
            return Err(PinRefused { reason, payload: direct.payload });
        }
        let now = self.clock.advance(now);
        let (pin, sent_at) = (Some(id), Some(now));
        let direct = Direct { pin, sent_at, ..direct.priority(Priority::High) };
        let old = self.data.pin(id, direct, size as u64);
        self.accounts.drops().add_directs(old);
        self.data.note(now, SystemMessageKind::Pinned, None);
        Ok(())
    }

    /// Takes over what was pinned in the room before, at another machine or before a restart, in
    /// the place of what has that number. No tip tells it, since nothing has changed. Returns
    /// whether there was place for it.
    ///
    /// ```
    /// use roomcast_core::pins::PinId;
    /// use roomcast_core::{Admission, Direct, RoomConfig};
    ///
    /// let mut room = Admission::new(&RoomConfig::default());
    /// assert!(room.restore_pin(PinId(1), Direct::new("no spoilers")));
    /// assert!(!room.restore_pin(PinId(2), Direct::new("x".repeat(20_000).leak())), "too large");
    /// assert_eq!((room.pinned(), room.poll_timeout()), (vec![PinId(1)], None));
    /// ```
    pub fn restore_pin(&mut self, id: PinId, direct: Direct<M>) -> bool {
        // To ask runs code of the host's.
        let size = direct.payload.size();
        let fits = size <= self.settings.payload_bytes as usize && self.data.has_place_for_pin(id);
        if !fits || self.memory.keeps_out().is_some() {
            return false;
        }
        let direct = Direct { pin: Some(id), ..direct.priority(Priority::High) };
        let old = self.data.pin(id, direct, size as u64);
        self.accounts.drops().add_directs(old);
        true
    }

    /// Unpins what has this number. Returns whether there was any; if so, a tip says so.
    ///
    /// # Errors
    /// The room is closed, or the actor may not do that.
    pub fn unpin(
        &mut self,
        now: Instant,
        actor: Actor,
        id: PinId,
    ) -> Result<bool, ModerationError> {
        let now = self.allows(now, actor, Action::Pin, &[])?;
        let old = self.data.unpin(id);
        let was_pinned = old.is_some();
        self.accounts.drops().add_directs(old);
        if was_pinned {
            self.data.note(now, SystemMessageKind::Pinned, None);
        }
        Ok(was_pinned)
    }

    /// The numbers of what is pinned, in the order in which it was.
    pub fn pinned(&self) -> Vec<PinId> {
        self.data.pins().into_iter().flat_map(Pins::ids).collect()
    }

    /// What a session gets first that joins now.
    #[inline]
    pub(crate) fn pins(&self) -> impl Iterator<Item = &Arc<Direct<M>>> {
        self.data.pins().into_iter().flat_map(Pins::directs)
    }
}
