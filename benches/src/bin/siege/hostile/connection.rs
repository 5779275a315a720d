//! How hostile clients come in.

use roomcast_benches::websocket::HANDSHAKE;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Addresses that connections come from, so that each lends its ports: 127.0.0.2 and those that
/// follow.
const SOURCES: u32 = 16;

/// How much the kernel takes ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buffer {
    /// As much as usual.
    Usual,
    /// As little as it may be.
    Small,
}

/// Connects, and says nothing.
pub(super) async fn connect(
    address: SocketAddr,
    number: u32,
    buffer: Buffer,
) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if buffer == Buffer::Small {
        socket.set_recv_buffer_size(4 << 10)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 2 + (number % SOURCES) as u8], 0)))?;
    socket.connect(address).await
}

/// Connects and joins.
pub(super) async fn join(
    address: SocketAddr,
    number: u32,
    buffer: Buffer,
) -> io::Result<TcpStream> {
    let mut stream = connect(address, number, buffer).await?;
    stream.write_all(HANDSHAKE).await?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    // No further: messages may follow at once.
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it"));
        }
        answer.extend_from_slice(&byte);
    }
    Ok(stream)
}
