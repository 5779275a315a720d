//! The floor: a loop that writes one ready frame to every socket in turn. It has no room, no
//! sessions and no books.
//!
//! It waits for company as long as the others do: what came since the last write is one frame for
//! all. A socket that cannot take all of it keeps the rest, misses what comes meanwhile, and is
//! told how much that was.

use super::{Site, Written, accept_each, greet, read_on};
use crate::load::Load;
use crate::orders::{Counts, Fates};
use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use roomcast::Priority;
use roomcast::net::TcpTransport;
use roomcast_benches::record;
use socket2::SockRef;
use std::io::ErrorKind;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// How often sockets that could not take all are tried again.
const AGAIN: Duration = Duration::from_millis(20);
/// Sockets that are written to before the other tasks get their turn: as many as a pump writes to.
const WRITES_A_TURN: usize = 256;

struct Bare {
    load: Load,
    news: mpsc::UnboundedSender<News>,
    written: Arc<Written>,
    fates: Mutex<Fates>,
}

enum News {
    Socket(OwnedWriteHalf),
    Message(Priority, Vec<u8>, Instant),
}

pub(super) fn open(load: &Load, listener: TcpListener) -> Arc<dyn Site> {
    let (news, inbox) = mpsc::unbounded_channel();
    let written = Arc::new(Written::default());
    tokio::spawn(Floor::new(load.window(), Arc::clone(&written)).run(inbox));
    let door = news.clone();
    tokio::spawn(accept_each(listener, move |mut stream| {
        let door = door.clone();
        async move {
            // The same options as the transports of roomcast.
            let options = stream
                .set_nodelay(true)
                .and_then(|()| SockRef::from(&stream).set_tcp_notsent_lowat(TcpTransport::UNSENT));
            if options.is_ok() && greet(&mut stream).await.is_ok() {
                let (read, write) = stream.into_split();
                let _ = door.send(News::Socket(write));
                read_on(read).await;
            }
        }
    }));
    Arc::new(Bare { load: *load, news, written, fates: Mutex::default() })
}

impl Site for Bare {
    fn connections(&self) -> u64 {
        self.written.connections.load(Ordering::Relaxed)
    }

    fn publish(&self, number: u64, level: Priority, sent: u64) {
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        fates.offered[level.index()] += 1;
        if self.load.fits(number) {
            let mut frame = Vec::new();
            let position = fates.dispatched[level.index()];
            record::with_length(&mut frame, |body| {
                record::put_message(level, sent, position, body);
            });
            fates.dispatched[level.index()] += 1;
            let _ = self.news.send(News::Message(level, frame, Instant::now()));
        }
    }

    fn counts(&self) -> Counts {
        Counts {
            blocked: Some(self.written.blocked.load(Ordering::Relaxed)),
            ..self.written.counts()
        }
    }

    fn fates(&self) -> Fates {
        *self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Socket {
    half: OwnedWriteHalf,
    /// What it has yet to take, and the messages in it.
    rest: Bytes,
    rest_messages: u64,
    /// Messages that came meanwhile.
    missed: u64,
}

struct Floor {
    window: Duration,
    sockets: Vec<Socket>,
    written: Arc<Written>,
    /// What came since the last write: High, the others, how many, and when to write.
    high: Vec<u8>,
    others: Vec<u8>,
    messages: u64,
    due: Option<Instant>,
    /// When to try again those that could not take all.
    again: Option<Instant>,
}

impl Floor {
    fn new(window: Duration, written: Arc<Written>) -> Self {
        let (high, others) = (Vec::new(), Vec::new());
        Self {
            window,
            sockets: Vec::new(),
            written,
            high,
            others,
            messages: 0,
            due: None,
            again: None,
        }
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<News>) {
        loop {
            let next = self.due.into_iter().chain(self.again).min();
            let news = tokio::select! {
                news = inbox.recv() => news,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => inbox.try_recv().ok(),
            };
            let mut news = news.or_else(|| inbox.try_recv().ok());
            while let Some(one) = news {
                self.take(one);
                news = inbox.try_recv().ok();
            }
            let now = Instant::now();
            if self.again.take_if(|again| *again <= now).is_some() {
                let blocked = self.sockets.iter_mut().filter(|socket| socket.is_blocked());
                // Asking costs no call of the system: only those that can take more are offered it.
                for socket in blocked.filter_map(|socket| {
                    socket.half.writable().now_or_never().is_some().then_some(socket)
                }) {
                    socket.go_on(&self.written);
                }
            }
            if self.due.take_if(|due| *due <= now).is_some() {
                self.write().await;
            }
            let blocked = self.sockets.iter().filter(|socket| socket.is_blocked()).count();
            self.written.blocked.store(blocked as u64, Ordering::Relaxed);
            if blocked > 0 {
                self.again.get_or_insert(now + AGAIN);
            }
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Socket(half) => {
                self.sockets.push(Socket { half, rest: Bytes::new(), rest_messages: 0, missed: 0 });
                self.written.connections.fetch_add(1, Ordering::Relaxed);
            }
            News::Message(level, frame, came) => {
                let is_high = level == Priority::High;
                if is_high { &mut self.high } else { &mut self.others }.extend_from_slice(&frame);
                self.messages += 1;
                let due = came + if is_high { Duration::ZERO } else { self.window };
                self.due = Some(self.due.map_or(due, |other| other.min(due)));
            }
        }
    }

    async fn write(&mut self) {
        let mut frame = mem::take(&mut self.high);
        frame.append(&mut self.others);
        let (frame, messages) = (Bytes::from(frame), mem::take(&mut self.messages));
        for some in self.sockets.chunks_mut(WRITES_A_TURN) {
            for socket in some {
                if socket.is_blocked() {
                    socket.missed += messages;
                } else {
                    socket.offer(frame.clone(), messages, &self.written);
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Socket {
    fn is_blocked(&self) -> bool {
        !self.rest.is_empty() || self.missed > 0
    }

    /// Tries again to write what is left, then what was missed.
    fn go_on(&mut self, written: &Written) {
        let (rest, messages) = (mem::take(&mut self.rest), self.rest_messages);
        self.offer(rest, messages, written);
        if self.rest.is_empty() && self.missed > 0 {
            let mut gap = Vec::new();
            record::with_length(&mut gap, |body| {
                record::put_gap(None, mem::take(&mut self.missed), body);
            });
            self.offer(gap.into(), 0, written);
        }
    }

    fn offer(&mut self, mut bytes: Bytes, messages: u64, written: &Written) {
        while !bytes.is_empty() {
            written.writes.fetch_add(1, Ordering::Relaxed);
            match self.half.try_write(&bytes) {
                Ok(count) => {
                    written.bytes.fetch_add(count as u64, Ordering::Relaxed);
                    bytes.advance(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    (self.rest, self.rest_messages) = (bytes, messages);
                    return;
                }
                // Gone: nothing more is owed.
                Err(_) => return,
            }
        }
        written.messages.fetch_add(messages, Ordering::Relaxed);
    }
}
