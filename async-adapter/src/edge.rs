//! An edge of a room that is elsewhere: what goes to that room and comes back.
//! [`Hub::create_edge_room`](crate::Hub::create_edge_room).

pub use crate::hub::edge_port::EdgePort;
pub use crate::room::gate::EdgeStart;
pub use roomcast_core::admission::Received;
pub use roomcast_core::handover::{HandOver, HandOverError};
pub use roomcast_core::message::{EdgeMessage, MessageParts, Relayed, Reviewed};
