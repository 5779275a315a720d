//! Eviction: who gives way when the queue is over its budget.
//! [Clause B8](crate::rulebook#b8-eviction-is-a-setting).

use super::accounting::Books;
use super::{Entry, Full, Level, Popped, Queue, Victims, order};
use crate::config::{EvictionPolicy, QueueConfig};
use crate::message::{Limit, Urgency};
use crate::priority::Priority;
use crate::time::Duration;
use core::cmp::Ordering;
use smallvec::SmallVec;

/// The maximum number of victims of one call; a message that would need more is refused.
const MAX_VICTIMS: usize = 64;

impl<T> Queue<T> {
    /// The limit that what waits exceeds: only after [`reconfigure`](Self::reconfigure), or where
    /// something [entered](Self::enter) and was not settled.
    #[inline]
    pub(crate) fn exceeds(&self) -> Option<Limit> {
        self.exceeded()
    }

    /// Takes out one that gives way, if there is more than the budget allows.
    pub(crate) fn shed(&mut self) -> Option<Popped<T>> {
        self.enter();
        let limit = self.exceeded()?;
        let victim = self.choose_victim(limit)?;
        self.take(victim)
    }

    /// Takes out one of a level that gives way, whatever the budget and whatever the level keeps
    /// for itself.
    pub(crate) fn give_way(&mut self, level: Priority) -> Option<Popped<T>> {
        self.enter();
        let victim = self.victim_of(level)?;
        self.take(victim)
    }

    /// Brings the queue back under its budget after [`insert`](Self::insert) answered `newcomer`,
    /// whose level may hold so many messages that are to go out in time: others give way, or the
    /// newcomer goes. Nothing to do if it has been popped in the meantime. The victims wait no
    /// longer; [`release`](Self::release) hands each out.
    pub(crate) fn settle(&mut self, newcomer: u32, places: u32) -> Result<Victims, Full<T>> {
        self.enter();
        let over = self.exceeded();
        let mut victims = Victims { slots: SmallVec::new(), limit: None };
        let lane = self.entries.get(newcomer).map(|newcomer| (newcomer.priority, newcomer.urgency));
        let late = lane.filter(|&lane| self.lane_len(lane) > places);
        victims.limit = over.or_else(|| late.map(|(level, _)| self.fresh_within(level)));
        let Some(limit) = victims.limit else { return Ok(victims) };
        let rng = self.rng;
        let is_enough = (over.is_none() || self.make_space(newcomer, &mut victims))
            && late.is_none_or(|lane| self.make_time(newcomer, lane, places, &mut victims));
        if is_enough {
            return Ok(victims);
        }
        // As if it had never come: no rank has moved, no number was drawn.
        for &victim in victims.slots.iter().rev() {
            self.relink(victim);
        }
        self.rng = rng;
        victims.slots.clear();
        match self.turn_away(newcomer) {
            Some(item) => Err(Full { item, limit }),
            None => Ok(victims),
        }
    }

    /// How many of a level stand so.
    pub(crate) fn lane_len(&self, (level, urgency): (Priority, Urgency)) -> u32 {
        let Level { len, urgent, .. } = &self.levels[level];
        match urgency {
            Urgency::Plain => len - urgent.len(),
            Urgency::Urgent => urgent.len(),
        }
    }

    fn fresh_within(&self, level: Priority) -> Limit {
        Limit::FreshWithin { max: self.config.fresh_within[level].unwrap_or(Duration::MAX) }
    }

    /// Others give way until the queue is within its budget of messages and bytes. Returns whether
    /// it is.
    fn make_space(&mut self, newcomer: u32, victims: &mut Victims) -> bool {
        if !self.eviction_can_help(newcomer) {
            return false;
        }
        while let Some(limit) = self.exceeded() {
            let victim = self.choose_victim(limit);
            if !self.yields(victim, newcomer, victims) {
                return false;
            }
        }
        true
    }

    /// Others of its level that stand as it does give way until no more of them wait than can go in
    /// time. Returns whether it is so.
    fn make_time(
        &mut self,
        newcomer: u32,
        lane: (Priority, Urgency),
        places: u32,
        victims: &mut Victims,
    ) -> bool {
        let too_many = self.lane_len(lane).saturating_sub(places) as usize;
        if places == 0 || too_many + victims.slots.len() > MAX_VICTIMS {
            return false;
        }
        while self.lane_len(lane) > places {
            let victim = self.choose_late(newcomer, lane);
            if !self.yields(victim, newcomer, victims) {
                return false;
            }
        }
        true
    }

    /// A victim gives way, unless it is the newcomer itself, or one too many.
    fn yields(&mut self, victim: Option<u32>, newcomer: u32, victims: &mut Victims) -> bool {
        let is_full = victims.slots.len() >= MAX_VICTIMS;
        let level = |slot: u32| self.entries.get(slot).map(|entry| entry.priority);
        let may = |&slot: &u32| slot != newcomer && !is_full && level(slot) <= level(newcomer);
        match victim.filter(may) {
            Some(slot) => {
                self.unlink(slot);
                victims.slots.push(slot);
                true
            }
            None => false,
        }
    }

