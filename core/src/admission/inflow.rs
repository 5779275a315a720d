//! What the room has dispatched comes to an edge, in whatever order the way there makes of it:
//! [clause B17](crate::rulebook#b17-admission-at-an-edge).

use super::Admission;
use crate::handover::HandOver;
use crate::ids::Seq;
use crate::message::Payload;
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::RangeInclusive;

/// What became of a hand-over that an edge received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// So many messages are there for the audience that were not before, those included that it
    /// closed a hole in front of.
    Taken(u64),
    /// Something before it is missing ([`Edge::missing`](crate::Edge::missing)): it is held until
    /// that has come, or is given up.
    Held,
    /// Its messages and all before have come already.
    Known,
    /// It is of another room, or another life: what it says of how far the levels have come
    /// contradicts what has come before. Nothing has changed.
    Foreign,
}

/// What came before something that is missing, by the number of the first message that is missing no
/// more.
#[derive(Debug)]
pub(super) struct Inflow<M> {
    held: BTreeMap<u64, HandOver<M>>,
    /// What is held: messages, and hand-overs without any.
    places: u32,
    /// Messages that were given up.
    lost: PerLevel<u64>,
}

impl<M> Default for Inflow<M> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), places: 0, lost: PerLevel::default() }
    }
}

impl<M> Inflow<M> {
    fn hold(&mut self, before: u64, handed: HandOver<M>) {
        let more = handed.messages().len();
        let is_longer = |known: &HandOver<M>| known.messages().len() < more;
        if self.held.get(&before).is_none_or(is_longer) {
            self.places += Self::places(&handed);
            if let Some(known) = self.held.insert(before, handed) {
                self.places -= Self::places(&known);
            }
        }
    }

    /// What it takes to hold a hand-over.
    fn places(handed: &HandOver<M>) -> u32 {
        handed.messages().len().max(1) as u32
    }

    /// The first that is held, if nothing is missing before it at `last`, or at all events.
    fn pop(&mut self, last: Option<u64>) -> Option<HandOver<M>> {
        let entry = self.held.first_entry()?;
        if last.is_some_and(|last| *entry.key() > last) {
            return None;
        }
        let handed = entry.remove();
        self.places -= Self::places(&handed);
        Some(handed)
    }
}

impl<M: Payload> Admission<M> {
    pub(crate) fn receive(&mut self, handed: HandOver<M>) -> Received {
        let last = self.dispatched().0;
        let before: u64 = handed.heads_before().values().sum();
        if handed.through().0 <= last {
            return Received::Known;
        }
        if before > last {
            if !self.may_follow(&handed) {
                return Received::Foreign;
            }
            self.inflow_mut().hold(before, handed);
            let mut taken = 0;
            while self.inflow_mut().places > self.settings.outbox_capacity {
                taken += self.go_on_behind_hole();
            }
            return if taken > 0 { Received::Taken(taken) } else { Received::Held };
        }
        match self.take_in(handed) {
            Some(taken) => Received::Taken(taken + self.take_held()),
            None => Received::Foreign,
        }
    }

    pub(crate) fn missing(&self) -> Option<RangeInclusive<Seq>> {
        let (&before, _) = self.inflow.as_ref()?.held.first_key_value()?;
        Some(Seq(self.dispatched().0 + 1)..=Seq(before))
    }

    pub(crate) fn give_up_missing(&mut self) -> u64 {
        let sum = |lost: PerLevel<u64>| lost.values().sum::<u64>();
        let before = sum(self.lost());
        let _ = self.go_on_behind_hole();
        sum(self.lost()) - before
    }

    pub(crate) fn lost(&self) -> PerLevel<u64> {
        self.inflow.as_ref().map_or_else(PerLevel::default, |inflow| inflow.lost)
    }

    fn inflow_mut(&mut self) -> &mut Inflow<M> {
        self.inflow.get_or_insert_with(Box::default)
    }

    /// What is missing before the first that is held is lost. Returns how many messages come.
    fn go_on_behind_hole(&mut self) -> u64 {
        let Some(handed) = self.inflow_mut().pop(None).filter(|handed| self.may_follow(handed))
        else {
            return 0;
        };
        let (before, heads) = (handed.heads_before(), self.heads());
        for level in Priority::ALL {
            self.inflow_mut().lost[level] += before[level] - heads[level];
        }
        self.pipeline.pass_over(before, self.accounts.drops());
        self.take_in(handed).unwrap_or(0) + self.take_held()
    }

    /// Whether no level was further than where this hand-over begins.
    fn may_follow(&self, handed: &HandOver<M>) -> bool {
        let (before, heads) = (handed.heads_before(), self.heads());
        Priority::ALL.into_iter().all(|level| before[level] >= heads[level])
    }

    /// Takes what is held and nothing is missing before; returns how many messages that are.
    fn take_held(&mut self) -> u64 {
        let mut taken = 0;
        loop {
            let last = self.dispatched().0;
            let Some(handed) = self.inflow.as_mut().and_then(|inflow| inflow.pop(Some(last)))
            else {
                return taken;
            };
            taken += self.take_in(handed).unwrap_or(0);
        }
    }

    /// Takes what has not come yet, where nothing is missing before it. Returns how many messages
    /// that are, and `None` where it does not fit what has come.
    fn take_in(&mut self, handed: HandOver<M>) -> Option<u64> {
        let (last, mut heads) = (self.dispatched(), self.heads());
        for message in handed.messages.iter().filter(|message| message.seq > last) {
            heads[message.priority] += 1;
        }
        // Its messages lead up to its heads: where those fit, so do the positions.
        if heads != handed.heads && handed.through() > last {
            return None;
        }
        let mut taken = 0;
        for message in handed.messages {
            if message.seq > last {
                self.pipeline.take_in(message);
                taken += 1;
            }
        }
        Some(taken)
    }
}
