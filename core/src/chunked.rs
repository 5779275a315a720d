//! Storage that grows without stalling: no call moves more than one chunk's worth of values.
//! [Decision D2](crate::design#d2-no-stalls).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// Values in a chunk. Growing copies at most this many.
pub(crate) const CHUNK: usize = 1 << SHIFT;
const SHIFT: u32 = 10;

/// Values that an array has room for which has just begun: four, or of large ones one.
const fn small<T>() -> usize {
    if size_of::<T>() <= 32 { 4 } else { 1 }
}

/// A growable array in chunks of 1,024: a push never moves what earlier chunks hold.
#[derive(Clone, Debug)]
pub(crate) struct Chunked<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Chunked<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.chunks.get((at >> SHIFT) as usize)?.get(at as usize & (CHUNK - 1))
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.chunks.get_mut((at >> SHIFT) as usize)?.get_mut(at as usize & (CHUNK - 1))
    }

    /// From `at`, which must be inside, to the end of its chunk.
    pub(crate) fn chunk_from(&self, at: u32) -> &[T] {
        &self.chunks[(at >> SHIFT) as usize][at as usize & (CHUNK - 1)..]
    }

    /// As [`chunk_from`](Self::chunk_from), to change.
    pub(crate) fn chunk_from_mut(&mut self, at: u32) -> &mut [T] {
        &mut self.chunks[(at >> SHIFT) as usize][at as usize & (CHUNK - 1)..]
    }

    pub(crate) fn push(&mut self, value: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(value),
            // The first chunk grows as a vector does, for the many small rooms; the others are made
            // whole.
            first => {
                let mut chunk =
                    Vec::with_capacity(if first.is_none() { small::<T>() } else { CHUNK });
                chunk.push(value);
                if self.chunks.is_empty() {
                    self.chunks.reserve_exact(1);
                }
                self.chunks.push(chunk);
            }
        }
    }

    /// An emptied chunk stays until the one before it is popped from, so that hovering at the
    /// border of two costs nothing.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.chunks.len() > 1 && self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        self.chunks.last_mut()?.pop()
    }

    /// Grows with copies of `fill` until `at` is inside.
    #[inline]
    pub(crate) fn reach(&mut self, at: u32, fill: T)
    where
        T: Copy,
    {
        if self.get(at).is_none() {
            self.grow(at, fill);
        }
    }

    fn grow(&mut self, at: u32, fill: T)
    where
        T: Copy,
    {
        while self.len() <= at as usize {
            self.push(fill);
        }
    }

    /// Makes sure that there is a value at `at`, with copies of `fill` before it in its chunk;
    /// chunks that nobody has touched stay empty. An array that is grown so has no length.
    pub(crate) fn touch(&mut self, at: u32, fill: T)
    where
        T: Copy,
    {
        self.touch_with(at, || fill);
    }

    /// As [`touch`](Self::touch), with fresh values.
    #[inline]
    pub(crate) fn touch_with(&mut self, at: u32, fresh: impl FnMut() -> T) {
        if self.get(at).is_none() {
            self.grow_chunk(at, fresh);
        }
    }

    #[cold]
    fn grow_chunk(&mut self, at: u32, fresh: impl FnMut() -> T) {
        let (chunk, place) = ((at >> SHIFT) as usize, at as usize & (CHUNK - 1));
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, Vec::new);
        }
        self.chunks[chunk].resize_with(place + 1, fresh);
    }

    /// Takes the value at `at` and puts the last one in its place.
    pub(crate) fn swap_remove(&mut self, at: u32) -> Option<T> {
        let last = self.pop()?;
        match self.get_mut(at) {
            Some(slot) => Some(core::mem::replace(slot, last)),
            None => Some(last),
        }
    }
}

impl<T> Index<u32> for Chunked<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        &self.chunks[(at >> SHIFT) as usize][at as usize & (CHUNK - 1)]
    }
}

impl<T> IndexMut<u32> for Chunked<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.chunks[(at >> SHIFT) as usize][at as usize & (CHUNK - 1)]
    }
}

/// Values in a block of a [`Deque`].
const BLOCK: usize = 4_096;

/// A queue in which a push moves at most 4,096 values, however long it is. Shorter ones are one
/// ring, as in a `VecDeque`.
#[derive(Clone, Debug)]
pub(crate) struct Deque<T> {
    /// The older values in blocks, none of them empty. All but the first are full. Made when there
    /// is more than one block.
    #[allow(clippy::box_collection, reason = "most queues have none, and are small so")]
    older: Option<Box<VecDeque<VecDeque<T>>>>,
    /// The newest values, at most a block.
    newest: VecDeque<T>,
}

impl<T> Deque<T> {
    pub(crate) const fn new() -> Self {
        Self { older: None, newest: VecDeque::new() }
    }

    /// The older blocks, while there are any.
    #[inline]
    fn older(&self) -> Option<&VecDeque<VecDeque<T>>> {
        self.older.as_deref().filter(|older| !older.is_empty())
    }

    pub(crate) fn len(&self) -> usize {
        let first = self.older().and_then(VecDeque::front).map_or(0, VecDeque::len);
        self.newest.len() + first + self.older().map_or(0, |older| (older.len() - 1) * BLOCK)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.older().is_none()
    }

    #[inline]
    pub(crate) fn push_back(&mut self, value: T) {
        if self.newest.len() == BLOCK {
            self.older.get_or_insert_default().push_back(core::mem::take(&mut self.newest));
        }
        self.newest.push_back(value);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let Some(older) = self.older.as_deref_mut() else { return self.newest.pop_front() };
        let Some(first) = older.front_mut() else { return self.newest.pop_front() };
        let value = first.pop_front();
        if first.is_empty() {
            older.pop_front();
        }
        value
    }

