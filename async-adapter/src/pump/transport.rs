//! The write half of a connection, as the [pump](crate::Pump) sees it.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a transport has taken and its peer is not known to have received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// Bytes.
    pub bytes: u64,
    /// How long the way to the peer and back takes when nothing else is on it.
    pub round_trip: Duration,
}

impl InFlight {
    /// So many bytes, over a way of no length.
    pub fn new(bytes: u64) -> Self {
        Self { bytes, round_trip: Duration::ZERO }
    }

    /// The same over a way of this length, there and back.
    pub fn round_trip(self, round_trip: Duration) -> Self {
        Self { round_trip, ..self }
    }
}

/// The write half of a connection, to be served by a [`Pump`](crate::Pump).
///
/// The pump owns it and is the only one that writes. It never waits for one connection: what a
/// transport cannot take now is kept, and asked for again when the transport says so. Dropping the
/// transport ends the connection's write side.
///
#[cfg_attr(unix, doc = "```")]
#[cfg_attr(not(unix), doc = "```ignore")]
/// use roomcast::Transport;
/// use std::io;
/// use std::task::{Context, Poll};
/// use tokio::net::unix::OwnedWriteHalf;
///
/// /// A Unix socket.
/// struct Unix(OwnedWriteHalf);
///
/// impl Transport for Unix {
///     fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.0.try_write(bytes)
///     }
///
///     fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         self.0.as_ref().poll_write_ready(cx)
///     }
/// }
/// ```
pub trait Transport: Send + 'static {
    /// Writes as much of `bytes` as can be taken now, without blocking, and returns how much that
    /// was. What is left is offered again, from there, when [`poll_writable`](Self::poll_writable)
    /// says that it may be.
    ///
    /// # Errors
    /// `WouldBlock`: nothing can be taken now. `Interrupted`: it is called again at once. Anything
    /// else ends the connection.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether more can be taken. If not, the waker of `cx` is woken when that may have changed.
    /// Called only after `try_write` has taken less than it was offered. A transport that says yes
    /// and takes nothing, twice in a row, is asked again 10 ms later.
    ///
    /// # Errors
    /// The connection is gone.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns what has been taken and the peer is not known to have received; `None`, which is the
    /// default, where the transport cannot tell.
    ///
    /// The pump hands a connection no more than it drains in [`reach`](crate::pump::PumpOptions::reach).
    /// With this, all bytes count until the peer has them; without it, only how fast the transport
    /// takes them. A connection that keeps up is asked at most ten times a second.
    fn in_flight(&mut self) -> Option<InFlight> {
        None
    }

    /// Says, once and before anything is written, how long the pump waits for a transport that
    /// takes nothing ([`stalled_after`](crate::pump::PumpOptions::stalled_after)): whatever is below
    /// should not give up a peer that is still there any earlier. Default: nothing.
    fn set_stalled_after(&mut self, stalled_after: Duration) {
        let _ = stalled_after;
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (**self).try_write(bytes)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_writable(cx)
    }

    fn in_flight(&mut self) -> Option<InFlight> {
        (**self).in_flight()
    }

    fn set_stalled_after(&mut self, stalled_after: Duration) {
        (**self).set_stalled_after(stalled_after);
    }
}
