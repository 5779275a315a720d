//! A message that waits, for a verdict or in the queue.

use super::accounts::Subject;
use super::merge_index::CarrierPlace;
use crate::dedup::CarriedKeys;
use crate::ids::{MessageId, SessionKey};
use crate::message::{DedupKey, Kind, MergeKey, OutcomeSink, Reviewed, Sender, Urgency};
use crate::priority::Priority;
use crate::profile::Profile;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;

/// Where a message queues: what its turn, its quotas and its limits are looked up by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) level: Priority,
    pub(super) sender: Sender,
}

/// It is moved on its way a few times, so what few messages have lives apart.
#[derive(Debug)]
pub(super) struct Queued<M> {
    pub(super) id: MessageId,
    pub(super) kind: Kind,
    pub(super) session: Option<SessionKey>,
    pub(super) profile: Option<Profile<M>>,
    pub(super) outcome_sink: OutcomeSink,
    pub(super) ext: Option<Box<QueuedExt>>,
    /// The size of the payload.
    pub(super) size: u32,
    pub(super) payload: M,
}

/// What a message has that stands for other than one, may be merged, has a key or is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedExt {
    /// Itself and those that were merged into it.
    pub(super) messages: u32,
    /// What they stand for.
    pub(super) units: u64,
    pub(super) merge_key: Option<MergeKey>,
    pub(super) carrier: CarrierPlace,
    pub(super) dedup_key: Option<DedupKey>,
    /// Whether any of those that were merged into it is another sender's.
    pub(super) carries_others: bool,
    /// The keys of those that were merged into it.
    pub(super) carried_keys: CarriedKeys,
    /// Where it is counted.
    pub(super) counter: Option<&'static str>,
    /// What its publisher asked for.
    pub(super) urgency: Urgency,
    /// By how many nanoseconds more it has waited than since it entered the queue.
    pub(super) age: u64,
    /// Whether a host has decided on it, where it comes from an edge or is at one.
    pub(super) reviewed: Reviewed,
}

impl QueuedExt {
    const NONE: Self = Self {
        messages: 1,
        units: 1,
        merge_key: None,
        carrier: CarrierPlace::NONE,
        dedup_key: None,
        carries_others: false,
        carried_keys: CarriedKeys::NONE,
        counter: None,
        urgency: Urgency::Plain,
        age: 0,
        reviewed: Reviewed::NotYet,
    };

    /// Those of a message, if it has any.
    #[inline]
    pub(super) fn of(
        units: u64,
        merge_key: Option<MergeKey>,
        dedup_key: Option<DedupKey>,
        counter: Option<&'static str>,
        urgency: Urgency,
    ) -> Option<Box<Self>> {
        let is_plain = units == 1 && merge_key.is_none() && urgency == Urgency::Plain;
        if is_plain && dedup_key.is_none() && counter.is_none() {
            None
        } else {
            Some(Box::new(Self { units, merge_key, dedup_key, counter, urgency, ..Self::NONE }))
        }
    }
}

impl<M> Queued<M> {
    /// Returns what few messages have, made where there is none.
    pub(super) fn ext_mut(&mut self) -> &mut QueuedExt {
        self.ext.get_or_insert_with(|| Box::new(QueuedExt::NONE))
    }

    /// Returns by how many nanoseconds more it has waited than since it entered the queue.
    pub(super) fn age(&self) -> u64 {
        self.ext.as_ref().map_or(0, |ext| ext.age)
    }

    #[inline]
    pub(super) fn ext(&self) -> QueuedExt {
        self.ext.as_deref().copied().unwrap_or(QueuedExt::NONE)
    }

    /// Returns the message as its outcome names it.
    #[inline]
    pub(super) fn subject(&self, level: Priority) -> Subject {
        let (messages, units) = (self.messages(), self.units());
        Subject { id: self.id, level, messages, units, outcome_sink: self.outcome_sink }
    }

    /// Returns how many it is, with those that were merged into it.
    #[inline]
    pub(super) fn messages(&self) -> u32 {
        self.ext.as_ref().map_or(1, |ext| ext.messages)
    }

    /// Returns what others may be merged into it by.
    #[inline]
    pub(super) fn merge_key(&self) -> Option<MergeKey> {
        self.ext.as_ref()?.merge_key
    }

    /// Returns whether its publisher asked to go before others.
    #[inline]
    pub(super) fn urgency(&self) -> Urgency {
        self.ext.as_ref().map_or(Urgency::Plain, |ext| ext.urgency)
    }

    /// Returns where the message is counted, if it is.
    #[inline]
    pub(super) fn counter(&self) -> Option<&'static str> {
        self.ext.as_ref()?.counter
    }

    #[inline]
    pub(super) fn units(&self) -> u64 {
        self.ext.as_ref().map_or(1, |ext| ext.units)
    }

    /// Returns how many messages it is, what they stand for, and when it was let in that entered the
    /// queue then.
    #[inline]
    pub(super) fn stands_for(&self, entered: Instant) -> (u32, u64, Instant) {
        self.ext.as_ref().map_or((1, 1, entered), |ext| {
            let age = Duration::from_nanos(ext.age);
            (ext.messages, ext.units, entered.saturating_sub(age))
        })
    }
}
