//! Many rooms in an engine (clauses A8 and A16), beside as many rooms that stand by themselves: each
//! answers, tells and wants the same, a user who joins one leaves the other, every room hears what is
//! broadcast, and none has two events in a row while another has one.

use crate::violation::{Check, Law, in_words, same};
use roomcast_core::broadcasts::{Broadcast, BroadcastLimits, Broadcasts};
use roomcast_core::engine::{CreateRoomError, NoSuchRoom};
use roomcast_core::message::DedupKey;
use roomcast_core::room::RoomSnapshot;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Budget, Engine, Instant, Join, Priority, Publish, RoomConfig, RoomId, RoomState,
    SessionId, Source, UserId,
};
use std::collections::{BTreeMap, VecDeque};

/// An engine, and what happens to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// How many rooms there may be: 1 to 4.
    pub rooms: u8,
    /// Whether a user is in one room at a time.
    pub one_room: bool,
    /// The life of the first room.
    pub life: u64,
    /// The seed.
    pub seed: u64,
    /// What happens.
    pub calls: Vec<Call>,
}

/// One call, in small numbers: one of five rooms, one of four users or a guest.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// A room is made.
    Create {
        /// Which.
        room: u8,
        /// Its rate, and for how long it may be empty.
        rules: u8,
    },
    /// A room is taken out.
    Remove {
        /// Which.
        room: u8,
    },
    /// Somebody joins.
    Join {
        /// Which room.
        room: u8,
        /// Who.
        user: u8,
    },
    /// A session, or from 192 on the host, says something.
    Say {
        /// Which room.
        room: u8,
        /// Which of the sessions that were given out there.
        who: u8,
        /// The level.
        level: u8,
    },
    /// A session takes what it is due.
    Read {
        /// Which room.
        room: u8,
        /// Which session.
        who: u8,
    },
    /// A user leaves.
    Leave {
        /// Which room.
        room: u8,
        /// Who.
        user: u8,
    },
    /// The host closes a room.
    Close {
        /// Which.
        room: u8,
    },
    /// Something is broadcast to all rooms.
    Broadcast {
        /// Its key.
        key: u8,
    },
    /// So many events are taken.
    Poll {
        /// How many.
        times: u8,
    },
    /// Whatever is due is done.
    Tick,
    /// The engine is called when it wants to be.
    OnTime,
    /// So many milliseconds later.
    Wait {
        /// How many.
        millis: u16,
    },
}

type State = RoomState<&'static str>;

/// A room that stands by itself.
struct Alone {
    state: State,
    /// The newest eight sessions that were given out.
    sessions: VecDeque<SessionId>,
    /// How many broadcasts there had been when it heard them last, or came.
    heard: u64,
}

struct Pair {
    engine: Engine<&'static str>,
    alone: BTreeMap<u64, Alone>,
    /// Where each user was let in last.
    places: BTreeMap<u64, u64>,
    one_room: bool,
    most: u32,
    life: u64,
    broadcasts: Broadcasts<&'static str>,
    /// When something was broadcast that a round has yet to take to all: since when, and the last time.
    pending: Option<Instant>,
    last: Instant,
    now: Instant,
}

fn id(room: u8) -> RoomId {
    RoomId(u64::from(room % 5))
}

fn config(rules: u8) -> Option<RoomConfig> {
    let idle = (rules >= 192).then_some(Duration::from_millis(500));
    let rate = u32::from(rules % 4) + 1;
    RoomConfig::builder(UserId(0)).rate(rate).burst(rate).idle_timeout(idle).build().ok()
}

fn words(what: impl std::fmt::Debug) -> String {
    format!("{what:?}")
}

impl Pair {
    /// A room that is called has heard all that was broadcast.
    fn hear(&mut self, room: RoomId) {
        let count = self.broadcasts.count();
        if let Some(alone) = self.alone.get_mut(&room.0)
            && alone.heard < count
        {
            alone.heard = count;
            alone.state.import_broadcasts(self.last, &self.broadcasts);
        }
    }

    /// The same call of both, and whether both answer the same.
    fn call<T: std::fmt::Debug>(
        &mut self,
        room: RoomId,
        call: impl Fn(&mut State, &VecDeque<SessionId>) -> T,
    ) -> Check {
        self.hear(room);
        match (self.engine.room_mut(room), self.alone.get_mut(&room.0)) {
            (Ok(mut theirs), Some(alone)) => {
                let expected = words(call(&mut alone.state, &alone.sessions));
                let found = words(call(&mut theirs, &alone.sessions));
                same(Law::Hub, "what a room of an engine answers", expected, found)
            }
            (Err(error), None) => {
                same(Law::Hub, "which room there is not", NoSuchRoom(room), error)
            }
            (theirs, alone) => {
                let what = in_words(move |f| write!(f, "whether there is {room}"));
                same(Law::Hub, what, alone.is_some(), theirs.is_ok())
            }
        }
    }

