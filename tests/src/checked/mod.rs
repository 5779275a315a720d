//! A real room under the oracle's eyes: each call goes to the room and to a twin, the answers are
//! compared, then everything that can be seen. The twin shows that the same calls give the same
//! answers (law L9), and, since it does not hear of what was refused, that a refusal changes
//! nothing; and what crosses the seam: so the oracle knows what went out even when nobody is told
//! and no log holds it for long.

mod auditing;
mod beside_hub;
mod offers;
mod reading;
mod running;

pub use offers::Say;

use crate::hub_room::HubRoom;
use crate::oracle::Oracle;
use crate::payload::Probe;
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::config::ConfigError;
use roomcast_core::direct::DirectRefused;
use roomcast_core::error::JoinError;
use roomcast_core::event::EndReason;
use roomcast_core::{
    Actor, Budget, Direct, Event, Instant, Join, Joined, Message, Payload, RoomState, SessionId,
    Sharding, UserId,
};
use std::fmt::Debug;
use std::sync::Arc;

/// A message that was dispatched.
pub type Crossed = Arc<Message<Probe>>;

/// The watcher of one room. The room is passed to each call, since an engine may own it.
#[derive(Debug)]
pub struct Checked {
    twin: RoomState<Probe>,
    /// A room of a hub beside them, if there is one.
    hub: Option<Box<HubRoom>>,
    oracle: Oracle,
    payloads: u64,
    calls: u64,
    /// The sessions are compared one by one after each so many calls.
    stride: u64,
    /// Whether calls go unlooked at.
    rests: bool,
}

/// The life of the rooms that [`Checked::new`] makes.
pub const LIFE: u64 = 0x0123_4567_89ab_cdef;

impl Checked {
    /// A fresh room under these rules, and its watcher.
    pub fn new(rules: Rules, stride: u64) -> Result<(RoomState<Probe>, Self), ConfigError> {
        let config = rules.config()?;
        let sharding = rules.sharding();
        let room = RoomState::starting_at(&config, sharding, rules.heads).with_life(LIFE);
        Ok((room, Self::beside(rules, sharding, stride, LIFE)?))
    }

    /// The watcher of a room in one shard that is made elsewhere, fresh, under the same rules and
    /// in this life.
    pub fn watching(rules: Rules, stride: u64, life: u64) -> Result<Self, ConfigError> {
        Self::beside(rules, Sharding::ONE, stride, life)
    }

    fn beside(
        rules: Rules,
        sharding: Sharding,
        stride: u64,
        life: u64,
    ) -> Result<Self, ConfigError> {
        let twin = RoomState::starting_at(&rules.config()?, sharding, rules.heads);
        let mut twin = twin.with_life(life);
        twin.record_dispatches();
        let oracle = Oracle::new(rules, life);
        Ok(Self { twin, hub: None, oracle, payloads: 0, calls: 0, stride, rests: false })
    }

    /// The model.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// A new payload of this size.
    pub fn probe(&mut self, size: usize) -> Probe {
        self.payloads += 1;
        Probe::new(self.payloads, size)
    }

    /// `RoomState::join`.
    pub fn join(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        join: &Join<Probe>,
    ) -> Result<Result<Joined, JoinError>, Violation> {
        let answer = room.join(now, join.clone());
        self.joined(room, now, join, &answer)?;
        Ok(answer)
    }

    /// `RoomState::join` was called by someone else and answered this.
    pub fn joined(
        &mut self,
        room: &RoomState<Probe>,
        now: Instant,
        join: &Join<Probe>,
        answer: &Result<Joined, JoinError>,
    ) -> Check {
        self.on_hub("join", answer, |hub| hub.join(now, join))?;
        self.mirrored(room, "join", *answer, |twin| twin.join(now, join.clone()))?;
        self.oracle.joined(now, join, answer, |session| room.deliveries(session).is_none())?;
        self.inspect(room)
    }

    /// A user who was in this room has joined another one, and by the rule of one room a user has
    /// left this one.
    pub fn left_for_another(
        &mut self,
        room: &RoomState<Probe>,
        now: Instant,
        user: UserId,
    ) -> Check {
        same(
            Law::L9Deterministic,
            "leaving for another room",
            Ok(()),
            self.twin.leave_for_another(now, user),
        )?;
        self.oracle.left_for_another(now, user);
        self.inspect(room)
    }

