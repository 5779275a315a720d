//! A connection in many rooms: one stream of what is due in all of them.
//! [Decision D35](roomcast_core::design#d35-a-connection-may-sit-in-many-rooms).

mod item;
mod ready;

pub use item::{ConnectionItem, ItemKind, Order};

use crate::hub::keys::Joining;
use crate::hub::name::Name;
use crate::hub::room::Room;
use crate::reading::subscription::Subscription;
use crate::sync::{Arc, Mutex};
use ready::Ready;
use roomcast_core::error::JoinError;
use roomcast_core::{Direct, Instant, Payload, RoomId, SessionId};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Direct messages of a connection that may wait, unless said.
const DIRECTS: usize = 64;

/// Items that a take returns at most; what is more comes with the next one, at once.
const AT_ONCE: usize = 1_024;

/// One connection that sits in any number of rooms of a hub, and takes what is due in all of them as one
/// stream: a chat client in a hundred channels.
///
/// A take fixes an instant, reads every room that has something up to it, and puts that in one
/// [order](Order): so what one room said after another did is never seen before it. In each room it has a
/// session, with all that a [`Subscription`] has: gaps are by room, and dropping the connection leaves all of
/// them. What is for the connection alone ([`sender`](Self::sender)) takes its place between.
///
/// ```
/// use roomcast::connection::{Connection, ItemKind, Order};
/// use roomcast::{Direct, Hub, Join, Publish, RoomConfig, RoomId, Source};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::<String>::builder().spawn_threads()?; // With tokio, `Hub::start()`.
/// let (rust, birds) = (RoomId(1), RoomId(2));
/// let mut connection = Connection::new(Order::Dispatch);
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
    ready: Arc<Ready>,
    rooms: BTreeMap<RoomId, Joined<M>>,
    own: Arc<Own<M>>,
    /// What has been read and not been taken, in order.
    held: VecDeque<ConnectionItem<M>>,
}

/// A room that it sits in.
struct Joined<M: Payload + Send + Sync + 'static> {
    session: Subscription<M>,
    waker: Waker,
}

/// What is for the connection alone.
struct Own<M> {
    directs: Mutex<VecDeque<Direct<M>>>,
    most: usize,
    ready: Arc<Ready>,
}

