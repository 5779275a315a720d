//! What a level knows of its messages beside their order of entry, as far as its policies ask for it: by sender, and for random draws.

use super::Entry;
use super::senders::Senders;
use crate::chunked::{Chunked, NIL, Slab};
use crate::config::{QueueConfig, TieBreak, VictimPolicy};
use crate::index::Hasher;
use crate::list::Links;
use crate::message::Sender;

#[derive(Debug)]
pub(super) struct Books {
    /// Kept if a policy asks who sent what.
    pub(super) senders: Senders,
    by_sender: bool,
    /// Every entry in some order, for random draws; kept if there are any.
    pub(super) dense: Chunked<u32>,
    by_draw: bool,
}

/// Where an entry stands in the books.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// The sender's slot.
    pub(super) sender: u32,
    /// The neighbours of the same sender.
    peers: Links,
    /// The place in the dense array.
    dense: u32,
}

impl Page {
    /// In no book.
    pub(super) const NONE: Self = Self { sender: NIL, peers: Links::NONE, dense: NIL };
}

fn peers<T>(entry: &mut Entry<T>) -> &mut Links {
    &mut entry.page.peers
}

impl Books {
    pub(super) fn new(config: &QueueConfig, hasher: Hasher) -> Self {
        Self {
            senders: Senders::new(hasher),
            by_sender: config.tie_break != TieBreak::Fifo || config.victim == VictimPolicy::BiggestSender,
            dense: Chunked::new(),
            by_draw: config.tie_break == TieBreak::Random || config.victim == VictimPolicy::Random,
        }
    }

    /// Adds an entry.
    pub(super) fn enter<T>(&mut self, entries: &mut Slab<Entry<T>>, key: u32, sender: Sender) {
        if self.by_sender {
            let slot = self.senders.enter(sender);
            entries[key].page.sender = slot;
            self.senders.queue_mut(slot).messages.push_back(entries, key, peers);
            self.senders.add_one(slot);
        }
        if self.by_draw {
            entries[key].page.dense = self.dense.len() as u32;
            self.dense.push(key);
        }
    }

    /// Takes out the entry of this page; its sender's slot stays, for [`relink`](Self::relink).
    pub(super) fn unlink<T>(&mut self, entries: &mut Slab<Entry<T>>, page: Page) {
        if self.by_sender {
            self.senders.queue_mut(page.sender).messages.close(entries, page.peers, peers);
            self.senders.take_one(page.sender);
        }
        if self.by_draw {
            self.dense.swap_remove(page.dense);
            if let Some(&moved) = self.dense.get(page.dense) {
                entries[moved].page.dense = page.dense;
            }
        }
    }

    /// Puts an entry back where [`unlink`](Self::unlink) took it from; several in the reverse order.
    pub(super) fn relink<T>(&mut self, entries: &mut Slab<Entry<T>>, key: u32, page: Page) {
        if self.by_sender {
            self.senders.queue_mut(page.sender).messages.relink(entries, key, peers);
            self.senders.add_one(page.sender);
        }
        if self.by_draw {
            let len = self.dense.len() as u32;
            self.dense.push(key);
            if page.dense < len {
                let moved = core::mem::replace(&mut self.dense[page.dense], key);
                self.dense[len] = moved;
                entries[moved].page.dense = len;
            }
        }
    }

    /// An entry that was taken out is gone for good: so is its sender, if it was the last one.
    pub(super) fn leave(&mut self, page: Page) {
        if page.sender != NIL {
            self.senders.leave_if_empty(page.sender);
        }
    }
}
