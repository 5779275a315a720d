//! The task that drives a node, and carries what it says to the edges of its hub.

use super::edge::Edge;
use super::known::{Known, take_over_pins};
use super::order::{Opened, Order};
use super::{ClusterBooks, ClusterRoom, OpenRoomError};
use crate::bus::Connection;
use crate::drive::Driver;
use crate::proto::{Event, Input, Outcome as Fate, Output};
use crate::wire::{Decided, EdgeBooks, Lasting, Wire};
use roomcast::edge::{EdgeMessage, EdgeStart};
use roomcast::error::DropReason;
use roomcast::message::MessageId;
use roomcast::{Actor, Hub, Outcome, Payload, Recipient, RoomConfig, RoomId};
use roomcast_core::Instant;
use roomcast_core::admission::PersistedState;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

/// The task.
pub(super) struct Task<M: Payload + Send + Sync + 'static, B> {
    hub: Hub<M>,
    driver: Driver<M, B>,
    orders: mpsc::WeakSender<Order<M>>,
    /// How many messages of a room may be on their way.
    window: usize,
    /// How often the node is told the books of its edges.
    beat: Duration,
    tell: Box<dyn FnMut(Event) + Send>,
    /// How often that has panicked.
    caught: Arc<AtomicU64>,
    rooms: BTreeMap<RoomId, Place<M>>,
    /// Those who wait for the owner to do something, and in which room.
    commands: BTreeMap<u64, (RoomId, oneshot::Sender<Fate>)>,
    next_tag: u64,
    /// How many edges have been opened.
    openings: u64,
    /// Messages on their way, by a number of the task's own: of which edge, and which there. An edge that is
    /// opened anew begins to number anew.
    on_their_way: BTreeMap<MessageId, (u64, MessageId)>,
    next_number: u64,
    /// Those who wait for the node to have retired.
    retiring: Vec<oneshot::Sender<Vec<ClusterRoom<M>>>>,
    retires: bool,
    /// Those who wait for it to have left.
    leaving: Vec<oneshot::Sender<()>>,
}

/// A room here.
struct Place<M: Payload + Send + Sync + 'static> {
    config: Box<RoomConfig>,
    edge: Option<Edge<M>>,
    /// Those who wait for it to be open.
    waiting: Vec<oneshot::Sender<Opened<M>>>,
    /// The books of the edges that were here before this one.
    before: EdgeBooks,
}

