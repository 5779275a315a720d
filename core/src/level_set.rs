//! A set of levels, such as those that a session has masked:
//! [clause B10](crate::rulebook#b10-gaps-budgets-masks).

use crate::priority::Priority;
use core::fmt;

/// A set of levels that a session does not want.
///
/// ```
/// use roomcast_core::Priority;
/// use roomcast_core::level_set::LevelSet;
///
/// let mask = LevelSet::EMPTY.with(Priority::Low).with(Priority::Lowest);
/// assert!(mask.contains(Priority::Low) && !mask.contains(Priority::High));
/// assert_eq!(mask.without(Priority::Low), LevelSet::EMPTY.with(Priority::Lowest));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LevelSet(u8);

impl LevelSet {
    /// No level: the session wants them all.
    pub const EMPTY: Self = Self(0);

    /// These levels and this one.
    #[must_use]
    pub const fn with(self, level: Priority) -> Self {
        Self(self.0 | 1 << level.index())
    }

    /// These levels without this one.
    #[must_use]
    pub const fn without(self, level: Priority) -> Self {
        Self(self.0 & !(1 << level.index()))
    }

    /// Whether a level is among them.
    pub const fn contains(self, level: Priority) -> bool {
        self.0 >> level.index() & 1 != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The levels, the highest first.
    pub fn levels(self) -> impl Iterator<Item = Priority> {
        Priority::ALL.into_iter().filter(move |&level| self.contains(level))
    }
}

impl FromIterator<Priority> for LevelSet {
    fn from_iter<I: IntoIterator<Item = Priority>>(levels: I) -> Self {
        levels.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for LevelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.levels()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn each_level_is_in_it_or_not_by_itself() {
        for level in Priority::ALL {
            let one = LevelSet::EMPTY.with(level);
            assert!(one.levels().eq([level]) && !one.is_empty() && one.without(level).is_empty());
            let others: LevelSet =
                Priority::ALL.into_iter().filter(|&other| other != level).collect();
            assert!(
                !others.contains(level)
                    && others.with(level) == Priority::ALL.into_iter().collect()
            );
        }
        assert_eq!(format!("{:?}", LevelSet::EMPTY.with(Priority::Low)), "{Low}");
    }
}
