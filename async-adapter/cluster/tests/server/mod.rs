//! A NATS server of a test's own: a process with a port and a directory, which end with it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server with `JetStream`.
pub(crate) struct Server {
    program: PathBuf,
    at: SocketAddr,
    directory: PathBuf,
    process: Option<Child>,
}

impl Server {
    /// Starts one, found by `ROOMCAST_NATS_SERVER` or on `PATH`; without any it says so, and the test
    /// is skipped.
    pub(crate) fn start() -> Option<Self> {
        let program =
            std::env::var_os("ROOMCAST_NATS_SERVER").map_or("nats-server".into(), PathBuf::from);
        if let Err(error) = Command::new(&program).arg("--version").stdout(Stdio::null()).status() {
            assert!(
                std::env::var_os("ROOMCAST_NATS_SERVER").is_none(),
                "ROOMCAST_NATS_SERVER is {}: {error}",
                program.display()
            );
            // Past what the harness captures.
            let _ = writeln!(std::io::stderr(), "\n*** skipped: no nats-server ***\n");
            return None;
        }
        // Nobody else is given the port soon after.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let at = free.expect("a free port");
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "nats-{}-{}",
            std::process::id(),
            at.port()
        ));
        let mut server = Self { program, at, directory, process: None };
        server.up();
        Some(server)
    }

    /// Starts it again, with what it has on disk.
    pub(crate) fn up(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["--addr", "127.0.0.1", "--jetstream"]);
        command.args(["--port", &self.at.port().to_string()]);
        command.arg("--store_dir").arg(&self.directory);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.expect("it can be started"));
        let begun = Instant::now();
        while TcpStream::connect(self.at).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it (SIGKILL).
    pub(crate) fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("nats://{}", self.at)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
