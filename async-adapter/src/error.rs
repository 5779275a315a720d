//! Errors and refusals: one small enum for each operation.

#[cfg(feature = "websocket")]
pub use crate::net::websocket::WebSocketError;
#[cfg(feature = "tokio")]
pub use crate::pump::{ControlRefused, PumpJoinError, PumpRefusal, TooManyPumps};
pub use crate::room::token::ParseTokenError;
pub use roomcast_core::admission::{ImportError, ReviewError};
pub use roomcast_core::broadcasts::{BroadcastReason, BroadcastRefused};
pub use roomcast_core::config::ConfigError;
pub use roomcast_core::data::DataError;
pub use roomcast_core::direct::{DirectReason, DirectRefused};
pub use roomcast_core::engine::CreateRoomError;
pub use roomcast_core::error::{
    CloseError, JoinError, LeaveError, ModerationError, ProfileError, ReconfigureError, SessionEnd,
};
pub use roomcast_core::ledger::{DropReason, RefusalReason};
pub use roomcast_core::message::Limit;
pub use roomcast_core::rights::NotAllowed;
