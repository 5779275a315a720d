//! What is in flight to a connection is what it drains in a short time, so that a gift waits behind
//! no more than that. [Decision D49](roomcast_core::design#d49-no-more-in-flight-than-drains-in-a-short-time).
#![cfg(feature = "tokio")]

mod lines;

use lines::Lines;
use parking_lot::Mutex;
use roomcast::pump::{InFlight, PumpOptions};
use roomcast::{
    Hub, Join, Priority, Publish, Pump, Room, RoomConfig, RoomId, Source, Transport, UserId,
};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const MILLION: u64 = 1_000_000;

/// A link that carries so many bytes a second, behind a buffer that takes so many.
#[derive(Clone)]
struct Link(Arc<Mutex<Inside>>);

struct Inside {
    rate: u64,
    buffer: u64,
    /// Millionths of bytes that have yet to be carried, as of then.
    queue: u64,
    at: Instant,
    /// The line that has begun, and when each came through: what it says and how old it was.
    begun: Vec<u8>,
    came: Vec<(String, Duration)>,
    /// Whether it says what is in flight.
    is_seen: bool,
    began: Instant,
}

impl Link {
    fn new(rate: u64, buffer: u64, is_seen: bool) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Inside {
            rate,
            buffer,
            queue: 0,
            at: now,
            begun: Vec::new(),
            came: Vec::new(),
            is_seen,
            began: now,
        })))
    }

    /// The ages of what came through and begins like this, in milliseconds.
    fn ages(&self, kind: &str) -> Vec<u128> {
        let inside = self.0.lock();
        let came = inside.came.iter().filter(|(line, _)| line.starts_with(kind));
        came.map(|(_, age)| age.as_millis()).collect()
    }
}

impl Inside {
    fn go_on(&mut self) {
        let now = Instant::now();
        let micros = u64::try_from((now - self.at).as_micros()).unwrap();
        self.queue = self.queue.saturating_sub(micros * self.rate);
        self.at += Duration::from_micros(micros);
    }

    /// A byte of a line is taken, behind what is queued.
    fn take(&mut self, byte: u8) {
        self.queue += MILLION;
        if byte != b'\n' {
            self.begun.push(byte);
            return;
        }
        let line = String::from_utf8(std::mem::take(&mut self.begun)).unwrap();
        let sent: u64 = line.split(' ').nth(1).unwrap_or("0").parse().unwrap_or(0);
        let carried =
            self.queue.checked_div(self.rate).map_or(Duration::MAX, Duration::from_micros);
        let arrives = (self.at - self.began).saturating_add(carried);
        self.came.push((line, arrives.saturating_sub(Duration::from_micros(sent))));
    }
}

impl Transport for Link {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.0.lock();
        inside.go_on();
        let space = inside.buffer.saturating_sub(inside.queue / MILLION);
        let count = bytes.len().min(usize::try_from(space).unwrap());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        bytes[..count].iter().for_each(|&byte| inside.take(byte));
        Ok(count)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.0.lock();
        inside.go_on();
        // As sockets do: once a third of it is free.
        let full = inside.buffer * MILLION * 2 / 3;
        if inside.queue <= full {
            return Poll::Ready(Ok(()));
        }
        let wait = Duration::from_micros((inside.queue - full) / inside.rate);
        let waker = cx.waker().clone();
        tokio::spawn(async move {
            sleep(wait + Duration::from_millis(1)).await;
            waker.wake();
        });
        Poll::Pending
    }

    fn in_flight(&mut self) -> Option<InFlight> {
        let mut inside = self.0.lock();
        inside.go_on();
        inside.is_seen.then(|| InFlight::new(inside.queue.div_ceil(MILLION)))
    }
}

/// A premiere: for a minute, 36 texts and four gifts a second, of a hundred bytes each.
async fn premiere(room: &Room<String>) {
    let began = Instant::now();
    for n in 0..60 * 40_u64 {
        let (priority, kind) =
            if n % 10 == 0 { (Priority::High, "gift") } else { (Priority::Normal, "text") };
        let sent = began.elapsed().as_micros();
        let text = format!("{kind} {sent} {:.<80}", "");
        let receipt = room.try_publish(Publish::new(Source::Host, text).priority(priority));
        assert!(receipt.unwrap().outcome.is_some(), "this room has the rate for it");
        sleep(Duration::from_millis(25)).await;
    }
}

fn room() -> (Hub<String>, Room<String>) {
    let hub = Hub::<String>::builder().workers(1).spawn();
    let config = RoomConfig::builder(UserId(1)).rate(1_000).burst(1_000).build().unwrap();
    let room = hub.create_room(RoomId(1), &config).unwrap();
    (hub, room)
}

fn pump_of(room: &Room<String>, reach: Duration) -> Pump<String, Link> {
    let mut options = PumpOptions::default();
    options.reach = reach;
    room.pump(Lines, options).unwrap()
}

/// Returns the ages of gifts and texts, in milliseconds, over links of these rates.
async fn ages<const N: usize>(
    reach: Duration,
    links: [(u64, u64, bool); N],
) -> [(Vec<u128>, Vec<u128>); N] {
    let (_hub, room) = room();
    let pump = pump_of(&room, reach);
    let links = links.map(|(rate, buffer, is_seen)| Link::new(rate, buffer, is_seen));
    let pumped = links.clone().map(|link| pump.join(Join::guest(), link).unwrap());
    premiere(&room).await;
    let books = room.stats();
    assert!(books.room.balances());
    drop(pumped);
    links.map(|link| (link.ages("gift"), link.ages("text")))
}

