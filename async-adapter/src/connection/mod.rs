//! A connection in many rooms: one stream of what is due in all of them.
//! [Decision D35](roomcast_core::design#d35-a-connection-may-sit-in-many-rooms).

mod forward;
mod handle;
mod item;
mod ready;
mod room_waker;

pub use forward::forward_items;
pub use handle::{ConnectionHandle, ConnectionSender};
pub use item::{ConnectionItem, ItemKind, Order};

use crate::drive::worker::Workers;
use crate::hub::Hub;
use crate::hub::keys::Joining;
use crate::hub::name::Name;
use crate::hub::room::Room;
use crate::reading::subscription::Subscription;
use crate::room::Job;
use crate::sync::Arc;
use handle::{Changes, Shared};
use ready::Seat;
use roomcast_core::error::JoinError;
use roomcast_core::{Budget, Instant, Payload, RoomId, SessionId};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Direct messages of a connection that may wait, unless said.
const DIRECTS: usize = 64;

/// What a take returns at most; what is more comes with the next one, at once.
const AT_ONCE: Budget = Budget { messages: 1_024, bytes: 16 << 20 };

/// One connection that sits in any number of rooms of a hub, and takes what is due in all of them
/// as one stream: a chat client in a hundred channels.
///
/// A take fixes an instant, reads every room that has something up to it, and puts that in one
/// [order](Order). In each room it has a session, with all that a [`Subscription`] has: gaps are by
/// room, and dropping the connection leaves all of them. What is for the connection alone
/// ([`sender`](Self::sender)) takes its place between.
///
/// A slow reader costs little memory here, too: what was read and not been taken is at most what
/// the rooms' logs held at one instant with [`Order::Dispatch`], else what one take returns; of
/// what comes meanwhile the rooms tell the gap.
///
/// One task may read it, with [`next_items`](Self::next_items) or written to a sink by
/// [`forward`](Self::forward), while another joins and leaves rooms for it: [`split`](Self::split).
///
/// ```
/// use roomcast::connection::{Connection, ItemKind, Order};
/// use roomcast::{Direct, Hub, Join, Publish, RoomConfig, RoomId, Source};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::<String>::builder().spawn_threads()?; // With tokio, `Hub::start()`.
/// let (rust, birds) = (RoomId(1), RoomId(2));
/// let mut connection = Connection::new(&hub, Order::Dispatch);
/// for room in [rust, birds] {
///     connection.join(&hub.open_room(room, &RoomConfig::fan_out())?, Join::guest())?;
/// }
/// for (room, text) in [(rust, "one"), (birds, "two"), (rust, "three")] {
///     let say = Publish::new(Source::Host, text.to_owned());
///     let _ = hub.room(room).expect("it is open").try_publish(say)?;
/// }
///
/// let mut seen = Vec::new();
/// while seen.len() < 3 {
///     for item in connection.next_items().await {
///         if let ItemKind::Message { message, .. } = item.what {
///             seen.push((item.room, message.payload.clone()));
///         }
///     }
/// }
/// assert_eq!(seen[1], (Some(birds), "two".to_owned()));
/// # Ok(())
/// # }
/// ```
pub struct Connection<M: Payload + Send + Sync + 'static> {
    order: Order,
    shared: Arc<Shared<M>>,
    rooms: BTreeMap<RoomId, Joined<M>>,
    /// What has been read and not been taken, in order.
    held: VecDeque<ConnectionItem<M>>,
    /// Up to which instant all rooms have been read.
    read_through: Instant,
    /// Whether rooms had more than their shares.
    was_full: bool,
    /// Keeps alive whoever tells the time.
    _workers: Arc<Workers<Job<M>>>,
}

/// A room that it sits in.
struct Joined<M: Payload + Send + Sync + 'static> {
    session: Subscription<M>,
    seat: Arc<Seat>,
    waker: Waker,
}

