//! The orderly end of a server: [clause B14](roomcast_core::rulebook#b14-drain).

use crate::drive::clock::Clock;
use crate::room::SharedRoom;
use crate::sync::Arc;
use crate::trace;
use roomcast_core::ledger::{Deliveries, DropReason, LevelLedger};
use roomcast_core::room::RoomSnapshot;
use roomcast_core::{Actor, Instant, Payload};
use std::time::Duration;

/// How often a drain looks whether it is done.
const PAUSE: Duration = Duration::from_millis(5);

/// Rooms that one step looks at, so that a thread that drives other tasks, too, gets back to them.
const ROOMS_A_STEP: usize = 64;

/// How long, after the deadline, a drain waits for rooms to end whose sessions have no more grace.
/// Only where a hook blocks does it take as long.
const PATIENCE: Duration = Duration::from_millis(100);

/// What became of everything while a hub was drained: the difference that the drain made to the
/// books of its rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct DrainReport {
    /// Rooms that were drained.
    pub rooms: usize,
    /// Rooms among them that had not ended when the drain did, since somebody else was still
    /// telling the host of what became of them: its hook blocks. Else there are none.
    pub unended: usize,
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

/// A drain on its way. Each phase goes once over all rooms, some in a step; a room that a phase has
/// left behind stays as that phase left it.
#[derive(Debug)]
pub(crate) struct Drain<M: Payload + Send + Sync + 'static> {
    rooms: Vec<Arc<SharedRoom<M>>>,
    deadline: Instant,
    phase: Phase,
    /// The next room of the phase.
    at: usize,
    report: DrainReport,
    before: Totals,
    after: Totals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The rooms take nothing more.
    Stopping,
    /// What waits goes out.
    Emptying,
    /// The rooms are closed; sessions take what they are due, then the reason.
    Closing,
    /// Until everyone has gone.
    Ending,
    /// The deadline has come; what is left is abandoned.
    Abandoning,
    /// Until the last events are told, and no longer than that takes workers that are alive.
    Settling,
    /// The books are read.
    Counting,
}

impl<M: Payload + Send + Sync + 'static> Drain<M> {
    pub(crate) fn begin(
        rooms: Vec<Arc<SharedRoom<M>>>,
        clock: &dyn Clock,
        deadline: Duration,
    ) -> Self {
        trace::drain_begun(rooms.len());
        Self {
            report: DrainReport { rooms: rooms.len(), ..DrainReport::default() },
            rooms,
            deadline: clock.now() + deadline,
            phase: Phase::Stopping,
            at: 0,
            before: Totals::default(),
            after: Totals::default(),
        }
    }

    /// Goes on with some rooms; returns how long to wait before the next step, not at all where
    /// there are more rooms to look at, `None` when all is done.
    pub(crate) fn step(&mut self, clock: &dyn Clock) -> Option<Duration> {
        let now = clock.now();
        let is_late = now >= self.deadline;
        if is_late && self.phase == Phase::Ending {
            self.enter(Phase::Abandoning);
        }
        for _ in 0..ROOMS_A_STEP {
            let Some(room) = self.rooms.get(self.at) else {
                let Some(next) = self.next_phase() else {
                    trace::drain_ended(&self.report());
                    return None;
                };
                self.enter(next);
                return Some(Duration::ZERO);
            };
            match self.phase {
                Phase::Stopping => {
                    room.stop();
                    self.before.add(&room.snapshot());
                }
                Phase::Emptying if !is_late && !room.is_idle() => return Some(PAUSE),
                Phase::Closing => {
                    // A room that was closed already is as it should be.
                    let _ = room.close(Actor::Host);
                }
                Phase::Ending if !room.is_ended() => return Some(PAUSE),
                Phase::Abandoning => room.end_grace(),
                Phase::Settling if !room.is_ended() => {
                    if now < self.deadline + PATIENCE {
                        return Some(PAUSE);
                    }
                    self.report.unended += 1;
                }
                Phase::Counting => self.after.add(&room.snapshot()),
                Phase::Emptying | Phase::Ending | Phase::Settling => {}
            }
            self.at += 1;
        }
        Some(Duration::ZERO)
    }

    fn next_phase(&self) -> Option<Phase> {
        Some(match self.phase {
            Phase::Stopping => Phase::Emptying,
            Phase::Emptying => Phase::Closing,
            Phase::Closing => Phase::Ending,
            Phase::Ending | Phase::Settling => Phase::Counting,
            Phase::Abandoning => Phase::Settling,
            Phase::Counting => return None,
        })
    }

    fn enter(&mut self, phase: Phase) {
        (self.phase, self.at) = (phase, 0);
    }

    pub(crate) fn report(&self) -> DrainReport {
        let (before, after) = (&self.before, &self.after);
        let dropped =
            |reason| after.messages.dropped.count(reason) - before.messages.dropped.count(reason);
        DrainReport {
            dispatched: after.messages.dispatched - before.messages.dispatched,
            expired: dropped(DropReason::Expired),
            dropped: dropped(DropReason::RoomClosed),
            delivered: after.deliveries.delivered - before.deliveries.delivered,
            abandoned: after.deliveries.abandoned - before.deliveries.abandoned,
            ..self.report
        }
    }
}

#[derive(Debug, Default)]
struct Totals {
    messages: LevelLedger,
    deliveries: Deliveries,
}

impl Totals {
    fn add(&mut self, books: &RoomSnapshot) {
        let messages = books.admission.ledger.total();
        self.messages = self.messages + messages;
        self.deliveries =
            books.audience.deliveries.0.into_iter().fold(self.deliveries, |a, b| a + b);
    }
}
