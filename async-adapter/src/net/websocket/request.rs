//! The handshake (RFC 6455, section 4.2), which waits for the host between the question and the
//! answer.

use super::reader::WebSocketReader;
use super::{WebSocketError, WebSocketOptions};
use crate::net::stream::StreamTransport;
use crate::net::tcp::TcpTransport;
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::{HeaderMap, HeaderName, Response, StatusCode, Uri, header};

/// The maximum number of bytes of a request with all its headers.
const MAX_REQUEST: usize = 16 << 10;
/// How long a peer may take to hear that it is refused.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A peer's request to speak WebSocket, which the host has yet to answer: with
/// [`accept`](Self::accept) or [`refuse`](Self::refuse). Dropping it drops the connection.
///
/// ```no_run
/// use roomcast::net::http::StatusCode;
/// use roomcast::net::{TcpTransport, WebSocketOptions, WebSocketReader, WebSocketRequest};
/// use tokio::net::TcpStream;
///
/// /// Lets in who comes from the site's own pages.
/// async fn answer(
///     stream: TcpStream,
/// ) -> Result<Option<(WebSocketReader, TcpTransport)>, Box<dyn std::error::Error>> {
///     let request = WebSocketRequest::read(stream, WebSocketOptions::default()).await?;
///     if request.origin() != Some("https://example.org") {
///         request.refuse(StatusCode::FORBIDDEN, "open the room at https://example.org").await;
///         return Ok(None);
///     }
///     Ok(Some(request.accept().await?))
/// }
/// ```
pub struct WebSocketRequest<S = TcpStream> {
    stream: S,
    request: Request,
    response: Response<()>,
    /// What came behind the request.
    read: Bytes,
    options: WebSocketOptions,
}

impl<S> fmt::Debug for WebSocketRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketRequest").field("request", &self.request).finish_non_exhaustive()
    }
}

impl<S> WebSocketRequest<S> {
    /// What the peer asks for: path and query.
    pub fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The page that opens the connection, such as `https://example.org`: browsers say so, other
    /// programs need not. A server that knows its visitors by cookies lets in its own pages only.
    pub fn origin(&self) -> Option<&str> {
        self.headers().get(header::ORIGIN)?.to_str().ok()
    }

    /// The cookies, by name and value, as they came.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers().get_all(header::COOKIE).into_iter();
        headers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketRequest<S> {
    /// Reads the request of a connection that has not said anything yet: of a [`TcpStream`], or of
    /// any other stream, such as TLS.
    ///
    /// # Errors
    /// The peer is gone, or asks for something else than WebSocket, or takes longer than
    /// [`handshake_timeout`](WebSocketOptions::handshake_timeout). Unless it is gone, it is answered:
    /// with 405 to any other method than `GET`, 426 where no upgrade to WebSocket 13 is asked for,
    /// 408 when it took too long, 431 when it said too much, and 400 otherwise, with a line that says
    /// what was wrong.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn read(mut stream: S, options: WebSocketOptions) -> Result<Self, WebSocketError> {
        let request = timeout(options.handshake_timeout, read_request(&mut stream));
        let error = match request.await {
            Ok(Ok((request, read))) => match create_response(&request) {
                Ok(response) => return Ok(Self { stream, request, response, read, options }),
                Err(error) => error.into(),
            },
            Ok(Err(error)) => error,
            Err(_) => HandshakeError::TimedOut(options.handshake_timeout),
        };
        if let Some((status, headers)) = error.status() {
            say(stream, status, headers, &error.to_string()).await;
        }
        Err(WebSocketError::new(error))
    }

    /// Refuses with an HTTP status, and a line for whoever reads it. A status that promises
    /// something, below 300, goes out as 403. A peer that does not hear it within two seconds goes
    /// without.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn refuse(self, status: StatusCode, why: &str) {
        let refuses = status.as_u16() >= 300;
        say(self.stream, if refuses { status } else { StatusCode::FORBIDDEN }, &[], why).await;
    }

    /// Says yes.
    async fn answer(&mut self) -> Result<(), WebSocketError> {
        let mut answer = Vec::new();
        write_response(&mut answer, &self.response).map_err(WebSocketError::new)?;
        let written = async {
            self.stream.write_all(&answer).await?;
            self.stream.flush().await
        };
        let written = in_time(self.options.handshake_timeout, written).await;
        written.map_err(WebSocketError::new)
    }

    /// Accepts, over any stream: splits it. The options of the socket below are the host's
    /// ([`TcpTransport::prepare`]).
    ///
    /// # Errors
    /// The peer is gone, or does not take the answer in time.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn accept_stream(
        mut self,
    ) -> Result<(WebSocketReader, StreamTransport<S>), WebSocketError>
    where
        S: Send + 'static,
    {
        self.answer().await?;
        Ok(WebSocketReader::upgraded_stream(self.stream, self.read, self.options).await)
    }
}

