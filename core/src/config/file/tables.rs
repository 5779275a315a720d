//! Settings that are tables of their own.

use super::{OnFile, Table, Written, on_file_as_table, read_table, read_value, table, write_table};
use crate::config::{AuditConfig, Exempt, Heartbeat, LevelQuotas, ReviewConfig};
use crate::data::DataLimits;
use crate::dedup::DedupWindow;
use crate::quota::RateLimit;
use crate::system_messages::{SystemMessageKind, SystemMessages};
use crate::{PerLevel, Priority};
use serde::de::{Deserializer, MapAccess};
use serde::ser::{SerializeMap, Serializer};

table!(DedupWindow, "a table of window and keys", Self::default(); window, keys);
table!(
    ReviewConfig, "a table of levels, timeout, on_timeout and tickets", Self::NONE;
    levels, timeout, on_timeout, tickets
);
table!(
    Heartbeat, "a table of silence, every and leave_after, or \"off\"", Self::AV_CHAT_ROOM;
    silence, every, leave_after
);
table!(
    AuditConfig, "a table of records, payload_bytes and when_full, or \"off\"", Self::default();
    records, payload_bytes, when_full
);
table!(
    DataLimits, "a table of the limits of attributes and counters", Self::default();
    attribute_keys, attribute_key_bytes, attribute_value_bytes, attribute_bytes, attribute_writes,
    counters, counter_key_bytes
);

impl Table for LevelQuotas {
    const WHAT: &'static str = "a table of high, normal, low, lowest and exempt";
    const KEYS: &'static [&'static str] = &["high", "normal", "low", "lowest", "exempt"];

    fn read_key<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "exempt" {
            return PerLevel::<Option<RateLimit>>::read_key(&mut self.levels, key, map);
        }
        self.exempt = read_value::<A, Exempt>(map, key, &self.exempt)?;
        Ok(())
    }

    fn write_keys<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error> {
        self.levels.write_keys(to)?;
        to.serialize_entry("exempt", &Written(&self.exempt))
    }
}

on_file_as_table!(LevelQuotas, Self::NONE);

/// The kinds of tips in the order of [`SystemMessageKind::ALL`], and then the other settings.
const TIPS: [&str; SystemMessageKind::NUM + 3] = [
    "joined",
    "left",
    "kicked",
    "banned",
    "admin_set",
    "admin_removed",
    "muted",
    "profile_changed",
    "attributes_changed",
    "counters",
    "speak_mode_set",
    "retracted",
    "owner_set",
    "pinned",
    "window",
    "counters_every",
    "names",
];

impl Table for SystemMessages {
    const WHAT: &'static str = "a table of the tips and their levels";
    const KEYS: &'static [&'static str] = &TIPS;

    fn read_key<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "window" => self.window = read_value(map, key, &self.window)?,
            "counters_every" => self.counters_every = read_value(map, key, &self.counters_every)?,
            "names" => self.names = read_value(map, key, &self.names)?,
            _ => {
                let mut kinds = SystemMessageKind::ALL.into_iter().zip(TIPS);
                if let Some((kind, _)) = kinds.find(|&(_, name)| name == key) {
                    let level: Option<Priority> = read_value(map, key, &self.level(kind))?;
                    *self = self.with(kind, level);
                }
            }
        }
        Ok(())
    }

    fn write_keys<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error> {
        for (kind, name) in SystemMessageKind::ALL.into_iter().zip(TIPS) {
            to.serialize_entry(name, &Written(&self.level(kind)))?;
        }
        to.serialize_entry("window", &Written(&self.window))?;
        to.serialize_entry("counters_every", &Written(&self.counters_every))?;
        to.serialize_entry("names", &Written(&self.names))
    }
}

on_file_as_table!(SystemMessages, Self::NONE);
