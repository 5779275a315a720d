//! What others do to a connection while one task reads it: join, leave, send to it alone.

use super::ready::Ready;
use crate::drive::worker::Worker;
use crate::hub::keys::Joining;
use crate::hub::name::Name;
use crate::hub::room::Room;
use crate::reading::speaker::Speaker;
use crate::reading::subscription::Subscription;
use crate::room::Job;
use crate::sync::{Arc, Mutex};
use roomcast_core::error::JoinError;
use roomcast_core::{Direct, Payload, RoomId, SessionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// What a connection shares with its handles.
pub(super) struct Shared<M: Payload + Send + Sync + 'static> {
    pub(super) ready: Ready,
    seats: Mutex<Seats<M>>,
    directs: Mutex<VecDeque<Direct<M>>>,
    /// Direct messages that may wait.
    most: usize,
    /// Tells the time.
    pub(super) worker: Arc<Worker<Job<M>>>,
}

/// The rooms that it sits in, and what its reader has yet to hear of them. No room is called under
/// the lock.
struct Seats<M: Payload + Send + Sync + 'static> {
    rooms: BTreeMap<RoomId, Speaker<M>>,
    changes: Changes<M>,
    /// Either half is gone.
    is_over: bool,
}

/// What happened to a connection's seats since its reader looked last: of each room one thing,
/// however often it was joined and left. First it has left, then it has joined.
pub(super) struct Changes<M: Payload + Send + Sync + 'static> {
    pub(super) left: BTreeSet<RoomId>,
    pub(super) joined: BTreeMap<RoomId, Subscription<M>>,
}

impl<M: Payload + Send + Sync + 'static> Default for Changes<M> {
    fn default() -> Self {
        Self { left: BTreeSet::new(), joined: BTreeMap::new() }
    }
}

impl<M: Payload + Send + Sync + 'static> Shared<M> {
    pub(super) fn new(most: usize, worker: Arc<Worker<Job<M>>>) -> Self {
        let seats = Seats { rooms: BTreeMap::new(), changes: Changes::default(), is_over: false };
        let (ready, directs) = (Ready::default(), Mutex::default());
        Self { ready, seats: Mutex::new(seats), directs, most, worker }
    }

    pub(super) fn join<U: Name>(
        &self,
        room: &Room<M, U>,
        join: impl Into<Joining<M, U>>,
    ) -> Result<SessionId, JoinError> {
        let seated = |seats: &Seats<M>, room| match seats.rooms.get(&room) {
            Some(seated) => Err(JoinError::AlreadyJoined { session: seated.session() }),
            None => Ok(()),
        };
        seated(&self.seats.lock(), room.id())?;
        let (say, hear) = room.join(join)?.split();
        let (id, session) = (hear.room_id(), say.session());
        let mut seats = self.seats.lock();
        // Another thread may have come first; then both halves go, behind the lock.
        let answer = seated(&seats, id);
        if answer.is_ok() && !seats.is_over {
            let none = seats.rooms.insert(id, say);
            let nobody = seats.changes.joined.insert(id, hear);
            drop(seats);
            drop((none, nobody));
            self.ready.wake();
        } else {
            drop(seats);
        }
        answer.map(|()| session)
    }

    pub(super) fn leave(&self, room: RoomId) -> bool {
        let mut seats = self.seats.lock();
        let Some(left) = seats.rooms.remove(&room) else { return false };
        let unheard = seats.changes.joined.remove(&room);
        if unheard.is_none() {
            seats.changes.left.insert(room);
        }
        drop(seats);
        drop((left, unheard));
        self.ready.wake();
        true
    }

    /// The session in a room has ended, and its reader has said so.
    pub(super) fn ended(&self, room: RoomId, session: SessionId) {
        let mut seats = self.seats.lock();
        if seats.rooms.get(&room).is_some_and(|seated| seated.session() == session) {
            let ended = seats.rooms.remove(&room);
            drop(seats);
            drop(ended);
        }
    }

    pub(super) fn take_changes(&self) -> Changes<M> {
        std::mem::take(&mut self.seats.lock().changes)
    }

    pub(super) fn take_directs(&self) -> VecDeque<Direct<M>> {
        std::mem::take(&mut *self.directs.lock())
    }

    pub(super) fn is_over(&self) -> bool {
        self.seats.lock().is_over
    }

    /// Leaves every room, for good.
    pub(super) fn end(&self) {
        let mut seats = self.seats.lock();
        seats.is_over = true;
        let rooms = std::mem::take(&mut seats.rooms);
        let left = Changes { left: rooms.keys().copied().collect(), ..Changes::default() };
        let changes = std::mem::replace(&mut seats.changes, left);
        drop(seats);
        drop((rooms, changes));
        self.ready.wake();
    }
}

