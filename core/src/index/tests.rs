//! The index and its hasher: what goes in is found, and no call is long.

use super::*;
use alloc::vec::Vec;

#[test]
fn what_goes_in_is_found_until_it_is_taken_out() {
    let hasher = Hasher::new(1);
    let keys: Vec<u64> = (0..20_000).map(|n| n * 7).collect();
    let hash_of = |slot: u32| hasher.hash(keys[slot as usize]);
    let mut index = Index::new();
    for slot in 0..keys.len() as u32 {
        index.insert(hash_of(slot), slot, hash_of);
    }
    for slot in 0..keys.len() as u32 {
        assert_eq!(index.find(hash_of(slot), |other| other == slot), Some(slot));
    }
    assert_eq!(index.find(hasher.hash(3), |slot| keys[slot as usize] == 3), None);
    for slot in (0..keys.len() as u32).step_by(2) {
        assert!(index.remove(hash_of(slot), slot));
        assert!(!index.remove(hash_of(slot), slot));
    }
    assert_eq!(index.len(), 10_000);
    assert!(index.replace(hash_of(1), 1, 0) && !index.replace(hash_of(2), 2, 0));
    assert_eq!(index.find(hash_of(1), |slot| slot == 0), Some(0));
}

#[test]
fn no_insertion_moves_more_than_a_few_hundred() {
    use core::cell::Cell;
    let hasher = Hasher::new(9);
    let mut index = Index::new();
    let moved = Cell::new(0_u32);
    let mut most = 0;
    for slot in 0..100_000_u32 {
        moved.set(0);
        index.insert(hasher.hash(u64::from(slot)), slot, |other| {
            moved.set(moved.get() + 1);
            hasher.hash(u64::from(other))
        });
        most = most.max(moved.get());
    }
    assert!(most <= 4_096, "one insertion looked at {most} entries");
}

/// One bucket for eight entries; what overflows is little, and is used again.
#[test]
fn the_table_is_as_large_as_its_entries_need() {
    let hasher = Hasher::new(5);
    let mut index = Index::new();
    let hash_of = |slot: u32| hasher.hash(u64::from(slot));
    for slot in 0..20_000 {
        index.insert(hash_of(slot), slot, hash_of);
        assert_eq!(index.buckets.len(), 1 + slot as usize / TARGET);
    }
    let overflows = index.overflows.len();
    assert!(overflows < index.buckets.len() / 2, "{overflows} overflows");
    for _ in 0..3 {
        assert!((0..20_000).all(|slot| index.remove(hash_of(slot), slot)));
        (0..20_000).for_each(|slot| index.insert(hash_of(slot), slot, hash_of));
    }
    assert!(index.overflows.len() <= overflows + overflows / 4);
}

/// What `mix` makes this of: every step of it can be taken back.
const fn unmix(mut z: u64) -> u64 {
    z = z ^ (z >> 31) ^ (z >> 62);
    z = z.wrapping_mul(0x3196_42b2_d24d_8ec3);
    z = z ^ (z >> 27) ^ (z >> 54);
    z = z.wrapping_mul(0x96de_1b17_3f11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

/// Keys that are crafted against one seed are as good as any under another.
#[test]
fn another_seed_makes_crafted_keys_ordinary() {
    let known = Hasher::new(0);
    let key = |slot: u32| {
        // The bucket is in the low half of the hash, the tag in the topmost byte.
        let wanted = 0x7700_0000_0000_0001 | u64::from(slot) << 32;
        unmix(unmix(wanted) ^ known.seed.rotate_left(32)) ^ known.seed
    };
    // How many entries are asked whether they are the one, over all that go in.
    let asked = |hasher: Hasher| {
        let (mut index, mut asked) = (Index::new(), 0_u32);
        for slot in 0..3_000 {
            let hash = hasher.hash(key(slot));
            let found = index.find(hash, |_| {
                asked += 1;
                false
            });
            assert_eq!(found, None);
            index.insert(hash, slot, |slot| hasher.hash(key(slot)));
        }
        asked
    };
    assert_eq!(asked(known), 3_000 * 2_999 / 2, "each is compared with all");
    for seed in 1..50 {
        let asked = asked(Hasher::new(seed));
        assert!(asked < 3_000, "{asked} with the seed {seed}");
    }
}

/// However the buckets overflow.
#[test]
fn what_goes_in_is_found_until_taken_out() {
    let mut rng = Rng::new(2);
    // Of the second kind many share a bucket, a tag, or both.
    for mask in [u64::MAX, 0xff00_0000_0000_00ff, 0x0300_0000_0000_0003] {
        let hasher = Hasher::new(1);
        let hash_of = |slot: u32| hasher.hash(u64::from(slot)) & mask;
        let (mut index, mut there) = (Index::new(), alloc::collections::BTreeSet::new());
        for step in 0..60_000 {
            let slot = rng.below(2_000);
            let grows = step / 10_000 % 2 == 0;
            if there.contains(&slot) {
                assert_eq!(index.find(hash_of(slot), |other| other == slot), Some(slot));
                if rng.below(3) > u32::from(grows) {
                    assert!(index.remove(hash_of(slot), slot));
                    there.remove(&slot);
                }
            } else {
                assert_eq!(index.find(hash_of(slot), |other| other == slot), None);
                assert!(
                    !index.remove(hash_of(slot), slot) && !index.replace(hash_of(slot), slot, slot)
                );
                if rng.below(3) < 1 + u32::from(grows) {
                    index.insert(hash_of(slot), slot, hash_of);
                    there.insert(slot);
                }
            }
            assert_eq!(index.len(), there.len());
        }
        for &slot in &there {
            assert!(index.remove(hash_of(slot), slot));
        }
        // An overflow that is not needed any more is free again.
        let free = core::iter::successors(Some(index.free), |&at| {
            index.overflows.get(at).map(|bucket| bucket.next)
        });
        assert_eq!((index.len(), free.count()), (0, index.overflows.len() + 1));
    }
}

#[test]
fn seeds_change_hashes_and_draws_stay_in_bounds() {
    assert_ne!(Hasher::new(1).hash(5), Hasher::new(2).hash(5));
    let mut rng = Rng::new(3);
    assert!((0..1_000).all(|_| rng.below(7) < 7));
    assert_eq!(rng.below(0), 0);
}