    fn create(&mut self, room: RoomId, rules: u8) -> Check {
        let Some(config) = config(rules) else {
            return same(Law::Hub, "whether the settings are valid", true, false);
        };
        let expected = if self.alone.contains_key(&room.0) {
            Err(CreateRoomError::Exists(room))
        } else if self.alone.len() >= self.most as usize {
            Err(CreateRoomError::TooManyRooms { max: self.most })
        } else {
            Ok(())
        };
        let found = self.engine.create_room(room, &config);
        if expected.is_ok() {
            let state = State::new(&config).with_life(self.life);
            let state = state.with_broadcast_position(&self.broadcasts);
            self.life = self.life.wrapping_add(1);
            let heard = self.broadcasts.count();
            self.alone.insert(room.0, Alone { state, sessions: VecDeque::new(), heard });
        }
        same(Law::Hub, "whether a room is made", expected, found)
    }

    fn remove(&mut self, room: RoomId) -> Check {
        let expected =
            self.alone.remove(&room.0).map(|alone| words(alone.state.snapshot(self.now)));
        let found = self.engine.remove_room(self.now, room).ok();
        let balances = found.as_ref().is_none_or(RoomSnapshot::balances);
        same(Law::L1Messages, "whether the books of a room that goes balance", true, balances)?;
        same(Law::Hub, "the books of a room that goes", expected, found.map(words))
    }

    fn join(&mut self, room: RoomId, user: u8) -> Check {
        let user = (user % 5 < 4).then(|| UserId(u64::from(user % 5)));
        let join = || user.map_or_else(Join::guest, Join::user);
        self.hear(room);
        let found = self.engine.join(self.now, room, join()).map_err(words);
        let Some(alone) = self.alone.get_mut(&room.0) else {
            return same(Law::Members, "whether there is a room to join", false, found.is_ok());
        };
        let expected = alone
            .state
            .join(self.now, join())
            .map_err(|error| words(roomcast_core::engine::EngineJoinError::from(error)));
        let is_in = expected.is_ok();
        if let Ok(joined) = &expected {
            alone.sessions.push_front(joined.session);
            alone.sessions.truncate(8);
        }
        same(Law::Members, "who is let in", words(&expected), words(&found))?;
        if let Some(user) = user.filter(|_| is_in && self.one_room) {
            let before = self.places.insert(user.0, room.0).filter(|&before| before != room.0);
            // Only a room that he is in is called.
            let is_in = |alone: &Alone| !alone.state.sessions_of(user).is_empty();
            if let Some(before) = before.filter(|before| self.alone.get(before).is_some_and(is_in))
            {
                self.hear(RoomId(before));
                if let Some(other) = self.alone.get_mut(&before) {
                    let _ = other.state.leave_for_another(self.now, user);
                }
            }
        }
        Ok(())
    }

    fn broadcast(&mut self, key: u8) -> Check {
        let broadcast = || Broadcast::new(DedupKey(u64::from(key % 8)), "to all");
        let expected = self.broadcasts.publish(self.now, broadcast()).map(drop);
        let found = self.engine.broadcast(self.now, broadcast());
        if expected.is_ok() {
            self.last = self.now;
            let since = self.pending.unwrap_or(self.now);
            self.pending = (!self.alone.is_empty()).then_some(since);
        }
        same(Law::Hub, "whether it is broadcast", words(expected), words(found))
    }

    fn tick(&mut self) {
        // A call looks after more rooms than there are here.
        if self.pending.take().is_some() {
            let rooms: Vec<u64> = self.alone.keys().copied().collect();
            for room in rooms {
                self.hear(RoomId(room));
            }
        }
        for alone in self.alone.values_mut() {
            if alone.state.poll_timeout().is_some_and(|at| at <= self.now) {
                alone.state.handle_timeout(self.now);
            }
        }
        self.engine.handle_timeout(self.now);
    }

