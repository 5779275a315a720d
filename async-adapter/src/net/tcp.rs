//! The TCP transport, for tokio:
//! [decision D36](roomcast_core::design#d36-short-send-buffers-in-the-kernel).

use super::link::{Linked, TransportEnd};
use crate::pump::transport::{InFlight, Transport};
use socket2::{SockRef, TcpKeepalive};
use std::io;
#[cfg(any(target_os = "android", target_os = "linux"))]
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// How long a connection says nothing before the kernel asks whether the peer is there, and how
/// often and how many times it asks again.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMES: u32 = 4;
/// The kernel gives up a peer so much later than the pump does.
#[cfg(any(target_os = "android", target_os = "linux"))]
const LATER: Duration = Duration::from_secs(30);
/// The longest that the kernel can be told to wait.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MOST: Duration = Duration::from_millis(i32::MAX as u64);

/// The write half of a TCP connection, for a [`Pump`](crate::Pump). Dropping it shuts the write
/// side down, and ends its [`TcpReader`].
#[derive(Debug)]
pub struct TcpTransport {
    half: OwnedWriteHalf,
    _end: TransportEnd,
}

/// The read half of a TCP connection; it stays with the host.
///
/// It comes to its end when the peer ends the connection, and when the pump does: the transport has
/// gone, because the session has ended, or its peer took nothing for too long. Then what the peer
/// still sends is thrown away, for at most two seconds, so that it gets the last words. A task that
/// reads to the end and drops this keeps no descriptor of a connection that is over.
#[derive(Debug)]
pub struct TcpReader(Linked<OwnedReadHalf>);

impl TcpReader {
    /// The connection, to look at.
    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref().as_ref()
    }
}

impl AsyncRead for TcpReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl TcpTransport {
    /// Unsent bytes that the kernel keeps for one connection, unless
    /// [`with_unsent`](Self::with_unsent) says otherwise.
    pub const UNSENT: u32 = 16 << 10;

    /// Bytes of a send buffer for [`prepare_for_sink`](Self::prepare_for_sink): as few as Linux
    /// gives.
    pub const SINK_BUFFER: u32 = 2_304;

    /// Splits a connection: the read half stays with the host, the write half is for the pump. The
    /// socket gets the options of [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// The socket refuses an option: it is no longer connected.
    pub fn split(stream: TcpStream) -> io::Result<(TcpReader, Self)> {
        Self::with_unsent(stream, Self::UNSENT)
    }

    /// As [`split`](Self::split), with another bound for the unsent bytes.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn with_unsent(stream: TcpStream, unsent: u32) -> io::Result<(TcpReader, Self)> {
        Self::prepare(&stream, unsent)?;
        let (read, transport) = linked(stream);
        Ok((TcpReader(read), transport))
    }

    /// Sets the options of a socket that a pump writes to, for a host that puts something between
    /// it and the pump, such as TLS.
    ///
    /// It switches Nagle's delay off, and tells the kernel (where it has `TCP_NOTSENT_LOWAT`:
    /// Linux, Android) to take no more than `unsent` bytes that it cannot send yet. Otherwise a send
    /// buffer of megabytes fills with stale messages before any policy acts, and a gift waits
    /// behind all of them. After a minute of silence it has the kernel ask whether the peer is
    /// still there, and give it up after another.
    ///
    /// # Errors
    /// The socket refuses an option: it is no longer connected.
    pub fn prepare(stream: &TcpStream, unsent: u32) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        let keepalive =
            TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
        socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_TIMES))?;
        #[cfg(any(target_os = "android", target_os = "linux"))]
        socket.set_tcp_notsent_lowat(unsent)?;
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        let _ = unsent;
        Ok(())
    }

    /// Sets the options of a socket that nobody looks into, such as one below a sink that
    /// [`forward`](crate::forward) writes to: those of [`prepare`](Self::prepare), and a send buffer
    /// of about so many bytes, sent or not, [`SINK_BUFFER`](Self::SINK_BUFFER) at the least.
    ///
    /// A gift waits behind what the buffer holds: at the least some 4 KB, for Linux takes twice what
    /// it is asked for, so a second and a half of a link of 24 kbit/s. And no more than that can be
    /// under way, so a peer that is 100 ms away gets at most about 40 KB a second of the least, and
    /// of more in proportion. A pump needs none of this: it asks the kernel.
    ///
    /// # Errors
    /// The socket refuses an option: it is no longer connected.
    ///
    /// ```
    /// # use roomcast::net::TcpTransport;
    /// # use tokio::net::{TcpListener, TcpStream};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let _peer = TcpStream::connect(listener.local_addr()?).await?;
    /// // Under axum: `listener.tap_io(|stream| …)`, before it is served.
    /// let (stream, _) = listener.accept().await?;
    /// TcpTransport::prepare_for_sink(&stream, TcpTransport::SINK_BUFFER)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare_for_sink(stream: &TcpStream, buffer: u32) -> io::Result<()> {
        let buffer = buffer.max(Self::SINK_BUFFER);
        Self::prepare(stream, buffer)?;
        SockRef::from(stream).set_send_buffer_size(buffer as usize)
    }
}

