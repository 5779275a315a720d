//! The admission at an edge, in front of the room's own.

use super::Admission;
use super::room_data::RoomData;
use crate::config::RoomConfig;
use crate::message::{EdgeMessage, Payload};
use crate::system_messages::SystemMessages;

impl<M: Payload> Admission<M> {
    /// One whose messages are forwarded. Tips are the room's to give.
    pub(crate) fn at_edge(config: &RoomConfig) -> Self {
        let room = Self::new(config);
        Self {
            data: RoomData::new(&room.settings, SystemMessages::NONE),
            pipeline: room.pipeline.at_edge(room.settings.outbox_capacity),
            ..room
        }
    }

    pub(crate) fn pop_edge_message(&mut self) -> Option<EdgeMessage<M>> {
        self.pipeline.pop_for_room()
    }
}
