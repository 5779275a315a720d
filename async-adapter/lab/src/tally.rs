//! What became of one stream in one room, counted from what the room told its publisher.

use std::fmt;

use hdrhistogram::Histogram;
use roomcast::error::{DropReason, RefusalReason};
use roomcast::stats::Reason;

use crate::starvation::Starvation;

/// The longest time that the percentiles tell apart, in microseconds: an hour.
const MOST_MICROS: u64 = 3_600_000_000;

/// The time that a share of messages did not exceed, in microseconds; `None` if there were none.
pub(crate) type Quantile = fn(&Tally, f64) -> Option<u64>;

/// Counters, one for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count<R: Reason>(R::Counters);

impl<R: Reason> Default for Count<R> {
    fn default() -> Self {
        Self(R::Counters::default())
    }
}

impl<R: Reason> Count<R> {
    /// One more.
    pub(crate) fn add(&mut self, reason: R) {
        self.0.as_mut()[reason.index()] += 1;
    }

    /// How many fell to `reason`.
    pub(crate) fn of(&self, reason: R) -> u64 {
        self.0.as_ref()[reason.index()]
    }

    /// How many in all.
    pub(crate) fn total(&self) -> u64 {
        self.0.as_ref().iter().sum()
    }

    /// The reasons that occurred, with their counts.
    pub(crate) fn occurred(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL.iter().map(|&reason| (reason, self.of(reason))).filter(|(_, count)| *count > 0)
    }
}

/// What became of the messages of one stream.
#[derive(Clone)]
pub(crate) struct Tally {
    /// Publish calls.
    pub(crate) offered: u64,
    /// Sent out by themselves, with whatever had been merged into them.
    pub(crate) dispatched: u64,
    /// Merged into another message.
    pub(crate) merged: u64,
    /// Of those, how many were in a message that went out.
    pub(crate) carried: u64,
    /// Of those, how many were in a message that was dropped.
    pub(crate) merged_and_lost: u64,
    /// Let in and never sent out.
    pub(crate) dropped: Count<DropReason>,
    /// Not let in.
    pub(crate) refused: Count<RefusalReason>,
    /// How old the dispatched ones were, in microseconds to three digits.
    pub(crate) ages: Histogram<u64>,
    /// How long after its offer each that was refused or dropped was told, likewise.
    pub(crate) told: Histogram<u64>,
    /// How long none went out.
    pub(crate) starvation: Starvation,
}

impl fmt::Debug for Tally {
    /// Without the thousands of buckets that times are counted in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally")
            .field("offered", &self.offered)
            .field("dispatched", &self.dispatched)
            .field("merged", &(self.merged, self.carried, self.merged_and_lost))
            .field("dropped", &self.dropped)
            .field("refused", &self.refused)
            .field("age_micros", &[0.5, 0.99, 1.0].map(|share| self.age_micros(share)))
            .field("told_micros", &[0.5, 0.99, 1.0].map(|share| self.told_micros(share)))
            .field("starvation", &self.starvation)
            .finish_non_exhaustive()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            offered: 0,
            dispatched: 0,
            merged: 0,
            carried: 0,
            merged_and_lost: 0,
            dropped: Count::default(),
            refused: Count::default(),
            ages: times(),
            told: times(),
            starvation: Starvation::default(),
        }
    }
}

fn times() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MOST_MICROS, 3).expect("the bounds and digits are valid")
}

/// What this share of the times did not exceed, rounded down to three digits; `None` of none.
fn quantile(times: &Histogram<u64>, share: f64) -> Option<u64> {
    // The histogram rounds up: an age of 5 s would be one of 5.001 s.
    (!times.is_empty()).then(|| times.lowest_equivalent(times.value_at_quantile(share)))
}

impl Tally {
    /// How many reached the room, by themselves or merged into another.
    pub(crate) fn through(&self) -> u64 {
        self.dispatched + self.carried
    }

    /// The age at dispatch that this share of the dispatched ones did not exceed, in microseconds,
    /// rounded down to three digits; `None` if none was dispatched.
    pub(crate) fn age_micros(&self, share: f64) -> Option<u64> {
        quantile(&self.ages, share)
    }

    /// The time from offer to refusal or drop that this share of those that were shed did not
    /// exceed, likewise; `None` if none was shed.
    pub(crate) fn told_micros(&self, share: f64) -> Option<u64> {
        quantile(&self.told, share)
    }

    /// One is offered.
    pub(crate) fn offer(&mut self, now: u64) {
        self.offered += 1;
        self.starvation.offered(now);
    }

    /// One goes out, with as many others as were merged into it, so many nanoseconds after its
    /// offer.
    pub(crate) fn dispatch(&mut self, now: u64, age: u64, carried: u64) {
        self.dispatched += 1;
        self.carried += carried;
        self.ages.saturating_record(age / 1_000);
        self.starvation.dispatched(now);
    }

    /// One is dropped, with as many others as were merged into it, so many nanoseconds after its
    /// offer.
    pub(crate) fn lose(&mut self, now: u64, age: u64, reason: DropReason, carried: u64) {
        self.dropped.add(reason);
        self.told.saturating_record(age / 1_000);
        self.merged_and_lost += carried;
        self.starvation.lost(now);
    }

    /// One is not let in, and its sender knows at once.
    pub(crate) fn refuse(&mut self, now: u64, reason: RefusalReason) {
        self.refused.add(reason);
        self.told.saturating_record(0);
        self.starvation.lost(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merged_gets_through_with_its_carrier() {
        let mut tally = Tally::default();
        (0..5).for_each(|now| tally.offer(now));
        tally.merged = 3;
        tally.dispatch(1_000_000, 1_000_000, 2);
        tally.lose(2_000_000, 2_000_000, DropReason::Expired, 1);
        assert_eq!((tally.through(), tally.carried, tally.merged_and_lost), (3, 2, 1));
        assert_eq!((tally.age_micros(0.5), tally.told_micros(0.5)), (Some(1_000), Some(2_000)));
        assert_eq!(tally.dropped.occurred().collect::<Vec<_>>(), [(DropReason::Expired, 1)]);
    }

    #[test]
    fn nothing_is_old_where_nothing_went_out() {
        let mut tally = Tally::default();
        assert_eq!((tally.age_micros(0.99), tally.told_micros(0.99)), (None, None));
        tally.refuse(7_000_000, RefusalReason::Congested);
        assert_eq!((tally.age_micros(0.99), tally.told_micros(0.99)), (None, Some(0)));
    }
}