/// The two sides of a connection.
pub(super) fn linked(stream: TcpStream) -> (Linked<OwnedReadHalf>, TcpTransport) {
    let (read, half) = stream.into_split();
    let (read, end) = Linked::new(read);
    (read, TcpTransport { half, _end: end })
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

    /// What the kernel holds and the peer has not acknowledged, and the smallest round trip of the
    /// last minutes (`SIOCOUTQ` and `TCP_INFO`, where there are such: Linux, Android).
    fn in_flight(&mut self) -> Option<InFlight> {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        {
            super::kernel::in_flight(self.half.as_ref().as_fd())
        }
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        None
    }

    /// The kernel gives up a peer that acknowledges nothing, or keeps its window shut, 30 s later
    /// than the pump (`TCP_USER_TIMEOUT`, where there is one: Linux, Android), so that the pump is
    /// the one that counts it and tells the host.
    fn set_stalled_after(&mut self, stalled_after: Duration) {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        {
            // Asked for, it ends keepalive's patience too.
            let least = KEEPALIVE_AFTER + KEEPALIVE_EVERY * KEEPALIVE_TIMES;
            let timeout = stalled_after.saturating_add(LATER).clamp(least, MOST);
            // A socket that refuses it is found to be gone at the first write.
            let _ = SockRef::from(self.half.as_ref()).set_tcp_user_timeout(Some(timeout));
        }
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        let _ = stalled_after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    #[tokio::test]
    async fn keepalive_is_set() {
        let (_client, server) = pair().await;
        let (reader, _transport) = TcpTransport::split(server).unwrap();
        let socket = SockRef::from(reader.stream());
        assert!(socket.keepalive().unwrap() && reader.stream().nodelay().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_TIMES);
        }
    }

    /// Linux counts for itself as much as it is asked for, and takes 4,608 at the least.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn d49_a_socket_below_a_sink_has_a_short_buffer() {
        for (buffer, right) in [(0, 4_608), (TcpTransport::SINK_BUFFER, 4_608), (8_192, 16_384)] {
            let (_client, server) = pair().await;
            TcpTransport::prepare_for_sink(&server, buffer).unwrap();
            let socket = SockRef::from(&server);
            assert_eq!(socket.send_buffer_size().unwrap(), right);
            assert!(server.nodelay().unwrap() && socket.keepalive().unwrap());
        }
    }

    /// What is in flight is what the peer has no room for; what it has is not.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn d49_the_kernel_says_what_is_in_flight() {
        let (client, server) = pair().await;
        let (_reader, mut transport) = TcpTransport::with_unsent(server, 1 << 20).unwrap();
        assert_eq!(transport.in_flight(), Some(InFlight::default()));
        let mut taken = 0;
        loop {
            match transport.try_write(&[7; 4_096]) {
                Ok(bytes) => taken += bytes as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        // Nobody reads.
        let stuck = transport.in_flight().unwrap();
        assert!(stuck.bytes > 0 && stuck.bytes < taken, "{stuck:?} of {taken}");
        assert!(!stuck.round_trip.is_zero() && stuck.round_trip < Duration::from_secs(1));
        let mut read = vec![0; 1 << 16];
        while taken > 0 {
            client.readable().await.unwrap();
            taken -= client.try_read(&mut read).unwrap_or(0) as u64;
        }
        while transport.in_flight().unwrap().bytes > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernels_patience_is_not_below_the_pumps() {
        let (_client, server) = pair().await;
        let (reader, mut transport) = TcpTransport::split(server).unwrap();
        for (stalled_after, least) in [(1, 60), (60, 60), (3_600, 3_600), (u64::MAX, 1 << 21)] {
            transport.set_stalled_after(Duration::from_secs(stalled_after));
            let timeout = SockRef::from(reader.stream()).tcp_user_timeout().unwrap();
            let timeout = timeout.expect("it is set");
            assert!(timeout > Duration::from_secs(least), "{stalled_after} s: {timeout:?}");
        }
    }
}
