//! A chat under axum: each WebSocket is a member of one room, and `forward` writes to it.
//!
//! `cargo run --example axum_chat`, then in the consoles of two browser tabs, each with a user of
//! its own: `ws = new WebSocket("ws://127.0.0.1:9002/7"); ws.onmessage = m => console.log(m.data)`
//! and `ws.send("hello")`. What is over 12 KiB is refused.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::StreamExt;
use roomcast::{Batch, Hub, Item, Join, Room, RoomConfig, RoomId, UserId};

type Chat = Room<String>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    let chat = Hub::<String>::start().open_room(RoomId(1), &RoomConfig::default())?;
    let app = Router::new().route("/{user}", axum::routing::get(enter)).with_state(chat);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn enter(Path(id): Path<u64>, State(chat): State<Chat>, ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(move |socket| visit(socket, UserId(id), chat))
}

/// Serves one connection until either side ends it.
async fn visit(socket: WebSocket, user: UserId, chat: Chat) {
    let Ok(member) = chat.join(Join::user(user)) else { return };
    let (sink, mut stream) = socket.split();
    let (say, hear) = member.split();
    // Ends when the sink does, or when `say` is dropped.
    tokio::spawn(hear.forward(sink, lines));
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        if let Err(refused) = say.send(format!("{user}: {text}")) {
            // Only the one who spoke is told, in its place among the messages.
            let _ = say.reply(format!("not sent, {refused}"));
        }
    }
}

fn lines(batch: &Batch<String>) -> Vec<Message> {
    let line = |item: Item<'_, String>| match item {
        Item::Message(message) => message.payload.clone(),
        Item::Direct(direct) => direct.payload.clone(),
        Item::Gap { count, priority } => format!("({count} of priority {priority} missed)"),
    };
    batch.items().map(line).map(Message::text).collect()
}
