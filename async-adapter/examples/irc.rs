//! A small IRC server: NICK, USER, JOIN, PART, PRIVMSG, PING and QUIT. A client is one connection in many
//! channels, and sees what was said in all of them in the order in which it was said.
//!
//! `cargo run --example irc`, then `nc 127.0.0.1 6667`, and there `NICK ann` and `JOIN #rust`. Names are not
//! checked: two clients of one name are one user.

use futures_util::StreamExt;
use roomcast::connection::{Connection, ConnectionItem, ItemKind, Order};
use roomcast::net::{TcpTransport, accept};
use roomcast::{Direct, Hub, Publish, RoomConfig, Source};
use std::error::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6667".to_owned());
    let hub = Hub::<String>::start();
    let listener = TcpListener::bind(address).await?;
    println!("irc://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = accept(&listener).await;
        let hub = hub.clone();
        tokio::spawn(async move {
            if let Err(error) = visit(stream, hub).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// A line for each message, as it was published, and for each gap.
fn line(item: &ConnectionItem<String>) -> Option<String> {
    match &item.what {
        ItemKind::Message { message, .. } => Some(message.payload.clone()),
        ItemKind::Direct(direct) => Some(direct.payload.clone()),
        ItemKind::Gap { count, .. } => Some(format!(":irc NOTICE * :{count} messages missed")),
        _ => None,
    }
}

/// Serves one connection until either side ends it.
async fn visit(stream: TcpStream, hub: Hub<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    TcpTransport::prepare_for_sink(&stream, TcpTransport::SINK_BUFFER)?;
    let lines = Framed::new(stream, LinesCodec::new_with_max_length(512));
    let (sink, mut said) = lines.split::<String>();
    let (rooms, connection) = Connection::new(&hub, Order::Dispatch).split();
    let to_client = rooms.sender();
    // Ends when the sink does, or when `rooms` is dropped.
    tokio::spawn(connection.forward(sink, line));
    let reply = |text: String| drop(to_client.send(Direct::new(text)));
    let mut nick = String::new();
    // Fan-out rooms send what one says to oneself as well; IRC does not.
    let config = RoomConfig::fan_out().to_builder().echo(roomcast::config::Echo::Off).build()?;
    while let Some(text) = said.next().await.transpose()? {
        let (command, rest) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
        let (target, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let everyone = |room: &str, text: String| {
            let room = hub.room(room).filter(|room| rooms.session(room.id()).is_some())?;
            let from = Source::Session(rooms.session(room.id())?);
            let sent = room.try_publish(Publish::new(from, format!(":{nick} {text}")));
            Some(sent.map(drop).map_err(|refused| refused.to_string()))
        };
        match &*command.to_ascii_uppercase() {
            "NICK" if rooms.rooms().is_empty() => target.clone_into(&mut nick),
            "USER" if !nick.is_empty() => reply(format!(":irc 001 {nick} :Welcome")),
            "PING" => reply(format!(":irc PONG irc :{}", rest.trim_start_matches(':'))),
            "JOIN" if !nick.is_empty() && target.starts_with('#') => {
                rooms.join(&hub.open_room(target, &config)?, &*nick)?;
                reply(format!(":{nick} JOIN {target}"));
                let _ = everyone(target, format!("JOIN {target}"));
            }
            "PART" => {
                let _ = everyone(target, format!("PART {target}"));
                let left = hub.room(target).is_some_and(|room| rooms.leave(room.id()));
                reply(if left { format!(":{nick} PART {target}") } else { not_in(target) });
            }
            "PRIVMSG" => match everyone(target, format!("PRIVMSG {target} {words}")) {
                Some(Ok(())) => {}
                Some(Err(refused)) => reply(format!(":irc 404 {nick} {target} :{refused}")),
                None => reply(not_in(target)),
            },
            "QUIT" => break,
            _ => reply(format!(":irc 421 {nick} {command} :Unknown, or not now")),
        }
    }
    Ok(())
}

fn not_in(channel: &str) -> String {
    format!(":irc 442 {channel} :You're not on that channel")
}
