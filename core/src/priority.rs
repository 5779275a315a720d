//! The four priorities, and one value for each of them:
//! [clause A13](crate::rulebook#a13-four-priorities).

use core::cmp::Ordering;
use core::fmt;
use core::ops::{Index, IndexMut};

/// The priority of a message (its *level*): what goes first when the room is too hot.
///
/// `High` compares greater than `Lowest`. Gifts, red packets and kicks belong to `High`, text to
/// `Normal`, likes and follows to `Low`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[repr(u8)]
pub enum Priority {
    /// Gifts, red packets, kicks: what must get through.
    High = 0,
    /// Text; what a message has when nothing is said.
    #[default]
    Normal = 1,
    /// Likes and follows.
    Low = 2,
    /// What may as well be missed.
    Lowest = 3,
}

impl Priority {
    /// The lowest priority.
    pub const MIN: Self = Self::Lowest;
    /// The highest priority.
    pub const MAX: Self = Self::High;
    /// How many there are.
    pub const NUM: usize = Self::ALL.len();
    /// All of them, the highest first.
    pub const ALL: [Self; 4] = [Self::High, Self::Normal, Self::Low, Self::Lowest];

    /// The place in [`ALL`](Self::ALL): 0 for `High`, 3 for `Lowest`.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in lower case: `high`, `normal`, `low`, `lowest`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Lowest => "lowest",
        }
    }
}

impl Ord for Priority {
    fn cmp(&self, other: &Self) -> Ordering {
        other.index().cmp(&self.index())
    }
}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One `T` for each priority, indexed by [`Priority`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLevel<T>(pub [T; Priority::NUM]);

impl<T> PerLevel<T> {
    /// Makes the value of each level.
    pub fn from_fn(mut make: impl FnMut(Priority) -> T) -> Self {
        Self(Priority::ALL.map(&mut make))
    }

    /// Each level with its value, the highest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Priority, &T)> {
        Priority::ALL.into_iter().zip(&self.0)
    }

    /// The values by themselves, the highest level's first.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }
}

#[cfg(feature = "serde")]
impl<T: serde::Serialize> serde::Serialize for PerLevel<T> {
    /// Writes a table of `high`, `normal`, `low` and `lowest`.
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter().map(|(level, value)| (level.name(), value)))
    }
}

#[cfg(feature = "serde")]
impl<'de, T: serde::Deserialize<'de> + Default> serde::Deserialize<'de> for PerLevel<T> {
    /// Reads a table of `high`, `normal`, `low` and `lowest`; what it does not say is as by default.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Levels<T> {
            #[serde(default)]
            high: T,
            #[serde(default)]
            normal: T,
            #[serde(default)]
            low: T,
            #[serde(default)]
            lowest: T,
        }
        let Levels { high, normal, low, lowest } = Levels::deserialize(from)?;
        Ok(Self([high, normal, low, lowest]))
    }
}

impl<T> Index<Priority> for PerLevel<T> {
    type Output = T;

    fn index(&self, level: Priority) -> &T {
        &self.0[level.index()]
    }
}

impl<T> IndexMut<Priority> for PerLevel<T> {
    fn index_mut(&mut self, level: Priority) -> &mut T {
        &mut self.0[level.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_is_the_greatest_and_normal_the_default() {
        assert!(Priority::High > Priority::Normal && Priority::Low > Priority::Lowest);
        assert_eq!(Priority::default(), Priority::Normal);
        assert_eq!(Priority::ALL.iter().max(), Some(&Priority::MAX));
        assert_eq!(Priority::ALL.iter().min(), Some(&Priority::MIN));
    }

    #[test]
    fn indexes_follow_the_list() {
        for (place, level) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(level.index(), place);
        }
    }
}
