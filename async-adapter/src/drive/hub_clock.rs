//! The clock as all rooms of a hub see it: between two readings it moves one step at most.
//! [Clause B13](roomcast_core::rulebook#b13-virtual-time).
//!
//! A room cannot tell a clock that has gone astray from a long rest in which nobody called it, and
//! a step that is cut must not fall upon a room for having rested. So the hub looks at its clock
//! itself, for all rooms at once: its workers read it at least twice in the time of a step, whether
//! or not there is anything to do, and so a step that is longer is the clock's doing.

use super::clock::Clock;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::trace;
use roomcast_core::Instant;
use std::time::Duration;

/// A step is at least this long, or a hub would be kept busy by its clock.
const LEAST: Duration = Duration::from_secs(1);
/// Readings that are no further apart than this are not written down one by one: all threads that
/// call the hub would take that line of memory from each other.
const APART: Duration = Duration::from_millis(1);

/// A clock that is watched.
pub(crate) struct HubClock {
    clock: Box<dyn Clock>,
    max_step: Option<Duration>,
    /// What it said about last, in nanoseconds.
    last: AtomicU64,
    cut: AtomicU64,
}

impl HubClock {
    /// What the clock says first is believed.
    pub(crate) fn new(clock: Box<dyn Clock>, max_step: Option<Duration>) -> Self {
        let last = AtomicU64::new(clock.now().as_nanos());
        let max_step = max_step.map(|step| step.max(LEAST));
        Self { clock, max_step, last, cut: AtomicU64::new(0) }
    }

    /// How many readings were further ahead than a step goes.
    pub(crate) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// How long a worker that has nothing to do may leave the clock alone; `None` for ever. Not at
    /// all while rooms are behind what it says.
    pub(crate) fn rest(&self) -> Option<Duration> {
        let step = self.max_step?;
        let last = Instant::from_nanos(self.last.load(Ordering::Relaxed));
        let is_behind = self.clock.now().saturating_since(last) > step;
        Some(if is_behind { Duration::ZERO } else { step / 2 })
    }

    /// Takes a reading down, as long as it may be.
    #[cold]
    fn step(&self, now: Instant, max_step: Duration) -> Instant {
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let stood = Instant::from_nanos(last);
            let at = now.min(stood + max_step);
            if at <= stood {
                return at;
            }
            // Whoever comes second steps from where the first one has come.
            let taken = self.last.compare_exchange_weak(
                last,
                at.as_nanos(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => {
                    if at < now {
                        let cut = self.cut.fetch_add(1, Ordering::Relaxed) + 1;
                        trace::clock_step_cut(cut, now.saturating_since(at));
                    }
                    return at;
                }
                Err(other) => last = other,
            }
        }
    }
}

impl Clock for HubClock {
    fn now(&self) -> Instant {
        let now = self.clock.now();
        let Some(max_step) = self.max_step else { return now };
        let last = Instant::from_nanos(self.last.load(Ordering::Relaxed));
        if now.saturating_since(last) < APART { now } else { self.step(now, max_step) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Hands(Arc<AtomicU64>);

    impl Clock for Hands {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0.load(Ordering::Relaxed))
        }
    }

    fn watched(max_step: Option<Duration>) -> (Hands, HubClock) {
        let hands = Hands::default();
        hands.0.store(1_000_000_000, Ordering::Relaxed);
        (hands.clone(), HubClock::new(Box::new(hands), max_step))
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn b13_a_hub_s_clock_makes_one_step_at_most() {
        let (hands, clock) = watched(Some(HOUR));
        let start = clock.now();
        hands.0.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(
            (clock.now(), clock.cut(), clock.rest()),
            (start + HOUR, 1, Some(Duration::ZERO))
        );
        assert_eq!((clock.now(), clock.cut()), (start + HOUR * 2, 2));
        // It was astray, and is right again: nobody is behind.
        let right = start + Duration::from_secs(5);
        hands.0.store(right.as_nanos(), Ordering::Relaxed);
        assert_eq!((clock.now(), clock.cut(), clock.rest()), (right, 2, Some(HOUR / 2)));
        hands.0.store((start + HOUR * 3).as_nanos(), Ordering::Relaxed);
        assert_eq!((clock.now(), clock.cut()), (start + HOUR * 3, 2));
    }

    #[test]
    fn b13_a_hub_may_believe_its_clock() {
        let (hands, clock) = watched(None);
        hands.0.store(u64::MAX, Ordering::Relaxed);
        assert_eq!((clock.now(), clock.cut(), clock.rest()), (Instant::MAX, 0, None));
    }

    /// Whatever the clock says, what is told is no later, and at most a step after the latest that
    /// was told; and what is no further ahead is told as it is.
    #[test]
    fn b13_what_a_watched_clock_tells() {
        for step in [1, 2, 3_600] {
            let step = Duration::from_secs(step);
            let (hands, clock) = watched(Some(step));
            let (mut latest, mut cut, mut draw) = (clock.now(), 0, 7_u64);
            for _ in 0..10_000 {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Nanoseconds, milliseconds, seconds, hours or an age around where it stands.
                let far = (draw >> 33) % 4_000
                    * [1, 1_000_000, 1 << 30, 1 << 42, 1 << 50][draw as usize >> 8 & 3];
                let said = latest.as_nanos() + far - far / 3;
                hands.0.store(said, Ordering::Relaxed);
                let (said, told) = (Instant::from_nanos(said), clock.now());
                assert!(told <= said && told <= latest + step, "{told} for {said} after {latest}");
                // To a millisecond: that much may not have been written down.
                assert!(told == said || told + APART >= latest + step, "{told} for {said}");
                cut += u64::from(told < said);
                latest = latest.max(told);
                assert_eq!(clock.cut(), cut);
            }
            assert!(cut > 100 && cut < 9_900, "{cut}");
        }
    }
}
