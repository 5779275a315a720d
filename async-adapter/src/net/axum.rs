//! The pump behind axum, and behind hyper: a connection whose handshake they have done.

use super::websocket::{HandshakeError, WebSocketOptions, WebSocketReader};
use crate::net::stream::StreamTransport;
use crate::net::tcp::TcpTransport;
use crate::pump::transport::{InFlight, Transport};
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::{Parts as UpgradedParts, downcast};
use std::fmt;
use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::create_response;
use tungstenite::http::request::Parts;
use tungstenite::http::{Request, StatusCode};

/// An axum extractor: a request to speak WebSocket, on a connection that a
/// [`Pump`](crate::Pump) takes over once axum has answered.
///
/// It takes the place of axum's own `WebSocketUpgrade`, beside whatever other extractors a handler
/// has, and works over TLS as well. A handler that does not call [`on_upgrade`](Self::on_upgrade)
/// answers as it likes. HTTP/1.1 alone.
///
/// ```no_run
/// use axum::extract::{Path, State};
/// use axum::response::Response;
/// use roomcast::encode::Text;
/// use roomcast::net::{HttpTransport, PumpUpgrade, WebSocketFrames};
/// use roomcast::pump::PumpOptions;
/// use roomcast::{Hub, Pump, RoomConfig};
///
/// type Chat = Pump<String, HttpTransport>;
///
/// async fn enter(Path(name): Path<String>, State(pump): State<Chat>, ws: PumpUpgrade) -> Response {
///     ws.on_upgrade(async move |mut reader, transport| {
///         let Ok(pumped) = pump.join(&*name, transport) else { return };
///         while let Some(Ok(said)) = reader.next(|answer| pumped.control(answer)).await {
///             println!("{name}: {said:?}");
///         }
///     })
/// }
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let room = Hub::<String>::start().open_room("lobby", &RoomConfig::default())?;
/// let pump: Chat = room.pump(WebSocketFrames::text(Text), PumpOptions::default())?;
/// let app = axum::Router::new().route("/{name}", axum::routing::get(enter)).with_state(pump);
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9004").await?;
/// axum::serve(listener, app).await?;
/// # Ok(()) }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub struct PumpUpgrade {
    on_upgrade: OnUpgrade,
    response: Response,
    options: WebSocketOptions,
}

impl fmt::Debug for PumpUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PumpUpgrade").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Why a request cannot be upgraded: the answer says it.
///
/// As for [`WebSocketRequest::read`](super::WebSocketRequest::read): 405 to any other method than
/// `GET`, 426 where no upgrade to WebSocket 13 is asked for, 400 otherwise.
#[derive(Debug)]
pub struct PumpUpgradeRejection(Rejected);

#[derive(Debug, thiserror::Error)]
enum Rejected {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// As with HTTP/2, or where a layer has taken it already.
    #[error("this connection cannot be upgraded: want HTTP/1.1, and one extractor that upgrades")]
    NotUpgradable,
}

impl fmt::Display for PumpUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PumpUpgradeRejection {}

impl IntoResponse for PumpUpgradeRejection {
    fn into_response(self) -> Response {
        let told = match &self.0 {
            Rejected::Handshake(error) => error.status(),
            Rejected::NotUpgradable => None,
        };
        let (status, headers) = told.unwrap_or((StatusCode::UPGRADE_REQUIRED, &[]));
        let mut response = (status, format!("{self}\n")).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, tungstenite::http::HeaderValue::from_static(value));
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PumpUpgrade {
    type Rejection = PumpUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let request = Request::from_parts(parts.clone(), ());
        let response = create_response(&request)
            .map_err(|error| PumpUpgradeRejection(HandshakeError::from(error).into()))?;
        let on_upgrade = on_upgrade.ok_or(PumpUpgradeRejection(Rejected::NotUpgradable))?;
        let response = response.map(|()| axum_core::body::Body::empty());
        Ok(Self { on_upgrade, response, options: WebSocketOptions::default() })
    }
}

impl PumpUpgrade {
    /// With other options than the default ones. Their `handshake_timeout` is axum's business.
    #[must_use]
    pub fn with_options(self, options: WebSocketOptions) -> Self {
        Self { options, ..self }
    }

    /// Answers that the protocol changes, and serves the connection in a task of its own once the
    /// peer has heard so: `serve` gets the read half and the write half for a
    /// [`Pump`](crate::Pump) whose encoder is wrapped in
    /// [`WebSocketFrames`](super::WebSocketFrames). A connection that ends before is served by
    /// nobody. Headers, such as a chosen subprotocol, can be added to the response.
    ///
    /// # Panics
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn on_upgrade<F>(
        self,
        serve: impl FnOnce(WebSocketReader, HttpTransport) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { on_upgrade, response, options } = self;
        tokio::spawn(async move {
            let Ok(upgraded) = on_upgrade.await else { return };
            let Ok((reader, transport)) = WebSocketReader::upgraded_http(upgraded, options).await
            else {
                return;
            };
            serve(reader, transport).await;
        });
        response
    }
}

impl WebSocketReader {
    /// Splits a connection that hyper has upgraded. Over plain TCP, as `axum::serve` and hyper-util's
    /// servers have it, the transport is a [`TcpTransport`] that asks the kernel what is in flight.
    ///
    /// # Errors
    /// The socket is no longer connected.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub async fn upgraded_http(
        upgraded: Upgraded,
        options: WebSocketOptions,
    ) -> Result<(Self, HttpTransport), super::WebSocketError> {
        match downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(UpgradedParts { io, read_buf, .. }) => {
                let (reader, tcp) = Self::upgraded(io.into_inner(), read_buf, options).await?;
                Ok((reader, HttpTransport(Over::Tcp(tcp))))
            }
            Err(upgraded) => {
                let stream = TokioIo::new(upgraded);
                let (reader, any) = Self::upgraded_stream(stream, Bytes::new(), options).await;
                Ok((reader, HttpTransport(Over::Any(any))))
            }
        }
    }
}

/// The write half of a connection that an HTTP server has upgraded, for a [`Pump`](crate::Pump):
/// plain TCP, or whatever else the server runs over, such as TLS.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
#[derive(Debug)]
pub struct HttpTransport(Over);

#[derive(Debug)]
enum Over {
    Tcp(TcpTransport),
    Any(StreamTransport<TokioIo<Upgraded>>),
}

impl HttpTransport {
    fn over(&mut self) -> &mut dyn Transport {
        match &mut self.0 {
            Over::Tcp(tcp) => tcp,
            Over::Any(any) => any,
        }
    }
}

impl Transport for HttpTransport {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.over().try_write(bytes)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.over().poll_writable(cx)
    }

    fn in_flight(&mut self) -> Option<InFlight> {
        self.over().in_flight()
    }

    fn set_stalled_after(&mut self, stalled_after: Duration) {
        self.over().set_stalled_after(stalled_after);
    }
}
