//! Events: what a room tells its host, in bounded memory.
//! [Decision D7](crate::design#d7-outcomes-are-bounded-without-losing-one).
//!
//! Outcomes are never lost: a slot is reserved when the message is let in. Presence is state, so
//! what the host does not poll in time is folded and counted.

use crate::chunked::Deque;
use crate::ids::{CorrelationId, MessageId, SessionId, UserId};
use crate::index::{Hasher, Index};
use crate::message::{Outcome, OutcomeSink};
use crate::priority::{PerLevel, Priority};
use alloc::boxed::Box;

/// What `poll_event` hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The fate of a message that its publish call could not tell yet.
    Outcome {
        /// The message.
        id: MessageId,
        /// Its priority.
        priority: Priority,
        /// Itself and the messages that were merged into it.
        messages: u32,
        /// What they stand for.
        units: u64,
        /// How the publisher asked to hear of it, with the tag.
        outcome_sink: OutcomeSink,
        /// The fate.
        outcome: Outcome,
    },
    /// A user's first session came or the last one went, silent ones not counted.
    Presence {
        /// The user.
        user: UserId,
        /// Where the user stands now.
        presence: Presence,
        /// What brought that about.
        cause: PresenceCause,
        /// Earlier changes of the same user that nobody polled in time and that this one stands
        /// for.
        folded: u32,
    },
    /// So many changes of presence found no room and were only counted: ask the room who is online.
    PresenceLost {
        /// How many.
        count: u64,
    },
    /// The room was closed. It stands for the going of everyone.
    RoomClosed,
    /// The closed room has nobody in it any more: its books are final and it may be removed.
    RoomEnded,
}

impl Event {
    /// The host's own tag, if this is an outcome that carries one.
    pub fn correlation_id(&self) -> Option<CorrelationId> {
        match self {
            Self::Outcome { outcome_sink: OutcomeSink::Event(tag), .. } => Some(*tag),
            _ => None,
        }
    }
}

/// Whether a user is online in a room: has at least one session that is not silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// At least one session that is not silent.
    Online,
    /// None, or silent ones only.
    Offline,
}

/// What made a user come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceCause {
    /// Joined.
    Join,
    /// Left, was taken out, or the last session that was not silent was closed. Who was offline by
    /// silence is not told to go again.
    Quit,
    /// The last session that was not silent was found to be.
    HeartbeatInterrupt,
    /// A silent session showed life again.
    HeartbeatRecover,
}

/// Whether a session shows signs of life: what an audience tells its admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It was found silent.
    Silent,
    /// It shows life again.
    Alive,
    /// It was silent for so long that it ends.
    Left,
}

/// Why a session ended, as the session itself is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The user left the room, on all devices.
    Left,
    /// The room was closed.
    RoomClosed,
    /// The user was taken out.
    Kicked,
    /// The user was taken out and may not come again.
    Banned,
    /// The user joined another room, where a user is in one at a time.
    JoinedElsewhere,
    /// The host ended this session: [`RoomState::end_session`](crate::RoomState::end_session).
    Ended,
    /// The session has shown no sign of life for so long that it ends:
    /// [`Heartbeat::leave_after`](crate::config::Heartbeat::leave_after).
    Silent,
    /// The session is to go on at another server, and its client to come back there:
    /// [`RoomState::move_session`](crate::RoomState::move_session).
    Moved,
}

impl core::fmt::Display for EndReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Left => "the user left the room",
            Self::RoomClosed => "the room was closed",
            Self::Kicked => "the user was kicked",
            Self::Banned => "the user was banned",
            Self::JoinedElsewhere => "the user joined another room",
            Self::Ended => "the session was ended",
            Self::Silent => "the session was silent for too long",
            Self::Moved => "the session goes on at another server",
        })
    }
}

/// A joined session and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The session.
    pub session: SessionId,
    /// The last message that this session does *not* get: a host that keeps a history fills in up
    /// to and with this one, without a hole and without a message twice. One that resumes goes on
    /// where the former session was; of that this is as many messages as lie before its positions:
    /// the last that it had got, if it had taken all that it was due.
    pub starts_after: crate::ids::Seq,
    /// Where it starts.
    pub start: StartPosition,
}

/// Where a session starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartPosition {
    /// At the head: it gets what is dispatched from now on.
    Head,
    /// A few messages before the head: it gets the last that were dispatched, as the room is
    /// configured.
    Late,
    /// Where the session was whose token it joined with.
    Resumed,
    /// Its token is of another life of the room, so nothing is known of where it stood: it starts
    /// as a fresh session does.
    Unknown,
}

/// The events of one room that nobody has polled yet.
#[derive(Debug)]
pub(crate) struct EventQueue {
    outcomes: Deque<Event>,
    /// Slots of each level that are promised or filled.
    held: PerLevel<u32>,
    limits: PerLevel<u32>,
    /// None while nobody has come.
    presence: Option<Box<PresenceQueue>>,
    /// The most changes that wait.
    max_presence: u32,
    hasher: Hasher,
    closed: bool,
}

