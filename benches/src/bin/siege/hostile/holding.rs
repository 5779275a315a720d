//! Clients that take a place and do nothing with it.

use super::connection::{Buffer, connect, join};
use super::{Done, PAUSE, Target};
use roomcast_benches::websocket::HANDSHAKE;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Joins, and reads nothing.
pub(super) async fn stalled(target: Target, number: u32) -> Done {
    hold(target, async || join(target.address, number, Buffer::Small).await.ok()).await
}

/// Says nothing, or only the beginning of a handshake.
pub(super) async fn half_open(target: Target, number: u32) -> Done {
    let begun = &HANDSHAKE[..HANDSHAKE.len() / 2 * (number % 2) as usize];
    hold(target, async || {
        let mut stream = connect(target.address, number, Buffer::Usual).await.ok()?;
        stream.write_all(begun).await.ok()?;
        Some(stream)
    })
    .await
}

async fn hold(target: Target, come: impl AsyncFn() -> Option<TcpStream>) -> Done {
    while Instant::now() < target.until {
        if let Some(stream) = come().await {
            return Done { count: 1, held: Some(stream) };
        }
        sleep(PAUSE).await;
    }
    Done::default()
}
