//! A ready transport: WebSocket (RFC 6455) on the server side, for tokio.
//!
//! The pump writes frames that are made once and shared. What is read, the handshake and the
//! answers that the protocol asks for are the business of `tungstenite`; its answers are handed to
//! the host, who gives them to the pump.

use crate::net::tcp::{TcpTransport, prepare};
use crate::pump::Control;
use crate::pump::frames::Encoder;
use bytes::Bytes;
use futures_util::StreamExt;
use roomcast_core::event::EndReason;
use roomcast_core::{Direct, Message, Priority};
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::protocol::{Role, WebSocketConfig};

/// How a WebSocket connection is served.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WebSocketOptions {
    /// Unsent bytes that the kernel keeps: see [`TcpTransport::split`]. Default 16 KiB.
    pub unsent: u32,
    /// The maximum number of bytes of a message from the peer; a larger one ends the connection.
    /// Default 64 KiB.
    pub max_message: usize,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self { unsent: TcpTransport::UNSENT, max_message: 64 << 10 }
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

/// What a peer says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromPeer {
    /// A text message; valid UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
}

/// The read half of a WebSocket connection; it stays with the host.
pub struct WebSocketReader {
    stream: WebSocketStream<ReadSide>,
    /// Frames that were read one after the other without a pause.
    run: u32,
}

impl fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader").finish_non_exhaustive()
    }
}

impl WebSocketReader {
    /// Accepts a connection that has not said anything yet: does the handshake and splits it. The
    /// write half is for a [`Pump`](crate::Pump) whose encoder is wrapped in [`WebSocketFrames`].
    ///
    /// # Errors
    /// The peer does not speak WebSocket, or is gone.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection. Give the handshake a timeout: a peer may never
    /// finish it.
    pub async fn accept(
        stream: TcpStream,
        options: WebSocketOptions,
    ) -> Result<(Self, TcpTransport), WebSocketError> {
        let side = ReadSide::new(stream, options, Bytes::new())?;
        let accepted =
            tokio_tungstenite::accept_async_with_config(side, Some(options.config())).await;
        Self::split(accepted.map_err(WebSocketError::new)?)
    }

    /// Splits a connection on which another library has done the handshake: an HTTP server that
    /// upgraded it. `read` is what that library had read beyond the handshake.
    ///
    /// # Errors
    /// The socket is no longer connected.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn upgraded(
        stream: TcpStream,
        read: Bytes,
        options: WebSocketOptions,
    ) -> Result<(Self, TcpTransport), WebSocketError> {
        let side = ReadSide::new(stream, options, read)?;
        Self::split(
            WebSocketStream::from_raw_socket(side, Role::Server, Some(options.config())).await,
        )
    }

    fn split(
        mut stream: WebSocketStream<ReadSide>,
    ) -> Result<(Self, TcpTransport), WebSocketError> {
        let half = stream
            .get_mut()
            .write
            .take()
            .ok_or_else(|| WebSocketError::new("it was split before"))?;
        Ok((Self { stream, run: 0 }, TcpTransport::new(half)))
    }

    /// Waits for the next message. `answer` gets what the protocol asks for in answer to pings and
    /// to a close; the host gives it to the pump: `|answer| pumped.control(answer)`. What that
    /// returns is not looked at: an answer is refused only where the connection has ended. `None`:
    /// the peer has closed the connection; then drop the [`Pumped`](crate::pump::Pumped) a little later,
    /// so that the answer goes out. In a room with a heartbeat both a message and an answer to a
    /// ping are the moment for [`Pumped::touch`](crate::pump::Pumped::touch).
    ///
    /// A peer that sends more than is read never holds the runtime: after 64 frames in a row,
    /// messages or not, other tasks get their turn.
    ///
    /// # Errors
    /// The peer broke the protocol, said too much at once, or is gone.
    ///
    /// # Cancel safety
    /// Cancel safe: what has been read of a message stays.
    pub async fn next<R>(
        &mut self,
        mut answer: impl FnMut(Control) -> R,
    ) -> Option<Result<FromPeer, WebSocketError>> {
        loop {
            if self.run >= FRAMES_A_TURN {
                self.run = 0;
                tokio::task::yield_now().await;
            }
            let next = poll_fn(|cx| {
                let next = self.stream.poll_next_unpin(cx);
                // It answers while it waits for more, too.
                let mut said = Bytes::from(std::mem::take(&mut self.stream.get_mut().said));
                while let Some(control) = split_control(&mut said) {
                    answer(control);
                }
                // Where nothing is left to read others have had their turn.
                self.run = if next.is_pending() { 0 } else { self.run + 1 };
                next
            });
            match next.await? {
                Ok(tungstenite::Message::Text(text)) => {
                    return Some(Ok(FromPeer::Text(text.into())));
                }
                Ok(tungstenite::Message::Binary(bytes)) => {
                    return Some(Ok(FromPeer::Binary(bytes)));
                }
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => return None,
                Err(error) => return Some(Err(WebSocketError::new(error))),
            }
        }
    }
}

