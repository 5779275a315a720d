//! The senders with something in one level: whose turn it is, and who holds most.
//! [Clause B4](crate::rulebook#b4-fairness-between-senders).

use crate::chunked::{Chunked, NIL, Slab};
use crate::ids::UserId;
use crate::index::{Hasher, Index};
use crate::list::{Links, List};
use crate::message::Sender;

/// One sender's messages in one level, in order of entry.
#[derive(Debug)]
pub(super) struct SenderQueue {
    sender: Sender,
    /// The messages, threaded through the queue's entries.
    pub(super) messages: List,
    count: u32,
    /// The place in the round of turns.
    turn: Links,
    /// The place among those who hold as many.
    rank: Links,
}

/// How much a sender held, its place among those who held as many, and the most that any held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    count: u32,
    place: Links,
    most: u32,
}

impl Rank {
    pub(super) const NONE: Self = Self { count: 0, place: Links::NONE, most: 0 };
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
    /// In order of their turns.
    turns: List,
    /// Those who hold `n` messages, at `n`. Place 0 stays empty.
    ranks: Chunked<List>,
    /// The most that any sender holds.
    most: u32,
    hasher: Hasher,
}

impl Senders {
    pub(super) fn new(hasher: Hasher) -> Self {
        Self {
            queues: Slab::new(),
            index: Index::new(),
            turns: List::EMPTY,
            ranks: Chunked::new(),
            most: 0,
            hasher,
        }
    }

    pub(super) fn queue_mut(&mut self, slot: u32) -> &mut SenderQueue {
        &mut self.queues[slot]
    }

    pub(super) fn queue(&self, slot: u32) -> &SenderQueue {
        &self.queues[slot]
    }

    /// The slot of a sender who has something.
    pub(super) fn find(&self, sender: Sender) -> Option<u32> {
        self.index.find(hash(self.hasher, sender), |slot| self.queues[slot].sender == sender)
    }

    /// The slot of a sender, with an empty queue if it has none yet.
    pub(super) fn enter(&mut self, sender: Sender) -> u32 {
        let hash = hash(self.hasher, sender);
        let queues = &self.queues;
        if let Some(slot) = self.index.find(hash, |slot| queues[slot].sender == sender) {
            return slot;
        }
        let fresh = SenderQueue {
            sender,
            messages: List::EMPTY,
            count: 0,
            turn: Links::NONE,
            rank: Links::NONE,
        };
        let slot = self.queues.insert(fresh);
        let (queues, hasher) = (&self.queues, self.hasher);
        self.index.insert(hash, slot, |slot| hash_at(queues, hasher, slot));
        self.turns.push_back(&mut self.queues, slot, turn);
        slot
    }

    /// Counts one message more for a sender. Returns the rank before.
    pub(super) fn add_one(&mut self, slot: u32) -> Rank {
        let before = self.move_rank(slot, self.queues[slot].count + 1);
        self.most = self.most.max(before.count + 1);
        before
    }

    /// Counts one message less for a sender. Returns the rank before.
    pub(super) fn take_one(&mut self, slot: u32) -> Rank {
        let before = self.move_rank(slot, self.queues[slot].count - 1);
        if before.count == self.most && self.ranks[before.count].front().is_none() {
            self.most = before.count - 1;
        }
        before
    }

    fn move_rank(&mut self, slot: u32, count: u32) -> Rank {
        let queue = &mut self.queues[slot];
        let before = Rank { count: queue.count, place: queue.rank, most: self.most };
        queue.count = count;
        if before.count > 0 {
            self.ranks[before.count].unlink(&mut self.queues, slot, rank);
        }
        if count > 0 {
            self.ranks.reach(count, List::EMPTY);
            self.ranks[count].push_back(&mut self.queues, slot, rank);
        }
        before
    }

    /// Gives a sender the rank back that was there before the last move; several moves are undone
    /// in the reverse order, with nothing else changed in between.
    pub(super) fn undo(&mut self, slot: u32, before: Rank) {
        let count = self.queues[slot].count;
        if count > 0 {
            self.ranks[count].unlink(&mut self.queues, slot, rank);
        }
        let queue = &mut self.queues[slot];
        (queue.count, queue.rank, self.most) = (before.count, before.place, before.most);
        if before.count > 0 {
            self.ranks[before.count].relink(&mut self.queues, slot, rank);
        }
    }

    /// Gives up the slot of a sender who has nothing left; harmless when that has been done.
    pub(super) fn leave_if_empty(&mut self, slot: u32) {
        if let Some(&SenderQueue { sender, count: 0, .. }) = self.queues.get(slot) {
            self.turns.unlink(&mut self.queues, slot, turn);
            self.index.remove(hash(self.hasher, sender), slot);
            self.queues.remove(slot);
        }
    }

    /// Sends a sender to the end of the round.
    pub(super) fn end_turn(&mut self, slot: u32) {
        self.turns.unlink(&mut self.queues, slot, turn);
        self.turns.push_back(&mut self.queues, slot, turn);
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<u32> {
        self.turns.front()
    }

    /// Who holds most: of several, who has held that many for longest.
    pub(super) fn biggest(&self) -> Option<u32> {
        self.ranks.get(self.most)?.front()
    }

    /// Writes the turns and the ranks.
    #[cfg(feature = "internals")]
    pub(super) fn digest(&self, to: &mut alloc::string::String) {
        use core::fmt::Write;
        let names = |list: List, links: fn(&SenderQueue) -> Links| {
            let slots = list.iter(&self.queues, links);
            slots.map(|slot| self.queues[slot].sender).collect::<alloc::vec::Vec<_>>()
        };
        let _ = writeln!(to, "turns {:?}", names(self.turns, |queue| queue.turn));
        for (count, &rank) in (0..).zip((0..self.ranks.len() as u32).map(|at| &self.ranks[at])) {
            let holders = names(rank, |queue| queue.rank);
            if !holders.is_empty() {
                let _ = writeln!(to, "holding {count}: {holders:?}");
            }
        }
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
