//! Sequences of operations as data: for proptest, for the fuzzers, and for sequences that are kept.
//!
//! Every number is small and taken modulo what there is, so that any bytes make a sequence and limits are hit often.

mod numbers;

use crate::checked::{Checked, Say};
use crate::oracle::data::Count;
use crate::payload::Probe;
use crate::rules::{Rules, queue};
use crate::violation::{Check, Violation};
use numbers::{budget, data_limits, group, key, level, moderation, pick, sender_quota};
use roomcast_core::{
    Actor, Budget, DefaultReport, Duration, Echo, Instant, Join, Kind, PerLevel, Priority, Report, Room, SessionId, Source, Tag,
    TieBreak, UserId, VictimPolicy,
};

/// A room's settings in small numbers. Any value is a valid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Setup {
    /// The rate, by a table from 1 to 1,000 a second and a few odd ones.
    pub rate: u8,
    /// The burst: 1 to 8.
    pub burst: u8,
    /// The reserves of the three higher levels, in so far as the burst allows them.
    pub reserve: [u8; 3],
    /// The floor, by a table from none to one dispatch in two; and 1 to 4 notices a second.
    pub floor: (u8, u8),
    /// What one user may say at each level, by a table; and for how many users apart: 0 to 3.
    pub sender_quota: ([u8; 4], u8),
    /// Messages in the queue: 1 to 8.
    pub queue: u8,
    /// Bytes in the queue: 64 to 191.
    pub queue_bytes: u8,
    /// Whose turn it is.
    pub tie_break: u8,
    /// Who gives way.
    pub victim: u8,
    /// How long each level may wait, by a table from never to zero.
    pub wait: [u8; 4],
    /// Messages in the log: 1 to 4 a level.
    pub log: [u8; 4],
    /// Bytes in the log: 80 to 143 a level.
    pub log_bytes: u8,
    /// Whether there is an echo.
    pub echo: bool,
    /// Sessions: 1 to 12, and 1 to 3 a user.
    pub sessions: (u8, u8),
    /// Admins at the most, 0 to 2; mutes and bans, 0 to 3.
    pub moderation: u8,
    /// Outcomes that may wait: 0 to 3 a level.
    pub outcomes: [u8; 4],
    /// Which levels report by default.
    pub report: u8,
    /// Changes of presence that may wait: 0 to 3.
    pub presence: u8,
    /// The grace, by a table from zero to hours.
    pub grace: u8,
    /// How long those who wait may be left waiting at the levels below High, by a table from not at all to a minute.
    pub coalesce: [u8; 3],
    /// Into how many parts the twin's audience is split: 1, 2 or 4.
    pub parts: u8,
    /// The seed.
    pub seed: u8,
    /// Where positions start: at 0, or shortly before a wrap of their low half.
    pub heads: u8,
    /// When it begins: a second after the epoch, at the epoch, or shortly before the end of time.
    pub start: u8,
}

