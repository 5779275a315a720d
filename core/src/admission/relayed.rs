//! What comes from an edge: [clause B17](crate::rulebook#b17-admission-at-an-edge).

use super::Admission;
use super::queued::{Lane, Queued};
use crate::ledger::DropReason;
use crate::message::{Outcome, Payload, Publish, Receipt, Refused};
use crate::priority::Priority;
use crate::time::{Instant, saturating_nanos};
use crate::work::WorkLimit;

impl<M: Payload> Admission<M> {
    /// Offers a message that an edge has let in.
    #[cold]
    #[inline(never)]
    pub(super) fn publish_relayed(
        &mut self,
        now: Instant,
        publish: Publish<M>,
    ) -> Result<Receipt, Refused<M>> {
        let answer = self.offer::<true, true>(now, publish);
        self.moderation.offer_content(None);
        answer
    }

    /// Whether a message of a level that is so many nanoseconds old may go out no more.
    pub(super) fn is_too_late(&self, level: Priority, age: u64) -> bool {
        let within = self.settings.queue.fresh_within[level].map(saturating_nanos);
        within.is_some_and(|within| age > 0 && age >= within)
    }

    /// A message that was let in at an edge comes too late. Nobody is told that it was refused, so
    /// it is dropped.
    pub(super) fn drop_too_late(
        &mut self,
        now: Instant,
        lane: Lane,
        waiting: Queued<M>,
        work: &mut WorkLimit,
    ) -> Receipt {
        let (id, units, level) = (waiting.id, waiting.units(), lane.level);
        self.accounts.leave_profile(level, waiting.profile.as_ref());
        self.do_due(now, work);
        let (reason, limit) = (DropReason::Expired, self.fresh_within(level));
        let remains = self.remains(lane, waiting);
        self.accounts.drop(now, (level, units), (reason, limit), remains);
        let outcome = Outcome::Dropped { reason, limit, retry_at: None };
        Receipt { id, outcome: Some(outcome), review: None }
    }
}
