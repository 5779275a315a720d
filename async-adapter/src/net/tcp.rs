//! The TCP transport, for tokio:
//! [decision D36](roomcast_core::design#d36-short-send-buffers-in-the-kernel).

use crate::pump::transport::Transport;
use std::io;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The write half of a TCP connection, for a [`Pump`](crate::Pump). Dropping it shuts the write
/// side down.
#[derive(Debug)]
pub struct TcpTransport {
    half: OwnedWriteHalf,
}

impl TcpTransport {
    /// Unsent bytes that the kernel keeps for one connection, unless
    /// [`with_unsent`](Self::with_unsent) says otherwise.
    pub const UNSENT: u32 = 16 << 10;

    /// Splits a connection: the read half stays with the host, the write half is for the pump.
    ///
    /// It switches Nagle's delay off, and tells the kernel (where it has `TCP_NOTSENT_LOWAT`:
    /// Linux, Android) to take no more than [`UNSENT`](Self::UNSENT) bytes that it cannot send yet.
    /// Otherwise a send buffer of megabytes fills with stale messages before any policy acts, and a
    /// gift waits behind all of them.
    ///
    /// # Errors
    /// The socket refuses an option: it is no longer connected.
    pub fn split(stream: TcpStream) -> io::Result<(OwnedReadHalf, Self)> {
        Self::with_unsent(stream, Self::UNSENT)
    }

    /// As [`split`](Self::split), with another bound for the unsent bytes.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn with_unsent(stream: TcpStream, unsent: u32) -> io::Result<(OwnedReadHalf, Self)> {
        prepare(&stream, unsent)?;
        let (read, half) = stream.into_split();
        Ok((read, Self { half }))
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn new(half: OwnedWriteHalf) -> Self {
        Self { half }
    }
}

/// Sets the options of a socket that a pump writes to.
pub(crate) fn prepare(stream: &TcpStream, unsent: u32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(unsent)?;
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = unsent;
    Ok(())
}

impl Transport for TcpTransport {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not `poll_write`: tokio's budget for one task would make most sockets of a pump look
        // full.
        self.half.try_write(bytes)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.as_ref().poll_write_ready(cx)
    }
}