/// Takes the first frame off what `tungstenite` has said: a control frame of at most 125 bytes, not
/// masked.
fn split_control(said: &mut Bytes) -> Option<Control> {
    let (&first, &length) = (said.first()?, said.get(1)?);
    let frame = said.split_to(said.len().min(2 + usize::from(length)));
    Some(if first == FIN | CLOSE { Control::Close(frame) } else { Control::Pong(frame) })
}

/// What `tungstenite` reads from and answers to: the socket, and after the handshake a place where
/// its answers are put down.
struct ReadSide {
    read: OwnedReadHalf,
    /// What was read before.
    before: Bytes,
    /// There until the handshake is done.
    write: Option<OwnedWriteHalf>,
    said: Vec<u8>,
}

impl ReadSide {
    fn new(
        stream: TcpStream,
        options: WebSocketOptions,
        before: Bytes,
    ) -> Result<Self, WebSocketError> {
        prepare(&stream, options.unsent).map_err(WebSocketError::new)?;
        let (read, write) = stream.into_split();
        Ok(Self { read, before, write: Some(write), said: Vec::new() })
    }
}

impl AsyncRead for ReadSide {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.read).poll_read(cx, into);
        }
        let count = self.before.len().min(into.remaining());
        into.put_slice(&self.before.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadSide {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(write) = &mut self.write {
            return Pin::new(write).poll_write(cx, bytes);
        }
        self.said.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.as_mut().map_or(Poll::Ready(Ok(())), |write| Pin::new(write).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.as_mut().map_or(Poll::Ready(Ok(())), |write| Pin::new(write).poll_shutdown(cx))
    }
}

/// Puts what an encoder writes into WebSocket frames: one for each message, each gap and the last
/// words, then a close frame.
///
/// Ready-made: a server's frames are not masked, so the same bytes serve every connection (RFC
/// 6455, section 5.1).
#[derive(Clone, Debug)]
pub struct WebSocketFrames<E> {
    encoder: E,
    opcode: u8,
    scratch: Vec<u8>,
}

/// Frames that are read in a row before other tasks get their turn. One read of the socket brings
/// hundreds of small ones.
const FRAMES_A_TURN: u32 = 64;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const FIN: u8 = 0x80;
/// "Going away": the room has ended or the session was taken out (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

impl WebSocketFrames<()> {
    /// Appends one text frame: something of the host's own, for
    /// [`Pumped::control`](crate::pump::Pumped::control).
    pub fn put_text(text: &str, frame: &mut Vec<u8>) {
        put_frame(TEXT, text.as_bytes(), frame);
    }

    /// Appends one binary frame.
    pub fn put_binary(bytes: &[u8], frame: &mut Vec<u8>) {
        put_frame(BINARY, bytes, frame);
    }
}

impl<E> WebSocketFrames<E> {
    /// Text frames: the encoder writes UTF-8.
    pub fn text(encoder: E) -> Self {
        Self { encoder, opcode: TEXT, scratch: Vec::new() }
    }

    /// Binary frames.
    pub fn binary(encoder: E) -> Self {
        Self { encoder, opcode: BINARY, scratch: Vec::new() }
    }

    /// What `call` has the encoder write, as one frame; nothing when that is nothing.
    fn framed(&mut self, frame: &mut Vec<u8>, call: impl FnOnce(&mut E, &mut Vec<u8>)) {
        self.scratch.clear();
        call(&mut self.encoder, &mut self.scratch);
        if !self.scratch.is_empty() {
            put_frame(self.opcode, &self.scratch, frame);
        }
    }
}

impl<M, E: Encoder<M>> Encoder<M> for WebSocketFrames<E> {
    fn message(&mut self, message: &Message<M>, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.message(message, scratch));
    }

    fn direct(&mut self, direct: &Direct<M>, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.direct(direct, scratch));
    }

    fn gap(&mut self, priority: Priority, count: u64, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.gap(priority, count, scratch));
    }

    fn end(&mut self, reason: EndReason, frame: &mut Vec<u8>) {
        self.framed(frame, |encoder, scratch| encoder.end(reason, scratch));
        put_frame(CLOSE, &GOING_AWAY.to_be_bytes(), frame);
    }
}

/// Appends one whole frame that is not masked (RFC 6455, section 5.2).
fn put_frame(opcode: u8, payload: &[u8], frame: &mut Vec<u8>) {
    frame.push(FIN | opcode);
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
}
