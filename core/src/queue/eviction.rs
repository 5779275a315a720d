//! Eviction: who gives way when the queue is over its budget.
//! [Clause B8](crate::rulebook#b8-eviction-is-a-setting).

use super::accounting::Books;
use super::{Entry, Full, Level, Popped, Queue, Victims, order};
use crate::config::EvictionPolicy;
use crate::message::Limit;

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

    /// Brings the queue back under its budget after [`insert`](Self::insert) answered `newcomer`:
    /// others give way, or the newcomer goes. Nothing to do if it has been popped in the meantime.
    /// The victims wait no longer; [`release`](Self::release) hands each out.
    pub(crate) fn settle(&mut self, newcomer: u32) -> Result<Victims, Full<T>> {
        self.enter();
        let mut victims = Victims::new();
        let Some(limit) = self.exceeded() else { return Ok(victims) };
        let rng = self.rng;
        let mut enough = self.eviction_can_help(newcomer);
        while enough && self.exceeded().is_some() {
            match self.choose_victim() {
                Some(victim) if victim != newcomer && victims.len() < MAX_VICTIMS => {
                    self.unlink(victim);
                    victims.push(victim);
                }
                _ => enough = false,
            }
        }
        if enough {
            return Ok(victims);
        }
        // As if it had never come: no rank has moved, no number was drawn.
        for &victim in victims.iter().rev() {
            self.relink(victim);
        }
        self.rng = rng;
        match self.turn_away(newcomer) {
            Some(item) => Err(Full { item, limit }),
            None => Ok(Victims::new()),
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
}
