//! Ready transports for the pump: TCP, and WebSocket on the server side.

pub(crate) mod tcp;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;

pub use tcp::TcpTransport;
#[cfg(feature = "websocket")]
pub use websocket::{FromPeer, WebSocketFrames, WebSocketOptions, WebSocketReader};
