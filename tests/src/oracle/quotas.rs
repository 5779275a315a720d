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

    /// From now on another quota: what each has left counts on.
    #[must_use]
    pub fn become_of(&self, now: u64, quota: Quota) -> Self {
        let period = u64::try_from(quota.rate.period().as_nanos()).unwrap_or(u64::MAX);
        let change = |tokens: &Tokens| {
            tokens.become_of(now, quota.rate.count().get(), period, quota.burst.get())
        };
        // Whoever has the whole burst is like one who has never spoken.
        let mut here = self.clone();
        here.let_go(now);
        let own = here.own.iter().map(|(&user, tokens)| (user, change(tokens))).collect();
        Self { quota, places: self.places, own, shared: change(&self.shared) }
    }

    /// Whether a user has a place, or finds one.
    pub fn is_apart(&self, now: Instant, user: UserId) -> bool {
        let mut looked_at = self.clone();
        looked_at.let_go(now.as_nanos());
        looked_at.own.contains_key(&user) || looked_at.own.len() < self.places
    }

    /// Who has got the whole burst back needs no place.
    fn let_go(&mut self, now: u64) {
        let last = self.quota.burst.get() - 1;
        self.own.retain(|_, tokens| tokens.next(now, last) != Some(now));
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
        self.let_go(now);
        if !self.own.contains_key(&user) && self.own.len() >= self.places {
            return &mut self.shared;
        }
        self.own.entry(user).or_insert_with(|| full(self.quota))
    }

    /// Whether a user may speak, or when.
    pub fn check(&self, now: Instant, user: UserId) -> Result<(), Option<Instant>> {
        let nanos = now.as_nanos();
        let is_apart = self.is_apart(now, user);
        let mut looked_at = self.clone();
        let tokens = looked_at.of(nanos, user);
        if tokens.may_pass(nanos, 0) {
            return Ok(());
        }
        let next = tokens.next(nanos, 0);
        // Whoever has none may find a place before.
        let last = self.quota.burst.get() - 1;
        let mut free: Vec<u64> =
            looked_at.own.values().filter_map(|tokens| tokens.next(nanos, last)).collect();
        free.sort_unstable();
        let place = looked_at.own.len().checked_sub(self.places).filter(|_| !is_apart);
        let place = place.and_then(|surplus| free.get(surplus)).copied();
        Err(next.into_iter().chain(place).min().map(Instant::from_nanos))
    }

    /// A user has spoken. Answers whether every window holds.
    pub fn pass(&mut self, now: Instant, user: UserId) -> bool {
        let now = now.as_nanos();
        self.of(now, user).pass(now)
    }
}
