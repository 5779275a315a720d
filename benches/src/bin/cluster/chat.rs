//! People who chat in one room: how long a message takes, and what it costs to say one.

use crate::nodes::{Bus, LONG, Node, ROOM};
use crate::options::Options;
use crate::table::Table;
use bytes::Bytes;
use hdrhistogram::Histogram;
use roomcast::{Hub, Item, Join, Outcome, Publish, RoomConfig, Source, Subscription};
use roomcast_benches::median;
use roomcast_benches::text::{grouped, time, times};
use roomcast_cluster::ClusterRoom;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// What a message carries: when it was said, and so many bytes more.
const MORE: usize = 1_000;

/// A message of a kilobyte, said now.
pub(crate) fn said_now(begun: Instant) -> Publish<Bytes> {
    let mut payload = vec![0; 8 + MORE];
    payload[..8].copy_from_slice(&nanos(begun.elapsed()).to_le_bytes());
    Publish::new(Source::Host, Bytes::from(payload))
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long ago a message was said.
pub(crate) fn age(payload: &Bytes, begun: Instant) -> u64 {
    let said = payload.first_chunk().map_or(0, |said| u64::from_le_bytes(*said));
    nanos(begun.elapsed()).saturating_sub(said)
}

/// A histogram of times, in nanoseconds: of up to an hour.
pub(crate) fn histogram() -> Histogram<u64> {
    let hour = nanos(Duration::from_secs(3_600));
    Histogram::new_with_bounds(1, hour, 3).unwrap_or_else(|_| unreachable!("bounds of times"))
}

/// The middle, and where all but one of a hundred end.
pub(crate) fn middle(times: &Histogram<u64>) -> String {
    let at = |quantile| time(times.value_at_quantile(quantile));
    format!("p50 {}, p99 {}, longest {}", at(0.5), at(0.99), time(times.max()))
}

/// Somebody who says something again and again, and what became of it.
pub(crate) struct Talker {
    stop: Arc<AtomicBool>,
    said: Arc<AtomicU64>,
    fates: Arc<Fates>,
    task: JoinHandle<()>,
}

/// What became of what was said.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    pub(crate) dispatched: AtomicU64,
    pub(crate) others: AtomicU64,
    /// How long it took to know.
    pub(crate) times: Mutex<Vec<u64>>,
}

