//! The sessions that wait for a batch, each with its waker, by the place of its slot: in segments,
//! so that no lock is held for more than one of them.
//! [Decision D1](roomcast_core::design#d1-two-locks-and-a-ring-between).

use crate::drive::fence::Fence;
use roomcast_core::ids::SessionKey;
use std::task::Waker;

/// Sessions in a segment: as many as one lock is held for.
pub(crate) const SEGMENT: usize = 1_024;
const WORD: usize = u64::BITS as usize;
/// No session has this id.
const NOBODY: SessionKey = SessionKey::from_bits(0);

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
    Remove(SessionKey),
    /// Whoever waits here waits no more.
    Clear,
}

/// A waker that has left its place. To be settled outside the lock, since that runs foreign code.
#[derive(Debug)]
#[must_use = "its session may sleep for ever"]
pub(crate) enum DisplacedWaker {
    /// The session waits with another one now.
    Replaced(Waker),
    /// The session waits no more, and may not know yet why.
    Dismissed(Waker),
}

impl DisplacedWaker {
    /// The session knows all there is to know: it is not woken.
    pub(crate) fn told(self) -> Self {
        let (Self::Replaced(waker) | Self::Dismissed(waker)) = self;
        Self::Replaced(waker)
    }

    /// Wakes whoever has something to learn.
    pub(crate) fn settle(self, fence: &Fence) {
        fence.call(|| match self {
            Self::Dismissed(waker) => waker.wake(),
            Self::Replaced(waker) => drop(waker),
        });
    }
}

/// A session's waker stays when it has been woken: most readers wait again with the same one.
#[derive(Debug)]
struct Entry {
    session: SessionKey,
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

    /// Wakes them. One that panics keeps none of the others from being woken.
    pub(crate) fn wake(&self, fence: &Fence) {
        let mut left = self.ready.iter();
        let wake_rest = |left: &mut std::slice::Iter<'_, u16>| {
            for &at in left {
                if let Some(waker) = &self.entries[usize::from(at)].waker {
                    waker.wake_by_ref();
                }
            }
        };
        while fence.call(|| wake_rest(&mut left)).is_none() {}
    }
}

impl Segment {
    /// Lets a session wait in a place; returns the waker that was there.
    fn put(&mut self, at: usize, entry: Entry) -> Option<DisplacedWaker> {
        self.waiting[at / WORD] |= 1 << (at % WORD);
        while self.entries.len() <= at {
            self.entries.push(Entry { session: NOBODY, waker: None });
        }
        let session = entry.session;
        let old = std::mem::replace(&mut self.entries[at], entry);
        let waker = old.waker?;
        Some(if old.session == session {
            DisplacedWaker::Replaced(waker)
        } else {
            DisplacedWaker::Dismissed(waker)
        })
    }

    /// Lets a session wait no more; returns its waker.
    fn remove(&mut self, at: usize, session: SessionKey) -> Option<DisplacedWaker> {
        if self.entries.get(at)?.session == session { self.clear(at) } else { None }
    }

    /// Lets nobody wait in a place; returns the waker that was there.
    fn clear(&mut self, at: usize) -> Option<DisplacedWaker> {
        let entry = self.entries.get_mut(at)?;
        self.waiting[at / WORD] &= !(1 << (at % WORD));
        entry.session = NOBODY;
        entry.waker.take().map(DisplacedWaker::Dismissed)
    }
}

const fn split(place: u32) -> (usize, usize) {
    (place as usize / SEGMENT, place as usize % SEGMENT)
}

