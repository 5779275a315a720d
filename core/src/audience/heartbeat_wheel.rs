//! Signs of life: one byte a session, in an array of its own, and a hand
//! that walks over it.
//!
//! The byte counts the looks that are left until the session is found silent, so a look is a
//! subtraction for each and finds out by the way who has none left. It is exact: a sign of life is
//! put down as the number of the look that finds it too old.

use crate::chunked::{Chunked, Deque};
use crate::config::{RoomConfig, Scans};
use crate::event::Liveness;
use crate::ids::SessionKey;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The maximum number of slots that one call looks at.
const MAX_SCANNED: u32 = 8_192;
/// The maximum number of sessions that one call finds silent, and that may wait to be polled before
/// a look goes on.
const MAX_EXPIRED: usize = 1_024;
/// Slots that are looked at without a branch for each.
const BLOCK: usize = 64;

/// Nobody to look at: the slot is free, or its session ends.
const NOBODY: u8 = 0;
/// The most that the byte counts.
const MOST: u8 = 253;
/// It came after the last look, or so long after that the byte cannot tell: the next look counts
/// from itself.
const FRESH: u8 = 254;
/// Found silent, and has shown no life since.
const SILENT: u8 = 255;

#[derive(Debug)]
pub(super) struct HeartbeatWheel {
    scans: Scans,
    /// What is left for each slot.
    left: Chunked<u8>,
    /// Looks that all slots have had.
    done: u64,
    walk: Option<Walk>,
    /// Sessions that a look may find silent.
    watched: u32,
    silent: u32,
    /// For each slot, the number of the look that found its session silent: only where silent
    /// sessions leave.
    silent_since: Chunked<u64>,
    expired: Deque<(SessionKey, Liveness)>,
    /// Sessions that the last looks found to be silent for too long.
    leaving: Vec<SessionKey>,
}

/// A look on its way.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// The number of the look; it stands for all that were missed before it.
    number: u64,
    /// The next slot.
    hand: u32,
}

impl HeartbeatWheel {
    pub(super) fn new(config: &RoomConfig) -> Option<Box<Self>> {
        let scans = Scans::new(config)?;
        Some(Box::new(Self::starting_at(scans, 0)))
    }

    /// That of another part of the room, with nobody in it yet: it looks when this one does.
    pub(super) fn beside(&self) -> Box<Self> {
        Box::new(Self::starting_at(self.scans, self.done))
    }

    fn starting_at(scans: Scans, done: u64) -> Self {
        Self {
            scans,
            left: Chunked::new(),
            done,
            walk: None,
            watched: 0,
            silent: 0,
            silent_since: Chunked::new(),
            expired: Deque::new(),
            leaving: Vec::new(),
        }
    }

    /// Whether there is anybody to look at.
    fn has_any(&self) -> bool {
        self.watched > 0 || self.silent > 0 && self.scans.leaves_after().is_some()
    }

    /// Takes out those whom the looks since the last call found to be silent for too long.
    pub(super) fn take_leaving(&mut self) -> Vec<SessionKey> {
        core::mem::take(&mut self.leaving)
    }

    /// Whether a room of this configuration looks as this one does, or as this one does not.
    pub(super) fn is_as(wheel: Option<&Self>, config: &RoomConfig) -> bool {
        match (wheel, Scans::new(config)) {
            (Some(wheel), Some(scans)) => wheel.scans.is_like(scans),
            (None, None) => true,
            _ => false,
        }
    }

    /// Sessions that were found silent and have shown no life since.
    pub(super) fn silent(&self) -> u32 {
        self.silent
    }

    /// A session takes a slot.
    pub(super) fn come(&mut self, slot: u32) {
        self.left.reach(slot, NOBODY);
        self.left[slot] = FRESH;
        self.watched += 1;
    }

    /// A session goes, or begins to end: nobody looks at it any more. Harmless when that is so
    /// already.
    pub(super) fn go(&mut self, slot: u32) {
        match core::mem::replace(&mut self.left[slot], NOBODY) {
            NOBODY => {}
            SILENT => self.silent -= 1,
            _ => self.watched -= 1,
        }
    }

    /// The session in a slot shows life.
    pub(super) fn touch(&mut self, now: Instant, slot: u32, session: SessionKey) {
        match self.left[slot] {
            NOBODY => return,
            SILENT => {
                self.silent -= 1;
                self.watched += 1;
                self.tell(session, Liveness::Alive);
            }
            _ => {}
        }
        let base = self.walk.filter(|walk| slot < walk.hand).map_or(self.done, |walk| walk.number);
        self.left[slot] = self.count(now, base);
    }

    /// Looks left for whoever shows life now and has had `base` of them.
    fn count(&self, now: Instant, base: u64) -> u8 {
        (self.scans.expires_at_scan(now) - base).min(u64::from(FRESH)) as u8
    }

    fn tell(&mut self, session: SessionKey, liveness: Liveness) {
        // Guests are no users: nobody has to hear of them.
        if !session.is_guest() {
            self.expired.push_back((session, liveness));
        }
    }

