//! The senders with something in one level: whose turn it is, and who holds most; and for a while,
//! who has had turns.
//! [Clause B4](crate::rulebook#b4-fairness-between-senders).

use super::ladder::Ladder;
use crate::chunked::{Deque, NIL, Slab};
use crate::ids::UserId;
use crate::index::{Hasher, Index};
use crate::list::{Links, List};
use crate::message::Sender;
use crate::time::{Duration, Instant};

/// The maximum number of turns that a level remembers: after a rest, one call forgets those of all
/// four levels.
const MAX_TURNS: usize = 1_024;

/// One sender's messages in one level, in order of entry.
#[derive(Debug)]
pub(super) struct SenderQueue {
    sender: Sender,
    /// The messages, threaded through the queue's entries.
    pub(super) messages: List,
    count: u32,
    /// Turns that it has had and that are remembered.
    served: u32,
    /// Whether it is among those who wait for their turn.
    waits: bool,
    /// The place among those who wait for their turn and have had as many.
    turn: Links,
    /// The place among those who wait and hold, or have had, as many.
    rank: Links,
}

/// How much a sender held and had had, and its place among those with as much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    count: u32,
    place: Links,
}

impl Rank {
    pub(super) const NONE: Self = Self { count: 0, place: Links::NONE };
}

fn turn(queue: &mut SenderQueue) -> &mut Links {
    &mut queue.turn
}

fn rank(queue: &mut SenderQueue) -> &mut Links {
    &mut queue.rank
}

#[derive(Debug)]
pub(super) struct Senders {
    queues: Slab<SenderQueue>,
    index: Index,
    /// Those who wait, by how many turns they have had; in order of their turns.
    turns: Ladder<SenderQueue>,
    /// Those who hold something, by how much that is, and how many turns they have had.
    ranks: Ladder<SenderQueue>,
    /// The turns that are remembered, the oldest first, with who had them.
    memory: Deque<(Instant, u32)>,
    /// Turns that were forgotten before their time.
    forgotten: u64,
    hasher: Hasher,
}

impl Senders {
    pub(super) fn new(hasher: Hasher) -> Self {
        Self {
            queues: Slab::new(),
            index: Index::new(),
            turns: Ladder::new(turn),
            ranks: Ladder::new(rank),
            memory: Deque::new(),
            forgotten: 0,
            hasher,
        }
    }

    /// Forgets all senders and their turns. How many turns were forgotten before their time stays.
    pub(super) fn start_again(&mut self) {
        *self = Self { forgotten: self.forgotten, ..Self::new(self.hasher) };
    }

    pub(super) fn queue_mut(&mut self, slot: u32) -> &mut SenderQueue {
        &mut self.queues[slot]
    }

    pub(super) fn queue(&self, slot: u32) -> &SenderQueue {
        &self.queues[slot]
    }

    /// The slot of a sender who has something, or whose turns are remembered.
    pub(super) fn find(&self, sender: Sender) -> Option<u32> {
        self.index.find(hash(self.hasher, sender), |slot| self.queues[slot].sender == sender)
    }

    /// The slot of a sender, with an empty queue if it has none yet. From now on it waits for its
    /// turn.
    pub(super) fn enter(&mut self, sender: Sender) -> u32 {
        let hash = hash(self.hasher, sender);
        let queues = &self.queues;
        let found = self.index.find(hash, |slot| queues[slot].sender == sender);
        let slot = found.unwrap_or_else(|| {
            let slot = self.queues.insert(SenderQueue {
                sender,
                messages: List::EMPTY,
                count: 0,
                served: 0,
                waits: false,
                turn: Links::NONE,
                rank: Links::NONE,
            });
            let (queues, hasher) = (&self.queues, self.hasher);
            self.index.insert(hash, slot, |slot| hash_at(queues, hasher, slot));
            slot
        });
        let queue = &mut self.queues[slot];
        if !core::mem::replace(&mut queue.waits, true) {
            let served = queue.served;
            self.turns.push_back(&mut self.queues, slot, served);
        }
        slot
    }

    /// Counts one message more for a sender. Returns the rank before.
    pub(super) fn add_one(&mut self, slot: u32) -> Rank {
        self.move_rank(slot, self.queues[slot].count + 1, self.queues[slot].served)
    }

    /// Counts one message less for a sender. Returns the rank before.
    pub(super) fn take_one(&mut self, slot: u32) -> Rank {
        self.move_rank(slot, self.queues[slot].count - 1, self.queues[slot].served)
    }

    /// Only who holds something has a rank.
    fn move_rank(&mut self, slot: u32, count: u32, served: u32) -> Rank {
        let queue = &mut self.queues[slot];
        let before = Rank { count: queue.count, place: queue.rank };
        let old = queue.count + queue.served;
        (queue.count, queue.served) = (count, served);
        if before.count > 0 {
            self.ranks.unlink(&mut self.queues, slot, old);
        }
        if count > 0 {
            self.ranks.push_back(&mut self.queues, slot, count + served);
        }
        before
    }

