//! Clients that break the protocol.

use super::Target;
use super::connection::{Buffer, connect, join};
use roomcast_benches::websocket::{
    BINARY, CLOSE, CONTINUATION, FIN, HANDSHAKE, PING, TEXT, put_head, put_masked,
};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client waits for the server to close a connection: most of them not even for a polite
/// end, one in so many longer.
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(500);
const STUBBORN: u32 = 16;
/// The most that is sent of one frame or message that is too large: a server has to stop reading
/// long before.
const MUCH: usize = 4 << 20;
/// What is written at once.
static CHUNK: [u8; 32 << 10] = [b'x'; 32 << 10];

/// Handshakes that are none.
fn handshakes() -> [Vec<u8>; 5] {
    let without = |line: &str| String::from_utf8_lossy(HANDSHAKE).replace(line, "").into_bytes();
    let mut endless = b"GET / HTTP/1.1\r\n".to_vec();
    for number in 0..2_000 {
        endless.extend_from_slice(format!("X-{number}: {number}\r\n").as_bytes());
    }
    [
        (0..=u8::MAX).cycle().take(1_000).collect(),
        without("Upgrade: websocket\r\n"),
        without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        b"POST / HTTP/3.7\r\n\r\n".to_vec(),
        endless,
    ]
}

/// Frames that may not be.
fn frames() -> [Vec<u8>; 8] {
    let frame = |first: u8, payload: &[u8]| {
        let mut frame = Vec::new();
        put_masked(first, payload, &mut frame);
        frame
    };
    [
        // An opcode that means nothing.
        frame(FIN | 3, b"x"),
        // Bits of extensions that nobody asked for.
        frame(FIN | TEXT | 0x70, b"x"),
        // Not masked.
        vec![FIN | TEXT, 1, b'x'],
        frame(FIN | TEXT, &[0xff, 0xfe]),
        // A control frame in parts, and one that is too long.
        frame(PING, b"x"),
        frame(FIN | PING, &[0; 126]),
        // Half a code.
        frame(FIN | CLOSE, &[3]),
        // Goes on with nothing.
        frame(FIN | CONTINUATION, b"x"),
    ]
}

/// Says something malformed, and waits until the server closes the connection.
pub(super) async fn garbage(target: Target, number: u32, round: u32) -> io::Result<()> {
    let (handshakes, frames) = (handshakes(), frames());
    let place = round as usize % (handshakes.len() + frames.len());
    let source = number.wrapping_add(round);
    let (stream, said) = if let Some(handshake) = handshakes.get(place) {
        (connect(target.address, source, Buffer::Usual).await?, handshake)
    } else {
        let stream = join(target.address, source, Buffer::Usual).await?;
        (stream, &frames[place - handshakes.len()])
    };
    send_until_closed(stream, said, patience(round)).await
}

/// Sends a frame, or a message, that is too large.
pub(super) async fn big(target: Target, number: u32, round: u32) -> io::Result<()> {
    let stream = join(target.address, number.wrapping_add(round), Buffer::Usual).await?;
    let mut said = Vec::with_capacity(MUCH + MUCH / CHUNK.len() * 16);
    match round % 4 {
        // Says how large it will be.
        0 => put_head(FIN | BINARY, 1 << 20, &mut said),
        1 => put_head(FIN | BINARY, 1 << 40, &mut said),
        2 => put_head(FIN | BINARY, u64::MAX, &mut said),
        // Says it only piece by piece.
        _ => {
            put_masked(BINARY, &CHUNK, &mut said);
            while said.len() < MUCH {
                put_masked(CONTINUATION, &CHUNK, &mut said);
            }
        }
    }
    while said.len() < MUCH {
        said.extend_from_slice(&CHUNK);
    }
    send_until_closed(stream, &said, patience(round)).await
}

fn patience(round: u32) -> Duration {
    if round % STUBBORN == STUBBORN - 1 { LONG } else { SHORT }
}

/// Sends, and reads until the server closes the connection, or does not.
async fn send_until_closed(
    mut stream: TcpStream,
    said: &[u8],
    patience: Duration,
) -> io::Result<()> {
    let (mut read, mut write) = stream.split();
    let closed = async {
        let mut buffer = [0; 4 << 10];
        while read.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    let sent = async {
        // It breaks where the server has heard enough.
        let _ = write.write_all(said).await;
        std::future::pending::<()>().await;
    };
    let both = async {
        tokio::select! {
            () = closed => {}
            () = sent => {}
        }
    };
    // Whether or not it was closed: another one follows.
    let _ = timeout(patience, both).await;
    Ok(())
}
