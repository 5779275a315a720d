//! A chat over Socket.IO: each socket is a member of the room `lobby` under the name that its `join`
//! event says. The room stands in the place of socketioxide's own rooms, which lose what a socket is
//! too slow for once 128 packets wait for it.
//!
//! `cargo run --example socketioxide`, then with a client of Socket.IO: `socket.emit("join", "ann")`,
//! `socket.emit("say", "hello")` and `socket.on("chat", text => ...)`.

use futures_util::{Sink, sink};
use roomcast::encode::Text;
use roomcast::{Hub, Room, RoomConfig, Speaker};
use socketioxide::extract::{Data, Extension, SocketRef, State};
use socketioxide::handler::ConnectHandler;
use socketioxide::{SendError, SocketError, SocketIo};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

/// A member, kept with its socket. When the last clone is dropped, the session has left.
#[derive(Clone)]
struct Member {
    name: Arc<str>,
    say: Arc<Speaker<String>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9005".to_owned());
    let hub = Hub::<String>::start();
    let room = hub.open_room("lobby", &RoomConfig::default())?;
    let (layer, io) = SocketIo::builder().with_state(room).build_layer();
    io.ns("/", (async || ()).with(listen));
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, axum::Router::new().layer(layer)).await?)
}

/// Has a socket's handlers in place before its client hears that it is connected: an event that comes
/// before its handler is lost.
async fn listen(socket: SocketRef) -> Result<(), Infallible> {
    socket.on("join", join);
    socket.on("say", say);
    socket.on_disconnect(async |socket: SocketRef| drop(socket.extensions.remove::<Member>()));
    Ok(())
}

/// Does all its work as it is called, and so does [`say`]: what a handler leaves to its future is run
/// as a task, and a `say` could overtake another or the `join` ahead of it.
fn join(
    socket: SocketRef,
    Data(name): Data<String>,
    State(room): State<Room<String>>,
) -> Ready<()> {
    let name = Arc::<str>::from(name);
    match room.join(&*name) {
        Ok(member) => {
            let (say, hear) = member.split();
            socket.extensions.insert(Member { name, say: Arc::new(say) });
            tokio::spawn(async move { hear.forward(Box::pin(chat(socket)), Text).await });
        }
        Err(error) => drop(socket.emit("chat", &format!("not in, {error}"))),
    }
    ready(())
}

fn say(Data(text): Data<String>, Extension(Member { name, say }): Extension<Member>) -> Ready<()> {
    if let Err(refused) = say.send(format!("{name}: {text}")) {
        // Only the one who spoke is told, in its place among the messages.
        let _ = say.reply(format!("not sent, {refused}"));
    }
    ready(())
}

/// A sink of `chat` events. While the packets of a socket find no place, nothing is taken from the
/// room: what the socket is too slow for is skipped there, and told.
fn chat(socket: SocketRef) -> impl Sink<String, Error = SocketError> {
    sink::unfold(socket, async |socket, text: String| {
        loop {
            match socket.emit("chat", &text) {
                Ok(()) => return Ok(socket),
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(SendError::Socket(closed)) => return Err(closed),
                Err(SendError::Serialize(error)) => unreachable!("a text is JSON: {error}"),
            }
        }
    })
}
