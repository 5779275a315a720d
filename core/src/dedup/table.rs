//! The table by itself, for checks of this workspace. Promises nothing.

use super::{CarriedKeys, Dedup, DedupWindow, SaidKey};
use crate::ids::MessageId;
use crate::index::Hasher;
use crate::message::{DedupKey, Sender};
use crate::priority::Priority;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The table of duplicate keys, and where the keys of each carrier are.
#[derive(Debug)]
pub struct DedupTable {
    table: Dedup,
    carried: BTreeMap<MessageId, CarriedKeys>,
}

impl DedupTable {
    /// An empty one.
    pub fn new(limits: DedupWindow, seed: u64) -> Self {
        Self { table: Dedup::new(limits, Hasher::new(seed)), carried: BTreeMap::new() }
    }

    /// From now on other limits.
    pub fn reconfigure(&mut self, now: Instant, limits: DedupWindow) {
        self.table.reconfigure(now, limits);
    }

    /// Until when a message is refused as said already, if so.
    pub fn refused_until(&self, now: Instant, sender: Sender, key: DedupKey) -> Option<Instant> {
        self.table.refused_until(now, sender, key)
    }

    /// A message of a level has been let in.
    pub fn note(
        &mut self,
        now: Instant,
        level: Priority,
        sender: Sender,
        key: DedupKey,
        id: MessageId,
    ) {
        self.table.note(now, level, sender, key, id);
    }

    /// The message was dropped.
    pub fn free(&mut self, sender: Sender, key: DedupKey, id: MessageId) {
        self.table.free(sender, key, id);
    }

    /// A message that was let in under a key is carried by another one.
    pub fn carry(&mut self, carrier: MessageId, carried: (Sender, DedupKey, MessageId)) {
        let place = self.carried.get(&carrier).copied().unwrap_or(CarriedKeys::NONE);
        let place = self.table.carry(carrier, place, carried);
        self.carried.insert(carrier, place);
    }

    /// A message was dropped with those that it carries.
    pub fn free_carried(&mut self, carrier: MessageId) {
        if let Some(place) = self.carried.remove(&carrier) {
            self.table.free_carried(carrier, place);
        }
    }

    /// The keys that are refused at `now`, but those of messages that wait.
    pub fn export(&self, now: Instant, waiting: &BTreeSet<MessageId>) -> Vec<(Sender, SaidKey)> {
        self.table.export(now, waiting)
    }

    /// Adds keys of what was said elsewhere.
    pub fn import(&mut self, now: Instant, said: &[(Sender, SaidKey)]) {
        self.table.import(now, said);
    }

    /// Keys that are kept, and how many were forgotten within their window.
    pub fn counts(&self) -> (u32, u64) {
        self.table.counts()
    }
}
