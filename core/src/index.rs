//! From a key to a slot: a hash table that grows one bucket at a time.
//!
//! Linear hashing (Litwin, 1980) over buckets of one cache line. A table that doubles would move
//! everything in one call (half a second at four million entries); here one insertion splits at
//! most one bucket, a dozen entries. Among ten million, to look one up is to wait for memory once.

use crate::chunked::{Chunked, NIL};

/// Entries that a bucket has room for.
const ROOM: usize = 12;
/// Entries in a bucket, on average. One that is still to be split holds up to twice as many as one
/// that has been; at eight the table takes 8.5 to 9.2 bytes an entry, and one look-up in five to
/// twenty goes on into an overflow.
const TARGET: usize = 8;

/// Finds slots by the hash of a key that the caller keeps at the slot.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    buckets: Chunked<Bucket>,
    /// Where a chain goes on whose bucket is full. Those that are free are chained as well.
    overflows: Chunked<Bucket>,
    free: u32,
    /// Buckets below this mark have been split in the running round.
    split: u32,
    /// Buckets at the start of the running round: a power of two.
    round: u32,
    len: usize,
}

/// A cache line of entries. In a chain all but the last are full.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Bucket {
    /// Eight bits of each entry's hash, so that most of those that are not looked for need not be
    /// asked; 0 where there is no entry.
    tags: [u8; ROOM],
    /// The overflow that comes next in the chain.
    next: u32,
    slots: [u32; ROOM],
}

/// A bucket, as a chain names it.
#[derive(Clone, Copy, Debug)]
enum Link {
    First(u32),
    Overflow(u32),
}

/// Places in a bucket: one bit each, at `8 · (place mod 8) + place / 8`.
#[derive(Debug)]
struct Places(u64);

impl Places {
    #[inline]
    fn first(&self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        (bit < 64).then_some(bit / 8 + bit % 8 * 8)
    }
}

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let first = self.first()?;
        self.0 &= self.0 - 1;
        Some(first)
    }
}

/// A 1 in each byte that is the same as `wanted`, a 0 in the others.
const fn same_bytes(bytes: u64, wanted: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differences = bytes ^ u64::from_le_bytes([wanted; 8]);
    !(((differences & LOW) + LOW) | differences | LOW) >> 7
}

impl Bucket {
    const EMPTY: Self = Self { tags: [0; ROOM], next: NIL, slots: [NIL; ROOM] };
    const FREE: u8 = 0;

    /// The places of the entries with a tag, or the free places.
    #[inline]
    fn tagged(&self, tag: u8) -> Places {
        let (mut low, mut high) = ([0; 8], [0; 4]);
        low.copy_from_slice(&self.tags[..8]);
        high.copy_from_slice(&self.tags[8..]);
        let high = same_bytes(u32::from_le_bytes(high).into(), tag) & 0xffff_ffff;
        Places(same_bytes(u64::from_le_bytes(low), tag) | high << 1)
    }

    /// The place of a slot.
    #[inline]
    fn place_of(&self, tag: u8, slot: u32) -> Option<usize> {
        self.tagged(tag).find(|&place| self.slots[place] == slot)
    }

    /// Stores an entry, if there is room.
    #[inline]
    fn put(&mut self, tag: u8, slot: u32) -> bool {
        let Some(place) = self.tagged(Self::FREE).first() else { return false };
        (self.tags[place], self.slots[place]) = (tag, slot);
        true
    }

    fn entries(&self) -> impl Iterator<Item = (u8, u32)> {
        self.tags.into_iter().zip(self.slots).filter(|&(tag, _)| tag != Self::FREE)
    }

    /// Takes any entry out.
    fn pop(&mut self) -> Option<(u8, u32)> {
        let place = self.tags.iter().position(|&tag| tag != Self::FREE)?;
        Some((core::mem::replace(&mut self.tags[place], Self::FREE), self.slots[place]))
    }
}

/// What a bucket keeps of a hash: the bits that the number of the bucket does not use.
const fn tag(hash: u64) -> u8 {
    let tag = (hash >> 56) as u8;
    if tag == Bucket::FREE { 1 } else { tag }
}

impl Index {
    pub(crate) const fn new() -> Self {
        Self {
            buckets: Chunked::new(),
            overflows: Chunked::new(),
            free: NIL,
            split: 0,
            round: 1,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Which bucket a hash belongs to.
    #[inline]
    fn bucket(&self, hash: u64) -> u32 {
        let bits = hash as u32;
        let bucket = bits & (self.round - 1);
        if bucket < self.split { bits & (2 * self.round - 1) } else { bucket }
    }

    /// The slot of the key with this hash for which `is_it` says yes.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let tag = tag(hash);
        let mut bucket = &self.buckets[self.bucket(hash)];
        loop {
            if let Some(slot) =
                bucket.tagged(tag).map(|place| bucket.slots[place]).find(|&slot| is_it(slot))
            {
                return Some(slot);
            }
            bucket = self.overflows.get(bucket.next)?;
        }
    }

    /// Stores a slot. The key must not be there yet. `hash_of` returns the hash of the key at a
    /// slot, for those that move.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let (bucket, tag) = (self.bucket(hash), tag(hash));
        if !self.buckets.get_mut(bucket).is_some_and(|bucket| bucket.put(tag, slot)) {
            self.put_over(bucket, tag, slot);
        }
        if self.splits_next() {
            self.split_one(hash_of);
        }
        self.len += 1;
    }

