//! The configuration of a room: valid by construction.

mod audit;
mod builder;
mod change;
mod error;
#[cfg(feature = "serde")]
mod file;
mod heartbeat;
mod policy;
mod presets;
mod review;

pub use audit::{AuditConfig, AuditOverflow};
pub use builder::RoomConfigBuilder;
pub use error::ConfigError;
pub use heartbeat::Heartbeat;
pub(crate) use heartbeat::Scans;
pub use policy::{
    DefaultOutcomeSink, Echo, EvictionPolicy, Exempt, LevelQuotas, Levels, QueueConfig,
    QueueDiscipline, RateAlgorithm, WhenLate,
};
pub use review::{ReviewConfig, ReviewTimeout};

use crate::data::DataLimits;
use crate::dedup::DedupWindow;
use crate::ids::UserId;
use crate::priority::{PerLevel, Priority};
use crate::quota::{Quota, Rate, RateLimit};
use crate::system_messages::SystemMessages;
use crate::time::Duration;
use alloc::sync::Arc;
use core::num::NonZeroU32;
use core::ops::Deref;

/// The configuration of one room. [`RoomConfig::builder`] makes one; every value in it has been
/// checked.
///
/// ```
/// use roomcast_core::{PerLevel, RoomConfig, UserId};
///
/// // What users of AVChatRoom expect, with a fifth of the tokens kept back for High.
/// let config = RoomConfig::builder(UserId(1))
///     .rate(50)
///     .burst(50)
///     .reserve(PerLevel([10, 0, 0, 0]))
///     .build()?;
/// assert_eq!(config.rate_limit().to_string(), "50 per second, burst 50");
/// // A preset as it is, in a room that nobody owns.
/// assert_eq!(RoomConfig::av_chat_room(None).log_age(), None);
/// // What arrives is not old: this crate's own, for somebody who owns the room.
/// let config = RoomConfig::default().to_builder().owner(UserId(1)).build()?;
/// assert!(config.deliver_within()[roomcast_core::Priority::Normal].is_some());
/// # Ok::<(), roomcast_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomConfig {
    /// Rooms made from one configuration, and from its clones, share them.
    pub(crate) settings: Arc<Checked>,
    pub(crate) seed: Option<u64>,
}

/// Settings that have been checked together, but for the seed: that is a room's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    settings: Settings,
    rate_limit: RateLimit,
}

impl Checked {
    /// The owner is another one from now on: none is invalid.
    pub(crate) fn set_owner(&mut self, owner: Option<UserId>) {
        self.settings.owner = owner;
    }
}

impl Deref for Checked {
    type Target = Settings;

    #[inline]
    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Default for RoomConfig {
    /// A live room of 40 messages a second that nobody owns, in which what arrives is not old: an
    /// [`av_chat_room`](Self::av_chat_room) in which
    ///
    /// - the senders take turns, and those of the last 5 s are remembered
    ///   ([`discipline`](RoomConfigBuilder::discipline),
    ///   [`turn_memory`](RoomConfigBuilder::turn_memory));
    /// - what cannot go out in time is refused at once: High within 3 s, all else within 200 ms
    ///   ([`fresh_within`](RoomConfigBuilder::fresh_within),
    ///   [`when_late`](RoomConfigBuilder::when_late));
    /// - sessions are handed High for a minute and all else for two seconds, and the log keeps
    ///   nothing that is older than a minute ([`deliver_within`](RoomConfigBuilder::deliver_within),
    ///   [`log_age`](RoomConfigBuilder::log_age)).
    fn default() -> Self {
        let mut settings = Self::builder(None).settings;
        let queue = &mut settings.queue;
        let [high, rest] = [3_000, 200].map(|millis| Some(Duration::from_millis(millis)));
        (queue.fresh_within, queue.when_late) =
            (PerLevel([high, rest, rest, rest]), WhenLate::RefuseAtOnce);
        (queue.discipline, queue.turn_memory) =
            (QueueDiscipline::RoundRobin, Duration::from_secs(5));
        let (minute, text) = (Some(Duration::from_secs(60)), Some(Duration::from_secs(2)));
        settings.deliver_within = PerLevel([minute, text, text, text]);
        settings.log_age = minute;
        Self::of(settings, RateLimit::Bucket(presets::FORTY_A_SECOND))
    }
}

/// The values of a configuration, as the builder collects them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) owner: Option<UserId>,
    pub(crate) rate: u32,
    pub(crate) rate_period: Duration,
    pub(crate) burst: u32,
    pub(crate) rate_algorithm: RateAlgorithm,
    pub(crate) reserve: PerLevel<u32>,
    pub(crate) level_quotas: LevelQuotas,
    pub(crate) levels: Levels,
    pub(crate) min_share: Option<u32>,
    pub(crate) sender_quota: PerLevel<Option<Quota>>,
    pub(crate) sender_table_size: u32,
    pub(crate) dedup_window: DedupWindow,
    pub(crate) review: ReviewConfig,
    pub(crate) notices: NonZeroU32,
    pub(crate) queue: QueueConfig,
    pub(crate) payload_bytes: u32,
    pub(crate) profile_bytes: u32,
    pub(crate) log_messages: PerLevel<u32>,
    pub(crate) log_bytes: PerLevel<u64>,
    pub(crate) log_age: Option<Duration>,
    pub(crate) deliver_within: PerLevel<Option<Duration>>,
    pub(crate) outbox_capacity: u32,
    pub(crate) echo: Echo,
    pub(crate) replay_on_join: u32,
    pub(crate) sessions: u32,
    pub(crate) sessions_per_user: u32,
    pub(crate) admins: u32,
    pub(crate) mutes: u32,
    pub(crate) marks: u32,
    pub(crate) bans: u32,
    pub(crate) data: DataLimits,
    pub(crate) system_messages: SystemMessages,
    pub(crate) outcomes: PerLevel<u32>,
    pub(crate) outcome_sink: PerLevel<DefaultOutcomeSink>,
    pub(crate) presence_events: u32,
    pub(crate) audit: Option<AuditConfig>,
    pub(crate) direct_messages: u32,
    pub(crate) direct_bytes: u64,
    pub(crate) grace: Duration,
    pub(crate) resume_within: Duration,
    pub(crate) resume_skew: Duration,
    pub(crate) resume_messages: u32,
    pub(crate) coalesce: PerLevel<Duration>,
    pub(crate) heartbeat: Option<Heartbeat>,
    pub(crate) recent_users: u32,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_step: Option<Duration>,
    /// None in a configuration, which keeps it beside.
    seed: Option<u64>,
}