impl Talker {
    pub(crate) fn start(room: ClusterRoom<Bytes>, every: Duration, begun: Instant) -> Self {
        let (stop, said) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let fates = Arc::<Fates>::default();
        let (stops, count, tell) = (Arc::clone(&stop), Arc::clone(&said), Arc::clone(&fates));
        let task = tokio::spawn(async move {
            let mut beat = interval(every);
            beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while !stops.load(Ordering::Relaxed) {
                beat.tick().await;
                count.fetch_add(1, Ordering::Relaxed);
                let (room, tell) = (room.clone(), Arc::clone(&tell));
                // Nobody waits for the fate of one before the next is said.
                tokio::spawn(async move {
                    let at = Instant::now();
                    let outcome = room.publish(said_now(begun)).await;
                    let mut times = tell.times.lock().unwrap_or_else(PoisonError::into_inner);
                    times.push(nanos(at.elapsed()));
                    let which = match outcome {
                        Ok(Outcome::Dispatched { .. }) => &tell.dispatched,
                        _ => &tell.others,
                    };
                    which.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { stop, said, fates, task }
    }

    /// Says no more, and waits until all that was said has its fate. Returns how much that was.
    pub(crate) async fn stop(self) -> Result<(u64, Arc<Fates>), String> {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.task.await;
        let said = self.said.load(Ordering::Relaxed);
        let fates = self.fates;
        let all = || {
            fates.dispatched.load(Ordering::Relaxed) + fates.others.load(Ordering::Relaxed) == said
        };
        let wait = async {
            while !all() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, wait).await.map_err(|_| "something that was said has no fate")?;
        Ok((said, fates))
    }
}

/// Somebody who listens: what came, what did not, and how long it was silent.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) messages: u64,
    pub(crate) missed: u64,
    pub(crate) twice: u64,
    last: Option<(u64, Instant)>,
    /// Since it was last asked.
    pub(crate) longest: Duration,
    pub(crate) ages: Histogram<u64>,
}

impl Heard {
    pub(crate) fn listen(mut session: Subscription<Bytes>, begun: Instant) -> Arc<Mutex<Self>> {
        let heard = Arc::new(Mutex::new(Self {
            messages: 0,
            missed: 0,
            twice: 0,
            last: None,
            longest: Duration::ZERO,
            ages: histogram(),
        }));
        let note = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok(batch) = session.next_batch().await {
                let mut heard = note.lock().unwrap_or_else(PoisonError::into_inner);
                for item in batch.items() {
                    match item {
                        Item::Message(message) => {
                            heard.hear(message.seq.0, age(&message.payload, begun));
                        }
                        Item::Gap { count, .. } => heard.missed += count,
                        Item::Direct(_) => {}
                    }
                }
            }
        });
        heard
    }

    fn hear(&mut self, seq: u64, age: u64) {
        let now = Instant::now();
        if let Some((last, at)) = self.last {
            self.twice += u64::from(seq <= last);
            self.missed += seq.saturating_sub(last + 1);
            self.longest = self.longest.max(now - at);
        }
        self.last = Some((seq, now));
        self.messages += 1;
        self.ages.saturating_record(age);
    }

    /// The longest silence since this was last called.
    pub(crate) fn take_longest(&mut self) -> Duration {
        std::mem::take(&mut self.longest)
    }
}

/// From when it is said at one of four nodes to when the last of them has it.
pub(crate) async fn latency(bus: &Bus, options: &Options, table: &mut Table) -> Result<(), String> {
    let begun = Instant::now();
    let mut nodes = Vec::new();
    for name in 1..=4 {
        nodes.push(Node::join(bus, "latency", name, options).await?);
    }
    let mut rooms = Vec::new();
    for node in &nodes {
        rooms.push(node.open(ROOM).await?);
    }
    let mut heard = Vec::new();
    for room in &rooms {
        let session = room.join(Join::guest()).map_err(|error| error.to_string())?;
        heard.push(Heard::listen(session, begun));
    }
    let speaks = nodes.iter().position(|node| !node.owns()).unwrap_or_default();
    let used = bus.processor_seconds();
    let talker = Talker::start(rooms[speaks].clone(), Duration::from_millis(25), begun);
    sleep(Duration::from_secs(options.seconds.into())).await;
    let (said, fates) = talker.stop().await?;
    sleep(Duration::from_millis(500)).await;
    let used = bus.processor_seconds() - used;
    // The worst of four, so not less than the last node of each message.
    let mut worst = histogram();
    for heard in &heard {
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if (heard.messages, heard.missed, heard.twice) != (said, 0, 0) {
            return Err(format!("of {said} messages a node had {heard:?}"));
        }
        if heard.ages.value_at_quantile(0.99) >= worst.value_at_quantile(0.99) {
            worst = heard.ages.clone();
        }
    }
    let what = "said at a node to had at the slowest of four, 40/s of 1 KB";
    table.row(what, middle(&worst), "p50 2 ms, p99 10 ms");
    let mut times = histogram();
    for &time in &*fates.times.lock().unwrap_or_else(PoisonError::into_inner) {
        times.saturating_record(time);
    }
    table.row("... and until its publisher knows", middle(&times), "");
    let share = used / (f64::from(options.seconds) + 0.5) * 100.0;
    table.row("... processor of the bus for that room", format!("{share:.1} %"), "1.4 % of a core");
    Ok(())
}

/// So many are published before their fates are waited for.
const BATCH: u32 = 64;
const ROUNDS: usize = 200;

/// What publishing costs the caller at an edge of a cluster, beside a room of a hub.
pub(crate) async fn publish(bus: &Bus, options: &Options, table: &mut Table) -> Result<(), String> {
    let node = Node::join(bus, "publish", 1, options).await?;
    let other = Node::join(bus, "publish", 2, options).await?;
    let (here, there) = (node.open(ROOM).await?, other.open(ROOM).await?);
    let edge = if node.owns() { there } else { here };
    let hub = Hub::<Bytes>::start();
    let config = RoomConfig::fan_out();
    let local = hub.open_room(ROOM, &config).map_err(|error| error.to_string())?;
    let payload = Bytes::from_static(&[b'x'; 100]);
    let (mut at_edge, mut at_room) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let at = Instant::now();
        for _ in 0..BATCH {
            let say = Publish::new(Source::Host, payload.clone());
            let _ = edge.try_publish(say).map_err(|refused| refused.to_string())?;
        }
        at_edge.push(at.elapsed().as_nanos() as f64 / f64::from(BATCH));
        let at = Instant::now();
        for _ in 0..BATCH {
            let say = Publish::new(Source::Host, payload.clone());
            let _ = local.try_publish(say).map_err(|refused| refused.to_string())?;
        }
        at_room.push(at.elapsed().as_nanos() as f64 / f64::from(BATCH));
        // Until all are on their way.
        let last = edge.publish(Publish::new(Source::Host, payload.clone())).await;
        if !matches!(last, Ok(Outcome::Dispatched { .. })) {
            return Err(format!("a message did not go out: {last:?}"));
        }
    }
    let (at_edge, at_room) = (median(at_edge), median(at_room));
    let measured = format!(
        "{at_edge:.0} ns, {at_room:.0} ns in a hub's room, {}",
        times(Some(at_edge / at_room))
    );
    let calls = u64::from(BATCH) * ROUNDS as u64;
    let what = format!("try_publish at an edge, the middle of {} calls", grouped(calls));
    table.row(&what, measured, "at most 2x a local one");
    Ok(())
}
