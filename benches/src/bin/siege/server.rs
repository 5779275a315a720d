//! The server's process: a hub with a WebSocket pump, as the documentation says that one is
//! written.

use crate::orders::{Counts, Listening, Order, Serve};
use roomcast::message::OutcomeSink;
use roomcast::net::{
    self, FromPeer, TcpTransport, WebSocketFrames, WebSocketOptions, WebSocketReader,
};
use roomcast::pump::PumpOptions;
use roomcast::{
    Bytes, Hub, Join, PerLevel, Priority, Publish, Pump, Room, RoomConfig, RoomId, Source, UserId,
};
use roomcast_benches::child::{orders, tell};
use roomcast_benches::record::{self, Records};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// High messages of the host in a second.
pub(crate) const HIGH_RATE: u32 = 4;
/// How long a client may take for its handshake, and how long it may take nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long text may wait for company.
const WINDOW: Duration = Duration::from_millis(100);
/// Threads of the server.
const THREADS: usize = 2;
/// How often something that takes its time is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long messages that wait in a queue are waited for.
const LATEST: Duration = Duration::from_secs(15);

/// The room, and what was said to it.
#[derive(Debug)]
struct Hall {
    room: Room<Bytes>,
    pump: Pump<Bytes, TcpTransport>,
    high: AtomicU64,
    is_quiet: AtomicBool,
    _hub: Hub<Bytes>,
}

impl Hall {
    fn open(rate: u32) -> Result<Self, String> {
        let config = RoomConfig::builder(UserId(0))
            .rate(rate)
            .burst(rate)
            // So that High need not wait for the next token.
            .reserve(PerLevel([HIGH_RATE, 0, 0, 0]))
            .coalesce(PerLevel([Duration::ZERO, WINDOW, WINDOW, WINDOW]));
        let config = config.build().map_err(|error| error.to_string())?;
        let hub = Hub::<Bytes>::builder().workers(THREADS).spawn();
        let room = hub.create_room(RoomId(1), &config).map_err(|error| error.to_string())?;
        let mut options = PumpOptions::default();
        options.stalled_after = PATIENCE;
        let pump = room
            .pump(WebSocketFrames::binary(Records), options)
            .map_err(|error| error.to_string())?;
        let (high, is_quiet) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { room, pump, high, is_quiet, _hub: hub })
    }

    /// What is refused is in the books.
    fn publish(&self, publish: Publish<Bytes>) -> Result<(), String> {
        let offered = self.room.try_publish(publish.outcome_sink(OutcomeSink::CountedOnly));
        offered.map(drop).map_err(|refused| refused.to_string())
    }

    fn counts(&self) -> Counts {
        let stats = self.room.stats();
        let sum = |count: fn(&roomcast::stats::RoomStats, Priority) -> u64| {
            Priority::ALL.map(|level| count(&stats, level))
        };
        Counts {
            balances: stats.room.balances(),
            sessions: stats.sessions(),
            high: self.high.load(Ordering::Relaxed),
            dispatched: sum(roomcast::stats::RoomStats::dispatched),
            queued: sum(roomcast::stats::RoomStats::queued).iter().sum(),
            stalled: self.pump.stats().stalled,
        }
    }
}

/// Serves until the process that started this one is done with it.
pub(crate) fn run(serve: Serve) -> Result<(), String> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    // As a task, so that all of it runs on the workers.
    let done = runtime.block_on(runtime.spawn(obey(serve))).map_err(|error| error.to_string());
    // The process ends; taking connections down one by one would only cost time.
    std::mem::forget(runtime);
    done?
}

async fn obey(serve: Serve) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener =
        listener.map_err(|error| format!("this machine gives no address to listen on: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let hall = Arc::new(Hall::open(serve.rate)?);
    tell(&Listening { address })?;
    tokio::spawn(accept_each(listener, Arc::clone(&hall)));
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Speak => {
                tokio::spawn(speak(Arc::clone(&hall), Priority::Normal, serve.rate));
                tokio::spawn(speak(Arc::clone(&hall), Priority::High, HIGH_RATE));
            }
            Order::Count => tell(&hall.counts())?,
            Order::Finish => {
                hall.is_quiet.store(true, Ordering::Relaxed);
                let late = Instant::now() + LATEST;
                while hall.counts().queued > 0 && Instant::now() < late {
                    sleep(LOOK).await;
                }
                tell(&hall.counts())?;
            }
        }
    }
    Ok(())
}

/// Says something of its own so many times a second.
async fn speak(hall: Arc<Hall>, level: Priority, rate: u32) {
    let mut due = interval(Duration::from_secs(1) / rate);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !hall.is_quiet.load(Ordering::Relaxed) {
        due.tick().await;
        let said = hall.publish(Publish::new(Source::Host, payload(level)).priority(level));
        if level == Priority::High && said.is_ok() {
            hall.high.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A message that carries when it was offered.
fn payload(level: Priority) -> Bytes {
    let mut message = Vec::with_capacity(record::MESSAGE);
    record::put_message(level, record::now(), 0, &mut message);
    message.into()
}

async fn accept_each(listener: TcpListener, hall: Arc<Hall>) {
    for user in 1.. {
        let (stream, _) = net::accept(&listener).await;
        tokio::spawn(serve(stream, UserId(user), Arc::clone(&hall)));
    }
}

/// Reads one connection until it ends, by its peer or because the pump has let go. What the room
/// has to say is written by the pump.
async fn serve(stream: TcpStream, user: UserId, hall: Arc<Hall>) {
    let mut options = WebSocketOptions::default();
    options.handshake_timeout = PATIENCE;
    let Ok((mut reader, transport)) = WebSocketReader::accept(stream, options).await else {
        return;
    };
    let Ok(pumped) = hall.pump.join(Join::user(user), transport) else { return };
    let source = Source::Session(pumped.session());
    while let Some(Ok(said)) = reader.next(|answer| pumped.control(answer)).await {
        let (FromPeer::Text(said) | FromPeer::Binary(said)) = said else { continue };
        let offer = if &said[..] == b"like" {
            Publish::like(source, payload(Priority::Low))
        } else {
            Publish::new(source, payload(Priority::Normal))
        };
        if let Err(refused) = hall.publish(offer) {
            // Whoever goes on and does not read what comes back is told less.
            let _ = pumped.control(note(&refused));
        }
    }
}

/// One WebSocket frame with a note of the server's own.
fn note(text: &str) -> Bytes {
    let mut frame = Vec::new();
    WebSocketFrames::put_text(text, &mut frame);
    frame.into()
}
