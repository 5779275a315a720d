//! What looks have counted, for the recorder.

use super::books::Books;
use super::recorder::Recorder;
use super::table::Id;
use crate::stats::RoomStats;
use roomcast_core::memory::MemoryUse;

/// The sums over all rooms, and what the recorder knows of them.
pub(super) struct Counted {
    /// By the look under way, of the rooms that are there.
    now: Books,
    /// Of the rooms that are there no more.
    gone: Books,
    recorder: Recorder,
}

impl Counted {
    pub(super) fn new(hub: Option<&str>) -> Self {
        Self { now: Books::default(), gone: Books::default(), recorder: Recorder::new(hub) }
    }

    /// A look begins.
    pub(super) fn begin(&mut self) {
        self.now = Books::default();
    }

    pub(super) fn add_one_room(&mut self) {
        self.now.add(Id::Rooms, 1);
    }

    pub(super) fn add_room(&mut self, stats: &RoomStats) {
        self.now.add_room(stats);
    }

    /// Adds a room that no later look will find.
    pub(super) fn add_gone(&mut self, stats: &RoomStats) {
        let mut last = Books::default();
        last.add_room(stats);
        self.gone.add_counters(&last);
    }

    pub(super) fn add_memory(&mut self, uses: &MemoryUse) {
        self.now.add(Id::MemoryLimit, uses.limit);
        self.now.add(Id::TrimmedMessages, uses.trimmed_messages);
        self.now.add(Id::TrimmedBytes, uses.trimmed_bytes);
    }

    pub(super) fn add_hub(&mut self, rooms_opened: usize, panics: u64, clock_steps_cut: u64) {
        self.now.add(Id::RoomsOpened, rooms_opened as u64);
        self.now.add(Id::Panics, panics);
        self.now.add(Id::ClockStepsCut, clock_steps_cut);
    }

    pub(super) fn add_sheds(&mut self, rooms: usize, started: u64) {
        self.now.add(Id::RoomsShedding, rooms as u64);
        self.now.add(Id::SheddingStarted, started);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn add_pumps(&mut self, stats: &crate::stats::PumpStats) {
        for (id, count) in [
            (Id::PumpConnections, stats.connections),
            (Id::PumpBlocked, stats.blocked),
            (Id::PumpHeldBack, stats.held_back),
            (Id::PumpWrites, stats.writes),
            (Id::PumpBytes, stats.bytes),
            (Id::PumpMessages, stats.messages),
            (Id::PumpEncoded, stats.encoded),
            (Id::PumpFramed, stats.framed),
            (Id::PumpStalled, stats.stalled),
            (Id::PumpHighLost, stats.high_lost),
            (Id::PumpControlsDropped, stats.controls_dropped),
            (Id::PumpControlsReplaced, stats.controls_replaced),
            (Id::PumpPanics, stats.panics),
        ] {
            self.now.add(id, count);
        }
    }

    /// Tells the recorder.
    pub(super) fn tell(&mut self) {
        self.now.add_counters(&self.gone);
        self.recorder.tell(&self.now);
    }
}
