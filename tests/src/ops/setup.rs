//! A room's settings as data.

use super::numbers::{
    age, audit, data_limits, duplicates, heartbeat, max_step, pick, review, sender_quota, tips,
};
use crate::rules::{Rules, queue};
use roomcast_core::config::{
    DefaultOutcomeSink, Echo, EvictionPolicy, Exempt, LevelQuotas, Levels, QueueDiscipline,
    RateAlgorithm, WhenLate,
};
use roomcast_core::quota::RateLimit;
use roomcast_core::time::Duration;
use roomcast_core::{PerLevel, Priority, UserId};

/// For a bound that is not to be hit.
pub(super) const MANY: u8 = u8::MAX;

/// The ages at which messages expire, in milliseconds.
const WAITS: [Option<u64>; 8] =
    [None, Some(0), Some(1), Some(25), Some(1_000), Some(60_000), Some(100), Some(5)];

/// A room's settings in small numbers. Any value is a valid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary, serde::Serialize))]
pub struct Setup {
    /// The rate, by a table from 1 to 1,000 a second and a few odd ones.
    pub rate: u8,
    /// The burst: 1 to 8.
    pub burst: u8,
    /// The reserves of the three higher levels, in so far as the burst allows them.
    pub reserve: [u8; 3],
    /// What comes with it: how the rate is counted, how many levels there are, and the second
    /// limit.
    pub limits: Limits,
    /// The floor, by a table from none to one dispatch in two; and 1 to 4 notices a second.
    pub min_share: (u8, u8),
    /// What one user may say at each level, by a table; and for how many users apart: 0 to 3.
    pub sender_quota: ([u8; 4], u8),
    /// Messages in the queue: 1 to 8; and from 128 on the room looks ahead.
    pub queue: u8,
    /// Bytes in the queue: 64 to 191; and from 128 on turns are remembered.
    pub queue_bytes: u8,
    /// Whose turn it is; and how long turns are remembered, by a table.
    pub discipline: u8,
    /// Who gives way.
    pub eviction: u8,
    /// How long each level may wait, by a table from never to zero.
    pub wait: [u8; 4],
    /// Messages in the log: 1 to 4 a level.
    pub log: [u8; 4],
    /// Bytes in the log: 80 to 143 a level.
    pub log_bytes: u8,
    /// At what age messages of each level are handed over no more, by a table from never to at
    /// once; and at what age the log lets go of them, by another.
    pub ages: ([u8; 4], u8),
    /// Whether there is an echo.
    pub echo: bool,
    /// Messages for late joiners, by a table from none to more than the log holds.
    pub late: u8,
    /// At what age a token is no good any more, by a table from never to at once; and how far back
    /// it reaches, by another.
    pub resume: u8,
    /// Direct messages that may wait for a session: 0 to 4; their bytes: 0 to 127.
    pub directs: (u8, u8),
    /// Sessions: 1 to 12, and 1 to 3 a user.
    pub sessions: (u8, u8),
    /// Admins at the most, 0 to 2; mutes, bans and marks, 0 to 3.
    pub moderation: u8,
    /// Outcomes that may wait: 0 to 3 a level.
    pub outcomes: [u8; 4],
    /// Which levels report by default.
    pub outcome_sink: u8,
    /// Changes of presence that may wait: 0 to 3; for 255, more than ever do.
    pub presence: u8,
    /// The grace, by a table from zero to hours.
    pub grace: u8,
    /// How long those who wait may be left waiting at the levels below High, by a table from not
    /// at all to a minute.
    pub coalesce: [u8; 3],
    /// How silence is told, by a table from not at all to after a minute; and how many arrivals
    /// are remembered: 0 to 3, or 1,000.
    pub heartbeat: (u8, u8),
    /// How long the room may be empty, by a table that mostly says for ever.
    pub expire: u8,
    /// How far one call may move the clock, by a table that mostly says as far as it likes.
    pub step: u8,
    /// Into how many parts the twin's audience is split: 1, 2 or 4.
    pub shards: u8,
    /// The seed.
    pub seed: u8,
    /// Where positions start: at 0, or shortly before a wrap of their low half.
    pub heads: u8,
    /// When it begins: a second after the epoch, at the epoch, or shortly before the end of time.
    pub start: u8,
    /// How often each bound above holds of the queue, the log, the sessions, the outcomes and the
    /// senders: mostly once; from 208 on 16 times, and from 240 on 300 times, which is more than
    /// any call does at once.
    pub size: u8,
}

