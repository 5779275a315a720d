//! The token bucket (clause A14, law L5) beside the law itself: all windows since the first grant, at any rate and
//! under any clock.

use crate::oracle::tokens::Tokens;
use crate::violation::{Check, Law, in_words, same};
use roomcast_core::quota::{NotYet, Rate};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, TokenBucket};
use std::num::{NonZeroU32, NonZeroU64};

/// A bucket, and what is asked of it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Sequence {
    /// Tokens in a period.
    pub rate: NonZeroU32,
    /// The period, in nanoseconds.
    pub period: NonZeroU64,
    /// How many of their low bits are left out of each, so that any bytes are small numbers as often
    /// as large ones.
    pub smaller: (u8, u8),
    /// How many it holds.
    pub burst: NonZeroU32,
    /// The calls, and how the clock moves before each.
    pub calls: Vec<(Clock, Call)>,
}

/// How the clock moves before a call.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Clock {
    /// Not at all.
    Stays,
    /// A little.
    Nanos(u8),
    /// By up to four seconds.
    Later(u32),
    /// To the very instant at which a token is there.
    Next {
        /// So many are kept.
        keep: u8,
        /// A nanosecond before it.
        early: bool,
    },
    /// Anywhere, backwards too.
    Jumps(u64),
}

/// A call.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Call {
    /// A token.
    Take,
    /// A token, if so many are left.
    TakeKeeping(u8),
    /// A token, if so many are left.
    TakeKeepingMany(u32),
}

/// Asks the same of the bucket and of the law.
pub fn run(sequence: &Sequence) -> Check {
    let Sequence { rate, period, smaller, burst, calls } = sequence;
    let rate = NonZeroU32::new(rate.get() >> (smaller.0 % 32)).unwrap_or(NonZeroU32::MIN);
    let period = NonZeroU64::new(period.get() >> (smaller.1 % 64)).unwrap_or(NonZeroU64::MIN);
    let Some(every) = Rate::new(rate, Duration::from_nanos(period.get())) else {
        return same(Law::L5Rate, "whether a period above zero makes a rate", true, false);
    };
    let mut bucket = TokenBucket::new(every, *burst);
    let mut law = Tokens::new(rate.get(), period.get(), burst.get());
    let (mut now, mut last) = (0_u64, 0_u64);
    for (step, (clock, call)) in calls.iter().enumerate() {
        now = match *clock {
            Clock::Stays => now,
            Clock::Nanos(nanos) => now.saturating_add(nanos.into()),
            Clock::Later(nanos) => now.saturating_add(nanos.into()),
            Clock::Next { keep, early } => bucket
                .next_at(Instant::from_nanos(now), keep.into())
                .map_or(now, |at| at.as_nanos().saturating_sub(early.into())),
            Clock::Jumps(to) => to,
        };
        // Time that runs backwards counts as standing still. Looking does not move it.
        let seen = last.max(now);
        ask(&mut bucket, &mut law, (now, seen), *call).map_err(|violation| violation.at(step))?;
        last = seen;
    }
    Ok(())
}

fn ask(bucket: &mut TokenBucket, law: &mut Tokens, (now, seen): (u64, u64), call: Call) -> Check {
    let at = Instant::from_nanos(now);
    let whole = in_words(move |f| write!(f, "whole tokens at {seen} ns"));
    same(Law::L5Rate, whole, law.whole(seen), bucket.available(at))?;
    let (answer, keep) = match call {
        Call::Take => (bucket.try_take(at), 0),
        Call::TakeKeeping(keep) => (bucket.try_take_keeping(at, keep.into()), keep.into()),
        Call::TakeKeepingMany(keep) => (bucket.try_take_keeping(at, keep), keep),
    };
    let expected = if law.may_pass(seen, keep) {
        let holds = in_words(move |f| write!(f, "whether every window up to {seen} ns holds"));
        same(Law::L5Rate, holds, true, law.pass(seen))?;
        Ok(())
    } else {
        Err(NotYet { retry_at: law.next(seen, keep).map(Instant::from_nanos) })
    };
    let token = in_words(move |f| write!(f, "a token at {seen} ns, keeping {keep}"));
    same(Law::L5Rate, token, expected, answer)?;
    let next = in_words(move |f| write!(f, "the next token after {seen} ns, keeping {keep}"));
    same(Law::L5Rate, next, law.next(seen, keep).map(Instant::from_nanos), bucket.next_at(at, keep))
}
