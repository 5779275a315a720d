//! What the gate grants from: each sender's own quota, what has been said lately, the notices.

use super::queued::Lane;
use crate::config::Settings;
use crate::dedup::{CarriedKeys, Dedup, DedupWindow, SaidKey};
use crate::ids::MessageId;
use crate::index::Hasher;
use crate::keyed::KeyedLimit;
use crate::message::{DedupKey, Sender};
use crate::priority::{PerLevel, Priority};
use crate::quota::{LimitLeft, NotYet, Quota, Rate, TokenBucket};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The quotas of those who speak, and the keys of what they said.
///
/// Asking changes nothing; what is taken, and a key, is taken when a message has been let in.
#[derive(Debug)]
pub(super) struct Intake {
    /// The host's notices have a bucket of their own.
    notices: TokenBucket,
    sender_quotas: PerLevel<Option<Box<KeyedLimit>>>,
    /// None while no message has come under a key.
    duplicates: Option<Box<Dedup>>,
    dedup_window: DedupWindow,
    hasher: Hasher,
}

/// A sender has said as much as one may.
pub(super) struct OverQuota {
    pub(super) quota: Quota,
    /// Where there are more senders than are told apart: how many are. This one shares its quota
    /// with all the others.
    pub(super) shared_beyond: Option<u32>,
    pub(super) retry_at: Option<Instant>,
}

impl Intake {
    pub(super) fn new(settings: &Settings, seed: u64) -> Self {
        Self {
            notices: TokenBucket::new(Rate::per_second(settings.notices), settings.notices),
            sender_quotas: PerLevel(
                settings
                    .sender_quota
                    .0
                    .map(|quota| quota.map(|quota| keyed_limit(quota, settings, seed))),
            ),
            duplicates: None,
            dedup_window: settings.dedup_window,
            hasher: Hasher::new(seed),
        }
    }

    #[inline(never)]
    fn duplicates_mut(&mut self) -> &mut Dedup {
        let fresh = || Box::new(Dedup::new(self.dedup_window, self.hasher));
        self.duplicates.get_or_insert_with(fresh)
    }

    /// From now on other quotas and another window. Nobody starts anew but at a level that had no
    /// quota.
    pub(super) fn reconfigure(&mut self, now: Instant, new: &Settings, seed: u64) {
        self.notices.change(now, Quota::per_second(new.notices));
        for level in Priority::ALL {
            let (quota, limit) = (new.sender_quota[level], &mut self.sender_quotas[level]);
            match (&mut *limit, quota) {
                (Some(limit), Some(quota)) => {
                    limit.set_max_keys(new.sender_table_size);
                    if limit.quota() != quota {
                        limit.change(now, quota);
                    }
                }
                _ => *limit = quota.map(|quota| keyed_limit(quota, new, seed)),
            }
        }
        if let Some(duplicates) = &mut self.duplicates {
            duplicates.reconfigure(now, new.dedup_window);
        }
        self.dedup_window = new.dedup_window;
    }

    /// Returns until when a message is refused as said already, if so.
    #[inline]
    pub(super) fn said_until(
        &self,
        now: Instant,
        sender: Sender,
        key: DedupKey,
    ) -> Option<Instant> {
        self.duplicates.as_ref()?.refused_until(now, sender, key)
    }

    /// Checks that a sender may say one more at a level.
    #[inline]
    pub(super) fn check_sender(&self, now: Instant, lane: Lane) -> Result<(), OverQuota> {
        if let (Sender::User(user), Some(limit)) = (lane.sender, &self.sender_quotas[lane.level])
            && let Err(NotYet { retry_at }) = limit.check(now, user.0)
        {
            let shared_beyond = (!limit.has_place_for(now, user.0)).then_some(limit.max_keys());
            return Err(OverQuota { quota: limit.quota(), shared_beyond, retry_at });
        }
        Ok(())
    }

    /// Checks that the host may send one more notice.
    #[inline]
    pub(super) fn check_notice(&self, now: Instant) -> Result<(), NotYet> {
        if self.notices.available(now) == 0 {
            return Err(NotYet { retry_at: self.notices.next_at(now, 0) });
        }
        Ok(())
    }

