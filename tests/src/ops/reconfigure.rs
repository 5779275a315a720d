//! What a running room's settings become.

use super::Setup;
use super::numbers::{audit, heartbeat, pick};
use crate::rules::Rules;
use roomcast_core::UserId;
use roomcast_core::config::{Echo, EvictionPolicy, Levels};
use std::num::NonZeroU32;

/// The settings of a room that may change while it runs, in small numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    first: Setup,
    setup: Setup,
    /// What a payload and a profile may have, by a table.
    payload: u8,
    /// How much data of its own the room may hold, by tables.
    data: [u8; 4],
}

impl Change {
    /// As the room begins.
    pub(super) fn new(setup: Setup) -> Self {
        Self { first: setup, setup, payload: 0, data: [0; 4] }
    }

    /// With other settings: a bit for each group.
    pub(super) fn apply(self, what: u32, to: [u8; 4]) -> Self {
        let mut new = self;
        let [a, b, c, d] = to;
        for group in (0..28).filter(|group| what >> group & 1 != 0) {
            let setup = &mut new.setup;
            match group {
                0 => setup.rate = a,
                1 => setup.burst = b,
                2 => setup.reserve = [a, b, c],
                3 => setup.limits.rate_algorithm = d,
                4 => (setup.limits.quotas, setup.limits.exempt) = (to, a & 1 != 0),
                5 => setup.min_share.0 = c,
                6 => setup.min_share.1 = d,
                7 => setup.sender_quota.0 = to,
                8 => setup.sender_quota.1 = a,
                9 => setup.queue = b,
                10 => setup.queue_bytes = c,
                11 => setup.wait = to,
                12 => setup.log = to,
                13 => setup.log_bytes = d,
                14 => setup.late = a,
                15 => setup.sessions = (b, c),
                16 => setup.moderation = d,
                17 => (setup.outcomes, setup.outcome_sink, setup.presence) = (to, b, c),
                18 => (setup.directs, setup.grace, setup.resume) = ((a, b), c, d),
                19 => (setup.coalesce, setup.heartbeat.1) = ([a, b, c], d),
                20 => (setup.limits.review, setup.limits.duplicates) = ((a, b), c),
                21 => {
                    (setup.limits.tips, setup.expire) = ((u16::from(a) << 8 | u16::from(b), c), d);
                }
                22 => new.payload = a,
                23 => new.data = to,
                24 => setup.step = b,
                25 => setup.ages = (to, a ^ d),
                26 => setup.discipline = c,
                _ => setup.eviction = b,
            }
        }
        new
    }

    /// The rules that these numbers stand for; what is fixed is as at the beginning.
    pub(super) fn rules(self) -> Rules {
        let (first, mut rules) = (self.first.rules(), self.setup.rules());
        // A room that may review has a policy that leaves no choice: see `Setup::rules`.
        if !first.review.levels.values().any(|&is| is) {
            rules.review.levels = first.review.levels;
        } else if !matches!(rules.queue.eviction, EvictionPolicy::Newest | EvictionPolicy::Oldest) {
            rules.queue.eviction = first.queue.eviction;
        }
        (rules.payload_bytes, rules.profile_bytes) =
            pick(&[(64, 16), (40, 16), (64, 3)], self.payload);
        let [keys, bytes, writes, counters] = self.data;
        rules.data.attribute_keys = pick(&[3, 2, 0], keys);
        (rules.data.attribute_bytes, rules.data.attribute_value_bytes) =
            pick(&[(64, 32), (30, 32), (64, 10)], bytes);
        rules.data.attribute_writes =
            NonZeroU32::new(pick(&[2, 1, 5], writes)).unwrap_or(NonZeroU32::MIN);
        (rules.data.attribute_key_bytes, rules.data.counters) =
            pick(&[(8, 3), (8, 1), (1, 3)], counters);
        rules
    }

    /// The same, but for one setting that may not change; mostly none.
    pub(super) fn fixed(self, at: u8) -> Rules {
        let mut rules = self.rules();
        match at {
            0 => rules.owner = UserId(5),
            1 => rules.seed += 1,
            4 => rules.echo = if rules.echo == Echo::Off { Echo::On } else { Echo::Off },
            5 => {
                rules.levels = if rules.levels == Levels::Four { Levels::Two } else { Levels::Four }
            }
            6 => rules.heartbeat = if rules.heartbeat.is_some() { None } else { heartbeat(1) },
            7 => rules.audit = if rules.audit.is_some() { None } else { audit(1) },
            _ => {}
        }
        rules
    }
}