impl<M: Payload + Send + Sync + 'static> Connection<M> {
    /// A connection that sits in no room yet, and takes what comes from several in this order.
    pub fn new(order: Order) -> Self {
        Self::with_directs(order, DIRECTS)
    }

    /// As [`new`](Self::new), for which so many direct messages of its own may wait; 64 where nothing is said.
    pub fn with_directs(order: Order, most: usize) -> Self {
        let ready = Arc::<Ready>::default();
        let own = Own { directs: Mutex::default(), most, ready: Arc::clone(&ready) };
        let (rooms, held) = (BTreeMap::new(), VecDeque::new());
        Self { order, ready, rooms, own: Arc::new(own), held }
    }

    /// Joins a room, as [`Room::join`] does; what it is due there comes with the others'. All rooms of a
    /// connection are of one hub, by whose clock they are put in order. Returns the session, to publish from.
    ///
    /// # Errors
    /// As [`Room::join`]; also [`JoinError::AlreadyJoined`], if this connection sits in the room and has not
    /// been told that it ended there.
    ///
    /// # Cost
    /// As [`Room::join`], and O(log n) of the rooms: hundreds are joined in a loop.
    pub fn join<U: Name>(
        &mut self,
        room: &Room<M, U>,
        join: impl Into<Joining<M, U>>,
    ) -> Result<SessionId, JoinError> {
        if let Some(joined) = self.rooms.get(&room.id()) {
            return Err(JoinError::AlreadyJoined { session: joined.session.session() });
        }
        let session = room.join(join)?;
        let id = room.id();
        let (seat, waker) = ready::waker(id, &self.ready);
        self.ready.list(id, &seat);
        let answer = session.session();
        self.rooms.insert(id, Joined { session, waker });
        Ok(answer)
    }

    /// Leaves a room at once: what was due there is abandoned, and what was read and not taken is dropped.
    /// Returns whether it sat there.
    pub fn leave(&mut self, room: RoomId) -> bool {
        self.held.retain(|item| item.room != Some(room));
        self.rooms.remove(&room).is_some()
    }

    /// The rooms that it sits in, each with its subscription: for its token, acknowledgements, masked levels.
    pub fn rooms(&self) -> impl ExactSizeIterator<Item = (RoomId, &Subscription<M>)> {
        self.rooms.iter().map(|(room, joined)| (*room, &joined.session))
    }

    /// Its subscription in a room, if it sits there.
    pub fn room(&self, room: RoomId) -> Option<&Subscription<M>> {
        self.rooms.get(&room).map(|joined| &joined.session)
    }

    /// Returns a handle that sends to this connection alone, whether it sits in rooms or in none.
    pub fn sender(&self) -> ConnectionSender<M> {
        ConnectionSender(Arc::clone(&self.own))
    }

    /// Waits until something is due in any room, or for the connection alone, and takes it: in order, up to
    /// 1,024 items. Never empty. A session that has ended is told by an [`End`](ItemKind::End) behind all that it
    /// was due; the connection goes on.
    ///
    /// # Cancel safety
    /// Nothing is lost: items are taken by the poll that returns them.
    ///
    /// # Cost
    /// O(rooms that have something) locks, with [`Order::Dispatch`] and behind a take that was full O(rooms), and a
    /// sort of the items.
    pub async fn next_items(&mut self) -> Vec<ConnectionItem<M>> {
        poll_fn(|cx| self.poll_next_items(cx)).await
    }

    /// As [`next_items`](Self::next_items), for futures written by hand. Only the last task to poll is woken.
    pub fn poll_next_items(&mut self, cx: &mut Context<'_>) -> Poll<Vec<ConnectionItem<M>>> {
        self.ready.register(cx.waker());
        match self.try_next_items() {
            items if items.is_empty() => Poll::Pending,
            items => Poll::Ready(items),
        }
    }

    /// Takes what is due by now, in order; empty, if nothing is. Never waits.
    pub fn try_next_items(&mut self) -> Vec<ConnectionItem<M>> {
        let now = self.rooms.values().next().map(|joined| joined.session.now());
        let mut came = self.read_own(now);
        if let Some(now) = now {
            let listed = self.ready.take();
            // Another room's reader may not have been woken yet, and have what comes first.
            let is_all = self.order == Order::Dispatch || !self.held.is_empty();
            let rooms = if is_all { self.rooms.keys().copied().collect() } else { listed };
            for room in rooms {
                self.read(room, now, &mut came);
            }
        }
        if !came.is_empty() {
            came.extend(self.held.drain(..));
            came.sort_by(|one, other| one.compare(other, self.order));
            self.held = came.into();
        }
        self.take_held(now)
    }

    /// Reads all that a room has.
    fn read(&mut self, room: RoomId, now: Instant, came: &mut Vec<ConnectionItem<M>>) {
        let Some(joined) = self.rooms.get_mut(&room) else { return };
        let mut cx = Context::from_waker(&joined.waker);
        loop {
            match joined.session.poll_next_batch(&mut cx) {
                Poll::Ready(Ok(batch)) => {
                    // What is read has been dispatched, whatever another machine's clock says of that.
                    let read_at = joined.session.now();
                    came.extend(ConnectionItem::of_batch(room, now, read_at, &batch));
                }
                Poll::Ready(Err(end)) => {
                    came.push(ConnectionItem::end(room, now, end));
                    self.rooms.remove(&room);
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    /// Takes what is for the connection alone. Where it sits in no room there is no clock, nor anything to put
    /// in order with.
    fn read_own(&self, now: Option<Instant>) -> Vec<ConnectionItem<M>> {
        let directs = std::mem::take(&mut *self.own.directs.lock());
        let now = now.unwrap_or(Instant::ZERO);
        directs.into_iter().map(|direct| ConnectionItem::own(now, direct)).collect()
    }

    /// The first of what is held: nothing that was dispatched after the instant that the take has fixed, for
    /// another room may have said something since that comes before.
    fn take_held(&mut self, now: Option<Instant>) -> Vec<ConnectionItem<M>> {
        let may = |item: &ConnectionItem<M>| now.is_none_or(|now| item.at <= now);
        let mut taken = Vec::new();
        let mut later = VecDeque::new();
        while let Some(item) = self.held.pop_front() {
            if taken.len() < AT_ONCE && may(&item) {
                taken.push(item);
            } else {
                later.push_back(item);
            }
        }
        self.held = later;
        if !self.held.is_empty() {
            // It is due at once.
            self.ready.wake();
        }
        taken
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

/// Sends to one [`Connection`] alone; cheap to clone.
pub struct ConnectionSender<M>(Arc<Own<M>>);

impl<M> ConnectionSender<M> {
    /// Sends a message to the connection, at its priority between what the rooms have for it. O(1).
    ///
    /// # Errors
    /// As many wait as may; the message comes back.
    pub fn send(&self, direct: Direct<M>) -> Result<(), Direct<M>> {
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

impl<M> Clone for ConnectionSender<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for ConnectionSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSender").finish_non_exhaustive()
    }
}
