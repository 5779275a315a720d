//! The builder of a configuration, and its checks.

use super::error::{ConfigError, at_least, at_most};
use super::{
    AuditConfig, DefaultOutcomeSink, Echo, EvictionPolicy, Heartbeat, LevelQuotas, Levels,
    MAX_AUDIT, MAX_LOG, MAX_RECENT_USERS, MAX_REPLAY, MAX_SESSIONS, MAX_SLOTS, QueueDiscipline,
    RateAlgorithm, ReviewConfig, RoomConfig, Settings, WhenLate,
};
use crate::data::DataLimits;
use crate::dedup::DedupWindow;
use crate::ids::UserId;
use crate::priority::{PerLevel, Priority};
use crate::quota::{Quota, Rate, RateLimit};
use crate::system_messages::{MAX_NAMES, SystemMessages};
use crate::time::Duration;
use crate::work::MAX_WORK;
use core::num::NonZeroU32;

/// Collects the settings of a room; [`build`](Self::build) checks them together.
///
/// ```
/// use roomcast_core::{PerLevel, RoomConfig, UserId};
/// use roomcast_core::config::QueueDiscipline;
///
/// let config = RoomConfig::builder(UserId(1)).rate(100).burst(20).reserve(PerLevel([5, 0, 0, 0])).discipline(QueueDiscipline::RoundRobin);
/// assert!(config.build().is_ok());
/// let error = RoomConfig::builder(UserId(1)).rate(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "rate must not be zero");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RoomConfigBuilder {
    pub(super) settings: Settings,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $($field:ident).+;)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.settings.$($field).+ = $name;
            self
        }
    )*};
}

