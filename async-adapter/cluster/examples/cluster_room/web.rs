//! The page of one node.

use crate::nodes::Nodes;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;
use roomcast::encode::Text;
use roomcast::{Join, Subscription, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Here = (u64, Arc<Nodes>);

pub(crate) fn page(name: u64, nodes: Arc<Nodes>) -> Router {
    Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/chat", get(enter))
        .route("/state", get(state))
        .route("/kill", post(kill))
        .with_state((name, nodes))
}

async fn state(State((name, nodes)): State<Here>) -> impl IntoResponse {
    let mut state = nodes.state(name).await;
    state["here"] = name.into();
    ([(CONTENT_TYPE, "application/json")], state.to_string())
}

async fn kill(State((_, nodes)): State<Here>) -> Response {
    match nodes.kill_owner() {
        Some(name) => format!("node {name} was killed").into_response(),
        None => (StatusCode::CONFLICT, "nobody owns the room just now").into_response(),
    }
}

async fn enter(State((name, nodes)): State<Here>, ws: WebSocketUpgrade) -> Response {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Some(room) = nodes.room(name) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "this node is dead just now").into_response();
    };
    let user = NEXT.fetch_add(1, Ordering::Relaxed);
    // Before the handshake is answered: whoever is connected is in.
    match room.join(Join::user(UserId(user))) {
        Ok(member) => ws.on_upgrade(move |socket| visit(socket, user, member)),
        Err(error) => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
    }
}

/// Serves one connection until either side ends it.
async fn visit(socket: WebSocket, user: u64, member: Subscription<String>) {
    let (sink, mut stream) = socket.split();
    let (say, hear) = member.split();
    tokio::spawn(hear.forward(sink, Text));
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        if let Err(refused) = say.send(format!("guest {user}: {text}")) {
            let _ = say.reply(format!("not sent, {refused}"));
        }
    }
}
