//! What one connection got, and how long it took.

use crate::orders::{Seen, Times};
use crate::record::Record;
use hdrhistogram::Histogram;
use roomcast::Priority;

/// Of so many messages that are not High one is timed.
const SAMPLE: u32 = 64;
/// The longest time that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// What one connection got, checked against the numbers that the messages carry.
#[derive(Debug, Default)]
pub(super) struct Books {
    received: [u64; 4],
    /// The number that the next message of each level should carry.
    next: [u64; 4],
    told: u64,
    /// What of `told` has yet to be found missing somewhere.
    unplaced: u64,
    untold: u64,
}

impl Books {
    /// Puts a record down. A message answers its level and when it was offered.
    pub(super) fn take(&mut self, record: Record) -> Option<(usize, u64)> {
        match record {
            Record::Hello => None,
            Record::Gap { level, count } => {
                self.told += count;
                self.next[level] += count;
                None
            }
            Record::GapSomewhere { count } => {
                self.told += count;
                self.unplaced += count;
                None
            }
            Record::Message { level, sent, position } => {
                match position.checked_sub(self.next[level]) {
                    Some(missing) => {
                        let placed = missing.min(self.unplaced);
                        self.unplaced -= placed;
                        self.untold += missing - placed;
                        self.next[level] = position + 1;
                    }
                    // It came before, or another came too early.
                    None => self.untold += 1,
                }
                self.received[level] += 1;
                Some((level, sent))
            }
        }
    }

    /// Messages that it got or was told that it missed.
    pub(super) fn accounted(&self) -> u64 {
        self.received.iter().sum::<u64>() + self.told
    }

    pub(super) fn seen(&self, is_closed: bool) -> Seen {
        Seen {
            connections: 1,
            received: self.received,
            told: self.told,
            untold: self.untold,
            least: self.accounted(),
            most: self.accounted(),
            closed: is_closed.into(),
            ..Seen::default()
        }
    }
}

/// How long messages took from the offer until they were read.
pub(super) struct Latencies {
    high: Histogram<u64>,
    normal: Histogram<u64>,
    until_sample: u32,
}

impl Latencies {
    pub(super) fn new() -> Result<Self, String> {
        let empty = || Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| error.to_string());
        Ok(Self { high: empty()?, normal: empty()?, until_sample: 1 })
    }

    /// Times a message that has just been read: each High one, and some of the Normal ones.
    pub(super) fn time(&mut self, level: usize, nanos: u64) {
        if level == Priority::High.index() {
            self.high.saturating_record(nanos);
        } else if level == Priority::Normal.index() {
            self.until_sample -= 1;
            if self.until_sample == 0 {
                self.until_sample = SAMPLE;
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

    fn message(level: usize, position: u64) -> Record {
        Record::Message { level, sent: 0, position }
    }

    #[test]
    fn what_is_missing_has_to_be_told() {
        let mut books = Books::default();
        for record in [
            message(0, 0),
            message(1, 0),
            Record::Gap { level: 1, count: 2 },
            message(1, 3),
            message(0, 1),
        ] {
            books.take(record);
        }
        assert_eq!((books.accounted(), books.untold, books.told), (6, 0, 2));
        books.take(Record::GapSomewhere { count: 3 });
        books.take(message(1, 6));
        assert_eq!((books.accounted(), books.untold), (10, 0));
        books.take(message(0, 4));
        assert_eq!((books.accounted(), books.untold), (11, 1), "one of two was told");
        books.take(message(0, 4));
        assert_eq!(books.untold, 2, "it came twice");
    }

    /// One of many normal messages is timed.
    #[test]
    fn all_high_and_few_normal_messages_are_timed() {
        let mut latencies = Latencies::new().expect("bounds that can be");
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
