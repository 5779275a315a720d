//! How long messages took.

use crate::orders::Times;
use hdrhistogram::Histogram;
use roomcast::Priority;

/// The longest time that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// How long messages took from the offer until they were read.
pub(super) struct Latencies {
    high: Histogram<u64>,
    normal: Histogram<u64>,
    until_sample: u32,
    sample: u32,
}

impl Latencies {
    /// Of messages that are not High, one in so many is timed.
    pub(super) fn one_in(sample: u32) -> Result<Self, String> {
        let empty = || Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| error.to_string());
        Ok(Self { high: empty()?, normal: empty()?, until_sample: 1, sample })
    }

    /// Times a message that has just been read: each High one, and some or all of the Normal ones.
    pub(super) fn time(&mut self, level: usize, nanos: u64) {
        if level == Priority::High.index() {
            self.high.saturating_record(nanos);
        } else if level == Priority::Normal.index() {
            self.until_sample -= 1;
            if self.until_sample == 0 {
                self.until_sample = self.sample;
                self.normal.saturating_record(nanos);
            }
        }
    }

    pub(super) fn times(&self) -> (Times, Times) {
        let times = |all: &Histogram<u64>| {
            all.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect()
        };
        (times(&self.high), times(&self.normal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of many normal messages is timed.
    #[test]
    fn all_high_and_few_normal_messages_are_timed() {
        let mut latencies = Latencies::one_in(64).expect("bounds that can be");
        for nanos in 0..128 {
            for level in 0..4 {
                latencies.time(level, 1_000 + nanos);
            }
        }
        let (high, normal) = latencies.times();
        let count = |times: Times| times.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!((count(high), count(normal)), (128, 2));
    }
}
