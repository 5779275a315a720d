//! The seeds of a hub's hashes and random choices:
//! [clause B7](roomcast_core::rulebook#b7-seeded-choices).

use roomcast_core::RoomId;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The source of a hub's seeds: outsiders choose the ids of users, and whoever knows the seed of a
/// hash table can choose ids that all fall into one bucket of it.
#[derive(Debug)]
pub(crate) enum Seeds {
    /// Drawn when the hub is made, and not to be guessed.
    Random(RandomState),
    /// All follow from one that the host gave.
    Given(u64),
}

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Use {
    /// A room whose configuration has none.
    Room(RoomId),
    /// Which room each user is in.
    UserRooms,
    /// The keys of what was broadcast.
    Broadcasts,
}

impl Seeds {
    pub(crate) fn new(given: Option<u64>) -> Self {
        given.map_or_else(|| Self::Random(RandomState::new()), Self::Given)
    }

    /// The seed for one use: always the same for the same.
    pub(crate) fn of(&self, usage: Use) -> u64 {
        match self {
            Self::Random(state) => state.hash_one(usage),
            Self::Given(seed) => {
                let (kind, id) = match usage {
                    Use::Room(id) => (0, id.0),
                    Use::UserRooms => (1, 0),
                    Use::Broadcasts => (2, 0),
                };
                // Not the standard library's hasher: what it gives may change with its version.
                mix(mix(seed.wrapping_add(kind)).wrapping_add(id))
            }
        }
    }
}

/// The life of one more room. It is another one than that of any other room of this process, and
/// with all but certainty of any other process, whatever the seeds: ids and tokens from before a
/// restart are to name nobody.
pub(crate) fn next_life() -> u64 {
    static FIRST: OnceLock<u64> = OnceLock::new();
    static ROOMS_MADE: AtomicU64 = AtomicU64::new(0);
    let first = *FIRST.get_or_init(|| RandomState::new().hash_one(0));
    first.wrapping_add(ROOMS_MADE.fetch_add(1, Ordering::Relaxed))
}

/// A step of `SplitMix64` (Steele, Lea, Flood, 2014).
const fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const USES: [Use; 4] =
        [Use::Room(RoomId(0)), Use::Room(RoomId(1)), Use::UserRooms, Use::Broadcasts];

    #[test]
    fn each_use_has_a_seed_of_its_own_which_stays() {
        for seeds in [Seeds::new(None), Seeds::new(Some(0)), Seeds::new(Some(7))] {
            let all = USES.map(|usage| seeds.of(usage));
            assert_eq!(all, USES.map(|usage| seeds.of(usage)));
            let mut different = all.to_vec();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), all.len(), "{all:?}");
        }
    }

    #[test]
    fn no_two_rooms_have_the_same_life() {
        let lives: HashSet<u64> = (0..200).map(|_| next_life()).collect();
        assert_eq!(lives.len(), 200);
    }

    /// A set seed means the same in every process, and a drawn one is another each time.
    #[test]
    fn a_set_seed_is_stable_and_a_drawn_one_is_not() {
        let of = |given| Seeds::new(given).of(Use::Room(RoomId(1)));
        assert_eq!(of(Some(7)), 0x27e8_ac81_e7bc_3b89);
        assert_ne!(of(Some(7)), of(Some(8)));
        assert_ne!(of(None), of(None));
    }
}
