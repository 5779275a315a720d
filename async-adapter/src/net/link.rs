//! What ties the reading side of a connection to the transport that a pump writes to: when the pump
//! lets go, the reader hears of it, and the socket ends without cutting off the last words.

use crate::drive::latch::Latch;
use crate::sync::Arc;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a peer may take to end its side once the transport has gone. Until then what it sends
/// is read and thrown away: a socket that is closed on bytes that nobody has read is reset, and the
/// last words are lost.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// Reads that are thrown away in a row before other tasks get their turn.
const READS_A_TURN: u32 = 16;

/// A transport's end: dropping it tells the reader.
#[derive(Debug)]
pub(super) struct TransportEnd(Arc<Latch<()>>);

impl Drop for TransportEnd {
    fn drop(&mut self) {
        self.0.set(());
        self.0.tell();
    }
}

/// A reading side that ends with its transport.
#[derive(Debug)]
pub(super) struct Linked<R> {
    read: R,
    /// Set once the transport has gone.
    transport_end: Arc<Latch<()>>,
    /// Runs once the transport has gone.
    linger: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl<R> Linked<R> {
    pub(super) fn new(read: R) -> (Self, TransportEnd) {
        let transport_end = Arc::<Latch<()>>::default();
        let end = TransportEnd(Arc::clone(&transport_end));
        (Self { read, transport_end, linger: None, is_over: false }, end)
    }

    pub(super) fn get_ref(&self) -> &R {
        &self.read
    }

    /// Whether the transport has gone.
    #[cfg(feature = "websocket")]
    pub(super) fn is_gone(&self) -> bool {
        self.transport_end.get().is_some()
    }
}

impl<R: AsyncRead + Unpin> Linked<R> {
    /// Throws away what the peer still says, to its end or to that of its time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 4 << 10];
        for _ in 0..READS_A_TURN {
            let mut into = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.read).poll_read(cx, &mut into)) {
                Ok(()) if !into.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Linked<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        if self.transport_end.poll(cx).is_pending() {
            return Pin::new(&mut self.read).poll_read(cx, into);
        }
        ready!(self.poll_linger(cx));
        self.is_over = true;
        Poll::Ready(Ok(()))
    }
}
