//! In place of `counted`, without the feature `metrics`: nothing is counted.

#![allow(clippy::unused_self)]

use crate::stats::RoomStats;
use roomcast_core::memory::MemoryUse;

pub(super) struct Counted;

impl Counted {
    pub(super) fn new(_: Option<&str>) -> Self {
        Self
    }

    pub(super) fn begin(&mut self) {}

    pub(super) fn add_one_room(&mut self) {}

    pub(super) fn add_room(&mut self, _: &RoomStats) {}

    pub(super) fn add_gone(&mut self, _: &RoomStats) {}

    pub(super) fn add_memory(&mut self, _: &MemoryUse) {}

    pub(super) fn add_hub(&mut self, _: usize, _: u64, _: u64) {}

    pub(super) fn add_sheds(&mut self, _: usize, _: u64) {}

    pub(super) fn tell(&mut self) {}
}
