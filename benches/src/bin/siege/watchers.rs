//! The healthy peers: they join, read all that comes, and say nothing.

use hdrhistogram::Histogram;
use roomcast::Priority;
use roomcast_benches::books::Books;
use roomcast_benches::record::{self, Wire};
use roomcast_benches::websocket::HANDSHAKE;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// The longest time that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// What one read takes at the most.
const BUFFER: usize = 16 << 10;
/// How long all of them may take to come in.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a High message may be on its way before it counts as lost.
const LATEST: Duration = Duration::from_secs(10);
/// How often it is looked at whether they have arrived.
const LOOK: Duration = Duration::from_millis(5);

/// Peers that read on a thread of their own, until the program ends.
pub(crate) struct Watchers {
    count: u32,
    shared: Arc<Shared>,
    /// What had been missed when the window began.
    before: Totals,
}

struct Shared {
    seen: Mutex<Seen>,
    /// High messages that were offered from one instant until the other are timed.
    from: AtomicU64,
    to: AtomicU64,
}

struct Seen {
    books: Vec<Books>,
    high: Histogram<u64>,
    closed: u64,
    trouble: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    told: u64,
    untold: u64,
    closed: u64,
}

/// What healthy peers saw of an attack.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Watched {
    /// How old High messages were when they were read, in nanoseconds.
    pub(crate) high_p50: u64,
    pub(crate) high_p99: u64,
    pub(crate) high_max: u64,
    /// How many were timed.
    pub(crate) high_count: u64,
    /// High messages that did not arrive, over all peers.
    pub(crate) high_lost: u64,
    /// Messages that peers were told that they missed.
    pub(crate) told: u64,
    /// Messages that are missing and nobody said so, or that came twice.
    pub(crate) untold: u64,
    /// Peers whose connection was closed.
    pub(crate) closed: u64,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watchers {
    /// Connects so many, and waits until they are in.
    ///
    /// # Errors
    /// One is not let in.
    pub(crate) fn start(address: SocketAddr, count: u32) -> Result<Self, String> {
        let high = Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| error.to_string())?;
        let books = (0..count).map(|_| Books::default()).collect();
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen { books, high, closed: 0, trouble: None }),
            from: AtomicU64::new(u64::MAX),
            to: AtomicU64::new(u64::MAX),
        });
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let (sender, is_in) = mpsc::channel();
        let all = Arc::clone(&shared);
        std::thread::spawn(move || runtime.block_on(watch(address, count, all, sender)));
        match is_in.recv_timeout(PATIENCE) {
            Ok(Ok(())) => Ok(Self { count, shared, before: Totals::default() }),
            Ok(Err(error)) => Err(format!("a healthy peer was not let in: {error}")),
            Err(_) => Err(format!("healthy peers were not let in for {} s", PATIENCE.as_secs())),
        }
    }

    /// A window begins.
    pub(crate) fn begin(&mut self) {
        let mut seen = self.shared.seen();
        seen.high.clear();
        self.before = seen.totals();
        self.shared.to.store(u64::MAX, Ordering::Relaxed);
        self.shared.from.store(record::now(), Ordering::Relaxed);
    }

    /// What is offered from now on is not timed.
    pub(crate) fn stop_timing(&self) {
        self.shared.to.store(record::now(), Ordering::Relaxed);
    }

    /// The window ends. What is on its way is waited for: `high` messages in all, since the room
    /// began.
    ///
    /// # Errors
    /// A peer read something that the server never writes.
    pub(crate) fn end(&self, high: u64) -> Result<Watched, String> {
        let late = Instant::now() + LATEST;
        let lost = || {
            let seen = self.shared.seen();
            let received = seen.books.iter().map(|books| books.received()[Priority::High.index()]);
            received.map(|received| high.saturating_sub(received)).sum::<u64>()
        };
        while lost() > 0 && Instant::now() < late {
            std::thread::sleep(LOOK);
        }
        let high_lost = lost();
        let mut seen = self.shared.seen();
        if let Some(trouble) = seen.trouble.take() {
            return Err(trouble);
        }
        let totals = seen.totals();
        let age = |quantile| seen.high.value_at_quantile(quantile);
        Ok(Watched {
            high_p50: age(0.5),
            high_p99: age(0.99),
            high_max: seen.high.max(),
            high_count: seen.high.len(),
            high_lost,
            told: totals.told - self.before.told,
            untold: totals.untold - self.before.untold,
            closed: totals.closed - self.before.closed,
        })
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

impl Seen {
    fn totals(&self) -> Totals {
        Totals {
            told: self.books.iter().map(Books::told).sum(),
            untold: self.books.iter().map(Books::untold).sum(),
            closed: self.closed,
        }
    }
}

async fn watch(
    address: SocketAddr,
    count: u32,
    shared: Arc<Shared>,
    is_in: mpsc::Sender<io::Result<()>>,
) {
    let mut peers = JoinSet::new();
    for number in 0..count {
        match come_in(address).await {
            Ok(stream) => {
                peers.spawn(read_all(stream, number as usize, Arc::clone(&shared)));
            }
            Err(error) => return drop(is_in.send(Err(error))),
        }
    }
    // Nobody waits any more if it took too long.
    let _ = is_in.send(Ok(()));
    while peers.join_next().await.is_some() {
        shared.seen().closed += 1;
    }
}

async fn come_in(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(HANDSHAKE).await?;
    let mut answer = Vec::new();
    // Nothing follows it before the server speaks.
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it"));
        }
    }
    Ok(stream)
}

async fn read_all(mut stream: TcpStream, number: usize, shared: Arc<Shared>) {
    let mut begun = Vec::with_capacity(BUFFER);
    while stream.read_buf(&mut begun).await.is_ok_and(|count| count > 0) {
        match take(&begun, number, &shared) {
            Ok(taken) => drop(begun.drain(..taken)),
            Err(line) => {
                shared.seen().trouble.get_or_insert(line);
                return;
            }
        }
    }
}

/// Puts down all the records that are whole; answers how many bytes they have.
fn take(read: &[u8], number: usize, shared: &Shared) -> Result<usize, String> {
    let now = record::now();
    let window = shared.from.load(Ordering::Relaxed)..shared.to.load(Ordering::Relaxed);
    let (mut rest, mut seen) = (read, shared.seen());
    while let Some(record) = Wire::WebSocket.next(&mut rest)? {
        if let Some((level, sent)) = seen.books[number].take(record)
            && level == Priority::High.index()
            && window.contains(&sent)
        {
            seen.high.saturating_record(now.saturating_sub(sent));
        }
    }
    Ok(read.len() - rest.len())
}