/// One call, in small numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Op {
    /// `publish` by a session that was given out, most often one that is in.
    Speak {
        /// Which session.
        who: u8,
        /// The priority.
        level: u8,
        /// The size: 0 to 71, of which 64 are allowed.
        size: u8,
        /// How to report.
        report: u8,
    },
    /// `publish` by the host.
    Host {
        /// The priority.
        level: u8,
        /// The size.
        size: u8,
        /// How to report.
        report: u8,
    },
    /// `join` by a guest, the owner or one of five users; from 128 on to be swept in group 1.
    Join {
        /// Who.
        user: u8,
        /// On a connection that had a session.
        known: Option<u8>,
    },
    /// `next_batch`.
    Batch {
        /// Which session.
        who: u8,
        /// Messages at the most: 0 to 7; from 128 on the usual budget.
        messages: u8,
        /// Bytes at the most.
        bytes: u8,
    },
    /// `sweep`.
    Sweep {
        /// The first slot and how many; from 128 on the first is one of group 1.
        slots: (u8, u8),
        /// Messages for each at the most: 0 to 7; from 128 on the usual budget.
        messages: u8,
        /// Bytes for each at the most.
        bytes: u8,
        /// Which slots take nothing, a bit for each of eight.
        busy: u8,
    },
    /// `leave`.
    Leave {
        /// Who.
        user: u8,
    },
    /// `close_session`.
    Gone {
        /// Which session.
        who: u8,
    },
    /// A call that deals with users.
    Moderate {
        /// Which call, and for from 128 on two users at once.
        act: u8,
        /// By whom: a user, or from 6 on the host.
        actor: u8,
        /// To whom.
        user: u8,
        /// For how long, by a table from no time to for good.
        time: u8,
    },
    /// `write_attributes`, one change or two.
    Attribute {
        /// Which keys: two of seven, one of which is too long.
        keys: (u8, u8),
        /// The sizes of the values; `None` takes the key away.
        sizes: (Option<u8>, Option<u8>),
        /// Based on a version so far behind, or on none.
        behind: u8,
    },
    /// A call of a counter.
    Count {
        /// Which.
        key: u8,
        /// Which call, and with what.
        act: u8,
    },
    /// `export`, and `import` of the same.
    Restart,
    /// `set_profile`; above 40 bytes it is too large.
    Profile {
        /// Who.
        user: u8,
        /// The size; `None` takes it away.
        size: Option<u8>,
    },
    /// `poll_event`, so many times.
    Poll {
        /// How many times: 0 to 15.
        times: u8,
    },
    /// `wake`.
    Wake,
    /// `handle_timeout` now, whether or not it is due.
    Tick,
    /// `handle_timeout` at the very instant it is due, after one a nanosecond early that must change nothing.
    OnTime,
    /// The clock moves on by so many units of a nanosecond, a microsecond, a millisecond or a minute.
    Wait {
        /// How many.
        count: u8,
        /// Of what.
        unit: u8,
    },
    /// The clock is read so many milliseconds back, for the next calls.
    Back {
        /// How many.
        millis: u8,
    },
    /// `close`, rarely: by the host, the owner or somebody else.
    Close {
        /// Who, and whether at all: one value in eight.
        by: u8,
    },
    /// A call with a session id that nobody was given.
    Stranger {
        /// Which call.
        call: u8,
        /// The id.
        bits: (u8, u32),
    },
}

impl Setup {
    /// The settings that these numbers stand for.
    pub fn rules(&self) -> Rules {
        let burst = u32::from(self.burst % 8) + 1;
        let mut left = burst - 1;
        let mut reserve = PerLevel::default();
        for (kept, wanted) in reserve.0.iter_mut().zip(self.reserve) {
            *kept = u32::from(wanted % 4).min(left);
            left -= *kept;
        }
        let (rate, period) = pick(
            &[
                (1, 1_000_000_000),
                (3, 1_000_000_000),
                (40, 1_000_000_000),
                (7, 10_000_019),
                (1_000, 1_000_000_000),
                (1_000, 7),
                (1, u64::MAX),
            ],
            self.rate,
        );
        let wait = self.wait.map(|at| pick(&[None, Some(0), Some(1), Some(25), Some(1_000), Some(60_000)], at));
        let tie_break = pick(&[TieBreak::Fifo, TieBreak::RoundRobin, TieBreak::Random], self.tie_break);
        let policies = [VictimPolicy::BiggestSender, VictimPolicy::Newest, VictimPolicy::Oldest, VictimPolicy::Random];
        let report = |level: Priority| {
            if self.report >> level.index() & 1 == 0 { DefaultReport::CountedOnly } else { DefaultReport::Event }
        };
        Rules {
            owner: UserId(0),
            rate,
            period,
            burst,
            reserve,
            floor: pick(&[None, Some(2), None, Some(3), Some(7)], self.floor.0),
            notices: u32::from(self.floor.1 % 4) + 1,
            sender_quota: PerLevel(self.sender_quota.0.map(sender_quota)),
            senders: u32::from(self.sender_quota.1 % 4),
            queue: queue(
                u32::from(self.queue % 8) + 1,
                u64::from(self.queue_bytes % 128) + 64,
                tie_break,
                pick(&policies, self.victim),
                wait,
            ),
            payload_bytes: 64,
            profile_bytes: 16,
            log_messages: PerLevel(self.log.map(|n| u32::from(n % 4) + 1)),
            log_bytes: PerLevel([u64::from(self.log_bytes % 64) + 80; 4]),
            echo: if self.echo { Echo::Included } else { Echo::Excluded },
            sessions: u32::from(self.sessions.0 % 12) + 1,
            sessions_per_user: u32::from(self.sessions.1 % 3) + 1,
            admins: u32::from(self.moderation % 3),
            mutes: u32::from(self.moderation / 3 % 4),
            bans: u32::from(self.moderation / 12 % 4),
            data: data_limits(),
            outcomes: PerLevel(self.outcomes.map(|n| u32::from(n % 4))),
            report: PerLevel::from_fn(report),
            presence_events: u32::from(self.presence % 4),
            grace: pick(&[Duration::from_millis(100), Duration::ZERO, Duration::from_secs(10), Duration::MAX], self.grace),
            coalesce: {
                let window =
                    |at| pick(&[Duration::ZERO, Duration::from_millis(250), Duration::from_nanos(1), Duration::from_secs(60)], at);
                let [normal, low, lowest] = self.coalesce.map(window);
                PerLevel([Duration::ZERO, normal, low, lowest])
            },
            parts: 1 << (self.parts % 3),
            seed: u64::from(self.seed),
            heads: PerLevel([pick(&[0, (1 << 32) - 3, (1 << 40) - 2], self.heads); 4]),
        }
    }
}