    /// Whether the next insertion moves entries.
    #[inline]
    pub(crate) fn splits_next(&self) -> bool {
        self.len >= (self.round + self.split) as usize * TARGET
    }

    /// Looks at the bucket of a hash. The answer says nothing; but for whoever looks at several
    /// before changing them, the waits for memory overlap.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u8 {
        self.buckets.get(self.bucket(hash)).map_or(0, |bucket| bucket.tags[0])
    }

    /// Lets the key at `old` be found at `new`. Returns whether it was there.
    pub(crate) fn replace(&mut self, hash: u64, old: u32, new: u32) -> bool {
        let Some((link, place)) = self.locate(self.bucket(hash), tag(hash), old) else {
            return false;
        };
        self.at_mut(link).slots[place] = new;
        true
    }

    /// Takes a slot out. Returns whether it was there.
    #[inline]
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let (first, tag) = (self.bucket(hash), tag(hash));
        let Some(bucket) = self.buckets.get_mut(first) else { return false };
        if bucket.next != NIL {
            return self.remove_chained(first, tag, slot);
        }
        let Some(place) = bucket.place_of(tag, slot) else { return false };
        bucket.tags[place] = Bucket::FREE;
        self.len -= 1;
        true
    }

    fn remove_chained(&mut self, first: u32, tag: u8, slot: u32) -> bool {
        let Some((hole, place)) = self.locate(first, tag, slot) else { return false };
        self.at_mut(hole).tags[place] = Bucket::FREE;
        self.close_up(first, hole);
        self.len -= 1;
        true
    }

    /// Where a slot stands in a chain.
    fn locate(&self, first: u32, tag: u8, slot: u32) -> Option<(Link, usize)> {
        let mut link = Link::First(first);
        let mut bucket = self.buckets.get(first)?;
        loop {
            if let Some(place) = bucket.place_of(tag, slot) {
                return Some((link, place));
            }
            link = Link::Overflow(bucket.next);
            bucket = self.overflows.get(bucket.next)?;
        }
    }

    #[inline]
    fn at_mut(&mut self, link: Link) -> &mut Bucket {
        match link {
            Link::First(at) => &mut self.buckets[at],
            Link::Overflow(at) => &mut self.overflows[at],
        }
    }

    /// Stores an entry behind a bucket that is full, or in the first of all.
    #[cold]
    fn put_over(&mut self, bucket: u32, tag: u8, slot: u32) {
        if self.buckets.len() == 0 {
            self.buckets.push(Bucket::EMPTY);
            self.buckets[bucket].put(tag, slot);
            return;
        }
        let mut last = Link::First(bucket);
        loop {
            let next = self.at_mut(last).next;
            if next == NIL {
                break;
            }
            last = Link::Overflow(next);
            if self.at_mut(last).put(tag, slot) {
                return;
            }
        }
        if self.free == NIL {
            self.free = self.overflows.len() as u32;
            self.overflows.push(Bucket::EMPTY);
        }
        let fresh = self.free;
        self.free = self.overflows[fresh].next;
        self.overflows[fresh] = Bucket::EMPTY;
        self.overflows[fresh].put(tag, slot);
        self.at_mut(last).next = fresh;
    }

    /// Fills a hole in a chain from its last bucket, so that all but that are full, and lets that
    /// go if it is empty.
    fn close_up(&mut self, first: u32, hole: Link) {
        let (mut before, mut last) = (Link::First(first), self.buckets[first].next);
        while last != NIL && self.overflows[last].next != NIL {
            (before, last) = (Link::Overflow(last), self.overflows[last].next);
        }
        if !matches!(hole, Link::Overflow(at) if at == last)
            && let Some((tag, slot)) = self.overflows[last].pop()
        {
            self.at_mut(hole).put(tag, slot);
        }
        if self.overflows[last].entries().next().is_none() {
            self.at_mut(before).next = NIL;
            self.free_overflow(last);
        }
    }

    fn free_overflow(&mut self, at: u32) {
        self.overflows[at].next = self.free;
        self.free = at;
    }

    fn split_one(&mut self, hash_of: impl Fn(u32) -> u64) {
        let (low, high_bit) = (self.split, self.round);
        let high = low + high_bit;
        let mut chain = core::mem::replace(&mut self.buckets[low], Bucket::EMPTY);
        self.buckets.push(Bucket::EMPTY);
        self.split += 1;
        if self.split == self.round {
            self.round *= 2;
            self.split = 0;
        }
        loop {
            for (tag, slot) in chain.entries() {
                let bucket = if hash_of(slot) as u32 & high_bit == 0 { low } else { high };
                if !self.buckets[bucket].put(tag, slot) {
                    self.put_over(bucket, tag, slot);
                }
            }
            let next = chain.next;
            let Some(&overflow) = self.overflows.get(next) else { break };
            chain = overflow;
            self.free_overflow(next);
        }
    }
}

/// Hashes numbers under a seed of the host's, so that nobody outside can aim at one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    seed: u64,
}

impl Hasher {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed: mix(seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// The hash of a number.
    pub(crate) const fn hash(self, key: u64) -> u64 {
        // Two rounds: one multiplication alone leaves the low bits of close keys too regular.
        mix(mix(key ^ self.seed) ^ self.seed.rotate_left(32))
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood, 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A small seeded generator (SplitMix64): the same seed draws the same numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, or 0 when that is 0. The bias is below `bound / 2^64`.
    pub(crate) const fn below(&mut self, bound: u32) -> u32 {
        ((self.next() as u128 * bound as u128) >> 64) as u32
    }
}

#[cfg(test)]
mod tests;