impl RoomConfigBuilder {
    setters! {
        /// Messages in each [`rate_period`](Self::rate_period), from every source together. Default
        /// 40.
        rate: u32 => rate;
        /// The period of [`rate`](Self::rate). Default 1 s.
        rate_period: Duration => rate_period;
        /// Tokens that the room's bucket holds when full. Default 40.
        burst: u32 => burst;
        /// How the rate is counted: by a token bucket, by aligned windows, or not at all. Default a
        /// bucket.
        rate_algorithm: RateAlgorithm => rate_algorithm;
        /// Tokens kept back for each level: a lower level takes one only while more than the
        /// reserves above it are left. They sum to less than the burst, or what a window holds. A
        /// bucket lends what is unused: once it is full, its reserve is there and all that comes in
        /// beyond goes to whoever waits. What is unused at the end of a window is gone. Default
        /// none.
        reserve: PerLevel<u32> => reserve;
        /// One dispatch in so many goes to a lower level, so that none starves: what passes a lower
        /// level over is counted, and the last of so many goes to the level that was served the
        /// longest ago instead, whatever the reserves. High is safe while it is below the rate,
        /// less one part in so many. Each level below High keeps a third of one part in so many of
        /// the queue's messages and bytes as well. At least 2; default none.
        min_share: Option<u32> => min_share;
        /// What each level may take beside the room's rate. Default no second limit.
        level_quotas: LevelQuotas => level_quotas;
        /// How many priorities the room tells apart. Default four.
        levels: Levels => levels;
        /// What one user may say at each level (slow mode); `None` is without limit. Default none
        /// at any: give High none, or a user's likes spend the quota of a gift.
        sender_quota: PerLevel<Option<Quota>> => sender_quota;
        /// Senders of each level whose quota is kept apart at a time; further ones share one.
        /// Default 10,000. See [`KeyedLimit`](crate::KeyedLimit).
        sender_table_size: u32 => sender_table_size;
        /// How long the same message of one sender is refused, and how many are remembered: those
        /// that are published with a [`dedup_key`](crate::Publish::dedup_key). Default a minute,
        /// 4,096.
        dedup_window: DedupWindow => dedup_window;
        /// Which messages wait for the host's verdict, and how long. Default none.
        review: ReviewConfig => review;
        /// The maximum number of messages in the queue. Default 1,024.
        queue_messages: u32 => queue.messages;
        /// The maximum number of payload bytes in the queue. Default 4 MiB.
        queue_bytes: u64 => queue.bytes;
        /// Whose turn it is inside a level. Default first come, first served.
        discipline: QueueDiscipline => queue.discipline;
        /// How long a sender's turns are remembered; zero is not at all. Those who had the fewest
        /// are first in the round, and last to give way as the biggest sender. At most 1,024 turns
        /// of a level are. Default zero.
        turn_memory: Duration => queue.turn_memory;
        /// Who gives way when the queue is full. Default the biggest sender.
        eviction: EvictionPolicy => queue.eviction;
        /// The age at which a message of each level is dispatched no more; `None` is never. Default
        /// none, 5 s, 2 s, 1 s. In a room that is offered far more than its rate, what gets through
        /// first come first served has waited nearly this long: a hot room wants it short, with
        /// [`when_late`](Self::when_late).
        fresh_within: PerLevel<Option<Duration>> => queue.fresh_within;
        /// What becomes of a message that could not go out within
        /// [`fresh_within`](Self::fresh_within): it waits and expires, or the call that offers it
        /// decides. Default it waits.
        when_late: WhenLate => queue.when_late;
        /// The maximum number of bytes of a payload. Default 12 KiB.
        payload_bytes: u32 => payload_bytes;
        /// The maximum number of bytes of a profile. Default 1 KiB.
        profile_bytes: u32 => profile_bytes;
        /// Messages that the log holds of each level: how far a session may fall behind before it
        /// skips. Default 512, 512, 256, 256; at most 2²⁴.
        log_messages: PerLevel<u32> => log_messages;
        /// Payload and profile bytes that the log holds of each level. Default 2, 2, 1 and 1 MiB.
        log_bytes: PerLevel<u64> => log_bytes;
        /// At what age messages of each level are handed over no more to a session that was in all the
        /// time: at this age since they were dispatched they are a gap, which says so
        /// ([`GapCause::Age`](crate::GapCause::Age)). What was there before a session came, and a resume
        /// or a late join asks for, is handed over however old
        /// ([`Batch::is_history`](crate::Batch::is_history)). More than zero; default `None`: never.
        /// [`RoomConfig::default`] has a minute for High and two seconds for all else.
        deliver_within: PerLevel<Option<Duration>> => deliver_within;
        /// At what age the log lets go of messages, and of their memory. It never does so before the
        /// longest [`deliver_within`](Self::deliver_within) and
        /// [`resume_within`](Self::resume_within), nor of what a late joiner would get
        /// ([`replay_on_join`](Self::replay_on_join)); what a session had not read by then it has
        /// missed. In a room to which messages come, those go that are older; one that has gone quiet
        /// lets go of all once the last one is. More than zero; default `None`: the log keeps as many
        /// messages as it holds for as long as no others come. [`RoomConfig::default`] has a minute.
        log_age: Option<Duration> => log_age;
        /// Dispatched messages that wait at the seam for an audience to take them over, beside
        /// those of the last call. Default 1,024, which is also the least. An audience that comes
        /// too late for some counts them as skipped and tells the gap.
        outbox_capacity: u32 => outbox_capacity;
        /// Whether a message comes back to the session that sent it. Default not.
        echo: Echo => echo;
        /// Messages from before it came that a fresh session gets: the last that were dispatched,
        /// over all levels together, back to the first that the log does not hold any more, so that
        /// there is no hole. Default 0, at most 4,096.
        replay_on_join: u32 => replay_on_join;
        /// The maximum number of sessions. Default 2²⁶; at most 2³⁰.
        sessions: u32 => sessions;
        /// The maximum number of sessions of one user. Default 16.
        sessions_per_user: u32 => sessions_per_user;
        /// The maximum number of admins. Default 5.
        admins: u32 => admins;
        /// The maximum number of users who are muted at one time. Default 10,000; a full table
        /// refuses.
        mutes: u32 => mutes;
        /// The maximum number of marked users. Default 10,000.
        marks: u32 => marks;
        /// The maximum number of users who are banned at one time. Default 10,000; a full table
        /// refuses.
        bans: u32 => bans;
        /// How many attributes and counters there may be, and how large. Default those of an
        /// `AVChatRoom`.
        data: DataLimits => data;
        /// What happens in the room and is told to the room, at which priority, and how it is
        /// folded. Default none.
        system_messages: SystemMessages => system_messages;
        /// Outcomes of each level that may wait to be polled. Default 2,048 each.
        outcomes: PerLevel<u32> => outcomes;
        /// How outcomes are reported when the publisher does not say. Default: events for High and
        /// Normal, counted only for Low and Lowest.
        outcome_sink: PerLevel<DefaultOutcomeSink> => outcome_sink;
        /// Changes of presence that may wait to be polled; more are folded and counted. Default
        /// 1,024.
        presence_events: u32 => presence_events;
        /// The audit: one record of each message and what became of it, to be taken with
        /// [`take_audit_record`](crate::RoomState::take_audit_record). Default `None`: the books count, and
        /// nothing is written.
        audit: Option<AuditConfig> => audit;
        /// Direct messages that may wait for one session: as many as a host hands to one that comes,
        /// such as a history, and some more. Default 256; with 0 none is sent but last words.
        direct_messages: u32 => direct_messages;
        /// Payload bytes of the direct messages that may wait for one session; a larger one is
        /// refused. Default 256 KiB.
        direct_bytes: u64 => direct_bytes;
        /// How long a session that was closed may still take what it is due. Default 10 s.
        grace: Duration => grace;
        /// For how long a [`ResumeToken`](crate::resume::ResumeToken) is good: at this age it no longer is.
        /// Default 60 s; zero honours none.
        resume_within: Duration => resume_within;
        /// How far ahead of this room's time that of a [`ResumeToken`](crate::resume::ResumeToken)
        /// may be: one that was taken on another machine has that one's time. Such a token counts as
        /// taken now. Default 5 s; zero honours none from the future.
        resume_skew: Duration => resume_skew;
        /// How many messages of each level, counted back from the newest, a session may read that
        /// comes with a [`ResumeToken`](crate::resume::ResumeToken): each is looked at whether it is
        /// the session's own. What lies further back is a gap. Default 4,096.
        resume_messages: u32 => resume_messages;
        /// How long those who wait may be left waiting after a message of each level, so that more
        /// of them share a wake-up and a write. High is told at once: its window is zero. Default
        /// none. See [`Audience::poll_wake`](crate::Audience::poll_wake).
        coalesce: PerLevel<Duration> => coalesce;
        /// How long a session may show no sign of life before it counts as silent, and how often
        /// that is looked at. Default `None`: nobody is ever silent, since a host that never calls
        /// [`touch`](crate::RoomState::touch) would lose its users. See [`Heartbeat`].
        heartbeat: Option<Heartbeat> => heartbeat;
        /// Arrivals that the room remembers, so that it can tell its newest users: 8 bytes each,
        /// written only when a user comes online by a join. Default 1,000; at most 2¹⁶; 0 keeps
        /// none. See [`RoomState::recent_users`](crate::RoomState::recent_users).
        recent_users: u32 => recent_users;
        /// How long a room may have no session before it closes by itself: from the last one's
        /// going, or from its beginning. It closes as by the host, with
        /// [`Event::RoomClosed`](crate::Event::RoomClosed) and then, since nobody is in,
        /// [`Event::RoomEnded`](crate::Event::RoomEnded); what waited in the queue is dropped. A
        /// host that keeps what lasts exports it on `RoomClosed`:
        /// [`export`](crate::RoomState::export) works in a closed room, too. A session in its grace
        /// is still one. More than zero; default `None`: the room stays.
        idle_timeout: Option<Duration> => idle_timeout;
        /// How far one call may move the room's clock. A call whose `now` is further ahead counts as
        /// this long, and [`AdmissionSnapshot::clock_steps_cut`](crate::admission::AdmissionSnapshot::clock_steps_cut)
        /// counts it: so one call with a wrong time holds a room up for this long at most, and not
        /// for good. What the first call says is believed.
        ///
        /// A room that nobody calls for longer is cut as well, since it cannot tell a rest from a
        /// wrong time: its clock stands behind then, [`poll_timeout`](crate::RoomState::poll_timeout)
        /// asks for the next call at once, and each call goes one step on, until the clock is there.
        /// Who calls that driver before each call of a user's, or lets each room have a call more
        /// often than this, never notices. A hub looks at its own clock, for all rooms together, and
        /// needs no setting here. More than zero; default `None`: the time is what the host says.
        max_step: Option<Duration> => max_step;
    }

