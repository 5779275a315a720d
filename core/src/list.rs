//! Doubly linked lists through numbered slots: any entry leaves in O(1), and can be put back where
//! it was.

use crate::chunked::NIL;
use core::ops::{Index, IndexMut};

/// An entry's neighbours in one list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    pub(crate) const NONE: Self = Self { prev: NIL, next: NIL };
}

/// Where entries of type `E` keep their links of one list.
pub(crate) type Thread<E> = fn(&mut E) -> &mut Links;

/// The ends of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(crate) const EMPTY: Self = Self { head: NIL, tail: NIL };

    /// The slot of the first entry.
    pub(crate) fn front(self) -> Option<u32> {
        (self.head != NIL).then_some(self.head)
    }

    /// The slot of the last entry.
    pub(crate) fn back(self) -> Option<u32> {
        (self.tail != NIL).then_some(self.tail)
    }

    /// The slots of all entries, the first first; `links` reads an entry's links of this list.
    pub(crate) fn iter<'a, S: Index<u32>>(
        self,
        slots: &'a S,
        links: impl Fn(&S::Output) -> Links + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        core::iter::successors(self.front(), move |&at| {
            let next = links(&slots[at]).next;
            (next != NIL).then_some(next)
        })
    }

    pub(crate) fn push_back<E>(
        &mut self,
        slots: &mut impl IndexMut<u32, Output = E>,
        at: u32,
        thread: Thread<E>,
    ) {
        *thread(&mut slots[at]) = Links { prev: self.tail, next: NIL };
        match self.back() {
            Some(last) => thread(&mut slots[last]).next = at,
            None => self.head = at,
        }
        self.tail = at;
    }

    /// Puts an entry in behind another one, or first.
    pub(crate) fn insert_behind<E>(
        &mut self,
        slots: &mut impl IndexMut<u32, Output = E>,
        before: Option<u32>,
        at: u32,
        thread: Thread<E>,
    ) {
        let next = match before {
            Some(before) => thread(&mut slots[before]).next,
            None => self.head,
        };
        *thread(&mut slots[at]) = Links { prev: before.unwrap_or(NIL), next };
        self.relink(slots, at, thread);
    }

    /// The entry before another one.
    pub(crate) fn before(links: Links) -> Option<u32> {
        (links.prev != NIL).then_some(links.prev)
    }

    /// Takes an entry out. Its own links stay as they were, for [`relink`](Self::relink).
    pub(crate) fn unlink<E>(
        &mut self,
        slots: &mut impl IndexMut<u32, Output = E>,
        at: u32,
        thread: Thread<E>,
    ) {
        let Links { prev, next } = *thread(&mut slots[at]);
        self.set_next(slots, prev, next, thread);
        self.set_prev(slots, next, prev, thread);
    }

    /// Puts an entry back where [`unlink`](Self::unlink) took it from. Several are put back in the
    /// reverse order, with nothing else changed in between (Knuth's dancing links).
    pub(crate) fn relink<E>(
        &mut self,
        slots: &mut impl IndexMut<u32, Output = E>,
        at: u32,
        thread: Thread<E>,
    ) {
        let Links { prev, next } = *thread(&mut slots[at]);
        self.set_next(slots, prev, at, thread);
        self.set_prev(slots, next, at, thread);
    }

    /// Sets what follows `at`, or what comes first.
    fn set_next<E>(
        &mut self,
        slots: &mut impl IndexMut<u32, Output = E>,
        at: u32,
        next: u32,
        thread: Thread<E>,
    ) {
        if at == NIL {
            self.head = next;
        } else {
            thread(&mut slots[at]).next = next;
        }
    }

    /// Sets what precedes `at`, or what comes last.
    fn set_prev<E>(
        &mut self,
        slots: &mut impl IndexMut<u32, Output = E>,
        at: u32,
        prev: u32,
        thread: Thread<E>,
    ) {
        if at == NIL {
            self.tail = prev;
        } else {
            thread(&mut slots[at]).prev = prev;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunked::Slab;
    use alloc::vec::Vec;

    fn links(entry: &mut (char, Links)) -> &mut Links {
        &mut entry.1
    }

    fn read(list: List, slab: &Slab<(char, Links)>) -> Vec<char> {
        let mut at = list.front();
        core::iter::from_fn(|| {
            let entry = slab.get(at?)?;
            at = Some(entry.1.next);
            Some(entry.0)
        })
        .collect()
    }

    #[test]
    fn entries_go_back_to_where_they_were() {
        let (mut slab, mut list) = (Slab::new(), List::EMPTY);
        let slots: Vec<u32> =
            "abcde".chars().map(|name| slab.insert((name, Links::NONE))).collect();
        for &at in &slots {
            list.push_back(&mut slab, at, links);
        }
        let taken = [slots[0], slots[2], slots[1], slots[4], slots[3]];
        for (count, &at) in taken.iter().enumerate() {
            list.unlink(&mut slab, at, links);
            assert_eq!(read(list, &slab).len(), 4 - count);
        }
        assert_eq!((list.front(), list.back()), (None, None));
        for &at in taken.iter().rev() {
            list.relink(&mut slab, at, links);
        }
        assert_eq!(read(list, &slab), ['a', 'b', 'c', 'd', 'e']);
        assert_eq!(list.back(), Some(slots[4]));
        // Elsewhere: first, in the middle, last.
        for (at, before, wanted) in [
            (slots[4], None, ['e', 'a', 'b', 'c', 'd']),
            (slots[3], Some(slots[0]), ['e', 'a', 'd', 'b', 'c']),
            (slots[4], Some(slots[2]), ['a', 'd', 'b', 'c', 'e']),
        ] {
            list.unlink(&mut slab, at, links);
            list.insert_behind(&mut slab, before, at, links);
            assert_eq!(read(list, &slab), wanted);
            assert_eq!(
                (list.front().map(|at| slab[at].0), list.back().map(|at| slab[at].0)),
                (Some(wanted[0]), Some(wanted[4]))
            );
        }
        assert_eq!(List::before(slab[slots[3]].1), Some(slots[0]));
    }
}
