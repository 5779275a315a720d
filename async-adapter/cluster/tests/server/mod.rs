//! A NATS server of one's own, for tests and figures: a process with a port and a directory, which end
//! with it.

// Each test takes what it needs.
#![allow(dead_code)]

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
    /// What else it is told: of the cluster that it is in.
    more: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Starts one, found by `ROOMCAST_NATS_SERVER` or on `PATH`; without any it says so, and the test
    /// is skipped.
    pub(crate) fn start() -> Option<Self> {
        let mut server = Self::new(program()?, free_port());
        server.up();
        Some(server)
    }

    /// Starts one with this configuration, beside its address and its directory.
    pub(crate) fn start_with(configuration: &str) -> Option<Self> {
        let mut server = Self::new(program()?, free_port());
        let path = server.directory.with_extension("conf");
        std::fs::write(&path, configuration).expect("a file that can be written");
        server.more = vec!["--config".to_owned(), path.display().to_string()];
        server.up();
        let _ = std::fs::remove_file(path);
        Some(server)
    }

    /// Starts three in a cluster.
    pub(crate) fn start_three() -> Option<[Self; 3]> {
        let program = program()?;
        let routes = [free_port(), free_port(), free_port()].map(|at| format!("nats://{at}"));
        let mut servers = routes.clone().map(|route| {
            let mut server = Self::new(program.clone(), free_port());
            let more = ["--name", &route[7..], "--cluster_name", "three", "--cluster", &route];
            server.more = more.map(str::to_owned).to_vec();
            server.more.extend(["--routes".to_owned(), routes.join(",")]);
            server
        });
        servers.iter_mut().for_each(Self::up);
        Some(servers)
    }

    fn new(program: PathBuf, at: SocketAddr) -> Self {
        let directory = format!("nats-{}-{}", std::process::id(), at.port());
        let directory = std::env::temp_dir().join(directory);
        Self { program, at, directory, more: Vec::new(), process: None }
    }

    /// Starts it again, with what it has on disk.
    pub(crate) fn up(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["--addr", "127.0.0.1", "--jetstream"]);
        command.args(["--port", &self.at.port().to_string()]);
        command.arg("--store_dir").arg(&self.directory).args(&self.more);
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

    /// Sends it a signal: `STOP` and it stands still, `CONT` and it goes on.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process().expect("it is up").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &process]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {process}");
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub(crate) fn address(&self) -> String {
        format!("nats://{}", self.at)
    }
}

fn program() -> Option<PathBuf> {
    let given = std::env::var_os("ROOMCAST_NATS_SERVER");
    let program = given.as_ref().map_or("nats-server".into(), PathBuf::from);
    if let Err(error) = Command::new(&program).arg("--version").stdout(Stdio::null()).status() {
        assert!(given.is_none(), "ROOMCAST_NATS_SERVER is {}: {error}", program.display());
        // Past what the harness captures.
        let _ = writeln!(std::io::stderr(), "\n*** skipped: no nats-server ***\n");
        return None;
    }
    Some(program)
}

/// Nobody else is given it soon after.
fn free_port() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    free.expect("a free port")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
