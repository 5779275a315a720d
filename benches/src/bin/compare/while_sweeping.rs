//! What a publish costs while another thread sweeps the whole audience, and while none does.
//!
//! The two halves of a room, each behind a lock of its own, as in decision D1: the publisher takes
//! the admission's alone; the sweeper takes the audience's for a stretch of slots at a time, and
//! the admission's to pick up what was dispatched. Without the sweep the same thread only picks up.
//! The two take turns within one run.

use crate::contender::{latencies, nanos};
use bytes::Bytes;
use hdrhistogram::Histogram;
use roomcast::core::audience::Delivery;
use roomcast::core::{Admission, Audience, Group, Handoff, RoomState};
use roomcast::message::{OutcomeSink, Seq};
use roomcast::time::Instant;
use roomcast::{Budget, Join, Outcome, PerLevel, Publish, Source};
use roomcast_benches::fanout::roomcast::STRETCH;
use roomcast_benches::machine::Machine;
use roomcast_benches::text::{grouped, time};
use roomcast_benches::{payload, unlimited};
use serde::Serialize;
use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// From one publish to the next, at the least.
const PACE: Duration = Duration::from_micros(100);
/// How often a thread that does not sweep picks up what was dispatched.
const PICK_UP: Duration = Duration::from_millis(1);
/// Turns that each of the two gets.
const TURNS: u32 = 5;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct WhileSweeping {
    machine: Machine,
    members: u32,
    /// Messages published in each of the two.
    messages: u32,
    without_a_sweep: Latency,
    during_sweeps: Latency,
    /// Sweeps of all members.
    sweeps: u64,
    /// Counted by the sink.
    deliveries: u64,
}

/// Nanoseconds of one publish.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(times: &Histogram<u64>) -> Self {
        let at = |quantile| times.value_at_quantile(quantile);
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: times.max() }
    }
}

/// A room in two halves.
struct Halves {
    admission: Mutex<Admission<Bytes>>,
    audience: Mutex<Audience<Bytes>>,
    /// The last message dispatched, so that the sweeper can tell without the admission's lock
    /// whether there is news.
    dispatched: AtomicU64,
    /// Whether the publisher is done with its turn.
    done: AtomicBool,
}

/// What the sweeper counts.
#[derive(Clone, Copy, Default)]
struct Swept {
    sweeps: u64,
    handed: u64,
}

impl Halves {
    fn new(members: u32, messages: u32) -> Result<Self, String> {
        // Nobody falls out of the log, so that every member is handed every message.
        let (all, bytes) = (2 * messages + TURNS, 1 << 30);
        let config =
            unlimited().log_messages(PerLevel([all; 4])).log_bytes(PerLevel([bytes; 4])).build();
        let mut room = RoomState::new(&config.map_err(|error| error.to_string())?);
        for _ in 0..members {
            room.join(Instant::ZERO, Join::guest()).map_err(|error| error.to_string())?;
        }
        let (admission, mut audiences) = room.into_halves();
        let audience = audiences.pop().ok_or("a room has an audience")?;
        Ok(Self {
            admission: Mutex::new(admission),
            audience: Mutex::new(audience),
            dispatched: AtomicU64::new(0),
            done: AtomicBool::new(false),
        })
    }

    /// Publishes so many messages, and times each.
    fn publish(&self, messages: u32, times: &mut Histogram<u64>) -> Result<(), String> {
        for _ in 0..messages {
            thread::sleep(PACE);
            let start = std::time::Instant::now();
            let (answer, deferred) = {
                let mut admission = self.admission.lock().unwrap_or_else(PoisonError::into_inner);
                let message =
                    Publish::new(Source::Host, payload()).outcome_sink(OutcomeSink::CountedOnly);
                let answer = admission.publish(Instant::ZERO, message);
                self.dispatched.store(admission.dispatched().0, Ordering::Release);
                (answer, admission.take_deferred_drops())
            };
            drop(deferred);
            times.saturating_record(nanos(start.elapsed()));
            match answer.map_err(|refused| refused.to_string())?.outcome {
                Some(Outcome::Dispatched { .. }) => {}
                other => {
                    return Err(format!("a message ended as {other:?}, and was to be dispatched"));
                }
            }
        }
        Ok(())
    }

    /// Takes what was dispatched over the seam.
    fn catch_up(&self, audience: &mut Audience<Bytes>) {
        let dispatched = Seq(self.dispatched.load(Ordering::Acquire));
        if dispatched != audience.applied() {
            let handed = {
                let mut admission = self.admission.lock().unwrap_or_else(PoisonError::into_inner);
                let handed = admission.hand_over(audience.applied());
                admission.release_through(handed.through());
                handed
            };
            audience.take_over(handed);
        }
    }

