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

    /// Counts one message more for a sender.
    pub(super) fn add_one(&mut self, slot: u32) {
        let count = &mut self.queues[slot].count;
        let (old, new) = (*count, *count + 1);
        *count = new;
        self.move_rank(slot, old, new);
        self.most = self.most.max(new);
    }

    /// Counts one message less for a sender.
    pub(super) fn take_one(&mut self, slot: u32) {
        let count = &mut self.queues[slot].count;
        let (old, new) = (*count, *count - 1);
        *count = new;
        self.move_rank(slot, old, new);
        if old == self.most && self.ranks[old].front().is_none() {
            self.most = new;
        }
    }

    fn move_rank(&mut self, slot: u32, old: u32, new: u32) {
        if old > 0 {
            self.ranks[old].unlink(&mut self.queues, slot, rank);
        }
        if new > 0 {
            self.ranks.reach(new, List::EMPTY);
            self.ranks[new].push_back(&mut self.queues, slot, rank);
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
