//! The server in a process of its own.
// Each test of its own takes what it needs.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub const SOON: Duration = Duration::from_secs(20);

pub struct Server {
    pub process: Child,
    pub address: String,
    /// The lines that it says on standard error.
    pub said: Receiver<String>,
    /// Open as long as it runs: it prints when it ends.
    _printed: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_live_room"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        let (_, rest) = line.split_once("http://").unwrap();
        let address = rest.split_whitespace().next().unwrap().to_owned();
        let (lines, said) = mpsc::channel();
        let errors = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        Self { process, address, said, _printed: printed }
    }

    pub async fn asks(&self, method: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("{method} /ws?guest HTTP/1.1\r\nHost: here\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Enters, and forgets what the room says first.
    pub async fn enter(&self) -> TcpStream {
        self.greeted().await.0
    }

    /// Enters; returns the connection and what the room says first.
    pub async fn greeted(&self) -> (TcpStream, String) {
        let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let mut stream = self.asks("GET", headers).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        let (opcode, hello) = frame(&mut stream).await;
        assert!(opcode == 1 && hello.starts_with(br#"{"type":"hello""#));
        (stream, String::from_utf8(hello).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads one frame: its opcode, and what it carries.
pub async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let read = async {
        let opcode = stream.read_u8().await.unwrap() & 0xf;
        let length = match stream.read_u8().await.unwrap() {
            126 => u64::from(stream.read_u16().await.unwrap()),
            127 => stream.read_u64().await.unwrap(),
            length => length.into(),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        (opcode, payload)
    };
    timeout(SOON, read).await.unwrap()
}
