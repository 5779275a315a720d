//! An evening of chat in virtual time: a discrete-event simulator. The clock jumps to whatever
//! comes first, a person's next step or the engine's deadline; nothing sleeps and nothing is left
//! to chance but a seed. The oracle watches every room.

mod people;
mod random;
mod rules;

use crate::checked::{Checked, Say};
use crate::moderation::Act;
use crate::oracle::data::Count;
use crate::payload::Probe;
use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use people::Person;
pub use random::Random;
use roomcast_core::broadcasts::Broadcast;
use roomcast_core::engine::EngineJoinError;
use roomcast_core::ids::Seq;
use roomcast_core::level_set::LevelSet;
use roomcast_core::message::DedupKey;
use roomcast_core::pins::PinId;
use roomcast_core::resume::TokenAt;
use roomcast_core::retraction::Retraction;
use roomcast_core::time::Duration;
use roomcast_core::{
    Actor, Budget, Engine, Instant, Join, Priority, Recipient, RoomId, RoomState, SessionId,
    Source, UserId,
};
use std::collections::BTreeSet;
use std::fmt::{Debug, Write};

/// What evening it is.
#[derive(Clone, Debug)]
pub struct Evening {
    /// The rules of each room.
    pub rooms: Vec<Rules>,
    /// People in all; each has one habit, and one room unless each user may be in one at a time
    /// only: then they roam.
    pub people: usize,
    /// Whether a user is in one room at a time (clause A8).
    pub one_room: bool,
    /// How long it lasts, in virtual seconds.
    pub seconds: u64,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
}

/// What happened, line by line, and the books at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every answer that the rooms gave.
    pub transcript: String,
    /// Calls that were checked.
    pub calls: u64,
    /// Messages dispatched, by room.
    pub dispatched: Vec<u64>,
}

/// Plays an evening under the oracle's eyes.
pub fn play(evening: &Evening) -> Result<Report, Violation> {
    let mut stage = Stage::new(evening)?;
    let end = Instant::from_secs(evening.seconds);
    while let Some((now, person)) = stage.next(end) {
        match person {
            Some(person) => stage.step(now, person)?,
            None => stage.timeout(now)?,
        }
        stage.events()?;
        stage.take_audits(now)?;
    }
    stage.finish(end)
}

struct Stage {
    engine: Engine<Probe>,
    one_room: bool,
    watchers: Vec<Checked>,
    /// Those that each room began with.
    rules: Vec<Rules>,
    people: Vec<Person>,
    /// Who does something next, and when.
    diary: BTreeSet<(Instant, usize)>,
    random: Random,
    steps: u64,
    report: Report,
}

fn room_id(room: usize) -> RoomId {
    RoomId(room as u64)
}

fn trouble(error: impl Debug) -> Violation {
    Violation::new(Law::Members, "the engine", "the room", error)
}

impl Stage {
    fn new(evening: &Evening) -> Result<Self, Violation> {
        let mut engine = Engine::new(u32::MAX, evening.seed);
        if evening.one_room {
            engine = engine.exclusive_membership();
        }
        let mut watchers = Vec::new();
        for (room, rules) in evening.rooms.iter().enumerate() {
            let config = rules.config().map_err(trouble)?;
            engine.create_room(room_id(room), &config).map_err(trouble)?;
            let life = engine.room(room_id(room)).map_err(trouble)?.life();
            watchers.push(Checked::watching(rules.clone(), 64, life).map_err(trouble)?);
        }
        let mut random = Random::new(evening.seed);
        let people: Vec<Person> =
            (0..evening.people).map(|n| Person::new(n, evening.rooms.len(), &mut random)).collect();
        let diary =
            (0..people.len()).map(|n| (Instant::from_millis(random.below(5_000)), n)).collect();
        let report = Report { transcript: String::new(), calls: 0, dispatched: Vec::new() };
        let rules = evening.rooms.clone();
        Ok(Self {
            engine,
            one_room: evening.one_room,
            watchers,
            rules,
            people,
            diary,
            random,
            steps: 0,
            report,
        })
    }

