//! Models of a whole hub with one room: what a call does to another thread that reads, and the
//! worker between them.

use super::{check, wait};
use crate::hub::worker_loop::{Next, WorkerLoop};
use crate::sync::thread::JoinHandle;
use crate::sync::thread::{self, yield_now};
use crate::{
    Actor, Batch, Clock, Hub, Join, Publish, Room, RoomConfig, RoomId, Source, Subscription, UserId,
};
use roomcast_core::Instant;
use roomcast_core::error::SessionEnd;
use roomcast_core::event::EndReason;
use std::task::Poll;

struct Stands;

impl Clock for Stands {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

type M = &'static str;

/// Turns workers as their tasks do, all of them in one thread.
fn work(mut workers: Vec<WorkerLoop<M>>) -> JoinHandle<()> {
    thread::spawn(move || {
        loop {
            let mut rest = true;
            for worker in &mut workers {
                match worker.turn() {
                    Next::Stop => return,
                    Next::Now => rest = false,
                    Next::Idle | Next::After(_) => {}
                }
            }
            if rest {
                wait(|cx| {
                    let raised =
                        workers.iter().filter(|worker| worker.signal().poll(cx).is_ready());
                    if raised.count() > 0 { Poll::Ready(()) } else { Poll::Pending }
                });
            } else {
                yield_now();
            }
        }
    })
}

/// As `check`, on a stack that a hub has room on.
fn check_hub(preemptions: usize, model: impl Fn() + Copy + Sync + Send + 'static) {
    check(preemptions, move || thread::spawn(model).join().expect("the model has panicked"));
}

fn hub(workers: usize) -> (Room<M>, Vec<WorkerLoop<M>>) {
    let builder = Hub::builder().workers(workers).clock(Stands).max_step(None).seed(1);
    let (hub, workers) = builder.sessions_per_shard(1).by_hand();
    let room = hub.create_room(RoomId(1), &RoomConfig::default()).expect("there is none yet");
    (room, workers)
}

fn read(mut guest: Subscription<M>) -> JoinHandle<Result<Batch<M>, SessionEnd>> {
    thread::spawn(move || wait(|cx| guest.poll_next_batch(cx)))
}

fn publish(room: &Room<M>) {
    let _ = room.try_publish(Publish::new(Source::Host, "hello")).expect("it is taken");
}

/// A message reaches a reader who waits, or is about to.
pub fn hub_publish() {
    check_hub(2, || {
        let (room, workers) = hub(1);
        let guest = room.join(Join::guest()).expect("there is space");
        let worker = work(workers);
        let reader = read(guest);
        publish(&room);
        let batch = reader.join().expect("a reader has panicked");
        assert_eq!(batch.map(|batch| batch.messages().len()), Ok(1));
        drop(room);
        worker.join().expect("a worker has panicked");
    });
}

/// A reader who waits, or is about to, learns that it was taken out, or that the room has closed,
/// without any worker.
pub fn hub_close_session() {
    check_hub(2, || {
        let (room, workers) = hub(1);
        let guest = room.join(Join::guest()).expect("there is space");
        let session = guest.session();
        let reader = read(guest);
        assert!(room.session(session).close());
        let end = reader.join().expect("a reader has panicked");
        assert_eq!(end.map(drop), Err(SessionEnd::NoSession(session)));
        drop(workers);
    });
}

/// The same when the room closes.
pub fn hub_close() {
    check_hub(2, || {
        let (room, workers) = hub(1);
        let guest = room.join(Join::guest()).expect("there is space");
        let worker = work(workers);
        let reader = read(guest);
        room.close(Actor::Host).expect("it is open");
        let end = reader.join().expect("a reader has panicked");
        assert_eq!(end.map(drop), Err(SessionEnd::Closed(EndReason::RoomClosed)));
        drop(room);
        worker.join().expect("a worker has panicked");
    });
}

/// Two threads visit a shard as the grace of its last session is over: the room ends.
pub fn hub_two_visits() {
    check_hub(2, || {
        let (room, workers) = hub(1);
        let guest = room.join(Join::guest()).expect("there is space");
        room.close(Actor::Host).expect("it is open");
        let visitor = {
            let room = room.clone();
            thread::spawn(move || room.current_or_anew().end_grace())
        };
        room.current_or_anew().end_grace();
        visitor.join().expect("a visitor has panicked");
        assert!(room.current_or_anew().is_ended(), "nobody ends it");
        drop((guest, workers));
    });
}

/// A user whose subscription was just dropped joins again, whether or not the worker has taken the
/// old session out; and in the end the worker has.
pub fn hub_rejoin() {
    check_hub(2, || {
        let (room, workers) = hub(1);
        let first = room.join(Join::user(UserId(1))).expect("there is space");
        let worker = work(workers);
        drop(first);
        let again = room.join(Join::user(UserId(1)));
        let again = again.expect("the old session is in the way");
        assert_eq!(room.stats().room.audience.sessions, 1);
        drop(again);
        drop(room);
        worker.join().expect("a worker has panicked");
    });
}

/// Another shard is opened while a message goes out: who joins there gets it or not, who reads in
/// the first one gets it, and so does each of both get the next one.
pub fn hub_second_shard() {
    check_hub(2, || {
        let (room, workers) = hub(2);
        let first = room.join(Join::guest()).expect("there is space");
        let mut first = Some(first);
        let publisher = {
            let room = room.clone();
            thread::spawn(move || publish(&room))
        };
        let mut second = room.join(Join::guest()).expect("there is space");
        publisher.join().expect("a publisher has panicked");
        publish(&room);
        let seqs = |guest: &mut Subscription<M>| -> Vec<u64> {
            let batch = guest.try_next_batch().expect("nobody has closed it");
            let batch = batch.expect("it is due");
            batch.messages().iter().map(|message| message.seq.0).collect()
        };
        assert_eq!(first.as_mut().map(seqs), Some(vec![1, 2]));
        assert!([&[1, 2][..], &[2]].contains(&&seqs(&mut second)[..]));
        drop((first, second, workers));
    });
}
