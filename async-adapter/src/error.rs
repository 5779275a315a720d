//! Errors and refusals: one small enum for each operation.

#[cfg(feature = "websocket")]
pub use crate::net::websocket::WebSocketError;
#[cfg(feature = "tokio")]
pub use crate::pump::{ControlRefused, PumpJoinError, PumpRefusal, TooManyPumps};
pub use roomcast_core::{
    BroadcastReason, BroadcastRefused, CloseError, ConfigError, CreateRoomError, DataError,
    DirectReason, DirectRefused, DropReason, ImportError, JoinError, LeaveError, Limit,
    ModerationError, NotAllowed, ProfileError, ReconfigureError, RefusalReason, ReviewError,
    SessionEnd,
};
