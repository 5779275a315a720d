//! Quotas of single senders: the law of windows for each, and places for so many.

use super::tokens::Tokens;
use roomcast_core::quota::Quota;
use roomcast_core::{Instant, UserId};
use std::collections::BTreeMap;

/// The quotas of the senders of one level.
#[derive(Clone, Debug)]
pub struct Quotas {
    quota: Quota,
    places: usize,
    own: BTreeMap<UserId, Tokens>,
    shared: Tokens,
}

fn full(quota: Quota) -> Tokens {
    let period = u64::try_from(quota.rate.period().as_nanos()).unwrap_or(u64::MAX);
    Tokens::new(quota.rate.count().get(), period, quota.burst.get())
}

impl Quotas {
    /// Nobody has said anything.
    pub fn new(quota: Quota, places: u32) -> Self {
        Self { quota, places: places as usize, own: BTreeMap::new(), shared: full(quota) }
    }

    /// From now on places for so many.
    pub fn set_places(&mut self, places: u32) {
        self.places = places as usize;
    }

    /// The quota of each.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Who has not got the whole burst back has a place of their own; those who find none share.
    fn of(&mut self, now: u64, user: UserId) -> &mut Tokens {
        let last = self.quota.burst.get() - 1;
        self.own.retain(|_, tokens| tokens.next(now, last) != Some(now));
        if !self.own.contains_key(&user) && self.own.len() >= self.places {
            return &mut self.shared;
        }
        self.own.entry(user).or_insert_with(|| full(self.quota))
    }

    /// Whether a user may speak, or when.
    pub fn check(&self, now: Instant, user: UserId) -> Result<(), Option<Instant>> {
        let now = now.as_nanos();
        let mut looked_at = self.clone();
        let tokens = looked_at.of(now, user);
        if tokens.may_pass(now, 0) {
            Ok(())
        } else {
            Err(tokens.next(now, 0).map(Instant::from_nanos))
        }
    }

    /// A user has spoken. Answers whether every window holds.
    pub fn pass(&mut self, now: Instant, user: UserId) -> bool {
        let now = now.as_nanos();
        self.of(now, user).pass(now)
    }
}
