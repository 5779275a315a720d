//! Sequences of operations as data: for proptest, for the fuzzers, and for sequences that are kept.
//!
//! Every number is small and taken modulo what there is, so that any bytes make a sequence and
//! limits are hit often.

mod astray;
mod at_once;
mod biased;
mod numbers;
mod offers;
mod op;
mod reconfigure;
mod setup;

pub use biased::{Crowd, Journey, Rush, journey_setup, rush_setup, shards_setup};
pub use op::Op;
pub use setup::{Limits, Setup};

use crate::checked::{Checked, LIFE};
use crate::oracle::data::Count;
use crate::payload::Probe;
use crate::violation::{Check, Law, Violation, same};
use numbers::{
    budget, by, group, key, level, mask, memory, moderation, of_another_life, pick, tampered,
    token_at,
};
use reconfigure::Change;
use roomcast_core::admission::RoomStatus;
use roomcast_core::broadcasts::Broadcasts;
use roomcast_core::config::ConfigError;
use roomcast_core::ids::{Seq, SessionKey, Ticket};
use roomcast_core::pins::PinId;
use roomcast_core::resume::ResumeToken;
use roomcast_core::{Actor, Instant, Join, Recipient, RoomState, SessionId, UserId};
use std::collections::{HashMap, VecDeque};

/// Runs the operations on a room with these settings and checks every law after each; then lets the
/// room come to its end.
pub fn run(setup: &Setup, ops: &[Op]) -> Check {
    let change = Change::new(*setup);
    let made = Checked::new(change.rules(), 1).map_err(invalid)?;
    Player::new(setup, change, made).play_all(ops)
}

/// As [`run`], beside a room of a hub over as many shards, driven by one thread: after each
/// operation, and once all is done that is due by then, both have answered, told and booked the
/// same.
pub fn run_beside_hub(setup: &Setup, ops: &[Op]) -> Check {
    // A hub's rooms start where rooms start. How many changes of presence wait depends on how often
    // the host takes them: a hub does so several times in some calls.
    // A hub looks at its own clock, for all its rooms. Of those who leave at one look, each shard tells
    // its own: where there are several, a tip that waits for nobody else names fewer.
    let leaves =
        numbers::heartbeat(setup.heartbeat.0).is_some_and(|beat| beat.leave_after.is_some());
    let shards = if leaves { 0 } else { setup.shards };
    // What an audit misses that is full depends on what a call does first.
    let limits = Limits { audit: setup.limits.audit.min(1), ..setup.limits };
    let setup =
        &Setup { heads: 0, presence: setup::MANY, step: 0, size: 0, shards, limits, ..*setup };
    let change = Change::new(*setup);
    let now = Instant::from_nanos(Player::start(setup));
    let made = Checked::beside_hub(change.rules(), numbers::broadcast_limits(), now);
    let ops: Vec<Op> = ops.iter().map(|op| op.of_a_host()).collect();
    Player::new(setup, change, made.map_err(invalid)?).play_all(&ops)
}

fn invalid(error: ConfigError) -> Violation {
    Violation::new(Law::Members, "the settings", "valid ones", error)
}

struct Player {
    room: RoomState<Probe>,
    checked: Checked,
    /// The settings by now.
    change: Change,
    now: u64,
    /// The newest sixteen that were given out, those that are gone included.
    sessions: Vec<SessionId>,
    /// Whose sessions they are.
    given_to: HashMap<SessionId, Option<UserId>>,
    /// The newest sixteen.
    tickets: Vec<Ticket>,
    broadcasts: Broadcasts<Probe>,
    /// The newest sixteen that were taken.
    tokens: VecDeque<ResumeToken>,
}

impl Player {
    /// Where the clock stands at first.
    fn start(setup: &Setup) -> u64 {
        pick(&[1_000_000_000, 0, u64::MAX - 200_000_000], setup.start)
    }

