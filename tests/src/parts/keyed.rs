//! A limit for any key (clause B16), beside the oracle's quotas of single senders.

use crate::oracle::quotas::Quotas;
use crate::violation::{Check, Law, in_words, same};
use roomcast_core::quota::{NotYet, Quota, Rate};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, KeyedLimit, UserId};
use std::num::NonZeroU32;

/// A limit, and what is asked of it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// The rate: by a table from one in all time to a thousand a second.
    pub rate: u8,
    /// The burst: 1 to 4.
    pub burst: u8,
    /// How many keys have a place: 0 to 7, or from 250 on a hundred.
    pub places: u8,
    /// The seed.
    pub seed: u64,
    /// The calls.
    pub calls: Vec<Call>,
}

/// One call, in small numbers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// A token for a key.
    Take {
        /// Which: of 12; from 128 on of 128, for a flood of keys.
        key: u8,
    },
    /// A token for each of so many keys, one after the other.
    Flood {
        /// The first.
        first: u8,
        /// How many.
        count: u8,
    },
    /// So many nanoseconds, microseconds, milliseconds or seconds later.
    Wait {
        /// How many.
        count: u8,
        /// Of what.
        unit: u8,
    },
    /// At the instant that a key is told, or a nanosecond before it.
    Until {
        /// Which.
        key: u8,
        /// Before it.
        early: bool,
    },
}

fn key(of: u8) -> u64 {
    if of < 128 { u64::from(of % 12) } else { u64::from(of) }
}

struct Pair {
    limit: KeyedLimit,
    model: Quotas,
    places: u32,
    now: u64,
}

impl Pair {
    /// When a key gets a token if nothing else happens: it may have another bucket by then.
    fn expected(&self, key: u64) -> Result<(), Option<Instant>> {
        let user = UserId(key);
        let mut answer = self.model.check(Instant::from_nanos(self.now), user);
        while let Err(Some(at)) = answer
            && let Err(later) = self.model.check(at, user)
        {
            answer = Err(later);
        }
        answer
    }

    fn take(&mut self, key: u64) -> Check {
        let (now, user) = (Instant::from_nanos(self.now), UserId(key));
        let expected = self.expected(key).map_err(|retry_at| NotYet { retry_at });
        let name = |what: &'static str| in_words(move |f| write!(f, "{what} for {key} at {now}"));
        same(Law::L5Rate, name("a look"), expected, self.limit.check(now, key))?;
        let apart = self.model.is_apart(now, user);
        same(Law::L5Rate, name("a place"), apart, self.limit.has_place_for(now, key))?;
        same(Law::L5Rate, name("a token"), expected, self.limit.take(now, key))?;
        if expected.is_ok() {
            let holds = self.model.pass(now, user);
            same(Law::L5Rate, name("whether every window holds"), true, holds)?;
        }
        let fits = self.limit.len() <= self.places;
        same(Law::L7Bounded, name("whether there are too many keys"), true, fits)
    }
}

/// Asks the same of the limit and of the model.
pub fn run(sequence: &Sequence) -> Check {
    const SECOND: u64 = 1_000_000_000;
    let rates = [
        (2, SECOND),
        (1, SECOND),
        (1_000, SECOND),
        (7, 10_000_019),
        (40, 200_000_000),
        (1, u64::MAX),
        (3, 1),
    ];
    let (rate, period) = rates[usize::from(sequence.rate) % rates.len()];
    let burst = u32::from(sequence.burst % 4) + 1;
    let places = if sequence.places < 250 { u32::from(sequence.places % 8) } else { 100 };
    let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let rate = at_least_one(rate);
    let rate = Rate::new(rate, Duration::from_nanos(period)).unwrap_or(Rate::per_second(rate));
    let quota = Quota { rate, burst: at_least_one(burst) };
    let mut pair = Pair {
        limit: KeyedLimit::new(quota, places, sequence.seed),
        model: Quotas::new(quota, places),
        places,
        now: 5 * SECOND,
    };
    for (step, call) in sequence.calls.iter().enumerate() {
        let answer = match *call {
            Call::Take { key: of } => pair.take(key(of)),
            Call::Flood { first, count } => (0..u64::from(count % 80))
                .try_for_each(|more| pair.take(u64::from(first) * 3 + more)),
            Call::Wait { count, unit } => {
                let unit = [1, 1_000, 1_000_000, SECOND][usize::from(unit % 4)];
                pair.now = pair.now.saturating_add(u64::from(count) * unit);
                Ok(())
            }
            Call::Until { key: of, early } => {
                if let Err(Some(at)) = pair.expected(key(of)) {
                    pair.now = pair.now.max(at.as_nanos() - u64::from(early));
                }
                pair.take(key(of))
            }
        };
        answer.map_err(|violation| violation.at(step))?;
    }
    Ok(())
}