impl<M: Payload + Wire + Clone + Send + Sync + 'static, B: Connection> Task<M, B> {
    pub(super) fn new(
        hub: Hub<M>,
        driver: Driver<M, B>,
        orders: mpsc::WeakSender<Order<M>>,
        (window, beat): (usize, Duration),
        tell: impl FnMut(Event) + Send + 'static,
    ) -> Self {
        Self {
            hub,
            driver,
            orders,
            window,
            beat,
            tell: Box::new(tell),
            caught: Arc::default(),
            rooms: BTreeMap::new(),
            commands: BTreeMap::new(),
            next_tag: 1,
            openings: 0,
            on_their_way: BTreeMap::new(),
            next_number: 1,
            retiring: Vec::new(),
            retires: false,
            leaving: Vec::new(),
        }
    }

    /// Goes on until the connection to the bus is closed for good, or the hub is dropped.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order<M>>) {
        let mut beat = tokio::time::interval(self.beat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => self.tell_edges(),
                output = self.driver.next() => match output {
                    Some(output) => self.output(output),
                    None => return,
                },
                order = orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => return,
                },
            }
            self.tell_progress();
        }
    }

    /// The node is told what the counters of an edge gained.
    fn hand_on_counts(&mut self, room: RoomId) {
        let Some(edge) = self.rooms.get(&room).and_then(|place| place.edge.as_ref()) else {
            return;
        };
        while let Some((key, gained)) = edge.port.next_count() {
            self.driver.handle(Input::Count { room, key, gained });
        }
    }

    /// The node is told what the counters of the edges gained, and the books of those at which something
    /// happens.
    fn tell_edges(&mut self) {
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.hand_on_counts(room);
        }
        for (&room, place) in &mut self.rooms {
            let Some(edge) = &mut place.edge else { continue };
            if edge.is_worth_a_look() {
                let books = edge.books(&place.before);
                self.driver.handle(Input::Books { room, books: Box::new(books) });
            }
        }
    }

    fn open_rooms(&self) -> Vec<ClusterRoom<M>> {
        let edges = self.rooms.values().filter_map(|place| place.edge.as_ref());
        edges.map(|edge| edge.room.clone()).collect()
    }

    /// Tells those who wait for the node to stop how far it is.
    fn tell_progress(&mut self) {
        if !self.retiring.is_empty() && self.driver.node().is_retired() {
            let rooms = self.open_rooms();
            for tell in self.retiring.drain(..) {
                let _ = tell.send(rooms.clone());
            }
        }
        if !self.leaving.is_empty() && self.driver.node().has_left() {
            for tell in self.leaving.drain(..) {
                let _ = tell.send(());
            }
        }
    }

    fn order(&mut self, order: Order<M>) {
        match order {
            Order::Open { room, config, tell } => self.open(room, config, tell),
            Order::Close { room } => self.close(room),
            Order::Forward { room, opening, message } => self.forward(room, opening, message),
            Order::Command { room, actor, command, tell } => {
                let is_open = self.rooms.get(&room).is_some_and(|place| place.edge.is_some());
                // Else it is dropped, which says that.
                if is_open {
                    let tag = self.next_tag;
                    self.next_tag += 1;
                    self.commands.insert(tag, (room, tell));
                    self.driver.handle(Input::Command { room, tag, actor, command });
                }
            }
            Order::HandOver { room, to } => self.driver.handle(Input::HandOver { room, to }),
            Order::Retire { tell } => {
                self.retires = true;
                for edge in self.rooms.values().filter_map(|place| place.edge.as_ref()) {
                    edge.room.here().refuse_joins();
                }
                self.driver.handle(Input::Retire);
                self.retiring.push(tell);
            }
            Order::Books { room, tell } => {
                // A room that is closed here is dropped, which says that.
                if let Some(follower) = self.driver.node().follower(room) {
                    let (node, now) = (self.driver.node(), self.driver.now());
                    let _ = tell.send(ClusterBooks::new(node, follower, now));
                }
            }
            Order::Rooms { tell } => drop(tell.send(self.open_rooms())),
            Order::Leave { tell } => {
                let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
                for room in rooms {
                    self.close(room);
                }
                self.driver.handle(Input::Leave);
                self.leaving.push(tell);
            }
        }
    }

    fn close(&mut self, room: RoomId) {
        if let Some(place) = self.rooms.remove(&room) {
            // What it lets go of is not to be found under its number any more.
            drop(self.hub.remove_room(room));
            let before = place.before;
            if let Some(books) = place.edge.map(|edge| edge.last_books(&before)) {
                self.driver.handle(Input::Books { room, books: Box::new(books) });
            }
            self.driver.handle(Input::Close { room });
            self.forget_gone();
            // The node gives up what is on its way, and says nothing more of it.
            self.commands.retain(|_, (of, _)| *of != room);
        }
    }

    /// Sends a message on its way, unless its edge is gone.
    fn forward(&mut self, room: RoomId, opening: u64, mut message: Box<EdgeMessage<M>>) {
        if self.edge(room).is_none_or(|edge| edge.opening != opening) {
            return;
        }
        let number = MessageId(self.next_number);
        self.next_number += 1;
        let own = std::mem::replace(&mut message.id, number);
        self.on_their_way.insert(number, (opening, own));
        self.driver.handle(Input::Forward { room, message });
    }

    /// Nobody is told any more what became of messages whose edge is gone.
    fn forget_gone(&mut self) {
        let edges = self.rooms.values().filter_map(|place| place.edge.as_ref());
        let here: BTreeSet<u64> = edges.map(|edge| edge.opening).collect();
        self.on_their_way.retain(|_, (opening, _)| here.contains(opening));
    }

    /// Tells the edge that a message came from what became of it, if that edge is still there.
    fn resolve(&mut self, room: RoomId, number: MessageId, outcome: Fate) {
        let Some((opening, own)) = self.on_their_way.remove(&number) else { return };
        let Some(edge) = self.edge(room).filter(|edge| edge.opening == opening) else { return };
        edge.port.resolve(own, told(outcome, self.hub.now()));
        edge.permits.add_permits(1);
    }

    fn open(&mut self, room: RoomId, config: Box<RoomConfig>, tell: oneshot::Sender<Opened<M>>) {
        if let Some(place) = self.rooms.get_mut(&room) {
            match &place.edge {
                Some(edge) => drop(tell.send(Ok(edge.room.clone()))),
                None => place.waiting.push(tell),
            }
            return;
        }
        if self.retires {
            let _ = tell.send(Err(OpenRoomError::ShuttingDown));
            return;
        }
        let place = Place {
            config: config.clone(),
            edge: None,
            waiting: vec![tell],
            before: EdgeBooks::default(),
        };
        self.rooms.insert(room, place);
        self.driver.handle(Input::Open { room, config });
    }

    fn output(&mut self, output: Output<M>) {
        match output {
            Output::Opened { room, heads, life, state, lasting, .. } => {
                self.opened(room, EdgeStart::at(heads).of_life(life), state, &lasting);
            }
            Output::Flight { room, handed } => {
                let Some(edge) = self.edge(room) else { return };
                let _ = edge.port.receive(handed);
                // The node has looked for it: it is gone.
                while edge.port.missing().is_some() {
                    edge.port.give_up_missing();
                }
            }
            Output::Known { room, state, lasting, kicked, banned } => {
                // What its counters gained is handed on before they are overwritten.
                self.hand_on_counts(room);
                let now = self.hub.now();
                if let Some(edge) = self.rooms.get_mut(&room).and_then(|place| place.edge.as_mut())
                {
                    let known = Known { state, lasting, kicked, banned };
                    known.take_over(&edge.room.here(), &mut edge.pins, now);
                }
            }
            Output::Withdrawn { room, what } => {
                if let Some(edge) = self.edge(room) {
                    // The owner has looked whether somebody may.
                    let room = edge.room.here();
                    let _ = room.moderation(Actor::Host).retract(what.into());
                }
            }
            Output::Direct { room, to, direct } => {
                let room = self.edge(room).map(|edge| edge.room.here());
                if let (Some(room), Ok(direct)) = (room, direct.decode()) {
                    // Nobody by that name may be in here.
                    let _ = room.send_direct(Recipient::User(to), direct);
                }
            }
            Output::Closed { room } => {
                if let Some(edge) = self.rooms.remove(&room).and_then(|place| place.edge) {
                    drop(self.hub.remove_room(room));
                    let _ = edge.room.here().close(Actor::Host);
                }
                self.forget_gone();
            }
            Output::Fate { room, message, outcome } => self.resolve(room, message.id, outcome),
            Output::Commanded { tag, outcome, .. } => {
                if let Some((_, tell)) = self.commands.remove(&tag) {
                    let _ = tell.send(outcome);
                }
            }
            Output::Event(event) => self.tell(event),
            Output::Bus(..) => {}
        }
    }

    /// The host is told something; if that panics, the node goes on.
    fn tell(&mut self, event: Event) {
        if catch_unwind(AssertUnwindSafe(|| (self.tell)(event))).is_err() {
            self.caught.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often the host has panicked when it was told something.
    pub(super) fn caught(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.caught)
    }

    fn edge(&self, room: RoomId) -> Option<&Edge<M>> {
        self.rooms.get(&room)?.edge.as_ref()
    }

    /// The room is open here; or its log was lost, and it is open anew: what was on its way has no fate,
    /// and its sessions end.
    fn opened(&mut self, id: RoomId, start: EdgeStart, state: PersistedState, lasting: &Lasting) {
        let Some(place) = self.rooms.get_mut(&id) else { return };
        let edge = place.edge.take();
        let before = edge.as_ref().map(|edge| edge.room.clone());
        if let Some(edge) = edge {
            drop(self.hub.remove_room(id));
            place.before = edge.last_books(&place.before);
        }
        let made = self.hub.create_edge_room(id, &lasting.configuration(&place.config), start);
        let (room, port) = match made {
            Ok(made) => made,
            Err(error) => {
                for tell in place.waiting.drain(..) {
                    let _ = tell.send(Err(error.into()));
                }
                self.rooms.remove(&id);
                self.driver.handle(Input::Close { room: id });
                return;
            }
        };
        if self.retires {
            room.refuse_joins();
        }
        // It fits: it is of a room with the same limits, or with larger ones.
        let _ = room.data().import(state);
        let mut pins = Vec::new();
        take_over_pins(&room, &mut pins, lasting);
        let room = match before {
            Some(before) => {
                *before.edge.write().unwrap_or_else(PoisonError::into_inner) = room;
                before
            }
            None => ClusterRoom::new(id, room, self.orders.clone()),
        };
        self.openings += 1;
        for tell in place.waiting.drain(..) {
            let _ = tell.send(Ok(room.clone()));
        }
        let orders = self.orders.clone();
        let mut edge = Edge::new(self.openings, room, port, self.window, orders);
        edge.pins = pins;
        place.edge = Some(edge);
        self.forget_gone();
    }
}

