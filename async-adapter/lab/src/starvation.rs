//! How long nothing of a stream went out although it was offered.

/// The longest time in which messages were on offer and none was dispatched.
///
/// Such a time begins with an offer, or with a dispatch that leaves others waiting. It ends with
/// the next dispatch; if none follows, with the last offer, refusal or drop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Starvation {
    /// When the one that runs began.
    since: Option<u64>,
    /// When something was last offered or lost.
    last: u64,
    longest: u64,
    waiting: u64,
}

impl Starvation {
    /// Something is offered.
    pub(crate) fn offered(&mut self, now: u64) {
        self.since.get_or_insert(now);
        self.last = now;
    }

    /// It waits.
    pub(crate) fn waits(&mut self) {
        self.waiting += 1;
    }

    /// It waits no more; what becomes of it follows.
    pub(crate) fn waits_no_more(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// One goes out.
    pub(crate) fn dispatched(&mut self, now: u64) {
        if let Some(since) = self.since {
            self.longest = self.longest.max(now.saturating_sub(since));
        }
        self.since = (self.waiting > 0).then_some(now);
        self.last = now;
    }

    /// One is lost.
    pub(crate) fn lost(&mut self, now: u64) {
        self.last = now;
    }

    /// The longest so far, in the unit of `now`.
    pub(crate) fn longest(&self) -> u64 {
        let running = self.since.map_or(0, |since| self.last.saturating_sub(since));
        self.longest.max(running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_served_on_the_spot_never_starves() {
        let mut starvation = Starvation::default();
        for now in [5, 1_000, 90_000] {
            starvation.offered(now);
            starvation.dispatched(now);
        }
        assert_eq!(starvation.longest(), 0);
    }

    /// It begins with the first offer.
    #[test]
    fn it_lasts_from_an_offer_to_the_next_dispatch() {
        let mut starvation = Starvation::default();
        for now in [10, 30, 60] {
            starvation.offered(now);
            starvation.lost(now);
        }
        starvation.offered(75);
        starvation.dispatched(75);
        assert_eq!(starvation.longest(), 65);
    }

    #[test]
    fn what_still_waits_after_a_dispatch_starves_on() {
        let mut starvation = Starvation::default();
        for _ in 0..2 {
            starvation.offered(0);
            starvation.waits();
        }
        starvation.waits_no_more();
        starvation.dispatched(5);
        assert_eq!(starvation.longest(), 5);
        starvation.waits_no_more();
        starvation.dispatched(25);
        assert_eq!(starvation.longest(), 20);
        // Nothing was on offer in between.
        starvation.offered(100);
        starvation.dispatched(101);
        assert_eq!(starvation.longest(), 20);
    }

    #[test]
    fn with_no_dispatch_it_ends_with_the_last_loss() {
        let mut starvation = Starvation::default();
        starvation.offered(10);
        starvation.waits();
        assert_eq!(starvation.longest(), 0);
        starvation.waits_no_more();
        starvation.lost(17);
        assert_eq!(starvation.longest(), 7);
    }
}
