//! Events for the host's log, all of them in one place: what each says is listed in the docs of
//! `observe`. Without the feature `tracing` none is told.

// Without the feature nobody looks at what these are given.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::match_same_arms))]
// Some are told by parts of the crate that features leave out.
#![allow(dead_code)]

#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::observe::{Shed, Shedded};
use roomcast_core::{RoomId, SessionId};
use std::any::Any;

#[cfg(feature = "tracing")]
macro_rules! tell {
    ($level:ident, $($event:tt)*) => {
        tracing::event!(target: "roomcast", tracing::Level::$level, $($event)*)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! tell {
    ($($event:tt)*) => {{}};
}

/// Whether one more of what may come in floods is told: the 1st, 2nd, 4th, 8th …
fn is_told(count: u64) -> bool {
    count.is_power_of_two()
}

pub(crate) fn room_opened(room: RoomId) {
    tell!(DEBUG, room = room.0, "a room is opened");
}

pub(crate) fn room_ended(room: RoomId) {
    tell!(DEBUG, room = room.0, "a room has ended");
}

/// Code of the host's has panicked, and with it so often.
#[cold]
pub(crate) fn panic_caught(panics: u64, payload: &(dyn Any + Send)) {
    if is_told(panics) {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        tell!(ERROR, panics, text = text.unwrap_or("not text"), "code of the host's has panicked");
    }
}

#[cold]
pub(crate) fn visit_panicked(room: RoomId) {
    tell!(ERROR, room = room.0, "a visit to a room has panicked; it is looked after again in 1 s");
}

#[cold]
pub(crate) fn worker_ended(rooms: usize) {
    tell!(ERROR, rooms, "a worker has ended with its runtime or thread; its rooms close");
}

/// The clock was so far ahead, beyond what is believed, and with it so often.
#[cold]
pub(crate) fn clock_step_cut(steps_cut: u64, ahead: std::time::Duration) {
    if is_told(steps_cut) {
        let ahead_ms = ahead.as_millis() as u64;
        tell!(WARN, steps_cut, ahead_ms, "the clock was too far ahead");
    }
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) fn shedding_started(room: RoomId, shed: &Shed) {
    tell!(
        WARN,
        room = room.0,
        refused = shed.refused(),
        dropped = shed.dropped(),
        mostly = shed.mostly(),
        "a room sheds messages"
    );
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) fn shedding_stopped(room: RoomId, shedded: &Shedded) {
    tell!(
        INFO,
        room = room.0,
        refused = shedded.shed.refused(),
        dropped = shedded.shed.dropped(),
        mostly = shedded.shed.mostly(),
        lasted_ms = shedded.lasted.as_millis() as u64,
        "a room sheds no more"
    );
}

/// What all rooms hold has come to another side of a bound.
pub(crate) fn memory_changed(uses: &roomcast_core::memory::MemoryUse) {
    use roomcast_core::Memory;

    let (held, kept, limit) = (uses.held, uses.kept, uses.limit);
    match uses.memory() {
        Memory::Free => tell!(INFO, held, kept, limit, "memory is free again"),
        Memory::Tight { .. } => tell!(WARN, held, kept, limit, "memory is tight"),
        Memory::Full { .. } => tell!(WARN, held, kept, limit, "memory is full"),
        _ => {}
    }
}

/// A pump lets a connection go.
pub(crate) fn connection_lost(room: RoomId, session: SessionId, reason: &'static str) {
    tell!(DEBUG, room = room.0, %session, reason, "a pump lets a connection go");
}

/// The task of a pump's shard has ended, and somebody had connections there.
#[cold]
pub(crate) fn pump_ended(room: RoomId, shard: u32, connections: usize) {
    tell!(WARN, room = room.0, shard, connections, "a pump's task has ended with connections");
}

pub(crate) fn forward_ended(
    room: RoomId,
    session: SessionId,
    reason: &'static str,
    [batches, messages, unsent]: [u64; 3],
) {
    tell!(DEBUG, room = room.0, %session, reason, batches, messages, unsent, "a forward has ended");
}

pub(crate) fn drain_begun(rooms: usize) {
    tell!(INFO, rooms, "a drain begins");
}

pub(crate) fn drain_ended(report: &crate::stats::DrainReport) {
    tell!(
        INFO,
        rooms = report.rooms,
        unended = report.unended,
        dispatched = report.dispatched,
        expired = report.expired,
        dropped = report.dropped,
        delivered = report.delivered,
        abandoned = report.abandoned,
        "a drain ends"
    );
}
