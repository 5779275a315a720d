//! A message that waits, for a verdict or in the queue.

use super::carriers::CarrierPlace;
use crate::ids::{MessageId, SessionId};
use crate::message::{DuplicateKey, Kind, MergeKey, Report};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// It is moved on its way a few times, so what few messages have lives apart.
#[derive(Debug)]
pub(super) struct Waiting<M> {
    pub(super) id: MessageId,
    pub(super) kind: Kind,
    pub(super) session: Option<SessionId>,
    pub(super) profile: Option<Arc<M>>,
    pub(super) report: Report,
    pub(super) extras: Option<Box<Extras>>,
    pub(super) payload: M,
}

/// What a message has that stands for other than one, may be merged or has a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extras {
    /// Itself and those that were merged into it.
    pub(super) messages: u32,
    /// What they stand for.
    pub(super) units: u64,
    pub(super) merge: Option<MergeKey>,
    pub(super) carrier: CarrierPlace,
    pub(super) key: Option<DuplicateKey>,
}

impl Extras {
    const NONE: Self = Self { messages: 1, units: 1, merge: None, carrier: CarrierPlace::NONE, key: None };

    /// Those of a message, if it has any.
    #[inline]
    pub(super) fn of(units: u64, merge: Option<MergeKey>, key: Option<DuplicateKey>) -> Option<Box<Self>> {
        let is_plain = units == 1 && merge.is_none() && key.is_none();
        if is_plain { None } else { Some(Box::new(Self { units, merge, key, ..Self::NONE })) }
    }
}

impl<M> Waiting<M> {
    #[inline]
    pub(super) fn extras(&self) -> Extras {
        self.extras.as_deref().copied().unwrap_or(Extras::NONE)
    }

    #[inline]
    pub(super) fn units(&self) -> u64 {
        self.extras.as_ref().map_or(1, |extras| extras.units)
    }
}
