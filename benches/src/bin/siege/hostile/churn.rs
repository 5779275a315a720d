//! Clients that come and go.

use super::Target;
use super::connection::{Buffer, join};
use roomcast_benches::websocket::{CLOSE, FIN, put_masked};
use socket2::SockRef;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// "Normal closure" (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1_000;

/// Connects, joins, and leaves: with a close, without a word, or by breaking the connection off.
pub(super) async fn visit(target: Target, number: u32, round: u32) -> io::Result<()> {
    let mut stream = join(target.address, number.wrapping_add(round), Buffer::Usual).await?;
    match round % 3 {
        0 => {
            let mut close = Vec::new();
            put_masked(FIN | CLOSE, &NORMAL.to_be_bytes(), &mut close);
            stream.write_all(&close).await
        }
        1 => stream.shutdown().await,
        _ => SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
    }
}