/// Runs the operations on a room with these settings and checks every law after each; then lets the room come to its end.
pub fn run(setup: &Setup, ops: &[Op]) -> Check {
    let invalid = |error| Violation::new(crate::violation::Law::Members, "the settings", "valid ones", error);
    let (room, checked) = Checked::new(setup.rules(), 1).map_err(invalid)?;
    let start = pick(&[1_000_000_000, 0, u64::MAX - 200_000_000], setup.start);
    let mut player = Player { room, checked, now: start, sessions: Vec::new() };
    for (step, op) in ops.iter().enumerate() {
        player.play(*op).map_err(|violation| violation.at(step))?;
    }
    let now = Instant::from_nanos(player.now);
    player.checked.finish(&mut player.room, now).map_err(|violation| violation.at(ops.len()))
}

struct Player {
    room: Room<Probe>,
    checked: Checked,
    now: u64,
    /// The newest sixteen that were given out, those that are gone included.
    sessions: Vec<SessionId>,
}

impl Player {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn session(&self, who: u8) -> SessionId {
        match self.sessions.len() {
            0 => SessionId::from_bits(u64::from(who)),
            len => self.sessions[usize::from(who) % len],
        }
    }

    fn play(&mut self, op: Op) -> Check {
        let now = self.now();
        match op {
            Op::Speak { who, level, size, report } => self.publish(Source::Session(self.session(who)), level, size, report)?,
            Op::Host { level, size, report } => self.publish(Source::Host, level, size, report)?,
            Op::Join { user, known } => self.join(user, known)?,
            Op::Batch { who, messages, bytes } => {
                let session = self.session(who);
                let budget = budget(messages, bytes);
                drop(self.checked.next_batch(&mut self.room, now, session, budget)?);
            }
            Op::Sweep { slots: (first, count), messages, bytes, busy } => {
                let slots = u32::from(first % 12)..u32::from(first % 12) + u32::from(count % 16);
                let budget = budget(messages, bytes);
                let busy = |session: SessionId| busy >> (session.slot() % 8) & 1 != 0;
                self.checked.sweep(&mut self.room, now, group(first), &slots, budget, busy)?;
            }
            Op::Leave { user } => self.checked.leave(&mut self.room, now, UserId(u64::from(user % 6)))?,
            Op::Gone { who } => {
                let session = self.session(who);
                self.checked.close_session(&mut self.room, now, session)?;
            }
            Op::Moderate { act, actor, user, time } => {
                let actor = if actor % 8 >= 6 { Actor::Host } else { Actor::User(UserId(u64::from(actor % 8))) };
                self.checked.moderate(&mut self.room, now, actor, &moderation(act, user, time))?;
            }
            Op::Attribute { keys, sizes, behind } => {
                let size = |size: Option<u8>| size.map(|size| usize::from(size % 40));
                let mut changes = vec![(key(keys.0), size(sizes.0))];
                changes.extend((keys.1 < 128).then(|| (key(keys.1), size(sizes.1))));
                let version = self.room.attributes_version();
                let based_on = (behind < 128).then(|| version.saturating_sub(u64::from(behind / 64)));
                self.checked.write_attributes(&mut self.room, now, based_on, &changes, keys.0)?;
            }
            Op::Count { key: of, act } => {
                let number = pick(&[1, -1, 5, i64::MAX, i64::MIN], act / 4);
                let count = pick(&[Count::Add(number), Count::Set(number), Count::Add(1), Count::Remove], act);
                self.checked.count(&mut self.room, &key(of), count)?;
            }
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
                self.now = self.now.saturating_add(u64::from(count) * unit);
            }
            Op::Back { millis } => self.now = self.now.saturating_sub(u64::from(millis) * 1_000_000),
            Op::Close { by } => {
                let actor = match by {
                    0..16 => Actor::Host,
                    16..24 => Actor::User(UserId(0)),
                    24..32 => Actor::User(UserId(3)),
                    _ => return Ok(()),
                };
                self.checked.close(&mut self.room, now, actor)?;
            }
            Op::Stranger { call, bits: (slot, generation) } => {
                self.stranger(call, SessionId::from_bits(u64::from(slot % 16) << 32 | u64::from(generation)))?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, source: Source, at: u8, size: u8, report: u8) -> Check {
        let report = match report % 8 {
            0..4 => None,
            4 => Some(Report::CountedOnly),
            5 => Some(Report::Answer(Tag(u64::from(size)))),
            _ => Some(Report::Event(Tag(u64::from(size)))),
        };
        let kind = pick(&[Kind::Text, Kind::Custom, Kind::Tip, Kind::Notice], size);
        let say = Say { source, level: level(at), kind, report, size: usize::from(size % 72) };
        let now = self.now();
        self.checked.publish(&mut self.room, now, say).map(drop)
    }

    fn join(&mut self, user: u8, known: Option<u8>) -> Check {
        let join = match user % 8 {
            6.. => Join::guest(),
            id => Join::user(UserId(u64::from(id))),
        };
        let join = join.group(group(user));
        let join = known.into_iter().fold(join, |join, who| join.on(self.session(who)));
        let now = self.now();
        if let Ok(joined) = self.checked.join(&mut self.room, now, join)? {
            self.sessions.push(joined.session);
            if self.sessions.len() > 16 {
                self.sessions.remove(0);
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Check {
        let now = self.now();
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
            let before = self.room.snapshot(self.now()).admission.ledger;
            self.tick()?;
            let after = self.room.snapshot(self.now()).admission.ledger;
            crate::violation::same(crate::violation::Law::Timeouts, "what a call a nanosecond early changes", before, after)?;
            self.now = due;
        }
        self.tick()
    }

    fn stranger(&mut self, call: u8, id: SessionId) -> Check {
        if self.sessions.contains(&id) {
            return Ok(());
        }
        let now = self.now();
        match call % 4 {
            0 => self.publish(Source::Session(id), call, call, call),
            1 => self.checked.close_session(&mut self.room, now, id),
            2 => self.checked.next_batch(&mut self.room, now, id, Budget::default()).map(drop),
            _ => self.checked.join(&mut self.room, now, Join::guest().on(id)).map(|joined| {
                self.sessions.extend(joined.ok().map(|joined| joined.session));
            }),
        }
    }
}