    /// `RoomState::leave`.
    pub fn leave(&mut self, room: &mut RoomState<Probe>, now: Instant, user: UserId) -> Check {
        let answer = room.leave(now, user);
        self.on_hub("leave", &answer, |hub| hub.leave(now, user))?;
        self.mirrored(room, "leave", answer, |twin| twin.leave(now, user))?;
        self.oracle.left(now, user, answer)?;
        self.inspect(room)
    }

    /// `RoomState::close_session`.
    pub fn close_session(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
    ) -> Check {
        let answer = room.close_session(now, session);
        self.on_hub("close_session", &answer, |hub| hub.close_session(now, session))?;
        same(Law::L9Deterministic, "close_session", answer, self.twin.close_session(now, session))?;
        self.oracle.session_closed(now, session, answer)?;
        self.inspect(room)
    }

    /// `RoomState::end_session` or `move_session`, with last words of this size.
    pub fn end_session(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
        farewell: Option<usize>,
        is_moved: bool,
    ) -> Check {
        let words =
            |checked: &Self| farewell.map(|size| Direct::new(Probe::new(checked.payloads, size)));
        self.payloads += u64::from(farewell.is_some());
        let bare = |answer: Result<(), DirectRefused<Option<Probe>>>| {
            answer.map_err(|refused| (refused.reason, refused.payload.map(|words| words.size())))
        };
        let end = |room: &mut RoomState<Probe>, words| {
            if is_moved {
                room.move_session(now, session, words)
            } else {
                room.end_session(now, session, words)
            }
        };
        let answer = bare(end(room, words(self)));
        let third = words(self);
        self.on_hub("end_session", &answer.is_ok(), |hub| {
            hub.end_session(now, session, third, is_moved)
        })?;
        let fourth = words(self);
        let twin = bare(end(&mut self.twin, fourth));
        same(Law::L9Deterministic, "end_session", answer, twin)?;
        let words = farewell.map(|size| (self.payloads, size));
        let reason = if is_moved { EndReason::Moved } else { EndReason::Ended };
        self.oracle.session_ended((now, reason), session, words, answer)?;
        self.inspect(room)
    }

    /// `RoomState::touch`.
    pub fn touch(
        &mut self,
        room: &mut RoomState<Probe>,
        now: Instant,
        session: SessionId,
    ) -> Check {
        let answer = room.touch(now, session);
        self.on_hub("touch", &answer, |hub| hub.touch(now, session))?;
        same(Law::L9Deterministic, "touch", answer, self.twin.touch(now, session))?;
        self.oracle.touched(now, session, answer)?;
        self.inspect(room)
    }

    /// `RoomState::handle_timeout`.
    pub fn handle_timeout(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        room.handle_timeout(now);
        self.timed_out(room, now)
    }

    /// `RoomState::handle_timeout` was called by someone else.
    pub fn timed_out(&mut self, room: &RoomState<Probe>, now: Instant) -> Check {
        self.twin.handle_timeout(now);
        self.oracle.timed_out(now, &self.twin.take_dispatches())?;
        self.inspect(room)
    }

    /// `RoomState::wake`.
    pub fn wake(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        let answer = room.wake(now);
        same(Law::L9Deterministic, "wake", answer, self.twin.wake(now))?;
        self.oracle.woken(now, answer)?;
        self.inspect(room)
    }

    /// `RoomState::poll_event`.
    pub fn poll_event(&mut self, room: &mut RoomState<Probe>) -> Result<Option<Event>, Violation> {
        let event = room.poll_event();
        self.polled(room, event)?;
        Ok(event)
    }

    /// `RoomState::poll_event` was called by someone else and answered this.
    pub fn polled(&mut self, room: &RoomState<Probe>, event: Option<Event>) -> Check {
        same(Law::L9Deterministic, "poll_event", event, self.twin.poll_event())?;
        self.oracle.polled(event)?;
        self.inspect(room)
    }

