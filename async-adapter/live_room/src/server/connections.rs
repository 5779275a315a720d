//! The connections: HTTP over each, for the files of the page and for its WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use roomcast::net::{self, TcpTransport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// How long a peer may take to say what it wants, and may say nothing between two requests.
const HEADERS: Duration = Duration::from_secs(10);
/// How long a peer may take to end its side of a connection that is over.
const LINGER: Duration = Duration::from_secs(2);

/// Serves all who connect.
pub(super) async fn serve(listener: TcpListener, routes: Router) {
    loop {
        let (stream, _) = net::accept(&listener).await;
        // One that refuses its options has gone.
        if TcpTransport::prepare(&stream, TcpTransport::UNSENT).is_ok() {
            tokio::spawn(serve_one(stream, routes.clone()));
        }
    }
}

/// Serves one connection to its end, or until a WebSocket takes it over.
async fn serve_one<S>(stream: S, routes: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(Lingering(Some(stream))), TowerToHyperService::new(routes))
        .with_upgrades();
    // Whatever goes wrong is one peer's, and hyper has answered it where it can be answered.
    let _ = served.await;
}

/// A stream that is not closed on bytes that nobody has read: then it would be reset, and the last
/// words would be lost.
struct Lingering<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(Option<S>);

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Lingering<S> {
    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        self.0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Drop for Lingering<S> {
    fn drop(&mut self) {
        let (Some(mut stream), Ok(runtime)) = (self.0.take(), Handle::try_current()) else {
            return;
        };
        runtime.spawn(tokio::time::timeout(LINGER, async move {
            let mut scratch = [0; 1 << 10];
            stream.shutdown().await?;
            while stream.read(&mut scratch).await? > 0 {}
            Ok::<(), io::Error>(())
        }));
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn half_open_requests_time_out() {
        for said in ["", "GET /ws HTTP/1.1\r\n"] {
            let (mut client, server) = duplex(1 << 12);
            let start = Instant::now();
            let served = tokio::spawn(serve_one(server, Router::new()));
            client.write_all(said.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = timeout(HEADERS * 9, client.read_to_end(&mut answer)).await;
            ended.expect("it ends").unwrap();
            assert_eq!(start.elapsed().as_secs(), HEADERS.as_secs(), "{said:?}");
            served.await.unwrap();
        }
    }
}
