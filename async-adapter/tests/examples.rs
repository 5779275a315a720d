//! The examples, run as they are built, each with a client of its protocol that others have made.
#![cfg(feature = "tokio")]

use futures_util::{SinkExt, StreamExt};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const SOON: Duration = Duration::from_secs(60);

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

/// The lines that `process` prints, as they come.
fn lines(process: &mut Child) -> Receiver<String> {
    let (put, lines) = mpsc::channel();
    let printed = BufReader::new(process.stdout.take().unwrap()).lines();
    thread::spawn(move || printed.map_while(Result::ok).try_for_each(|line| put.send(line)));
    lines
}

/// A chat server, which ends with its test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        let command = command.args(arguments).arg("127.0.0.1:0").stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let address = lines(&mut process).recv_timeout(SOON).expect("it says where it listens");
        Self { process, address }
    }

    /// Where it listens, without the scheme.
    fn authority(&self) -> &str {
        self.address.split_once("://").unwrap().1
    }

    /// Has a client of the protocol talk to it.
    fn is_talked_to_by(&self, client: &mut Command) {
        let output = client.arg(&self.address).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{client:?}: {printed}{complaint}");
        assert_eq!(printed.trim(), "they have talked");
    }

    async fn visit(&self, user: &str) -> Visitor {
        let stream = TcpStream::connect(self.authority()).await.unwrap();
        let url = format!("{}/lobby/{user}", self.address);
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

/// A file beside this one.
fn client(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// The client of a test; `None`, and loudly, where it is not installed.
fn installed(program: impl AsRef<OsStr>, needs: &Path, script: Option<&str>) -> Option<Command> {
    let mut command = Command::new(program);
    let runs = Command::new(command.get_program()).arg("-h").output().is_ok();
    if !runs || !needs.exists() {
        let missing = if runs { needs.display().to_string() } else { format!("{command:?}") };
        eprintln!(
            "SKIPPED: {missing} is missing; async-adapter/tests/clients/install.sh installs it"
        );
        return None;
    }
    command.args(script.map(client));
    Some(command)
}

fn node(script: &str, package: &str) -> Option<Command> {
    installed("node", &client("node_modules").join(package), Some(script))
}

fn python(script: &str) -> Option<Command> {
    let python = client("venv/bin/python3");
    installed(&python, &python, Some(script))
}

#[test]
fn axum_chat_and_websockets_of_python() {
    let Some(mut client) = python("websocket.py") else { return };
    let mut server = Server::start("axum_chat", &[]);
    server.address.push_str("/lobby");
    server.is_talked_to_by(&mut client);
}

#[test]
#[cfg(feature = "net")]
fn tungstenite() {
    let Some(mut client) = node("ws.mjs", "ws") else { return };
    Server::start("tungstenite", &[]).is_talked_to_by(&mut client);
}

#[test]
fn socketioxide() {
    let Some(mut client) = node("socket_io.mjs", "socket.io-client") else { return };
    Server::start("socketioxide", &[]).is_talked_to_by(&mut client);
}

#[test]
#[cfg(feature = "axum")]
fn pump_axum() {
    let Some(mut client) = python("websocket.py") else { return };
    let server = Server::start("pump_axum", &[]);
    server.is_talked_to_by(&mut client);
}

#[test]
#[cfg(feature = "websocket")]
fn pump_tls() {
    let Some(mut client) = node("ws.mjs", "ws") else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [certificates, key] = ["cert.pem", "key.pem"].map(|file| folder.join(file));
    let request =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
    let Some(mut openssl) = installed("openssl", folder, None) else { return };
    let made = openssl.args(request).arg("-out").arg(&certificates).arg("-keyout").arg(&key);
    assert!(made.output().unwrap().status.success());
    let files = [&certificates, &key].map(|file| file.to_str().unwrap());
    Server::start("pump_tls", &files).is_talked_to_by(&mut client);
}

/// Somebody at a terminal.
struct Terminal {
    process: Child,
    lines: Receiver<String>,
}

impl Terminal {
    fn connect(mut nc: Command, address: &str) -> Self {
        let (host, port) = address.rsplit_once(':').unwrap();
        let command = nc.args([host, port]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = lines(&mut process);
        Self { process, lines }
    }

    fn open(nc: Command, address: &str, name: &str) -> Self {
        let mut terminal = Self::connect(nc, address);
        terminal.says(name);
        // Whoever is told of a refusal is in the room by then.
        terminal.says(&"x".repeat(20_000));
        let note = terminal.hears();
        assert!(note.starts_with("not sent, refused: "), "{note}");
        terminal
    }

    fn says(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hears(&mut self) -> String {
        self.lines.recv_timeout(SOON).expect("a line is to be heard")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tcp_lines() {
    // Then the example was not built.
    if !cfg!(feature = "net") {
        return;
    }
    let nc = || installed("nc", Path::new("/"), None);
    let (Some(first), Some(second)) = (nc(), nc()) else { return };
    let server = Server::start("tcp_lines", &[]);
    let mut ann = Terminal::open(first, server.authority(), "ann");
    let mut bob = Terminal::open(second, server.authority(), "bob");
    ann.says("hello");
    assert_eq!(bob.hears(), "ann: hello");
    bob.says("hi");
    assert_eq!(ann.hears(), "bob: hi");
}

#[test]
fn irc() {
    // Then the example was not built.
    if !cfg!(feature = "net") {
        return;
    }
    let nc = || installed("nc", Path::new("/"), None);
    let (Some(first), Some(second)) = (nc(), nc()) else { return };
    let server = Server::start("irc", &[]);
    let mut ann = Terminal::connect(first, server.authority());
    let mut bob = Terminal::connect(second, server.authority());
    ann.says("JOIN #rust");
    assert_eq!(ann.hears(), ":irc 421  JOIN :Unknown, or not now");
    for (terminal, name) in [(&mut bob, "bob"), (&mut ann, "ann")] {
        terminal.says(&format!("NICK {name}"));
        terminal.says(&format!("USER {name} 0 * :{name}"));
        assert_eq!(terminal.hears(), format!(":irc 001 {name} :Welcome"));
        for channel in ["#rust", "#birds", "#irc"] {
            terminal.says(&format!("JOIN {channel}"));
            assert_eq!(terminal.hears(), format!(":{name} JOIN {channel}"));
        }
    }
    for channel in ["#rust", "#birds", "#irc"] {
        assert_eq!(bob.hears(), format!(":ann JOIN {channel}"));
    }
    // What is said across channels comes as it was said, and not to the one who says it.
    let said = |number: usize| {
        format!("PRIVMSG {} :{number}", ["#rust", "#irc", "#birds"][number * 7 % 3])
    };
    (0..200).for_each(|number| ann.says(&said(number)));
    (0..200).for_each(|number| assert_eq!(bob.hears(), format!(":ann {}", said(number))));
    ann.says("PING :there?");
    assert_eq!(ann.hears(), ":irc PONG irc :there?");
    // Who has left a channel hears nothing of it, and cannot speak there.
    bob.says("PART #birds");
    assert_eq!(bob.hears(), ":bob PART #birds");
    assert_eq!(ann.hears(), ":bob PART #birds");
    ann.says("PRIVMSG #birds :anyone?");
    ann.says("PRIVMSG #irc :here");
    assert_eq!(bob.hears(), ":ann PRIVMSG #irc :here");
    bob.says("PRIVMSG #birds :me");
    assert_eq!(bob.hears(), ":irc 442 #birds :You're not on that channel");
    ann.says("QUIT :bye");
    // `nc` ends once both sides have.
    drop(ann.process.stdin.take());
    assert_eq!(ann.lines.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[tokio::test]
async fn axum_chat() {
    let server = Server::start("axum_chat", &[]);
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
