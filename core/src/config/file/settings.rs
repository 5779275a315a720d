//! All settings of a room, under the names that the builder has for them.

use super::{Table, Written, read_table, read_value, write_table};
use crate::config::{QueueConfig, RoomConfig, RoomConfigBuilder, Settings};
use crate::quota::Rate;
use core::num::NonZeroU32;
use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A setting that is missing here does not compile: both types are taken apart whole.
macro_rules! settings {
    ($($key:ident),*; of the queue: $($queue_key:ident => $field:ident),*) => {
        impl Table for Settings {
            const WHAT: &'static str = "a table of a room's settings";
            const KEYS: &'static [&'static str] =
                &["rate", $(stringify!($key),)* $(stringify!($queue_key)),*];

            fn read_key<'de, A: MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    // With its period: the burst is a setting of its own.
                    "rate" => {
                        let any = Rate::per_second(NonZeroU32::MIN);
                        let rate: Rate = read_value(map, key, &any)?;
                        (self.rate, self.rate_period) = (rate.count().get(), rate.period());
                    }
                    $(stringify!($key) => self.$key = read_value(map, key, &self.$key)?,)*
                    $(stringify!($queue_key) => {
                        self.queue.$field = read_value(map, key, &self.queue.$field)?;
                    })*
                    _ => {}
                }
                Ok(())
            }

            fn write_keys<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error> {
                let Self { rate, rate_period, queue, $($key),* } = self;
                let QueueConfig { $($field),* } = queue;
                let rate = NonZeroU32::new(*rate).and_then(|count| Rate::new(count, *rate_period));
                if let Some(rate) = rate {
                    to.serialize_entry("rate", &Written(&rate))?;
                }
                $(to.serialize_entry(stringify!($key), &Written($key))?;)*
                $(to.serialize_entry(stringify!($queue_key), &Written($field))?;)*
                Ok(())
            }
        }
    };
}

settings! {
    owner, seed, burst, rate_algorithm, reserve, level_quotas, levels, min_share, sender_quota,
    sender_table_size, dedup_window, review, notices, payload_bytes, profile_bytes, log_messages,
    log_bytes, log_age, deliver_within, outbox_capacity, echo, replay_on_join, sessions,
    sessions_per_user, admins, mutes, bans, marks, data, system_messages, outcomes, outcome_sink,
    presence_events, audit, direct_messages, direct_bytes, grace, resume_within, resume_skew,
    resume_messages, coalesce, heartbeat, recent_users, idle_timeout, max_step;
    of the queue:
    queue_messages => messages, queue_bytes => bytes, discipline => discipline,
    turn_memory => turn_memory, eviction => eviction, fresh_within => fresh_within,
    when_late => when_late
}

impl RoomConfig {
    /// Reads a configuration from a file: what it does not say is as in this one. Feature `serde`.
    ///
    /// The keys are the names of the [builder's](RoomConfigBuilder) settings. Durations are written
    /// as `"200 ms"` or `"1m 30s"`; rates as `"40/s"` or `"10/min"`, the room's period included;
    /// quotas as `"2/s burst 5"`, limits also as `"40/s window"`; what is not set is `"off"`. What
    /// each level has is one value for all, or a table of `high`, `normal`, `low` and `lowest`.
    /// It takes a format that says itself what comes next, as TOML and JSON do.
    ///
    /// # Errors
    /// A key is unknown: the error lists those that there are. A value is none of its key, or the
    /// settings do not fit together: the error names the key, the value and what it may be, as
    /// [`build`](RoomConfigBuilder::build) does.
    ///
    /// ```
    /// use roomcast_core::{Priority, RoomConfig};
    ///
    /// let text = r#"
    ///     rate = "60/s"
    ///     burst = 60
    ///     reserve = { high = 20 }
    ///     discipline = "round_robin"
    ///     fresh_within = { high = "3 s", normal = "500 ms" }
    ///     idle_timeout = "10 min"
    /// "#;
    /// let base = RoomConfig::av_chat_room(None);
    /// let config = base.deserialize_over(toml::Deserializer::parse(text)?)?;
    /// assert_eq!(config.rate_limit().to_string(), "60 per second, burst 60");
    /// assert_eq!(config.reserved_above(Priority::Normal), 20);
    ///
    /// let error = toml::from_str::<RoomConfig>("queue_bytes = 100").unwrap_err();
    /// let message = "queue_bytes must be at least 12288, not 100: a payload may be that large";
    /// assert!(error.to_string().contains(message));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deserialize_over<'de, D: Deserializer<'de>>(&self, from: D) -> Result<Self, D::Error> {
        let settings = read_table(from, &self.to_settings())?;
        RoomConfigBuilder { settings }.build().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for RoomConfig {
    /// As [`deserialize_over`](RoomConfig::deserialize_over) [the default](RoomConfig::default).
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::default().deserialize_over(from)
    }
}

impl Serialize for RoomConfig {
    /// Writes every setting, the seed included where one is set.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_table(&self.to_settings(), to)
    }
}