    /// What comes first: somebody's step, or the engine's deadline.
    fn next(&mut self, end: Instant) -> Option<(Instant, Option<usize>)> {
        let step = self.diary.first().copied();
        match (step, self.engine.poll_timeout()) {
            (Some((at, _)), Some(due)) if due <= at => Some((due, None)),
            (None, Some(due)) => Some((due, None)),
            (Some((at, person)), _) => {
                self.diary.pop_first();
                Some((at, Some(person)))
            }
            (None, None) => None,
        }
        .filter(|(at, _)| *at < end)
    }

    fn note(&mut self, what: impl Debug) {
        self.report.calls += 1;
        // Writing to a string cannot fail.
        let _ = writeln!(self.report.transcript, "{what:?}");
    }

    /// Calls a room through the engine, with its watcher.
    fn call<T>(
        &mut self,
        room: usize,
        call: impl FnOnce(&mut Checked, &mut RoomState<Probe>) -> Result<T, Violation>,
    ) -> Result<T, Violation> {
        let mut room_mut = self.engine.room_mut(room_id(room)).map_err(trouble)?;
        call(&mut self.watchers[room], &mut room_mut)
    }

    fn step(&mut self, now: Instant, n: usize) -> Check {
        let person = self.people[n].clone();
        let Some(session) = person.session else { return self.come(now, n) };
        match person.next_act(&mut self.random) {
            people::Act::Speak { level, size } => {
                let say = Say::text(Source::Session(session), level, size);
                let answer =
                    self.call(person.room, |watcher, room| watcher.publish(room, now, say))?;
                self.note((now, n, answer));
            }
            people::Act::Read { messages } => {
                let budget = Budget { messages, bytes: 4_096 };
                let answer = self.call(person.room, |watcher, room| {
                    watcher.next_batch(room, now, session, budget)
                })?;
                // Every second client says what it has got.
                for batch in answer.iter().flatten().filter(|_| n.is_multiple_of(2)) {
                    for message in batch.messages() {
                        self.call(person.room, |watcher, room| {
                            watcher.ack(room, session, message.priority, message.seq)
                        })?;
                    }
                }
                let numbers = answer.map(|batch| {
                    batch.map(|batch| {
                        batch.messages().iter().map(|message| message.seq.0).collect::<Vec<_>>()
                    })
                });
                if numbers.is_err() {
                    self.people[n].session = None;
                }
                self.note((now, n, numbers));
            }
            people::Act::Broadcast { level } => self.broadcast(now, level)?,
            people::Act::Wake => self.call(person.room, |watcher, room| watcher.wake(room, now))?,
            people::Act::Sweep { busy } => {
                let group = person.group();
                let budget = Budget { messages: 100, bytes: 4_096 };
                let is_busy = |session: SessionId| session.slot().is_multiple_of(busy);
                self.call(person.room, |watcher, room| {
                    watcher.sweep(room, now, group, &(0..u32::MAX), budget, is_busy)
                })?;
                self.note((now, n, "sweeps"));
            }
            people::Act::Moderate { act, user } => {
                let (users, time) = (vec![user], Some(Duration::from_secs(20)));
                let act = match act {
                    0 => Act::AddAdmin(user),
                    1 => Act::Mute(users, time),
                    2 => Act::Unmute(users),
                    3 => Act::Kick(users),
                    4 => Act::Ban(users, time),
                    5 => Act::Unban(users),
                    7 => Act::SpeakMode(people::speak_mode(user)),
                    8 => Act::Mark(users),
                    _ => Act::RemoveAdmin(user),
                };
                self.call(person.room, |watcher, room| {
                    watcher.moderate(room, now, Actor::Host, &act)
                })?;
                self.note((now, act));
            }
            people::Act::Retract { draw } => self.retract(now, person.room, draw)?,
            people::Act::Pin { draw } => {
                let (id, size) = (PinId(draw % 5), (draw < 12).then_some(8));
                self.call(person.room, |watcher, room| {
                    watcher.pin(room, now, Actor::Host, id, size)
                })?;
                self.note((now, "pin", draw));
            }
            people::Act::Note { size } => {
                let changes = [(format!("key {}", size % 5), Some(size))];
                // Every second one is about who is there.
                let owner = person.user.filter(|_| size.is_multiple_of(2));
                self.call(person.room, |watcher, room| {
                    watcher.write_attributes(
                        room,
                        now,
                        (owner, Some(room.attributes_version())),
                        &changes,
                        7,
                    )?;
                    watcher.count(room, "notes", Count::Add(1))?;
                    watcher.restart(room, now)
                })?;
            }
            people::Act::Direct { level, user, size } => {
                let to = Recipient::User(user);
                self.call(person.room, |watcher, room| {
                    watcher.send_direct(room, now, to, level, size)
                })?;
            }
            people::Act::LevelSet { off } => {
                let mask = if off {
                    [Priority::Low, Priority::Lowest].into_iter().collect()
                } else {
                    LevelSet::EMPTY
                };
                self.call(person.room, |watcher, room| {
                    watcher.set_masked_levels(room, now, session, mask)
                })?;
            }
            people::Act::Reconfigure { draw } => {
                let rules = rules::changed(&self.rules[person.room], draw);
                self.call(person.room, |watcher, room| watcher.reconfigure(room, now, &rules))?;
                self.note((now, "other rules", draw));
            }
            people::Act::Rename { size } => {
                if let Some(user) = person.user {
                    self.call(person.room, |watcher, room| {
                        watcher.set_profile(room, user, Some(size))
                    })?;
                }
            }
            people::Act::Touch => {
                self.call(person.room, |watcher, room| watcher.touch(room, now, session))?;
            }
            people::Act::HangUp => {
                let at =
                    if n.is_multiple_of(2) { TokenAt::Acknowledged } else { TokenAt::HandedOver };
                self.people[n].token = self.call(person.room, |watcher, room| {
                    watcher.resume_token(room, now, session, at)
                })?;
                self.call(person.room, |watcher, room| watcher.close_session(room, now, session))?;
                self.people[n].session = None;
            }
            people::Act::ShownOut { size } => {
                self.call(person.room, |watcher, room| {
                    watcher.end_session(room, now, session, Some(size), size % 2 == 1)
                })?;
            }
            people::Act::Leave => {
                if let Some(user) = person.user {
                    self.call(person.room, |watcher, room| watcher.leave(room, now, user))?;
                }
            }
        }
        self.again(now, n);
        Ok(())
    }

