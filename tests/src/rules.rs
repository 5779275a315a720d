//! The settings of a room as plain numbers: the oracle reads them, the room is configured from
//! them.

use roomcast_core::config::{
    AuditConfig, ConfigError, DefaultOutcomeSink, Echo, EvictionPolicy, Heartbeat, LevelQuotas,
    Levels, QueueConfig, QueueDiscipline, RateAlgorithm, ReviewConfig, WhenLate,
};
use roomcast_core::data::DataLimits;
use roomcast_core::dedup::DedupWindow;
use roomcast_core::quota::{Quota, Rate, RateLimit};
use roomcast_core::system_messages::SystemMessages;
use roomcast_core::time::Duration;
use roomcast_core::{PerLevel, Priority, RoomConfig, Sharding, UserId};
use std::num::NonZeroU32;

/// The settings of a room.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The owner.
    pub owner: UserId,
    /// Messages in each period.
    pub rate: u32,
    /// The period, in nanoseconds.
    pub period: u64,
    /// Tokens in a full bucket.
    pub burst: u32,
    /// How the rate is counted.
    pub rate_algorithm: RateAlgorithm,
    /// Tokens kept back for each level.
    pub reserve: PerLevel<u32>,
    /// What each level may take beside the rate.
    pub level_quotas: LevelQuotas,
    /// How many priorities there are.
    pub levels: Levels,
    /// One dispatch in so many goes to the lowest level that waits.
    pub min_share: Option<u32>,
    /// What one user may say at each level.
    pub sender_quota: PerLevel<Option<Quota>>,
    /// Senders of each level whose quota is kept apart.
    pub senders: u32,
    /// Notices a second, and in a burst.
    pub notices: u32,
    /// How long what was said is refused again.
    pub duplicates: DedupWindow,
    /// What waits for a verdict.
    pub review: ReviewConfig,
    /// The queue.
    pub queue: QueueConfig,
    /// Bytes of a payload at the most.
    pub payload_bytes: u32,
    /// Bytes of a profile at the most.
    pub profile_bytes: u32,
    /// Messages in the log.
    pub log_messages: PerLevel<u32>,
    /// Bytes in the log.
    pub log_bytes: PerLevel<u64>,
    /// At what age the log lets go of messages.
    pub log_age: Option<Duration>,
    /// At what age messages of each level are handed over no more.
    pub deliver_within: PerLevel<Option<Duration>>,
    /// Whether a sender's session gets its own messages.
    pub echo: Echo,
    /// Messages from before it came that a fresh session gets.
    pub replay_on_join: u32,
    /// Sessions at the most.
    pub sessions: u32,
    /// Sessions of a user at the most.
    pub sessions_per_user: u32,
    /// Admins at the most.
    pub admins: u32,
    /// Mutes at the most.
    pub mutes: u32,
    /// Marks at the most.
    pub marks: u32,
    /// Bans at the most.
    pub bans: u32,
    /// How much of its own data it holds.
    pub data: DataLimits,
    /// What is told to the room.
    pub tips: SystemMessages,
    /// Outcomes that may wait.
    pub outcomes: PerLevel<u32>,
    /// How outcomes are reported by default.
    pub outcome_sink: PerLevel<DefaultOutcomeSink>,
    /// Changes of presence that may wait.
    pub presence_events: u32,
    /// The audit.
    pub audit: Option<AuditConfig>,
    /// How long a closed session may still read.
    pub grace: Duration,
    /// Direct messages that may wait for a session.
    pub direct_messages: u32,
    /// Their bytes.
    pub direct_bytes: u64,
    /// At what age a token is no good any more.
    pub resume_within: Duration,
    /// How far ahead a token's time may be.
    pub resume_skew: Duration,
    /// How many messages of a level it reaches back at the most.
    pub resume_messages: u32,
    /// How long those who wait may be left waiting; nothing for High.
    pub coalesce: PerLevel<Duration>,
    /// How silence is told.
    pub heartbeat: Option<Heartbeat>,
    /// Arrivals that are remembered.
    pub recent_users: u32,
    /// How long a room may be empty.
    pub idle_timeout: Option<Duration>,
    /// How far one call may move the clock.
    pub max_step: Option<Duration>,
    /// How many shards the room may have; each is opened as soon as those before it have a
    /// session.
    pub shards: u32,
    /// The seed.
    pub seed: u64,
    /// Messages of each level that went out before the room's first.
    pub heads: PerLevel<u64>,
}

impl Default for Rules {
    /// What `RoomConfig::av_chat_room` documents.
    fn default() -> Self {
        use DefaultOutcomeSink::{CountedOnly, Event};
        let queue = queue(
            1_024,
            4 << 20,
            QueueDiscipline::Fifo,
            EvictionPolicy::BiggestSender,
            ([None, Some(5_000), Some(2_000), Some(1_000)], WhenLate::Wait),
            Duration::ZERO,
        );
        Self {
            owner: UserId(1),
            rate: 40,
            period: 1_000_000_000,
            burst: 40,
            rate_algorithm: RateAlgorithm::TokenBucket,
            reserve: PerLevel::default(),
            level_quotas: LevelQuotas::NONE,
            levels: Levels::Four,
            min_share: None,
            sender_quota: PerLevel([None; 4]),
            senders: 10_000,
            notices: 200,
            duplicates: DedupWindow::default(),
            review: ReviewConfig::NONE,
            queue,
            payload_bytes: 12 * 1024,
            profile_bytes: 1024,
            log_messages: PerLevel([512, 512, 256, 256]),
            log_bytes: PerLevel([2 << 20, 2 << 20, 1 << 20, 1 << 20]),
            log_age: None,
            deliver_within: PerLevel([None; 4]),
            echo: Echo::Off,
            replay_on_join: 0,
            sessions: 1 << 26,
            sessions_per_user: 16,
            admins: 5,
            mutes: 10_000,
            marks: 10_000,
            bans: 10_000,
            data: DataLimits::default(),
            tips: SystemMessages::NONE,
            outcomes: PerLevel([2_048; 4]),
            outcome_sink: PerLevel([Event, Event, CountedOnly, CountedOnly]),
            presence_events: 1_024,
            audit: None,
            coalesce: PerLevel([Duration::ZERO; 4]),
            heartbeat: None,
            recent_users: 1_000,
            idle_timeout: None,
            max_step: None,
            shards: 1,
            grace: Duration::from_secs(10),
            resume_within: Duration::from_secs(60),
            resume_skew: Duration::from_secs(5),
            resume_messages: 4_096,
            direct_messages: 256,
            direct_bytes: 256 << 10,
            seed: 0,
            heads: PerLevel::default(),
        }
    }
}