/// More settings of what may pass, in small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary, serde::Serialize))]
pub struct Limits {
    /// Buckets, from 192 on windows, and from 240 on no limit.
    pub rate_algorithm: u8,
    /// Four levels, three or two.
    pub levels: u8,
    /// What each level may take, by a table.
    pub quotas: [u8; 4],
    /// Whether the owner and the admins are exempt.
    pub exempt: bool,
    /// How long what was said is refused again, and how many keys are remembered: 0 to 3.
    pub duplicates: u8,
    /// What is reviewed, and how.
    pub review: (u8, u8),
    /// Which tips are given, none for 0, and how they are folded.
    pub tips: (u16, u8),
    /// How many records the audit holds, none for 0, and what happens when it is full: by a table.
    pub audit: u8,
}

impl Limits {
    fn level_quotas(self) -> LevelQuotas {
        let quota = |at: u8| {
            let quota = sender_quota(at / 2)?;
            Some(if at.is_multiple_of(2) {
                RateLimit::Bucket(quota)
            } else {
                RateLimit::Window(quota.rate)
            })
        };
        let exempt = if self.exempt { Exempt::OwnerAndAdmins } else { Exempt::Nobody };
        LevelQuotas { levels: PerLevel(self.quotas.map(quota)), exempt }
    }
}

/// How far ahead a token's time may be: a tampered one is 40 ms ahead.
fn resume_skew(at: u8) -> Duration {
    pick(&[Duration::from_secs(5), Duration::from_millis(39), Duration::ZERO, Duration::MAX], at)
}

/// How long those who wait may be left waiting at each level.
fn coalesce(at: [u8; 3]) -> PerLevel<Duration> {
    let windows = [
        Duration::ZERO,
        Duration::from_millis(250),
        Duration::from_nanos(1),
        Duration::from_secs(60),
    ];
    let [normal, low, lowest] = at.map(|at| pick(&windows, at));
    PerLevel([Duration::ZERO, normal, low, lowest])
}

impl Setup {
    /// A calm room: no reserve, no echo, everything reported, everything at its least.
    pub const CALM: Self = Self {
        rate: 2,
        burst: 0,
        reserve: [0; 3],
        limits: Limits {
            rate_algorithm: 0,
            levels: 0,
            quotas: [0; 4],
            exempt: false,
            duplicates: 12,
            review: (0, 0),
            tips: (0, 0),
            audit: 0,
        },
        min_share: (0, 3),
        sender_quota: ([0; 4], 3),
        queue: 3,
        queue_bytes: 127,
        discipline: 0,
        eviction: 0,
        wait: [0; 4],
        log: [3; 4],
        log_bytes: 63,
        ages: ([0; 4], 0),
        echo: false,
        late: 0,
        resume: 0,
        directs: (0, 127),
        sessions: (11, 2),
        moderation: 47,
        outcomes: [3; 4],
        outcome_sink: 15,
        presence: 3,
        grace: 0,
        step: 0,
        coalesce: [0; 3],
        heartbeat: (0, 0),
        expire: 0,
        shards: 0,
        seed: 0,
        heads: 0,
        start: 0,
        size: 0,
    };

    /// How long turns are remembered.
    fn memory(&self) -> Duration {
        if self.queue_bytes < 128 {
            return Duration::ZERO;
        }
        let memories =
            [Duration::from_secs(5), Duration::from_millis(100), Duration::from_secs(3_600)];
        pick(&memories, self.discipline / 3)
    }

    /// How often each bound holds.
    fn scale(&self) -> u32 {
        match self.size {
            0..208 => 1,
            208..240 => 16,
            240.. => 300,
        }
    }