    /// The host takes back all of a user's, or one of the last messages.
    fn retract(&mut self, now: Instant, at: usize, draw: u64) -> Check {
        let last = self.call(at, |_, room| Ok(room.snapshot(now).audience.applied.0))?;
        let what = if draw < 40 {
            Retraction::AllOf(UserId(100 + draw))
        } else {
            Retraction::Sent(Seq(last.saturating_sub(draw - 40)))
        };
        self.call(at, |watcher, room| watcher.retract(room, now, Actor::Host, what))?;
        self.note((now, what));
        Ok(())
    }

    fn come(&mut self, now: Instant, n: usize) -> Check {
        if self.one_room {
            self.people[n].room =
                usize::try_from(self.random.below(self.watchers.len() as u64)).unwrap_or(0);
        }
        let person = self.people[n].clone();
        let join = person.user.map_or(Join::guest(), Join::user).group(person.group());
        let join = person.token.into_iter().fold(join, Join::resume);
        let joined = match self.engine.join(now, room_id(person.room), join.clone()) {
            Ok(joined) => Ok(joined),
            Err(EngineJoinError::Join(error)) => Err(error),
            Err(error) => return Err(trouble(error)),
        };
        self.watch(person.room, |watcher, room| watcher.joined(room, now, &join, &joined))?;
        if let Some(user) = person.user.filter(|_| self.one_room && joined.is_ok()) {
            self.leaves_others(now, person.room, user)?;
        }
        self.people[n].session = joined.ok().map(|joined| joined.session);
        self.note((now, n, joined));
        self.again(now, n);
        Ok(())
    }

    /// By the rule of one room a user, a join leaves every other room that the user does not own.
    fn leaves_others(&mut self, now: Instant, joined: usize, user: UserId) -> Check {
        for room in (0..self.watchers.len()).filter(|&room| room != joined) {
            if self.watchers[room].oracle().must_leave(user) {
                self.watch(room, |watcher, room| watcher.left_for_another(room, now, user))?;
                self.note((now, user, "leaves for another room", room));
            }
        }
        Ok(())
    }

