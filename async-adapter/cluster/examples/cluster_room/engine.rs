//! What the nodes talk over.

use roomcast_cluster::bus::{LocalBus, NatsBus, NatsError, NatsOptions};
use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server of our own, or a bus in this process.
pub(crate) enum Engine {
    Nats(Server),
    Local(LocalBus),
}

/// A nats-server, which ends with us.
pub(crate) struct Server {
    process: Child,
    address: String,
    directory: PathBuf,
}

impl Engine {
    /// A nats-server, if one is found and a bus in this process is not asked for.
    pub(crate) fn find(local: bool) -> Result<Self, String> {
        let given = std::env::var_os("ROOMCAST_NATS_SERVER").filter(|_| !local);
        let program = given.clone().unwrap_or_else(|| "nats-server".into());
        let version = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
        match version {
            _ if local => Ok(Self::Local(LocalBus::new())),
            Ok(_) => Server::start(&program).map(Self::Nats),
            Err(error) if given.is_some() => {
                Err(format!("ROOMCAST_NATS_SERVER is {}: {error}", program.display()))
            }
            Err(_) => Ok(Self::Local(LocalBus::new())),
        }
    }

    /// Where the server is; `None`: there is none.
    pub(crate) fn address(&self) -> Option<String> {
        match self {
            Self::Nats(server) => Some(server.address.clone()),
            Self::Local(_) => None,
        }
    }

    /// A connection to the server; `None`: it is the bus in this process.
    pub(crate) async fn connect(&self) -> Result<Option<NatsBus>, NatsError> {
        match self {
            // It has just been started, and is there in a moment.
            Self::Nats(server) => {
                let mut left = 100;
                loop {
                    match NatsBus::connect(&server.address, NatsOptions::new()).await {
                        Err(_) if left > 0 => left -= 1,
                        connected => return connected.map(Some),
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
            Self::Local(_) => Ok(None),
        }
    }
}

impl Server {
    fn start(program: &std::ffi::OsStr) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let at = free.map_err(|error| format!("no free port for the nats-server: {error}"))?;
        let directory = std::env::temp_dir().join(format!("cluster-room-{}", std::process::id()));
        let process = Command::new(program)
            .args(["--addr", "127.0.0.1", "--jetstream", "--port", &at.port().to_string()])
            .arg("--store_dir")
            .arg(&directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} can't be started: {error}", program.display()))?;
        Ok(Self { process, address: format!("nats://{at}"), directory })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nats(server) => write!(f, "a nats-server of its own at {}", server.address),
            Self::Local(_) => {
                f.write_str("a bus in this process: no nats-server was found, or --local was given")
            }
        }
    }
}