impl WebSocketRequest<TcpStream> {
    /// Accepts: splits the connection. The write half is for a [`Pump`](crate::Pump) whose encoder
    /// is wrapped in [`WebSocketFrames`](super::WebSocketFrames).
    ///
    /// # Errors
    /// The peer is gone, or does not take the answer in time.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn accept(mut self) -> Result<(WebSocketReader, TcpTransport), WebSocketError> {
        self.answer().await?;
        WebSocketReader::upgraded(self.stream, self.read, self.options).await
    }
}

impl WebSocketReader {
    /// Accepts a connection that has not said anything yet, whatever it asks for: does the
    /// handshake and splits it. The write half is for a [`Pump`](crate::Pump) whose encoder is
    /// wrapped in [`WebSocketFrames`](super::WebSocketFrames). A host that looks at the request first uses
    /// [`WebSocketRequest`].
    ///
    /// # Errors
    /// As [`WebSocketRequest::read`] and [`WebSocketRequest::accept`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn accept(
        stream: TcpStream,
        options: WebSocketOptions,
    ) -> Result<(Self, TcpTransport), WebSocketError> {
        WebSocketRequest::read(stream, options).await?.accept().await
    }
}

/// Why a request is none.
#[derive(Debug, thiserror::Error)]
pub(in crate::net) enum HandshakeError {
    #[error("not a WebSocket handshake: {0}")]
    Request(#[from] tungstenite::Error),
    #[error("request too large: want at most {MAX_REQUEST} bytes")]
    TooLarge,
    #[error("no whole request within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HandshakeError {
    /// What the peer is told; `None` if it is gone.
    pub(in crate::net) fn status(
        &self,
    ) -> Option<(StatusCode, &'static [(HeaderName, &'static str)])> {
        use ProtocolError::{
            MissingConnectionUpgradeHeader, MissingSecWebSocketVersionHeader,
            MissingUpgradeWebSocketHeader, WrongHttpMethod,
        };
        Some(match self {
            Self::Io(_) => return None,
            Self::TimedOut(_) => (StatusCode::REQUEST_TIMEOUT, &[]),
            Self::TooLarge | Self::Request(tungstenite::Error::Capacity(_)) => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &[])
            }
            Self::Request(tungstenite::Error::Protocol(error)) => match error {
                WrongHttpMethod => {
                    (StatusCode::METHOD_NOT_ALLOWED, const { &[(header::ALLOW, "GET")] })
                }
                MissingConnectionUpgradeHeader
                | MissingUpgradeWebSocketHeader
                | MissingSecWebSocketVersionHeader => (
                    StatusCode::UPGRADE_REQUIRED,
                    const { &[(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")] },
                ),
                _ => (StatusCode::BAD_REQUEST, &[]),
            },
            Self::Request(_) => (StatusCode::BAD_REQUEST, &[]),
        })
    }
}

/// Reads a request, and what came behind it.
async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Request, Bytes), HandshakeError> {
    let mut read = BytesMut::new();
    loop {
        let before = read.len();
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        // It is parsed once, however slowly it comes.
        if has_end(&read[before.saturating_sub(2)..])
            && let Some((size, request)) = Request::try_parse(&read)?
        {
            return Ok((request, read.split_off(size).freeze()));
        }
        if read.len() >= MAX_REQUEST {
            return Err(HandshakeError::TooLarge);
        }
    }
}

/// Whether the empty line is there that ends a request.
fn has_end(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

/// Answers with a status and a line, and ends the connection.
async fn say(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    status: StatusCode,
    headers: &[(HeaderName, &'static str)],
    line: &str,
) {
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CONTENT_LENGTH, line.len() + 1)
        .header(header::CONNECTION, "close");
    for (name, value) in headers {
        response = response.header(name, *value);
    }
    let mut answer = Vec::new();
    let Some(()) =
        response.body(()).ok().and_then(|response| write_response(&mut answer, &response).ok())
    else {
        return;
    };
    answer.extend_from_slice(line.as_bytes());
    answer.push(b'\n');
    let said = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        // Closed on bytes that nobody has read, it would be reset, and the answer lost.
        let mut scratch = [0; 1 << 10];
        while stream.read(&mut scratch).await? > 0 {}
        Ok(())
    };
    // Who does not hear it goes without.
    let _ = in_time(LAST_WORD, said).await;
}

async fn in_time(patience: Duration, work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(patience, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
