//! How large a batch a sink gets: what it takes in a short time.
//! [Decision D49](roomcast_core::design#d49-no-more-in-flight-than-drains-in-a-short-time).

use roomcast_core::Budget;
use std::time::Duration;

/// The first batch of a session.
const START: Budget = Budget { messages: 16, bytes: 2 << 10 };

/// What the next batch of one sink may hold. It follows the time that the sink took for the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinkPace {
    /// What no batch exceeds.
    most: Budget,
    next: Budget,
    reach: Duration,
}

impl SinkPace {
    pub(crate) fn new(most: Budget, reach: Duration) -> Self {
        let next = if reach == Duration::MAX { most } else { least(START, most) };
        Self { most, next, reach }
    }

    pub(crate) fn budget(&self) -> Budget {
        self.next
    }

    /// The sink has taken a batch of so many messages, which was cut by the budget if there is
    /// `more`, in so much time.
    pub(crate) fn took(&mut self, messages: u64, more: bool, time: Duration) {
        if time > self.reach {
            // Less than it is a part of.
            let part = |of: u64| u128::from(of) * self.reach.as_nanos() / time.as_nanos();
            let messages = u32::try_from(part(messages)).unwrap_or(u32::MAX);
            let bytes = u64::try_from(part(self.next.bytes)).unwrap_or(u64::MAX);
            self.next = Budget { messages: messages.max(1), bytes: bytes.max(1) };
        } else if more && time <= self.reach / 2 {
            let Budget { messages, bytes } = self.next;
            let twice =
                Budget { messages: messages.saturating_mul(2), bytes: bytes.saturating_mul(2) };
            self.next = least(twice, self.most);
        }
    }
}

fn least(one: Budget, other: Budget) -> Budget {
    Budget { messages: one.messages.min(other.messages), bytes: one.bytes.min(other.bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REACH: Duration = Duration::from_millis(250);

    /// The budget that a sink comes to that takes so long for a message, with more to take always.
    fn settled(most: Budget, each: Duration) -> Budget {
        let mut pace = SinkPace::new(most, REACH);
        for _ in 0..50 {
            let messages = pace.budget().messages;
            pace.took(messages.into(), true, each * messages);
        }
        pace.budget()
    }

    #[test]
    fn d49_a_batch_is_what_a_sink_takes_in_reach() {
        let slow = settled(Budget::default(), Duration::from_millis(4));
        assert!((31..=62).contains(&slow.messages), "{slow:?}");
        assert_eq!(settled(Budget::default(), Duration::from_secs(1)).messages, 1);
        assert_eq!(settled(Budget::default(), Duration::from_micros(10)), Budget::default());
    }

    /// The host's own budget holds, and one that is not asked for bounds nothing.
    #[test]
    fn d49_the_hosts_budget_holds() {
        let most = Budget { messages: 3, bytes: 100 };
        assert_eq!(settled(most, Duration::ZERO), most);
        assert_eq!(SinkPace::new(most, Duration::MAX).budget(), most);
    }
}
