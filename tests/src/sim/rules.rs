//! Rules that a room gets while it runs.

use super::random::Random;
use crate::rules::Rules;
use roomcast_core::config::{EvictionPolicy, QueueDiscipline};

/// Half to one and a half of so many, at least one.
fn about(random: &mut Random, count: u32) -> u32 {
    let count = u64::from(count);
    u32::try_from((count / 2 + random.below(count + 1)).max(1)).unwrap_or(u32::MAX)
}

/// The rules that a room began with, somewhat changed by a number: rates, queues, logs, tables and
/// times.
pub(super) fn changed(first: &Rules, draw: u64) -> Rules {
    let mut random = Random::new(draw);
    let mut rules = first.clone();
    rules.rate = about(&mut random, first.rate);
    // At least what is kept back, and one more.
    let kept: u32 = rules.reserve.values().sum();
    rules.burst = about(&mut random, first.burst).max(kept + 1);
    rules.min_share = random.of(&[first.min_share, Some(3)]);
    rules.notices = about(&mut random, first.notices);
    rules.queue.messages = about(&mut random, first.queue.messages);
    rules.queue.bytes =
        first.queue.bytes - random.below(first.queue.bytes - u64::from(first.payload_bytes));
    rules.queue.discipline =
        random.of(&[first.queue.discipline, QueueDiscipline::RoundRobin, QueueDiscipline::Random]);
    // With reviews, one that leaves no choice: see `Setup::rules`.
    rules.queue.eviction = random.of(&[EvictionPolicy::Newest, EvictionPolicy::Oldest]);
    if !first.review.levels.values().any(|&is| is) {
        rules.queue.eviction = random.of(&[first.queue.eviction, rules.queue.eviction]);
    }
    for messages in &mut rules.log_messages.0 {
        *messages = about(&mut random, *messages);
    }
    rules.sessions = about(&mut random, first.sessions.min(40));
    rules.replay_on_join = about(&mut random, 6) - 1;
    rules.recent_users = about(&mut random, 10);
    rules.outcomes.0 = first.outcomes.0.map(|slots| about(&mut random, slots));
    rules.direct_messages = about(&mut random, 6);
    rules
}