    /// Makes the looks that are due, all that were missed as one.
    pub(super) fn scan(&mut self, now: Instant, holder: impl Fn(u32) -> Option<SessionKey>) {
        let (mut may_scan, mut may_expire) =
            (MAX_SCANNED, MAX_EXPIRED.saturating_sub(self.expired.len()));
        while may_scan > 0 && may_expire > 0 {
            let number = self.scans.until(now);
            if !self.has_any() {
                (self.done, self.walk) = (number, None);
                return;
            }
            let Some(mut walk) =
                self.walk.or_else(|| (number > self.done).then_some(Walk { number, hand: 0 }))
            else {
                return;
            };
            let missed = (walk.number - self.done).min(u64::from(MOST)) as u8;
            let end = (self.left.len() as u32).min(walk.hand + may_scan);
            may_scan -= end - walk.hand;
            while walk.hand < end && may_expire > 0 {
                self.scan_some(now, &mut walk, end, missed, &mut may_expire, &holder);
            }
            self.walk = Some(walk);
            if walk.hand as usize >= self.left.len() {
                (self.done, self.walk) = (walk.number, None);
            }
        }
    }

    /// Goes over one block, or up to the last session that may be found.
    fn scan_some(
        &mut self,
        now: Instant,
        walk: &mut Walk,
        end: u32,
        missed: u8,
        may_expire: &mut usize,
        holder: &impl Fn(u32) -> Option<SessionKey>,
    ) {
        let chunk = self.left.chunk_from_mut(walk.hand);
        let len = chunk.len().min(BLOCK).min((end - walk.hand) as usize);
        let block = &mut chunk[..len];
        // A free slot and a silent one wrap round to more than the most.
        let is_over = |left: u8| left.wrapping_sub(1) < missed;
        let leaves_after = self.scans.leaves_after();
        // What else asks for a look at each.
        let special = if leaves_after.is_some() { SILENT } else { FRESH };
        if block.iter().fold(0, |any, &left| {
            any | u8::from(is_over(left)) | u8::from(left == FRESH) | u8::from(left == special)
        }) == 0
        {
            for left in block {
                *left -= if left.wrapping_sub(1) < MOST { missed } else { 0 };
            }
            walk.hand += len as u32;
            return;
        }
        for slot in walk.hand..walk.hand + len as u32 {
            if *may_expire == 0 {
                return;
            }
            walk.hand = slot + 1;
            let left = self.left[slot];
            if left == FRESH {
                self.left[slot] = self.count(now, walk.number);
            } else if left == SILENT {
                let silent_for = |since: &u64| walk.number - since;
                let looks = self.silent_since.get(slot).map(silent_for);
                // One that has been found is taken out by the same call.
                if leaves_after.is_some_and(|most| looks.is_some_and(|looks| looks >= most))
                    && let Some(session) = holder(slot)
                {
                    *may_expire -= 1;
                    self.leaving.push(session);
                    self.tell(session, Liveness::Left);
                }
            } else if is_over(left) {
                if leaves_after.is_some() {
                    self.silent_since.touch(slot, 0);
                    self.silent_since[slot] = walk.number;
                }
                self.left[slot] = SILENT;
                self.watched -= 1;
                self.silent += 1;
                *may_expire -= 1;
                if let Some(session) = holder(slot) {
                    self.tell(session, Liveness::Silent);
                }
            } else if left < FRESH {
                self.left[slot] = left.saturating_sub(missed);
            }
        }
    }

    /// Returns a session that was found silent or shows life again, and was not returned before.
    pub(super) fn poll(&mut self) -> Option<(SessionKey, Liveness)> {
        self.expired.pop_front()
    }

    /// Returns whether [`poll`](Self::poll) has something.
    #[inline]
    pub(super) fn has_found(&self) -> bool {
        !self.expired.is_empty()
    }

    /// When the next look is due, if there is anybody to look at.
    pub(super) fn next(&self) -> Option<Instant> {
        self.scans.at(self.done + 1).filter(|_| self.has_any())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Heartbeat, RoomConfig};
    use crate::ids::{SessionKind, UserId};
    use crate::index::Rng;
    use crate::time::Duration;
    use alloc::vec;

    const MILLI: u64 = 1_000_000;

    fn wheel(silence: u64, every: u64) -> HeartbeatWheel {
        let (silence, every) = (Duration::from_nanos(silence), Duration::from_nanos(every));
        let config = RoomConfig::builder(UserId(3))
            .heartbeat(Some(Heartbeat { silence, every, leave_after: None }))
            .build()
            .unwrap();
        *HeartbeatWheel::new(&config).unwrap()
    }

    fn session(slot: u32) -> SessionKey {
        SessionKey::new(slot, 1)
    }

