//! Aligned windows, the way some services count:
//! [decision D14](crate::design#d14-two-kinds-of-quota).

use super::{LimitLeft, Rate};
use crate::time::Instant;

/// At most [`Rate::count`] in each window of [`Rate::period`], windows beginning at whole multiples
/// of the period.
///
/// Unlike a bucket it lets twice its count through around the border of two windows: that is how
/// the services count whose presets use it. Time that runs backwards counts as standing still.
/// Every call is O(1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    rate: Rate,
    /// The number of the window that `used` belongs to.
    number: u64,
    used: u32,
    last: Instant,
}

impl Window {
    /// Nothing has passed yet.
    pub(crate) const fn new(rate: Rate) -> Self {
        Self { rate, number: 0, used: 0, last: Instant::ZERO }
    }

    /// Nothing passes before the next window after `now`.
    pub(crate) fn used_up(now: Instant, rate: Rate) -> Self {
        let mut window = Self { rate, number: 0, used: u32::MAX, last: now };
        window.number = window.number_at(now);
        window
    }

    /// Goes on at another rate: of the same period, what has passed in the window of `now` counts;
    /// else that one is used up.
    pub(crate) fn change(&mut self, now: Instant, rate: Rate) {
        if rate.period_nanos == self.rate.period_nanos {
            self.rate = rate;
        } else {
            *self = Self::used_up(self.last.max(now), rate);
        }
    }

    /// What is left.
    pub(crate) fn left(&self) -> LimitLeft {
        let is_current = self.number_at(self.last) == self.number;
        LimitLeft::Passed { count: if is_current { self.used } else { 0 }, at: self.last }
    }

    /// Goes on at `now` where another one stopped: so many have passed in the window of that
    /// instant, and none in a later one. One in a window to come counts as of this one.
    pub(crate) fn go_on(&mut self, now: Instant, used: u32, at: Instant) {
        *self = Self { rate: self.rate, number: 0, used, last: at.min(now) };
        self.number = self.number_at(at.min(now));
    }

    /// Nothing more passes in the window of `now`.
    pub(crate) fn use_up(&mut self, now: Instant) {
        *self = Self::used_up(now, self.rate);
    }

    /// How many may still pass in the window of `now`.
    pub(crate) fn available(&self, now: Instant) -> u32 {
        let used = if self.number_at(now) == self.number { self.used } else { 0 };
        // Fewer than were used when the count has been lowered.
        self.rate.count().get().saturating_sub(used)
    }

    /// Lets one pass if at least `keep` are left afterwards.
    pub(crate) fn take_keeping(&mut self, now: Instant, keep: u32) -> bool {
        let granted = self.available(now) > keep;
        if granted {
            let number = self.number_at(now);
            self.used = if number == self.number { self.used + 1 } else { 1 };
            self.number = number;
        }
        self.last = self.last.max(now);
        granted
    }

    /// The first instant, not before `now`, at which [`take_keeping`](Self::take_keeping) would
    /// grant; `None` when it never would.
    pub(crate) fn next_at(&self, now: Instant, keep: u32) -> Option<Instant> {
        if keep >= self.rate.count().get() {
            return None;
        }
        if self.available(now) > keep {
            return Some(self.last.max(now));
        }
        self.number.checked_add(1)?.checked_mul(self.period()).map(Instant::from_nanos)
    }

    /// How many could pass from `now` up to and with `last`, if at least `keep` could still pass
    /// after each.
    pub(crate) fn passing(&self, now: Instant, last: Instant, keep: u32) -> u32 {
        let now = self.last.max(now);
        let each = u64::from(self.rate.count().get().saturating_sub(keep));
        let windows = (last.max(now).as_nanos() / self.period()) - self.number_at(now);
        let later = u32::try_from(windows.saturating_mul(each)).unwrap_or(u32::MAX);
        self.available(now).saturating_sub(keep).saturating_add(later)
    }

    /// The first instant, not before `now`, by which so many could have passed; `None` when that is
    /// never.
    pub(crate) fn passed_at(&self, now: Instant, keep: u32, count: u32) -> Option<Instant> {
        let each = u64::from(self.rate.count().get().checked_sub(keep).filter(|&each| each > 0)?);
        let now = self.last.max(now);
        let missing = count.saturating_sub(self.available(now).saturating_sub(keep));
        if missing == 0 {
            return Some(now);
        }
        let number = self.number_at(now).checked_add(u64::from(missing).div_ceil(each))?;
        number.checked_mul(self.period()).map(Instant::from_nanos)
    }

    fn number_at(&self, now: Instant) -> u64 {
        self.last.max(now).as_nanos() / self.period()
    }

    fn period(&self) -> u64 {
        self.rate.period_nanos.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::num::NonZeroU32;
    use core::time::Duration;

    #[test]
    fn so_many_in_each_aligned_window() {
        let three = NonZeroU32::new(3).unwrap();
        let mut window = Window::new(Rate::new(three, Duration::from_millis(200)).unwrap());
        let at = Instant::from_millis;
        assert!((0..3).all(|_| window.take_keeping(at(350), 0)));
        assert!(!window.take_keeping(at(399), 0));
        // A clock that runs back stands still.
        assert_eq!((window.next_at(at(100), 0), window.available(at(100))), (Some(at(400)), 0));
        assert!(window.take_keeping(at(400), 2), "three are there, two stay");
        assert!(!window.take_keeping(at(400), 2));
        assert_eq!((window.next_at(at(400), 2), window.next_at(at(400), 3)), (Some(at(600)), None));
        assert_eq!(window.next_at(at(450), 1), Some(at(450)));
    }

    #[test]
    fn the_last_window_there_is_has_no_successor() {
        let mut window = Window::new(Rate::new(NonZeroU32::MIN, Duration::MAX).unwrap());
        assert!(window.take_keeping(Instant::MAX, 0));
        assert_eq!(window.next_at(Instant::MAX, 0), None);
    }
}
