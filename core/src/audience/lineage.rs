//! Who a session was before: the former sessions of one that resumed another.

use crate::ids::SessionKey;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};

/// The former sessions of each session, by its slot, that has any. What one of them said and that
/// has yet to be dispatched is the own of those that went on from it.
#[derive(Debug, Default)]
pub(super) struct Lineage(
    /// None while no session has gone on from another.
    Option<Box<Lines>>,
);

#[derive(Debug, Default)]
struct Lines {
    formers: BTreeMap<u32, Box<[SessionKey]>>,
    heirs: BTreeSet<(SessionKey, u32)>,
}

impl Lineage {
    /// Returns whether no session has a former one.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|lines| lines.formers.is_empty())
    }

    /// Returns the former sessions of one, the oldest first.
    pub(super) fn formers(&self, slot: u32) -> &[SessionKey] {
        self.0.as_ref().and_then(|lines| lines.formers.get(&slot)).map_or(&[], |formers| formers)
    }

    /// A session has come that went on from these, the oldest first.
    pub(super) fn come(&mut self, slot: u32, formers: Box<[SessionKey]>) {
        let lines = self.0.get_or_insert_default();
        lines.heirs.extend(formers.iter().map(|&former| (former, slot)));
        lines.formers.insert(slot, formers);
    }

    /// A session has gone.
    #[inline]
    pub(super) fn go(&mut self, slot: u32) {
        if !self.is_empty() {
            self.forget(slot);
        }
    }

    #[cold]
    fn forget(&mut self, slot: u32) {
        let Some(lines) = &mut self.0 else { return };
        for former in lines.formers.remove(&slot).into_iter().flatten() {
            lines.heirs.remove(&(former, slot));
        }
    }

    /// Returns the next slot after this one of a session that went on from a former one.
    pub(super) fn next_heir(&self, former: SessionKey, after: Option<u32>) -> Option<u32> {
        let first = after.map_or(0, |slot| slot + 1);
        self.0
            .as_ref()?
            .heirs
            .range((former, first)..=(former, u32::MAX))
            .next()
            .map(|&(_, slot)| slot)
    }
}
