//! The books: what became of every message, and of every delivery, as plain counters.
//! [Clause B2](crate::rulebook#b2-books-that-balance).
//!
//! They balance to the integer at any instant; [`LevelLedger::balances`] and
//! [`Deliveries::balances`] say so.

pub use crate::gap::Skips;
use crate::priority::{PerLevel, Priority};
use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign};

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
        /// The payload is over the room's limit, or the profile that comes with a forwarded message
        /// is.
        TooLarge = "too_large",
        /// The sender has said the same within the room's window.
        Duplicate = "duplicate",
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
        /// The room was closed while it waited.
        RoomClosed = "room_closed",
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
        self.0.as_ref().iter().sum()
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL.iter().map(|&reason| (reason, self.count(reason)))
    }

    pub(crate) fn add(&mut self, reason: R) {
        self.0.as_mut()[reason.index()] += 1;
    }
}

impl<R: Reason> AddAssign for Tally<R> {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.as_mut().iter_mut().zip(other.0.as_ref()) {
            *mine += theirs;
        }
    }
}

/// The messages of one priority, from publish to their fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelLedger {
    /// Publish calls.
    pub submitted: u64,
    /// Not let in, by reason.
    pub refused: Tally<RefusalReason>,
    /// Let in and never dispatched, by reason.
    pub dropped: Tally<DropReason>,
    /// Folded into another message.
    pub merged: u64,
    /// Sent out to the audience.
    pub dispatched: u64,
    /// Waiting in the queue now.
    pub queued: u64,
    /// Waiting for the host's verdict now.
    pub under_review: u64,
    /// The same in units: what a message stands for, once or many times.
    pub units: Units,
}

/// The units of the messages of one priority, modulo 2⁶⁴. What is merged stays in it, with the
/// message that carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Units {
    /// Of all publish calls.
    pub submitted: u64,
    /// Of those not let in.
    pub refused: u64,
    /// Of those let in and never dispatched, what they carried included.
    pub dropped: u64,
    /// Sent out to the audience.
    pub dispatched: u64,
    /// Waiting in the queue now.
    pub queued: u64,
    /// Waiting for the host's verdict now.
    pub under_review: u64,
}

impl Units {
    /// `submitted = refused + dropped + dispatched + queued + under_review`.
    pub fn balances(&self) -> bool {
        let fates = [self.refused, self.dropped, self.dispatched, self.queued, self.under_review];
        self.submitted == fates.into_iter().fold(0, u64::wrapping_add)
    }
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            submitted: self.submitted.wrapping_add(other.submitted),
            refused: self.refused.wrapping_add(other.refused),
            dropped: self.dropped.wrapping_add(other.dropped),
            dispatched: self.dispatched.wrapping_add(other.dispatched),
            queued: self.queued.wrapping_add(other.queued),
            under_review: self.under_review.wrapping_add(other.under_review),
        }
    }
}

impl LevelLedger {
    /// The right side of law L1: everything that a submitted message can have come to.
    pub fn accounted(&self) -> u64 {
        self.refused.total()
            + self.dropped.total()
            + self.merged
            + self.dispatched
            + self.queued
            + self.under_review
    }

    /// Law L1: `submitted = refused + dropped + merged + dispatched + queued + under_review`, in
    /// messages; and in units.
    pub fn balances(&self) -> bool {
        self.submitted == self.accounted() && self.units.balances()
    }

    /// A message is offered.
    pub(crate) fn submit(&mut self, units: u64) {
        self.submitted += 1;
        self.units.submitted = self.units.submitted.wrapping_add(units);
    }

    /// It is not let in.
    pub(crate) fn refuse(&mut self, reason: RefusalReason, units: u64) {
        self.refused.add(reason);
        self.units.refused = self.units.refused.wrapping_add(units);
    }

    /// It waits in the queue.
    pub(crate) fn queue(&mut self, units: u64) {
        self.queued += 1;
        self.units.queued = self.units.queued.wrapping_add(units);
    }

    /// It waits in the queue no more.
    pub(crate) fn leave_queue(&mut self, units: u64) {
        self.queued -= 1;
        self.units.queued = self.units.queued.wrapping_sub(units);
    }

    /// It waits for a verdict.
    pub(crate) fn review(&mut self, units: u64) {
        self.under_review += 1;
        self.units.under_review = self.units.under_review.wrapping_add(units);
    }

    /// It waits for a verdict no more.
    pub(crate) fn leave_review(&mut self, units: u64) {
        self.under_review -= 1;
        self.units.under_review = self.units.under_review.wrapping_sub(units);
    }

    /// It became one with a message that waits.
    pub(crate) fn merge(&mut self, units: u64) {
        self.merged += 1;
        self.units.queued = self.units.queued.wrapping_add(units);
    }

    /// It is dropped, with all that it carries.
    pub(crate) fn drop(&mut self, reason: DropReason, units: u64) {
        self.dropped.add(reason);
        self.units.dropped = self.units.dropped.wrapping_add(units);
    }

    /// It goes out.
    pub(crate) fn dispatch(&mut self, units: u64) {
        self.dispatched += 1;
        self.units.dispatched = self.units.dispatched.wrapping_add(units);
    }
}

