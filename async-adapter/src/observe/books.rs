//! Sums over rooms: one number for each series of each metric.

use super::table::{Id, LABELS, Labels, METRICS, MetricKind};
use crate::stats::RoomStats;
use roomcast_core::ledger::{Reason, Tally};
use roomcast_core::{GapCause, Priority};

/// One number for each series, in the order of the list.
#[derive(Clone, Debug)]
pub(super) struct Books {
    values: Vec<Vec<u64>>,
}

impl Default for Books {
    fn default() -> Self {
        let series = |labels: Labels| match labels {
            Labels::None => 1,
            labels => Priority::NUM * labels.a_level(),
        };
        Self { values: LABELS.map(|labels| vec![0; series(labels)]).into() }
    }
}

impl Books {
    /// The numbers of one metric after the other.
    pub(super) fn values(&self) -> &[Vec<u64>] {
        &self.values
    }

    pub(super) fn add(&mut self, id: Id, count: u64) {
        self.values[id as usize][0] += count;
    }

    fn add_at(&mut self, id: Id, level: Priority, count: u64) {
        self.values[id as usize][level.index()] += count;
    }

    fn tally<R: Reason>(&mut self, id: Id, level: Priority, tally: &Tally<R>) {
        let first = level.index() * R::ALL.len();
        for (reason, count) in tally.iter() {
            self.values[id as usize][first + reason.index()] += count;
        }
    }

    /// Adds what the books of a room say.
    pub(super) fn add_room(&mut self, stats: &RoomStats) {
        let (admission, audience) = (&stats.room.admission, &stats.room.audience);
        for level in Priority::ALL {
            let row = &admission.ledger.levels[level];
            self.tally(Id::Refused, level, &row.refused);
            self.tally(Id::Dropped, level, &row.dropped);
            let (deliveries, directs) = (&audience.deliveries[level], &audience.directs[level]);
            for (id, count) in [
                (Id::Submitted, row.submitted),
                (Id::FromEdges, row.from_edges),
                (Id::Merged, row.merged),
                (Id::Dispatched, row.dispatched),
                (Id::Queued, row.queued),
                (Id::UnderReview, row.under_review),
                (Id::Due, deliveries.due),
                (Id::Delivered, deliveries.delivered),
                (Id::Excluded, deliveries.excluded),
                (Id::Abandoned, deliveries.abandoned),
                (Id::Pending, deliveries.pending),
                (Id::DirectsSent, directs.sent),
                (Id::DirectsRefused, directs.refused),
                (Id::DirectsDelivered, directs.delivered),
                (Id::DirectsAbandoned, directs.abandoned),
                (Id::DirectsPending, directs.pending),
            ] {
                self.add_at(id, level, count);
            }
            let skips = audience.skips[level];
            let first = level.index() * GapCause::ALL.len();
            for (at, cause) in GapCause::ALL.into_iter().enumerate() {
                self.values[Id::Skipped as usize][first + at] += skips.of(cause);
            }
        }
        let missed = admission.audit.map_or(0, |audit| audit.missed.total().accounted());
        self.add(Id::AuditMissed, missed);
        self.add(Id::Unsent, stats.unsent);
        self.add(Id::Sessions, audience.sessions.into());
        self.add(Id::UsersOnline, admission.online.into());
        self.add(Id::HeldBytes, stats.room.bytes().total());
    }

    /// Adds what was counted by others; what is so now is theirs.
    pub(super) fn add_counters(&mut self, others: &Self) {
        let rows = self.values.iter_mut().zip(&others.values).zip(METRICS);
        for ((row, theirs), _) in rows.filter(|(_, metric)| metric.kind == MetricKind::Counter) {
            row.iter_mut().zip(theirs).for_each(|(count, theirs)| *count += theirs);
        }
    }
}
