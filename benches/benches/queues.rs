//! The four-level queue under overload, beside what people take instead: a heap, a heap that gives way at
//! its low end, and a bounded channel for each level.
//!
//! One iteration is one message that comes to a full queue of 1,024, at the levels in turn and from 97
//! senders, and for every fourth one that goes, from the highest level. All are bounded, and first in,
//! first out within a level. What they do when they are full is not the same: a heap and the channels
//! turn the newcomer away, whatever its level; the double-ended heap lets its lowest go; roomcast lets
//! one of the lowest level go, of whoever has the most there. What each kept and lost is printed.
#![allow(missing_docs)]

use criterion::{Bencher, Criterion};
use priority_queue::DoublePriorityQueue;
use roomcast::config::QueueConfig;
use roomcast::core::Queue;
use roomcast::message::{Sender, Urgency};
use roomcast::time::Instant;
use roomcast::{PerLevel, Priority, UserId};
use roomcast_benches::suite::wants_figure;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Messages that fit.
const FULL: u32 = 1_024;
const SENDERS: u64 = 97;

/// A bounded queue of four levels.
trait Levels {
    const NAME: &str;
    fn new() -> Self;
    /// One comes; how many were lost by that: itself, or others.
    fn push(&mut self, number: u64, level: Priority) -> u64;
    /// One of the highest level goes.
    fn pop(&mut self) -> Option<(Priority, u64)>;
}

impl Levels for Queue<u64> {
    const NAME: &str = "roomcast";

    fn new() -> Self {
        let mut config = QueueConfig::default();
        config.messages = FULL;
        config.fresh_within = PerLevel::default();
        Self::new(config, 1)
    }

    fn push(&mut self, number: u64, level: Priority) -> u64 {
        let (now, sender) = (Instant::from_nanos(number), Sender::User(UserId(number % SENDERS)));
        match self.push(now, level, Urgency::Plain, sender, 100, number) {
            Ok(evicted) => evicted.len() as u64,
            Err(_) => 1,
        }
    }

    fn pop(&mut self) -> Option<(Priority, u64)> {
        self.pop_highest().map(|popped| (popped.priority, popped.item))
    }
}

impl Levels for BinaryHeap<(Priority, Reverse<u64>)> {
    const NAME: &str = "binary_heap";

    fn new() -> Self {
        Self::with_capacity(FULL as usize)
    }

    fn push(&mut self, number: u64, level: Priority) -> u64 {
        if self.len() >= FULL as usize {
            return 1;
        }
        self.push((level, Reverse(number)));
        0
    }

    fn pop(&mut self) -> Option<(Priority, u64)> {
        self.pop().map(|(level, number)| (level, number.0))
    }
}

impl Levels for DoublePriorityQueue<u64, (Priority, Reverse<u64>)> {
    const NAME: &str = "priority_queue";

    fn new() -> Self {
        Self::with_capacity(FULL as usize + 1)
    }

    fn push(&mut self, number: u64, level: Priority) -> u64 {
        self.push(number, (level, Reverse(number)));
        if self.len() <= FULL as usize {
            return 0;
        }
        u64::from(self.pop_min().is_some())
    }

    fn pop(&mut self) -> Option<(Priority, u64)> {
        self.pop_max().map(|(number, (level, _))| (level, number))
    }
}

struct Channels(PerLevel<(SyncSender<u64>, Receiver<u64>)>);

impl Levels for Channels {
    const NAME: &str = "a_channel_a_level";

    fn new() -> Self {
        Self(PerLevel::from_fn(|_| sync_channel(FULL as usize / 4)))
    }

    fn push(&mut self, number: u64, level: Priority) -> u64 {
        u64::from(self.0[level].0.try_send(number).is_err())
    }

    fn pop(&mut self) -> Option<(Priority, u64)> {
        Priority::ALL.into_iter().find_map(|level| Some((level, self.0[level].1.try_recv().ok()?)))
    }
}

/// A full queue to which four come for one that goes.
struct Overload<Q> {
    queue: Q,
    number: u64,
    lost: u64,
    gone: PerLevel<u64>,
}

impl<Q: Levels> Overload<Q> {
    fn new() -> Self {
        let mut overload = Self { queue: Q::new(), number: 0, lost: 0, gone: PerLevel::default() };
        (0..FULL * 8).for_each(|_| overload.step());
        (overload.lost, overload.gone) = (0, PerLevel::default());
        overload
    }

    fn step(&mut self) {
        self.number += 1;
        // Any order of levels, the same each time: not one that keeps step with what goes.
        let level = Priority::ALL[(self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62) as usize];
        self.lost += black_box(self.queue.push(self.number, level));
        if self.number.is_multiple_of(4)
            && let Some((level, number)) = black_box(self.queue.pop())
        {
            self.gone[level] += 1;
            black_box(number);
        }
    }
}

fn bench<Q: Levels>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queues/overload");
    let routine = |bencher: &mut Bencher<'_>| {
        let mut overload = Overload::<Q>::new();
        bencher.iter(|| overload.step());
    };
    group.bench_function(Q::NAME, routine);
    group.finish();
}

/// What goes and what is lost of a hundred thousand that come.
fn outcome<Q: Levels>() {
    let mut overload = Overload::<Q>::new();
    (0..100_000).for_each(|_| overload.step());
    let PerLevel([high, normal, low, lowest]) = overload.gone;
    println!(
        "{}, of 100,000 that come to a full queue: {high} High, {normal} Normal, {low} Low, {lowest} Lowest go, {} are lost",
        Q::NAME,
        overload.lost
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench::<Queue<u64>>(&mut criterion);
    bench::<BinaryHeap<(Priority, Reverse<u64>)>>(&mut criterion);
    bench::<DoublePriorityQueue<u64, (Priority, Reverse<u64>)>>(&mut criterion);
    bench::<Channels>(&mut criterion);
    criterion.final_summary();
    if wants_figure("queues/outcome") {
        outcome::<Queue<u64>>();
        outcome::<BinaryHeap<(Priority, Reverse<u64>)>>();
        outcome::<DoublePriorityQueue<u64, (Priority, Reverse<u64>)>>();
        outcome::<Channels>();
    }
}
