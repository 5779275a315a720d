//! What a room wakes when it has something for a connection.

use super::handle::Shared;
use super::ready::Seat;
use crate::sync::{Arc, Weak};
use roomcast_core::{Payload, RoomId};
use std::task::{Wake, Waker};

/// What a room wakes.
struct RoomWaker<M: Payload + Send + Sync + 'static> {
    room: RoomId,
    seat: Arc<Seat>,
    /// The connection is not kept by its rooms, which it sits in.
    shared: Weak<Shared<M>>,
}

impl<M: Payload + Send + Sync + 'static> Wake for RoomWaker<M> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.ready.list(self.room, &self.seat);
        }
    }
}

/// The waker of a room's reader.
pub(super) fn waker<M: Payload + Send + Sync + 'static>(
    room: RoomId,
    shared: &Arc<Shared<M>>,
) -> (Arc<Seat>, Waker) {
    let seat = Arc::<Seat>::default();
    let wakes = RoomWaker { room, seat: Arc::clone(&seat), shared: Arc::downgrade(shared) };
    (seat, Waker::from(Arc::new(wakes)))
}
