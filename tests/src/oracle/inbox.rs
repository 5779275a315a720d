//! The events that the host has yet to poll.

use crate::rules::Rules;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::event::{Presence, PresenceCause};
use roomcast_core::message::OutcomeSink;
use roomcast_core::{Event, PerLevel, Priority, UserId};
use std::collections::VecDeque;

/// What `poll_event` still owes.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    /// Each with the number of the decision that it came from: what gave way at once may be told
    /// in any order.
    outcomes: VecDeque<(u64, Event)>,
    decisions: u64,
    /// Slots in use: of messages that wait, and of outcomes that wait.
    pub held: PerLevel<u32>,
    presence: Vec<(UserId, Presence, PresenceCause, u32)>,
    lost: u64,
    closed: bool,
    ended: bool,
    end_told: bool,
    /// Outcomes promised as events, and told.
    pub promised: u64,
    /// Of those, told.
    pub told: u64,
}

impl Inbox {
    /// What follows is decided apart from what came before.
    pub fn decide(&mut self) {
        self.decisions += 1;
    }

    /// An outcome is to be told.
    pub fn outcome(&mut self, event: Event) {
        self.promised += 1;
        self.outcomes.push_back((self.decisions, event));
    }

    /// A user came or went.
    pub fn presence(
        &mut self,
        rules: &Rules,
        user: UserId,
        presence: Presence,
        cause: PresenceCause,
    ) {
        if let Some(waiting) = self.presence.iter_mut().find(|waiting| waiting.0 == user) {
            *waiting = (user, presence, cause, waiting.3 + 1);
        } else if self.presence.len() as u64 >= u64::from(rules.presence_events) {
            self.lost += 1;
        } else {
            self.presence.push((user, presence, cause, 0));
        }
    }

    /// The room was closed.
    pub fn closed(&mut self) {
        self.closed = true;
    }

    /// Whether the books are final.
    pub fn set_ended(&mut self, ended: bool) {
        self.ended = ended;
    }

    /// Whether something is owed.
    pub fn owes(&self) -> bool {
        !self.outcomes.is_empty()
            || !self.presence.is_empty()
            || self.lost > 0
            || self.closed
            || (self.ended && !self.end_told)
    }

    /// Changes of presence that wait.
    pub fn presence_len(&self) -> usize {
        self.presence.len()
    }

    /// The host polled and got this.
    pub fn polled(&mut self, found: Option<Event>) -> Check {
        let what = "the next event";
        if let Some(&(decision, first)) = self.outcomes.front() {
            let same_decision = self.outcomes.iter().take_while(|(other, _)| *other == decision);
            let place =
                same_decision.map(|&(_, event)| event).position(|event| Some(event) == found);
            let Some(place) = place else {
                return Err(Violation::new(Law::Events, what, Some(first), found));
            };
            self.outcomes.remove(place);
            if let Some(Event::Outcome { priority, .. }) = found {
                self.held[priority] -= 1;
            }
            self.told += 1;
            return Ok(());
        }
        let expected = if !self.presence.is_empty() {
            let (user, presence, cause, folded) = self.presence.remove(0);
            Some(Event::Presence { user, presence, cause, folded })
        } else if self.lost > 0 {
            Some(Event::PresenceLost { count: std::mem::take(&mut self.lost) })
        } else if std::mem::take(&mut self.closed) {
            Some(Event::RoomClosed)
        } else if self.ended && !self.end_told {
            self.end_told = true;
            Some(Event::RoomEnded)
        } else {
            None
        };
        same(Law::Events, what, expected, found)
    }

    /// A message that wants its outcome told takes a slot.
    pub fn reserve(&mut self, level: Priority, outcome_sink: OutcomeSink) {
        if outcome_sink != OutcomeSink::CountedOnly {
            self.held[level] += 1;
        }
    }

    /// It needs the slot no more: it was refused, or the call told the outcome.
    pub fn release(&mut self, level: Priority, outcome_sink: OutcomeSink) {
        if outcome_sink != OutcomeSink::CountedOnly {
            self.held[level] -= 1;
        }
    }
}
