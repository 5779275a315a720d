//! The books of one level of the queue, beside its order of entry, as far as its policies ask for
//! them: by sender, and for random draws.

use super::senders::{Rank, Senders};
use crate::chunked::{Chunked, NIL};
use crate::config::{EvictionPolicy, QueueConfig, QueueDiscipline};
use crate::index::Hasher;
use crate::list::{Links, List};
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

/// Where an entry stands in the books. Beside the entries, at the same slots: one that goes out at
/// once never has a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// The sender's slot.
    pub(super) sender: u32,
    /// The neighbours of the same sender.
    peers: Links,
    /// The place in the dense array.
    dense: u32,
    /// The sender's rank before this entry entered, or before it was taken out, whichever was
    /// last.
    rank: Rank,
}

impl Page {
    const NONE: Self = Self { sender: NIL, peers: Links::NONE, dense: NIL, rank: Rank::NONE };
}

/// The pages of all entries that are in the books of their level.
pub(super) type Pages = Chunked<Page>;

fn peers(page: &mut Page) -> &mut Links {
    &mut page.peers
}

impl Books {
    pub(super) fn new(config: &QueueConfig, hasher: Hasher) -> Self {
        Self {
            senders: Senders::new(hasher),
            by_sender: asks_who(config),
            dense: Chunked::new(),
            by_draw: draws(config),
        }
    }

    /// Starts again as the policies of `config` ask, with nothing entered. The senders stay as they
    /// are where that is said; what they hold is not to be entered again.
    pub(super) fn start_again(&mut self, config: &QueueConfig, keeps_senders: bool) {
        if !keeps_senders {
            self.senders.start_again();
            self.by_sender = asks_who(config);
        }
        (self.dense, self.by_draw) = (Chunked::new(), draws(config));
    }

    /// Adds an entry.
    pub(super) fn enter(&mut self, pages: &mut Pages, key: u32, sender: Sender) {
        if self.by_sender || self.by_draw {
            pages.reach(key, Page::NONE);
        }
        if self.by_sender {
            self.enter_for(pages, key, sender);
        }
        if self.by_draw {
            self.enter_to_draw(pages, key);
        }
    }

    /// Adds an entry that waits to books that [started again](Self::start_again).
    pub(super) fn enter_again(
        &mut self,
        pages: &mut Pages,
        key: u32,
        sender: Sender,
        keeps_senders: bool,
    ) {
        if !keeps_senders {
            return self.enter(pages, key, sender);
        }
        if self.by_draw {
            pages.reach(key, Page::NONE);
            self.enter_to_draw(pages, key);
        }
    }

    #[inline]
    fn enter_for(&mut self, pages: &mut Pages, key: u32, sender: Sender) {
        let slot = self.senders.enter(sender);
        pages[key].sender = slot;
        self.senders.queue_mut(slot).messages.push_back(pages, key, peers);
        pages[key].rank = self.senders.add_one(slot);
    }

    #[inline]
    fn enter_to_draw(&mut self, pages: &mut Pages, key: u32) {
        pages[key].dense = self.dense.len() as u32;
        self.dense.push(key);
    }

    /// Whether [`oldest_of`](Self::oldest_of) knows.
    pub(super) fn is_by_sender(&self) -> bool {
        self.by_sender
    }

    /// The oldest entry of a sender.
    pub(super) fn oldest_of(&self, sender: Sender) -> Option<u32> {
        self.senders.queue(self.senders.find(sender)?).messages.front()
    }

    /// All entries of a sender, the oldest first.
    pub(super) fn all_of<'a>(
        &'a self,
        pages: &'a Pages,
        sender: Sender,
    ) -> impl Iterator<Item = u32> + 'a {
        let slot = self.senders.find(sender);
        slot.into_iter()
            .flat_map(move |slot| self.senders.queue(slot).messages.iter(pages, |page| page.peers))
    }

    /// Takes an entry out; its page and its sender's slot stay, for [`relink`](Self::relink).
    pub(super) fn unlink(&mut self, pages: &mut Pages, key: u32) {
        if self.by_sender {
            let slot = pages[key].sender;
            self.senders.queue_mut(slot).messages.unlink(pages, key, peers);
            pages[key].rank = self.senders.take_one(slot);
        }
        if self.by_draw {
            let place = pages[key].dense;
            self.dense.swap_remove(place);
            if let Some(&moved) = self.dense.get(place) {
                pages[moved].dense = place;
            }
        }
    }

    /// Puts an entry back where [`unlink`](Self::unlink) took it from; several in the reverse
    /// order.
    pub(super) fn relink(&mut self, pages: &mut Pages, key: u32) {
        if self.by_sender {
            let slot = pages[key].sender;
            self.senders.queue_mut(slot).messages.relink(pages, key, peers);
            self.senders.undo(slot, pages[key].rank);
        }
        if self.by_draw {
            let (place, len) = (pages[key].dense, self.dense.len() as u32);
            self.dense.push(key);
            if place < len {
                let moved = core::mem::replace(&mut self.dense[place], key);
                self.dense[len] = moved;
                pages[moved].dense = len;
            }
        }
    }

    /// The entry that entered last stands before those of its sender that are later.
    pub(super) fn move_up(&mut self, pages: &mut Pages, key: u32, is_later: impl Fn(u32) -> bool) {
        if !self.by_sender {
            return;
        }
        let messages = &mut self.senders.queue_mut(pages[key].sender).messages;
        messages.unlink(pages, key, peers);
        let mut before = messages.back();
        while let Some(other) = before.filter(|&other| is_later(other)) {
            before = List::before(pages[other].peers);
        }
        messages.insert_behind(pages, before, key, peers);
    }

    /// Takes the entry out that entered last, as if it never had: the ranks are what they were. Its
    /// sender's slot stays, for [`leave`](Self::leave).
    pub(super) fn undo_enter(&mut self, pages: &mut Pages, key: u32) {
        if self.by_sender {
            let Page { sender, rank, .. } = pages[key];
            self.senders.queue_mut(sender).messages.unlink(pages, key, peers);
            self.senders.undo(sender, rank);
        }
        if self.by_draw {
            // It entered last, so it stands last.
            self.dense.pop();
        }
    }

    /// An entry that was taken out is gone for good: so is its sender, if it was the last one.
    pub(super) fn leave(&mut self, pages: &Pages, key: u32) {
        if self.by_sender {
            self.senders.leave_if_empty(pages[key].sender);
        }
    }
}

/// Whether a policy asks who sent what.
pub(super) fn asks_who(config: &QueueConfig) -> bool {
    config.discipline != QueueDiscipline::Fifo || config.eviction == EvictionPolicy::BiggestSender
}

/// Whether a policy draws at random.
fn draws(config: &QueueConfig) -> bool {
    config.discipline == QueueDiscipline::Random || config.eviction == EvictionPolicy::Random
}
