//! Eviction: who gives way when the queue is over its budget.
//! [Clause B8](crate::rulebook#b8-eviction-is-a-setting).

use super::accounting::Books;
use super::{Entry, Full, Level, Popped, Queue, Shortage, Victims, order};
use crate::config::EvictionPolicy;
use crate::message::Limit;
use crate::priority::Priority;
use crate::time::Duration;
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
        self.exceeded()?;
        let victim = self.choose_victim()?;
        self.take(victim)
    }

    /// Brings the queue back under its budget after [`insert`](Self::insert) answered `newcomer`,
    /// whose level may hold so many messages that are to go out in time: others give way, or the
    /// newcomer goes. Nothing to do if it has been popped in the meantime. The victims wait no
    /// longer; [`release`](Self::release) hands each out.
    pub(crate) fn settle(&mut self, newcomer: u32, places: u32) -> Result<Victims, Full<T>> {
        self.enter();
        let over = self.exceeded();
        let to = if over.is_some() { Shortage::Space } else { Shortage::Time };
        let mut victims = Victims { slots: SmallVec::new(), to };
        let level = self.entries.get(newcomer).map(|newcomer| newcomer.priority);
        let late = level.filter(|&level| self.levels[level].len > places);
        let Some(limit) = over.or_else(|| late.map(|level| self.fresh_within(level))) else {
            return Ok(victims);
        };
        let rng = self.rng;
        let is_enough = (over.is_none() || self.make_space(newcomer, &mut victims))
            && late.is_none_or(|level| self.make_time(newcomer, level, places, &mut victims));
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

    fn fresh_within(&self, level: Priority) -> Limit {
        Limit::FreshWithin { max: self.config.fresh_within[level].unwrap_or(Duration::MAX) }
    }

    /// Others give way until the queue is within its budget of messages and bytes. Returns whether
    /// it is.
    fn make_space(&mut self, newcomer: u32, victims: &mut Victims) -> bool {
        if !self.eviction_can_help(newcomer) {
            return false;
        }
        while self.exceeded().is_some() {
            let victim = self.choose_victim();
            if !self.give_way(victim, newcomer, victims) {
                return false;
            }
        }
        true
    }

    /// Others of its level give way until no more wait there than can go in time. Returns whether
    /// it is so.
    fn make_time(
        &mut self,
        newcomer: u32,
        level: Priority,
        places: u32,
        victims: &mut Victims,
    ) -> bool {
        while self.levels[level].len > places {
            let victim = self.choose_late(newcomer, level);
            if places == 0 || !self.give_way(victim, newcomer, victims) {
                return false;
            }
        }
        true
    }

    /// A victim gives way, unless it is the newcomer itself, or one too many.
    fn give_way(&mut self, victim: Option<u32>, newcomer: u32, victims: &mut Victims) -> bool {
        let is_full = victims.slots.len() >= MAX_VICTIMS;
        match victim.filter(|&slot| slot != newcomer && !is_full) {
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
        let &Entry { priority, size, .. } = self.entries.get(newcomer)?;
        self.levels[priority].order.unlink(&mut self.entries, newcomer, order);
        self.books[priority].undo_enter(&mut self.pages, newcomer);
        self.count_out(priority, size);
        self.release(newcomer).map(|popped| popped.item)
    }

    /// From the totals alone: would it be enough if all went that may go for this newcomer?
    fn eviction_can_help(&self, newcomer: u32) -> bool {
        let Some(newcomer) = self.entries.get(newcomer) else { return false };
        let kept = &self.levels.0[..newcomer.priority.index()];
        let kept_bytes = kept.iter().map(|level| level.bytes).fold(0, u64::saturating_add);
        kept_bytes.saturating_add(newcomer.size) <= self.config.bytes
    }

    fn exceeded(&self) -> Option<Limit> {
        if self.len > self.config.messages {
            Some(Limit::QueueMessages { max: self.config.messages })
        } else if self.bytes > self.config.bytes {
            Some(Limit::QueueBytes { max: self.config.bytes })
        } else {
            None
        }
    }

    fn choose_victim(&mut self) -> Option<u32> {
        let lowest = self.lowest()?;
        let Level { order, len, .. } = self.levels[lowest];
        let Books { senders, dense, .. } = &self.books[lowest];
        match self.config.eviction {
            EvictionPolicy::BiggestSender => senders.queue(senders.biggest()?).messages.back(),
            EvictionPolicy::Newest => order.back(),
            EvictionPolicy::Oldest => order.front(),
            EvictionPolicy::Random => dense.get(self.rng.below(len)).copied(),
        }
    }

    /// Who of a level gives way when more wait there than can go in time. Of those who hold equally
    /// much, it is the newcomer's sender: who came first would have gone first.
    fn choose_late(&mut self, newcomer: u32, level: Priority) -> Option<u32> {
        let Level { order, len, .. } = self.levels[level];
        let Books { senders, dense, .. } = &self.books[level];
        match self.config.eviction {
            EvictionPolicy::BiggestSender => {
                let biggest = senders.bigger_than(self.pages[newcomer].sender);
                biggest.map_or(Some(newcomer), |sender| senders.queue(sender).messages.back())
            }
            EvictionPolicy::Newest => Some(newcomer),
            EvictionPolicy::Oldest => order.front(),
            EvictionPolicy::Random => dense.get(self.rng.below(len)).copied(),
        }
    }
}
