//! The message as a host offers it to a room.

use super::{Kind, Relayed, Source};
use crate::ids::{CorrelationId, UserId};
use crate::priority::Priority;
use alloc::boxed::Box;

/// How the publisher wants to hear of the outcome when the call itself cannot tell it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutcomeSink {
    /// Not at all: the ledger has it. The default of `Low` and `Lowest`.
    CountedOnly,
    /// As an [`Event::Outcome`](crate::Event::Outcome) that carries this tag.
    Event(CorrelationId),
    /// As [`Event`](Self::Event), for the layer that drives the core: the tag of a caller that
    /// awaits the outcome, in a number space apart from the host's own tags.
    Waiter(CorrelationId),
}

/// What messages have in common that may become one while they wait.
///
/// Messages of one priority with one key that wait at the same time become one: the first, which
/// carries the units of all. So a flood of likes takes one place in the queue and one token, and
/// the sum is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MergeKey {
    /// What [`Publish::like`] merges by.
    Likes,
    /// What [`Publish::follow`] merges by.
    Follows,
    /// What [`Publish::gift_combo`] merges by: the same gift of the same user.
    Combo {
        /// Who gives it.
        user: UserId,
        /// Which it is, by a number of the host's choosing.
        gift: u32,
    },
    /// Whatever a host merges by, by a number of its choosing.
    Number(u64),
}

/// What tells a message from its own repetition, by a number of the sender's choosing: the number
/// that a client gives to what it sends. Two senders may use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DedupKey(pub u64);

/// Whether a message goes before the others of its level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// It takes its turn.
    #[default]
    Plain,
    /// It goes before all that are plain.
    Urgent,
}

/// A message that a host offers to a room.
///
/// ```
/// use roomcast_core::{Kind, Priority, Publish, Source};
/// use roomcast_core::ids::CorrelationId;
/// use roomcast_core::message::OutcomeSink;
///
/// let gift = Publish::new(Source::Host, "rocket").priority(Priority::High).kind(Kind::Custom).outcome_sink(OutcomeSink::Event(CorrelationId(7)));
/// assert_eq!(gift.priority, Priority::High);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Publish<M> {
    /// Where it comes from.
    pub source: Source,
    /// Its priority; `Normal` unless said.
    pub priority: Priority,
    /// Its kind; `Text` unless said.
    pub kind: Kind,
    /// How to report the outcome; `None` asks the room's configuration for the level's default.
    pub outcome_sink: Option<OutcomeSink>,
    /// What it may be merged by; `None`: it stays for itself.
    pub merge_key: Option<MergeKey>,
    /// How many it stands for: likes that a client has gathered, say. 1 unless said; a ledger of
    /// units balances beside that of messages.
    pub units: u64,
    /// What its repetition would carry as well; `None`: it is never taken for one.
    pub dedup_key: Option<DedupKey>,
    /// The counter of the room that its units are added to.
    pub counter: Option<&'static str>,
    /// Whether it goes before others of its level, as what the owner and the admins say does.
    pub urgency: Urgency,
    /// What comes with it from the edge that has let it in; `None`: it comes from no edge.
    pub relayed: Option<Box<Relayed<M>>>,
    /// What it carries.
    pub payload: M,
}

impl<M> Publish<M> {
    /// A text of `Normal` priority.
    pub const fn new(source: Source, payload: M) -> Self {
        Self {
            source,
            priority: Priority::Normal,
            kind: Kind::Text,
            outcome_sink: None,
            merge_key: None,
            units: 1,
            dedup_key: None,
            counter: None,
            urgency: Urgency::Plain,
            relayed: None,
            payload,
        }
    }

    /// A gift: `High`.
    pub fn gift(source: Source, payload: M) -> Self {
        Self { priority: Priority::High, kind: Kind::Custom, ..Self::new(source, payload) }
    }

    /// So many of one gift that a user sends one after the other: `High`, merged with those of the
    /// same gift and user that wait, so that one message carries the exact sum. `gift` is a number
    /// of the host's choosing.
    pub fn gift_combo(source: Source, user: UserId, gift: u32, units: u64, payload: M) -> Self {
        let merge_key = Some(MergeKey::Combo { user, gift });
        Self { merge_key, units, ..Self::gift(source, payload) }
    }

    /// A like: `Low`, merged with others that wait, and counted in the room's counter "likes".
    pub fn like(source: Source, payload: M) -> Self {
        let (merge_key, counter) = (Some(MergeKey::Likes), Some("likes"));
        Self {
            priority: Priority::Low,
            kind: Kind::Custom,
            merge_key,
            counter,
            ..Self::new(source, payload)
        }
    }

    /// A follow: `Low`, merged with others that wait, and counted in the room's counter "follows".
    pub fn follow(source: Source, payload: M) -> Self {
        let (merge_key, counter) = (Some(MergeKey::Follows), Some("follows"));
        Self {
            priority: Priority::Low,
            kind: Kind::Custom,
            merge_key,
            counter,
            ..Self::new(source, payload)
        }
    }

    /// With this priority.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Of this kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// With the outcome reported this way.
    #[must_use]
    pub fn outcome_sink(mut self, outcome_sink: OutcomeSink) -> Self {
        self.outcome_sink = Some(outcome_sink);
        self
    }

    /// Going before all of its level that wait and are not urgent: a word of the host's about a
    /// kick, in a storm of gifts. What the owner and the admins say is urgent anyway. A user's
    /// messages keep their order: one that comes while another of the same user and level waits
    /// stands as that one does.
    #[must_use]
    pub fn urgent(mut self) -> Self {
        self.urgency = Urgency::Urgent;
        self
    }

    /// To be merged with others that wait under the same key.
    #[must_use]
    pub fn merge_key(mut self, key: MergeKey) -> Self {
        self.merge_key = Some(key);
        self
    }

    /// Standing for so many.
    #[must_use]
    pub fn units(mut self, units: u64) -> Self {
        self.units = units;
        self
    }

    /// To be refused if the same sender's message with this key has been let in within the room's
    /// window.
    #[must_use]
    pub fn dedup_key(mut self, key: DedupKey) -> Self {
        self.dedup_key = Some(key);
        self
    }

    /// Coming from an edge, which has let it in: see [`EdgeMessage`](super::EdgeMessage).
    #[must_use]
    pub fn relayed(mut self, relayed: Relayed<M>) -> Self {
        self.relayed = Some(Box::new(relayed));
        self
    }

    /// With its units added to this counter of the room, once, when the message is let in, whatever
    /// becomes of it then: likes count even when their message is shed. One that passes the checks
    /// and finds no place is counted and dropped by the same call, as
    /// [`Evicted`](crate::ledger::DropReason::Evicted) or
    /// [`Congested`](crate::ledger::DropReason::Congested); one that is refused is not.
    #[must_use]
    pub fn counted(mut self, counter: &'static str) -> Self {
        self.counter = Some(counter);
        self
    }
}
