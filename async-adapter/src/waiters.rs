//! The sessions that wait for a batch, each with its waker, by the place of its slot: in segments, so that no lock is held for more than
//! one of them.

use roomcast_core::SessionId;
use std::task::Waker;

/// Sessions in a segment: as many as one lock is held for (decision D1).
pub(crate) const SEGMENT: usize = 1_024;
const WORD: usize = u64::BITS as usize;
/// No session has this id.
const NOBODY: SessionId = SessionId::from_bits(0);

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    segments: Vec<Segment>,
    /// Room for who is ready in a segment, so that none is allocated under the lock.
    spare: Vec<u16>,
}

#[derive(Debug, Default)]
struct Segment {
    /// A bit for each entry: whether its session waits.
    waiting: [u64; SEGMENT / WORD],
    /// Empty while they are out to be woken.
    entries: Vec<Entry>,
    is_out: bool,
    /// What came while they were out, in order.
    changes: Vec<(usize, Change)>,
}

/// What comes to a place while its segment is out.
#[derive(Debug)]
enum Change {
    /// A session waits here.
    Put(Entry),
    /// This session, if it is still the one, waits no more.
    Remove(SessionId),
}

/// A session's waker stays when it has been woken: most readers wait again with the same one.
#[derive(Debug)]
struct Entry {
    session: SessionId,
    /// `None` where nobody waits.
    waker: Option<Waker>,
}

/// A segment that is out to be woken.
#[derive(Debug, Default)]
pub(crate) struct Out {
    number: usize,
    entries: Vec<Entry>,
    ready: Vec<u16>,
}

impl Out {
    /// How many are to be woken.
    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(crate) fn wake(&self) {
        for &at in &self.ready {
            if let Some(waker) = &self.entries[usize::from(at)].waker {
                waker.wake_by_ref();
            }
        }
    }
}

impl Segment {
    /// Lets a session wait in a place; answers the waker that was there.
    fn put(&mut self, at: usize, entry: Entry) -> Option<Waker> {
        self.waiting[at / WORD] |= 1 << (at % WORD);
        while self.entries.len() <= at {
            self.entries.push(Entry { session: NOBODY, waker: None });
        }
        std::mem::replace(&mut self.entries[at], entry).waker
    }

    /// Lets a session wait no more; answers its waker.
    fn remove(&mut self, at: usize, session: SessionId) -> Option<Waker> {
        let entry = self.entries.get_mut(at).filter(|entry| entry.session == session)?;
        self.waiting[at / WORD] &= !(1 << (at % WORD));
        entry.session = NOBODY;
        entry.waker.take()
    }
}

const fn split(place: u32) -> (usize, usize) {
    (place as usize / SEGMENT, place as usize % SEGMENT)
}

impl Waiters {
    /// Lets a session wait. Answers a waker that is no longer needed: the caller drops it outside the lock.
    #[inline]
    pub(crate) fn park(&mut self, place: u32, session: SessionId, waker: &Waker) -> Option<Waker> {
        let (number, at) = split(place);
        // Most often the waker that is there serves again.
        if let Some(segment) = self.segments.get_mut(number)
            && let Some(Entry { session: there, waker: Some(parked) }) = segment.entries.get(at)
            && *there == session
            && parked.will_wake(waker)
        {
            segment.waiting[at / WORD] |= 1 << (at % WORD);
            return None;
        }
        self.park_with(place, session, waker.clone())
    }

    #[inline(never)]
    fn park_with(&mut self, place: u32, session: SessionId, waker: Waker) -> Option<Waker> {
        let (number, at) = split(place);
        if self.segments.len() <= number {
            self.segments.resize_with(number + 1, Segment::default);
        }
        let (segment, entry) = (&mut self.segments[number], Entry { session, waker: Some(waker) });
        if segment.is_out {
            segment.changes.push((at, Change::Put(entry)));
            return None;
        }
        segment.put(at, entry)
    }

