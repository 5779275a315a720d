//! What the handles of a hub ask of the task that drives its node.

use super::{ClusterBooks, ClusterRoom, OpenRoomError};
use crate::proto::Outcome as Fate;
use crate::wire::Command;
use roomcast::edge::EdgeMessage;
use roomcast::{Actor, Payload, RoomConfig, RoomId};
use tokio::sync::oneshot;

/// What is asked of the node.
pub(super) enum Order<M: Payload + Send + Sync + 'static> {
    Open {
        room: RoomId,
        config: Box<RoomConfig>,
        tell: oneshot::Sender<Opened<M>>,
    },
    Close {
        room: RoomId,
    },
    Forward {
        room: RoomId,
        opening: u64,
        message: Box<EdgeMessage<M>>,
    },
    Command {
        room: RoomId,
        actor: Actor,
        command: Command,
        tell: oneshot::Sender<Fate>,
    },
    HandOver {
        room: RoomId,
        to: u64,
    },
    /// The node is about to stop. Told when it owns nothing that another may own, with its rooms.
    Retire {
        tell: oneshot::Sender<Vec<ClusterRoom<M>>>,
    },
    /// What are the books of the room, over all nodes?
    Books {
        room: RoomId,
        tell: oneshot::Sender<ClusterBooks>,
    },
    /// Which rooms are open here?
    Rooms {
        tell: oneshot::Sender<Vec<ClusterRoom<M>>>,
    },
    /// It stops. Told when the bus has heard that.
    Leave {
        tell: oneshot::Sender<()>,
    },
}

/// What comes of opening a room.
pub(super) type Opened<M> = Result<ClusterRoom<M>, OpenRoomError>;