    /// Gives a sender the rank back that was there before the last move; several moves are undone
    /// in the reverse order, with nothing else changed in between.
    pub(super) fn undo(&mut self, slot: u32, before: Rank) {
        let SenderQueue { count, served, .. } = self.queues[slot];
        if count > 0 {
            self.ranks.unlink(&mut self.queues, slot, count + served);
        }
        let queue = &mut self.queues[slot];
        (queue.count, queue.rank) = (before.count, before.place);
        if before.count > 0 {
            self.ranks.relink(&mut self.queues, slot, before.count + served);
        }
    }

    /// A sender who has nothing left waits for no turn; and gives up its slot, unless it had turns
    /// that are remembered. Harmless when that has been done.
    pub(super) fn leave_if_empty(&mut self, slot: u32) {
        let Some(queue) = self.queues.get_mut(slot).filter(|queue| queue.count == 0) else {
            return;
        };
        let (sender, served) = (queue.sender, queue.served);
        if core::mem::take(&mut queue.waits) {
            self.turns.unlink(&mut self.queues, slot, served);
        }
        if served == 0 {
            self.index.remove(hash(self.hasher, sender), slot);
            self.queues.remove(slot);
        }
    }

    /// A sender has had a turn: it goes to the end of the round, behind all who had as many.
    pub(super) fn end_turn(&mut self, slot: u32, now: Instant, remembers: bool) {
        let served = self.queues[slot].served;
        if !remembers {
            self.turns.unlink(&mut self.queues, slot, served);
            return self.turns.push_back(&mut self.queues, slot, served);
        }
        if self.memory.len() >= MAX_TURNS {
            self.forgotten += 1;
            self.forget_oldest();
        }
        self.memory.push_back((now, slot));
        self.set_served(slot, self.queues[slot].served + 1);
    }

    /// Forgets the turns that were had so long ago or longer. Returns whether any is left.
    pub(super) fn forget(&mut self, now: Instant, after: Duration) -> bool {
        while self.memory.front().is_some_and(|&(had_at, _)| now >= had_at + after) {
            self.forget_oldest();
        }
        !self.memory.is_empty()
    }

    fn forget_oldest(&mut self) {
        let Some((_, slot)) = self.memory.pop_front() else { return };
        self.set_served(slot, self.queues[slot].served - 1);
        self.leave_if_empty(slot);
    }

    /// A sender comes last among those who have had as many turns.
    fn set_served(&mut self, slot: u32, served: u32) {
        let SenderQueue { count, served: before, waits, .. } = self.queues[slot];
        if waits {
            self.turns.unlink(&mut self.queues, slot, before);
        }
        self.move_rank(slot, count, served);
        if waits {
            self.turns.push_back(&mut self.queues, slot, served);
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<u32> {
        self.turns.lowest()
    }

    /// Who holds most, turns had and remembered included: of several, who has been there for
    /// longest.
    pub(super) fn biggest(&self) -> Option<u32> {
        self.ranks.highest().map(|(_, slot)| slot)
    }

    /// Who holds most, if that is more than a sender holds.
    pub(super) fn bigger_than(&self, slot: u32) -> Option<u32> {
        let SenderQueue { count, served, .. } = self.queues[slot];
        let (rung, biggest) = self.ranks.highest()?;
        (rung > count + served).then_some(biggest)
    }

    /// Turns that were forgotten before their time.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Writes the turns, those that are remembered, and the ranks.
    #[cfg(feature = "internals")]
    pub(super) fn digest(&self, to: &mut alloc::string::String) {
        use alloc::vec::Vec;
        use core::fmt::Write;
        let names = |list: List, links: fn(&SenderQueue) -> Links| {
            let slots = list.iter(&self.queues, links);
            slots.map(|slot| self.queues[slot].sender).collect::<Vec<_>>()
        };
        for (served, list) in self.turns.rungs() {
            let _ = writeln!(to, "served {served}: {:?}", names(list, |queue| queue.turn));
        }
        for (count, list) in self.ranks.rungs() {
            let _ = writeln!(to, "holding {count}: {:?}", names(list, |queue| queue.rank));
        }
        let memory = (0..self.memory.len()).filter_map(|at| self.memory.get(at));
        let memory: Vec<_> =
            memory.map(|&(had_at, slot)| (had_at, self.queues[slot].sender)).collect();
        let _ = writeln!(to, "turns {memory:?}");
    }
}

fn hash_at(queues: &Slab<SenderQueue>, hasher: Hasher, slot: u32) -> u64 {
    debug_assert_ne!(slot, NIL, "the index holds full slots only");
    hash(hasher, queues[slot].sender)
}

fn hash(hasher: Hasher, sender: Sender) -> u64 {
    match sender {
        Sender::User(UserId(id)) => hasher.hash(id),
        // Any fixed number: a collision with one user costs one comparison.
        Sender::Host => hasher.hash(u64::MAX),
    }
}
