//! The sessions that wait for a batch: one waker each, in segments, so that no lock is held for more than one segment.

use roomcast_core::SessionId;
use slab::Slab;
use std::task::Waker;

/// Wakers in a segment: as many as one lock is held for (decision D1).
const SEGMENT: usize = 1_024;

#[derive(Debug, Default)]
pub(crate) struct Parked {
    segments: Vec<Slab<(SessionId, Waker)>>,
    /// Segments that have room.
    open: Vec<u32>,
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
    /// Parks a session, at `place` if it still is there. Answers where, and a waker that is no longer needed: the caller drops it
    /// outside the lock.
    pub(crate) fn park(&mut self, place: Option<Place>, session: SessionId, waker: &Waker) -> (Place, Option<Waker>) {
        if let Some(place) = place
            && let Some((_, parked)) = self.entry(place, session)
        {
            let old = if parked.will_wake(waker) { None } else { Some(core::mem::replace(parked, waker.clone())) };
            return (place, old);
        }
        if self.open.is_empty() {
            self.open.push(self.segments.len() as u32);
            self.segments.push(Slab::new());
        }
        let number = self.open[self.open.len() - 1] as usize;
        let segment = &mut self.segments[number];
        let key = segment.insert((session, waker.clone()));
        if segment.len() == SEGMENT {
            self.open.pop();
        }
        (Place((number * SEGMENT + key) as u32), None)
    }

    /// Takes a session out; the caller drops the waker outside the lock.
    pub(crate) fn unpark(&mut self, place: Place, session: SessionId) -> Option<Waker> {
        self.entry(place, session)?;
        let (number, key) = place.split();
        self.take(number, key)
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Takes the wakers of those in one segment that are ready.
    pub(crate) fn take_ready(&mut self, number: usize, wakers: &mut Vec<Waker>, is_ready: impl Fn(SessionId) -> bool) {
        let Some(segment) = self.segments.get(number) else { return };
        let ready: smallvec::SmallVec<[usize; SEGMENT]> =
            segment.iter().filter(|(_, (session, _))| is_ready(*session)).map(|(key, _)| key).collect();
        for key in ready {
            wakers.extend(self.take(number, key));
        }
    }

    fn take(&mut self, number: usize, key: usize) -> Option<Waker> {
        let segment = &mut self.segments[number];
        if segment.len() == SEGMENT {
            self.open.push(number as u32);
        }
        segment.try_remove(key).map(|(_, waker)| waker)
    }

    fn entry(&mut self, place: Place, session: SessionId) -> Option<&mut (SessionId, Waker)> {
        let (number, key) = place.split();
        self.segments.get_mut(number)?.get_mut(key).filter(|(parked, _)| *parked == session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_parks_once_and_is_taken_when_ready() {
        let mut parked = Parked::default();
        let waker = Waker::noop();
        let session = |slot: u64| SessionId::from_bits(slot << 32 | 1);
        let places: Vec<Place> = (0..3_000).map(|slot| parked.park(None, session(slot), waker).0).collect();
        assert_eq!(parked.park(Some(places[7]), session(7), waker).0, places[7]);
        assert_eq!(parked.segments(), 3);
        let mut wakers = Vec::new();
        for segment in 0..parked.segments() {
            parked.take_ready(segment, &mut wakers, |session| session.slot() % 2 == 0);
        }
        assert_eq!(wakers.len(), 1_500);
        assert!(parked.unpark(places[2], session(2)).is_none() && parked.unpark(places[3], session(3)).is_some());
        for slot in 5_000..6_501 {
            parked.park(None, session(slot), waker);
        }
        assert_eq!(parked.segments(), 3, "freed places are used again");
    }
}
