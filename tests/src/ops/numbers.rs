//! What small numbers stand for.

use crate::moderation::Act;
use roomcast_core::{Budget, DataLimits, Duration, Group, Heartbeat, Priority, Quota, Rate, UserId};
use std::num::NonZeroU32;

pub(super) fn pick<T: Copy>(table: &[T], at: u8) -> T {
    table[usize::from(at) % table.len()]
}

/// Half of the time the usual budget, so that sessions that stand at one place share a batch; else a tight one.
pub(super) fn budget(messages: u8, bytes: u8) -> Budget {
    if messages >= 128 { Budget::default() } else { Budget { messages: u32::from(messages % 8), bytes: u64::from(bytes) } }
}

pub(super) fn group(at: u8) -> Group {
    Group::new(at / 128).unwrap_or_default()
}

pub(super) fn moderation(act: u8, user: u8, time: u8) -> Act {
    let seconds = [Some(Duration::ZERO), Some(Duration::from_millis(3)), Some(Duration::from_secs(60)), Some(Duration::MAX), None];
    let time = pick(&seconds, time);
    let first = UserId(u64::from(user % 6));
    let users = if act >= 128 { vec![first, UserId(u64::from(user / 6 % 6))] } else { vec![first] };
    match act % 9 {
        0 => Act::SetAdmin(first, true),
        1 => Act::SetAdmin(first, false),
        2 => Act::Mute(users, time),
        3 => Act::Unmute(users),
        4 => Act::MuteRoom(user.is_multiple_of(4)),
        5 => Act::Kick(users),
        6 => Act::Ban(users, time),
        _ => Act::Unban(users),
    }
}

/// One of seven keys: one is empty, one is too long.
pub(super) fn key(at: u8) -> String {
    pick(&["a", "b", "c", "d", "e", "", "far too long"], at).to_owned()
}

/// Three attributes and three counters at the most.
pub(super) fn data_limits() -> DataLimits {
    let mut limits = DataLimits::default();
    (limits.attribute_keys, limits.attribute_key_bytes, limits.attribute_value_bytes, limits.attribute_bytes) = (3, 8, 32, 64);
    limits.attribute_writes = NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN);
    (limits.counters, limits.counter_key_bytes) = (3, 8);
    limits
}

pub(super) fn sender_quota(at: u8) -> Option<Quota> {
    let (count, period, burst) =
        pick(&[None, Some((1, 1_000_000_000, 1)), None, Some((3, 1_000_000_000, 2)), Some((2, 7_000_003, 3))], at)?;
    let rate = Rate::new(NonZeroU32::new(count)?, Duration::from_nanos(period))?;
    Some(Quota { rate, burst: NonZeroU32::new(burst)? })
}

pub(super) fn level(at: u8) -> Priority {
    pick(&Priority::ALL, at)
}

/// Silence and looks in microseconds: both longer and shorter than the waits between operations, and at the edges of what may be.
pub(super) fn heartbeat(at: u8) -> Option<Heartbeat> {
    let table = [
        None,
        Some((30_000, 20_000)),
        Some((5_000, 1_000)),
        None,
        Some((1, 7_000)),
        Some((100_000, 1_000)),
        Some((60_000_000, 20_000_000)),
    ];
    let (silence, every) = pick(&table, at)?;
    Some(Heartbeat { silence: Duration::from_micros(silence), every: Duration::from_micros(every) })
}