    /// Takes a session out; the caller wakes it, if it is to learn of it, and drops the waker, outside the lock. `None` also while it is
    /// being woken.
    pub(crate) fn remove(&mut self, place: u32, session: SessionId) -> Option<Waker> {
        let (number, at) = split(place);
        let segment = self.segments.get_mut(number)?;
        if segment.is_out {
            segment.changes.push((at, Change::Remove(session)));
            return None;
        }
        segment.remove(at, session)
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Takes a segment out, with those in it that wait and are ready: nobody of them waits any more. `None` when nobody is ready.
    /// `ready` tells which of those at 64 places from one on are.
    pub(crate) fn take_ready(&mut self, number: usize, ready: impl Fn(u32, u64) -> u64) -> Option<Out> {
        let segment = self.segments.get_mut(number).filter(|segment| !segment.is_out)?;
        let mut places = std::mem::take(&mut self.spare);
        places.clear();
        places.reserve(SEGMENT);
        for (word, waiting) in segment.waiting.iter_mut().enumerate().filter(|(_, waiting)| **waiting != 0) {
            let mut left = ready((number * SEGMENT + word * WORD) as u32, *waiting) & *waiting;
            *waiting ^= left;
            while left != 0 {
                places.push((word * WORD) as u16 + left.trailing_zeros() as u16);
                left &= left - 1;
            }
        }
        if places.is_empty() {
            self.spare = places;
            return None;
        }
        segment.is_out = true;
        Some(Out { number, entries: std::mem::take(&mut segment.entries), ready: places })
    }

    /// Puts a segment that has been woken back. Answers the wakers that are no longer needed: the caller drops them outside the lock.
    pub(crate) fn put_back(&mut self, out: Out) -> Vec<Waker> {
        self.spare = out.ready;
        let segment = &mut self.segments[out.number];
        segment.entries = out.entries;
        segment.is_out = false;
        let changes = std::mem::take(&mut segment.changes);
        let applied = changes.into_iter().filter_map(|(at, change)| match change {
            Change::Put(entry) => segment.put(at, entry),
            Change::Remove(session) => segment.remove(at, session),
        });
        applied.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn session(slot: u64, generation: u64) -> SessionId {
        SessionId::from_bits(slot << 32 | generation)
    }

    /// Wakes those that are ready, as the shard does; answers how many.
    fn wake(waiters: &mut Waiters, is_ready: impl Fn(u32) -> bool) -> usize {
        let mut woken = 0;
        let ready = |first, waiting: u64| {
            let bits = (0..64).filter(|bit| waiting >> bit & 1 != 0 && is_ready(first + bit));
            bits.fold(0, |ready, bit| ready | 1 << bit)
        };
        for segment in 0..waiters.segments() {
            let Some(out) = waiters.take_ready(segment, ready) else { continue };
            out.wake();
            woken += out.len();
            assert!(waiters.put_back(out).is_empty(), "every waker goes back to its place");
        }
        woken
    }

    #[test]
    fn who_was_woken_is_not_woken_again_before_it_waits_again() {
        let mut waiters = Waiters::default();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        for slot in (0..3_000).rev() {
            assert!(waiters.park(slot, session(slot.into(), 1), &waker).is_none());
        }
        assert_eq!(waiters.segments(), 3);
        for _ in 0..2 {
            wake(&mut waiters, |place| place % 2 == 0);
            assert_eq!(count.0.load(Ordering::Relaxed), 1_500);
        }
        let clones = Arc::strong_count(&count);
        assert!(waiters.park(2, session(2, 1), &waker).is_none());
        assert_eq!(Arc::strong_count(&count), clones, "the waker that is there serves again");
        assert_eq!(wake(&mut waiters, |place| place % 2 == 0), 1);
    }

    #[test]
    fn what_changes_while_a_segment_is_out_holds_when_it_is_back() {
        let mut waiters = Waiters::default();
        let [first, second, third] = [(); 3].map(|()| Waker::from(Arc::new(Count::default())));
        waiters.park(7, session(7, 1), &first);
        waiters.park(8, session(8, 1), &first);
        let out = waiters.take_ready(0, |_, waiting| waiting).unwrap();
        assert!(waiters.take_ready(0, |_, waiting| waiting).is_none(), "it is out already");
        // One goes, and its place passes to another; one waits again; one comes.
        assert!(waiters.remove(7, session(7, 1)).is_none(), "its waker is out");
        waiters.park(7, session(7, 2), &second);
        assert!(waiters.remove(7, session(7, 1)).is_none(), "it has gone, and its place is another's");
        waiters.park(8, session(8, 1), &third);
        waiters.park(900, session(900, 1), &second);
        assert_eq!(waiters.put_back(out).len(), 2, "the first ones' are not needed any more");
        assert!(waiters.remove(7, session(7, 1)).is_none());
        assert!(waiters.remove(7, session(7, 2)).is_some_and(|waker| waker.will_wake(&second)));
        assert_eq!(wake(&mut waiters, |_| true), 2);
        assert!(waiters.remove(8, session(8, 1)).is_some_and(|waker| waker.will_wake(&third)));
        assert!(waiters.remove(900, session(900, 1)).is_some());
        assert_eq!(wake(&mut waiters, |_| true), 0);
    }
}
