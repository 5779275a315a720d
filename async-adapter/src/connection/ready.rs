//! Which rooms of a connection have something, and who waits for that.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, AtomicWaker, Mutex};
use roomcast_core::RoomId;
use std::task::Waker;

/// The rooms that have woken the connection since it looked last.
#[derive(Debug, Default)]
pub(super) struct Ready {
    rooms: Mutex<Vec<(RoomId, Arc<Seat>)>>,
    waker: AtomicWaker,
}

/// A room's place in the list, of which it has one.
#[derive(Debug, Default)]
pub(super) struct Seat {
    is_listed: AtomicBool,
}

impl Ready {
    /// Lists a room, and wakes whoever waits.
    pub(super) fn list(&self, room: RoomId, seat: &Arc<Seat>) {
        if !seat.is_listed.swap(true, Ordering::AcqRel) {
            self.rooms.lock().push((room, Arc::clone(seat)));
        }
        self.waker.wake();
    }

    /// Wakes whoever waits: there is something beside the rooms.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// From now on this one waits.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Takes the list. What happens from now on lists a room again.
    pub(super) fn take(&self) -> Vec<RoomId> {
        let listed = std::mem::take(&mut *self.rooms.lock());
        let unlisted = listed.into_iter().map(|(room, seat)| {
            seat.is_listed.store(false, Ordering::Release);
            room
        });
        unlisted.collect()
    }
}
