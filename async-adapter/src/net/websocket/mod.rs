//! A ready transport: WebSocket (RFC 6455) on the server side, for tokio.
//!
//! The pump writes frames that are made once and shared. What is read, the handshake and the
//! answers that the protocol asks for are the business of `tungstenite`; its answers are handed to
//! the host, who gives them to the pump.

mod frames;
mod reader;
mod request;

pub use frames::WebSocketFrames;
pub use reader::{FromPeer, WebSocketReader};
#[cfg(feature = "axum")]
pub(super) use request::HandshakeError;
pub use request::WebSocketRequest;

use crate::net::tcp::TcpTransport;
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// How a WebSocket connection is served.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WebSocketOptions {
    /// Unsent bytes that the kernel keeps: see [`TcpTransport::split`]. Default 16 KiB.
    pub unsent: u32,
    /// The maximum number of bytes of a message from the peer; a larger one ends the connection.
    /// Default 64 KiB.
    pub max_message: usize,
    /// How long a peer may take to say what it wants, and to take the answer. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long [`WebSocketReader::next`] waits for a connection to end once a close was said.
    /// Default 5 s.
    pub close_timeout: Duration,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            unsent: TcpTransport::UNSENT,
            max_message: 64 << 10,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
        }
    }
}

impl WebSocketOptions {
    fn config(self) -> WebSocketConfig {
        // Small buffers: a server holds very many of these, and most peers say little.
        WebSocketConfig::default()
            .read_buffer_size(4 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(self.max_message))
            .max_frame_size(Some(self.max_message))
    }
}

/// Why a WebSocket connection failed.
#[derive(Debug)]
pub struct WebSocketError(Box<dyn Error + Send + Sync>);

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the WebSocket connection failed: {}", self.0)
    }
}

impl Error for WebSocketError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl WebSocketError {
    fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}