impl EventQueue {
    pub(crate) fn new(outcomes: PerLevel<u32>, presence: u32, hasher: Hasher) -> Self {
        Self {
            outcomes: Deque::new(),
            held: PerLevel::default(),
            limits: outcomes,
            presence: None,
            max_presence: presence,
            hasher,
            closed: false,
        }
    }

    /// From now on other limits; what was promised and what waits stays.
    pub(crate) fn reconfigure(&mut self, outcomes: PerLevel<u32>, presence: u32) {
        (self.limits, self.max_presence) = (outcomes, presence);
        if let Some(queue) = &mut self.presence {
            queue.limit = presence;
        }
    }

    /// Whether a message of this level can be promised that its outcome will be told.
    pub(crate) fn has_room(&self, level: Priority) -> bool {
        self.held[level] < self.limits[level]
    }

    /// Promises a slot; [`release`](Self::release) or [`outcome`](Self::outcome) takes it up.
    pub(crate) fn reserve(&mut self, level: Priority) {
        self.held[level] += 1;
    }

    /// Gives a promised slot back: the call told the outcome itself.
    pub(crate) fn release(&mut self, level: Priority) {
        self.held[level] -= 1;
    }

    /// Fills a promised slot.
    pub(crate) fn outcome(
        &mut self,
        id: MessageId,
        priority: Priority,
        (messages, units): (u32, u64),
        outcome_sink: OutcomeSink,
        outcome: Outcome,
    ) {
        self.outcomes.push_back(Event::Outcome {
            id,
            priority,
            messages,
            units,
            outcome_sink,
            outcome,
        });
    }

    pub(crate) fn presence(&mut self, user: UserId, presence: Presence, cause: PresenceCause) {
        let fresh = || Box::new(PresenceQueue::new(self.max_presence, self.hasher));
        let queue = self.presence.get_or_insert_with(fresh);
        queue.push(Change { user, presence, cause, folded: 0 });
    }

    pub(crate) fn closed(&mut self) {
        self.closed = true;
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        if let Some(event) = self.outcomes.pop_front() {
            if let Event::Outcome { priority, .. } = event {
                self.held[priority] -= 1;
            }
            return Some(event);
        }
        if let Some(change) = self.presence.as_mut().and_then(|queue| queue.pop()) {
            let Change { user, presence, cause, folded } = change;
            return Some(Event::Presence { user, presence, cause, folded });
        }
        if let Some(queue) = self.presence.as_mut().filter(|queue| queue.lost > 0) {
            return Some(Event::PresenceLost { count: core::mem::take(&mut queue.lost) });
        }
        core::mem::take(&mut self.closed).then_some(Event::RoomClosed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
            && self.presence.as_ref().is_none_or(|queue| queue.is_empty())
            && !self.closed
    }

    /// Outcome slots of a level that are promised or filled.
    pub(crate) fn held(&self, level: Priority) -> u32 {
        self.held[level]
    }
}

#[derive(Clone, Copy, Debug)]
struct Change {
    user: UserId,
    presence: Presence,
    cause: PresenceCause,
    folded: u32,
}

/// At most one waiting change for each user, found by the user; the oldest first.
#[derive(Debug)]
struct PresenceQueue {
    changes: Deque<Change>,
    /// The running number of the front, modulo 2³²: the index keeps numbers, which pops do not
    /// shift.
    base: u32,
    /// In use once more than a few wait, until none does: a host that polls often pays for no
    /// index.
    index: Index,
    is_indexed: bool,
    limit: u32,
    lost: u64,
    hasher: Hasher,
}

/// Changes that are few enough to be looked through.
const FEW: usize = 8;

impl PresenceQueue {
    fn new(limit: u32, hasher: Hasher) -> Self {
        Self {
            changes: Deque::new(),
            base: 0,
            index: Index::new(),
            is_indexed: false,
            limit,
            lost: 0,
            hasher,
        }
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.lost == 0
    }

    fn push(&mut self, change: Change) {
        let place = self.find(change.user);
        if let Some(waiting) = place.and_then(|place| self.changes.get_mut(place)) {
            *waiting = Change { folded: waiting.folded.saturating_add(1), ..change };
        } else if self.changes.len() >= self.limit as usize {
            self.lost += 1;
        } else {
            self.changes.push_back(change);
            let len = self.changes.len();
            if self.is_indexed {
                self.note(len - 1);
            } else if len > FEW {
                self.is_indexed = true;
                (0..len).for_each(|place| self.note(place));
            }
        }
    }

    /// The place of the change of a user that waits.
    fn find(&self, user: UserId) -> Option<usize> {
        if !self.is_indexed {
            return (0..self.changes.len())
                .find(|&place| self.changes.get(place).is_some_and(|change| change.user == user));
        }
        let is_its = |number| self.at(number).is_some_and(|change| change.user == user);
        let number = self.index.find(self.hasher.hash(user.0), is_its)?;
        Some(number.wrapping_sub(self.base) as usize)
    }