impl Settings {
    /// At what age the log lets go of messages: never before sessions that were in, or that resume,
    /// get them no more.
    pub(crate) fn effective_log_age(&self) -> Option<Duration> {
        let bounds = self.deliver_within.values().flatten().chain([&self.resume_within]);
        self.log_age.map(|age| bounds.fold(age, |age, &bound| age.max(bound)))
    }
}

/// Slots are 32-bit numbers and the last one means "none".
const MAX_SLOTS: u32 = u32::MAX - 1;
/// Few enough that the audience's hand comes by each session before 32 bits of positions are used
/// up.
const MAX_SESSIONS: u32 = 1 << 30;
/// Whoever asks for the newest users goes over all of them at once.
const MAX_RECENT_USERS: u32 = 1 << 16;
/// Records that an audit may hold.
const MAX_AUDIT: u32 = 1 << 24;
/// Half of what the 32 bits of a cursor can tell apart, less what may arrive between two looks at a
/// session.
const MAX_LOG: u32 = 1 << 24;

/// What one call may let go of when one of them falls out of the log.
const MAX_REPLAY: u32 = 4_096;

/// The notices of an `AVChatRoom`.
const TWO_HUNDRED: NonZeroU32 = NonZeroU32::new(200).unwrap();
impl RoomConfig {
    /// That of settings which are valid together.
    fn of(mut settings: Settings, rate_limit: RateLimit) -> Self {
        let seed = settings.seed.take();
        Self { settings: Arc::new(Checked { settings, rate_limit }), seed }
    }

    /// The settings as a builder has them.
    fn to_settings(&self) -> Settings {
        Settings { seed: self.seed, ..self.settings.settings.clone() }
    }

