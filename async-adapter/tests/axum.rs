//! The pump behind axum: the handshake is axum's, the connection the pump's.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use roomcast::encode::Text;
use roomcast::net::{FromPeer, HttpTransport, PumpUpgrade, WebSocketFrames};
use roomcast::pump::PumpOptions;
use roomcast::{Hub, Publish, Pump, Room, RoomConfig, RoomId, Source, Transport};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

const SOON: Duration = Duration::from_secs(20);

/// Whether the kernel is asked what is in flight.
type Told = tokio::sync::mpsc::UnboundedSender<bool>;

#[derive(Clone)]
struct Chat {
    room: Room<String>,
    pump: Pump<String, HttpTransport>,
    told: Told,
}

async fn enter(Path(user): Path<String>, State(chat): State<Chat>, ws: PumpUpgrade) -> Response {
    ws.on_upgrade(async move |mut reader, mut transport| {
        let _ = chat.told.send(transport.in_flight().is_some());
        let pumped = chat.pump.join(&*user, transport).unwrap();
        while let Some(Ok(FromPeer::Text(text))) =
            reader.next(|answer| pumped.control(answer)).await
        {
            let text = format!("{user}: {}", std::str::from_utf8(&text).unwrap());
            let _ = chat.room.try_publish(Publish::new(Source::Host, text)).unwrap();
        }
    })
}

fn serve() -> (Hub<String>, Router, tokio::sync::mpsc::UnboundedReceiver<bool>) {
    let hub = Hub::<String>::start();
    let room = hub.open_room(RoomId(1), &RoomConfig::default()).unwrap();
    let pump = room.pump(WebSocketFrames::text(Text), PumpOptions::default()).unwrap();
    let (told, hears) = tokio::sync::mpsc::unbounded_channel();
    let router = Router::new().route("/{user}", any(enter)).with_state(Chat { room, pump, told });
    (hub, router, hears)
}

/// Says hello, and hears itself.
async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (mut socket, _) = client_async("ws://room/ann", stream).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    let heard = timeout(SOON, socket.next()).await.expect("something is to be heard");
    assert_eq!(heard.unwrap().unwrap(), Message::text("ann: hello"));
    socket.close(None).await.unwrap();
    while timeout(SOON, socket.next()).await.expect("the connection ends").is_some() {}
}

async fn listening(router: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn over_tcp_the_kernel_tells_what_is_in_flight() {
    let (_hub, router, mut asks_the_kernel) = serve();
    let address = listening(router).await;
    talk(TcpStream::connect(address).await.unwrap()).await;
    assert_eq!(asks_the_kernel.recv().await, Some(cfg!(target_os = "linux")));
}

/// As over TLS.
#[tokio::test]
async fn any_other_stream_serves_as_well() {
    let (_hub, router, mut asks_the_kernel) = serve();
    let (near, far): (_, DuplexStream) = tokio::io::duplex(1 << 12);
    tokio::spawn(async move {
        let service = TowerToHyperService::new(router);
        let builder = Builder::new(TokioExecutor::new());
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(far), service);
        assert!(serving.await.is_ok());
    });
    talk(near).await;
    assert_eq!(asks_the_kernel.recv().await, Some(false));
}

#[tokio::test]
async fn what_is_no_handshake_is_answered() {
    let (_hub, router, _) = serve();
    let address = listening(router).await;
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    for (method, headers, status) in [
        ("GET", "", "426 Upgrade Required"),
        ("POST", upgrade, "405 Method Not Allowed"),
        ("GET", upgrade, "400 Bad Request"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let close = if headers.is_empty() { "Connection: close\r\n" } else { "" };
        let request = format!("{method} /ann HTTP/1.1\r\nHost: room\r\n{headers}{close}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("not a WebSocket handshake: "), "{answer}");
    }
}
