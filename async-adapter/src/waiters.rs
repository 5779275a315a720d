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
}

#[derive(Debug, Default)]
struct Segment {
    /// A bit for each entry: whether its session waits.
    waiting: [u64; SEGMENT / WORD],
    entries: Vec<Entry>,
}

/// A session's waker stays when it has been woken: most readers wait again with the same one.
#[derive(Debug)]
struct Entry {
    session: SessionId,
    /// `None` where nobody has waited yet, and while the waker is out to be woken.
    waker: Option<Waker>,
}

/// A waker that is out to be woken, and where it belongs.
pub(crate) struct Out {
    place: u32,
    session: SessionId,
    /// There until it is put back.
    waker: Option<Waker>,
}

impl Out {
    pub(crate) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

const fn split(place: u32) -> (usize, usize) {
    (place as usize / SEGMENT, place as usize % SEGMENT)
}

impl Waiters {
    /// Lets a session wait. Answers a waker that is no longer needed: the caller drops it outside the lock.
    pub(crate) fn park(&mut self, place: u32, session: SessionId, waker: &Waker) -> Option<Waker> {
        let (number, at) = split(place);
        if self.segments.len() <= number {
            self.segments.resize_with(number + 1, Segment::default);
        }
        let segment = &mut self.segments[number];
        while segment.entries.len() <= at {
            segment.entries.push(Entry { session: NOBODY, waker: None });
        }
        segment.waiting[at / WORD] |= 1 << (at % WORD);
        let entry = &mut segment.entries[at];
        if entry.session == session && entry.waker.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            return None;
        }
        entry.session = session;
        entry.waker.replace(waker.clone())
    }

    /// Takes a session out; the caller wakes it, if it is to learn of it, and drops the waker, outside the lock.
    pub(crate) fn remove(&mut self, place: u32, session: SessionId) -> Option<Waker> {
        let (number, at) = split(place);
        let segment = self.segments.get_mut(number)?;
        let entry = segment.entries.get_mut(at).filter(|entry| entry.session == session)?;
        segment.waiting[at / WORD] &= !(1 << (at % WORD));
        entry.session = NOBODY;
        entry.waker.take()
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Takes the wakers of those in one segment that wait and are ready. Nobody of them waits any more.
    pub(crate) fn take_ready(&mut self, number: usize, out: &mut Vec<Out>, is_ready: impl Fn(SessionId) -> bool) {
        let Some(Segment { waiting, entries }) = self.segments.get_mut(number) else { return };
        for (word, bits) in waiting.iter_mut().enumerate() {
            let mut left = *bits;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                let at = word * WORD + bit;
                let entry = &mut entries[at];
                if is_ready(entry.session) {
                    *bits &= !(1 << bit);
                    let place = (number * SEGMENT + at) as u32;
                    out.push(Out { place, session: entry.session, waker: entry.waker.take() });
                }
            }
        }
    }

    /// Puts wakers that have been woken back; those that stay in `out` are no longer needed, and the caller drops them outside the lock.
    pub(crate) fn put_back(&mut self, out: &mut Vec<Out>) {
        out.retain_mut(|out| {
            let (number, at) = split(out.place);
            let entry = self.segments.get_mut(number).and_then(|segment| segment.entries.get_mut(at));
            match entry.filter(|entry| entry.session == out.session && entry.waker.is_none()) {
                Some(entry) => {
                    entry.waker = out.waker.take();
                    false
                }
                None => true,
            }
        });
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
    fn wake(waiters: &mut Waiters, is_ready: impl Fn(SessionId) -> bool) -> usize {
        let mut woken = 0;
        for segment in 0..waiters.segments() {
            let mut out = Vec::new();
            waiters.take_ready(segment, &mut out, &is_ready);
            out.iter().for_each(Out::wake);
            woken += out.len();
            waiters.put_back(&mut out);
            assert!(out.is_empty(), "every waker goes back to its place");
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
            wake(&mut waiters, |session| session.slot() % 2 == 0);
            assert_eq!(count.0.load(Ordering::Relaxed), 1_500);
        }
        let clones = Arc::strong_count(&count);
        assert!(waiters.park(2, session(2, 1), &waker).is_none());
        assert_eq!(Arc::strong_count(&count), clones, "the waker that is there serves again");
        assert_eq!(wake(&mut waiters, |session| session.slot() % 2 == 0), 1);
    }

    #[test]
    fn a_place_that_has_passed_to_another_session_keeps_that_ones_waker() {
        let mut waiters = Waiters::default();
        let [first, second] = [Waker::from(Arc::new(Count::default())), Waker::from(Arc::new(Count::default()))];
        waiters.park(7, session(7, 1), &first);
        let mut out = Vec::new();
        waiters.take_ready(0, &mut out, |_| true);
        assert!(waiters.remove(7, session(7, 1)).is_none(), "its waker is out");
        waiters.park(7, session(7, 2), &second);
        waiters.put_back(&mut out);
        assert_eq!(out.len(), 1, "the first one's is not needed any more");
        assert!(waiters.remove(7, session(7, 1)).is_none());
        assert!(waiters.remove(7, session(7, 2)).is_some_and(|waker| waker.will_wake(&second)));
        assert_eq!(wake(&mut waiters, |_| true), 0);
    }
}
