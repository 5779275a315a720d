//! What a room holds, in bytes, and how much of the memory that all rooms share is taken:
//! [clause B25](crate::rulebook#b25-memory-of-all-rooms).

use crate::message::Limit;
use crate::priority::Priority;

/// What a room holds, in bytes, by kind. Every figure is a sum that is kept: to read it costs O(1),
/// and nobody walks anything.
///
/// Sizes are those that the payloads told when they were offered. A profile counts wherever it is
/// held: with its user, and with each message of that user's. What a message costs beside its
/// payload and its profile is bounded by the counts that are configured, and is not in here; nor is
/// what crosses the seam between the halves, which is there for one call, or one visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct RoomBytes {
    /// Payloads of the messages in the queue.
    pub queued: u64,
    /// Payloads of the messages that wait for a verdict.
    pub under_review: u64,
    /// Profiles that travel with the messages of both.
    pub waiting_profiles: u64,
    /// Of these three, what is High.
    pub high_waiting: u64,
    /// Payloads and profiles in the log. Several audiences of one room share the messages, and the
    /// one that holds most counts.
    pub logged: u64,
    /// Of that, what is High.
    pub high_logged: u64,
    /// Direct messages that have not been read, once for each session that they wait for.
    pub directs: u64,
    /// Profiles of the users who are in.
    pub profiles: u64,
    /// Attributes, keys and values, and counters: their keys, and 8 bytes each; and what is pinned.
    pub data: u64,
    /// Payloads, and the profiles of what was dispatched, in the records of the audit. What the log
    /// holds as well counts twice.
    pub audited: u64,
    /// Keys of messages that are remembered, [`PER_KEY`](Self::PER_KEY) bytes each.
    pub keys: u64,
}

impl RoomBytes {
    /// What the key of a message costs that is remembered.
    pub const PER_KEY: u64 = 64;

    /// Returns what gives way when memory is short: messages that wait, and the log.
    pub const fn yielding(&self) -> u64 {
        self.queued + self.under_review + self.waiting_profiles + self.logged
    }

    /// Returns what of that gives way before anything of High does.
    pub const fn yielding_first(&self) -> u64 {
        self.yielding() - self.high_waiting - self.high_logged
    }

    /// Returns what does not give way: direct messages, profiles, attributes and counters, keys,
    /// what the audit holds.
    pub const fn kept(&self) -> u64 {
        self.directs + self.profiles + self.data + self.keys + self.audited
    }

    /// Returns all of it.
    pub const fn total(&self) -> u64 {
        self.yielding() + self.kept()
    }

    /// Returns what an admission and an audience of one room hold, or two audiences of it.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            queued: self.queued + other.queued,
            under_review: self.under_review + other.under_review,
            waiting_profiles: self.waiting_profiles + other.waiting_profiles,
            high_waiting: self.high_waiting + other.high_waiting,
            logged: self.logged.max(other.logged),
            high_logged: self.high_logged.max(other.high_logged),
            directs: self.directs + other.directs,
            profiles: self.profiles + other.profiles,
            data: self.data + other.data,
            keys: self.keys + other.keys,
            audited: self.audited + other.audited,
        }
    }
}

/// How much is left of the memory that all rooms share, as a room is told. What follows is
/// [clause B25](crate::rulebook#b25-memory-of-all-rooms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Enough, or nobody has said how much there may be.
    #[default]
    Free,
    /// What does not give way takes more than half of it: no more of that is let in.
    Tight {
        /// How many bytes all rooms may hold.
        limit: u64,
    },
    /// More than 110 % of it is taken: messages below High are let in no more, either.
    Full {
        /// How many bytes all rooms may hold.
        limit: u64,
    },
}

impl Memory {
    /// Returns how it is where rooms hold so many bytes in all, of which so many do not give way.
    pub const fn of(limit: u64, held: u64, kept: u64) -> Self {
        if held > limit.saturating_add(limit / 10) {
            Self::Full { limit }
        } else if kept > limit / 2 {
            Self::Tight { limit }
        } else {
            Self::Free
        }
    }

    /// Returns the limit that keeps out what would not give way, if one does.
    pub const fn keeps_out(self) -> Option<u64> {
        match self {
            Self::Free => None,
            Self::Tight { limit } | Self::Full { limit } => Some(limit),
        }
    }

    /// Returns the limit that keeps a message of a level out, if one does; `keyed` is one whose key
    /// would be remembered.
    #[inline]
    pub(crate) fn refuses(self, level: Priority, keyed: bool) -> Option<Limit> {
        match self {
            Self::Free => None,
            _ if level == Priority::High => None,
            Self::Tight { limit } if keyed => Some(Limit::Memory { max: limit }),
            Self::Tight { .. } => None,
            Self::Full { limit } => Some(Limit::Memory { max: limit }),
        }
    }
}

/// What gave way in one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trimmed {
    /// Messages, those that were merged into others not counted.
    pub messages: u32,
    /// Their payloads and profiles, in bytes.
    pub bytes: u64,
}

/// How much memory all rooms take together, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct MemoryUse {
    /// How many bytes they may hold.
    pub limit: u64,
    /// How many they hold: the sum of [`RoomBytes::total`].
    pub held: u64,
    /// Of those, what does not give way: the sum of [`RoomBytes::kept`].
    pub kept: u64,
    /// Messages that have given way so far.
    pub trimmed_messages: u64,
    /// Their payloads and profiles, in bytes.
    pub trimmed_bytes: u64,
    /// Messages that were refused as [`MemoryFull`](crate::ledger::RefusalReason::MemoryFull).
    pub refused: u64,
}

impl MemoryUse {
    /// Returns what rooms are told.
    pub const fn memory(&self) -> Memory {
        Memory::of(self.limit, self.held, self.kept)
    }

    /// Returns by how many bytes more is held than may be.
    pub const fn excess(&self) -> u64 {
        self.held.saturating_sub(self.limit)
    }
}
