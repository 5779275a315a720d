//! Joining and leaving, in a room of 1,000,000 sessions that goes on as large as it is.
//!
//! Someone goes and someone else comes, in turn; they go in random order, and a user comes back
//! long after the memory of having gone has left every cache. The presence that a user's coming and
//! going brings about is polled, as a host would.
#![allow(missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use roomcast::core::Join;
use roomcast::core::RoomState;
use roomcast::time::Instant;
use roomcast::{SessionId, UserId};
use roomcast_benches::suite::{is_test_run, wants_bench, wants_figure};
use roomcast_benches::{Draws, unlimited};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

/// Joins and leaves that the figures at the end are taken from.
const PAIRS: u32 = 2_000_000;
/// Pages of 4 KiB that are touched for comparison: about what ten million guests take.
const PAGES: usize = 100_000;
/// What no single call should take (law L10).
const STALL: Duration = Duration::from_micros(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Guests,
    Users,
}

impl Who {
    const ALL: [Self; 2] = [Self::Guests, Self::Users];

    fn name(self) -> &'static str {
        match self {
            Self::Guests => "guests",
            Self::Users => "users",
        }
    }

    fn join<M>(self, id: u64) -> Join<M> {
        match self {
            Self::Guests => Join::guest(),
            Self::Users => Join::user(UserId(id)),
        }
    }
}

/// A room, who is in it, in the order in which they go, and who comes next.
struct Crowd {
    who: Who,
    room: RoomState<Bytes>,
    /// Shuffled once and walked in order, so that what is measured is the room's cache misses and
    /// not this list's.
    inside: Vec<(SessionId, u64)>,
    outside: VecDeque<u64>,
    next: usize,
}

impl Crowd {
    /// Fills a room. `timed` gets the time of each join.
    fn new(who: Who, sessions: u32, mut timed: impl FnMut(&mut dyn FnMut())) -> Self {
        let mut room = RoomState::new(&unlimited().build().expect("a valid configuration"));
        let mut inside = Vec::with_capacity(sessions as usize);
        for id in 0..u64::from(sessions) {
            timed(&mut || {
                inside.push((
                    room.join(Instant::ZERO, who.join(id))
                        .expect("the room takes them all")
                        .session,
                    id,
                ));
            });
            while room.poll_event().is_some() {}
        }
        let mut draws = Draws::default();
        (1..inside.len()).rev().for_each(|place| inside.swap(place, draws.below(place + 1)));
        let outside = (u64::from(sessions)..).take(inside.len() / 8).collect();
        Self { who, room, inside, outside, next: 0 }
    }

    /// The next in line goes.
    fn leave(&mut self) {
        let (session, id) = self.inside[self.next];
        self.outside.push_back(id);
        assert!(self.room.close_session(Instant::ZERO, session), "who goes was in");
    }

    /// Whoever has been gone longest comes, and takes the place in line.
    fn join(&mut self) {
        let id = self.outside.pop_front().expect("someone is outside");
        let session =
            self.room.join(Instant::ZERO, self.who.join(id)).expect("there is room again").session;
        self.inside[self.next] = (session, id);
        self.next = (self.next + 1) % self.inside.len();
    }

    fn poll(&mut self) {
        while let Some(event) = self.room.poll_event() {
            black_box(event);
        }
    }

    /// One goes, one comes.
    fn pair(&mut self) {
        self.leave();
        self.join();
        self.poll();
    }
}

fn sessions() -> u32 {
    if is_test_run() { 1_000 } else { 1_000_000 }
}

fn leave_and_join(c: &mut Criterion) {
    let mut group = c.benchmark_group("churn/leave_and_join");
    group.throughput(Throughput::Elements(1));
    for who in Who::ALL {
        if !wants_bench(&format!("churn/leave_and_join/{}", who.name())) {
            continue;
        }
        let mut crowd = Crowd::new(who, sessions(), |join| join());
        group.bench_function(BenchmarkId::from_parameter(who.name()), |b| b.iter(|| crowd.pair()));
        let books = crowd.room.snapshot(Instant::ZERO);
        assert!(books.balances(), "the books balance");
    }
    group.finish();
}

/// The slowest of some calls, how many stalled, and how long they took together: a busy machine
/// stalls calls that do nothing, too.
#[derive(Default)]
struct Slowest {
    longest: Duration,
    stalls: u32,
    together: Duration,
}

impl Slowest {
    fn time(&mut self, call: impl FnOnce()) {
        let start = std::time::Instant::now();
        call();
        let time = start.elapsed();
        self.longest = self.longest.max(time);
        self.together += time;
        self.stalls += u32::from(time > STALL);
    }
}

impl std::fmt::Display for Slowest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (longest, together) =
            (self.longest.as_nanos() as f64 / 1e3, self.together.as_secs_f64());
        write!(
            f,
            "{longest:.1} us ({} over {} us in {together:.2} s)",
            self.stalls,
            STALL.as_micros()
        )
    }
}

/// What the machine does to whoever asks it for memory: the time of the first write to each page. A
/// room that fills asks for as much.
fn touch_pages() -> Slowest {
    let mut touching = Slowest::default();
    let mut pages: Vec<Box<[u8]>> = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        touching.time(|| pages.push(vec![1; 4_096].into()));
    }
    assert_eq!(black_box(pages).len(), PAGES, "every page was touched");
    touching
}

/// The figures that the README quotes: pairs a second, and the slowest single call while the room
/// fills and while it churns.
fn figures() {
    let sizes = if is_test_run() { [1_000, 2_000] } else { [1_000_000, 10_000_000] };
    let pairs = if is_test_run() { 1_000 } else { PAIRS };
    // What the machine does to calls that do nothing.
    let calls = 10 * pairs;
    let mut nothing = Slowest::default();
    (0..calls).for_each(|_| nothing.time(|| _ = black_box(0)));
    println!("slowest of {calls} calls that do nothing: {nothing}");
    println!("slowest touch of a fresh page of memory, of {PAGES}: {}", touch_pages());
    for (who, sessions) in
        Who::ALL.into_iter().flat_map(|who| sizes.map(|sessions| (who, sessions)))
    {
        let mut filling = Slowest::default();
        let mut crowd = Crowd::new(who, sessions, |join| filling.time(join));
        let start = std::time::Instant::now();
        (0..pairs).for_each(|_| crowd.pair());
        let took = start.elapsed().as_secs_f64();
        let (mut leaving, mut joining) = (Slowest::default(), Slowest::default());
        for _ in 0..pairs {
            leaving.time(|| crowd.leave());
            joining.time(|| crowd.join());
            crowd.poll();
        }
        println!(
            "{} among {}: {:.2} million leaves and joins a second (pairs); slowest join while filling {filling}, then leave {leaving}, join {joining}",
            who.name(),
            sessions,
            f64::from(pairs) / took / 1e6,
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    leave_and_join(&mut criterion);
    criterion.final_summary();
    // Small ones, in a test run.
    if is_test_run() || wants_figure("churn/figures") {
        figures();
    }
}
