//! A chat under axum: each WebSocket is a member of the room in its path; `forward` writes to it.
//!
//! `cargo run --example axum_chat`, then in the consoles of two browser tabs, each with a user of
//! its own: `ws = new WebSocket("ws://127.0.0.1:9002/lobby/ann")`,
//! `ws.onmessage = m => console.log(m.data)` and `ws.send("hello")`. What is over 12 KiB is refused.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use roomcast::encode::Text;
use roomcast::{Hub, Room, RoomConfig};
use std::time::Duration;

#[derive(Clone)]
struct Chat {
    hub: Hub<String>,
    config: RoomConfig,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    // A room that nobody is in closes and is forgotten.
    let config = RoomConfig::builder(None).idle_timeout(Some(Duration::from_secs(60))).build()?;
    let chat = Chat { hub: Hub::<String>::start(), config };
    let app = Router::new().route("/{room}/{user}", axum::routing::get(enter)).with_state(chat);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Opens the room, or finds it, by the name in the path.
async fn enter(
    Path((room, user)): Path<(String, String)>,
    State(chat): State<Chat>,
    ws: WebSocketUpgrade,
) -> Response {
    let Chat { hub, config } = chat;
    match hub.open_room(room, &config) {
        Ok(room) => ws.on_upgrade(move |socket| visit(socket, user, room)),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Serves one connection until either side ends it.
async fn visit(socket: WebSocket, user: String, room: Room<String>) {
    let Ok(member) = room.join(&*user) else { return };
    let (sink, mut stream) = socket.split();
    let (say, hear) = member.split();
    // Ends when the sink does, or when `say` is dropped.
    tokio::spawn(hear.forward(sink, Text));
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        if let Err(refused) = say.send(format!("{user}: {text}")) {
            // Only the one who spoke is told, in its place among the messages.
            let _ = say.reply(format!("not sent, {refused}"));
        }
    }
}