    /// Puts the change at a place into the index.
    fn note(&mut self, place: usize) {
        let Some(user) = self.changes.get(place).map(|change| change.user) else { return };
        let (changes, base, hasher) = (&self.changes, self.base, self.hasher);
        self.index.insert(hasher.hash(user.0), base.wrapping_add(place as u32), |number| {
            changes
                .get(number.wrapping_sub(base) as usize)
                .map_or(0, |change| hasher.hash(change.user.0))
        });
    }

    fn pop(&mut self) -> Option<Change> {
        let change = self.changes.pop_front()?;
        if self.is_indexed {
            self.index.remove(self.hasher.hash(change.user.0), self.base);
            self.is_indexed = !self.changes.is_empty();
        }
        self.base = self.base.wrapping_add(1);
        Some(change)
    }

    fn at(&self, number: u32) -> Option<&Change> {
        self.changes.get(number.wrapping_sub(self.base) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(presence: u32) -> EventQueue {
        EventQueue::new(PerLevel([1, 1, 0, 0]), presence, Hasher::new(0))
    }

    /// They fold into the last one.
    #[test]
    fn changes_of_one_user_fold_and_keep_their_place() {
        let mut events = queue(2);
        events.presence(UserId(1), Presence::Online, PresenceCause::Join);
        events.presence(UserId(2), Presence::Online, PresenceCause::Join);
        events.presence(UserId(1), Presence::Offline, PresenceCause::Quit);
        events.presence(UserId(3), Presence::Online, PresenceCause::Join);
        let offline = Presence::Offline;
        assert_eq!(
            events.pop(),
            Some(Event::Presence {
                user: UserId(1),
                presence: offline,
                cause: PresenceCause::Quit,
                folded: 1
            })
        );
        assert!(matches!(events.pop(), Some(Event::Presence { user: UserId(2), folded: 0, .. })));
        assert_eq!(events.pop(), Some(Event::PresenceLost { count: 1 }));
        assert_eq!(events.pop(), None);
        assert!(events.is_empty());
    }

    #[test]
    fn many_changes_fold_as_few_do() {
        let mut events = queue(1_000);
        for round in 0..3_u32 {
            for id in 0..100 {
                events.presence(UserId(id), Presence::Online, PresenceCause::Join);
                events.presence(UserId(id / 2), Presence::Offline, PresenceCause::Quit);
            }
            let mut left = 0;
            while let Some(Event::Presence { user, folded, .. }) = events.pop() {
                assert_eq!(
                    (user, folded),
                    (UserId(left), if left < 50 { 2 } else { 0 }),
                    "round {round}"
                );
                left += 1;
            }
            assert_eq!(left, 100);
        }
    }

    /// However pushes and pops come one after the other: a change finds the one of its user that
    /// waits.
    #[test]
    fn changes_fold_while_others_are_polled() {
        let mut events = queue(1_000);
        let mut waiting: std::vec::Vec<(u64, u32)> = std::vec::Vec::new();
        let (mut draw, mut is_indexed) = (7_u64, false);
        for _ in 0..20_000 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let user = draw >> 33 & 63;
            if draw >> 60 < 11 {
                events.presence(UserId(user), Presence::Online, PresenceCause::Join);
                match waiting.iter_mut().find(|(other, _)| *other == user) {
                    Some((_, folded)) => *folded += 1,
                    None => waiting.push((user, 0)),
                }
            } else {
                let first = (!waiting.is_empty()).then(|| waiting.remove(0));
                let found = events.pop().map(|event| match event {
                    Event::Presence { user, folded, .. } => (user.0, folded),
                    other => panic!("{other:?}"),
                });
                assert_eq!(found, first);
            }
            // An index once more than a few wait, and until none does; it keeps nothing else.
            is_indexed = waiting.len() > FEW || is_indexed && !waiting.is_empty();
            let queue = events.presence.as_deref();
            let found = queue.map_or((false, 0), |queue| (queue.is_indexed, queue.index.len()));
            assert_eq!(found, (is_indexed, if is_indexed { waiting.len() } else { 0 }));
        }
        assert!(waiting.len() > FEW, "the index was in use");
    }

    #[test]
    fn slots_are_counted_by_level_until_polled() {
        let mut events = queue(0);
        assert!(events.has_room(Priority::High) && !events.has_room(Priority::Low));
        events.reserve(Priority::High);
        assert!(!events.has_room(Priority::High) && events.has_room(Priority::Normal));
        let outcome = Outcome::Dropped {
            reason: crate::ledger::DropReason::Expired,
            limit: None,
            retry_at: None,
        };
        events.outcome(
            MessageId(1),
            Priority::High,
            (1, 1),
            OutcomeSink::Event(CorrelationId(5)),
            outcome,
        );
        assert!(!events.has_room(Priority::High));
        assert_eq!(events.pop().and_then(|event| event.correlation_id()), Some(CorrelationId(5)));
        assert!(events.has_room(Priority::High));
    }
}
