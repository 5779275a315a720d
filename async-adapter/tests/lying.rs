//! Transports that are slow and that lie: they say that they can take more and take nothing, take a
//! byte, none, or more than they are offered, are interrupted, wake for nothing, and break in the
//! middle. Peers whose transport comes to reason get every line whole and in order, or are told
//! what they missed; the others are let go; and nobody else waits for them.
#![cfg(feature = "tokio")]
// What is drawn is small.
#![allow(clippy::cast_possible_truncation)]

mod lines;

use lines::Lines;
use parking_lot::Mutex;
use roomcast::pump::{PumpOptions, Pumped};
use roomcast::{Hub, Join, PerLevel, Publish, Pump, RoomConfig, RoomId, Source, Transport, UserId};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const MESSAGES: u64 = 60;
const CONNECTIONS: usize = 8;

/// Draws that follow from a seed.
#[derive(Debug)]
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

#[derive(Debug)]
struct Inside {
    draw: Draw,
    taken: Vec<u8>,
    waker: Option<Waker>,
    /// From now on it takes all.
    is_honest: bool,
    is_broken: bool,
    is_dropped: bool,
}

/// What the test holds of a connection.
#[derive(Clone, Debug)]
struct Wire(Arc<Mutex<Inside>>);

/// What the pump holds of it.
#[derive(Debug)]
struct End(Wire);

impl Wire {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            draw: Draw(seed),
            taken: Vec::new(),
            waker: None,
            is_honest: false,
            is_broken: false,
            is_dropped: false,
        })))
    }

    /// Says that it may take more, whether or not it does.
    fn wake(&self) {
        let waker = self.0.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn come_to_reason(&self) {
        self.0.lock().is_honest = true;
        self.wake();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.lock().is_dropped = true;
    }
}

impl Transport for End {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.0.0.lock();
        assert!(!inside.is_broken, "written to after it broke");
        let what = if inside.is_honest { 0 } else { inside.draw.below(100) };
        let most = bytes.len() as u64;
        let count = match what {
            0..40 => most,
            40..60 => inside.draw.below(most) + 1,
            60..70 => 1,
            70..85 => return Err(ErrorKind::WouldBlock.into()),
            85..95 => return Err(ErrorKind::Interrupted.into()),
            95..98 => {
                // It says that it has taken more than there was.
                inside.taken.extend_from_slice(bytes);
                return Ok(bytes.len() + 5);
            }
            what => {
                inside.is_broken = true;
                return if what == 98 { Ok(0) } else { Err(ErrorKind::BrokenPipe.into()) };
            }
        };
        inside.taken.extend_from_slice(&bytes[..count as usize]);
        Ok(count as usize)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.0.0.lock();
        if inside.is_honest || inside.draw.below(2) == 0 {
            return Poll::Ready(Ok(()));
        }
        inside.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The lines of a connection: all whole, in order, and none missing that no gap tells of. Returns
/// the last.
fn last_line(wire: &Wire, seed: u64) -> u64 {
    let text = String::from_utf8(wire.0.lock().taken.clone()).expect("lines are text");
    assert!(text.is_empty() || text.ends_with('\n'), "in {seed}: half a line: {text:?}");
    let mut last = 0;
    for line in text.lines() {
        if let Some(missed) = line.strip_prefix("missed ") {
            let (count, _) = missed.split_once(' ').expect("a gap names its level");
            last += count.parse::<u64>().expect("a gap has a count");
        } else {
            last += 1;
            assert_eq!(line.parse(), Ok(last), "in {seed}: {text:?}");
        }
    }
    last
}

async fn evening(seed: u64) {
    let mut draw = Draw(seed);
    let hub = Hub::<String>::builder().workers(1).spawn();
    // Who is slow misses something.
    let log = PerLevel([4 + draw.below(40) as u32; 4]);
    let config = RoomConfig::builder(UserId(1)).rate(100_000).burst(1_000).log_messages(log);
    let room = hub.open_room(RoomId(1), &config.build().unwrap()).unwrap();
    let mut options = PumpOptions::default();
    options.stalled_after = Duration::from_secs(3_600);
    let pump: Pump<String, End> = room.pump(Lines, options).unwrap();
    let wires: Vec<Wire> = (0..CONNECTIONS).map(|_| Wire::new(draw.below(1 << 40) + 1)).collect();
    let pumped = wires.iter().map(|wire| pump.join(Join::guest(), End(wire.clone())).unwrap());
    let _pumped: Vec<Pumped<String, End>> = pumped.collect();
    for number in 1..=MESSAGES {
        let _ = room.try_publish(Publish::new(Source::Host, number.to_string())).unwrap();
        if draw.below(3) == 0 {
            wires[draw.below(CONNECTIONS as u64) as usize].wake();
        }
        if draw.below(2) == 0 {
            tokio::time::sleep(Duration::from_millis(draw.below(30))).await;
        }
    }
    wires.iter().for_each(Wire::come_to_reason);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut left = 0;
    for wire in &wires {
        let (is_broken, is_dropped) = {
            let inside = wire.0.lock();
            (inside.is_broken, inside.is_dropped)
        };
        assert_eq!(is_broken, is_dropped, "in {seed}: whoever breaks is let go");
        if !is_broken {
            left += 1;
            assert_eq!(last_line(wire, seed), MESSAGES, "in {seed}: something is stuck");
        }
    }
    assert_eq!(pump.stats().connections, left, "in {seed}");
    let stats = room.stats().room;
    assert!(stats.balances(), "in {seed}: {stats:?}");
    assert_eq!(u64::from(stats.audience.sessions), left, "in {seed}");
}

#[tokio::test(start_paused = true)]
async fn transports_that_lie_cost_nobody_a_line() {
    for seed in 1..=300 {
        evening(seed).await;
    }
}
