//! A server process: one contender, its connections, and the window in which it is measured.

mod bare;
mod broadcast;
mod cpu;
mod pumped;
mod room;
mod subscribed;

use crate::contender::Contender;
use crate::load::Load;
use crate::orders::{Counts, Fates, Inside, Listening, Order, Serve, Totals, Window};
use cpu::Meter;
use roomcast::Priority;
use roomcast_benches::child::{orders, tell};
use roomcast_benches::record;
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;
/// How often something that takes its time is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long connections that are on their way, and messages that wait in a queue, are waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Nothing was written for so long: all has been written.
const QUIET: Duration = Duration::from_millis(200);

/// A server that is measured.
trait Site: Send + Sync + 'static {
    /// Connections that are in.
    fn connections(&self) -> u64;

    /// Offers the message of a number to all of them.
    fn publish(&self, number: u64, level: Priority, sent: u64);

    /// What was written so far.
    fn counts(&self) -> Counts;

    /// What became of what was offered so far.
    fn fates(&self) -> Fates;
}

/// What a server writes, counted where it writes.
#[derive(Debug, Default)]
struct Written {
    connections: AtomicU64,
    writes: AtomicU64,
    bytes: AtomicU64,
    messages: AtomicU64,
    blocked: AtomicU64,
}

impl Written {
    /// One write that was taken whole.
    fn add(&self, messages: u64, bytes: u64) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }

    fn counts(&self) -> Counts {
        let [writes, bytes, messages] =
            [&self.writes, &self.bytes, &self.messages].map(|count| count.load(Ordering::Relaxed));
        Counts { writes, bytes, messages, blocked: None, stalled: 0 }
    }
}

/// Serves until the process that started this one is done with it.
pub(crate) fn run(serve: &Serve) -> Result<(), String> {
    let Serve { contender, load } = *serve;
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(load.threads as usize).enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    // As a task, so that all of it runs on the workers.
    let done =
        runtime.block_on(runtime.spawn(obey(contender, load))).map_err(|error| error.to_string());
    // The process ends; taking thousands of connections down one by one would only cost time.
    std::mem::forget(runtime);
    done?
}

async fn obey(contender: Contender, load: Load) -> Result<(), String> {
    let listener =
        listen().map_err(|error| format!("this machine gives no address to listen on: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let site = open(contender, &load, listener)?;
    tell(&Listening { address })?;
    let mut orders = orders();
    let meter = Meter::new()?;
    while let Some(order) = orders.recv().await {
        match order {
            Order::Await { connections } => {
                let late = Instant::now() + PATIENCE;
                while site.connections() < connections.into() && Instant::now() < late {
                    sleep(LOOK).await;
                }
                tell(&Inside { connections: site.connections() })?;
            }
            Order::Measure { from, to } => {
                let (window, ()) =
                    tokio::join!(measure(&*site, &meter, from, to), publish(&*site, &load, to));
                let mut window = window?;
                let late = Instant::now() + PATIENCE;
                while site.fates().queued > 0 && Instant::now() < late {
                    sleep(LOOK).await;
                }
                window.fates = site.fates();
                tell(&window)?;
            }
            Order::Finish { .. } => {
                settle(&*site).await;
                tell(&Totals { counts: site.counts(), fates: site.fates() })?;
            }
        }
    }
    Ok(())
}

fn listen() -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn open(contender: Contender, load: &Load, listener: TcpListener) -> Result<Arc<dyn Site>, String> {
    Ok(match contender {
        Contender::Bare => bare::open(load, listener),
        Contender::RoomcastTcp => pumped::open_tcp(load, listener)?,
        Contender::RoomcastWs => pumped::open_websocket(load, listener)?,
        Contender::RoomcastAxum => subscribed::open(load, listener)?,
        Contender::AxumBroadcast => broadcast::open(listener),
    })
}

/// Hands each connection to `take`. When there are no more files to be had, those that wait are
/// left to wait.
async fn accept_each<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    take: impl Fn(TcpStream) -> F,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(take(stream))),
            Err(_) => sleep(LOOK).await,
        }
    }
}

/// Tells a client on TCP that it is in.
async fn greet(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut hello = Vec::new();
    record::with_length(&mut hello, record::put_hello);
    stream.write_all(&hello).await
}

/// Reads what a client says, which is nothing, until it goes.
async fn read_on(mut read: impl AsyncRead + Unpin) {
    while read.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
}

/// Sleeps until the common clock says so.
async fn sleep_until(at: u64) {
    loop {
        match at.saturating_sub(record::now()) {
            0 => return,
            left => sleep(Duration::from_nanos(left)).await,
        }
    }
}

/// Offers the messages, each when it is due, until the window ends. Whoever is late catches up.
async fn publish(site: &dyn Site, load: &Load, to: u64) {
    let start = record::now();
    for number in 0.. {
        let due =
            start.saturating_add(u64::try_from(load.due(number).as_nanos()).unwrap_or(u64::MAX));
        if due >= to {
            return;
        }
        sleep_until(due).await;
        // As old as it is when this loop is late.
        site.publish(number, load.level(number), due);
    }
}

/// What the server used and wrote from one instant until another.
async fn measure(site: &dyn Site, meter: &Meter, from: u64, to: u64) -> Result<Window, String> {
    sleep_until(from).await;
    let (cpu, counts, start) = (meter.read()?, site.counts(), Instant::now());
    sleep_until(to).await;
    let (cpu, after, seconds) =
        (meter.read()?.since(cpu), site.counts(), start.elapsed().as_secs_f64());
    let bytes_in_time = after.bytes;
    let counts = Counts {
        writes: after.writes - counts.writes,
        bytes: after.bytes - counts.bytes,
        messages: after.messages - counts.messages,
        ..after
    };
    let fates = site.fates();
    let (cpu_ns, system_share) = (cpu.nanos(), cpu.system_share());
    Ok(Window { cpu_ns, system_share, seconds, counts, bytes_in_time, fates })
}

/// Waits until nothing more is written.
async fn settle(site: &dyn Site) {
    let late = Instant::now() + PATIENCE;
    let (mut seen, mut since) = (site.counts().bytes, Instant::now());
    while since.elapsed() < QUIET && Instant::now() < late {
        sleep(LOOK).await;
        if site.counts().bytes != seen {
            (seen, since) = (site.counts().bytes, Instant::now());
        }
    }
}