    /// This holds over many calls and while sessions come and go.
    #[test]
    fn a_hand_finds_whom_whole_instants_would_find() {
        let mut rng = Rng::new(3);
        for silence in [1, 10 * MILLI, 25 * MILLI, 1_000 * MILLI] {
            let mut wheel = wheel(silence, 10 * MILLI);
            let slots = 30_000_u32;
            // When each was last alive; 0 when it was found silent.
            let mut lives: Vec<Option<u64>> = vec![None; slots as usize];
            let mut now = 1_000 * MILLI;
            wheel.scan(Instant::from_nanos(now), |_| None);
            for slot in 0..slots {
                wheel.come(slot);
                wheel.touch(Instant::from_nanos(now), slot, session(slot));
                lives[slot as usize] = Some(now);
            }
            for _ in 0..60 {
                now += u64::from(rng.below(20)) * MILLI;
                for _ in 0..3_000 {
                    let slot = rng.below(slots);
                    let life = &mut lives[slot as usize];
                    match rng.below(20) {
                        0 if life.is_some() => {
                            wheel.go(slot);
                            *life = None;
                        }
                        1 if life.is_none() => {
                            wheel.come(slot);
                            wheel.touch(Instant::from_nanos(now), slot, session(slot));
                            *life = Some(now);
                        }
                        _ if life.is_some() => {
                            wheel.touch(Instant::from_nanos(now), slot, session(slot));
                            *life = Some(now);
                        }
                        _ => {}
                    }
                }
                let scan =
                    wheel.scans.at(wheel.scans.until(Instant::from_nanos(now))).unwrap().as_nanos();
                // Whoever is touched in the middle of a look that is on its way is spared,
                // whichever side of the hand it is on.
                let mut calls = 0;
                while wheel.expired.pop_front().is_some() {}
                loop {
                    let before = wheel.expired.len();
                    wheel.scan(Instant::from_nanos(now), |slot| Some(session(slot)));
                    assert!(wheel.expired.len() - before <= MAX_EXPIRED);
                    while wheel.expired.pop_front().is_some() {}
                    calls += 1;
                    if wheel.walk.is_none() {
                        break;
                    }
                    let hand = wheel.walk.map_or(0, |walk| walk.hand);
                    for slot in [rng.below(slots), hand - 1, hand] {
                        if lives[slot as usize].is_some() && wheel.left[slot] != SILENT {
                            wheel.touch(Instant::from_nanos(now), slot, session(slot));
                            lives[slot as usize] = Some(now);
                        }
                    }
                }
                assert!(calls <= 40, "{calls} calls");
                let mut silent = 0;
                for (slot, life) in (0..).zip(&mut lives) {
                    let is_silent = life.is_some_and(|life| life == 0 || scan >= life + silence);
                    assert_eq!(
                        wheel.left[slot] == SILENT,
                        is_silent,
                        "slot {slot} at {now}, last alive at {life:?}"
                    );
                    if is_silent {
                        *life = Some(0);
                        silent += 1;
                    }
                }
                let watched = lives.iter().filter(|life| life.is_some_and(|life| life > 0)).count();
                assert_eq!((wheel.silent, wheel.watched as usize), (silent, watched));
            }
        }
    }

    #[test]
    fn what_was_found_is_polled_before_more_looks() {
        let mut wheel = wheel(MILLI, MILLI);
        for slot in 0..3_000 {
            wheel.come(slot);
            wheel.touch(Instant::ZERO, slot, session(slot));
        }
        let late = Instant::from_secs(1);
        for _ in 0..3 {
            wheel.scan(late, |slot| Some(session(slot)));
            assert_eq!((wheel.expired.len(), wheel.silent), (MAX_EXPIRED, MAX_EXPIRED as u32));
        }
        assert!(wheel.next().is_some_and(|at| at <= late));
        while wheel.expired.pop_front().is_some() {}
        wheel.scan(late, |slot| Some(session(slot)));
        assert_eq!((wheel.expired.len(), wheel.silent), (MAX_EXPIRED, 2 * MAX_EXPIRED as u32));
    }

    /// Nobody has to hear of it.
    #[test]
    fn guests_fall_silent_unheard() {
        let mut wheel = wheel(MILLI, MILLI);
        let guest = SessionKey::new(0, SessionKey::next_generation(0, SessionKind::Guest));
        wheel.come(0);
        wheel.scan(Instant::from_secs(1), |_| Some(guest));
        wheel.scan(Instant::from_secs(2), |_| Some(guest));
        assert_eq!((wheel.silent, wheel.next()), (1, None));
        wheel.touch(Instant::from_secs(3), 0, guest);
        assert_eq!((wheel.silent, wheel.expired.len()), (0, 0));
    }

    #[test]
    fn between_two_looks_nobody_is_looked_at() {
        let (mut wheel, at) = (wheel(1_000 * MILLI, 100 * MILLI), Instant::from_millis);
        let scan = |wheel: &mut HeartbeatWheel, now| {
            wheel.scan(now, |slot| Some(session(slot)));
            wheel.left.get(0).copied()
        };
        assert_eq!(scan(&mut wheel, at(1_000)), None);
        wheel.come(0);
        assert_eq!(scan(&mut wheel, at(1_050)), Some(FRESH));
        assert_eq!(scan(&mut wheel, at(1_100)), Some(wheel.count(at(1_100), 11)));
    }
}
