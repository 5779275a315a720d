//! The examples, run as they are built.
#![cfg(feature = "tokio")]

use futures_util::{SinkExt, StreamExt};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const SOON: Duration = Duration::from_secs(20);

/// An example of this package: cargo builds them all before it runs a package's tests.
fn example(name: &str) -> Command {
    // This test is `target/<profile>/deps/examples-<hash>`.
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name);
    assert!(program.exists(), "{}: build it with `cargo build --examples`", program.display());
    Command::new(program)
}

/// Runs an example that ends by itself, and gives back what it prints.
fn run(name: &str) -> String {
    let output = example(name).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn minimal() {
    let printed = run("minimal");
    assert!(printed.contains("bob hears: a rocket at high"), "{printed}");
}

#[test]
fn threads() {
    let printed = run("threads");
    assert!(printed.contains("20 sent, 20 heard, 0 dropped"), "{printed}");
}

#[test]
fn sans_io() {
    let printed = run("sans_io");
    assert!(printed.contains(r#"bob heard ["text 1", "a rocket", "text 2"]"#), "{printed}");
    assert_eq!(run("sans_io"), printed, "virtual time is the same each time");
}

/// The chat server, which ends with its test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut command = example("axum_chat");
        let mut process = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ws://").unwrap().to_owned();
        Self { process, address }
    }

    async fn visit(&self, user: &str) -> Visitor {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let url = format!("ws://{}/lobby/{user}", self.address);
        let (socket, _) = client_async(url, stream).await.unwrap();
        Visitor(socket)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Visitor(WebSocketStream<TcpStream>);

impl Visitor {
    async fn says(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    async fn hears(&mut self) -> String {
        let message = timeout(SOON, self.0.next()).await.expect("something is to be heard");
        message.unwrap().unwrap().into_text().unwrap().to_string()
    }
}

#[tokio::test]
async fn axum_chat() {
    let server = Server::start();
    let (mut ann, mut bob) = (server.visit("ann").await, server.visit("bob").await);
    // Whoever is told of a refusal is in the room by then.
    for visitor in [&mut ann, &mut bob] {
        visitor.says("x".repeat(20_000)).await;
        let note = visitor.hears().await;
        assert!(note.starts_with("not sent, refused: "), "{note}");
    }
    ann.says("hello").await;
    assert_eq!(bob.hears().await, "ann: hello");
    bob.says("hi").await;
    // Nobody hears what was refused to another, nor what one said oneself.
    assert_eq!(ann.hears().await, "bob: hi");
}