impl Waiters {
    /// Lets a session wait. Returns the waker that was there: the caller settles it outside the
    /// lock.
    #[inline]
    pub(crate) fn park(
        &mut self,
        place: u32,
        session: SessionKey,
        waker: &Waker,
    ) -> Option<DisplacedWaker> {
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
    fn park_with(
        &mut self,
        place: u32,
        session: SessionKey,
        waker: Waker,
    ) -> Option<DisplacedWaker> {
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

    /// Takes a session out. Returns its waker: the caller settles it outside the lock. While its
    /// segment is out to be woken, that is up to whoever puts the segment back.
    pub(crate) fn remove(&mut self, place: u32, session: SessionKey) -> Option<DisplacedWaker> {
        let (number, at) = split(place);
        let segment = self.segments.get_mut(number)?;
        if segment.is_out {
            segment.changes.push((at, Change::Remove(session)));
            return None;
        }
        segment.remove(at, session)
    }

    /// A new session has come to a place: whoever still waits there has ended, and would not be
    /// found there any more. As [`remove`](Self::remove).
    pub(crate) fn clear(&mut self, place: u32) -> Option<DisplacedWaker> {
        let (number, at) = split(place);
        let segment = self.segments.get_mut(number)?;
        if segment.is_out {
            segment.changes.push((at, Change::Clear));
            return None;
        }
        segment.clear(at)
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Takes a segment out, with those in it that wait and are ready: nobody of them waits any
    /// more. `None` when nobody is ready. `ready` tells which of those at 64 places from one on
    /// are.
    pub(crate) fn take_ready(
        &mut self,
        number: usize,
        ready: impl Fn(u32, u64) -> u64,
    ) -> Option<Out> {
        let segment = self.segments.get_mut(number).filter(|segment| !segment.is_out)?;
        let mut places = std::mem::take(&mut self.spare);
        places.clear();
        places.reserve(SEGMENT);
        for (word, waiting) in
            segment.waiting.iter_mut().enumerate().filter(|(_, waiting)| **waiting != 0)
        {
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

    /// Puts a segment that has been woken back. Returns the wakers that left their places
    /// meanwhile: the caller settles them outside the lock.
    pub(crate) fn put_back(&mut self, out: Out) -> Vec<DisplacedWaker> {
        self.spare = out.ready;
        let segment = &mut self.segments[out.number];
        segment.entries = out.entries;
        segment.is_out = false;
        let changes = std::mem::take(&mut segment.changes);
        let applied = changes.into_iter().filter_map(|(at, change)| match change {
            Change::Put(entry) => segment.put(at, entry),
            Change::Remove(session) => segment.remove(at, session),
            Change::Clear => segment.clear(at),
        });
        applied.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Arc;
    use crate::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn session(slot: u64, generation: u64) -> SessionKey {
        SessionKey::from_bits(slot << 32 | generation)
    }

    /// Wakes those that are ready, as the worker does; returns how many.
    fn wake(waiters: &mut Waiters, is_ready: impl Fn(u32) -> bool) -> usize {
        let mut woken = 0;
        let ready = |first, waiting: u64| {
            let bits = (0..64).filter(|bit| waiting >> bit & 1 != 0 && is_ready(first + bit));
            bits.fold(0, |ready, bit| ready | 1 << bit)
        };
        for segment in 0..waiters.segments() {
            let Some(out) = waiters.take_ready(segment, ready) else { continue };
            out.wake(&Fence::default());
            woken += out.len();
            assert!(waiters.put_back(out).is_empty(), "every waker goes back to its place");
        }
        woken
    }

    fn is_dismissed(displaced: Option<&DisplacedWaker>, of: &Waker) -> bool {
        matches!(displaced, Some(DisplacedWaker::Dismissed(waker)) if waker.will_wake(of))
    }

    fn is_replaced(displaced: Option<&DisplacedWaker>, of: &Waker) -> bool {
        matches!(displaced, Some(DisplacedWaker::Replaced(waker)) if waker.will_wake(of))
    }

    #[test]
    fn who_was_woken_must_wait_to_be_woken_again() {
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

    /// They hold when it is back.
    #[test]
    fn changes_while_a_segment_is_out_are_kept() {
        let mut waiters = Waiters::default();
        let [first, second, third] = [(); 3].map(|()| Waker::from(Arc::new(Count::default())));
        waiters.park(7, session(7, 1), &first);
        waiters.park(8, session(8, 1), &first);
        let out = waiters.take_ready(0, |_, waiting| waiting).unwrap();
        assert!(waiters.take_ready(0, |_, waiting| waiting).is_none(), "it is out already");
        // One goes, and its place passes to another; one waits again; one comes.
        assert!(waiters.remove(7, session(7, 1)).is_none(), "its waker is out");
        waiters.park(7, session(7, 2), &second);
        assert!(
            waiters.remove(7, session(7, 1)).is_none(),
            "it has gone, and its place is another's"
        );
        waiters.park(8, session(8, 1), &third);
        waiters.park(900, session(900, 1), &second);
        let displaced = waiters.put_back(out);
        assert_eq!(displaced.len(), 2);
        assert!(is_dismissed(displaced.first(), &first) && is_replaced(displaced.get(1), &first));
        assert!(waiters.remove(7, session(7, 1)).is_none());
        assert!(is_dismissed(waiters.remove(7, session(7, 2)).as_ref(), &second));
        assert_eq!(wake(&mut waiters, |_| true), 2);
        assert!(is_dismissed(waiters.remove(8, session(8, 1)).as_ref(), &third));
        assert!(waiters.remove(900, session(900, 1)).is_some());
        assert_eq!(wake(&mut waiters, |_| true), 0);
    }

    #[test]
    fn a_waiter_is_dismissed_when_another_comes() {
        let mut waiters = Waiters::default();
        let [first, second] = [(); 2].map(|()| Waker::from(Arc::new(Count::default())));
        waiters.park(7, session(7, 1), &first);
        assert!(is_replaced(waiters.park(7, session(7, 1), &second).as_ref(), &first));
        assert!(is_dismissed(waiters.park(7, session(7, 2), &first).as_ref(), &second));
        assert!(is_dismissed(waiters.clear(7).as_ref(), &first));
        assert!(waiters.clear(7).is_none() && waiters.clear(5_000).is_none());
        // The same while the segment is out.
        for place in [7, 8] {
            waiters.park(place, session(place.into(), 2), &first);
        }
        let out = waiters.take_ready(0, |_, _| 1 << 8).unwrap();
        assert!(waiters.clear(7).is_none());
        waiters.park(7, session(7, 3), &second);
        let displaced = waiters.put_back(out);
        assert!(displaced.len() == 1 && is_dismissed(displaced.first(), &first));
        assert_eq!(wake(&mut waiters, |place| place == 7), 1);
    }
}