    /// Looks at a room that the engine has called.
    fn watch(
        &mut self,
        room: usize,
        look: impl FnOnce(&mut Checked, &RoomState<Probe>) -> Check,
    ) -> Check {
        let looked_at = self.engine.room(room_id(room)).map_err(trouble)?;
        look(&mut self.watchers[room], looked_at)
    }

    /// Every room hears it within the same call, as there are few; none is due for anything else.
    fn broadcast(&mut self, now: Instant, level: Priority) -> Check {
        let id = 1 << 62 | self.engine.broadcasts().count();
        let broadcast = Broadcast::new(DedupKey(id), Probe::new(id, 30)).priority(level);
        if self.engine.broadcast(now, broadcast).is_err() {
            self.note((now, "a broadcast too many"));
            return Ok(());
        }
        self.engine.handle_timeout(now);
        for room in 0..self.watchers.len() {
            self.watchers[room].broadcast(now, level, id, 30)?;
            let looked_at = self.engine.room(room_id(room)).map_err(trouble)?;
            self.watchers[room].heard(looked_at, now, self.engine.broadcasts())?;
        }
        self.note((now, level, "is broadcast"));
        Ok(())
    }

    fn again(&mut self, now: Instant, n: usize) {
        let pause = self.people[n].pause(&mut self.random);
        self.diary.insert((now + pause, n));
    }

    /// The engine is called in time, and does in each room what is due there.
    fn timeout(&mut self, now: Instant) -> Check {
        let due: Vec<usize> = (0..self.watchers.len())
            .filter(|&room| {
                self.engine
                    .room(room_id(room))
                    .is_ok_and(|room| room.poll_timeout().is_some_and(|at| at <= now))
            })
            .collect();
        same(
            Law::Timeouts,
            "whether a room is due when the engine says so",
            false,
            due.is_empty(),
        )?;
        self.engine.handle_timeout(now);
        for room in due {
            let looked_at = self.engine.room(room_id(room)).map_err(trouble)?;
            self.watchers[room].timed_out(looked_at, now)?;
        }
        let later = self.engine.poll_timeout().is_none_or(|at| at > now);
        same(Law::Timeouts, "whether all that was due is done", true, later)
    }

    fn events(&mut self) -> Check {
        while let Some((RoomId(id), event)) = self.engine.poll_event() {
            let room = usize::try_from(id).unwrap_or(usize::MAX);
            let looked_at = self.engine.room(RoomId(id)).map_err(trouble)?;
            self.watchers[room].polled(looked_at, Some(event))?;
            self.note((id, event));
        }
        Ok(())
    }

    /// A host that comes by now and then takes a few records of each room's audit.
    fn take_audits(&mut self, now: Instant) -> Check {
        self.steps += 1;
        if self.steps.is_multiple_of(16) {
            for room in 0..self.watchers.len() {
                self.call(room, |watcher, room| watcher.take_audit(room, now, 12))?;
            }
        }
        Ok(())
    }

    /// The rooms close; everyone takes what is due; the books are final.
    fn finish(mut self, now: Instant) -> Result<Report, Violation> {
        for room in 0..self.watchers.len() {
            let id = room_id(room);
            self.call(room, |watcher, room| watcher.close(room, now, Actor::Host))?;
            self.events()?;
            self.call(room, |watcher, room| watcher.finish(room, now))?;
            let books = self.engine.remove_room(now, id).map_err(trouble)?;
            same(Law::L1Messages, "whether the last books balance", true, books.balances())?;
            self.report.dispatched.push(books.admission.ledger.total().dispatched);
            let _ = write!(self.report.transcript, "{}", books.admission.ledger);
            self.note(books.audience.deliveries);
        }
        same(Law::Events, "events of rooms that are gone", None, self.engine.poll_event())?;
        same(
            Law::Timeouts,
            "what an engine without rooms waits for",
            None,
            self.engine.poll_timeout(),
        )?;
        Ok(self.report)
    }
}
