//! The admission's side of a direct message: whom it is for.
//! [Decision D37](crate::design#d37-personal-messages-are-in-the-stream).

use super::{Admission, RoomStatus};
use crate::direct::{Direct, DirectReason, DirectReceipt, DirectRefused, Recipient};
use crate::ids::SessionId;
use crate::message::{Limit, Payload};
use crate::priority::Priority;
use crate::roster::UserSessions;
use alloc::sync::Arc;

impl<M: Payload> Admission<M> {
    /// Sends a direct message to each session of a recipient, one after the other, with `send`:
    /// that is [`Audience::send_direct`](crate::Audience::send_direct) of the audience that the
    /// session is in. No rate counts it. O(sessions of the user). See
    /// [`RoomState::send_direct`](crate::RoomState::send_direct).
    ///
    /// # Errors
    /// Nobody got it, and the payload comes back. When only some did, the receipt counts the
    /// others.
    pub fn send_direct(
        &self,
        to: Recipient,
        direct: Direct<M>,
        send: impl FnMut(SessionId, &Arc<Direct<M>>) -> Result<(), DirectReason>,
    ) -> Result<DirectReceipt, DirectRefused<M>> {
        match self.recipients(to, direct.priority, direct.payload.size()) {
            Ok(sessions) => direct.send(to, sessions, send),
            Err(reason) => Err(DirectRefused { reason, payload: direct.payload }),
        }
    }

    /// Whether last words of so many bytes may be said. Where memory gives way, they are as High.
    pub(crate) fn check_farewell(&self, size: usize) -> Result<(), DirectReason> {
        self.check_direct(Priority::High, size)
    }

    /// The sessions that a payload of a level and of so many bytes is for. Whether a session is in,
    /// its audience says.
    fn recipients(
        &self,
        to: Recipient,
        level: Priority,
        size: usize,
    ) -> Result<UserSessions, DirectReason> {
        self.check_direct(level, size)?;
        Ok(match to {
            Recipient::User(user) => self.sessions_of(user),
            Recipient::Session(session) => UserSessions::from_elem(session, 1),
        })
    }

    fn check_direct(&self, level: Priority, size: usize) -> Result<(), DirectReason> {
        if self.status == RoomStatus::Closed {
            return Err(DirectReason::RoomClosed);
        }
        let max = u64::from(self.settings.payload_bytes).min(self.settings.direct_bytes);
        if size as u64 > max {
            return Err(DirectReason::TooLarge { size, max });
        }
        if let Some(max) = self.memory.keeps_out().filter(|_| level != Priority::High) {
            return Err(DirectReason::MemoryFull { limit: Limit::Memory { max } });
        }
        Ok(())
    }
}