/// Joins rooms and leaves them for a [`Connection`](super::Connection) that another task reads:
/// [`Connection::split`](super::Connection::split).
///
/// When either half is dropped the connection has left all its rooms.
pub struct ConnectionHandle<M: Payload + Send + Sync + 'static>(pub(super) Arc<Shared<M>>);

impl<M: Payload + Send + Sync + 'static> ConnectionHandle<M> {
    /// Joins a room: as [`Connection::join`](super::Connection::join). Where the other half is gone
    /// already, the session has left when this returns.
    ///
    /// # Errors
    /// As [`Connection::join`](super::Connection::join).
    pub fn join<U: Name>(
        &self,
        room: &Room<M, U>,
        join: impl Into<Joining<M, U>>,
    ) -> Result<SessionId, JoinError> {
        self.0.join(room, join)
    }

    /// Leaves a room at once: as [`Connection::leave`](super::Connection::leave). What has been
    /// taken to be written is written.
    pub fn leave(&self, room: RoomId) -> bool {
        self.0.leave(room)
    }

    /// Returns the session in a room, to publish from, if the connection sits there.
    pub fn session(&self, room: RoomId) -> Option<SessionId> {
        self.0.seats.lock().rooms.get(&room).map(Speaker::session)
    }

    /// Returns the rooms that the connection sits in, by their numbers.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.0.seats.lock().rooms.keys().copied().collect()
    }

    /// Returns a handle that sends to this connection alone.
    pub fn sender(&self) -> ConnectionSender<M> {
        ConnectionSender(Arc::clone(&self.0))
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for ConnectionHandle<M> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<M: Payload + Send + Sync + 'static> fmt::Debug for ConnectionHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle").field("rooms", &self.rooms()).finish_non_exhaustive()
    }
}

/// Sends to one [`Connection`](super::Connection) alone; cheap to clone.
pub struct ConnectionSender<M: Payload + Send + Sync + 'static>(pub(super) Arc<Shared<M>>);

impl<M: Payload + Send + Sync + 'static> ConnectionSender<M> {
    /// Sends a message to the connection, at its priority between what the rooms have for it. O(1).
    ///
    /// # Errors
    /// As many wait as may; the message comes back.
    pub fn send(&self, mut direct: Direct<M>) -> Result<(), Direct<M>> {
        direct.sent_at = Some(self.0.worker.now());
        let mut directs = self.0.directs.lock();
        if directs.len() >= self.0.most {
            return Err(direct);
        }
        directs.push_back(direct);
        drop(directs);
        self.0.ready.wake();
        Ok(())
    }
}

impl<M: Payload + Send + Sync + 'static> Clone for ConnectionSender<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Payload + Send + Sync + 'static> fmt::Debug for ConnectionSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Connection, Order};
    use crate::{Hub, Join, RoomConfig};

    #[test]
    fn who_joins_and_leaves_unread_leaves_nothing_behind() {
        let hub = Hub::<&'static str>::builder().undriven();
        let room = hub.create_room(RoomId(1), &RoomConfig::fan_out()).unwrap();
        let (handle, mut connection) = Connection::new(&hub, Order::Dispatch).split();
        handle.join(&room, Join::guest()).unwrap();
        assert!(connection.try_next_items().is_empty());
        for _ in 0..1_000 {
            assert!(handle.leave(room.id()));
            handle.join(&room, Join::guest()).unwrap();
        }
        let unheard = {
            let seats = handle.0.seats.lock();
            (seats.changes.left.len(), seats.changes.joined.len())
        };
        assert_eq!(unheard, (1, 1));
        // The one that the reader has not let go, and the one that it has not heard of.
        assert!(room.stats().sessions() <= 2);
        assert!(connection.try_next_items().is_empty());
        assert_eq!((room.stats().sessions(), connection.rooms().len()), (1, 1));
    }
}
