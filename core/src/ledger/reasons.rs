//! The reasons that the books count by, and counters for each.

use core::fmt;
use core::ops::AddAssign;

#[cfg(feature = "serde")]
mod written;

/// A list of reasons that the ledger counts by.
pub trait Reason: Copy + fmt::Debug + 'static {
    /// One counter for each reason.
    type Counters: Copy + Default + PartialEq + Eq + fmt::Debug + AsRef<[u64]> + AsMut<[u64]>;
    /// Every reason, in the order in which the ledger lists them.
    const ALL: &'static [Self];
    /// The place in [`ALL`](Self::ALL).
    fn index(self) -> usize;
    /// The name in snake case, as metrics and tables want it.
    fn name(self) -> &'static str;

    /// The reason of this name: the one way to write counters down that stays right as reasons are
    /// added.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant),*
        }

        impl Reason for $name {
            type Counters = [u64; [$($text),*].len()];
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn index(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(written::Name($name::named, &[$($text),*]))
            }
        }
    };
}

reasons! {
    /// Why a message was not let in. The checks are made in this order; the first that fails
    /// decides.
    RefusalReason {
        /// The room takes nothing any more.
        RoomClosed = "room_closed",
        /// No such session in this room: it never was, or it has ended.
        NotMember = "not_member",
        /// Guests receive and may not speak.
        Guest = "guest",
        /// The sender, who is at an edge, is banned.
        Banned = "banned",
        /// The sender is muted.
        Muted = "muted",
        /// The room is muted and the sender is neither its owner nor an admin.
        RoomMuted = "room_muted",
        /// The sender has not been in the room for as long as its speak mode asks.
        TooNew = "too_new",
        /// Only marked users may speak, and the sender is not marked.
        NotMarked = "not_marked",
        /// Only the owner and the admins may speak, by the room's speak mode.
        NotStaff = "not_staff",
        /// The payload is over the room's limit, or the profile that comes with a forwarded message
        /// is.
        TooLarge = "too_large",
        /// The sender has said the same within the room's window.
        Duplicate = "duplicate",
        /// Somebody has said the same within the window of the room's speak mode.
        NotUnique = "not_unique",
        /// The sender has said as much as one may.
        SenderQuota = "sender_quota",
        /// More senders speak than the room tells apart, and those that are more have said as much
        /// as they may together.
        SendersFull = "senders_full",
        /// The host has sent its notices of this second.
        NoticeQuota = "notice_quota",
        /// The counter that it would be counted in cannot take it.
        Counter = "counter",
        /// Too many outcomes of this level wait to be polled.
        OutcomesFull = "outcomes_full",
        /// The audit holds as many records as it may, those of messages that wait included, and the
        /// host takes none.
        AuditFull = "audit_full",
        /// All rooms together hold more than they may, or the message has a key and what does not
        /// give way takes more than half; it is not High.
        MemoryFull = "memory_full",
        /// Too many messages wait for a verdict, and none of them gives way to this one.
        ReviewsFull = "reviews_full",
        /// The queue is full and holds nothing that may be evicted for this message.
        QueueFull = "queue_full",
        /// More waits at its level than can go out within the level's bound on age, and none of it
        /// gives way to this message.
        Congested = "congested",
    }
}

reasons! {
    /// Why a message that had been let in was never dispatched.
    DropReason {
        /// The queue was full, or as many waited for a verdict as may, and a message of the same or
        /// a higher level took the place; or the message is counted and found none itself.
        Evicted = "evicted",
        /// It waited longer than its level may.
        Expired = "expired",
        /// More waited at its level than could go out within the level's bound on age, and it gave
        /// way to another one; or it is counted, and none gave way to it.
        Congested = "congested",
        /// All rooms together held more than they may, and this one gave way.
        MemoryFull = "memory_full",
        /// The host's verdict.
        Denied = "denied",
        /// No verdict came in time, and the room does not go on without one.
        ReviewTimeout = "review_timeout",
        /// Its sender, or the room, was muted while it waited for a verdict.
        Muted = "muted",
        /// The counter that it was to be counted in could not take it when the verdict came.
        Counter = "counter",
        /// Its sender was kicked or banned while it waited.
        SenderOut = "sender_out",
        /// It was taken back while it waited.
        Retracted = "retracted",
        /// The room was closed while it waited.
        RoomClosed = "room_closed",
        /// The room refused what an edge had let in: the room's books say why. An edge tells it, and
        /// books it as forwarded.
        RoomRefused = "room_refused",
        /// An edge was taken off its room before it learned what became of this message: it may have
        /// gone out. An edge tells it, and books it as forwarded.
        EdgeLost = "edge_lost",
    }
}

/// Counters, one for each reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally<R: Reason>(R::Counters);

impl<R: Reason> Default for Tally<R> {
    fn default() -> Self {
        Self(R::Counters::default())
    }
}

impl<R: Reason> Tally<R> {
    /// How many fell to `reason`.
    pub fn count(&self, reason: R) -> u64 {
        self.0.as_ref()[reason.index()]
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.as_ref().iter().copied().fold(0, u64::wrapping_add)
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL.iter().map(|&reason| (reason, self.count(reason)))
    }

    pub(crate) fn add(&mut self, reason: R) {
        self.0.as_mut()[reason.index()] += 1;
    }
}

impl<R: Reason> FromIterator<(R, u64)> for Tally<R> {
    /// Adds up what falls to each reason, as it was written down.
    ///
    /// ```
    /// use roomcast_core::ledger::{DropReason, Reason, Tally};
    ///
    /// let counts = [("expired", 3), ("evicted", 2), ("unheard_of", 9)];
    /// let named = |(name, count)| Some((DropReason::named(name)?, count));
    /// let tally: Tally<DropReason> = counts.into_iter().filter_map(named).collect();
    /// assert_eq!((tally.count(DropReason::Expired), tally.total()), (3, 5));
    /// ```
    fn from_iter<I: IntoIterator<Item = (R, u64)>>(counts: I) -> Self {
        let mut tally = Self::default();
        for (reason, count) in counts {
            tally.0.as_mut()[reason.index()] += count;
        }
        tally
    }
}

impl<R: Reason> AddAssign for Tally<R> {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.as_mut().iter_mut().zip(other.0.as_ref()) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_knows_its_own_place() {
        for (place, reason) in RefusalReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
    }
}
