//! Ready transports for the pump: TCP, and WebSocket on the server side over TCP or anything else.

#[cfg(feature = "axum")]
mod axum;
#[cfg(any(target_os = "android", target_os = "linux"))]
mod kernel;
mod link;
mod listen;
mod stream;
pub(crate) mod tcp;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;

#[cfg(feature = "axum")]
pub use axum::{HttpTransport, PumpUpgrade, PumpUpgradeRejection};
pub use listen::accept;
pub use stream::{StreamReader, StreamTransport};
pub use tcp::{TcpReader, TcpTransport};
#[cfg(feature = "websocket")]
pub use tokio_tungstenite::tungstenite::http;
#[cfg(feature = "websocket")]
pub use websocket::{
    FromPeer, WebSocketError, WebSocketFrames, WebSocketOptions, WebSocketReader, WebSocketRequest,
};
