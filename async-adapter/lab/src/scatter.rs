//! Things that happen so often a second, at uneven distances.

use roomcast_replay::random::SplitMix64;

const SECOND_NS: u64 = 1_000_000_000;

/// The times of so many events in each second, each drawn evenly from its second: they come in
/// bunches, as people do.
#[derive(Debug, Clone)]
pub(crate) struct Scatter {
    per_second: u32,
    random: SplitMix64,
    /// The second that is drawn next.
    second: u64,
    /// The first second without events.
    end: u64,
    /// What is left of the second that was drawn, the next event last.
    drawn: Vec<u64>,
}

impl Scatter {
    /// Events in each of the first so many seconds.
    pub(crate) fn new(per_second: u32, seconds: u64, random: SplitMix64) -> Self {
        let mut scatter = Self { per_second, random, second: 0, end: seconds, drawn: Vec::new() };
        scatter.draw();
        scatter
    }

    /// When the next event happens, in nanoseconds.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.drawn.last().copied()
    }

    /// It happens.
    pub(crate) fn take(&mut self) {
        self.drawn.pop();
        if self.drawn.is_empty() {
            self.draw();
        }
    }

    fn draw(&mut self) {
        if self.second < self.end {
            let begins = self.second * SECOND_NS;
            self.drawn.extend((0..self.per_second).map(|_| begins + self.random.below(SECOND_NS)));
            self.drawn.sort_unstable_by(|a, b| b.cmp(a));
            self.second += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(per_second: u32, seconds: u64, seed: u64) -> Vec<u64> {
        let mut scatter = Scatter::new(per_second, seconds, SplitMix64::new(seed));
        std::iter::from_fn(|| {
            let at = scatter.next_at()?;
            scatter.take();
            Some(at)
        })
        .collect()
    }

    #[test]
    fn each_second_has_its_number_in_order_of_time() {
        let times = times(7, 3, 1);
        assert!(times.is_sorted());
        for second in 0..3 {
            assert_eq!(times.iter().filter(|&at| at / SECOND_NS == second).count(), 7, "{times:?}");
        }
        assert_eq!(times.len(), 21);
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(times(5, 2, 1), times(5, 2, 1));
        assert_ne!(times(5, 2, 1), times(5, 2, 2));
    }

    #[test]
    fn nothing_happens_at_rate_0_or_in_no_time() {
        assert!(times(0, 10, 1).is_empty());
        assert!(times(10, 0, 1).is_empty());
    }
}
