//! An edge of a room here, as the task has it.

use super::ClusterRoom;
use super::order::Order;
use crate::wire::{EdgeBooks, EncodedDirect};
use roomcast::edge::EdgePort;
use roomcast::{Payload, Room, RoomId};
use roomcast_core::pins::PinId;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// An edge of a room here.
pub(super) struct Edge<M: Payload + Send + Sync + 'static> {
    /// Which of all that have been opened.
    pub(super) opening: u64,
    pub(super) room: ClusterRoom<M>,
    pub(super) port: Arc<EdgePort<M>>,
    /// One for each message that may be on its way.
    pub(super) permits: Arc<Semaphore>,
    /// What is pinned here.
    pub(super) pins: Vec<(PinId, EncodedDirect)>,
    carrier: JoinHandle<()>,
    /// What its books were when they were last looked at.
    looked: Looked,
}

/// An edge as it was when its books were last told, and how often it has been passed over since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Looked {
    sessions: u64,
    through: u64,
    /// Looks at which it was the same as before.
    quiet: u32,
}

/// So often the books are told though nothing seems to happen: until all is read that was due.
const SETTLING: u32 = 3;

/// However quiet it is, after so many looks the books are told.
const SELDOM: u32 = 30;

impl<M: Payload + Send + Sync + 'static> Edge<M> {
    /// An edge, as the host of the bus has it: what it lets in goes to the task, at most `window` messages at
    /// a time.
    pub(super) fn new(
        opening: u64,
        room: ClusterRoom<M>,
        port: EdgePort<M>,
        window: usize,
        orders: mpsc::WeakSender<Order<M>>,
    ) -> Self {
        let (port, permits) = (Arc::new(port), Arc::new(Semaphore::new(window)));
        let carrier = carry((room.id(), opening), Arc::clone(&port), Arc::clone(&permits), orders);
        let (carrier, looked) = (tokio::spawn(carrier), Looked::default());
        Self { opening, room, port, permits, pins: Vec::new(), carrier, looked }
    }

    /// Whether its books may have changed since they were last told. To count them takes its locks.
    pub(super) fn is_worth_a_look(&mut self) -> bool {
        let (sessions, heads) = (self.room.here().sessions(), self.port.heads());
        let now = Looked { sessions, through: heads.values().sum(), quiet: 0 };
        let quiet = self.looked.quiet + 1;
        let is_same = now == Looked { quiet: 0, ..self.looked };
        self.looked = if is_same { Looked { quiet, ..now } } else { now };
        self.looked.quiet <= SETTLING || self.looked.quiet.is_multiple_of(SELDOM)
    }

    /// Its books, with those of the edges before it.
    pub(super) fn books(&self, before: &EdgeBooks) -> EdgeBooks {
        books_of(&self.room.here(), before)
    }

    /// Its books in the end, when it is taken off its room: nobody is in.
    pub(super) fn last_books(self, before: &EdgeBooks) -> EdgeBooks {
        let room = self.room.here();
        drop(self);
        let mut books = books_of(&room, before);
        (books.sessions, books.users) = (0, 0);
        books
    }
}

impl<M: Payload + Send + Sync + 'static> Drop for Edge<M> {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// The books of an edge that is a room of the hub, with those of the edges before it.
fn books_of<M: Payload + Send + Sync + 'static>(room: &Room<M>, before: &EdgeBooks) -> EdgeBooks {
    let room = room.stats().room;
    let who = (u64::from(room.audience.sessions), u64::from(room.admission.online));
    let mut books = EdgeBooks::new(who, &room.admission.ledger, room.audience.deliveries);
    books.add(before);
    books
}

/// Carries what an edge lets in to the node, as long as not too much is on its way.
async fn carry<M: Payload + Send + Sync + 'static>(
    (room, opening): (RoomId, u64),
    port: Arc<EdgePort<M>>,
    permits: Arc<Semaphore>,
    orders: mpsc::WeakSender<Order<M>>,
) {
    // The permit comes back with the fate.
    while let Ok(permit) = permits.acquire().await {
        let Some(message) = port.next_message().await else { return };
        permit.forget();
        let Some(orders) = orders.upgrade() else { return };
        if orders.send(Order::Forward { room, opening, message: Box::new(message) }).await.is_err()
        {
            return;
        }
    }
}