const REACH: Duration = Duration::from_millis(250);
const ENDLESS: u64 = 1 << 30;

/// A link that carries all of it, one that carries three quarters, and one that carries a third:
/// the gifts get through, and none is old.
#[tokio::test(start_paused = true)]
async fn d49_a_gift_waits_behind_what_drains_in_reach() {
    let links = [1_000_000, 3_000, 1_200].map(|rate| (rate, ENDLESS, true));
    let [wide, narrow, narrower] = ages(REACH, links).await;
    assert_eq!((wide.0.len(), wide.1.len()), (240, 2_160));
    assert!(wide.1.iter().max() <= Some(&30), "{wide:?}");
    for (gifts, texts) in [narrow, narrower] {
        assert!(gifts.len() >= 238, "{} gifts", gifts.len());
        // Reach, the message that was on its way, and its own: at 1,200 B/s 85 ms each.
        // The first ones wait behind what a new connection is handed before it is looked at.
        let oldest = gifts[8..].iter().max();
        assert!(oldest <= Some(&550), "{oldest:?}: {gifts:?}");
        assert!(texts.len() > 300, "the link is used: {} texts", texts.len());
    }
}

/// Without a bound, a gift waits behind all the text that the buffer has taken.
#[tokio::test(start_paused = true)]
async fn d49_without_reach_a_gift_is_as_old_as_its_text() {
    let [(gifts, _)] = ages(Duration::MAX, [(1_200, ENDLESS, true)]).await;
    assert!(gifts.iter().max() > Some(&20_000), "{gifts:?}");
}

/// Where the transport cannot say what is in flight, a gift waits behind its buffer, and behind
/// what drains in reach.
#[tokio::test(start_paused = true)]
async fn d49_a_gift_waits_behind_a_buffer_that_nobody_sees_into() {
    let [(gifts, texts)] = ages(REACH, [(1_200, 2_400, false)]).await;
    assert!(gifts.len() >= 235, "{} gifts", gifts.len());
    // The first batches are handed over before anything is known.
    let late = gifts.iter().filter(|&&age| age > 2_000 + 250 + 3 * 85).count();
    assert!(late <= 20, "{late} gifts were late: {gifts:?}");
    assert!(texts.len() > 300, "the link is used: {} texts", texts.len());
}

/// A quiet room that gets two hundred texts at once hands over what the link drains in time.
#[tokio::test(start_paused = true)]
async fn d49_a_burst_is_cut_to_reach() {
    let (_hub, room) = room();
    let pump = pump_of(&room, REACH);
    let link = Link::new(3_000, ENDLESS, true);
    let _pumped = pump.join(Join::guest(), link.clone()).unwrap();
    let say = |kind, priority| {
        let sent = link.0.lock().began.elapsed().as_micros();
        let publish = Publish::new(Source::Host, format!("{kind} {sent} {:.<80}", ""));
        let _ = room.try_publish(publish.priority(priority)).unwrap();
    };
    for _ in 0..10 {
        say("text", Priority::Normal);
        sleep(Duration::from_millis(500)).await;
    }
    for _ in 0..200 {
        say("text", Priority::Normal);
    }
    sleep(Duration::from_millis(300)).await;
    say("gift", Priority::High);
    sleep(Duration::from_secs(10)).await;
    let gifts = link.ages("gift");
    assert!(gifts.iter().max() <= Some(&800), "{gifts:?}");
    assert_eq!((gifts.len(), link.ages("text").len()), (1, 210));
}

/// A link that carries nothing: its transport would take a gigabyte, and the peer is given up all
/// the same. One that carries next to nothing is kept.
#[tokio::test(start_paused = true)]
async fn d64_who_drains_nothing_is_given_up() {
    let (_hub, room) = room();
    let pump = pump_of(&room, REACH);
    let links = [0, 4].map(|rate| Link::new(rate, ENDLESS, true));
    let _pumped = links.map(|link| pump.join(Join::guest(), link).unwrap());
    premiere(&room).await;
    let stats = pump.stats();
    assert_eq!((stats.connections, stats.stalled, stats.held_back), (2, 0, 2));
    sleep(Duration::from_secs(10)).await;
    let stats = pump.stats();
    assert_eq!((stats.connections, stats.stalled, stats.held_back), (1, 1, 1));
    assert_eq!(room.stats().room.audience.sessions, 1);
}

/// Whoever keeps up shares the frames of all others, and is not held back.
#[tokio::test(start_paused = true)]
async fn d49_who_keeps_up_shares_frames() {
    let (_hub, room) = room();
    let pump = pump_of(&room, REACH);
    let links: Vec<Link> = (0..500).map(|_| Link::new(1_000_000, ENDLESS, true)).collect();
    let pumped: Vec<_> =
        links.iter().map(|link| pump.join(Join::guest(), link.clone()).unwrap()).collect();
    premiere(&room).await;
    let stats = pump.stats();
    assert_eq!((stats.messages, stats.held_back), (500 * 2_400, 0));
    assert!(stats.framed <= 3_000, "{stats:?}");
    drop(pumped);
}
