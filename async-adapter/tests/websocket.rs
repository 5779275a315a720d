//! WebSocket on the server side: how a connection begins and how it ends.

mod plain;

use futures_util::{SinkExt, StreamExt};
use plain::Plain;
use roomcast::net::http::StatusCode;
use roomcast::net::{
    FromPeer, StreamReader, StreamTransport, TcpTransport, WebSocketFrames, WebSocketOptions,
    WebSocketReader, WebSocketRequest,
};
use roomcast::pump::PumpOptions;
use roomcast::{
    Actor, Bytes, Hub, Join, Publish, Pump, Room, RoomConfig, RoomId, Source, Transport, UserId,
};
use std::time::Duration;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, duplex,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;

const SOON: Duration = Duration::from_secs(20);
/// What a browser asks.
const REQUEST: &str = "GET /rooms/7?as=ann HTTP/1.1\r\nHost: example.org\r\n\
    Origin: https://example.org\r\nCookie: id=a1; theme=dark\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn room<T: Transport>() -> (Hub<Bytes>, Room<Bytes>, Pump<Bytes, T>) {
    let hub = Hub::<Bytes>::builder().workers(1).spawn();
    let config = RoomConfig::builder(UserId(1)).rate(100_000).burst(100_000).payload_bytes(1 << 17);
    let room = hub.create_room(RoomId(1), &config.build().unwrap()).unwrap();
    let pump = room.pump(WebSocketFrames::text(Plain), PumpOptions::default()).unwrap();
    (hub, room, pump)
}