    /// The settings that these numbers stand for.
    pub fn rules(&self) -> Rules {
        let scale = self.scale();
        let burst = u32::from(self.burst % 8) + 1;
        let rate_algorithm = match self.limits.rate_algorithm {
            0..192 => RateAlgorithm::TokenBucket,
            192..240 => RateAlgorithm::FixedWindow,
            240.. => RateAlgorithm::Unlimited,
        };
        let (rate, period): (u32, u64) = pick(
            &[
                (1, 1_000_000_000),
                (3, 1_000_000_000),
                (40, 1_000_000_000),
                (7, 10_000_019),
                (1_000, 1_000_000_000),
                (1_000, 7),
                (1, u64::MAX),
                // Between a nanosecond and a microsecond a token.
                (3, 1_000),
                (1, 37),
            ],
            self.rate,
        );
        let mut left = if rate_algorithm == RateAlgorithm::FixedWindow { rate } else { burst } - 1;
        let mut reserve = PerLevel::default();
        for (kept, wanted) in reserve.0.iter_mut().zip(self.reserve) {
            *kept = u32::from(wanted % 4).min(left);
            left -= *kept;
        }
        let review = review(self.limits.review);
        let wait = self.wait.map(|at| pick(&WAITS, at));
        let discipline = pick(
            &[QueueDiscipline::Fifo, QueueDiscipline::RoundRobin, QueueDiscipline::Random],
            self.discipline,
        );
        let policies = [
            EvictionPolicy::BiggestSender,
            EvictionPolicy::Newest,
            EvictionPolicy::Oldest,
            EvictionPolicy::Random,
        ];
        let outcome_sink = |level: Priority| {
            if self.outcome_sink >> level.index() & 1 == 0 {
                DefaultOutcomeSink::CountedOnly
            } else {
                DefaultOutcomeSink::Event
            }
        };
        Rules {
            owner: UserId(0),
            rate,
            period,
            burst,
            rate_algorithm,
            level_quotas: self.limits.level_quotas(),
            levels: pick(
                &[Levels::Four, Levels::Four, Levels::Three, Levels::Two],
                self.limits.levels,
            ),
            reserve,
            min_share: pick(&[None, Some(2), None, Some(3), Some(7)], self.min_share.0),
            notices: u32::from(self.min_share.1 % 4) + 1,
            sender_quota: PerLevel(self.sender_quota.0.map(sender_quota)),
            senders: u32::from(self.sender_quota.1 % 4) * scale,
            duplicates: duplicates(self.limits.duplicates),
            review,
            queue: queue(
                (u32::from(self.queue % 8) + 1) * scale,
                (u64::from(self.queue_bytes % 128) + 64) * u64::from(scale),
                discipline,
                // With reviews, one that leaves no choice: so it is known who gave way to whom
                // when several enter in one call.
                if review.levels.values().any(|&is| is) {
                    pick(&policies[1..3], self.eviction)
                } else {
                    pick(&policies, self.eviction)
                },
                (wait, if self.queue < 128 { WhenLate::Wait } else { WhenLate::RefuseAtOnce }),
                self.memory(),
            ),
            payload_bytes: 64,
            profile_bytes: 16,
            log_messages: PerLevel(self.log.map(|n| (u32::from(n % 4) + 1) * scale)),
            log_bytes: PerLevel([(u64::from(self.log_bytes % 64) + 80) * u64::from(scale); 4]),
            deliver_within: PerLevel(self.ages.0.map(age)),
            log_age: age(self.ages.1),
            echo: if self.echo { Echo::On } else { Echo::Off },
            replay_on_join: pick(&[0, 1, 3, 5, 40], self.late),
            sessions: (u32::from(self.sessions.0 % 12) + 1) * scale,
            sessions_per_user: u32::from(self.sessions.1 % 3) + 1,
            admins: u32::from(self.moderation % 3),
            mutes: u32::from(self.moderation / 3 % 4),
            bans: u32::from(self.moderation / 12 % 4),
            marks: u32::from(3 - self.moderation / 48 % 4),
            data: data_limits(),
            tips: tips(self.limits.tips),
            outcomes: PerLevel(self.outcomes.map(|n| u32::from(n % 4) * scale)),
            outcome_sink: PerLevel::from_fn(outcome_sink),
            presence_events: if self.presence == MANY { 1_024 } else { (self.presence % 4).into() },
            grace: pick(
                &[
                    Duration::from_millis(100),
                    Duration::ZERO,
                    Duration::from_secs(10),
                    Duration::MAX,
                ],
                self.grace,
            ),
            direct_messages: pick(&[4, 3, 2, 1, 0], self.directs.0),
            direct_bytes: u64::from(self.directs.1 % 128),
            resume_within: pick(
                &[
                    Duration::from_secs(60),
                    Duration::MAX,
                    Duration::from_millis(200),
                    Duration::ZERO,
                ],
                self.resume,
            ),
            resume_skew: resume_skew(self.resume / 8),
            resume_messages: pick(&[4_096, 4_096, 2, 1, 3, 0], self.resume / 4),
            coalesce: coalesce(self.coalesce),
            heartbeat: heartbeat(self.heartbeat.0),
            recent_users: pick(&[1_000, 0, 1, 2, 3], self.heartbeat.1),
            idle_timeout: pick(
                &[None, Some(50), None, Some(5_000), None, None, Some(60_000), None],
                self.expire,
            )
            .map(Duration::from_millis),
            max_step: max_step(self.step),
            audit: audit(self.limits.audit),
            shards: 1 << (self.shards % 3),
            seed: u64::from(self.seed),
            heads: PerLevel([pick(&[0, (1 << 32) - 3, (1 << 40) - 2], self.heads); 4]),
        }
    }
}
