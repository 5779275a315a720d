//! The example `cluster_room` (built by `cargo build --examples`, as `cargo test` of the whole package does), run as it is built, with WebSocket clients at two of its nodes.

use futures_util::{SinkExt, StreamExt};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream as Plain;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const LONG: Duration = Duration::from_secs(60);

struct Example {
    process: Child,
    addresses: Vec<String>,
}

impl Example {
    fn start(more: &[&str]) -> Self {
        // This test is `target/<profile>/deps/cluster_room-<hash>`.
        let test = std::env::current_exe().unwrap();
        let program =
            test.parent().and_then(|deps| deps.parent()).unwrap().join("examples/cluster_room");
        let mut process = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--lease", "1"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut addresses = Vec::new();
        while addresses.len() < 2 {
            let line = lines.next().expect("it says where it listens").unwrap();
            addresses.extend(line.split_once("http://").map(|(_, address)| address.to_owned()));
        }
        println!("{}", lines.next().unwrap().unwrap());
        Self { process, addresses }
    }

    fn ask(&self, at: usize, what: &str) -> String {
        let mut stream = Plain::connect(&self.addresses[at]).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask(0, "GET /state")).unwrap()
    }

    async fn visit(&self, at: usize) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(&self.addresses[at]).await.unwrap();
        let url = format!("ws://{}/chat", self.addresses[at]);
        client_async(url, stream).await.unwrap().0
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // As by Ctrl-C: it ends its nats-server.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

async fn hears(socket: &mut WebSocketStream<TcpStream>, text: &str) {
    loop {
        let message = timeout(LONG, socket.next()).await.expect("it is heard").unwrap().unwrap();
        if message.to_text().unwrap().ends_with(text) {
            return;
        }
    }
}

/// Over a nats-server, where one is found.
#[tokio::test]
async fn people_at_two_nodes_chat_through_the_death_of_the_owner() {
    chat_through_the_death_of_the_owner(&Example::start(&[])).await;
}

#[tokio::test]
async fn and_over_a_bus_in_one_process() {
    chat_through_the_death_of_the_owner(&Example::start(&["--local"])).await;
}

async fn chat_through_the_death_of_the_owner(example: &Example) {
    assert!(example.ask(0, "GET /").contains("Kill the owner"));
    let (mut first, mut second) = (example.visit(0).await, example.visit(1).await);
    first.send(Message::text("hello")).await.unwrap();
    hears(&mut second, ": hello").await;
    let before = example.state();
    let owner = before["owner"].as_u64().unwrap();
    assert_eq!((before["takeovers"].as_u64(), before["here"].as_u64()), (Some(0), Some(1)));

    let killed = example.ask(0, "POST /kill");
    assert_eq!(killed, format!("node {owner} was killed"));
    // Whoever sits at a node that lives goes on; what is said meanwhile goes out when there is an owner.
    let lives = usize::from(owner == 1);
    let speaker = if lives == 0 { &mut first } else { &mut second };
    speaker.send(Message::text("is anybody there")).await.unwrap();
    hears(speaker, ": is anybody there").await;
    timeout(LONG, async {
        while example.state()["takeovers"] == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("another node owns the room");
    let after = example.state();
    assert_ne!(after["owner"].as_u64(), Some(owner));
    let balance = |node: &serde_json::Value| node["alive"] == false || node["balances"] == true;
    assert!(after["nodes"].as_array().unwrap().iter().all(balance), "{after}");

    // The node comes back, and is a node as any.
    timeout(LONG, async {
        while example.state()["nodes"].as_array().unwrap().iter().any(|node| node["alive"] == false)
        {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("it comes back");
    let mut third = example.visit(1 - lives).await;
    third.send(Message::text("back again")).await.unwrap();
    hears(if lives == 0 { &mut first } else { &mut second }, ": back again").await;
}
