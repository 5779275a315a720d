//! What people use today: axum, a task for each socket, and `tokio::sync::broadcast`.

use super::{Site, Written};
use crate::orders::{Counts, Fates};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use bytes::Bytes;
use roomcast::Priority;
use roomcast_benches::record;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Messages that the channel holds: those who are slower than that miss some.
const CAPACITY: usize = 1_024;
/// Bytes of a WebSocket frame's head, for records of this length.
pub(super) const HEAD: u64 = 2;
/// What a socket keeps for reading and for writing; the default is many times as much.
pub(super) const BUFFER: usize = 4_096;

struct Broadcast {
    sender: Sender<Bytes>,
    written: Written,
    dispatched: Mutex<[u64; 4]>,
}

pub(super) fn open(listener: TcpListener) -> Arc<dyn Site> {
    let (sender, _) = broadcast::channel(CAPACITY);
    let site =
        Arc::new(Broadcast { sender, written: Written::default(), dispatched: Mutex::default() });
    let router = Router::new().route("/", get(upgrade)).with_state(Arc::clone(&site));
    serve(listener, router, |stream| stream.set_nodelay(true));
    site
}

/// Serves a router, each socket prepared like this; one that refuses it is gone, and its task finds
/// out.
pub(super) fn serve(
    listener: TcpListener,
    router: Router,
    prepare: impl Fn(&mut TcpStream) -> io::Result<()> + Send + 'static,
) {
    let listener = listener.tap_io(move |stream| drop(prepare(stream)));
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn upgrade(upgrade: WebSocketUpgrade, State(site): State<Arc<Broadcast>>) -> Response {
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    upgrade.on_upgrade(async move |socket| {
        let receiver = site.sender.subscribe();
        site.written.connections.fetch_add(1, Ordering::Relaxed);
        // Who is gone has closed the connection.
        let _ = member(socket, receiver, &site.written).await;
        site.written.connections.fetch_sub(1, Ordering::Relaxed);
    })
}

async fn member(
    mut socket: WebSocket,
    mut receiver: Receiver<Bytes>,
    written: &Written,
) -> Result<(), axum::Error> {
    loop {
        let received = tokio::select! {
            received = receiver.recv() => received,
            said = socket.recv() => match said {
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        };
        let (record, messages) = match received {
            Ok(record) => (record, 1),
            Err(RecvError::Lagged(count)) => {
                let mut gap = Vec::new();
                record::put_gap(None, count, &mut gap);
                (gap.into(), 0)
            }
            Err(RecvError::Closed) => return Ok(()),
        };
        let bytes = HEAD + record.len() as u64;
        socket.send(Message::Binary(record)).await?;
        written.add(messages, bytes);
    }
}

impl Site for Broadcast {
    fn connections(&self) -> u64 {
        self.written.connections.load(Ordering::Relaxed)
    }

    fn publish(&self, _: u64, level: Priority, sent: u64) {
        let mut dispatched = self.dispatched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut message = Vec::new();
        record::put_message(level, sent, dispatched[level.index()], &mut message);
        dispatched[level.index()] += 1;
        // Without receivers there is nobody to miss it.
        let _ = self.sender.send(message.into());
    }

    fn counts(&self) -> Counts {
        self.written.counts()
    }

    /// All that is offered is sent.
    fn fates(&self) -> Fates {
        let dispatched = *self.dispatched.lock().unwrap_or_else(PoisonError::into_inner);
        Fates { offered: dispatched, dispatched, queued: 0, balances: None }
    }
}
