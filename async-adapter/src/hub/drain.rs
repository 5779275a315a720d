//! The orderly end of a server: [clause B14](roomcast_core::rulebook#b14-drain).

use crate::drive::clock::Clock;
use crate::room::SharedRoom;
use crate::sync::Arc;
use roomcast_core::ledger::{Deliveries, DropReason, LevelLedger};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Actor, Instant, Payload};
use std::time::Duration;

/// How often a drain looks whether it is done.
const PAUSE: Duration = Duration::from_millis(5);

/// What became of everything while a hub was drained: the difference that the drain made to the
/// books of its rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Rooms that were drained.
    pub rooms: usize,
    /// Messages that still went out.
    pub dispatched: u64,
    /// Messages that expired while they waited.
    pub expired: u64,
    /// Messages that were dropped because their room closed at the deadline.
    pub dropped: u64,
    /// Deliveries that were still made.
    pub delivered: u64,
    /// Deliveries that nobody took before the deadline, or whose session went.
    pub abandoned: u64,
}

/// A drain on its way.
#[derive(Debug)]
pub(crate) struct Drain<M: Payload + Send + Sync + 'static> {
    rooms: Vec<Arc<SharedRoom<M>>>,
    before: Totals,
    deadline: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// What waits goes out.
    Emptying,
    /// The rooms are closed; sessions take what they are due, then the reason.
    Closing,
    /// The deadline has come; what is left is abandoned.
    Abandoning,
    Done,
}

impl<M: Payload + Send + Sync + 'static> Drain<M> {
    pub(crate) fn begin(
        rooms: Vec<Arc<SharedRoom<M>>>,
        clock: &dyn Clock,
        deadline: Duration,
    ) -> Self {
        for room in &rooms {
            room.stop();
        }
        let before = Totals::of(&rooms);
        Self { rooms, before, deadline: clock.now() + deadline, phase: Phase::Emptying }
    }

    /// Goes on as far as it can; returns how long to wait before the next step, `None` when all is
    /// done.
    pub(crate) fn step(&mut self, clock: &dyn Clock) -> Option<Duration> {
        let late = clock.now() >= self.deadline;
        if self.phase == Phase::Emptying && (late || self.all(|room| room.is_idle())) {
            for room in &self.rooms {
                // A room that was closed already is as it should be.
                let _ = room.close(Actor::Host);
            }
            self.phase = Phase::Closing;
        }
        if self.phase == Phase::Closing && late {
            for room in &self.rooms {
                room.end_grace();
            }
            self.phase = Phase::Abandoning;
        }
        if self.phase != Phase::Emptying && self.all(|room| room.is_ended()) {
            self.phase = Phase::Done;
        }
        (self.phase != Phase::Done).then_some(PAUSE)
    }

    pub(crate) fn report(&self) -> DrainReport {
        let (before, after) = (&self.before, Totals::of(&self.rooms));
        let dropped =
            |reason| after.messages.dropped.count(reason) - before.messages.dropped.count(reason);
        DrainReport {
            rooms: self.rooms.len(),
            dispatched: after.messages.dispatched - before.messages.dispatched,
            expired: dropped(DropReason::Expired),
            dropped: dropped(DropReason::RoomClosed),
            delivered: after.deliveries.delivered - before.deliveries.delivered,
            abandoned: after.deliveries.abandoned - before.deliveries.abandoned,
        }
    }

    fn all(&self, is_so: impl Fn(&Arc<SharedRoom<M>>) -> bool) -> bool {
        self.rooms.iter().all(is_so)
    }
}

#[derive(Debug)]
struct Totals {
    messages: LevelLedger,
    deliveries: Deliveries,
}

impl Totals {
    fn of<M: Payload + Send + Sync + 'static>(rooms: &[Arc<SharedRoom<M>>]) -> Self {
        let books: Vec<RoomSnapshot> = rooms.iter().map(SharedRoom::snapshot).collect();
        Self {
            messages: books.iter().map(|books| books.admission.ledger.total()).sum(),
            deliveries: books.iter().flat_map(|books| books.audience.deliveries.0).sum(),
        }
    }
}
