//! How much one connection may have in flight: what it drains in a short time.
//! [Decision D49](roomcast_core::design#d49-no-more-in-flight-than-drains-in-a-short-time).

use super::transport::InFlight;
use std::time::Duration;

/// Bytes that a new connection may have in flight until it has been looked at.
const START: u32 = 2 << 10;
/// A connection that keeps up is looked at when it was handed so many bytes, and at most every so
/// many milliseconds.
const LOOK_BYTES: u64 = 2 << 10;
const LOOK_MS: u64 = 100;
/// A rate is told over at least so many milliseconds, or the round trip: peers acknowledge late.
const RATE_MS: u64 = 250;
/// How soon a connection is looked at again that may be handed nothing, in milliseconds: at first,
/// once it has been so for a time, and at the latest.
const AGAIN_MS: [u64; 3] = [5, 25, 100];

/// What one connection drains, and what that lets it have in flight. All times are milliseconds of
/// its pump's clock.
///
/// A rate that is higher than thought is believed as far as twice that; one that is lower, only if
/// the connection was held back by it or has more in flight than it drains in time: whoever was
/// offered little has drained little.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes that may be in flight.
    reach: u32,
    /// Bytes that were in flight at the last look, and that were handed over since.
    in_flight: u32,
    handed: u32,
    /// Bytes that were seen to drain since the rate was told last, or since something was in flight
    /// again.
    drained: u32,
    since: u32,
    looked: u32,
    /// When what is in flight was last seen to become less, or began to be.
    moved: u32,
    /// Whether it was held back in that time.
    is_held_back: bool,
    /// Whether its transport cannot say what is in flight.
    is_blind: bool,
}

impl Pace {
    /// Of a new connection, where what drains in `reach` may be in flight: anything, if that is for
    /// ever.
    pub(super) fn new(now: u32, reach: Duration) -> Self {
        let is_bounded = reach < Duration::MAX;
        Self {
            reach: if is_bounded { START } else { u32::MAX },
            in_flight: 0,
            handed: 0,
            drained: 0,
            since: now,
            looked: now,
            moved: now,
            is_held_back: false,
            // Without a bound nobody looks.
            is_blind: !is_bounded,
        }
    }

    fn flying(&self) -> u64 {
        u64::from(self.in_flight) + u64::from(self.handed)
    }

