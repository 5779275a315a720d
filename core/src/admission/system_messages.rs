//! Tips on their way: what happened is noted, folded and sent to the room.
//! [Clause A26](crate::rulebook#a26-tips).

use super::room_data::DueSystemMessage;
use super::{Admission, RoomStatus};
use crate::message::{Kind, Payload};
use crate::time::Instant;

impl<M: Payload> Admission<M> {
    /// Tells what is due to be told: of each kind one message, beside the room's rate. A room that
    /// takes nothing any more tells nothing.
    pub(super) fn flush_system_messages(&mut self, now: Instant) {
        if self.status != RoomStatus::Open {
            return;
        }
        let mode = self.moderation.speak_mode();
        while let Some(due) =
            self.data.take_system_message(now, &self.people, mode, self.accounts.drops())
        {
            let DueSystemMessage { level, payload, profile } = due;
            let level = self.settings.levels.level(level);
            match payload {
                Some(payload) => self.emit(now, level, Kind::System, profile, payload),
                None => self.accounts.drops().add_profile(profile),
            }
        }
    }

    /// When the next tip is due.
    pub(super) fn next_system_message(&self) -> Option<Instant> {
        self.data.next_system_message().filter(|_| self.status == RoomStatus::Open)
    }
}
