//! The choices that a room leaves to its configuration.

use crate::message::Report;
use crate::priority::PerLevel;
use crate::time::Duration;

/// Whose turn it is among the messages of one level (decision D17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TieBreak {
    /// First come, first served (clause A14).
    #[default]
    Fifo,
    /// The senders in turn, each with its oldest: a flooder gets no more turns than anybody else (clause B4). Among senders who have one
    /// message each it is first come, first served.
    RoundRobin,
    /// At random among the messages; the drawn one's sender sends the oldest. Drawn from the room's seed (clause B7).
    Random,
}

/// Which message of the lowest waiting level gives way when the queue is full (clause B8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VictimPolicy {
    /// The newest of the sender who holds most of that level, so that a flooder evicts himself (clause B4).
    #[default]
    BiggestSender,
    /// The one that came last.
    Newest,
    /// The one that came first.
    Oldest,
    /// Any, drawn from the room's seed (clause B7).
    Random,
}

/// Whether a message comes back to the session that sent it (clause A23). The user's other sessions always get it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Echo {
    /// It does not.
    #[default]
    Excluded,
    /// It does.
    Included,
}

/// What a queue of four levels may hold and how it chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueConfig {
    /// Messages at the most, over all levels.
    pub messages: u32,
    /// Payload bytes at the most, over all levels.
    pub bytes: u64,
    /// Whose turn it is inside a level.
    pub tie_break: TieBreak,
    /// Who gives way when it is full.
    pub victim: VictimPolicy,
    /// How long a message of each level may wait; `None` is for ever. At the deadline itself it is expired.
    pub max_wait: PerLevel<Option<Duration>>,
}

impl Default for QueueConfig {
    /// 1,024 messages, 4 MiB, first come first served, the biggest sender gives way; High waits as long as it takes, Normal
    /// 5 s, Low 2 s, Lowest 1 s.
    fn default() -> Self {
        let seconds = |n| Some(Duration::from_secs(n));
        Self {
            messages: 1_024,
            bytes: 4 << 20,
            tie_break: TieBreak::Fifo,
            victim: VictimPolicy::BiggestSender,
            max_wait: PerLevel([None, seconds(5), seconds(2), seconds(1)]),
        }
    }
}

/// How outcomes are reported when a publisher does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultReport {
    /// In the ledger only.
    CountedOnly,
    /// As an event with tag 0.
    Event,
}

impl From<DefaultReport> for Report {
    fn from(default: DefaultReport) -> Self {
        match default {
            DefaultReport::CountedOnly => Self::CountedOnly,
            DefaultReport::Event => Self::Event(crate::ids::Tag(0)),
        }
    }
}