    /// Goes on at `now` with what another one's notices had left, where that is known.
    pub(super) fn go_on(&mut self, now: Instant, notices: Option<LimitLeft>) {
        if let Some(left) = notices {
            self.notices.go_on(now, left);
        }
    }

    /// Returns what the quota of the notices has left.
    pub(super) fn notices_left(&self) -> LimitLeft {
        self.notices.left()
    }

    /// Takes a notice's token.
    pub(super) fn take_notice(&mut self, now: Instant) {
        let taken = self.notices.take_keeping(now, 0);
        debug_assert!(taken, "the gate has looked, at this very instant");
    }

    /// A message has been let in: now, and only now, it takes from its sender's quota.
    #[inline]
    pub(super) fn pay(&mut self, now: Instant, lane: Lane) {
        if let (Some(quota), Sender::User(user)) =
            (&mut self.sender_quotas[lane.level], lane.sender)
        {
            let taken = quota.take(now, user.0);
            debug_assert!(taken.is_ok(), "the gate has looked, at this very instant");
        }
    }

    /// A message has been let in under a key.
    pub(super) fn note(&mut self, now: Instant, lane: Lane, key: DedupKey, id: MessageId) {
        self.duplicates_mut().note(now, lane.level, lane.sender, key, id);
    }

    /// A message that was let in under a key is carried by another one.
    pub(super) fn carry(
        &mut self,
        carrier: MessageId,
        place: CarriedKeys,
        carried: (Sender, DedupKey, MessageId),
    ) -> CarriedKeys {
        self.duplicates_mut().carry(carrier, place, carried)
    }

    /// A message was dropped: it may be said again.
    pub(super) fn free(&mut self, sender: Sender, key: DedupKey, id: MessageId) {
        if let Some(duplicates) = &mut self.duplicates {
            duplicates.free(sender, key, id);
        }
    }

    /// A message was dropped that carried others: they may be said again.
    pub(super) fn free_carried(&mut self, carrier: MessageId, place: CarriedKeys) {
        if let Some(duplicates) = &mut self.duplicates {
            duplicates.free_carried(carrier, place);
        }
    }

    /// The keys of what has gone out; `waiting` has not.
    pub(super) fn export(
        &self,
        now: Instant,
        waiting: &BTreeSet<MessageId>,
    ) -> Vec<(Sender, SaidKey)> {
        let duplicates = self.duplicates.as_ref();
        duplicates.map_or_else(Vec::new, |duplicates| duplicates.export(now, waiting))
    }

    /// Adds keys of what was said elsewhere.
    pub(super) fn import(&mut self, now: Instant, said: &[(Sender, SaidKey)]) {
        if !said.is_empty() {
            self.duplicates_mut().import(now, said);
        }
    }

    /// Writes what is left of the quotas at `now`, and what has been said.
    #[cfg(feature = "internals")]
    pub(super) fn digest(&self, now: Instant, to: &mut alloc::string::String) {
        use core::fmt::Write;
        let notices = (self.notices.available(now), self.notices.next_at(now, 0));
        let _ = writeln!(to, "notices {notices:?}");
        self.sender_quotas.values().flatten().for_each(|quota| quota.digest(now, to));
        self.duplicates.iter().for_each(|duplicates| duplicates.digest(to));
    }

    /// Returns what the keys hold that are kept, in bytes.
    pub(super) fn key_bytes(&self) -> u64 {
        self.duplicates.as_ref().map_or(0, |duplicates| duplicates.bytes())
    }

    /// Returns how many keys are kept, and how many were forgotten within their window.
    pub(super) fn duplicate_keys(&self) -> (u32, u64) {
        self.duplicates.as_ref().map_or((0, 0), |duplicates| duplicates.counts())
    }
}

fn keyed_limit(quota: Quota, settings: &Settings, seed: u64) -> Box<KeyedLimit> {
    Box::new(KeyedLimit::new(quota, settings.sender_table_size, seed))
}