    fn new(setup: &Setup, change: Change, (room, checked): (RoomState<Probe>, Checked)) -> Self {
        Self {
            room,
            checked,
            change,
            now: Self::start(setup),
            sessions: Vec::new(),
            given_to: HashMap::new(),
            tickets: Vec::new(),
            broadcasts: numbers::broadcasts(),
            tokens: VecDeque::new(),
        }
    }

    fn play_all(mut self, ops: &[Op]) -> Check {
        for (step, op) in ops.iter().enumerate() {
            self.play(*op).and_then(|()| self.settle()).map_err(|violation| violation.at(step))?;
        }
        let now = self.now();
        self.checked.finish(&mut self.room, now).map_err(|violation| violation.at(ops.len()))
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// A room of a hub never sees the last instant: all whose time was cut there is due at once,
    /// and a hub does it in the order of its locks.
    fn in_time(&self, nanos: u64) -> u64 {
        if self.checked.is_beside_hub() { nanos.min(u64::MAX - 1) } else { nanos }
    }

    /// A room of a hub, if there is one, does what is due.
    fn settle(&mut self) -> Check {
        let now = self.now();
        self.checked.settle(&mut self.room, now)
    }

    fn session(&self, who: u8) -> SessionId {
        match self.sessions.len() {
            0 => SessionId::from_bits(u128::from(who)),
            len => self.sessions[usize::from(who) % len],
        }
    }

    fn play(&mut self, op: Op) -> Check {
        let now = self.now();
        match op {
            Op::Speak { .. }
            | Op::Host { .. }
            | Op::Forward { .. }
            | Op::Broadcast { .. }
            | Op::Decide { .. } => {
                self.play_offer(op)?;
            }
            Op::Join { user, known, mask, resume, profile } => {
                let token = resume.and_then(|(which, twist)| {
                    let token = self.tokens.get(usize::from(which) % self.tokens.len().max(1))?;
                    tampered(token, twist)
                });
                self.join(user, known, mask, token, profile)?;
            }
            Op::Direct { to, level: at, size } => {
                let to = match to {
                    192.. => Recipient::User(UserId(u64::from(to % 6))),
                    who => Recipient::Session(self.session(who)),
                };
                self.checked.send_direct(
                    &mut self.room,
                    now,
                    to,
                    level(at),
                    usize::from(size % 72),
                )?;
            }
            Op::Ack { who, level: at, back } => {
                let session = self.session(who);
                let last = self.room.snapshot(now).audience.applied.0;
                let seq = Seq((last + 1).saturating_sub(u64::from(back % 16)));
                self.checked.ack(&mut self.room, session, level(at), seq)?;
            }
            Op::Token { who, at } => {
                let (session, at) = (self.session(who), token_at(at));
                if let Some(token) = self.checked.resume_token(&mut self.room, now, session, at)? {
                    self.tokens.push_front(token);
                    self.tokens.truncate(16);
                }
            }
            Op::Return { who, at, twist } => {
                let (session, at) = (self.session(who), token_at(at));
                let token = self.checked.resume_token(&mut self.room, now, session, at)?;
                self.checked.close_session(&mut self.room, now, session)?;
                self.settle()?;
                let token = token.and_then(|token| tampered(&token, twist));
                self.join(who, None, 0, token, None)?;
            }
            Op::LevelSet { who, levels } => {
                let session = self.session(who);
                self.checked.set_masked_levels(&mut self.room, now, session, mask(levels))?;
            }
            Op::Batch { who, messages, bytes } => {
                let session = self.session(who);
                let budget = budget(messages, bytes);
                drop(self.checked.next_batch(&mut self.room, now, session, budget)?);
            }
            Op::Sweep { slots: (first, count), messages, bytes, busy } => {
                // In several shards the slots that sessions hold are a thousand apart.
                let stretch = if self.change.rules().shards == 1 { 1 } else { 300 };
                let [first_slot, count] =
                    [first % 12, count % 16].map(|slots| u32::from(slots) * stretch);
                let (slots, budget) = (first_slot..first_slot + count, budget(messages, bytes));
                let busy = |session: SessionId| {
                    busy >> ((session.slot() + session.slot() / 1_024) % 8) & 1 != 0
                };
                self.checked.sweep(&mut self.room, now, group(first), &slots, budget, busy)?;
            }
            Op::Throng { .. } | Op::Burst { .. } | Op::SweepAll { .. } => self.at_once(op)?,
            Op::Leave { user } => {
                self.checked.leave(&mut self.room, now, UserId(u64::from(user % 6)))?;
            }
            Op::Gone { who } => {
                let session = self.session(who);
                self.checked.close_session(&mut self.room, now, session)?;
            }
            Op::End { who, farewell } => self.end(who, farewell)?,
            Op::Touch { who } => {
                let session = self.session(who);
                self.checked.touch(&mut self.room, now, session)?;
            }
            Op::Moderate { .. } | Op::Retract { .. } | Op::Pin { .. } => self.moderate(op)?,
            Op::Attribute { .. } | Op::Count { .. } | Op::Audit { .. } => self.play_data(op)?,
            Op::Profile { user, size } => {
                let size = size.map(|size| usize::from(size % 20));
                self.checked.set_profile(&mut self.room, UserId(u64::from(user % 6)), size)?;
            }
            Op::Poll { times } => {
                for _ in 0..times % 16 {
                    self.checked.poll_event(&mut self.room)?;
                }
            }
            Op::Wake => self.checked.wake(&mut self.room, now)?,
            Op::Restart => self.checked.restart(&mut self.room, now)?,
            Op::Tick => self.tick()?,
            Op::OnTime => self.on_time()?,
            Op::Wait { count, unit } => {
                let unit = pick(&[1, 1_000, 1_000_000, 60_000_000_000], unit);
                self.now = self.in_time(self.now.saturating_add(u64::from(count) * unit));
            }
            Op::Back { millis } => {
                self.now = self.now.saturating_sub(u64::from(millis) * 1_000_000);
            }
            Op::Astray { call, far } => self.astray(call, far)?,
            Op::Trim { bytes } => {
                self.checked.trim(&mut self.room, numbers::bytes(bytes), numbers::MEMORY)?;
            }
            Op::Memory { left } => self.checked.set_memory(&mut self.room, memory(left)),
            Op::Close { by } => {
                let actor = match by {
                    0..16 => Actor::Host,
                    16..24 => Actor::User(UserId(0)),
                    24..32 => Actor::User(UserId(3)),
                    _ => return Ok(()),
                };
                self.checked.close(&mut self.room, now, actor)?;
            }
            Op::Reconfigure { what: (what, fixed), to } => {
                let change = self.change.apply(what, to);
                let (mut rules, mut wanted) = (change.fixed(fixed), change.rules());
                // Who is the owner is as it is by now, unless that is what is wrong.
                let owner = self.checked.oracle().owner();
                if rules.owner == wanted.owner {
                    rules.owner = owner;
                }
                wanted.owner = owner;
                self.checked.reconfigure(&mut self.room, now, &rules)?;
                if rules == wanted && self.room.snapshot(now).admission.state == RoomStatus::Open {
                    self.change = change;
                }
            }
            Op::Stranger { call, bits: (slot, generation) } => {
                let bits = u64::from(slot % 16) << 32 | u64::from(generation);
                let made_up = SessionKey::from_bits(bits).in_life(LIFE);
                self.stranger(call, made_up)?;
                // Every bit is right but those of the life.
                self.stranger(call, of_another_life(self.session(slot), slot / 16))?;
            }
        }
        Ok(())
    }

    /// What the owner, an admin or the host does, or who would be one.
    fn moderate(&mut self, op: Op) -> Check {
        let now = self.now();
        match op {
            Op::Moderate { act, actor, user, time } => {
                let (actor, act) = (by(actor), moderation(act, user, time));
                self.checked.moderate(&mut self.room, now, actor, &act)
            }
            Op::Retract { what, of, actor } => {
                let books = self.room.snapshot(now);
                let what = numbers::retraction(what, of, &books);
                self.checked.retract(&mut self.room, now, by(actor), what)
            }
            Op::Pin { id, size, actor } => {
                let (id, actor) = (PinId(u64::from(id % 5)), by(actor));
                let size = (size < 160).then(|| usize::from(size % 72));
                self.checked.pin(&mut self.room, now, actor, id, size)
            }
            _ => Ok(()),
        }
    }

    /// A call of the room's own data, or of its audit.
    fn play_data(&mut self, op: Op) -> Check {
        let now = self.now();
        match op {
            Op::Attribute { keys, sizes, behind } => {
                let size = |size: Option<u8>| size.map(|size| usize::from(size % 40));
                let mut changes = vec![(key(keys.0), size(sizes.0))];
                changes.extend((keys.1 < 128).then(|| (key(keys.1), size(sizes.1))));
                let version = self.room.attributes_version();
                let based_on =
                    (behind < 128).then(|| version.saturating_sub(u64::from(behind / 64)));
                let owner = (behind >= 160).then(|| UserId(u64::from(behind % 6)));
                let how = (owner, based_on);
                self.checked.write_attributes(&mut self.room, now, how, &changes, keys.0)?;
            }
            Op::Count { key: of, act } => {
                let number = pick(&[1, -1, 5, i64::MAX, i64::MIN], act / 4);
                let count = pick(
                    &[Count::Add(number), Count::Set(number), Count::Add(1), Count::Remove],
                    act,
                );
                self.checked.count(&mut self.room, &key(of), count)?;
            }
            Op::Audit { times } => {
                self.checked.take_audit(&mut self.room, now, usize::from(times % 16))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn join(
        &mut self,
        user: u8,
        known: Option<u8>,
        masked: u8,
        token: Option<ResumeToken>,
        profile: Option<u8>,
    ) -> Check {
        let join = match user % 8 {
            6.. => Join::guest(),
            id => Join::user(UserId(u64::from(id))),
        };
        let join = join.group(group(user)).mask(mask(masked));
        // A hub's token is good for whom it was given to.
        let token = token.filter(|token| {
            let given_to = self.given_to.get(&token.session);
            !self.checked.is_beside_hub() || given_to == Some(&join.as_user())
        });
        let join = token.into_iter().fold(join, Join::resume);
        let join = known.into_iter().fold(join, |join, who| join.on(self.session(who)));
        let profile = profile.map(|size| self.checked.probe(usize::from(size % 20)));
        let join = profile.into_iter().fold(join, Join::profile);
        self.come(&join)
    }

    fn come(&mut self, join: &Join<Probe>) -> Check {
        let now = self.now();
        if let Ok(joined) = self.checked.join(&mut self.room, now, join)? {
            self.given_to.insert(joined.session, join.as_user());
            self.sessions.push(joined.session);
            if self.sessions.len() > 16 {
                self.sessions.remove(0);
            }
        }
        Ok(())
    }

    fn end(&mut self, who: u8, farewell: u8) -> Check {
        let (now, session) = (self.now(), self.session(who));
        let is_moved = farewell % 2 == 1;
        let farewell = (farewell < 128).then(|| usize::from(farewell % 72));
        self.checked.end_session(&mut self.room, now, session, farewell, is_moved)
    }

    fn tick(&mut self) -> Check {
        let now = self.now();
        if self.checked.is_beside_hub() {
            return self.settle();
        }
        self.checked.handle_timeout(&mut self.room, now)
    }

    fn on_time(&mut self) -> Check {
        let Some(due) = self.room.poll_timeout().map(Instant::as_nanos) else {
            // It wants nothing: a spurious call.
            return self.tick();
        };
        // The room's clock may be ahead of one that was read back.
        if due > self.now.max(self.checked.oracle().clock().as_nanos()) {
            self.now = due - 1;
            let look = |player: &Self| {
                let snapshot = player.room.snapshot(player.now());
                (snapshot.admission.ledger, snapshot.audience.online)
            };
            let before = look(self);
            self.tick()?;
            let after = look(self);
            same(Law::Timeouts, "what a call a nanosecond early changes", before, after)?;
            self.now = self.in_time(due);
        }
        self.tick()
    }
}
