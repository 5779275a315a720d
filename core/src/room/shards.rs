//! The audiences of a room that stand behind one owner.

use crate::admission::Admission;
use crate::audience::{Audience, AudienceSnapshot, Budget, Delivery, Handoff};
use crate::config::RoomConfig;
use crate::ids::{Group, SessionId};
#[cfg(feature = "internals")]
use crate::message::Message;
use crate::message::Payload;
use crate::priority::PerLevel;
use crate::rules::{Audiences, Sharding};
use crate::shard_index::ShardIndex;
use crate::time::Instant;
use alloc::boxed::Box;
#[cfg(feature = "internals")]
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use smallvec::SmallVec;

/// One audience, and those that were opened beside it as it grew.
#[derive(Debug)]
pub(super) struct Shards<M> {
    first: Audience<M>,
    others: Vec<Audience<M>>,
    sharding: Sharding,
    /// What others are opened with; none where there are none.
    config: Option<Box<RoomConfig>>,
    /// What the last call dispatched, for who watches the seam.
    #[cfg(feature = "internals")]
    pub(super) crossed: Option<Vec<Arc<Message<M>>>>,
}

impl<M: Payload> Shards<M> {
    pub(super) fn new(config: &RoomConfig, sharding: Sharding, heads: PerLevel<u64>) -> Self {
        Self {
            first: Audience::shard(config, sharding.part(0), heads),
            others: Vec::new(),
            sharding,
            config: (sharding.shards() > 1).then(|| Box::new(config.clone())),
            #[cfg(feature = "internals")]
            crossed: None,
        }
    }

    /// The room is in this life. Those that open later are told by the first.
    pub(super) fn set_life(&mut self, life: u64) {
        self.first.set_life(life);
    }

    pub(super) fn sharding(&self) -> Sharding {
        self.sharding
    }

    /// Opens the audience with this number if it is the next.
    pub(super) fn open(&mut self, index: u32) {
        if let Some(config) =
            self.config.as_deref().filter(|_| index as usize == self.others.len() + 1)
        {
            self.others.push(Audience::new_shard(config, self.sharding.part(index), &self.first));
        }
    }

    /// Those that are opened from now on have this configuration.
    pub(super) fn reconfigure(&mut self, config: &RoomConfig) {
        if let Some(own) = &mut self.config {
            let seed = own.seed().unwrap_or_default();
            **own = config.clone().or_seed(seed);
        }
    }

    /// Those that are open, to look at.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Audience<M>> {
        core::iter::once(&self.first).chain(&self.others)
    }

    /// The sessions of each.
    pub(super) fn loads(&self) -> SmallVec<[u32; 8]> {
        self.iter().map(Audience::sessions).collect()
    }

    /// The one that a session would be in, to look at.
    pub(super) fn get(&self, session: SessionId) -> Option<&Audience<M>> {
        match self.sharding.part(0).at(session.slot()).index() {
            0 => Some(&self.first),
            index => self.others.get(index as usize - 1),
        }
    }

    /// The one that a session would be in.
    #[inline]
    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut Audience<M>> {
        match self.sharding.part(0).at(session.slot()).index() {
            0 => Some(&mut self.first),
            index => self.others.get_mut(index as usize - 1),
        }
    }

    /// Whether signs of life are asked for.
    #[inline]
    pub(super) fn has_heartbeat(&self) -> bool {
        self.first.has_heartbeat()
    }

    /// One more than the last slot of the room that a session holds or held.
    pub(super) fn slots(&self) -> u32 {
        self.iter().map(Audience::end_slot).max().unwrap_or(0)
    }

    /// The books of all of them.
    pub(super) fn snapshot(&self) -> AudienceSnapshot {
        self.others.iter().fold(self.first.snapshot(), |sum, other| sum.and(&other.snapshot()))
    }

    pub(super) fn into_audiences(self) -> Vec<Audience<M>> {
        core::iter::once(self.first).chain(self.others).collect()
    }

    #[inline]
    pub(super) fn clear_deferred_drops(&mut self) {
        self.first.clear_deferred_drops();
        for other in &mut self.others {
            other.clear_deferred_drops();
        }
    }
}

impl<M: Payload> Shards<M> {
    /// As [`Audience::sweep`], over slots of the room.
    #[inline]
    pub(super) fn sweep(
        &mut self,
        now: Instant,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        sink: impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> u32 {
        if self.sharding.shards() == 1 {
            self.first.follow(now);
            self.first.sweep(now, group, slots, budget, sink)
        } else {
            self.sweep_blocks(now, group, slots, budget, sink)
        }
    }

    // Out of the way of a room in one shard, whose sweep is inlined with its sink.
    #[inline(never)]
    fn sweep_blocks(
        &mut self,
        now: Instant,
        group: Group,
        slots: Range<u32>,
        budget: Budget,
        mut sink: impl FnMut(SessionId, Delivery<'_, M>) -> Handoff,
    ) -> u32 {
        // Each block of slots is in one audience, and follows itself there.
        let (mut slot, end, part) =
            (slots.start, slots.end.min(self.slots()), self.sharding.part(0));
        let mut handed = 0;
        while slot < end {
            let stop = end.min(ShardIndex::block_after(slot));
            let here = part.at(slot);
            if let (Some(place), Some(audience)) = (here.place(slot), self.at(here.index())) {
                let places = place..place + (stop - slot);
                audience.follow(now);
                handed += audience.sweep(now, group, places, budget, &mut sink);
            }
            slot = stop;
        }
        handed
    }
}

impl<M: Payload> Audiences<M> for Shards<M> {
    fn part(&self) -> ShardIndex {
        self.sharding.part(0)
    }

    #[inline]
    fn at(&mut self, index: u32) -> Option<&mut Audience<M>> {
        match index {
            0 => Some(&mut self.first),
            index => self.others.get_mut(index as usize - 1),
        }
    }

    fn held<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Audience<M>>
    where
        M: 'a,
    {
        core::iter::once(&mut self.first).chain(&mut self.others)
    }

    fn are_all_held(&self) -> bool {
        true
    }

    #[inline]
    fn catch_up(&mut self, admission: &mut Admission<M>) {
        if self.others.is_empty() {
            while let Some(message) = admission.hand_out() {
                #[cfg(feature = "internals")]
                self.crossed.iter_mut().for_each(|crossed| crossed.push(Arc::clone(&message)));
                self.first.apply(message);
            }
            return;
        }
        if admission.dispatched() != self.first.applied() {
            let handed = admission.hand_over(self.first.applied());
            #[cfg(feature = "internals")]
            self.crossed
                .iter_mut()
                .for_each(|crossed| crossed.extend(handed.messages().iter().cloned()));
            admission.release_through(handed.through());
            self.others.iter_mut().for_each(|other| other.take_over(handed.clone()));
            self.first.take_over(handed);
        }
    }
}
