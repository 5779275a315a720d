//! Sharding: how many audiences a room has, and which the next session joins.
//! [Decision D1](crate::design#d1-two-locks-and-a-ring-between).

use super::NotJoined;
use crate::error::JoinError;
use crate::event::Joined;
use crate::shard_index::ShardIndex;
use smallvec::SmallVec;

/// How the sessions of a room are spread over several audiences, so that several cores serve them.
///
/// ```
/// use roomcast_core::Sharding;
///
/// let sharding = Sharding::new(4, 256).unwrap();
/// assert_eq!((sharding.shards(), sharding.open_at()), (4, 256));
/// assert!(Sharding::new(3, 256).is_none(), "a power of two");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sharding {
    shards: u32,
    open_at: u32,
}

impl Default for Sharding {
    fn default() -> Self {
        Self::ONE
    }
}

impl Sharding {
    /// One audience for all sessions.
    pub const ONE: Self = Self { shards: 1, open_at: 1 };

    /// Returns at most so many audiences, of which another one is opened once each that is open has
    /// `open_at` sessions; `None` unless `shards` is a power of two and at most
    /// [`ShardIndex::MAX`].
    pub const fn new(shards: u32, open_at: u32) -> Option<Self> {
        if ShardIndex::new(0, shards).is_some() { Some(Self { shards, open_at }) } else { None }
    }

    /// Returns how many audiences there may be.
    pub const fn shards(self) -> u32 {
        self.shards
    }

    /// Returns how many sessions each open audience has before another one is opened.
    pub const fn open_at(self) -> u32 {
        self.open_at
    }

    /// Returns the audience with this number as a part of the room.
    pub const fn part(self, index: u32) -> ShardIndex {
        match ShardIndex::new(index, self.shards) {
            Some(part) => part,
            None => ShardIndex::WHOLE,
        }
    }

    /// Lets a session in somewhere: `loads` tells the sessions of each open audience, in order, and
    /// `join` tries one, which it opens if it is the next.
    ///
    /// # Errors
    /// The last refusal of `join`. One that found an audience's share of the room full makes way
    /// for the next audience.
    pub fn place<R: ?Sized>(
        self,
        room: &mut R,
        loads: impl Fn(&R) -> SmallVec<[u32; 8]>,
        mut join: impl FnMut(&mut R, u32) -> Result<Joined, NotJoined>,
    ) -> Result<Joined, JoinError> {
        let mut full = SmallVec::<[u32; 8]>::new();
        loop {
            let index = self.choose(&loads(room), &full);
            match join(room, index) {
                Ok(joined) => return Ok(joined),
                Err(NotJoined::Refused(error)) => return Err(error),
                Err(NotJoined::ShareFull { max }) if full.len() + 1 >= self.shards as usize => {
                    return Err(JoinError::RoomFull { max });
                }
                Err(NotJoined::ShareFull { .. }) => full.push(index),
            }
        }
    }

    /// The audience with the fewest sessions; or the next one, once all that are open have enough.
    fn choose(self, loads: &[u32], full: &[u32]) -> u32 {
        let open = loads.len() as u32;
        let candidates = (0..open).zip(loads).filter(|(index, _)| !full.contains(index));
        let fewest = candidates.min_by_key(|&(_, sessions)| sessions);
        match fewest {
            Some((index, &sessions)) if sessions < self.open_at || open >= self.shards => index,
            _ => open.min(self.shards - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the mark another shard is opened.
    #[test]
    fn the_emptiest_shard_is_next_up_to_the_mark() {
        let sharding = Sharding::new(4, 10).unwrap();
        for (loads, full, expected) in [
            (&[0][..], &[][..], 0),
            (&[10], &[], 1),
            (&[10, 3], &[], 1),
            (&[2, 3], &[], 0),
            (&[2, 3], &[0], 1),
            (&[2, 3], &[0, 1], 2),
            (&[50, 40, 60, 70], &[], 1),
            (&[50, 40, 60, 70], &[1], 0),
            (&[5, 4, 6, 7], &[0, 1, 2, 3], 3),
        ] {
            assert_eq!(sharding.choose(loads, full), expected, "{loads:?} without {full:?}");
        }
    }
}