    /// The owner, or none. See [`RoomConfig::owner`].
    pub fn owner(mut self, owner: impl Into<Option<UserId>>) -> Self {
        self.settings.owner = owner.into();
        self
    }

    /// The seed of every random choice and hash of the room: with the same one, the same
    /// calls have the same outcome. It is fixed for the room's life.
    ///
    /// Where none is set, a hub gives each room one of its own, at random unless the hub was given
    /// one, and [`reconfigure`](crate::RoomState::reconfigure) keeps the one that the room has. The
    /// core has no source of chance: a [`RoomState`](crate::RoomState), an
    /// [`Engine`](crate::Engine)'s room, an [`Edge`](crate::Edge) and an
    /// [`Admission`](crate::Admission) that a host makes itself then have seed 0. Whoever knows the
    /// seed can craft ids that all fall into one bucket of a hash table, so a server whose users
    /// choose their ids sets a secret one there.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Notices of the host a second, and in a burst: messages of
    /// [`Kind::Notice`](crate::Kind::Notice) from [`Source::Host`](crate::Source::Host). They go
    /// out at once, beside the room's rate and its queue. Default 200.
    pub fn notices(mut self, notices: NonZeroU32) -> Self {
        self.settings.notices = notices;
        self
    }

    /// Checks all settings together.
    pub fn build(self) -> Result<RoomConfig, ConfigError> {
        let s = &self.settings;
        let count = NonZeroU32::new(s.rate).ok_or(ConfigError::Zero { setting: "rate" })?;
        let rate =
            Rate::new(count, s.rate_period).ok_or(ConfigError::Zero { setting: "rate_period" })?;
        let burst = NonZeroU32::new(s.burst).ok_or(ConfigError::Zero { setting: "burst" })?;
        let rate_limit = match s.rate_algorithm {
            RateAlgorithm::TokenBucket => RateLimit::Bucket(Quota { rate, burst }),
            RateAlgorithm::FixedWindow => RateLimit::Window(rate),
            RateAlgorithm::Unlimited => RateLimit::Unlimited,
        };
        let reserved: u64 = s.reserve.values().map(|&tokens| u64::from(tokens)).sum();
        at_most("the sum of reserve", reserved, u64::from(rate_limit.burst()) - 1)?;
        if let Some(min_share) = s.min_share {
            at_least(
                "min_share",
                u64::from(min_share),
                2,
                "with 1, every dispatch would go to the lowest level",
            )?;
        }
        for (setting, value) in [
            ("queue_messages", s.queue.messages),
            ("payload_bytes", s.payload_bytes),
            ("sessions", s.sessions),
            ("sessions_per_user", s.sessions_per_user),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero { setting });
            }
        }
        at_most("system_messages.names", u64::from(s.system_messages.names), u64::from(MAX_NAMES))?;
        let times =
            [("idle_timeout", s.idle_timeout), ("max_step", s.max_step), ("log_age", s.log_age)];
        let ages = s.deliver_within.values().map(|&age| ("deliver_within", age));
        for (setting, time) in times.into_iter().chain(ages) {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(ConfigError::Zero { setting });
            }
        }
        if let Some(heartbeat) = &s.heartbeat {
            heartbeat.check()?;
        }
        if let Some(audit) = s.audit {
            let records = u64::from(audit.records);
            at_least("audit.records", records, 1, "an audit without records is none")?;
            at_most("audit.records", records, u64::from(MAX_AUDIT))?;
        }
        at_least(
            "outbox_capacity",
            u64::from(s.outbox_capacity),
            u64::from(MAX_WORK),
            "one call may dispatch that many",
        )?;
        at_most("queue_messages", u64::from(s.queue.messages), u64::from(MAX_SLOTS))?;
        at_most("recent_users", u64::from(s.recent_users), u64::from(MAX_RECENT_USERS))?;
        at_most("sessions", u64::from(s.sessions), u64::from(MAX_SESSIONS))?;
        at_most("replay_on_join", u64::from(s.replay_on_join), u64::from(MAX_REPLAY))?;
        if !s.coalesce[Priority::High].is_zero() {
            return Err(ConfigError::NotZero { setting: "coalesce window for High" });
        }
        let payload = u64::from(s.payload_bytes);
        at_least("queue_bytes", s.queue.bytes, payload, "a payload may be that large")?;
        let stored = payload + u64::from(s.profile_bytes);
        for &bytes in s.log_bytes.values() {
            at_least("log_bytes", bytes, stored, "a payload and a profile may be that large")?;
        }
        for &messages in s.log_messages.values() {
            at_least("log_messages", u64::from(messages), 1, "a message passes through the log")?;
            at_most("log_messages", u64::from(messages), u64::from(MAX_LOG))?;
        }
        Ok(RoomConfig::of(self.settings, rate_limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn builder() -> RoomConfigBuilder {
        RoomConfig::builder(UserId(1))
    }

    #[test]
    fn the_preset_is_what_the_builder_starts_from() {
        assert_eq!(builder().build(), Ok(RoomConfig::av_chat_room(UserId(1))));
    }

    #[test]
    fn each_bad_setting_is_named_with_its_value() {
        let message = |builder: RoomConfigBuilder| builder.build().unwrap_err().to_string();
        assert_eq!(message(builder().burst(0)), "burst must not be zero");
        assert_eq!(message(builder().rate_period(Duration::ZERO)), "rate_period must not be zero");
        assert_eq!(
            message(builder().reserve(PerLevel([30, 10, 0, 0]))),
            "the sum of reserve must be at most 39, not 40"
        );
        assert_eq!(message(builder().queue_messages(0)), "queue_messages must not be zero");
        assert_eq!(
            message(builder().queue_messages(u32::MAX)),
            "queue_messages must be at most 4294967294, not 4294967295"
        );
        assert_eq!(
            message(builder().queue_bytes(100)),
            "queue_bytes must be at least 12288, not 100: a payload may be that large"
        );
        assert_eq!(
            message(builder().log_messages(PerLevel([1, 1, 0, 1]))),
            "log_messages must be at least 1, not 0: a message passes through the log"
        );
        let window =
            PerLevel([Duration::from_nanos(5), Duration::ZERO, Duration::ZERO, Duration::ZERO]);
        assert_eq!(message(builder().coalesce(window)), "coalesce window for High must be zero");
        assert_eq!(
            message(builder().replay_on_join(4_097)),
            "replay_on_join must be at most 4096, not 4097"
        );
        let min_share = "min_share must be at least 2, not 1: with 1, every dispatch would go to \
                         the lowest level";
        assert_eq!(message(builder().min_share(Some(1))), min_share);
        let audit = |records| Some(AuditConfig { records, ..AuditConfig::default() });
        assert_eq!(
            message(builder().audit(audit(0))),
            "audit.records must be at least 1, not 0: an audit without records is none"
        );
        assert_eq!(
            message(builder().audit(audit((1 << 24) + 1))),
            "audit.records must be at most 16777216, not 16777217"
        );
        assert_eq!(message(builder().sessions(0)), "sessions must not be zero");
        assert_eq!(
            message(builder().idle_timeout(Some(Duration::ZERO))),
            "idle_timeout must not be zero"
        );
        assert_eq!(message(builder().max_step(Some(Duration::ZERO))), "max_step must not be zero");
        assert_eq!(message(builder().log_age(Some(Duration::ZERO))), "log_age must not be zero");
        assert_eq!(
            message(builder().deliver_within(PerLevel([None, None, Some(Duration::ZERO), None]))),
            "deliver_within must not be zero"
        );
        assert_eq!(
            message(builder().recent_users(65_537)),
            "recent_users must be at most 65536, not 65537"
        );
        let beat = |silence, every| Some(Heartbeat { silence, every, leave_after: None });
        let second = Duration::from_secs(1);
        assert_eq!(
            message(builder().heartbeat(beat(Duration::ZERO, second))),
            "heartbeat.silence must not be zero"
        );
        let too_long = "heartbeat.silence in nanoseconds must be at most 100000000000, not \
                        100000000001";
        assert_eq!(
            message(builder().heartbeat(beat(Duration::from_nanos(100_000_000_001), second))),
            too_long
        );
        let too_often = "heartbeat.every in nanoseconds must be at least 1000000, not 999999: \
                         a look goes over all sessions";
        assert_eq!(
            message(builder().heartbeat(beat(second, Duration::from_nanos(999_999)))),
            too_often
        );
        let at_once = Heartbeat { leave_after: Some(Duration::ZERO), ..Heartbeat::AV_CHAT_ROOM };
        assert_eq!(
            message(builder().heartbeat(Some(at_once))),
            "heartbeat.leave_after must not be zero"
        );
        assert!(builder().heartbeat(Some(Heartbeat::AV_CHAT_ROOM)).build().is_ok());
    }

    #[test]
    fn reserves_add_up_downwards() {
        let config = builder().reserve(PerLevel([5, 3, 1, 0])).build().unwrap();
        assert_eq!(Priority::ALL.map(|level| config.reserved_above(level)), [0, 5, 8, 9]);
    }
}
