//! A link to a server that can be cut, held up and slowed down: a TCP proxy of the tests' own.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// What comes goes through.
    Open,
    /// Connections are closed, and new ones too.
    Cut,
    /// Nothing goes through, and nothing is lost: it goes through later, as when packets are.
    Held,
    /// Whatever is read at once waits so long, each way.
    Slow(Duration),
}

/// A proxy before a server.
pub(crate) struct Proxy {
    at: SocketAddr,
    link: watch::Sender<Link>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// One before the server at this address, `nats://…`.
    pub(crate) async fn before(server: &str) -> Self {
        let server: SocketAddr =
            server.trim_start_matches("nats://").parse().expect("the address of a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = listener.local_addr().expect("it is bound");
        let (link, changes) = watch::channel(Link::Open);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *changes.borrow() == Link::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, changes.clone()));
                tokio::spawn(carry(from_server, to_client, changes.clone()));
            }
        });
        Self { at, link, task }
    }

    pub(crate) fn address(&self) -> String {
        format!("nats://{}", self.at)
    }

    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one way of a connection until either end is closed, or the link is cut.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut link: watch::Receiver<Link>) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let now = *link.borrow_and_update();
        let read = match now {
            Link::Cut => return,
            Link::Held => None,
            Link::Open | Link::Slow(_) => Some(from.read(&mut bytes)),
        };
        let Some(read) = read else {
            if link.changed().await.is_err() {
                return;
            }
            continue;
        };
        let read = tokio::select! {
            read = read => read,
            changed = link.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok(read @ 1..) = read else { return };
        // What has been read when the link is held is held, too.
        if let Link::Slow(time) = now {
            sleep(time).await;
        }
        let is_gone = |link: &Link| *link != Link::Held;
        if link.wait_for(is_gone).await.is_err() || *link.borrow() == Link::Cut {
            return;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