    /// Lets everything come to its end: the room is closed, everyone takes what is due, every event
    /// is polled. Then the books are final and nothing is owed.
    pub fn finish(&mut self, room: &mut RoomState<Probe>, now: Instant) -> Check {
        if !room.is_ended()
            && room.snapshot(now).admission.state == roomcast_core::admission::RoomStatus::Open
        {
            self.close(room, now, Actor::Host)?;
        }
        let sessions: Vec<SessionId> =
            self.oracle.sessions().map(|(&session, _)| session).collect();
        // Of hundreds, each is looked at once they are gone.
        let budget = if sessions.len() < 64 {
            Budget { messages: 2, bytes: 1 << 20 }
        } else {
            self.rest_from_looking();
            Budget::default()
        };
        for session in sessions {
            while self.next_batch(room, now, session, budget)?.is_ok() {}
        }
        let mut last = None;
        while let Some(event) = self.poll_event(room)? {
            last = Some(event);
        }
        self.look_again(room)?;
        self.finish_audit(room, now)?;
        let (promised, told) = self.oracle.outcomes();
        same(Law::Events, "outcomes told", promised, told)?;
        same(Law::Timeouts, "when an ended room wants to be called", None, room.poll_timeout())?;
        // It wants nothing more, so the end of time brings nothing.
        self.handle_timeout(room, Instant::MAX)?;
        match last {
            None | Some(Event::RoomEnded) => {
                same(Law::Members, "whether the room has ended", true, room.is_ended())
            }
            other => Err(Violation::new(Law::Events, "the last event", Event::RoomEnded, other)),
        }
    }

    /// The twin is called like the room, and answers the same. What was refused it does not hear
    /// of: it has to stay what the room is, for all calls to come.
    fn mirrored<T: PartialEq + Debug, E: PartialEq + Debug>(
        &mut self,
        room: &RoomState<Probe>,
        what: &str,
        answer: Result<T, E>,
        call: impl FnOnce(&mut RoomState<Probe>) -> Result<T, E>,
    ) -> Check {
        if answer.is_ok() {
            return same(Law::L9Deterministic, what, answer, call(&mut self.twin));
        }
        self.is_unchanged(room)
    }

    /// The room has refused something, and the twin has not heard of it.
    fn is_unchanged(&mut self, room: &RoomState<Probe>) -> Check {
        self.twin.take_clock_of(room);
        if self.rests {
            return Ok(());
        }
        let digest = |room: &RoomState<Probe>| room.digest(Instant::ZERO);
        let what = "what a call that was refused leaves behind";
        same(Law::Unchanged, what, digest(&self.twin), digest(room))
    }

    /// What calls leave is looked at no more until [`look_again`](Self::look_again): it costs what
    /// the room holds, and many calls follow. What they answer is still compared.
    pub fn rest_from_looking(&mut self) {
        self.rests = true;
    }

    /// Looks at what the calls since have left.
    pub fn look_again(&mut self, room: &RoomState<Probe>) -> Check {
        self.rests = false;
        self.is_unchanged(room)?;
        self.inspect(room)
    }

    fn inspect(&mut self, room: &RoomState<Probe>) -> Check {
        if self.rests {
            return Ok(());
        }
        let now = self.oracle.clock();
        same(Law::L9Deterministic, "snapshot", room.snapshot(now), self.twin.snapshot(now))?;
        same(Law::L9Deterministic, "poll_timeout", room.poll_timeout(), self.twin.poll_timeout())?;
        same(Law::L9Deterministic, "poll_wake", room.poll_wake(), self.twin.poll_wake())?;
        self.oracle.inspect(room)?;
        for (&session, _) in self.oracle.sessions() {
            let (shard, place) = room.place_of(session);
            let bit = 1 << (place % 64);
            let ready = shard.is_some_and(|shard| shard.ready_among(place, bit) == bit);
            same(
                Law::Batches,
                "whether one of several sessions is ready",
                room.is_ready(session),
                ready,
            )?;
        }
        self.calls += 1;
        if self.calls.is_multiple_of(self.stride) {
            self.oracle.inspect_sessions(room)
        } else {
            Ok(())
        }
    }
}
