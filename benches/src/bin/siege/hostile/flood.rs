//! Clients that send as fast as they can.

use super::connection::{Buffer, join};
use super::{Both, Done, PAUSE, Target};
use roomcast_benches::websocket::{FIN, PING, TEXT, put_masked};
use std::io::ErrorKind;
use std::rc::Rc;
use tokio::time::{Instant, sleep, timeout_at};

/// Frames that are written at once.
const AT_ONCE: u32 = 4_096;

/// Whether a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ears {
    Open,
    Shut,
}

/// Small pings.
pub(super) fn pings() -> Vec<u8> {
    let mut frames = Vec::new();
    for number in 0..AT_ONCE {
        put_masked(FIN | PING, &number.to_be_bytes(), &mut frames);
    }
    frames
}

/// Likes and texts in turn.
pub(super) fn likes() -> Vec<u8> {
    let mut frames = Vec::new();
    for number in 0..AT_ONCE {
        let said: &[u8] = if number % 2 == 0 { b"like" } else { b"something that was written" };
        put_masked(FIN | TEXT, said, &mut frames);
    }
    frames
}

/// Sends frames over and over. A server that closes the connection is visited again.
pub(super) async fn send(target: Target, frames: Vec<u8>, ears: Ears) -> Done {
    let mut count = 0;
    let mut held = None;
    while Instant::now() < target.until {
        let Ok(stream) = join(target.address, 0, Buffer::Usual).await else {
            sleep(PAUSE).await;
            continue;
        };
        let stream: Both = Rc::new(stream);
        let reader = (ears == Ears::Open).then(|| {
            let stream = Rc::clone(&stream);
            tokio::task::spawn_local(async move { read_away(&stream).await })
        });
        let sent = timeout_at(target.until, write_on(&stream, &frames, &mut count)).await;
        if let Some(reader) = reader {
            reader.abort();
            // Until then it has the connection, too.
            let _ = reader.await;
        }
        if sent.is_err() {
            held = Rc::into_inner(stream);
        }
    }
    Done { count: count / (frames.len() as u64 / u64::from(AT_ONCE)), held }
}

/// Writes until the connection breaks; counts bytes.
async fn write_on(stream: &Both, frames: &[u8], count: &mut u64) {
    loop {
        let mut rest = frames;
        while !rest.is_empty() {
            if stream.writable().await.is_err() {
                return;
            }
            match stream.try_write(rest) {
                Ok(taken) => {
                    *count += taken as u64;
                    rest = &rest[taken..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        // Others of this process want to send, too.
        tokio::task::yield_now().await;
    }
}

async fn read_away(stream: &Both) {
    let mut buffer = vec![0; 64 << 10];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
