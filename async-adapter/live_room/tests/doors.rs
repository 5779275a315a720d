//! The server in a process of its own: how its WebSockets end, and what it counts.
#![cfg(unix)]

mod process;

use std::process::Command;

use process::{SOON, Server, frame};
use roomcast::observe::{METRICS, MetricKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CLOSE: u8 = 8;

/// Reads up to the close: returns its code and the text before it. Nothing follows, and no reset.
async fn end(stream: &mut TcpStream, what: &str) -> (u16, String) {
    let mut last = String::new();
    loop {
        let (opcode, payload) = frame(stream).await;
        if opcode == CLOSE {
            let mut after = Vec::new();
            let ended = timeout(SOON, stream.read_to_end(&mut after)).await.unwrap();
            assert!(ended.is_ok() && after.is_empty(), "{what}: {ended:?}, {after:?}");
            return (u16::from_be_bytes([payload[0], payload[1]]), last);
        }
        last = String::from_utf8(payload).unwrap();
    }
}

/// A frame as pages send it, with a mask of zeros; `length` is what it says of itself.
fn masked(first: u8, length: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    [&[first, 0xfe, high, low, 0, 0, 0, 0], payload].concat()
}

/// Though the page goes on sending: a socket that is closed on unread bytes is reset, and then a
/// page has heard nothing but that.
#[tokio::test]
async fn every_end_has_its_close_code() {
    let server = Server::start(&[]);
    let ends = [
        ("an unmasked frame", vec![0x81, 1, b'x'], 1002),
        ("a reserved bit", masked(0xf1, 200, &[b'x'; 200]), 1002),
        ("a text that is none", masked(0x81, 200, &[0xff; 200]), 1007),
        ("a frame too large", masked(0x81, 60_000, &vec![b'x'; 60_000]), 1009),
        ("a binary frame", masked(0x82, 200, &[b'x'; 200]), 1003),
        ("no JSON", masked(0x81, 200, &[b'x'; 200]), 1008),
        ("a goodbye", vec![0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8], 1000),
        ("a goodbye of the page's", vec![0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa1], 4_001),
    ];
    for (what, bytes, code) in ends {
        let mut page = server.enter().await;
        let more = masked(0x81, 200, &[b'.'; 200]).repeat(500);
        page.write_all(&[bytes, more].concat()).await.unwrap();
        let (heard, last) = end(&mut page, what).await;
        assert_eq!(heard, code, "{what}: {last}");
        let is_farewell = last.starts_with(r#"{"type":"bye""#);
        assert_eq!(is_farewell, !what.starts_with("a goodbye"), "{what}: {last}");
    }
}

#[tokio::test]
async fn bad_handshakes_get_an_http_answer() {
    let server = Server::start(&[]);
    for (method, headers, status) in [
        ("POST", "", "405 "),
        ("GET", "", "400 "),
        (
            "GET",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n",
            "400 ",
        ),
    ] {
        let mut peer = server.asks(method, &format!("{headers}Connection: close\r\n")).await;
        let mut answer = String::new();
        timeout(SOON, peer.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

/// What is at `/metrics`.
async fn metrics(server: &Server) -> String {
    let mut peer = TcpStream::connect(&server.address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    peer.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, peer.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

/// In the text format, with the type of each, and as it is at this moment.
#[tokio::test]
async fn prometheus_gets_every_metric() {
    let server = Server::start(&[]);
    let first = metrics(&server).await;
    for metric in METRICS {
        let kind = if metric.kind == MetricKind::Counter { "counter" } else { "gauge" };
        let kind = format!("# TYPE {} {kind}\n", metric.name);
        assert_eq!(first.matches(&kind).count(), 1, "{kind}{first}");
        assert!(first.contains(&format!("# HELP {} ", metric.name)), "{}", metric.name);
    }
    let sessions = |text: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix("roomcast_sessions "));
        line.unwrap().parse().unwrap()
    };
    let before = sessions(&first);
    let pages = [server.enter().await, server.enter().await];
    assert_eq!(sessions(&metrics(&server).await), before + pages.len() as u64);
}

/// Every page hears the goodbye and a close, and the process says that all went well.
#[tokio::test]
async fn it_ends_in_order_when_told_to() {
    let mut server = Server::start(&[]);
    let mut pages = [server.enter().await, server.enter().await];
    let told = Command::new("kill").arg(server.process.id().to_string()).status();
    assert!(told.unwrap().success());
    for page in &mut pages {
        let (code, last) = end(page, "the server ends").await;
        assert_eq!(code, 1001);
        assert!(last.starts_with(r#"{"type":"bye""#), "{last}");
        page.shutdown().await.unwrap();
    }
    let status = tokio::task::spawn_blocking(move || server.process.wait().unwrap());
    assert_eq!(timeout(SOON, status).await.unwrap().unwrap().code(), Some(0));
}
