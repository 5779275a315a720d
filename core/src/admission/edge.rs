//! The admission at an edge, in front of the room's own.

use super::Admission;
use super::accounts::Subject;
use super::room_data::RoomData;
use crate::config::RoomConfig;
use crate::message::{EdgeMessage, Forwarded, Outcome, Payload};
use crate::priority::PerLevel;
use crate::system_messages::SystemMessages;
use alloc::boxed::Box;

impl<M: Payload> Admission<M> {
    /// One whose messages are forwarded. Tips are the room's to give.
    pub(crate) fn at_edge(config: &RoomConfig, heads: PerLevel<u64>) -> Self {
        let room = Self::starting_at(config, heads);
        Self {
            data: RoomData::new(&room.settings, SystemMessages::NONE),
            pipeline: room.pipeline.at_edge(room.settings.outbox_capacity),
            ..room
        }
    }

    pub(crate) fn pop_edge_message(&mut self) -> Option<EdgeMessage<M>> {
        self.pipeline.pop_for_room()
    }

    pub(crate) fn has_edge_messages(&self) -> bool {
        self.pipeline.has_for_room()
    }

    pub(crate) fn hand_on_count(&mut self) -> Option<(Box<str>, i64)> {
        self.data.hand_on_count()
    }

    /// What became at the room of a message that was forwarded is told here.
    pub(crate) fn resolve_forwarded(&mut self, forwarded: &Forwarded, outcome: Outcome) {
        if !matches!(outcome, Outcome::Dispatched { .. }) {
            self.free_forwarded(forwarded);
        }
        let &Forwarded { id, priority: level, messages, units, outcome_sink, .. } = forwarded;
        self.accounts.promise_outcome(level, outcome_sink);
        self.accounts.tell(Subject { id, level, messages, units, outcome_sink }, outcome);
    }

    /// A message that was forwarded has not gone out: it may be said again, and so may those that
    /// it carried.
    pub(crate) fn free_forwarded(&mut self, forwarded: &Forwarded) {
        let &Forwarded { id, sender, dedup_key, carried_keys, .. } = forwarded;
        self.moderation.free_content(id);
        if let Some(key) = dedup_key {
            self.intake.free(sender, key, id);
        }
        self.intake.free_carried(id, carried_keys);
    }
}
