//! A chat over plain TCP, a line for each message: the first line is one's name; `forward` writes the
//! rest.
//!
//! `cargo run --example tcp_lines`, then `nc 127.0.0.1 9006`. A line over 64 KiB ends the connection.

use futures_util::StreamExt;
use roomcast::encode::Text;
use roomcast::net::{TcpTransport, accept};
use roomcast::{Hub, Room, RoomConfig};
use std::error::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9006".to_owned());
    let hub = Hub::<String>::start();
    let room = hub.open_room("lobby", &RoomConfig::default())?;
    let listener = TcpListener::bind(address).await?;
    println!("tcp://{}", listener.local_addr()?);
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
    let lines = Framed::new(stream, LinesCodec::new_with_max_length(64 << 10));
    let (sink, mut said) = lines.split::<String>();
    let Some(user) = said.next().await.transpose()? else { return Ok(()) };
    let (say, hear) = room.join(&*user)?.split();
    // Ends when the sink does, or when `say` is dropped.
    tokio::spawn(hear.forward(sink, Text));
    while let Some(text) = said.next().await.transpose()? {
        if let Err(refused) = say.send(format!("{user}: {text}")) {
            // Only the one who spoke is told, in its place among the messages.
            let _ = say.reply(format!("not sent, {refused}"));
        }
    }
    Ok(())
}
