//! How far the clocks of other nodes are from this one's, as far as what they send tells.

use core::cmp::Ordering;
use roomcast_core::Instant;
use roomcast_core::time::Duration;
use std::collections::BTreeMap;

/// The most by which two clocks are taken to drift apart: one hundredth. Those of machines that keep
/// time drift by less than 0.0001, and are slewed by no more than 0.0005 (Linux, `adjtimex(2)`).
const DRIFT: i128 = 100;

/// Of how many nodes it is known: whoever names more has made them up.
const MAX_NODES: usize = 1_024;

/// How long a node of which nothing is heard is remembered: what it wrote last may be read late.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The clocks of other nodes, by the incarnation of the node.
///
/// What a node sends says when it was sent, by its clock; so what is the quickest of all that came says
/// how far the two clocks are apart, and the least time on the way beside. That may grow by what clocks
/// drift and no faster: what comes late, after a pause of this node for one, makes no difference.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    lags: BTreeMap<u64, Lag>,
}

/// How much later a node's instants are here, in nanoseconds; negative: its clock is ahead.
#[derive(Clone, Copy, Debug)]
struct Lag {
    nanos: i128,
    /// When that was so.
    at: Instant,
    /// The node was gone since: when it is heard to live again, its clock may have stood still.
    is_over: bool,
}

impl Lag {
    fn by(self, now: Instant) -> i128 {
        let elapsed = now.saturating_since(self.at).as_nanos();
        self.nanos + i128::try_from(elapsed).unwrap_or(i128::MAX) / DRIFT
    }
}

impl Clocks {
    /// Something that a node sent at `sent_at`, by its clock, is here at `now`.
    pub(super) fn heard(&mut self, node: u64, sent_at: Instant, now: Instant) {
        let nanos = i128::from(now.as_nanos()) - i128::from(sent_at.as_nanos());
        if !self.lags.contains_key(&node) {
            self.lags.retain(|_, lag| now.saturating_since(lag.at) < REMEMBERED);
        }
        if self.lags.len() >= MAX_NODES && !self.lags.contains_key(&node) {
            return;
        }
        let new = Lag { nanos, at: now, is_over: false };
        let lag = self.lags.entry(node).or_insert(new);
        *lag = Lag { nanos: nanos.min(lag.by(now)), at: now, ..*lag };
    }

    /// The node's lease was renewed, at `sent_at` by its clock: it lives.
    pub(super) fn lives(&mut self, node: u64, sent_at: Instant, now: Instant) {
        if self.lags.get(&node).is_some_and(|lag| lag.is_over) {
            self.lags.remove(&node);
        }
        self.heard(node, sent_at, now);
    }

    /// The node's lease is no more.
    pub(super) fn gone(&mut self, node: u64) {
        if let Some(lag) = self.lags.get_mut(&node) {
            lag.is_over = true;
        }
    }

    /// An instant of a node's clock, by this one's: never earlier than it was, and at the most by the
    /// least time on the way later; not later than `now`. `None`: nothing was heard of that node.
    pub(super) fn here(&self, node: u64, at: Instant, now: Instant) -> Option<Instant> {
        let nanos = i128::from(at.as_nanos()) + self.lags.get(&node)?.by(now);
        Some(Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)).min(now))
    }

    /// How far a node's clock is from this one's.
    pub(super) fn offset(&self, node: u64, now: Instant) -> Option<ClockOffset> {
        self.lags.get(&node).map(|lag| ClockOffset::from_lag(lag.by(now)))
    }
}

/// How far the clock of another node is from the one here, and the least time that something was on the
/// way beside: so one that is in step with this seems behind by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockOffset {
    /// It is behind.
    Behind(Duration),
    /// It is ahead.
    Ahead(Duration),
}

impl ClockOffset {
    fn from_lag(nanos: i128) -> Self {
        let time = Duration::from_nanos(u64::try_from(nanos.unsigned_abs()).unwrap_or(u64::MAX));
        match nanos.cmp(&0) {
            Ordering::Less => Self::Ahead(time),
            _ => Self::Behind(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: u64 = 7;

    fn millis(at: u64) -> Instant {
        Instant::from_nanos(at * 1_000_000)
    }

    fn here(clocks: &Clocks, at: u64, now: u64) -> u64 {
        clocks.here(NODE, millis(at), millis(now)).expect("it was heard").as_nanos() / 1_000_000
    }

    #[test]
    fn the_quickest_counts() {
        let mut clocks = Clocks::default();
        assert_eq!(clocks.here(NODE, millis(5), millis(5)), None);
        // Its clock is 5 s behind, and what it sends is on the way for 200, 30, and 400 ms.
        clocks.heard(NODE, millis(1_000), millis(6_200));
        assert_eq!(here(&clocks, 1_000, 6_200), 6_200);
        clocks.heard(NODE, millis(1_300), millis(6_330));
        assert_eq!(
            clocks.offset(NODE, millis(6_330)),
            Some(ClockOffset::Behind(Duration::from_millis(5_030)))
        );
        clocks.heard(NODE, millis(1_301), millis(6_701));
        assert_eq!(here(&clocks, 1_301, 6_701), 6_301 + 30 + 3, "and a hundredth of 371 ms");
    }

    #[test]
    fn a_clock_that_is_ahead_says_nothing_that_is_not_yet() {
        let mut clocks = Clocks::default();
        clocks.heard(NODE, millis(9_000), millis(4_010));
        assert_eq!(here(&clocks, 9_000, 4_010), 4_010);
        assert_eq!(here(&clocks, 8_500, 4_010), 3_510);
        assert_eq!(here(&clocks, 9_000, 4_000), 4_000, "not later than now");
        assert_eq!(
            clocks.offset(NODE, millis(4_010)),
            Some(ClockOffset::Ahead(Duration::from_millis(4_990)))
        );
    }

    #[test]
    fn what_waited_for_a_node_that_stood_still_is_as_old_as_it_is() {
        let mut clocks = Clocks::default();
        clocks.heard(NODE, millis(1_000), millis(1_010));
        // For half a minute nothing is read here; then all of it at once.
        for sent in (2_000..=30_000).step_by(1_000) {
            clocks.heard(NODE, millis(sent), millis(31_010));
        }
        assert_eq!(here(&clocks, 2_000, 31_010), 2_310, "and a hundredth of the time");
    }

    #[test]
    fn a_node_that_comes_back_may_have_another_clock() {
        let mut clocks = Clocks::default();
        clocks.heard(NODE, millis(1_000), millis(1_010));
        clocks.gone(NODE);
        assert_eq!(here(&clocks, 1_000, 5_000), 1_049, "what it wrote before is read late");
        clocks.heard(NODE, millis(1_001), millis(6_000));
        assert_eq!(here(&clocks, 1_001, 6_000), 1_060, "and so is this");
        clocks.lives(NODE, millis(1_005), millis(61_020));
        assert_eq!(here(&clocks, 1_005, 61_020), 61_020);
    }

    #[test]
    fn those_of_long_ago_are_forgotten() {
        let mut clocks = Clocks::default();
        for node in 1..=9 {
            clocks.heard(node, millis(1_000), millis(1_010));
        }
        clocks.heard(10, millis(700_000), millis(700_000));
        assert_eq!(clocks.lags.len(), 1);
        (0..5_000).for_each(|node| clocks.heard(node, millis(700_000), millis(700_001)));
        assert_eq!(clocks.lags.len(), MAX_NODES, "and of those who are made up, few are known");
    }
}