    fn poll(&mut self, times: u8) -> Check {
        let mut before = None;
        for _ in 0..times {
            let polled = self.engine.poll_event();
            let Some((room, event)) = polled else {
                let left =
                    self.alone.values_mut().filter_map(|alone| alone.state.poll_event()).count();
                return same(Law::Events, "events that are not handed out", 0, left);
            };
            let others = self.alone.iter().filter(|(other, _)| **other != room.0);
            let another = others.filter(|(_, alone)| alone.state.has_events()).count() > 0;
            let in_a_row = before == Some(room) && another;
            same(Law::Events, "whether a room has two in a row", false, in_a_row)?;
            let expected = self.alone.get_mut(&room.0).and_then(|alone| alone.state.poll_event());
            same(Law::Events, "the next event of a room", words(expected), words(Some(event)))?;
            before = Some(room);
        }
        Ok(())
    }

    fn play(&mut self, call: Call) -> Check {
        let now = self.now;
        let pick = |sessions: &VecDeque<SessionId>, who: u8| {
            sessions.get(usize::from(who) % sessions.len().max(1)).copied()
        };
        match call {
            Call::Create { room, rules } => self.create(id(room), rules),
            Call::Remove { room } => self.remove(id(room)),
            Call::Join { room, user } => self.join(id(room), user),
            Call::Say { room, who, level } => self.call(id(room), |room, sessions| {
                let source =
                    if who < 192 { pick(sessions, who).map(Source::Session) } else { None };
                let publish = Publish::new(source.unwrap_or(Source::Host), "words");
                room.publish(now, publish.priority(Priority::ALL[usize::from(level % 4)]))
            }),
            Call::Read { room, who } => self.call(id(room), |room, sessions| {
                let session = pick(sessions, who)?;
                Some(room.next_batch(now, session, Budget::default()))
            }),
            Call::Leave { room, user } => {
                self.call(id(room), |room, _| room.leave(now, UserId(u64::from(user % 5))))
            }
            Call::Close { room } => self.call(id(room), |room, _| room.close(now, Actor::Host)),
            Call::Broadcast { key } => self.broadcast(key),
            Call::Poll { times } => self.poll(times % 16),
            Call::Tick => {
                self.tick();
                Ok(())
            }
            Call::OnTime => {
                self.now = self.engine.poll_timeout().map_or(now, |due| due.max(now));
                self.tick();
                Ok(())
            }
            Call::Wait { millis } => {
                self.now = now + Duration::from_millis(millis.into());
                Ok(())
            }
        }
    }

    /// What both say of themselves.
    fn compare(&self) -> Check {
        let timers = self.alone.values().filter_map(|alone| alone.state.poll_timeout());
        let due = timers.chain(self.pending).min();
        same(Law::Timeouts, "when the engine wants to be called", due, self.engine.poll_timeout())?;
        let rooms = (self.alone.len(), self.alone.is_empty());
        same(
            Law::Hub,
            "how many rooms",
            rooms,
            (self.engine.len() as usize, self.engine.is_empty()),
        )?;
        for (&room, alone) in &self.alone {
            let expected = alone.state.snapshot(self.now);
            let found = self.engine.room(RoomId(room)).map(|room| room.snapshot(self.now));
            let what = in_words(move |f| write!(f, "the books of room {room}"));
            same(Law::Hub, what, Ok(words(expected)), found.map(words))?;
        }
        if !self.one_room {
            return Ok(());
        }
        for user in (1..4).map(UserId) {
            // Of those who are not about to go.
            let is_member = |alone: &&Alone| !alone.state.sessions_of(user).is_empty();
            let rooms = self.alone.values().filter(is_member).count();
            let what = in_words(move |f| write!(f, "whether {user} is in one room"));
            same(Law::Members, what, true, rooms <= 1)?;
        }
        Ok(())
    }
}

/// Does the same to the engine and to rooms by themselves.
pub fn run(sequence: &Sequence) -> Check {
    let Sequence { rooms, one_room, life, seed, ref calls } = *sequence;
    let most = u32::from(rooms % 4) + 1;
    let engine = Engine::new(most, seed).with_lives_from(life);
    let mut pair = Pair {
        engine: if one_room { engine.exclusive_membership() } else { engine },
        alone: BTreeMap::new(),
        places: BTreeMap::new(),
        one_room,
        most,
        life,
        broadcasts: Broadcasts::new(BroadcastLimits::default(), seed),
        pending: None,
        last: Instant::ZERO,
        now: Instant::from_secs(1),
    };
    for (step, call) in calls.iter().enumerate() {
        pair.play(*call).and_then(|()| pair.compare()).map_err(|violation| violation.at(step))?;
    }
    Ok(())
}
