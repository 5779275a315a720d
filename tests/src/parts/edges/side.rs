//! What stands at an edge: the halves of the core, or a room of a hub with its port, driven by one
//! thread. Both are asked the same.

use roomcast::edge::EdgePort;
use roomcast::internals::{ByHand, by_hand};
use roomcast::{Clock, Hub, Room, Subscription};
use roomcast_core::admission::Received;
use roomcast_core::handover::HandOver;
use roomcast_core::ids::{Seq, SessionKind};
use roomcast_core::ledger::{Deliveries, Ledger, Skips};
use roomcast_core::message::EdgeMessage;
use roomcast_core::shard_index::ShardIndex;
use roomcast_core::{
    Audience, Batch, Budget, Edge, Event, Group, Instant, Outcome, PerLevel, Publish, Receipt,
    Refused, RoomConfig, RoomId, SessionId, UserId,
};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Payload = Arc<str>;

/// An edge and those who sit there: a user of this edge alone, and one who sits at every edge.
pub(super) enum Side {
    Halves { edge: Box<Edge<Payload>>, audience: Box<Audience<Payload>>, sessions: [SessionId; 2] },
    Hub(Box<HubEdge>),
}

pub(super) struct HubEdge {
    room: Room<Payload>,
    port: EdgePort<Payload>,
    workers: ByHand<Payload>,
    hands: Hands,
    told: Arc<Mutex<Vec<Event>>>,
    subscriptions: [Subscription<Payload>; 2],
}

/// The clock of the hub.
#[derive(Clone, Debug)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl HubEdge {
    fn at(&self, now: Instant) -> &Self {
        self.hands.0.store(now.as_nanos(), Ordering::Relaxed);
        self
    }

    fn settle(&mut self, now: Instant) {
        self.at(now);
        while self.workers.turn() {}
    }
}

impl Side {
    /// Two halves: the shard with this number of two.
    pub(super) fn halves(
        config: &RoomConfig,
        index: u32,
        now: Instant,
        users: [UserId; 2],
    ) -> Option<Self> {
        let part = ShardIndex::new(index, 2)?;
        let (mut edge, mut audience) =
            (Edge::new(config), Audience::shard(config, part, PerLevel::default()));
        let mut join = |user| {
            let joined = audience.join(SessionKind::User, Group::default(), None).ok()?;
            edge.add_session(now, user, joined.session);
            Some(joined.session)
        };
        let sessions = [join(users[0])?, join(users[1])?];
        Some(Self::Halves { edge: Box::new(edge), audience: Box::new(audience), sessions })
    }

