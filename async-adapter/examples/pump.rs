//! A whole chat server in one file: WebSocket connections, one room, no task for writing.
//!
//! Run it, then open two consoles in a browser and type `ws = new WebSocket("ws://127.0.0.1:9001/?ann"); ws.onmessage = m => m.data.text().then(console.log)`
//! and `ws.send("hello")`. What begins with `!` is a gift: it goes out at High.
//!
//! Each connection has a task that reads it; the pump writes to all of them.

use roomcast::event::EndReason;
use roomcast::net::{
    self, FromPeer, TcpTransport, WebSocketFrames, WebSocketOptions, WebSocketReader,
};
use roomcast::pump::PumpOptions;
use roomcast::{
    Bytes, Direct, Encoder, GapCause, Hub, Join, Kind, Message, Priority, Publish, Pump, Room,
    RoomConfig, RoomId, Source, UserId,
};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How this server's protocol looks: a line for each message. A payload is a line already, so it is only copied.
#[derive(Clone)]
struct Lines;

impl Encoder<Bytes> for Lines {
    type Frame = Bytes;

    fn message(&mut self, message: &Message<Bytes>) -> Bytes {
        message.payload.clone()
    }

    fn direct(&mut self, direct: &Direct<Bytes>) -> Bytes {
        [b"(to you) ", &*direct.payload].concat().into()
    }

    fn gap(&mut self, priority: Priority, count: u64, cause: GapCause) -> Option<Bytes> {
        Some(format!("({count} {priority} missed: {cause})").into())
    }

    fn end(&mut self, reason: EndReason) -> Option<Bytes> {
        Some(format!("(goodbye: {reason})").into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on `{address}`: {error}"))?;
    println!("ws://{}/", listener.local_addr()?);

    let hub = Hub::<Bytes>::builder().spawn();
    // Text may wait a tenth of a second for company, so that more messages share a write; gifts do not.
    let window = Duration::from_millis(100);
    let config = RoomConfig::builder(UserId(1))
        .coalesce(roomcast::PerLevel([Duration::ZERO, window, window, window]))
        .build()?;
    let room = hub.create_room(RoomId(1), &config)?;
    let pump = room.pump(WebSocketFrames::binary(Lines), PumpOptions::default())?;

    let (mut visits, mut next_user) = (JoinSet::new(), 100);
    let mut stopped = std::pin::pin!(stopped());
    loop {
        tokio::select! {
            (stream, _) = net::accept(&listener) => {
                next_user += 1;
                visits.spawn(serve(stream, UserId(next_user), room.clone(), pump.clone()));
            }
            Some(_) = visits.join_next(), if !visits.is_empty() => {}
            () = &mut stopped => break,
        }
    }
    // Nobody new; everyone gets what is due, then the goodbye and a close.
    drop(listener);
    let report = hub.drain(Duration::from_secs(2)).await;
    println!("{report:?}");
    let gone = async { while visits.join_next().await.is_some() {} };
    if timeout(Duration::from_secs(3), gone).await.is_err() {
        eprintln!("{} connections did not end in time", visits.len());
    }
    Ok(())
}

/// Waits for Ctrl-C, or for the signal that service managers send.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Reads one connection until it ends, by its peer or because the pump has let go. What the room has
/// to say is written by the pump.
async fn serve(
    stream: TcpStream,
    user: UserId,
    room: Room<Bytes>,
    pump: Pump<Bytes, TcpTransport>,
) {
    let options = WebSocketOptions::default();
    let Ok((mut reader, transport)) = WebSocketReader::accept(stream, options).await else {
        return;
    };
    let pumped = match pump.join(Join::user(user), transport) {
        Ok(pumped) => pumped,
        Err(refused) => return eprintln!("{user}: {refused}"),
    };
    while let Some(said) = reader.next(|answer| pumped.control(answer)).await {
        let text = match said {
            Ok(FromPeer::Text(text) | FromPeer::Binary(text)) => text,
            Ok(_) => continue,
            // The peer has been told, and nothing follows.
            Err(error) => return eprintln!("{user}: {error}"),
        };
        let line = Bytes::from([format!("{user}: ").as_bytes(), &text].concat());
        let publish = Publish::new(Source::Session(pumped.session()), line);
        let is_gift = text.starts_with(b"!");
        let publish =
            if is_gift { publish.priority(Priority::High).kind(Kind::Custom) } else { publish };
        if let Err(refused) = room.try_publish(publish) {
            // Only the one who spoke is told; whoever goes on and does not read what comes back is
            // told less.
            let _ = pumped.control(note(&refused.to_string()));
        }
    }
}

/// One WebSocket frame with a note of the server's own.
fn note(text: &str) -> Bytes {
    let mut frame = Vec::new();
    WebSocketFrames::put_text(text, &mut frame);
    frame.into()
}
