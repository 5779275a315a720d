//! A whole hub in many interleavings: threads that join, publish, read, leave, moderate, close and
//! drain, awaits that are given up at any point, payloads that panic, and workers that die. At the
//! end the books balance, every room has ended, every reader knows, and no payload is left.

mod guest;
mod payload;

use crate::hub::worker_loop::{Next, WorkerLoop};
use crate::sync::thread::{JoinHandle, spawn, yield_now};
use crate::sync::{Arc, Mutex, time};
use crate::{Clock, Event, Hub, Room, RoomConfig, RoomId};
use payload::{Bomb, Fickle};
use roomcast_core::Instant;
use roomcast_core::config::Echo;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What a thread does.
const OPERATIONS: usize = 12;
/// Threads that do it.
const GUESTS: usize = 3;
const ROOMS: u64 = 2;

#[derive(Clone, Copy)]
struct Virtual;

impl Clock for Virtual {
    fn now(&self) -> Instant {
        time::now()
    }
}

/// What the hook has heard.
#[derive(Debug, Default)]
struct Heard {
    ended: HashMap<RoomId, u32>,
}

/// Runs a call that a payload may make panic, and nothing else may.
fn tried<R>(call: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => Some(answer),
        Err(payload) if payload.downcast_ref::<&str>() == Some(&"as wanted") => None,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}

/// Turns a worker as its task does, until its hub has gone; or, if it is to die, for so many turns.
fn work(mut worker: WorkerLoop<Fickle>, turns: Option<u32>) -> JoinHandle<()> {
    spawn(move || {
        let mut left = turns;
        while left.is_none_or(|left| left > 0) {
            left = left.map(|left| left - 1);
            match worker.turn() {
                Next::Stop => return,
                Next::Now => yield_now(),
                Next::Idle => {
                    shuttle::future::block_on(std::future::poll_fn(|cx| worker.signal().poll(cx)));
                }
                Next::After(pause) => {
                    let until = time::now() + pause;
                    yield_now();
                    time::reach(until);
                }
            }
        }
        tried(|| drop(worker));
    })
}

fn config(number: u64) -> RoomConfig {
    let builder = RoomConfig::builder(None);
    match number {
        0 => builder.echo(Echo::On),
        _ => builder,
    }
    .build()
    .expect("it is one")
}

/// One life of a hub.
pub fn life() {
    let mut rng = thread_rng();
    time::begin();
    payload::begin(match rng.gen_range(0..6) {
        0 => Bomb::Drop,
        1 => Bomb::Clone,
        2 => Bomb::Size,
        _ => Bomb::None,
    });
    let heard = Arc::<Mutex<Heard>>::default();
    let (hub, workers) = {
        let heard = Arc::clone(&heard);
        let on_event = move |room, event: &Event| {
            if *event == Event::RoomEnded {
                *heard.lock().ended.entry(room).or_default() += 1;
            }
        };
        let builder = Hub::<Fickle>::builder().workers(2).clock(Virtual).seed(1);
        builder.max_step(None).on_event(on_event).sessions_per_shard(2).by_hand()
    };
    let rooms: Vec<Room<Fickle>> = (0..ROOMS)
        .map(|id| hub.create_room(RoomId(id), &config(id)).expect("there is none yet"))
        .collect();
    let dies = rng.gen_range(0..8) == 0;
    let turns = dies.then(|| rng.gen_range(0..30));
    let workers: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(number, worker)| work(worker, turns.filter(|_| number == 0)))
        .collect();
    let guests: Vec<_> = (0..GUESTS)
        .map(|number| {
            let (hub, rooms) = (hub.clone(), rooms.clone());
            spawn(move || guest::Guest::new(hub, rooms, number as u64).live(OPERATIONS))
        })
        .collect();
    let readers: Vec<_> = rooms.iter().map(|room| guest::read_to_the_end(room.clone())).collect();
    for guest in guests {
        guest.join().expect("a guest has panicked");
    }
    hub.drain_blocking(Duration::from_secs(60));
    // A thread may still be telling of the last, however late the others say it is.
    while rooms.iter().any(|room| !heard.lock().ended.contains_key(&room.id())) {
        yield_now();
    }
    for reader in readers {
        reader.join().expect("a reader has panicked");
    }
    for room in &rooms {
        let stats = room.stats().room;
        assert!(stats.balances(), "{stats:?}");
        assert_eq!(stats.audience.sessions, 0);
        let ended = heard.lock().ended.get(&room.id()).copied();
        assert_eq!(ended, Some(1), "the end of {} is told once", room.id());
    }
    drop((rooms, hub));
    for worker in workers {
        worker.join().expect("a worker has panicked");
    }
    assert_eq!(payload::alive(), 0, "payloads are left");
}

/// Lives of hubs that are scheduled by chance, and as many by priorities that change at a few
/// places (PCT). `ROOMCAST_LIVES` says how many.
pub fn lives(scheduled: Scheduled) {
    let lives = std::env::var("ROOMCAST_LIVES").ok();
    let lives = lives.map_or(2_000, |lives| lives.parse().expect("ROOMCAST_LIVES is a number"));
    let mut config = Config::new();
    config.stack_size = 0x8_0000;
    config.silence_warnings = true;
    // Who waits in vain makes the others turn for ever.
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    match scheduled {
        Scheduled::ByChance => Runner::new(RandomScheduler::new(lives), config).run(life),
        Scheduled::ByPriority => Runner::new(PctScheduler::new(3, lives), config).run(life),
    };
}

/// Who goes on.
#[derive(Clone, Copy, Debug)]
pub enum Scheduled {
    /// Anyone.
    ByChance,
    /// The first who can, in an order that changes now and then.
    ByPriority,
}