    /// Whether so many bytes more are within what may be in flight, as far as is known without a
    /// look.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        self.flying() + bytes <= self.reach.into()
    }

    /// How many bytes more may be in flight. Where there are any, so may one message of any size.
    pub(super) fn space(&self) -> u64 {
        u64::from(self.reach).saturating_sub(self.flying())
    }

    /// Whether it may be handed so little that a look is worth it.
    pub(super) fn is_short(&self) -> bool {
        self.space() < LOOK_BYTES
    }

    /// The transport took a whole frame at once.
    pub(super) fn hand_whole(&mut self, now: u32, bytes: usize) {
        if self.is_blind && bytes >= self.reach as usize / 2 {
            self.reach = self.reach.saturating_mul(2);
        }
        self.hand(now, bytes);
    }

    /// The transport took bytes.
    pub(super) fn hand(&mut self, now: u32, bytes: usize) {
        if self.is_blind {
            return;
        }
        if self.flying() == 0 {
            (self.since, self.drained, self.moved) = (now, 0, now);
        }
        self.handed = self.handed.saturating_add(capped(bytes as u64));
    }

    /// Whether it is time for a look at a connection that keeps up.
    pub(super) fn wants_look(&self, now: u32) -> bool {
        u64::from(self.handed) >= LOOK_BYTES && passed(self.looked, now) >= LOOK_MS
    }

    /// A look at what is in flight, where at most what drains in `reach` may be.
    pub(super) fn look(&mut self, now: u32, reach: Duration, seen: Option<InFlight>) {
        self.is_blind = seen.is_none();
        let Some(seen) = seen else {
            // What the transport takes has to tell, see below.
            (self.in_flight, self.handed, self.looked) = (0, 0, now);
            return;
        };
        let round_trip = millis(seen.round_trip);
        let reach_ms = millis(reach).saturating_add(round_trip);
        let bytes = capped(seen.bytes);
        let drained = self.flying().saturating_sub(u64::from(bytes));
        self.drained = self.drained.saturating_add(capped(drained));
        (self.in_flight, self.handed, self.looked) = (bytes, 0, now);
        if drained > 0 {
            self.moved = now;
        }
        let elapsed = passed(self.since, now).max(1);
        let drained = u64::from(self.drained);
        let in_reach = capped(drained.saturating_mul(reach_ms) / elapsed);
        if bytes == 0 {
            // It is not known since when: it drains at least this much. That it took far less than
            // reach means little, for links let a burst pass at once.
            let at_least = if elapsed <= reach_ms { capped(2 * drained) } else { in_reach };
            self.reach = self.reach.max(at_least);
        } else if elapsed < RATE_MS.max(round_trip) {
            return;
        } else if in_reach >= self.reach {
            self.reach = in_reach.min(self.reach.saturating_mul(2));
        } else if self.is_held_back || bytes > in_reach {
            self.reach = self.reach.midpoint(in_reach).max(1);
        }
        (self.since, self.drained, self.is_held_back) = (now, 0, false);
    }

    /// Whether nothing of what is in flight has drained for so long.
    pub(super) fn is_stuck(&self, now: u32, patience: Duration) -> bool {
        self.flying() > 0 && passed(self.moved, now) >= millis(patience)
    }

    /// It is held back: it has as much in flight as it may. Returns after how many milliseconds a
    /// look is worth it.
    pub(super) fn hold_back(&mut self, now: u32, reach: Duration) -> u64 {
        self.is_held_back = true;
        let too_much = self.flying().saturating_sub(self.reach.into()) + 1;
        let [first, soonest, latest] = AGAIN_MS;
        let soonest = passed(self.since, now).clamp(first, soonest);
        (too_much.saturating_mul(millis(reach)) / u64::from(self.reach)).clamp(soonest, latest)
    }

    /// The transport, which could take no more for a time, took the rest: so many bytes. Where it
    /// cannot say what is in flight, this is what is known of the rate.
    pub(super) fn took_rest(&mut self, bytes: u64, elapsed: Duration, reach: Duration) {
        if self.is_blind {
            let in_reach = bytes.saturating_mul(millis(reach)) / millis(elapsed).max(1);
            self.reach = capped(in_reach).max(1);
        }
    }
}