    /// Takes the entry out that entered last, and undoes what its entering changed.
    fn turn_away(&mut self, newcomer: u32) -> Option<T> {
        let &Entry { priority, urgency, size, .. } = self.entries.get(newcomer)?;
        if urgency == Urgency::Urgent {
            self.unlink_urgent(newcomer);
        } else {
            self.levels[priority].order.unlink(&mut self.entries, newcomer, order);
            self.books[priority].undo_enter(&mut self.pages, newcomer);
        }
        self.count_out((priority, urgency), size);
        self.release(newcomer).map(|popped| popped.item)
    }

    /// From the totals alone: would it be enough if all went that may go for this newcomer?
    fn eviction_can_help(&self, newcomer: u32) -> bool {
        let Some(newcomer) = self.entries.get(newcomer) else { return false };
        // Of its own level those stay that go first, if it does not.
        let urgent = self.levels[newcomer.priority].urgent.bytes();
        let first = if newcomer.urgency == Urgency::Plain { urgent } else { 0 };
        let bytes = self.levels.iter().map(|(level, &Level { bytes, kept, .. })| {
            match level.cmp(&newcomer.priority) {
                Ordering::Greater => bytes.max(kept.bytes),
                Ordering::Equal => newcomer.size.saturating_add(first).max(kept.bytes),
                Ordering::Less => kept.bytes,
            }
        });
        bytes.fold(0, u64::saturating_add) <= self.config.bytes
    }

    /// What a level keeps for itself counts as taken.
    fn exceeded(&self) -> Option<Limit> {
        let QueueConfig { messages, bytes, .. } = self.config;
        if self.has_space(messages, bytes) {
            return None;
        }
        let levels = || self.levels.values();
        let taken = levels().map(|level| level.len.max(level.kept.messages));
        if taken.fold(0, u32::saturating_add) > messages {
            return Some(Limit::QueueMessages { max: messages });
        }
        let taken = levels().map(|level| level.bytes.max(level.kept.bytes));
        (taken.fold(0, u64::saturating_add) > bytes).then_some(Limit::QueueBytes { max: bytes })
    }

    /// Whether there would be enough even if each level kept all that it may.
    #[inline]
    fn has_space(&self, messages: u32, bytes: u64) -> bool {
        let kept = self.kept;
        self.len.saturating_add(kept.messages) <= messages
            && self.bytes.saturating_add(kept.bytes) <= bytes
    }

    /// One of the lowest level that has more than it keeps of what is exceeded.
    fn choose_victim(&mut self, limit: Limit) -> Option<u32> {
        let has_more = |level: Priority| {
            let &Level { len, bytes, kept, .. } = &self.levels[level];
            match limit {
                Limit::QueueBytes { .. } => bytes > kept.bytes,
                _ => len > kept.messages,
            }
        };
        let lowest = Priority::ALL.into_iter().rev().find(|&level| has_more(level))?;
        self.victim_of(lowest)
    }

    /// One of a level, as the policy says; of those that go first the newest, once no others are
    /// left.
    fn victim_of(&mut self, level: Priority) -> Option<u32> {
        if self.lane_len((level, Urgency::Plain)) == 0 {
            return self.levels[level].urgent.order().back();
        }
        let Level { order, .. } = self.levels[level];
        let Books { senders, dense, .. } = &self.books[level];
        match self.config.eviction {
            EvictionPolicy::BiggestSender => senders.queue(senders.biggest()?).messages.back(),
            EvictionPolicy::Newest => order.back(),
            EvictionPolicy::Oldest => order.front(),
            EvictionPolicy::Random => dense.get(self.rng.below(dense.len() as u32)).copied(),
        }
    }

    /// Who of a level gives way when more wait there than can go in time. Of those who hold equally
    /// much, it is the newcomer's sender: who came first would have gone first.
    fn choose_late(&mut self, newcomer: u32, (level, urgency): (Priority, Urgency)) -> Option<u32> {
        if urgency == Urgency::Urgent {
            return Some(newcomer);
        }
        let Level { order, .. } = self.levels[level];
        let Books { senders, dense, .. } = &self.books[level];
        match self.config.eviction {
            EvictionPolicy::BiggestSender => {
                let biggest = senders.bigger_than(self.pages[newcomer].sender);
                biggest.map_or(Some(newcomer), |sender| senders.queue(sender).messages.back())
            }
            EvictionPolicy::Newest => Some(newcomer),
            EvictionPolicy::Oldest => order.front(),
            EvictionPolicy::Random => dense.get(self.rng.below(dense.len() as u32)).copied(),
        }
    }
}
