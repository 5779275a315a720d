//! A chat over tokio-tungstenite: each WebSocket is a member of the one room, under the name in its
//! path; `forward` writes to it.
//!
//! `cargo run --example tungstenite`, then connect to `ws://127.0.0.1:9003/ann`. What is over 12 KiB
//! is refused.

use futures_util::StreamExt;
use roomcast::encode::Text;
use roomcast::net::{TcpTransport, accept};
use roomcast::{Hub, Room, RoomConfig};
use std::error::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9003".to_owned());
    let hub = Hub::<String>::start();
    let room = hub.open_room("lobby", &RoomConfig::default())?;
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = accept(&listener).await;
        let room = room.clone();
        tokio::spawn(async move {
            if let Err(error) = visit(stream, room).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Serves one connection until either side ends it.
async fn visit(stream: TcpStream, room: Room<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Without a short send buffer the kernel keeps megabytes of what is old by the time it is read.
    TcpTransport::prepare_for_sink(&stream, TcpTransport::SINK_BUFFER)?;
    let mut user = String::new();
    #[expect(clippy::result_large_err, reason = "tungstenite's callback answers so")]
    let look = |request: &Request, response: Response| {
        request.uri().path().trim_matches('/').clone_into(&mut user);
        Ok(response)
    };
    let (sink, mut said) = accept_hdr_async(stream, look).await?.split();
    let (say, hear) = room.join(&*user)?.split();
    // Ends when the sink does, or when `say` is dropped.
    tokio::spawn(hear.forward(sink, Text));
    while let Some(message) = said.next().await {
        let message = message?;
        if !message.is_text() {
            continue;
        }
        if let Err(refused) = say.send(format!("{user}: {}", message.into_text()?)) {
            // Only the one who spoke is told, in its place among the messages.
            let _ = say.reply(format!("not sent, {refused}"));
        }
    }
    Ok(())
}
