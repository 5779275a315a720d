//! What a host offers to a room.

use super::{Kind, Source};
use crate::ids::Tag;
use crate::priority::Priority;
use alloc::sync::Arc;

/// How the publisher wants to hear of the outcome when the call itself cannot tell it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Not at all: the ledger has it. The default of `Low` and `Lowest`.
    CountedOnly,
    /// As an [`Event::Outcome`](crate::Event::Outcome) that carries this tag.
    Event(Tag),
    /// As [`Event`](Self::Event), for the layer that drives the core: the tag of a caller that awaits the outcome, in a number space apart from
    /// the host's own tags.
    Answer(Tag),
}

/// What messages have in common that may become one while they wait (clause B9), by a number of the host's choosing.
///
/// Messages of one priority with one key that wait at the same time become one: the first, which carries the units of all. So a flood of likes
/// takes one place in the queue and one token, and the sum is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MergeKey(pub u64);

impl MergeKey {
    /// What [`Publish::like`] merges by.
    pub const LIKES: Self = Self(u64::MAX);
    /// What [`Publish::follow`] merges by.
    pub const FOLLOWS: Self = Self(u64::MAX - 1);
}

/// What tells a message from its own repetition, by a number of the sender's choosing: the number that a client gives to what it sends.
/// Two senders may use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DuplicateKey(pub u64);

/// A message that a host offers to a room.
///
/// ```
/// use roomcast_core::{Kind, Priority, Publish, Report, Source, Tag};
///
/// let gift = Publish::new(Source::Host, "rocket").priority(Priority::High).kind(Kind::Custom).report(Report::Event(Tag(7)));
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
    pub report: Option<Report>,
    /// What it may be merged by; `None`: it stays for itself.
    pub merge: Option<MergeKey>,
    /// How many it stands for: likes that a client has gathered, say. 1 unless said; a ledger of units balances beside that of messages.
    pub units: u64,
    /// What its repetition would carry as well; `None`: it is never taken for one.
    pub key: Option<DuplicateKey>,
    /// The counter of the room that its units are added to (clause A28).
    pub counter: Option<&'static str>,
    /// The profile that travels with a [`Source::Forwarded`] message, within the room's `profile_bytes`; that of a session's user the room
    /// knows.
    pub profile: Option<Arc<M>>,
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
            report: None,
            merge: None,
            units: 1,
            key: None,
            counter: None,
            profile: None,
            payload,
        }
    }

    /// A gift: `High` (clause A30).
    pub fn gift(source: Source, payload: M) -> Self {
        Self { priority: Priority::High, kind: Kind::Custom, ..Self::new(source, payload) }
    }

    /// A red packet: `High` (clause A30).
    pub fn red_packet(source: Source, payload: M) -> Self {
        Self::gift(source, payload)
    }

    /// The message that tells somebody that they are to go: `High`, so that it arrives in the hottest flood of likes (clauses A9, A30).
    pub fn kick(source: Source, payload: M) -> Self {
        Self::gift(source, payload)
    }

    /// A like: `Low`, merged with others that wait, and counted in the room's counter "likes" (clauses A29, A30).
    pub fn like(source: Source, payload: M) -> Self {
        let (merge, counter) = (Some(MergeKey::LIKES), Some("likes"));
        Self { priority: Priority::Low, kind: Kind::Custom, merge, counter, ..Self::new(source, payload) }
    }

    /// A follow: `Low`, merged with others that wait, and counted in the room's counter "follows" (clauses A29, A30).
    pub fn follow(source: Source, payload: M) -> Self {
        let (merge, counter) = (Some(MergeKey::FOLLOWS), Some("follows"));
        Self { priority: Priority::Low, kind: Kind::Custom, merge, counter, ..Self::new(source, payload) }
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
    pub fn report(mut self, report: Report) -> Self {
        self.report = Some(report);
        self
    }

    /// To be merged with others that wait under the same key (clause B9).
    #[must_use]
    pub fn merge(mut self, key: MergeKey) -> Self {
        self.merge = Some(key);
        self
    }

    /// Standing for so many.
    #[must_use]
    pub fn units(mut self, units: u64) -> Self {
        self.units = units;
        self
    }

    /// To be refused if the same sender's message with this key has been let in within the room's window.
    #[must_use]
    pub fn key(mut self, key: DuplicateKey) -> Self {
        self.key = Some(key);
        self
    }

    /// With its units added to this counter of the room once the message has passed the checks, whatever becomes of it then: likes count even
    /// when their message is shed (clause A29). A message that is refused as `QueueFull` has been counted; offer it again without.
    #[must_use]
    pub fn counted(mut self, counter: &'static str) -> Self {
        self.counter = Some(counter);
        self
    }
}
