//! Things that happen at a rate which may change at any time: likes, gifts.

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Events at a rate, in exact integers: a change of rate neither loses nor repeats the part of an event that has
/// already come up.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    events: u64,
    period_ns: u64,
    /// Since when the rate holds.
    since_ns: u64,
    /// What had come up by then, in events times `period_ns`.
    credit: u128,
    /// What must come up for the next event, in the same unit, counted from the same origin as `credit`.
    due: u128,
}

impl Pulse {
    pub(super) fn per_second(events: u32, now_ns: u64) -> Self {
        Self::new(events, NS_PER_SECOND, now_ns)
    }

    pub(super) fn per_minute(events: u32, now_ns: u64) -> Self {
        Self::new(events, 60 * NS_PER_SECOND, now_ns)
    }

    fn new(events: u32, period_ns: u64, now_ns: u64) -> Self {
        Self {
            events: events.into(),
            period_ns,
            since_ns: now_ns,
            credit: 0,
            due: period_ns.into(),
        }
    }

    /// When the next event happens; `None` at rate 0.
    pub(super) fn next_at(&self) -> Option<u64> {
        let missing = self.due.saturating_sub(self.credit);
        let wait =
            missing.checked_add(u128::from(self.events).checked_sub(1)?)? / u128::from(self.events);
        self.since_ns.checked_add(u64::try_from(wait).ok()?)
    }

    /// Takes the event; the one after it comes `gap` thousandths of the mean distance later.
    pub(super) fn take(&mut self, gap: u64) {
        self.due += u128::from(self.period_ns) * u128::from(gap) / 1_000;
    }

    /// Goes on at another rate from `now_ns` on.
    pub(super) fn set_rate(&mut self, now_ns: u64, events: u32) {
        self.credit += u128::from(now_ns.saturating_sub(self.since_ns)) * u128::from(self.events);
        self.since_ns = self.since_ns.max(now_ns);
        self.events = events.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_until(pulse: &mut Pulse, end_ns: u64) -> u64 {
        let mut count = 0;
        while pulse.next_at().is_some_and(|at| at <= end_ns) {
            pulse.take(1_000);
            count += 1;
        }
        count
    }

    #[test]
    fn the_count_is_the_rate_times_the_time() {
        for rate in [1, 3, 7, 40, 99_999, 100_000] {
            let mut pulse = Pulse::per_second(rate, 5);
            assert_eq!(count_until(&mut pulse, 5 + 3 * NS_PER_SECOND), u64::from(rate) * 3);
        }
        assert_eq!(count_until(&mut Pulse::per_minute(6, 0), 60 * NS_PER_SECOND), 6);
    }

    #[test]
    fn nothing_happens_at_rate_0() {
        assert_eq!(Pulse::per_second(0, 0).next_at(), None);
    }

    /// However often that is done.
    #[test]
    fn setting_the_same_rate_again_changes_nothing() {
        let mut pulse = Pulse::per_second(1, 0);
        for now in (0..900_000_000).step_by(7).take(1_000) {
            pulse.set_rate(now, 1);
        }
        assert_eq!(pulse.next_at(), Some(NS_PER_SECOND));
    }

    #[test]
    fn a_new_rate_goes_on_from_the_part_gained() {
        let mut pulse = Pulse::per_second(1, 0);
        pulse.set_rate(500_000_000, 100);
        assert_eq!(pulse.next_at(), Some(505_000_000));
        pulse.set_rate(502_000_000, 0);
        assert_eq!(pulse.next_at(), None);
        pulse.set_rate(600_000_000, 100);
        assert_eq!(pulse.next_at(), Some(603_000_000));
    }
}
