//! Why a session misses messages, and how many it has missed for which cause:
//! [clause B21](crate::rulebook#b21-freshness).

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// Why a session missed messages that were dispatched while it was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum GapCause {
    /// The log gave them up, or something before the session did, while they were still fresh: more
    /// came than it holds, by count or by bytes, or all rooms together held more than they may.
    Overrun,
    /// They had become too old before the session took them: as old as
    /// [`deliver_within`](crate::config::RoomConfigBuilder::deliver_within) of their level, or as
    /// the log keeps messages at all.
    Age,
    /// They were dispatched on another machine, and never came to this one.
    Bus,
}

impl GapCause {
    /// All of them, in the order in which gaps of one level are told.
    pub const ALL: [Self; 3] = [Self::Overrun, Self::Age, Self::Bus];

    /// The cause in one lowercase word, for logs and wires.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overrun => "overrun",
            Self::Age => "age",
            Self::Bus => "bus",
        }
    }
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Messages that were skipped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Skips {
    /// Skipped as [`GapCause::Overrun`].
    pub overrun: u64,
    /// Skipped as [`GapCause::Age`].
    pub age: u64,
    /// Skipped as [`GapCause::Bus`].
    pub bus: u64,
}

impl Skips {
    pub(crate) const NONE: Self = Self { overrun: 0, age: 0, bus: 0 };

    /// Of those that count as overrun so many never came to this machine.
    pub(crate) const fn with_lost(self, lost: u64) -> Self {
        let lost = if lost < self.overrun { lost } else { self.overrun };
        Self { overrun: self.overrun - lost, age: self.age, bus: self.bus + lost }
    }

    /// The same for each of so many sessions.
    pub(crate) const fn times(self, sessions: u32) -> Self {
        let sessions = sessions as u64;
        Self {
            overrun: self.overrun * sessions,
            age: self.age * sessions,
            bus: self.bus * sessions,
        }
    }

    /// How many were skipped for one cause.
    pub const fn of(self, cause: GapCause) -> u64 {
        match cause {
            GapCause::Overrun => self.overrun,
            GapCause::Age => self.age,
            GapCause::Bus => self.bus,
        }
    }

    /// How many were skipped in all.
    pub const fn total(self) -> u64 {
        self.overrun + self.age + self.bus
    }
}

impl Add for Skips {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (overrun, age) = (self.overrun + other.overrun, self.age + other.age);
        Self { overrun, age, bus: self.bus + other.bus }
    }
}

impl AddAssign for Skips {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Skips {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (overrun, age) = (self.overrun - other.overrun, self.age - other.age);
        Self { overrun, age, bus: self.bus - other.bus }
    }
}
