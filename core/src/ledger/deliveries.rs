//! What became of the deliveries, of one session or of all.

use core::iter::Sum;
use core::ops::Add;

/// The deliveries of one priority, of one session or of all the sessions that a room has and had.
///
/// A delivery is one dispatched message to one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
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
        [self.skipped, self.pending, self.excluded, self.abandoned]
            .into_iter()
            .fold(self.delivered, u64::wrapping_add)
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
