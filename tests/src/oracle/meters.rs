//! The two laws of what may pass: windows of any length, or aligned ones.

use super::tokens::Tokens;
use roomcast_core::quota::{Rate, RateLimit};

/// What has passed under one allowance.
#[derive(Clone, Debug)]
pub enum Meter {
    /// In every window of length T at most `burst + rate × T`.
    Tokens(Tokens),
    /// At most so many in each aligned window.
    Aligned(Aligned),
    /// Anything passes.
    Unlimited,
}

/// All that passed, by the instant.
#[derive(Clone, Debug)]
pub struct Aligned {
    count: u32,
    period: u64,
    passed: Vec<u64>,
    /// An instant in whose window nothing passes.
    closed: Option<u64>,
}

fn nanos(rate: Rate) -> u64 {
    u64::try_from(rate.period().as_nanos()).unwrap_or(u64::MAX)
}

impl Meter {
    /// Nothing has passed yet.
    pub fn new(rate_limit: RateLimit) -> Self {
        match rate_limit {
            RateLimit::Bucket(quota) => Self::Tokens(Tokens::new(
                quota.rate.count().get(),
                nanos(quota.rate),
                quota.burst.get(),
            )),
            RateLimit::Window(rate) => Self::Aligned(Aligned {
                count: rate.count().get(),
                period: nanos(rate),
                passed: Vec::new(),
                closed: None,
            }),
            RateLimit::Unlimited => Self::Unlimited,
        }
    }

    /// From `now` on what passes is counted by another allowance.
    #[must_use]
    pub fn become_of(&self, now: u64, rate_limit: RateLimit) -> Self {
        match (self, rate_limit) {
            (Self::Tokens(tokens), RateLimit::Bucket(quota)) => Self::Tokens(tokens.become_of(
                now,
                quota.rate.count().get(),
                nanos(quota.rate),
                quota.burst.get(),
            )),
            (_, RateLimit::Unlimited) => Self::Unlimited,
            (_, RateLimit::Bucket(quota)) => Self::Tokens(Tokens::holding(
                now,
                quota.rate.count().get(),
                nanos(quota.rate),
                quota.burst.get(),
                0,
            )),
            (Self::Aligned(aligned), RateLimit::Window(rate)) if aligned.period == nanos(rate) => {
                Self::Aligned(Aligned { count: rate.count().get(), ..aligned.clone() })
            }
            (_, RateLimit::Window(rate)) => {
                let (count, period) = (rate.count().get(), nanos(rate));
                Self::Aligned(Aligned { count, period, passed: Vec::new(), closed: Some(now) })
            }
        }
    }

    /// How many may pass now.
    pub fn whole(&self, now: u64) -> u32 {
        match self {
            Self::Tokens(tokens) => tokens.whole(now),
            Self::Aligned(aligned) => aligned.left(now),
            Self::Unlimited => u32::MAX,
        }
    }

    /// Whether one may pass and leave `keep`.
    pub fn may_pass(&self, now: u64, keep: u32) -> bool {
        matches!(self, Self::Unlimited) || self.whole(now) > keep
    }

    /// One passes. Answers whether every window still holds.
    pub fn pass(&mut self, now: u64) -> bool {
        match self {
            Self::Tokens(tokens) => tokens.pass(now),
            Self::Aligned(aligned) => {
                let had = aligned.left(now) > 0;
                aligned.passed.push(now);
                had
            }
            Self::Unlimited => true,
        }
    }

    /// The first instant from `now` on at which one may pass and leave `keep`; `None` when there is
    /// none.
    pub fn next(&self, now: u64, keep: u32) -> Option<u64> {
        match self {
            Self::Tokens(tokens) => tokens.next(now, keep),
            Self::Unlimited => Some(now),
            Self::Aligned(aligned) if keep >= aligned.count => None,
            Self::Aligned(aligned) if aligned.left(now) > keep => Some(now),
            // Nothing has passed in the next window yet.
            Self::Aligned(aligned) => (now / aligned.period + 1).checked_mul(aligned.period),
        }
    }
}

impl Aligned {
    fn left(&self, now: u64) -> u32 {
        if self.closed.is_some_and(|closed| closed / self.period == now / self.period) {
            return 0;
        }
        let inside =
            self.passed.iter().filter(|&&at| at / self.period == now / self.period).count();
        self.count.saturating_sub(u32::try_from(inside).unwrap_or(u32::MAX))
    }
}
