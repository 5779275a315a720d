//! The lease of a node: that it lives, and until when it may take itself for an owner.

use super::Event;
use super::shared::{Purpose, Shared};
use crate::bus::{Answer, Key, Request};
use crate::wire::{NodeLease, VERSION};
use roomcast_core::Instant;

/// The lease of this node.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// Its revision, as far as is known.
    revision: u64,
    /// When the attempt was sent that is on its way.
    sent: Option<Instant>,
    /// When to try next.
    next: Instant,
    name_taken: bool,
    /// It is to be given back.
    leaves: bool,
    /// It was.
    pub(super) has_left: bool,
}

impl Lease {
    /// Renews it, if that is due.
    pub(super) fn tick<M, I>(&mut self, shared: &mut Shared<M, I>) {
        if self.sent.is_some() || shared.now < self.next || self.has_left {
            return;
        }
        if self.leaves {
            self.give_back(shared);
            return;
        }
        let options = shared.options;
        let lease = NodeLease {
            node: options.name,
            incarnation: shared.incarnation,
            reads: VERSION,
            retires: shared.retires,
            sent_at: Some(shared.now),
        };
        self.sent = Some(shared.now);
        let (key, value) = (Key::Node(options.name), lease.encode().into());
        let (expected, ttl) = (self.revision, Some(options.lease));
        shared.call(Purpose::Lease, Request::Put { key, expected, value, ttl });
    }

    /// Others are to hear at once of what it says now.
    pub(super) fn renew_now(&mut self) {
        self.next = Instant::ZERO;
    }

    /// Gives it back, so that nobody waits for it to lapse.
    pub(super) fn leave<M, I>(&mut self, shared: &mut Shared<M, I>) {
        self.leaves = true;
        shared.lease_until = Instant::ZERO;
        if self.sent.is_none() {
            self.give_back(shared);
        }
    }

    fn give_back<M, I>(&mut self, shared: &mut Shared<M, I>) {
        self.sent = Some(shared.now);
        let (key, expected) = (Key::Node(shared.options.name), self.revision);
        shared.call(Purpose::Leave, Request::Delete { key, expected });
    }

    /// The bus has heard that, or has not.
    pub(super) fn left<M, I>(&mut self, shared: &mut Shared<M, I>, answer: &Answer) {
        self.sent = None;
        if matches!(answer, Answer::Unknown) {
            // As with any attempt: soon again, and not at once.
            self.next = shared.now + shared.options.lease / 30;
        } else if !core::mem::replace(&mut self.has_left, true) {
            shared.tell(Event::Left);
        }
    }

    /// An attempt is answered.
    pub(super) fn answered<M, I>(&mut self, shared: &mut Shared<M, I>, answer: &Answer) {
        let Some(sent) = self.sent.take() else { return };
        if self.leaves {
            if let Answer::Done(revision) = *answer {
                self.revision = revision;
            }
            // It was renewed on the way out.
            self.give_back(shared);
            return;
        }
        let (name, soon) = (shared.options.name, shared.options.lease / 30);
        self.next = shared.now + soon;
        match *answer {
            Answer::Done(revision) => {
                self.revision = revision;
                // Counted from before the bus began to count.
                shared.lease_until = sent + shared.options.lease;
                shared.renewed_at = sent;
                self.next = sent + shared.options.lease / 3;
                if shared.incarnation == 0 {
                    shared.incarnation = revision;
                    shared.tell(Event::Started { incarnation: revision });
                }
                self.name_taken = false;
            }
            // Perhaps it was done, and the answer lost: then the key says so. Of the very first lease
            // nobody can tell whose it is; it lapses, and is taken anew.
            Answer::Refused => match shared.keys.node(name) {
                Some((revision, its)) if its == shared.incarnation && its != 0 => {
                    self.revision = revision;
                }
                Some(_) => {
                    self.revision = 0;
                    if !core::mem::replace(&mut self.name_taken, true) {
                        shared.tell(Event::NameTaken);
                    }
                }
                None => self.revision = 0,
            },
            Answer::Unknown | Answer::Read(_) => {}
        }
    }

    /// When [`tick`](Self::tick) does something.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.sent.is_none() && !self.has_left).then_some(self.next)
    }
}
