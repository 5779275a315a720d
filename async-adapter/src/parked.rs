//! The sessions that wait for a batch, each with its waker: in segments, so that no lock is held for more than one of them.

use roomcast_core::SessionId;
use slab::Slab;
use std::task::Waker;

/// Sessions in a segment: as many as one lock is held for (decision D1).
const SEGMENT: usize = 1_024;

#[derive(Debug, Default)]
pub(crate) struct Parked {
    segments: Vec<Slab<Entry>>,
    /// Segments that have room.
    open: Vec<u32>,
}

/// A session keeps its place for life; the waker is there while it waits.
#[derive(Debug)]
struct Entry {
    session: SessionId,
    waker: Option<Waker>,
}

/// Where a session is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    fn split(self) -> (usize, usize) {
        (self.0 as usize / SEGMENT, self.0 as usize % SEGMENT)
    }
}

impl Parked {
    /// Parks a session, at its `place` if it has one. Answers the place, and a waker that is no longer needed: the caller drops it
    /// outside the lock.
    pub(crate) fn park(&mut self, place: Option<Place>, session: SessionId, waker: &Waker) -> (Place, Option<Waker>) {
        if let Some(place) = place
            && let Some(entry) = self.entry(place, session)
        {
            let old = match &mut entry.waker {
                Some(parked) if parked.will_wake(waker) => None,
                slot => slot.replace(waker.clone()),
            };
            return (place, old);
        }
        if self.open.is_empty() {
            self.open.push(self.segments.len() as u32);
            self.segments.push(Slab::new());
        }
        let number = self.open[self.open.len() - 1] as usize;
        let segment = &mut self.segments[number];
        let key = segment.insert(Entry { session, waker: Some(waker.clone()) });
        if segment.len() == SEGMENT {
            self.open.pop();
        }
        (Place((number * SEGMENT + key) as u32), None)
    }

    /// Takes a session out; the caller drops the waker outside the lock.
    pub(crate) fn unpark(&mut self, place: Place, session: SessionId) -> Option<Waker> {
        self.entry(place, session)?;
        let (number, key) = place.split();
        let segment = &mut self.segments[number];
        if segment.len() == SEGMENT {
            self.open.push(number as u32);
        }
        segment.try_remove(key)?.waker
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Takes the wakers of those in one segment that wait and are ready.
    pub(crate) fn take_ready(&mut self, number: usize, wakers: &mut Vec<Waker>, is_ready: impl Fn(SessionId) -> bool) {
        let Some(segment) = self.segments.get_mut(number) else { return };
        let ready = segment.iter_mut().filter(|(_, entry)| entry.waker.is_some() && is_ready(entry.session));
        wakers.extend(ready.filter_map(|(_, entry)| entry.waker.take()));
    }

    fn entry(&mut self, place: Place, session: SessionId) -> Option<&mut Entry> {
        let (number, key) = place.split();
        self.segments.get_mut(number)?.get_mut(key).filter(|entry| entry.session == session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_keeps_its_place_and_its_waker_is_taken_when_it_is_ready() {
        let mut parked = Parked::default();
        let waker = Waker::noop();
        let session = |slot: u64| SessionId::from_bits(slot << 32 | 1);
        let places: Vec<Place> = (0..3_000).map(|slot| parked.park(None, session(slot), waker).0).collect();
        assert_eq!(parked.park(Some(places[7]), session(7), waker).0, places[7]);
        assert_eq!(parked.segments(), 3);
        let mut wakers = Vec::new();
        for _ in 0..2 {
            for segment in 0..parked.segments() {
                parked.take_ready(segment, &mut wakers, |session| session.slot() % 2 == 0);
            }
            assert_eq!(wakers.len(), 1_500, "who was woken is not woken again before it waits again");
        }
        assert_eq!(parked.park(Some(places[2]), session(2), waker).0, places[2]);
        for (slot, &place) in places.iter().enumerate().take(1_500) {
            parked.unpark(place, session(slot as u64));
        }
        for slot in 5_000..6_500 {
            parked.park(None, session(slot), waker);
        }
        assert_eq!(parked.segments(), 3, "freed places are used again");
        assert!(parked.unpark(places[3], session(3)).is_none());
    }
}