    /// A room of a hub, over two shards.
    pub(super) fn hub(config: &RoomConfig, now: Instant, users: [UserId; 2]) -> Option<Self> {
        let hands = Hands(Arc::new(AtomicU64::new(now.as_nanos())));
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&told);
        let builder = Hub::<Payload>::builder()
            .workers(2)
            .shards_per_room(2)
            .clock(hands.clone())
            .seed(7)
            .on_event(move |_, event| {
                hook.lock().unwrap_or_else(PoisonError::into_inner).push(*event);
            });
        let (hub, workers) = by_hand(builder, 1);
        let made = hub.create_edge_room(RoomId(1), config, PerLevel::default());
        let (room, port) = made.ok()?;
        let join = |user| room.join(roomcast::Join::user(user)).ok();
        let subscriptions = [join(users[0])?, join(users[1])?];
        let mut hub = HubEdge { room, port, workers, hands, told, subscriptions };
        hub.settle(now);
        Some(Self::Hub(Box::new(hub)))
    }

    pub(super) fn session(&self, who: usize) -> SessionId {
        match self {
            Self::Halves { sessions, .. } => sessions[who],
            Self::Hub(hub) => hub.subscriptions[who].session(),
        }
    }

    pub(super) fn publish(
        &mut self,
        now: Instant,
        publish: Publish<Payload>,
    ) -> Result<Receipt, Refused<Payload>> {
        match self {
            Self::Halves { edge, .. } => edge.publish(now, publish),
            Self::Hub(hub) => hub.at(now).room.try_publish(publish),
        }
    }

    /// What is due is done. Returns what was told, and what is to go to the room.
    pub(super) fn settle(&mut self, now: Instant) -> (Vec<Event>, Vec<EdgeMessage<Payload>>) {
        match self {
            Self::Halves { edge, .. } => {
                edge.handle_timeout(now);
                let events = std::iter::from_fn(|| edge.poll_event()).collect();
                (events, std::iter::from_fn(|| edge.poll_message()).collect())
            }
            Self::Hub(hub) => {
                hub.settle(now);
                let mut told = hub.told.lock().unwrap_or_else(PoisonError::into_inner);
                let events = std::mem::take(&mut *told);
                drop(told);
                (events, std::iter::from_fn(|| hub.port.try_next_message()).collect())
            }
        }
    }

    /// The fate of a message at the room. Returns what is told of it.
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        message: &EdgeMessage<Payload>,
        outcome: Outcome,
    ) -> Vec<Event> {
        match self {
            Self::Halves { edge, .. } => {
                edge.resolve(&message.forwarded(), outcome);
                std::iter::from_fn(|| edge.poll_event()).collect()
            }
            Self::Hub(hub) => {
                let is_new = hub.at(now).port.resolve(message.id, outcome);
                let again = hub.port.resolve(message.id, outcome);
                let mut told = hub.told.lock().unwrap_or_else(PoisonError::into_inner);
                let told = std::mem::take(&mut *told);
                if is_new && !again { told } else { Vec::new() }
            }
        }
    }

    pub(super) fn receive(&mut self, now: Instant, flight: HandOver<Payload>) -> Received {
        match self {
            Self::Halves { edge, .. } => {
                let received = edge.receive(flight);
                self.take_over(now);
                received
            }
            Self::Hub(hub) => {
                let received = hub.at(now).port.receive(flight);
                hub.settle(now);
                received
            }
        }
    }

    /// Gives up what is missing; returns that, and how much it was.
    pub(super) fn give_up(&mut self, now: Instant) -> (Option<RangeInclusive<Seq>>, u64) {
        match self {
            Self::Halves { edge, .. } => {
                let given_up = (edge.missing(), edge.give_up_missing());
                self.take_over(now);
                given_up
            }
            Self::Hub(hub) => {
                let port = &hub.at(now).port;
                let given_up = (port.missing(), port.give_up_missing());
                hub.settle(now);
                given_up
            }
        }
    }

    fn take_over(&mut self, now: Instant) {
        if let Self::Halves { edge, audience, .. } = self {
            audience.take_over_at(now, edge.hand_over(audience.applied()));
        }
    }

    /// How far each level has come at the admission, and at the audience.
    pub(super) fn heads(&self) -> (PerLevel<u64>, PerLevel<u64>) {
        match self {
            Self::Halves { edge, audience, .. } => (edge.heads(), audience.snapshot().heads),
            Self::Hub(hub) => (hub.port.heads(), hub.room.stats().room.audience.heads),
        }
    }

    pub(super) fn lost(&self) -> PerLevel<u64> {
        match self {
            Self::Halves { edge, .. } => edge.lost(),
            Self::Hub(hub) => hub.port.lost(),
        }
    }

    /// What is due to a session: so much, or in a hub all of it.
    pub(super) fn next_batch(
        &mut self,
        now: Instant,
        who: usize,
        budget: Budget,
    ) -> Option<Batch<Payload>> {
        match self {
            Self::Halves { audience, sessions, .. } => {
                audience.next_batch(now, sessions[who], budget).ok()?
            }
            Self::Hub(hub) => {
                hub.at(now);
                hub.subscriptions[who].try_next_batch().ok()?
            }
        }
    }

    pub(super) fn deliveries(&self, who: usize) -> (PerLevel<Deliveries>, PerLevel<Skips>) {
        match self {
            Self::Halves { audience, sessions, .. } => (
                audience.deliveries(sessions[who]).unwrap_or_default(),
                audience.skips(sessions[who]).unwrap_or_default(),
            ),
            Self::Hub(hub) => {
                let session = hub.room.session(hub.subscriptions[who].session());
                (session.deliveries().unwrap_or_default(), session.skips().unwrap_or_default())
            }
        }
    }

    /// Whether all deliveries add up.
    pub(super) fn balances(&self) -> bool {
        let deliveries = match self {
            Self::Halves { audience, .. } => audience.snapshot().deliveries,
            Self::Hub(hub) => hub.room.stats().room.audience.deliveries,
        };
        deliveries.values().all(Deliveries::balances)
    }

    pub(super) fn ledger(&self, now: Instant) -> Ledger {
        match self {
            Self::Halves { edge, .. } => edge.snapshot(now).ledger,
            Self::Hub(hub) => hub.at(now).room.stats().room.admission.ledger,
        }
    }
}
