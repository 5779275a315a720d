//! What waits and carries others: found by its key only while it waits.

use super::{Left, Pipeline};
use crate::dedup::CarriedKeys;
use crate::ids::MessageId;
use crate::message::{MergeKey, Sender};
use crate::priority::Priority;

impl<M> Pipeline<M> {
    /// Returns the slot of the message that waits at a level under a key.
    #[inline]
    pub(in crate::admission) fn find_carrier(&self, level: Priority, key: MergeKey) -> Option<u32> {
        self.waiting.as_ref()?.merge_index.find(level, key)
    }

    /// Others may be merged into the message in a slot from now on.
    pub(in crate::admission) fn make_carrier(&mut self, slot: u32, level: Priority, key: MergeKey) {
        let Some(waiting) = &mut self.waiting else { return };
        let place = waiting.merge_index.add(level, key, slot);
        if let Some(ext) = waiting.queue.get_mut(slot).and_then(|waiting| waiting.ext.as_mut()) {
            ext.carrier = place;
        }
    }

    /// The message in a slot carries another one, of so many units. From now on it excludes nobody.
    /// Returns its number, and where the keys are of those that it carries.
    pub(in crate::admission) fn merge(
        &mut self,
        slot: u32,
        sender: Sender,
        units: u64,
    ) -> (MessageId, CarriedKeys) {
        let is_anothers = self.queue().and_then(|queue| queue.sender(slot)) != Some(sender);
        let carrier = self
            .queue_mut()
            .and_then(|queue| queue.get_mut(slot))
            .unwrap_or_else(|| unreachable!("a carrier waits until it is forgotten"));
        if let Some(ext) = &mut carrier.ext {
            ext.units = ext.units.wrapping_add(units);
            ext.messages = ext.messages.saturating_add(1);
            ext.carries_others |= is_anothers;
        }
        carrier.session = None;
        (carrier.id, carrier.ext().carried_keys)
    }

    /// The keys of those that the message in a slot carries are in this place from now on.
    pub(in crate::admission) fn set_carried_keys(&mut self, slot: u32, place: CarriedKeys) {
        let carrier = self.queue_mut().and_then(|queue| queue.get_mut(slot));
        if let Some(ext) = carrier.and_then(|carrier| carrier.ext.as_mut()) {
            ext.carried_keys = place;
        }
    }

    /// Returns whether the message in a slot carries any of another sender.
    pub(in crate::admission) fn carries_others(&self, slot: u32) -> bool {
        let waiting = self.queue().and_then(|queue| queue.get(slot));
        waiting.is_some_and(|waiting| waiting.ext().carries_others)
    }

    /// A message has left the queue: nobody is merged into it any more.
    #[inline]
    pub(super) fn forget_carrier(&mut self, left: &Left<M>) {
        if let (Some(ext), Some(waiting)) = (&left.item.ext, &mut self.waiting) {
            waiting.merge_index.remove(ext.carrier);
        }
    }
}