/// The settings of a queue; the ages at which messages expire in milliseconds.
pub fn queue(
    messages: u32,
    bytes: u64,
    discipline: QueueDiscipline,
    eviction: EvictionPolicy,
    (fresh_within, when_late): ([Option<u64>; 4], WhenLate),
    turn_memory: Duration,
) -> QueueConfig {
    let mut queue = QueueConfig::default();
    queue.messages = messages;
    queue.bytes = bytes;
    queue.discipline = discipline;
    queue.eviction = eviction;
    queue.fresh_within = PerLevel(fresh_within.map(|millis| millis.map(Duration::from_millis)));
    queue.when_late = when_late;
    queue.turn_memory = turn_memory;
    queue
}

impl Rules {
    /// The configuration that says the same.
    pub fn config(&self) -> Result<RoomConfig, ConfigError> {
        RoomConfig::builder(self.owner)
            .rate(self.rate)
            .rate_period(Duration::from_nanos(self.period))
            .burst(self.burst)
            .rate_algorithm(self.rate_algorithm)
            .reserve(self.reserve)
            .level_quotas(self.level_quotas)
            .levels(self.levels)
            .min_share(self.min_share)
            .sender_quota(self.sender_quota)
            .sender_table_size(self.senders)
            .notices(NonZeroU32::new(self.notices).unwrap_or(NonZeroU32::MIN))
            .dedup_window(self.duplicates)
            .review(self.review)
            .queue_messages(self.queue.messages)
            .queue_bytes(self.queue.bytes)
            .discipline(self.queue.discipline)
            .eviction(self.queue.eviction)
            .fresh_within(self.queue.fresh_within)
            .when_late(self.queue.when_late)
            .turn_memory(self.queue.turn_memory)
            .payload_bytes(self.payload_bytes)
            .profile_bytes(self.profile_bytes)
            .log_messages(self.log_messages)
            .log_bytes(self.log_bytes)
            .log_age(self.log_age)
            .deliver_within(self.deliver_within)
            .echo(self.echo)
            .replay_on_join(self.replay_on_join)
            .sessions(self.sessions)
            .sessions_per_user(self.sessions_per_user)
            .admins(self.admins)
            .mutes(self.mutes)
            .marks(self.marks)
            .bans(self.bans)
            .data(self.data)
            .system_messages(self.tips)
            .outcomes(self.outcomes)
            .outcome_sink(self.outcome_sink)
            .presence_events(self.presence_events)
            .audit(self.audit)
            .grace(self.grace)
            .resume_within(self.resume_within)
            .resume_skew(self.resume_skew)
            .resume_messages(self.resume_messages)
            .direct_messages(self.direct_messages)
            .direct_bytes(self.direct_bytes)
            .coalesce(self.coalesce)
            .heartbeat(self.heartbeat)
            .recent_users(self.recent_users)
            .idle_timeout(self.idle_timeout)
            .max_step(self.max_step)
            .seed(self.seed)
            .build()
    }

    /// How the sessions are spread.
    pub fn sharding(&self) -> Sharding {
        Sharding::new(self.shards, 1).unwrap_or_default()
    }

    /// What may pass, from every source together.
    pub fn rate_limit(&self) -> RateLimit {
        let [rate, burst] =
            [self.rate, self.burst].map(|count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        let rate =
            Rate::new(rate, Duration::from_nanos(self.period)).unwrap_or(Rate::per_second(rate));
        match self.rate_algorithm {
            RateAlgorithm::FixedWindow => RateLimit::Window(rate),
            RateAlgorithm::Unlimited => RateLimit::Unlimited,
            _ => RateLimit::Bucket(Quota { rate, burst }),
        }
    }

    /// Messages and bytes of the queue that each level keeps for itself: with a floor of one in k, a
    /// level below High a third of one part in k.
    pub fn kept_places(&self) -> PerLevel<(u64, u64)> {
        let levels = match self.levels {
            Levels::Two => 2,
            Levels::Three => 3,
            _ => 4,
        };
        PerLevel::from_fn(|level| match self.min_share {
            Some(k) if (1..levels).contains(&level.index()) => {
                let parts = 3 * u64::from(k);
                (u64::from(self.queue.messages) / parts, self.queue.bytes / parts)
            }
            _ => (0, 0),
        })
    }

    /// Tokens that a message of `level` must leave behind.
    pub fn kept(&self, level: Priority) -> u32 {
        Priority::ALL
            .into_iter()
            .filter(|&higher| higher > level)
            .map(|higher| self.reserve[higher])
            .sum()
    }
}
