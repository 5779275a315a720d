//! A chat under axum whose connections a pump writes to: no task for writing, each message encoded
//! once. axum does the handshake, with its extractors; then the pump takes the connection over.
//!
//! `cargo run --example pump_axum --features axum`, then connect to `ws://127.0.0.1:9007/ann`. What is
//! over 12 KiB is refused.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use roomcast::encode::Text;
use roomcast::net::{FromPeer, HttpTransport, PumpUpgrade, WebSocketFrames, WebSocketReader};
use roomcast::pump::PumpOptions;
use roomcast::{Direct, Hub, Publish, Pump, Recipient, Room, RoomConfig, Source};

#[derive(Clone)]
struct Chat {
    room: Room<String>,
    pump: Pump<String, HttpTransport>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9007".to_owned());
    let hub = Hub::<String>::start();
    let room = hub.open_room("lobby", &RoomConfig::default())?;
    let pump = room.pump(WebSocketFrames::text(Text), PumpOptions::default())?;
    let app = Router::new().route("/{user}", get(enter)).with_state(Chat { room, pump });
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn enter(Path(user): Path<String>, State(chat): State<Chat>, ws: PumpUpgrade) -> Response {
    ws.on_upgrade(move |reader, transport| visit(reader, transport, user, chat))
}

/// Reads one connection until it ends, by its peer or because the pump has let go.
async fn visit(mut reader: WebSocketReader, transport: HttpTransport, user: String, chat: Chat) {
    let Chat { room, pump } = chat;
    let pumped = match pump.join(&*user, transport) {
        Ok(pumped) => pumped,
        Err(refused) => return eprintln!("{user}: {refused}"),
    };
    while let Some(Ok(said)) = reader.next(|answer| pumped.control(answer)).await {
        let FromPeer::Text(text) = said else { continue };
        let text = format!("{user}: {}", String::from_utf8_lossy(&text));
        if let Err(refused) =
            room.try_publish(Publish::new(Source::Session(pumped.session()), text))
        {
            // Only the one who spoke is told, in its place among the messages.
            let note = Direct::new(format!("not sent, {refused}"));
            let _ = room.send_direct(Recipient::Session(pumped.session()), note);
        }
    }
}
