//! Reading the peer's frames, and answering as the protocol asks.

use super::frames::{CLOSE, FIN, WebSocketFrames};
use super::{WebSocketError, WebSocketOptions};
use crate::net::link::Linked;
use crate::net::stream::{self, StreamTransport};
use crate::net::tcp::{self, TcpTransport};
use crate::pump::Control;
use bytes::Bytes;
use futures_util::StreamExt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::Role;

/// Frames that are read in a row before other tasks get their turn. One read of the socket brings
/// hundreds of small ones.
const FRAMES_A_TURN: u32 = 64;

/// The peer broke the protocol (RFC 6455, section 7.4.1).
const PROTOCOL_ERROR: u16 = 1002;
/// A text that is not UTF-8.
const INVALID_TEXT: u16 = 1007;
/// A message that is larger than may be.
const TOO_LARGE: u16 = 1009;

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
    close_timeout: Duration,
    /// Frames that were read one after the other without a pause.
    run: u32,
    state: State,
}

enum State {
    Open,
    /// A close was said: when to wait no longer, and what is returned then.
    Closing(Instant, Option<WebSocketError>),
    Over,
}

impl fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader").finish_non_exhaustive()
    }
}

impl WebSocketReader {
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
        TcpTransport::prepare(&stream, options.unsent).map_err(WebSocketError::new)?;
        let (side, transport) = tcp::linked(stream);
        Ok((Self::new(side, read, options).await, transport))
    }

    /// As [`upgraded`](Self::upgraded), for any stream, such as TLS. What
    /// [`WebSocketOptions::unsent`] says is not looked at: the options of the socket below are the
    /// host's ([`TcpTransport::prepare`]).
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn upgraded_stream<S>(
        stream: S,
        read: Bytes,
        options: WebSocketOptions,
    ) -> (Self, StreamTransport<S>)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (side, transport) = stream::linked(stream);
        (Self::new(side, read, options).await, transport)
    }

    async fn new<R>(read: Linked<R>, before: Bytes, options: WebSocketOptions) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let side = ReadSide { read: Box::new(read), before, said: Vec::new() };
        let stream = WebSocketStream::from_raw_socket(side, Role::Server, Some(options.config()));
        let (close_timeout, state) = (options.close_timeout, State::Open);
        Self { stream: stream.await, close_timeout, run: 0, state }
    }

    /// Waits for the next message. `answer` gets what is to be said in answer to pings, to a close
    /// and to what breaks the protocol; the host gives it to the pump: `|answer|
    /// pumped.control(answer)`. What that returns is not looked at: an answer is refused only where
    /// the connection has ended. In a room with a heartbeat both a message and an answer to a ping
    /// are the moment for [`Pumped::touch`](crate::pump::Pumped::touch).
    ///
    /// `None`: the connection is over, by the peer's close or because the pump has let go of it
    /// ([`Pumped::closed`](crate::pump::Pumped::closed) says where its client goes on). Drop the
    /// reader then, and its descriptor is free.
    ///
    /// Once a close was said, either way, this waits until the pump has written it and the peer has
    /// ended the connection, and throws away what the peer still says: for at most
    /// [`WebSocketOptions::close_timeout`], and not as long as two seconds after the pump has let go.
    ///
    /// A peer that sends more than is read never holds the runtime: after 64 frames in a row,
    /// messages or not, other tasks get their turn.
    ///
    /// # Errors
    /// The peer broke the protocol (it is told so with code 1002, with 1007 where a text is no
    /// UTF-8), said too much at once (1009), or is gone. After an error comes `None`.
    ///
    /// # Cancel safety
    /// Cancel safe: what has been read of a message stays.
    pub async fn next<R>(
        &mut self,
        mut answer: impl FnMut(Control) -> R,
    ) -> Option<Result<FromPeer, WebSocketError>> {
        while matches!(self.state, State::Open) {
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
            match next.await {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    return Some(Ok(FromPeer::Text(text.into())));
                }
                Some(Ok(tungstenite::Message::Binary(bytes))) => {
                    return Some(Ok(FromPeer::Binary(bytes)));
                }
                Some(Ok(_)) => {}
                None | Some(Err(tungstenite::Error::ConnectionClosed)) => self.begin_close(None),
                Some(Err(_)) if self.stream.get_ref().read.is_gone() => self.state = State::Over,
                Some(Err(error)) => {
                    if let Some(code) = code_of(&error) {
                        let mut frame = Vec::new();
                        WebSocketFrames::put_close(code, &error.to_string(), &mut frame);
                        answer(Control::Close(frame.into()));
                        self.begin_close(Some(WebSocketError::new(error)));
                    } else {
                        self.state = State::Over;
                        return Some(Err(WebSocketError::new(error)));
                    }
                }
            }
        }
        self.end_close().await.map(Err)
    }

    fn begin_close(&mut self, error: Option<WebSocketError>) {
        self.state = State::Closing(Instant::now() + self.close_timeout, error);
    }

    /// Waits until the connection is over, as long as it may take.
    async fn end_close(&mut self) -> Option<WebSocketError> {
        if let State::Closing(deadline, _) = &self.state {
            let read = &mut self.stream.get_mut().read;
            let mut scratch = [0; 1 << 10];
            let over =
                async { while read.read(&mut scratch).await.is_ok_and(|count| count > 0) {} };
            // By then it is over anyway.
            let _ = timeout_at(*deadline, over).await;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Closing(_, error) => error,
            State::Open | State::Over => None,
        }
    }
}

/// What a peer is told that did this; `None` if it is gone.
fn code_of(error: &tungstenite::Error) -> Option<u16> {
    match error {
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(PROTOCOL_ERROR),
        tungstenite::Error::Utf8(_) => Some(INVALID_TEXT),
        tungstenite::Error::Capacity(_) => Some(TOO_LARGE),
        _ => None,
    }
}

/// Takes the first frame off what `tungstenite` has said: a control frame of at most 125 bytes, not
/// masked.
fn split_control(said: &mut Bytes) -> Option<Control> {
    let (&first, &length) = (said.first()?, said.get(1)?);
    let frame = said.split_to(said.len().min(2 + usize::from(length)));
    Some(if first == FIN | CLOSE { Control::Close(frame) } else { Control::Pong(frame) })
}

/// Any reading side that ends with its transport.
trait Side: AsyncRead + Send + Unpin {
    fn is_gone(&self) -> bool;
}

impl<R: AsyncRead + Send + Unpin> Side for Linked<R> {
    fn is_gone(&self) -> bool {
        Self::is_gone(self)
    }
}

/// What `tungstenite` reads from, and a place where its answers are put down.
struct ReadSide {
    read: Box<dyn Side>,
    /// What was read before.
    before: Bytes,
    said: Vec<u8>,
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
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.said.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