    /// The seed of the room's random choices and hashes. The core draws none itself: where the host
    /// set none, it is 0.
    pub(crate) fn own_seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }

    /// Starts from the defaults of [`av_chat_room`](Self::av_chat_room), with this owner or none.
    pub fn builder(owner: impl Into<Option<UserId>>) -> RoomConfigBuilder {
        use DefaultOutcomeSink::{CountedOnly, Event};
        RoomConfigBuilder {
            settings: Settings {
                owner: owner.into(),
                rate: 40,
                rate_period: Duration::from_secs(1),
                burst: 40,
                rate_algorithm: RateAlgorithm::TokenBucket,
                reserve: PerLevel::default(),
                level_quotas: LevelQuotas::NONE,
                levels: Levels::Four,
                min_share: None,
                sender_quota: PerLevel([None; 4]),
                sender_table_size: 10_000,
                dedup_window: DedupWindow::default(),
                review: ReviewConfig::default(),
                notices: TWO_HUNDRED,
                queue: QueueConfig::default(),
                payload_bytes: 12 * 1024,
                profile_bytes: 1024,
                log_messages: PerLevel([512, 512, 256, 256]),
                log_bytes: PerLevel([2 << 20, 2 << 20, 1 << 20, 1 << 20]),
                log_age: None,
                deliver_within: PerLevel([None; 4]),
                outbox_capacity: 1_024,
                echo: Echo::Off,
                replay_on_join: 0,
                sessions: 1 << 26,
                sessions_per_user: 16,
                admins: 5,
                mutes: 10_000,
                marks: 10_000,
                bans: 10_000,
                data: DataLimits::default(),
                system_messages: SystemMessages::NONE,
                outcomes: PerLevel([2_048; 4]),
                outcome_sink: PerLevel([Event, Event, CountedOnly, CountedOnly]),
                presence_events: 1_024,
                audit: None,
                direct_messages: 256,
                direct_bytes: 256 << 10,
                grace: Duration::from_secs(10),
                resume_within: Duration::from_secs(60),
                resume_skew: Duration::from_secs(5),
                resume_messages: 4_096,
                coalesce: PerLevel([Duration::ZERO; 4]),
                heartbeat: None,
                recent_users: 1_000,
                idle_timeout: None,
                max_step: None,
                seed: None,
            },
        }
    }

    /// A builder that starts from this configuration.
    pub fn to_builder(&self) -> RoomConfigBuilder {
        RoomConfigBuilder { settings: self.to_settings() }
    }

    /// The owner, if the room has one. One without is the host's: nobody else may close it or name
    /// admins.
    pub fn owner(&self) -> Option<UserId> {
        self.settings.owner
    }

    /// This configuration for another owner, or for none: for whoever
    /// [reconfigures](crate::RoomState::reconfigure) a room that was handed over.
    #[must_use]
    pub fn with_owner(mut self, owner: Option<UserId>) -> Self {
        Arc::make_mut(&mut self.settings).set_owner(owner);
        self
    }

    /// The most messages that wait at the seam, or of an edge for the room.
    pub fn outbox_capacity(&self) -> u32 {
        self.settings.outbox_capacity
    }

    /// The room's rate; `None` where it is unlimited.
    pub fn rate(&self) -> Option<Rate> {
        self.rate_limit().rate()
    }

    /// The seed, where one was set. See [`RoomConfigBuilder::seed`].
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// This configuration with a seed, unless one was set: for whoever makes rooms of
    /// configurations that others wrote.
    #[must_use]
    pub fn or_seed(mut self, seed: u64) -> Self {
        self.seed.get_or_insert(seed);
        self
    }

    /// This configuration, in the memory of another one that says the same but for the seed; as it
    /// is where that says anything else. For whoever makes many rooms of configurations that were
    /// each built anew. O(1) where they share their memory already.
    ///
    /// ```
    /// use roomcast_core::RoomConfig;
    ///
    /// let first = RoomConfig::default();
    /// let next = RoomConfig::default().or_seed(7).sharing(&first);
    /// assert_eq!((next.seed(), &next), (Some(7), &first.clone().or_seed(7)));
    /// ```
    #[must_use]
    pub fn sharing(mut self, other: &Self) -> Self {
        if self.settings == other.settings {
            self.settings = Arc::clone(&other.settings);
        }
        self
    }

    /// What may pass, from every source together.
    pub fn rate_limit(&self) -> RateLimit {
        self.settings.rate_limit
    }

    /// The audit, if the room writes one.
    pub fn audit(&self) -> Option<AuditConfig> {
        self.settings.audit
    }

    /// The queue's settings.
    pub fn queue(&self) -> QueueConfig {
        self.settings.queue
    }

    /// The maximum number of payload bytes.
    pub fn payload_bytes(&self) -> u32 {
        self.settings.payload_bytes
    }

    /// Tokens that a message of `level` must leave behind: the reserves of all higher levels.
    pub fn reserved_above(&self, level: Priority) -> u32 {
        self.settings.reserve.0[..level.index()].iter().sum()
    }

    /// How long those who wait may be left waiting after a message of each level.
    pub fn coalesce(&self) -> PerLevel<Duration> {
        self.settings.coalesce
    }

    /// How long a room without a session stays open; `None` is for ever.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.settings.idle_timeout
    }

    /// How far one call may move the room's clock; `None` is as far as it says.
    pub fn max_step(&self) -> Option<Duration> {
        self.settings.max_step
    }

    /// At what age messages of each level are handed over no more to a session that was in all the
    /// time; `None` is never.
    pub fn deliver_within(&self) -> PerLevel<Option<Duration>> {
        self.settings.deliver_within
    }

    /// At what age the log lets go of messages, as it takes effect; `None` is never. See
    /// [`RoomConfigBuilder::log_age`].
    pub fn log_age(&self) -> Option<Duration> {
        self.settings.effective_log_age()
    }

    /// The maximum number of sessions.
    pub fn sessions(&self) -> u32 {
        self.settings.sessions
    }

    /// Messages that the log holds of each level.
    pub fn log_messages(&self) -> PerLevel<u32> {
        self.settings.log_messages
    }
}