/// What a publisher is told, at `now`: that is when it is known here that a message went out.
fn told(outcome: Fate, now: Instant) -> Outcome {
    let dropped = |reason, retry_at| Outcome::Dropped { reason, limit: None, retry_at };
    match outcome {
        Fate::Decided(Decided::Dispatched { seq }) => Outcome::Dispatched { seq, at: now },
        Fate::Decided(Decided::Dropped { reason, retry_at }) => {
            dropped(reason.unwrap_or(DropReason::RoomRefused), retry_at)
        }
        Fate::Decided(Decided::Merged { .. }) => Outcome::Merged { carrier: MessageId(0) },
        Fate::Decided(Decided::Refused { retry_at, .. }) => {
            dropped(DropReason::RoomRefused, retry_at)
        }
        Fate::Decided(Decided::Done | Decided::NotDone(_)) => {
            dropped(DropReason::RoomRefused, None)
        }
        Fate::Lost => dropped(DropReason::EdgeLost, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::LocalBus;
    use crate::proto::{Node, NodeOptions};
    use crate::wire::Command;
    use roomcast::message::Seq;
    use roomcast::{Join, Publish, Source, UserId};
    use roomcast_core::PerLevel;

    const ROOM: RoomId = RoomId(42);

    /// As where the log was lost with its owner, and the new one has not heard of this node.
    #[tokio::test]
    async fn a_room_that_is_opened_again_is_there_for_the_handles_of_before() {
        let hub = Hub::<String>::start();
        let driver = Driver::new(Node::new(NodeOptions::new(1)), LocalBus::new().connect());
        let (orders, mut taken) = mpsc::channel(8);
        let mut task =
            Task::new(hub, driver, orders.downgrade(), (8, Duration::from_secs(1)), |_| {});
        let (none, (tell, told)) = (Lasting::default(), oneshot::channel());
        task.open(ROOM, Box::new(RoomConfig::default()), tell);
        task.opened(ROOM, PerLevel([0, 5, 0, 0]).into(), PersistedState::default(), &none);
        let room = told.await.unwrap().unwrap();
        let mut before = room.join(Join::guest()).unwrap();
        let say = |text: &str| room.try_publish(Publish::new(Source::Host, text.to_owned()));
        let _ = say("into the old one").unwrap();
        let Some(Order::Forward { opening, message, .. }) = taken.recv().await else { panic!() };
        assert_eq!(message.payload, "into the old one");
        task.forward(ROOM, opening, message.clone());

        task.opened(ROOM, PerLevel::default().into(), PersistedState::default(), &none);
        assert!(before.next_batch().await.is_err());
        assert_eq!(room.here().stats().room.audience.heads, PerLevel::default());
        let _guest = room.join(Join::guest()).unwrap();
        let speaking = {
            let room = room.clone();
            let publish = Publish::new(Source::Host, "into the new one".to_owned());
            tokio::spawn(async move { room.publish(publish).await.unwrap() })
        };
        let Some(Order::Forward { opening: newer, message: new, .. }) = taken.recv().await else {
            panic!()
        };
        assert_eq!((&*new.payload, new.id), ("into the new one", message.id));
        // What was on its way from the old one is told to nobody, and comes too late to go on its way.
        let fate = |seq| Fate::Decided(Decided::Dispatched { seq: Seq(seq) });
        task.resolve(ROOM, MessageId(1), fate(777));
        task.forward(ROOM, opening, message);
        task.forward(ROOM, newer, new);
        task.resolve(ROOM, MessageId(2), fate(5));
        let outcome = speaking.await.unwrap();
        assert!(matches!(outcome, Outcome::Dispatched { seq: Seq(5), .. }), "{outcome:?}");
    }

    /// Nobody drives the node here, so the command has no answer but that.
    #[tokio::test]
    async fn who_waits_for_the_owner_is_told_when_the_room_is_closed_here() {
        let driver = Driver::new(Node::new(NodeOptions::new(1)), LocalBus::new().connect());
        let (orders, _taken) = mpsc::channel(8);
        let mut task = Task::new(
            Hub::<String>::start(),
            driver,
            orders.downgrade(),
            (8, Duration::from_secs(1)),
            |_| {},
        );
        let (none, (tell, _told)) = (Lasting::default(), oneshot::channel());
        task.open(ROOM, Box::new(RoomConfig::default()), tell);
        task.opened(ROOM, PerLevel::default().into(), PersistedState::default(), &none);
        let (tell, told) = oneshot::channel();
        let command = Command::Kick(UserId(7));
        task.order(Order::Command { room: ROOM, actor: Actor::Host, command, tell });
        assert_eq!(task.commands.len(), 1);
        task.order(Order::Close { room: ROOM });
        assert!(told.await.is_err());
    }
}