impl Add for LevelLedger {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.submitted += other.submitted;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.merged += other.merged;
        self.dispatched += other.dispatched;
        self.queued += other.queued;
        self.under_review += other.under_review;
        self.units = self.units + other.units;
        self
    }
}

impl Sum for LevelLedger {
    fn sum<I: Iterator<Item = Self>>(levels: I) -> Self {
        levels.fold(Self::default(), Add::add)
    }
}

/// The messages of a room by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// One row for each priority.
    pub levels: PerLevel<LevelLedger>,
}

impl Ledger {
    /// All priorities in one row.
    pub fn total(&self) -> LevelLedger {
        self.levels.values().copied().sum()
    }

    /// The books of a room and of the edges in front of it, as of one: what the edges shed is
    /// added, and what they forwarded was submitted there. They add up when nothing is on its way
    /// from an edge to the room.
    #[must_use]
    pub fn merged_with_edges(&self, edges: impl IntoIterator<Item = Self>) -> Self {
        let edges = edges.into_iter().fold(Self::default(), Add::add);
        Self {
            levels: PerLevel::from_fn(|level| {
                let (mut edges, forwarded) = (edges.levels[level], edges.levels[level].dispatched);
                let units = core::mem::take(&mut edges.units.dispatched);
                edges.dispatched = 0;
                let mut whole = edges + self.levels[level];
                whole.submitted = whole.submitted.wrapping_sub(forwarded);
                whole.units.submitted = whole.units.submitted.wrapping_sub(units);
                whole
            }),
        }
    }

    /// Whether each row balances.
    pub fn balances(&self) -> bool {
        self.levels.values().all(LevelLedger::balances)
    }
}

impl Add for Ledger {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { levels: PerLevel::from_fn(|level| self.levels[level] + other.levels[level]) }
    }
}

/// The deliveries of one priority, of one session or of all the sessions that a room has and had.
///
/// A delivery is one dispatched message to one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deliveries {
    /// Dispatched while the session was in.
    pub due: u64,
    /// Handed over in a batch.
    pub delivered: u64,
    /// Missed because the log had moved on before the session read, or it had become too old; told
    /// in-band as a gap.
    pub skipped: u64,
    /// Not read yet. What has fallen out of the log unread, or is too old, turns from pending to
    /// skipped when the session next reads.
    pub pending: u64,
    /// Not meant for the session: its own messages, and those of a level while the session had
    /// masked it.
    pub excluded: u64,
    /// Unread when the session ended.
    pub abandoned: u64,
}

impl Deliveries {
    /// The right side of law L2: everything that a due delivery can have come to.
    pub fn accounted(&self) -> u64 {
        self.delivered + self.skipped + self.pending + self.excluded + self.abandoned
    }

    /// Law L2: `due = delivered + skipped + pending + excluded + abandoned`.
    pub fn balances(&self) -> bool {
        self.due == self.accounted()
    }
}

impl Add for Deliveries {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            due: self.due + other.due,
            delivered: self.delivered + other.delivered,
            skipped: self.skipped + other.skipped,
            pending: self.pending + other.pending,
            excluded: self.excluded + other.excluded,
            abandoned: self.abandoned + other.abandoned,
        }
    }
}

impl Sum for Deliveries {
    fn sum<I: Iterator<Item = Self>>(rows: I) -> Self {
        rows.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Ledger {
    /// A table with one row for each priority, a column for each fate, and a row for each reason
    /// that occurred.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
            "", "submitted", "refused", "dropped", "merged", "dispatched", "queued"
        )?;
        let mut row = |name: &str, row: &LevelLedger| {
            writeln!(
                f,
                "{:<10}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
                name,
                row.submitted,
                row.refused.total(),
                row.dropped.total(),
                row.merged,
                row.dispatched,
                row.queued + row.under_review
            )
        };
        for (level, ledger) in self.levels.iter() {
            row(level.name(), ledger)?;
        }
        row("total", &self.total())?;
        for (level, ledger) in self.levels.iter() {
            write_reasons(f, level, "refused", &ledger.refused)?;
            write_reasons(f, level, "dropped", &ledger.dropped)?;
        }
        Ok(())
    }
}

fn write_reasons<R: Reason>(
    f: &mut fmt::Formatter<'_>,
    level: Priority,
    what: &str,
    tally: &Tally<R>,
) -> fmt::Result {
    for (reason, count) in tally.iter().filter(|(_, count)| *count > 0) {
        writeln!(f, "  {level:<8}{what} as {:<16}{count:>12}", reason.name())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_reason_knows_its_own_place() {
        for (place, reason) in RefusalReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
    }

    #[test]
    fn one_missing_line_unbalances_the_books() {
        let mut ledger = Ledger::default();
        ledger.levels[Priority::Low].submitted = 2;
        ledger.levels[Priority::Low].dropped.add(DropReason::Expired);
        assert!(!ledger.balances());
        ledger.levels[Priority::Low].refused.add(RefusalReason::Guest);
        assert!(ledger.balances());
        assert_eq!(ledger.total().submitted, 2);
        let table = ledger.to_string();
        assert!(table.contains("low     dropped as expired"), "{table}");
    }
}
