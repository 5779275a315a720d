//! What one connection got, and whether it was told what it did not.

use crate::record::Record;

/// What one connection got, checked against the numbers that the messages carry.
#[derive(Debug, Default)]
pub struct Books {
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
    pub fn take(&mut self, record: Record) -> Option<(usize, u64)> {
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
    pub fn accounted(&self) -> u64 {
        self.received.iter().sum::<u64>() + self.told
    }

    /// Messages that it got, by level.
    pub fn received(&self) -> [u64; 4] {
        self.received
    }

    /// Messages that it was told that it missed.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// Messages that are missing and nobody said so, or that came twice.
    pub fn untold(&self) -> u64 {
        self.untold
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
}
