//! One connection: how it comes in, and how it reads.

use super::{Member, Share};
use crate::link::Link;
use crate::load::SIPPED;
use crate::orders::Call;
use roomcast_benches::record::{self, Record, Wire};
use roomcast_benches::websocket::HANDSHAKE;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// How long coming in may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses that connections come from, so that each lends its ports: 127.0.0.2 and those that
/// follow.
const SOURCES: u32 = 16;
/// Who reads slowly takes its part of [`SIPPED`] so often in a second.
const SIPS: u32 = 4;
const SIP: usize = (SIPPED / SIPS) as usize;
const PAUSE: Duration = Duration::from_millis(1_000 / SIPS as u64);
/// And asks the kernel to take no more than this ahead.
const SMALL_BUFFER: u32 = 4 << 10;
/// Bytes of an answer to a handshake at the most.
const MAX_ANSWER: usize = 4 << 10;

/// Comes in as the connection of a number; answers whether it reads slowly.
///
/// # Errors
/// It is not let in: there are no more files or ports to be had, here or there.
pub(super) async fn connect(call: &Call, number: u32) -> Result<(TcpStream, bool), String> {
    let is_slow = call.load.is_slow(number);
    match timeout(PATIENCE, come_in(call, number, is_slow)).await {
        Ok(Ok(stream)) => Ok((stream, is_slow)),
        Ok(Err(error)) => Err(format!("a connection was not let in: {error}")),
        Err(_) => Err(format!("a connection was not let in for {} s", PATIENCE.as_secs())),
    }
}

async fn come_in(call: &Call, number: u32, is_slow: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let link = call.load.link.filter(|_| is_slow);
    if is_slow && link.is_none() {
        socket.set_recv_buffer_size(SMALL_BUFFER)?;
    }
    socket.set_reuseaddr(true)?;
    let shared = Ipv4Addr::new(127, 0, 0, 2 + (number % SOURCES) as u8);
    let source = if link.is_some() { Link::address(number) } else { shared };
    socket.bind(SocketAddr::from((source, 0)))?;
    let mut stream = socket.connect(call.address).await?;
    if call.wire == Wire::WebSocket {
        stream.write_all(HANDSHAKE).await?;
    }
    let mut answer = Vec::new();
    while !is_let_in(call.wire, &answer)? {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed it"));
        }
    }
    Ok(stream)
}

/// Whether an answer is whole. Nothing follows it before everyone is in.
fn is_let_in(wire: Wire, answer: &[u8]) -> io::Result<bool> {
    let wrong = || {
        io::Error::new(
            ErrorKind::InvalidData,
            format!("the server answered `{}`", String::from_utf8_lossy(answer)),
        )
    };
    match wire {
        Wire::Lengths => match wire.next(&mut &*answer) {
            Ok(Some(Record::Hello)) => Ok(true),
            Ok(None) => Ok(false),
            _ => Err(wrong()),
        },
        Wire::WebSocket
            if answer.ends_with(b"\r\n\r\n") && answer.starts_with(b"HTTP/1.1 101 ") =>
        {
            Ok(true)
        }
        Wire::WebSocket if answer.len() > MAX_ANSWER || answer.ends_with(b"\r\n\r\n") => {
            Err(wrong())
        }
        Wire::WebSocket => Ok(false),
    }
}

/// Reads until the server closes the connection.
pub(super) async fn read_all(wire: Wire, stream: TcpStream, member: Rc<Member>, share: Rc<Share>) {
    // The beginning of a record whose end has yet to come.
    let mut begun = Vec::new();
    loop {
        let at_most = if member.sips && !share.hurry.get() {
            sleep(PAUSE).await;
            SIP
        } else if stream.readable().await.is_err() {
            break;
        } else {
            usize::MAX
        };
        let mut buffer = share.buffer.borrow_mut();
        let at_most = at_most.min(buffer.len());
        match stream.try_read(&mut buffer[..at_most]) {
            Ok(0) => break,
            Ok(count) => {
                share.bytes.set(share.bytes.get() + count as u64);
                if let Err(line) = take(wire, &buffer[..count], &mut begun, &member, &share) {
                    share.trouble.borrow_mut().get_or_insert(line);
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    member.is_closed.set(true);
}

/// Puts down all the records that are whole, and keeps what is not.
fn take(
    wire: Wire,
    read: &[u8],
    begun: &mut Vec<u8>,
    member: &Member,
    share: &Share,
) -> Result<(), String> {
    if begun.is_empty() {
        let left = put_down(wire, read, member, share)?;
        begun.extend_from_slice(&read[read.len() - left..]);
    } else {
        begun.extend_from_slice(read);
        let left = put_down(wire, begun, member, share)?;
        begun.drain(..begun.len() - left);
    }
    Ok(())
}

/// Puts down all the records that are whole; answers how many bytes are left.
fn put_down(wire: Wire, mut read: &[u8], member: &Member, share: &Share) -> Result<usize, String> {
    let now = record::now();
    let (from, to) = share.window.get();
    let mut books = member.books.borrow_mut();
    let mut latencies = if member.is_slow { &share.slow } else { &share.fast }.borrow_mut();
    while let Some(record) = wire.next(&mut read)? {
        if let Some((level, sent)) = books.take(record)
            && (from..to).contains(&sent)
        {
            latencies.time(level, now.saturating_sub(sent));
        }
    }
    Ok(read.len())
}