    /// Gives back the memory that is not needed for what is left. Moves at most two blocks.
    pub(crate) fn shrink(&mut self) {
        match &mut self.older {
            Some(older) if !older.is_empty() => {
                older.shrink_to_fit();
                older[0].shrink_to_fit();
            }
            _ => self.older = None,
        }
        self.newest.shrink_to_fit();
    }

    /// For how many values there is memory.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        let older = self.older.iter().flat_map(|older| older.iter());
        older.chain([&self.newest]).map(VecDeque::capacity).sum()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.older().and_then(VecDeque::front).unwrap_or(&self.newest).front()
    }

    /// The value that so many stand before.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match self.block_of(at) {
            None => self.newest.get(at),
            Some((block, at)) => self.older()?.get(block).unwrap_or(&self.newest).get(at),
        }
    }

    /// As [`get`](Self::get), to change.
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match self.block_of(at) {
            None => self.newest.get_mut(at),
            Some((block, at)) => {
                self.older.as_mut()?.get_mut(block).unwrap_or(&mut self.newest).get_mut(at)
            }
        }
    }

    /// In which block a value is, and its place there; the newest block has the number after the
    /// others. `None` when there is only that.
    #[inline]
    fn block_of(&self, at: usize) -> Option<(usize, usize)> {
        let older = self.older()?;
        let first = older.front()?.len();
        Some(match at.checked_sub(first) {
            None => (0, at),
            Some(at) => {
                let block = (1 + at / BLOCK).min(older.len());
                (block, at - (block - 1) * BLOCK)
            }
        })
    }
}

/// "No slot": the end of a chain of slots.
pub(crate) const NIL: u32 = u32::MAX;

/// Values in numbered slots, a freed slot first to be used again.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    slots: Chunked<Slot<T>>,
    free: u32,
    len: u32,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Full(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Chunked::new(), free: NIL, len: 0 }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Slots, full or free.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Stores `value` and returns its slot.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.insert_with(|| value)
    }

    /// As [`insert`](Self::insert), with the value made when its place is there: a large one goes
    /// to it without a stop on the way.
    #[inline]
    pub(crate) fn insert_with(&mut self, make: impl FnOnce() -> T) -> u32 {
        if self.free == NIL {
            self.free = self.slots.len() as u32;
            self.slots.push(Slot::Free { next: NIL });
        }
        let slot = self.free;
        let place = &mut self.slots[slot];
        let Slot::Free { next } = *place else {
            unreachable!("slot {slot} is full and among the free")
        };
        *place = Slot::Full(make());
        self.free = next;
        self.len += 1;
        slot
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        match self.slots.get(slot) {
            Some(Slot::Full(value)) => Some(value),
            _ => None,
        }
    }

    /// The values, by their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.slots.len() as u32).filter_map(|slot| self.get(slot))
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        match self.slots.get_mut(slot) {
            Some(Slot::Full(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let place = self.slots.get_mut(slot)?;
        if let Slot::Free { .. } = place {
            return None;
        }
        let next = core::mem::replace(&mut self.free, slot);
        self.len -= 1;
        match core::mem::replace(place, Slot::Free { next }) {
            Slot::Full(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    /// A slot that the caller knows to be full; an empty one is a bug in this crate.
    fn index(&self, slot: u32) -> &T {
        self.get(slot).unwrap_or_else(|| unreachable!("slot {slot} is empty"))
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        self.get_mut(slot).unwrap_or_else(|| unreachable!("slot {slot} is empty"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_grows_and_shrinks_over_chunk_borders() {
        let mut array = Chunked::new();
        for n in 0..5_000_u32 {
            array.push(n);
        }
        assert_eq!(array.len(), 5_000);
        assert_eq!((array[0], array[1023], array[1024], array[4999]), (0, 1023, 1024, 4999));
        assert_eq!(array.swap_remove(3), Some(3));
        assert_eq!(array[3], 4999);
        for n in (4..4999).rev() {
            assert_eq!(array.pop(), Some(n));
        }
        assert_eq!(array.len(), 4);
        assert_eq!(array.get(4), None);
    }

    #[test]
    fn a_queue_keeps_its_order_over_block_borders() {
        let (mut queue, mut next, mut oldest) = (Deque::new(), 0, 0);
        // It grows to three blocks and more, goes along at that length, and shrinks to nothing: two
        // steps on, one back.
        for (pushes, pops) in [(14_000, 0), (20_000, 20_000), (3_000, 17_000)] {
            let mut left = (pushes, pops);
            while left != (0, 0) {
                if left.0 > 0 {
                    queue.push_back(next);
                    (next, left.0) = (next + 1, left.0 - 1);
                }
                if left.1 > 0 {
                    assert_eq!(queue.pop_front(), Some(oldest));
                    (oldest, left.1) = (oldest + 1, left.1 - 1);
                }
                let len = next - oldest;
                assert_eq!(
                    (queue.len(), queue.is_empty(), queue.front().copied()),
                    (len, len == 0, (len > 0).then_some(oldest))
                );
                for at in [0, 1, len / 2, len.saturating_sub(1), len] {
                    assert_eq!(queue.get(at).copied(), (at < len).then_some(oldest + at));
                    assert_eq!(queue.get_mut(at).copied(), (at < len).then_some(oldest + at));
                }
            }
        }
        assert_eq!((queue.len(), queue.pop_front()), (0, None));
        queue.shrink();
        assert!(queue.capacity() == 0 && queue.older.is_none());
    }

    #[test]
    fn a_slab_uses_freed_slots_again() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.remove(99), None);
        assert_eq!(slab.insert('c'), a);
        assert_eq!((slab[a], slab[b], slab.len()), ('c', 'b', 2));
    }
}