fn capped(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds from one reading of the clock to a later one; it begins anew after 49 days.
fn passed(from: u32, to: u32) -> u64 {
    u64::from(to.wrapping_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::ops::Range;

    const REACH: Duration = Duration::from_millis(250);

    /// A link that carries so many bytes a second, and whose sender hears of it later.
    struct Link {
        rate: u32,
        round_trip: u32,
        /// Thousandths of bytes that it has yet to carry, that were carried, by when that is known,
        /// and that were handed over and are not known to have been.
        queue: u32,
        acked: VecDeque<(u32, u32)>,
        unacked: u32,
    }

    impl Link {
        fn new(rate: u32, round_trip: u32) -> Self {
            Self { rate, round_trip, queue: 0, acked: VecDeque::new(), unacked: 0 }
        }

        /// A millisecond passes.
        fn step(&mut self, now: u32) {
            let carried = self.queue.min(self.rate);
            self.queue -= carried;
            self.acked.push_back((now + self.round_trip, carried));
            while self.acked.front().is_some_and(|(at, _)| *at <= now) {
                self.unacked -= self.acked.pop_front().map_or(0, |(_, carried)| carried);
            }
        }

        fn look(&self, now: u32, pace: &mut Pace) {
            let round_trip = Duration::from_millis(self.round_trip.into());
            let seen = InFlight::new((self.unacked / 1_000).into()).round_trip(round_trip);
            pace.look(now, REACH, Some(seen));
        }
    }

    /// Offers a message every so many milliseconds; returns the longest that the link needed for its
    /// queue in the second half, in milliseconds, and the bytes that were handed over by then.
    fn run(
        link: &mut Link,
        pace: &mut Pace,
        size: u32,
        every: u32,
        times: Range<u32>,
    ) -> (u32, u32) {
        let (mut waiting, mut longest, mut handed, mut again) = (0, 0, 0, 0);
        let half = times.start.midpoint(times.end);
        for now in times {
            link.step(now);
            waiting += u32::from(now % every == 0);
            while waiting > 0 && again <= now {
                if !pace.fits(size.into()) {
                    link.look(now, pace);
                    if pace.space() == 0 {
                        again = now + pace.hold_back(now, REACH) as u32;
                        break;
                    }
                }
                waiting -= 1;
                handed += size;
                pace.hand_whole(now, size as usize);
                link.queue += size * 1_000;
                link.unacked += size * 1_000;
                if pace.wants_look(now) {
                    link.look(now, pace);
                }
            }
            if now > half {
                longest = longest.max(link.queue / link.rate);
            }
        }
        (longest, handed)
    }

    /// Whatever the link carries, it is kept busy, and holds no more than it drains in time.
    #[test]
    fn d49_a_narrow_link_holds_what_it_drains_in_reach() {
        for (rate, round_trip) in [(3_000, 20), (3_000, 600), (500, 50), (40_000, 200)] {
            let (mut link, mut pace) = (Link::new(rate, round_trip), Pace::new(0, REACH));
            let message = 128_000 / rate;
            let every = (message / 3).max(1);
            let (longest, handed) = run(&mut link, &mut pace, 128, every, 0..60_000);
            assert!(longest <= 400 + 2 * message, "{rate} B/s, {round_trip} ms: {longest} ms");
            assert!(handed >= 54 * rate, "{rate} B/s, {round_trip} ms: {handed} B");
        }
    }

    /// A peer that takes nothing is stuck, and one that takes little is slow.
    #[test]
    fn d64_what_does_not_drain_is_stuck() {
        let (mut pace, patience) = (Pace::new(0, REACH), Duration::from_secs(60));
        pace.hand_whole(1_000, 4_000);
        for (now, bytes, is_stuck) in [
            (2_000, 4_000, false),
            (60_999, 4_000, false),
            (61_000, 4_000, true),
            (62_000, 3_999, false),
            (121_999, 3_999, false),
            (122_000, 3_999, true),
            (123_000, 0, false),
            (999_000, 0, false),
        ] {
            pace.look(now, REACH, Some(InFlight::new(bytes)));
            assert_eq!(pace.is_stuck(now, patience), is_stuck, "{now}");
        }
    }

    /// A link that lets a burst pass at once has shown no more than that burst.
    #[test]
    fn d49_a_burst_that_passes_is_no_rate() {
        let (mut pace, mut now) = (Pace::new(0, REACH), 0);
        for _ in 0..20 {
            pace.hand_whole(now, 1_600);
            pace.look(now + 1, REACH, Some(InFlight::new(0)));
            now += 2_000;
        }
        assert!(pace.reach <= 3_200, "{}", pace.reach);
    }

    /// It is held back only until it has shown what it drains.
    #[test]
    fn d49_a_wide_link_is_not_held_back() {
        for round_trip in [1, 50, 300, 700] {
            let (mut link, mut pace) = (Link::new(1_000_000, round_trip), Pace::new(0, REACH));
            let (_, handed) = run(&mut link, &mut pace, 1_000, 10, 0..20_000);
            assert!(handed >= 1_900_000, "{round_trip} ms: {handed} B");
        }
    }

    /// A train goes into a tunnel, and comes out.
    #[test]
    fn d49_a_reach_follows_its_link() {
        let (mut link, mut pace) = (Link::new(1_000_000, 30), Pace::new(0, REACH));
        let _ = run(&mut link, &mut pace, 128, 2, 0..10_000);
        assert!(pace.reach > 10_000, "{}", pace.reach);
        link.rate = 3_000;
        let (longest, _) = run(&mut link, &mut pace, 128, 20, 10_000..30_000);
        assert!(longest < 500, "{longest} ms");
        link.rate = 1_000_000;
        let (_, handed) = run(&mut link, &mut pace, 128, 2, 30_000..40_000);
        assert!(handed > 9 * 64_000, "{handed} B");
    }

    #[test]
    fn d49_without_reach_nobody_is_held_back() {
        let mut pace = Pace::new(0, Duration::MAX);
        for now in 0..10_000 {
            assert!(pace.fits(1 << 20) && !pace.is_short() && !pace.wants_look(now));
            pace.hand_whole(now, 1 << 20);
            pace.took_rest(1, Duration::from_secs(1), Duration::MAX);
        }
    }

    #[test]
    fn d49_a_clock_may_begin_anew() {
        assert_eq!(passed(u32::MAX - 9, 10), 20);
    }
}