    /// Hands every member what it is due, and lets go of the lock between two stretches.
    fn sweep(&self) -> u64 {
        let (mut handed, mut first, mut slots) = (0, 0, 1);
        let budget = Budget { messages: u32::MAX, bytes: u64::MAX };
        while first < slots {
            let mut audience = self.audience.lock().unwrap_or_else(PoisonError::into_inner);
            self.catch_up(&mut audience);
            audience.sweep(
                Instant::ZERO,
                Group::DEFAULT,
                first..first + STRETCH,
                budget,
                |session, due| {
                    if let Delivery::Batch(reading) = due {
                        handed += u64::from(reading.messages());
                        black_box((session, reading.key()));
                    }
                    Handoff::Taken
                },
            );
            slots = audience.slots();
            let deferred = audience.take_deferred_drops();
            drop(audience);
            drop(deferred);
            first += STRETCH;
        }
        handed
    }

    /// Sweeps until the publisher is done, and once more, so that everyone has everything.
    fn sweep_on(&self, swept: &mut Swept) {
        loop {
            let done = self.done.load(Ordering::Acquire);
            swept.handed += self.sweep();
            swept.sweeps += 1;
            if done {
                return;
            }
        }
    }

    /// Picks up what is dispatched until the publisher is done, and sweeps nobody.
    fn pick_up(&self) {
        while !self.done.load(Ordering::Acquire) {
            self.catch_up(&mut self.audience.lock().unwrap_or_else(PoisonError::into_inner));
            thread::sleep(PICK_UP);
        }
    }

    /// One turn: a thread that publishes, beside one that sweeps or does not.
    fn turn(
        &self,
        messages: u32,
        times: &mut Histogram<u64>,
        swept: Option<&mut Swept>,
    ) -> Result<(), String> {
        self.done.store(false, Ordering::Release);
        thread::scope(|scope| {
            let other = scope.spawn(move || match swept {
                Some(swept) => self.sweep_on(swept),
                None => self.pick_up(),
            });
            let published = self.publish(messages, times);
            self.done.store(true, Ordering::Release);
            other.join().map_err(|_| "the sweeping thread panicked".to_owned())?;
            published
        })
    }
}

/// Measures in this process, in turns.
pub(crate) fn measure(members: u32, messages: u32) -> Result<WhileSweeping, String> {
    let halves = Halves::new(members, messages)?;
    let (mut without, mut during, mut swept) = (latencies()?, latencies()?, Swept::default());
    for turn in 0..TURNS {
        let share = messages / TURNS + u32::from(turn < messages % TURNS);
        halves.turn(share, &mut without, None)?;
        halves.turn(share, &mut during, Some(&mut swept))?;
    }
    let expected = 2 * u64::from(messages) * u64::from(members);
    if swept.handed != expected {
        return Err(format!(
            "the sweep handed over {} messages, and {expected} would be right",
            swept.handed
        ));
    }
    Ok(WhileSweeping {
        machine: Machine::this(),
        members,
        messages,
        without_a_sweep: Latency::from(&without),
        during_sweeps: Latency::from(&during),
        sweeps: swept.sweeps,
        deliveries: swept.handed,
    })
}

impl fmt::Display for WhileSweeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, messages) = (grouped(self.members.into()), grouped(self.messages.into()));
        writeln!(
            f,
            "A publish into a room of {members} guests, {messages} times each, about 150 us apart, in {TURNS} turns each."
        )?;
        writeln!(
            f,
            "Machine: {}. Swept in a loop by another thread, {} slots under one lock.\n",
            self.machine,
            grouped(STRETCH.into())
        )?;
        writeln!(f, "{:<16} {:>10} {:>10} {:>10} {:>10}", "publish", "p50", "p99", "p99.9", "max")?;
        for (title, latency) in
            [("without a sweep", &self.without_a_sweep), ("while sweeping", &self.during_sweeps)]
        {
            let Latency { p50, p99, p999, max } = *latency;
            writeln!(
                f,
                "{title:<16} {:>10} {:>10} {:>10} {:>10}",
                time(p50),
                time(p99),
                time(p999),
                time(max)
            )?;
        }
        write!(
            f,
            "\n{} sweeps; handed {} messages, counted by the sink.",
            grouped(self.sweeps),
            grouped(self.deliveries)
        )
    }
}
