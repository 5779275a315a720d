//! A transport over anything that tokio can write to, such as TLS.

use super::link::{Linked, TransportEnd};
use crate::pump::transport::Transport;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::task::unconstrained;

/// Bytes that are offered in advance to a stream that could take none.
const COPIED: usize = 4 << 10;

/// The write half of any stream, for a [`Pump`](crate::Pump). Dropping it shuts the write side down.
///
/// What the stream has buffered and not yet passed on, as TLS does, does not count as taken.
/// The options of the socket below are the host's: see [`TcpTransport::prepare`](super::TcpTransport::prepare).
pub struct StreamTransport<S: AsyncWrite> {
    half: WriteHalf<S>,
    /// The beginning of what is offered next: a stream says that it can take more only to whoever
    /// offers it something.
    copy: Vec<u8>,
    /// Bytes of what is offered next that were written already.
    ahead: usize,
    is_flushed: bool,
    _end: TransportEnd,
}

impl<S: AsyncWrite> fmt::Debug for StreamTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTransport").finish_non_exhaustive()
    }
}

/// The read half of any stream; it stays with the host. It ends as a
/// [`TcpReader`](super::TcpReader) does.
pub struct StreamReader<S>(Linked<ReadHalf<S>>);

impl<S> fmt::Debug for StreamReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader").finish_non_exhaustive()
    }
}

impl<S: AsyncRead> AsyncRead for StreamReader<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite> StreamTransport<S> {
    /// Splits a stream: the read half stays with the host, the write half is for the pump.
    pub fn split(stream: S) -> (StreamReader<S>, Self) {
        let (read, transport) = linked(stream);
        (StreamReader(read), transport)
    }
}

/// The two sides of a stream.
pub(super) fn linked<S>(stream: S) -> (Linked<ReadHalf<S>>, StreamTransport<S>)
where
    S: AsyncRead + AsyncWrite,
{
    let (read, half) = tokio::io::split(stream);
    let (read, end) = Linked::new(read);
    let transport =
        StreamTransport { half, copy: Vec::new(), ahead: 0, is_flushed: true, _end: end };
    (read, transport)
}

/// Asks a stream. Not within tokio's budget for one task, which would make most connections of a
/// pump look full.
fn ask<R>(cx: &mut Context<'_>, ask: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    pin!(unconstrained(poll_fn(ask))).poll(cx)
}

impl<S: AsyncWrite> StreamTransport<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ask(cx, |cx| Pin::new(&mut self.half).poll_write(cx, bytes))
    }

    /// Passes on what was begun, and offers what could not be taken.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.copy.is_empty() {
            let copy = std::mem::take(&mut self.copy);
            match self.poll_write(cx, &copy) {
                Poll::Pending => {
                    self.copy = copy;
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(written) => self.ahead = written?,
            }
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(ask(cx, |cx| Pin::new(&mut self.half).poll_flush(cx)))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Nothing can be taken now.
fn blocked<T>() -> io::Result<T> {
    Err(io::ErrorKind::WouldBlock.into())
}

impl<S: AsyncWrite + Send + 'static> Transport for StreamTransport<S> {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Whoever is told to wait asks with `poll_writable`, which has a waker.
        let cx = &mut Context::from_waker(Waker::noop());
        match self.poll_begun(cx) {
            Poll::Pending => return blocked(),
            Poll::Ready(begun) => begun?,
        }
        if self.ahead == 0 {
            match self.poll_write(cx, bytes) {
                Poll::Pending => {
                    self.copy = bytes[..bytes.len().min(COPIED)].to_vec();
                    return blocked();
                }
                Poll::Ready(written) => self.ahead = written?,
            }
            self.is_flushed = false;
            match self.poll_begun(cx) {
                Poll::Pending => return blocked(),
                Poll::Ready(begun) => begun?,
            }
        }
        // It is the same bytes that are offered again.
        let written = self.ahead.min(bytes.len());
        self.ahead -= written;
        Ok(written)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_begun(cx)
    }
}

impl<S: AsyncWrite> Drop for StreamTransport<S> {
    fn drop(&mut self) {
        // As far as that can be done now; the rest ends with the reading side.
        let cx = &mut Context::from_waker(Waker::noop());
        let _ = ask(cx, |cx| Pin::new(&mut self.half).poll_shutdown(cx));
    }
}