impl<M: Payload + Send + Sync + 'static> Connection<M> {
    /// A connection of this hub's that sits in no room yet, and takes what comes from several in
    /// this order.
    pub fn new<U: Name>(hub: &Hub<M, U>, order: Order) -> Self {
        Self::with_directs(hub, order, DIRECTS)
    }

    /// As [`new`](Self::new), for which so many direct messages of its own may wait; 64 where
    /// nothing is said.
    pub fn with_directs<U: Name>(hub: &Hub<M, U>, order: Order, most: usize) -> Self {
        let workers = Arc::clone(hub.workers());
        let worker = Arc::clone(&workers.0[0]);
        let (shared, rooms, held) =
            (Arc::new(Shared::new(most, worker)), BTreeMap::new(), VecDeque::new());
        let read_through = Instant::ZERO;
        Self { order, shared, rooms, held, read_through, was_full: false, _workers: workers }
    }

    /// Splits the connection into a half that joins and leaves rooms and the half that reads, each
    /// for a task of its own. When either is dropped all rooms have been left.
    pub fn split(self) -> (ConnectionHandle<M>, Self) {
        (ConnectionHandle(Arc::clone(&self.shared)), self)
    }

    /// Joins a room, as [`Room::join`] does; what it is due there comes with the others'. All rooms
    /// of a connection are of its hub, by whose clock they are put in order. Returns the session,
    /// to publish from.
    ///
    /// # Errors
    /// As [`Room::join`]; also [`JoinError::AlreadyJoined`], if this connection sits in the room
    /// and has not been told that it ended there.
    ///
    /// # Cost
    /// As [`Room::join`], and O(log n) of the rooms: hundreds are joined in a loop.
    pub fn join<U: Name>(
        &mut self,
        room: &Room<M, U>,
        join: impl Into<Joining<M, U>>,
    ) -> Result<SessionId, JoinError> {
        let answer = self.shared.join(room, join);
        self.settle(&mut Vec::new());
        answer
    }

    /// Leaves a room at once: what was due there is abandoned, and what was read and not taken is
    /// dropped. Returns whether it sat there.
    pub fn leave(&mut self, room: RoomId) -> bool {
        let answer = self.shared.leave(room);
        self.settle(&mut Vec::new());
        answer
    }

    /// The rooms that it sits in, each with its subscription: for its token, acknowledgements,
    /// masked levels. Those that the other half has joined since the last take are not among them.
    pub fn rooms(&self) -> impl ExactSizeIterator<Item = (RoomId, &Subscription<M>)> {
        self.rooms.iter().map(|(room, joined)| (*room, &joined.session))
    }

    /// Its subscription in a room, if it sits there.
    pub fn room(&self, room: RoomId) -> Option<&Subscription<M>> {
        self.rooms.get(&room).map(|joined| &joined.session)
    }

    /// Returns a handle that sends to this connection alone, whether it sits in rooms or in none.
    pub fn sender(&self) -> ConnectionSender<M> {
        ConnectionSender(Arc::clone(&self.shared))
    }

    /// Waits until something is due in any room, or for the connection alone, and takes it: in
    /// order, up to 1,024 items. Never empty. A session that has ended is told by an
    /// [`End`](ItemKind::End) behind all that it was due; the connection goes on.
    ///
    /// # Cancel safety
    /// Nothing is lost: items are taken by the poll that returns them.
    ///
    /// # Cost
    /// O(rooms that have something) locks, with [`Order::Dispatch`] and behind a take that was full
    /// O(rooms), and a sort of the items.
    pub async fn next_items(&mut self) -> Vec<ConnectionItem<M>> {
        poll_fn(|cx| self.poll_next_items(cx)).await
    }

    /// As [`next_items`](Self::next_items), for futures written by hand. Only the last task to poll
    /// is woken.
    pub fn poll_next_items(&mut self, cx: &mut Context<'_>) -> Poll<Vec<ConnectionItem<M>>> {
        self.poll_take(cx, AT_ONCE)
    }

    /// Takes what is due by now, in order; empty, if nothing is. Never waits.
    pub fn try_next_items(&mut self) -> Vec<ConnectionItem<M>> {
        self.take(AT_ONCE)
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, most: Budget) -> Poll<Vec<ConnectionItem<M>>> {
        self.shared.ready.register(cx.waker());
        match self.take(most) {
            items if items.is_empty() => Poll::Pending,
            items => Poll::Ready(items),
        }
    }

    /// Whether more is due than the last take returned, as far as is known.
    fn has_more(&self) -> bool {
        !self.held.is_empty() || self.was_full
    }

    fn take(&mut self, most: Budget) -> Vec<ConnectionItem<M>> {
        let now = self.shared.worker.now();
        let mut came = Vec::new();
        self.settle(&mut came);
        if self.may_read(most) {
            self.read_through = now;
            let directs = self.shared.take_directs();
            came.extend(directs.into_iter().map(|direct| ConnectionItem::own(now, direct)));
            let listed = self.shared.ready.take();
            // Another room's reader may not have been woken yet, and have what comes first.
            let is_all = self.order == Order::Dispatch || !self.held.is_empty() || self.was_full;
            let rooms = if is_all { self.rooms.keys().copied().collect() } else { listed };
            self.was_full = self.read_rooms(rooms, now, most, &mut came);
            self.settle(&mut came);
        }
        if !came.is_empty() {
            came.extend(self.held.drain(..));
            came.sort_by(|one, other| one.compare(other, self.order));
            self.held = came.into();
        }
        // What another room has said since may come before what is later.
        let through = if self.order == Order::Dispatch { self.read_through } else { now };
        self.take_held(through, most)
    }

    /// Hears where it sits now; what has come of rooms that it has left goes.
    fn settle(&mut self, came: &mut Vec<ConnectionItem<M>>) {
        let Changes { left, joined } = self.shared.take_changes();
        if !left.is_empty() {
            let stays =
                |item: &ConnectionItem<M>| item.room.is_none_or(|room| !left.contains(&room));
            came.retain(stays);
            self.held.retain(stays);
            self.rooms.retain(|room, _| !left.contains(room));
        }
        for (room, session) in joined {
            let (seat, waker) = room_waker::waker(room, &self.shared);
            self.shared.ready.list(room, &seat);
            self.rooms.insert(room, Joined { session, seat, waker });
        }
    }

    /// Whether rooms are read beside what is held. In the order of dispatch all that was due when
    /// they were read last is taken first; by priority a gift does not wait for that, and what is
    /// held stays within what a take returns.
    fn may_read(&self, most: Budget) -> bool {
        match self.order {
            Order::Dispatch => self.held.front().is_none_or(|first| first.at > self.read_through),
            Order::Priority => self.held.len() < most.messages as usize,
        }
    }

    /// Reads all that rooms have, in the order of dispatch; by priority what fits into a take, of
    /// which each room has an equal share, and those with more share what those leave that have
    /// nothing. Returns whether some may have more than that.
    fn read_rooms(
        &mut self,
        mut rooms: Vec<RoomId>,
        now: Instant,
        most: Budget,
        came: &mut Vec<ConnectionItem<M>>,
    ) -> bool {
        if self.order == Order::Dispatch {
            for room in rooms {
                self.read(room, now, None, came);
            }
            return false;
        }
        let of = u32::try_from(rooms.len()).unwrap_or(u32::MAX).max(1);
        let share = |Budget { messages, bytes }: Budget, of: u32| Budget {
            messages: (messages / of).max(1),
            bytes: (bytes / u64::from(of)).max(1),
        };
        let each = share(most, of);
        let mut unused = 0;
        rooms.retain(|room| {
            let before = came.len();
            let has_more = self.read(*room, now, Some(each), came);
            unused += u32::from(came.len() == before);
            has_more
        });
        if unused > 0 && !rooms.is_empty() {
            let left =
                Budget { messages: each.messages * unused, bytes: each.bytes * u64::from(unused) };
            let each = share(left, rooms.len() as u32);
            rooms.retain(|room| self.read(*room, now, Some(each), came));
        }
        !rooms.is_empty()
    }

    /// Reads what a room has: all of it, or its share. Returns whether it may have more.
    fn read(
        &mut self,
        room: RoomId,
        now: Instant,
        share: Option<Budget>,
        came: &mut Vec<ConnectionItem<M>>,
    ) -> bool {
        let Some(joined) = self.rooms.get_mut(&room) else { return false };
        let mut cx = Context::from_waker(&joined.waker);
        joined.session.set_budget(share.unwrap_or_default());
        let before = came.len();
        loop {
            match joined.session.poll_next_batch(&mut cx) {
                Poll::Ready(Ok(batch)) => {
                    // What is read has been dispatched, whatever another machine's clock says.
                    let read_at = joined.session.now();
                    came.extend(ConnectionItem::of_batch(room, now, read_at, &batch));
                    let is_full = |share: Budget| came.len() - before >= share.messages as usize;
                    if share.is_some_and(|share| batch.more() || is_full(share)) {
                        self.shared.ready.list(room, &joined.seat);
                        return true;
                    }
                }
                Poll::Ready(Err(end)) => {
                    came.push(ConnectionItem::end(room, now, end));
                    let session = joined.session.session();
                    self.rooms.remove(&room);
                    self.shared.ended(room, session);
                    return false;
                }
                Poll::Pending => return false,
            }
        }
    }

    /// The first of what is held, up to an instant.
    fn take_held(&mut self, through: Instant, most: Budget) -> Vec<ConnectionItem<M>> {
        let (mut taken, mut later) = (Vec::new(), Vec::new());
        while taken.len() < most.messages as usize
            && let Some(item) = self.held.pop_front()
        {
            if item.at <= through {
                taken.push(item);
            } else {
                later.push(item);
            }
        }
        for item in later.into_iter().rev() {
            self.held.push_front(item);
        }
        if !self.held.is_empty() {
            // It is due at once.
            self.shared.ready.wake();
        }
        taken
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for Connection<M> {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl<M: Payload + Send + Sync + 'static> fmt::Debug for Connection<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("order", &self.order)
            .field("rooms", &self.rooms.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Join, Publish, RoomConfig, Source};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Time goes on by a nanosecond whenever somebody looks.
    #[derive(Default)]
    struct Ticks(AtomicU64);

    impl Clock for Ticks {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    /// While a take goes from room to room, somebody speaks in one that has been read, and then in
    /// one that has not.
    #[test]
    fn d35_what_is_said_behind_a_take_comes_before_what_is_said_ahead_of_it() {
        let hub = Hub::<&'static str>::builder().clock(Ticks::default()).undriven();
        let mut connection = Connection::new(&hub, Order::Dispatch);
        let rooms = [1, 2].map(|id| {
            let room = hub.create_room(RoomId(id), &RoomConfig::fan_out()).unwrap();
            connection.join(&room, Join::guest()).unwrap();
            room
        });
        let say = |room: usize, text| {
            let _ = rooms[room].try_publish(Publish::new(Source::Host, text)).unwrap();
        };
        let texts = |items: Vec<ConnectionItem<&'static str>>| {
            let text = |item: &ConnectionItem<&'static str>| match &item.what {
                ItemKind::Message { message, .. } => message.payload,
                other => panic!("{other:?}"),
            };
            items.iter().map(text).collect::<Vec<_>>()
        };
        let (at, mut came) = (hub.now(), Vec::new());
        connection.read_through = at;
        connection.read(RoomId(1), at, None, &mut came);
        say(0, "first");
        say(1, "second");
        connection.read(RoomId(2), at, None, &mut came);
        assert_eq!(came.len(), 1);
        connection.held = came.into();
        assert_eq!(texts(connection.try_next_items()), ["first", "second"]);
    }
}