fn say(room: &Room<Bytes>, payload: impl Into<Bytes>) {
    let receipt = room.try_publish(Publish::new(Source::Host, payload.into())).unwrap();
    assert!(receipt.outcome.is_some());
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// A frame as clients send it, with a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Reads the answer to a request up to the empty line.
async fn head(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Serves a connection as hosts do, and returns what its peer said.
async fn serve(stream: TcpStream, pump: Pump<Bytes, TcpTransport>) -> Vec<FromPeer> {
    let (mut reader, transport) =
        WebSocketReader::accept(stream, WebSocketOptions::default()).await.unwrap();
    let pumped = pump.join(Join::guest(), transport).unwrap();
    let mut said = Vec::new();
    while let Some(Ok(next)) = reader.next(|answer| pumped.control(answer)).await {
        said.push(next);
    }
    said
}

/// Though its peer goes on sending, and the room talks on: a socket that is closed on unread bytes
/// is reset, and then a client has heard nothing but that.
#[tokio::test]
async fn every_end_has_its_close_code() {
    let over = vec![b'x'; (64 << 10) + 1];
    let ends = [
        ("an unmasked frame", vec![0x81, 1, b'x'], 1002),
        ("a reserved bit", masked(0xf1, b"x"), 1002),
        ("an unknown frame", masked(0x83, b"x"), 1002),
        ("a fragmented ping", masked(0x09, b"x"), 1002),
        ("a close of one byte", masked(0x88, b"x"), 1002),
        ("a text that is none", masked(0x81, b"\xff\xfe"), 1007),
        ("a reason that is no text", masked(0x88, b"\x03\xe8\xff\xfe"), 1007),
        ("a message too large", masked(0x82, &over), 1009),
        ("a goodbye", masked(0x88, b"\x03\xe8bye"), 1000),
        ("a goodbye of the application's", masked(0x88, &4_001_u16.to_be_bytes()), 4_001),
    ];
    for (what, frame, code) in ends {
        let (_hub, room, pump) = room();
        let (mut client, server) = pair().await;
        let server = tokio::spawn(serve(server, pump));
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        head(&mut client).await;
        say(&room, "hello");
        assert_eq!(client.read_u32().await.unwrap(), 0x8105_6865, "{what}");
        client.read_exact(&mut [0; 3]).await.unwrap();
        let talk = tokio::spawn(async move {
            loop {
                say(&room, "late");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        client.write_all(&frame).await.unwrap();
        // As one does who has not heard yet.
        let (mut read, mut write) = client.into_split();
        let flood = tokio::spawn(async move {
            let frame = masked(0x81, &[b'.'; 100]);
            while write.write_all(&frame).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut all = Vec::new();
        let mut close = None;
        while close.is_none() {
            assert!(timeout(SOON, read.read_buf(&mut all)).await.unwrap().unwrap() > 0, "{what}");
            // The room's messages, then the close.
            let rest = all.chunks(6).skip_while(|chunk| *chunk == b"\x81\x04late").flatten();
            let rest: Vec<u8> = rest.copied().collect();
            if rest.first() == Some(&0x88) && rest.len() >= 4 {
                close = Some(rest);
            }
        }
        timeout(SOON, read.read_to_end(close.as_mut().unwrap()))
            .await
            .unwrap()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let close = close.unwrap();
        assert_eq!(u16::from_be_bytes([close[2], close[3]]), code, "{what}");
        assert_eq!(close.len(), 2 + usize::from(close[1]), "{what}: nothing follows a close");
        flood.abort();
        assert_eq!(timeout(SOON, server).await.unwrap().unwrap(), [], "{what}");
        talk.abort();
    }
}

/// The error is told once, and then there is nothing to read.
#[tokio::test]
async fn a_reader_ends_after_its_error() {
    let (mut client, server) = pair().await;
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let options = WebSocketOptions::default();
    let (mut reader, _transport) = WebSocketReader::accept(server, options).await.unwrap();
    client.write_all(&masked(0x81, b"\xff")).await.unwrap();
    drop(client);
    let error = timeout(SOON, reader.next(drop)).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    assert!(timeout(SOON, reader.next(drop)).await.unwrap().is_none());
}

/// A peer that says nothing after a close holds nobody up.
#[tokio::test(start_paused = true)]
async fn a_close_is_waited_for_in_vain() {
    let (mut client, server) = duplex(1 << 12);
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let options = WebSocketOptions::default();
    let request = WebSocketRequest::read(server, options).await.unwrap();
    let (mut reader, _transport) = request.accept_stream().await.unwrap();
    client.write_all(&masked(0x88, b"")).await.unwrap();
    let start = Instant::now();
    assert!(reader.next(drop).await.is_none());
    assert_eq!(start.elapsed(), options.close_timeout);
}

/// With what was wrong, and what would be right.
#[tokio::test]
async fn bad_handshakes_get_an_http_answer() {
    let without = |line: &str| REQUEST.replace(line, "");
    let many = "X: y\r\n".repeat(200) + "\r\n";
    let requests = [
        (REQUEST.replace("GET", "POST"), 405, "only GET", "allow: GET"),
        (without("Upgrade: websocket\r\n"), 426, "Upgrade: websocket", "upgrade: websocket"),
        (without("Connection: keep-alive, Upgrade\r\n"), 426, "Connection: upgrade", "upgrade: "),
        (REQUEST.replace(": 13", ": 8"), 426, "Version: 13", "sec-websocket-version: 13"),
        (
            without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
            400,
            "Sec-WebSocket-Key",
            "content-type: text/plain",
        ),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), 400, "HTTP version must be 1.1", "connection: close"),
        ("what is this\r\n\r\n".to_owned(), 400, "not a WebSocket handshake", "connection: close"),
        (REQUEST.replace("\r\n\r\n", "\r\n") + &many, 431, "Too many headers", ""),
        ("GET /".to_owned() + &"x".repeat(20_000), 431, "at most 16384 bytes", ""),
    ];
    for (request, status, body, header) in requests {
        let (mut client, server) = pair().await;
        let read = tokio::spawn(WebSocketRequest::read(server, WebSocketOptions::default()));
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(SOON, client.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        let (head, said) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(header) && said.contains(body), "{request}: {answer}");
        assert!(head.contains(&format!("content-length: {}", said.len())), "{answer}");
        drop(client);
        let error = timeout(SOON, read).await.unwrap().unwrap().unwrap_err().to_string();
        assert!(error.starts_with("the WebSocket connection failed: "), "{error}");
    }
}

/// Whether it has said nothing or the half.
#[tokio::test(start_paused = true)]
async fn half_open_handshakes_time_out() {
    for said in ["", "GET / HTTP/1.1\r\n"] {
        let (mut client, server) = duplex(1 << 12);
        client.write_all(said.as_bytes()).await.unwrap();
        let start = Instant::now();
        let client = tokio::spawn(async move {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        });
        let read = WebSocketRequest::read(server, WebSocketOptions::default());
        let error = read.await.unwrap_err().to_string();
        assert!(error.ends_with("no whole request within 10s"), "{error}");
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        let answer = client.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn the_host_sees_a_request_and_may_refuse() {
    let (mut client, server) = pair().await;
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let request = WebSocketRequest::read(server, WebSocketOptions::default()).await.unwrap();
    assert_eq!(request.uri().path(), "/rooms/7");
    assert_eq!(request.uri().query(), Some("as=ann"));
    assert_eq!(request.origin(), Some("https://example.org"));
    assert_eq!(request.headers()["host"], "example.org");
    assert_eq!(request.cookies().collect::<Vec<_>>(), [("id", "a1"), ("theme", "dark")]);
    let refusing = tokio::spawn(request.refuse(StatusCode::NOT_FOUND, "there is no room 7"));
    let mut answer = String::new();
    timeout(SOON, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthere is no room 7\n"), "{answer}");
    drop(client);
    timeout(SOON, refusing).await.unwrap().unwrap();
}

/// The example `pump` in a process of its own, which ends with its test.
#[cfg(unix)]
struct Server {
    process: std::process::Child,
    address: String,
    /// Open as long as it runs: it prints when it ends.
    _printed: std::io::BufReader<std::process::ChildStdout>,
}

#[cfg(unix)]
impl Server {
    /// Starts it with so many descriptors.
    fn start(descriptors: u32) -> Self {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        // This test is `target/<profile>/deps/websocket-<hash>`.
        let test = std::env::current_exe().unwrap();
        let target = test.parent().and_then(|deps| deps.parent()).unwrap();
        let program = target.join("examples").join("pump");
        assert!(program.exists(), "{}: build it with `cargo build --examples`", program.display());
        let mut process = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" 127.0.0.1:0")])
            .arg(program)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("ws://").trim_end_matches('/').to_owned();
        Self { process, address, _printed: printed }
    }

    async fn visit(&self) -> tokio_tungstenite::WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let url = format!("ws://{}/", self.address);
        let visit = timeout(SOON, tokio_tungstenite::client_async(url, stream)).await;
        visit.expect("the handshake ends").unwrap().0
    }
}

#[cfg(unix)]
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everyone hears the goodbye and a close, and the process says that all went well.
#[cfg(unix)]
#[tokio::test]
async fn the_example_ends_in_order_when_told_to() {
    let mut server = Server::start(1_000);
    let (mut talks, mut silent) = (server.visit().await, server.visit().await);
    talks.send(tungstenite::Message::text("x".repeat(20_000))).await.unwrap();
    assert!(talks.next().await.unwrap().unwrap().into_text().unwrap().contains("payload"));
    let told = std::process::Command::new("kill").arg(server.process.id().to_string()).status();
    assert!(told.unwrap().success());
    for visitor in [&mut talks, &mut silent] {
        let last = timeout(SOON, visitor.next()).await.unwrap().unwrap().unwrap();
        assert!(last.into_data().starts_with(b"(goodbye: "));
        let close = timeout(SOON, visitor.next()).await.unwrap().unwrap().unwrap();
        assert!(
            matches!(&close, tungstenite::Message::Close(Some(end)) if u16::from(end.code) == 1001),
            "{close:?}"
        );
        assert!(timeout(SOON, visitor.next()).await.unwrap().is_none());
    }
    let status = tokio::task::spawn_blocking(move || server.process.wait().unwrap());
    assert_eq!(timeout(SOON, status).await.unwrap().unwrap().code(), Some(0));
}

/// Who waits at the door is let in when others have gone.
#[cfg(unix)]
#[tokio::test]
async fn the_example_lives_through_a_lack_of_descriptors() {
    let server = Server::start(30);
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(TcpStream::connect(&server.address).await.unwrap());
    }
    idle.clear();
    let mut visitor = server.visit().await;
    visitor.send(tungstenite::Message::text("x".repeat(20_000))).await.unwrap();
    assert!(visitor.next().await.unwrap().unwrap().into_text().unwrap().contains("payload"));
}

async fn serve_any<S>(stream: S, pump: Pump<Bytes, StreamTransport<S>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = WebSocketRequest::read(stream, WebSocketOptions::default()).await.unwrap();
    let (mut reader, transport) = request.accept_stream().await.unwrap();
    let pumped = pump.join(Join::guest(), transport).unwrap();
    while reader.next(|answer| pumped.control(answer)).await.is_some() {}
}

/// The next message; `None` at the end.
async fn next<S>(client: &mut tokio_tungstenite::WebSocketStream<S>) -> Option<tungstenite::Message>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    timeout(SOON, client.next()).await.expect("something is to be heard").map(Result::unwrap)
}

/// One that takes little at once, and one that keeps what it takes until it is flushed, as TLS may.
#[tokio::test(start_paused = true)]
async fn any_stream_is_served() {
    async fn try_with<S>(wrap: impl Fn(DuplexStream) -> S, size: usize)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (_hub, room, pump) = room();
        let (client, server) = duplex(size);
        let server = tokio::spawn(serve_any(wrap(server), pump));
        let client = tokio_tungstenite::client_async("ws://example.org/", client);
        let mut client = client.await.unwrap().0;
        client.send(tungstenite::Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
        let start = Instant::now();
        let pong = next(&mut client).await.unwrap();
        assert_eq!(pong, tungstenite::Message::Pong(Bytes::from_static(b"there?")));
        for length in [1, 100, 5_000, 70_000, 3] {
            let text: String = ('a'..='z').cycle().take(length).collect();
            say(&room, text.clone());
            let next = next(&mut client).await.unwrap();
            assert_eq!(next, tungstenite::Message::text(text));
        }
        assert_eq!(start.elapsed(), Duration::ZERO, "it is woken, and need not be asked again");
        room.close(Actor::Host).unwrap();
        let last = next(&mut client).await.unwrap();
        assert_eq!(last, tungstenite::Message::text("the room was closed"));
        let close = next(&mut client).await.unwrap();
        assert!(
            matches!(&close, tungstenite::Message::Close(Some(end)) if u16::from(end.code) == 1001),
            "{close:?}"
        );
        assert!(next(&mut client).await.is_none(), "the stream is shut down");
        timeout(SOON, server).await.unwrap().unwrap();
    }
    for size in [64, 1_000, 1 << 20] {
        try_with(|stream| stream, size).await;
        try_with(BufStream::new, size).await;
        try_with(|stream| BufStream::with_capacity(7, 7, stream), size).await;
    }
}

/// Its reader ends, without a word of the host's, and both sides are free.
#[tokio::test(start_paused = true)]
async fn a_stalled_connection_ends_its_reader() {
    let (_hub, room, pump) = room();
    let (mut client, server) = duplex(512);
    let server = tokio::spawn(serve_any(server, pump.clone()));
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    head(&mut client).await;
    say(&room, "x".repeat(10_000));
    let start = Instant::now();
    timeout(Duration::from_secs(600), server).await.unwrap().unwrap();
    let patience = PumpOptions::default().stalled_after;
    let least = patience + Duration::from_secs(2);
    assert!((least..least + Duration::from_millis(100)).contains(&start.elapsed()));
    assert_eq!(patience, Duration::from_secs(60));
    assert_eq!((pump.stats().stalled, pump.stats().connections), (1, 0));
    assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 512, "the stream is dropped");
}

/// What a peer sends after the end is thrown away, so that it hears the last words; then its reader
/// ends, over TCP and over anything else.
#[tokio::test]
async fn a_reader_ends_with_its_transport() {
    let (mut client, server) = pair().await;
    let (mut reader, mut transport) = TcpTransport::split(server).unwrap();
    client.write_all(b"before").await.unwrap();
    reader.read_exact(&mut [0; 6]).await.unwrap();
    let ended = tokio::spawn(async move { reader.read_to_end(&mut Vec::new()).await });
    assert_eq!(transport.try_write(b"the end").unwrap(), 7);
    drop(transport);
    client.write_all(&vec![b'x'; 100_000]).await.unwrap();
    let mut all = String::new();
    timeout(SOON, client.read_to_string(&mut all)).await.unwrap().unwrap();
    assert_eq!(all, "the end");
    // Without a word of the peer's.
    let read = timeout(SOON, ended).await.unwrap().unwrap().unwrap();
    assert_eq!(read, 0, "what comes after the end is nobody's");

    let (mut client, server) = duplex(100);
    let (mut reader, transport): (StreamReader<_>, _) = StreamTransport::split(server);
    drop(transport);
    assert_eq!(reader.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    drop(reader);
    assert_eq!(client.read(&mut [0; 9]).await.unwrap(), 0);
}
