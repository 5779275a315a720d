//! Those who are in the rooms of a hub, each in a thread: one who does anything, and one who reads
//! to the end.

use super::payload::Fickle;
use super::tried;
use crate::session::ResumeToken;
use crate::sync::thread::{JoinHandle, spawn, yield_now};
use crate::{
    Actor, Batch, Hub, Join, Outcome, Priority, Publish, Refused, Room, RoomConfig, Source,
    Subscription, UserId,
};
use roomcast_core::broadcasts::Broadcast;
use roomcast_core::error::SessionEnd;
use roomcast_core::level_set::LevelSet;
use roomcast_core::message::DedupKey;
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Publishing = Pin<Box<dyn Future<Output = Result<Outcome, Refused<Fickle>>> + Send>>;

/// Joins, and takes all until the session ends.
pub(super) fn read_to_the_end(room: Room<Fickle>) -> JoinHandle<()> {
    spawn(move || {
        let Ok(mut guest) = room.join(Join::guest()) else { return };
        drop(room);
        let mut last = [0; 4];
        let mut ended = false;
        while !ended {
            ended = tried(|| take(block_on(guest.next_batch()), &mut last)).unwrap_or(false);
        }
    })
}

/// Looks at what was taken, which comes in order; returns whether it was the end.
fn take(taken: Result<Batch<Fickle>, SessionEnd>, last: &mut [u64; 4]) -> bool {
    let Ok(batch) = taken else { return true };
    for message in batch.messages() {
        let last = &mut last[message.priority as usize];
        assert!(message.seq.0 > *last, "{} after {last}", message.seq.0);
        *last = message.seq.0;
    }
    false
}

pub(super) struct Guest {
    hub: Hub<Fickle>,
    rooms: Vec<Room<Fickle>>,
    user: UserId,
    held: Vec<Subscription<Fickle>>,
    awaited: Vec<Publishing>,
    token: Option<ResumeToken>,
}

/// A call with this came to nothing, or did something: both are as they should be.
fn either<T, E>(_: Result<T, E>) {}

impl Guest {
    pub(super) fn new(hub: Hub<Fickle>, rooms: Vec<Room<Fickle>>, number: u64) -> Self {
        let user = UserId(number / 2);
        Self { hub, rooms, user, held: Vec::new(), awaited: Vec::new(), token: None }
    }

    pub(super) fn live(mut self, operations: usize) {
        for _ in 0..operations {
            tried(|| self.step());
            yield_now();
        }
        // Whoever goes on waiting for an outcome learns it.
        for publishing in std::mem::take(&mut self.awaited) {
            tried(|| either(block_on(publishing)));
        }
        for guest in std::mem::take(&mut self.held) {
            tried(|| drop(guest));
        }
    }

    fn room(&self) -> &Room<Fickle> {
        &self.rooms[thread_rng().gen_range(0..self.rooms.len())]
    }

    fn publish(&self) -> Publish<Fickle> {
        let mut rng = thread_rng();
        let source = match self.held.first() {
            Some(guest) if rng.gen_bool(0.7) => Source::Session(guest.session()),
            _ => Source::Host,
        };
        let priority = Priority::ALL[rng.gen_range(0..4)];
        Publish::new(source, Fickle::new(rng.gen_range(1..20))).priority(priority)
    }

    fn step(&mut self) {
        let mut rng = thread_rng();
        match rng.gen_range(0..20) {
            0..=3 if self.held.len() < 3 => self.join(),
            4..=7 => either(self.room().try_publish(self.publish())),
            8 | 9 => self.publish_and_wait(),
            10..=12 => self.read(),
            13 if !self.held.is_empty() => {
                let guest = self.held.swap_remove(rng.gen_range(0..self.held.len()));
                self.token = guest.resume_token();
                if rng.gen_bool(0.3) {
                    // Either half ends the session.
                    let (speaker, guest) = guest.split();
                    drop(guest);
                    drop(speaker);
                }
            }
            14 => self.moderate(),
            15 => {
                if let Some(guest) = self.held.first() {
                    let mask = LevelSet::EMPTY.with(Priority::Low);
                    guest.set_masked_levels(mask);
                    guest.touch();
                    self.room().session(guest.session()).close();
                }
            }
            16 => either(self.hub.broadcast(Broadcast::new(DedupKey(rng.r#gen()), Fickle::new(3)))),
            17 if rng.gen_bool(0.1) => either(self.room().close(Actor::Host)),
            18 => {
                let config = RoomConfig::builder(None).build().expect("it is one");
                either(self.room().reconfigure(&config));
            }
            _ => {
                let stats = self.room().stats().room;
                assert!(stats.balances(), "{stats:?}");
            }
        }
    }

    fn join(&mut self) {
        let join = match self.token.take() {
            Some(token) => Join::user(self.user).resume(token),
            None if thread_rng().gen_bool(0.3) => Join::guest(),
            None => Join::user(self.user),
        };
        self.held.extend(self.room().join(join));
    }

    /// Polls a few times, and then gives up, or goes on at the end.
    fn publish_and_wait(&mut self) {
        let (room, publish) = (self.room().clone(), self.publish());
        let mut publishing: Publishing = Box::pin(async move { room.publish(publish).await });
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..thread_rng().gen_range(1..3) {
            if publishing.as_mut().poll(&mut cx).is_ready() {
                return;
            }
            yield_now();
        }
        if thread_rng().gen_bool(0.5) {
            self.awaited.push(publishing);
        }
    }

    /// Takes a batch, or waits for one and gives up.
    fn read(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let Some(guest) = self.held.first_mut() else { return };
        if thread_rng().gen_bool(0.3) {
            return either(guest.try_next_batch());
        }
        let mut next = pin!(guest.next_batch());
        if let Poll::Ready(taken) = next.as_mut().poll(&mut cx) {
            either(taken);
        }
    }

    fn moderate(&self) {
        let users = [UserId(thread_rng().gen_range(0..3))];
        let moderation = self.room().moderation(Actor::Host);
        let a_while = Some(Duration::from_secs(1));
        match thread_rng().gen_range(0..5) {
            0 => either(moderation.kick(&users)),
            1 => either(moderation.mute(&users, a_while)),
            2 => either(moderation.ban(&users, a_while)),
            3 => either(moderation.unban(&users)),
            _ => either(self.room().leave(users[0])),
        }
    }
}
