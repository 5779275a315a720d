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
use roomcast::session::ForwardOptions;
use roomcast::{Batch, Direct, Hub, Item, Join, Publish, Recipient, RoomConfig};
use roomcast::{Room, RoomId, Source, UserId, forward};

type Chat = Room<String>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    let hub = Hub::<String>::builder().spawn();
    let chat = hub.create_room(RoomId(1), &RoomConfig::av_chat_room(UserId(1)))?;
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
    let session = member.session();
    let (sink, mut stream) = socket.split();
    let write = forward(member, sink, lines, ForwardOptions::default());
    let read = async {
        while let Some(Ok(message)) = stream.next().await {
            let Message::Text(text) = message else { continue };
            let said = Publish::new(Source::Session(session), format!("{user}: {text}"));
            if let Err(refused) = chat.try_publish(said) {
                // Only the one who spoke is told, in a message of the host's own.
                let note = Direct::new(format!("not sent, {refused}"));
                let _ = chat.send_direct(Recipient::Session(session), note);
            }
        }
    };
    tokio::select! { () = read => {}, _ = write => {} }
}

fn lines(batch: &Batch<String>) -> Vec<Message> {
    let line = |item: Item<'_, String>| match item {
        Item::Message(message) => message.payload.clone(),
        Item::Direct(direct) => direct.payload.clone(),
        Item::Gap { count, priority } => format!("({count} of priority {priority} missed)"),
    };
    batch.items().map(line).map(Message::text).collect()
}
