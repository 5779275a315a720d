//! The token bucket against the law itself: all windows since the first grant, at any rate and under any clock.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use roomcast_core::quota::{NotYet, Rate};
use roomcast_core::time::Duration;
use roomcast_core::{Instant, TokenBucket};
use roomcast_tests::oracle::tokens::Tokens;
use std::num::{NonZeroU32, NonZeroU64};

#[derive(Arbitrary, Debug)]
struct Sequence {
    rate: NonZeroU32,
    period: NonZeroU64,
    burst: NonZeroU32,
    calls: Vec<(Clock, Call)>,
}

/// How the clock moves before a call.
#[derive(Arbitrary, Debug)]
enum Clock {
    Stays,
    Nanos(u8),
    Later(u32),
    /// To the very instant at which a token is there, or a nanosecond before it.
    Next {
        keep: u8,
        early: bool,
    },
    /// Anywhere, backwards too.
    Jumps(u64),
}

#[derive(Arbitrary, Debug)]
enum Call {
    Take,
    TakeKeeping(u8),
    TakeKeepingMany(u32),
}

fuzz_target!(|sequence: Sequence| {
    let Sequence { rate, period, burst, calls } = sequence;
    let every =
        Rate::new(rate, Duration::from_nanos(period.get())).expect("the period is not zero");
    let mut bucket = TokenBucket::new(every, burst);
    let mut oracle = Tokens::new(rate.get(), period.get(), burst.get());
    let (mut now, mut last) = (0_u64, 0_u64);
    for (clock, call) in calls {
        now = match clock {
            Clock::Stays => now,
            Clock::Nanos(nanos) => now.saturating_add(nanos.into()),
            Clock::Later(nanos) => now.saturating_add(nanos.into()),
            Clock::Next { keep, early } => bucket
                .next_at(Instant::from_nanos(now), keep.into())
                .map_or(now, |at| at.as_nanos().saturating_sub(early.into())),
            Clock::Jumps(to) => to,
        };
        let at = Instant::from_nanos(now);
        // Time that runs backwards counts as standing still. Looking does not move it.
        let seen = last.max(now);
        assert_eq!(bucket.available(at), oracle.whole(seen), "whole tokens at {seen}");
        let (answer, keep) = match call {
            Call::Take => (bucket.try_take(at), 0),
            Call::TakeKeeping(keep) => (bucket.try_take_keeping(at, keep.into()), keep.into()),
            Call::TakeKeepingMany(keep) => (bucket.try_take_keeping(at, keep), keep),
        };
        last = seen;
        let expected = if oracle.may_pass(seen, keep) {
            assert!(oracle.pass(seen), "a window holds too many at {seen}");
            Ok(())
        } else {
            Err(NotYet { retry_at: oracle.next(seen, keep).map(Instant::from_nanos) })
        };
        assert_eq!(answer, expected, "keeping {keep} at {seen}");
        let next = oracle.next(seen, keep).map(Instant::from_nanos);
        assert_eq!(bucket.next_at(at, keep), next, "the next token keeping {keep} after {seen}");
    }
});
