//! The ready transports over real sockets of the loopback interface.

mod plain;

use futures_util::{SinkExt, StreamExt};
use plain::Plain;
use roomcast::net::{FromPeer, TcpTransport, WebSocketFrames, WebSocketOptions, WebSocketReader};
use roomcast::pump::PumpOptions;
use roomcast::{Actor, Bytes, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, UserId};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

/// Bytes of a large message.
const EACH: usize = 10_000;
const SOON: Duration = Duration::from_secs(20);

fn room() -> (Hub<Bytes>, Room<Bytes>) {
    let hub = Hub::<Bytes>::builder().spawn();
    let config = RoomConfig::builder(UserId(1))
        .rate(100_000)
        .burst(100_000)
        .payload_bytes(1 << 17)
        .build()
        .unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

fn say(room: &Room<Bytes>, payload: impl Into<Bytes>) {
    let receipt = room.try_publish(Publish::new(Source::Host, payload.into())).unwrap();
    assert!(receipt.outcome.is_some());
}

async fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// A slow reader gets whole frames as well.
#[tokio::test]
async fn tcp_gets_every_byte_in_whole_frames() {
    let (_hub, room) = room();
    let pump = room.pump(Plain, PumpOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut clients = Vec::new();
    let mut pumped = Vec::new();
    for _ in 0..50 {
        let (client, server) = pair(&listener).await;
        let (_read, transport) = TcpTransport::split(server).unwrap();
        pumped.push(pump.join(Join::guest(), transport).unwrap());
        clients.push(client);
    }
    // Far more than the kernel takes for those who do not read.
    for n in 0..600_u32 {
        let mut payload = vec![b'.'; EACH];
        payload[..4].copy_from_slice(&n.to_be_bytes());
        say(&room, payload);
        if n % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    room.close(Actor::Host).unwrap();
    let readers = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            let mut all = Vec::new();
            timeout(SOON, client.read_to_end(&mut all)).await.unwrap().unwrap();
            all
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        let all = reader.await.unwrap();
        let end = all.len() - "the room was closed".len();
        assert_eq!(&all[end..], b"the room was closed");
        let (mut at, mut next) = (0, 0_u32);
        while at < end {
            if all[at..].starts_with(b"missed ") {
                let text = String::from_utf8_lossy(&all[at..at + 40]).into_owned();
                let count: u32 = text.split(' ').nth(1).unwrap().parse().unwrap();
                next += count;
                at += format!("missed {count} Normal").len();
            } else {
                assert_eq!(all[at..at + 4], next.to_be_bytes(), "in order, each once");
                next += 1;
                at += EACH;
            }
        }
        assert_eq!(next, 600, "what was not sent was told as a gap");
    }
    assert!(room.stats().room.balances());
    drop(pumped);
}

/// Frames arrive.
#[tokio::test]
async fn websocket_pings_and_closes_are_answered() {
    let (_hub, room) = room();
    let pump = room.pump(WebSocketFrames::binary(Plain), PumpOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn({
        let (pump, room) = (pump.clone(), room.clone());
        async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut reader, transport) =
                WebSocketReader::accept(stream, WebSocketOptions::default()).await.unwrap();
            let pumped = pump.join(Join::user(UserId(7)), transport).unwrap();
            while let Some(said) = reader.next(|answer| pumped.control(answer)).await {
                if let Ok(FromPeer::Text(text)) = said {
                    say(&room, text);
                }
            }
            // The answer to the close goes out before the connection does.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, _) =
        tokio_tungstenite::client_async(format!("ws://{address}/"), stream).await.unwrap();
    let long = "x".repeat(70_000);
    client.send(tungstenite::Message::text("hello")).await.unwrap();
    client.send(tungstenite::Message::Ping(Bytes::from_static(b"are you there"))).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.push(timeout(SOON, client.next()).await.unwrap().unwrap().unwrap());
    }
    // The pong may overtake the room's message or follow it.
    seen.sort_by_key(tungstenite::Message::is_pong);
    let pong = tungstenite::Message::Pong(Bytes::from_static(b"are you there"));
    assert_eq!(seen, [tungstenite::Message::binary("hello"), pong]);
    for length in [125, 126, 65_535, 65_536] {
        say(&room, Bytes::from(long[..length].to_owned()));
        let next = timeout(SOON, client.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(next.len(), length);
    }
    client.close(None).await.unwrap();
    let last = timeout(SOON, async {
        let mut last = None;
        while let Some(Ok(message)) = client.next().await {
            last = Some(message);
        }
        last
    });
    assert!(matches!(last.await.unwrap(), Some(tungstenite::Message::Close(_))));
    timeout(SOON, server).await.unwrap().unwrap();
    let gone = async {
        while room.stats().room.audience.sessions > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, gone).await.unwrap();
}

/// A closed room says goodbye, and a peer that breaks the protocol is told so.
#[tokio::test]
async fn websocket_peers_hear_goodbyes_and_errors() {
    let (_hub, room) = room();
    let pump = room.pump(WebSocketFrames::text(Plain), PumpOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        tokio_tungstenite::client_async(format!("ws://{address}/"), stream).await.unwrap().0
    });
    let (stream, _) = listener.accept().await.unwrap();
    let (mut reader, transport) =
        WebSocketReader::accept(stream, WebSocketOptions::default()).await.unwrap();
    let pumped = pump.join(Join::guest(), transport).unwrap();
    let mut client = client.await.unwrap();
    room.close(Actor::Host).unwrap();
    let text = timeout(SOON, client.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(text, tungstenite::Message::text("the room was closed"));
    let close = timeout(SOON, client.next()).await.unwrap().unwrap().unwrap();
    assert!(
        matches!(close, tungstenite::Message::Close(Some(frame)) if u16::from(frame.code) == 1001)
    );
    drop((client, pumped));
    assert!(!matches!(timeout(SOON, reader.next(drop)).await.unwrap(), Some(Ok(_))));
    // Someone who does not speak WebSocket.
    let (mut other, server) = pair(&listener).await;
    other.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let error = timeout(SOON, WebSocketReader::accept(server, WebSocketOptions::default()))
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.to_string().starts_with("the WebSocket connection failed: "), "{error}");
}
