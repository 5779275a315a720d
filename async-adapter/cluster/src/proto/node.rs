//! A node of a cluster: what all of its rooms have in common, and which of them has something to do.

use super::follow::Follower;
use super::lease::Lease;
use super::room::Room;
use super::shared::{Purpose, Shared};
use super::{ClockOffset, Event, Input, LiveKeys, NodeOptions, Output};
use crate::bus::{Answer, CallId, FromBus, Push, Request};
use crate::wire::{HostIds, NodeBooks, Numbers, What, Wire};
use roomcast_core::message::Payload;
use roomcast_core::{Admission, Instant, RoomId};
use std::collections::{BTreeMap, BTreeSet};

/// A node of a cluster, without I/O: [inputs](Input) come in with the time, [outputs](Output) are
/// polled, and [`poll_timeout`](Self::poll_timeout) says when it wants to be called at the latest. A
/// call too many is harmless.
///
/// ```
/// use roomcast_cluster::bus::{Bus, ClientId, MemoryBus};
/// use roomcast_cluster::proto::{Input, Node, NodeOptions, Output};
/// use roomcast_core::{Instant, RoomConfig, RoomId};
///
/// let (mut now, room) = (Instant::from_secs(1), RoomId(42));
/// let (mut bus, mut node) = (MemoryBus::new(now), Node::<String>::new(NodeOptions::new(1)));
/// let config = Box::new(RoomConfig::default());
/// node.handle(now, Input::Open { room, config });
/// let opened = loop {
///     match node.poll_output() {
///         Some(Output::Bus(call, request)) => bus.request(now, ClientId(1), call, request),
///         Some(Output::Opened { heads, .. }) => break heads,
///         Some(_) => {}
///         None => match bus.poll() {
///             Some((_, from)) => node.handle(now, Input::Bus(from)),
///             None => {
///                 now = node.poll_timeout().expect("it waits for something").max(now);
///                 node.handle(now, Input::Timeout);
///             }
///         },
///     }
/// };
/// assert_eq!(opened.0, [0; 4], "nothing has been said");
/// assert!(node.owner(room).is_some(), "and there is nobody else to own it");
/// ```
#[derive(Debug)]
pub struct Node<M, I = Numbers> {
    shared: Shared<M, I>,
    lease: Lease,
    rooms: BTreeMap<RoomId, Room<M>>,
    /// When each room has something to do.
    due: BTreeMap<RoomId, Instant>,
    queue: BTreeSet<(Instant, RoomId)>,
    is_watching: bool,
    /// The host was told that it has retired.
    told_retired: bool,
}

impl<M: Payload + Wire + Clone> Node<M> {
    /// A node of a host whose ids are numbers.
    pub fn new(options: NodeOptions) -> Self {
        Self::with_ids(options, Numbers)
    }
}

impl<M: Payload + Wire + Clone, I: HostIds> Node<M, I> {
    /// A node of a host with ids of its own.
    pub fn with_ids(options: NodeOptions, ids: I) -> Self {
        Self {
            shared: Shared::new(options, ids),
            lease: Lease::default(),
            rooms: BTreeMap::new(),
            due: BTreeMap::new(),
            queue: BTreeSet::new(),
            is_watching: false,
            told_retired: false,
        }
    }

    /// Something has happened at `now`, by the clock of this node. The clock need not agree with
    /// any other one; one that runs backwards counts as standing still.
    pub fn handle(&mut self, now: Instant, input: Input<M>) {
        self.shared.now = self.shared.now.max(now);
        if !core::mem::replace(&mut self.is_watching, true) {
            self.shared.ask(Request::Watch);
        }
        match input {
            Input::Timeout => {}
            Input::Bus(FromBus::Answer(call, answer)) => self.answered(call, answer),
            Input::Bus(FromBus::Push(push)) => self.pushed(push),
            Input::Reconnected => {
                self.shared.keys.forget();
                self.shared.ask(Request::Watch);
                for room in self.rooms.values_mut() {
                    room.reconnect(&mut self.shared);
                }
                self.wake_all();
            }
            Input::Open { room, config } => {
                if !self.rooms.contains_key(&room) {
                    let opened = Room::new(room, config, &mut self.shared);
                    self.rooms.insert(room, opened);
                    self.wake(room);
                }
            }
            Input::Close { room } => self.close(room),
            Input::Forward { room, message } => self.push(room, What::Message(*message), 0),
            Input::Count { room, key, gained } => {
                if let Some(its) = self.rooms.get_mut(&room) {
                    its.link.count(&key, gained);
                    self.wake(room);
                }
            }
            Input::Books { room, books } => {
                let (edge, node) = (self.shared.incarnation, self.shared.options.name);
                if let Some(its) = self.rooms.get_mut(&room).filter(|_| edge != 0) {
                    its.link.keep_books(NodeBooks {
                        edge,
                        node,
                        as_of: self.shared.now,
                        books: *books,
                    });
                }
            }
            Input::Command { room, tag, actor, command } => {
                self.push(room, What::Command { actor, command }, tag);
            }
            Input::HandOver { room, to } => {
                let until = self.shared.now + self.shared.options.answer;
                let owner = self.rooms.get_mut(&room).and_then(|its| its.owner.as_mut());
                if let Some(owner) = owner.filter(|owner| owner.is_active) {
                    owner.leaving = Some((to, until));
                    self.wake(room);
                }
            }
            Input::Retire => {
                self.shared.retires = true;
                self.lease.renew_now();
                self.wake_all();
            }
            Input::Leave => self.lease.leave(&mut self.shared),
        }
        self.run();
        if self.shared.retires && !self.told_retired && self.is_retired() {
            self.told_retired = true;
            self.shared.tell(Event::Retired);
        }
    }

    /// The next thing that is wanted; `None` when there is nothing more until the next call of
    /// [`handle`](Self::handle).
    pub fn poll_output(&mut self) -> Option<Output<M>> {
        self.shared.poll()
    }

    /// When to call [`handle`](Self::handle) at the latest, with [`Input::Timeout`] if there is
    /// nothing else. An instant that has passed means at once. Every call of `handle` changes it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // Nothing is done before there is a lease.
        let room = self.queue.first().filter(|_| self.shared.incarnation != 0).map(|(at, _)| *at);
        let call = self.shared.next_overdue();
        let lapse = self.shared.next_lapse().filter(|_| self.shared.incarnation != 0);
        self.lease.due().into_iter().chain(room).chain(call).chain(lapse).min()
    }

    /// What tells this start of the node from all others; 0: it has no lease yet.
    pub fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    /// How many forwards of a room may be given to it now: the rest stays where it is, at the edge,
    /// whose queue has bounds of its own. 0 while nobody is known to own the room.
    pub fn window(&self, room: RoomId) -> usize {
        let Some(its) = self.rooms.get(&room).filter(|its| its.opened) else { return 0 };
        let silent_for = self.shared.now.saturating_since(its.heard_at);
        if silent_for > self.shared.options.lease {
            return 0;
        }
        self.shared.options.window.saturating_sub(its.link.len())
    }

    /// How many forwards of a room have no fate.
    pub fn undecided(&self, room: RoomId) -> usize {
        self.rooms.get(&room).map_or(0, |its| its.link.len())
    }

    /// A room as its log says that it is; `None` until something of it was read.
    pub fn follower(&self, room: RoomId) -> Option<&Follower> {
        self.rooms.get(&room)?.follower.as_ref()
    }

    /// The admission of a room that this node owns. What it says may go beyond what the log has; if
    /// the log refuses that, it never was.
    pub fn owner(&self, room: RoomId) -> Option<&Admission<M>> {
        let owner = self.rooms.get(&room)?.owner.as_ref()?;
        owner.is_active.then_some(&owner.admission)
    }

    /// Whether it [retires](Input::Retire), and owns no room that another may take.
    pub fn is_retired(&self) -> bool {
        let may_stay = |its: &Room<M>| its.owner.is_none() || its.heir(&self.shared).is_none();
        self.shared.retires && self.rooms.values().all(may_stay)
    }

    /// Whether it has [left](Input::Leave), and the bus has heard that.
    pub fn has_left(&self) -> bool {
        self.lease.has_left
    }

    /// Who lives, and who owns what, as far as has been heard here.
    pub fn keys(&self) -> &LiveKeys {
        &self.shared.keys
    }

    /// How far the clock of a node is from the one here, by the node's incarnation; `None`: nothing was heard
    /// of it. Ages are reckoned by that, and nobody's clock has to be right.
    pub fn clock_offset(&self, incarnation: u64) -> Option<ClockOffset> {
        self.shared.clocks.offset(incarnation, self.shared.now)
    }

    fn push(&mut self, room: RoomId, what: What<M>, tag: u64) {
        if let Some(its) = self.rooms.get_mut(&room) {
            its.link.push(what, tag);
            self.wake(room);
        }
    }

    fn close(&mut self, room: RoomId) {
        let Some(mut its) = self.rooms.remove(&room) else { return };
        its.send_last(&mut self.shared);
        self.shared.forwards = self.shared.forwards.max(its.link.last());
        self.shared.ask(Request::Unsubscribe { room });
        if its.owner.is_some() || its.is_over() {
            its.depose(&mut self.shared);
            self.shared.release(room);
        }
        if let Some(at) = self.due.remove(&room) {
            self.queue.remove(&(at, room));
        }
    }

    fn answered(&mut self, call: CallId, answer: Answer) {
        if let Some(purpose) = self.shared.answered(call) {
            self.answered_for(call, purpose, answer);
        }
    }

    fn answered_for(&mut self, call: CallId, purpose: Purpose, answer: Answer) {
        let (room, shared) = match purpose {
            Purpose::Lease => {
                let before = self.shared.incarnation;
                self.lease.answered(&mut self.shared, &answer);
                if before != self.shared.incarnation {
                    self.wake_all();
                }
                return;
            }
            Purpose::Leave => return self.lease.left(&mut self.shared, &answer),
            Purpose::Release => return,
            Purpose::Read(room) | Purpose::Claim(room) | Purpose::Write(room) => {
                (room, &mut self.shared)
            }
        };
        let Some(its) = self.rooms.get_mut(&room) else { return };
        match purpose {
            Purpose::Read(_) => its.was_read(shared, call, answer),
            Purpose::Claim(_) => its.claimed(shared, &answer),
            _ => its.written(shared, call, &answer),
        }
        self.wake(room);
    }

    fn pushed(&mut self, push: Push) {
        match push {
            Push::Record { room, record } => {
                if let Some(its) = self.rooms.get_mut(&room) {
                    its.receive(&mut self.shared, record);
                    self.wake(room);
                }
            }
            Push::Sent { room, bytes } => {
                if let Some(its) = self.rooms.get_mut(&room) {
                    its.heard_as_owner(&mut self.shared, &bytes);
                    self.wake(room);
                }
            }
            Push::Key { key, revision, value } => {
                if let Some(gone) = self.shared.heard(key, revision, value.as_deref()) {
                    self.wake_rooms_of(gone);
                }
                if let crate::bus::Key::Room(room) = key {
                    self.overtaken(room);
                    self.wake(room);
                }
            }
        }
    }

    /// The key of a room is another node's: whoever owns it here does no more.
    fn overtaken(&mut self, room: RoomId) {
        let (Some(its), Some((revision, _))) =
            (self.rooms.get_mut(&room), self.shared.keys.room(room))
        else {
            return;
        };
        if its.owner.as_ref().is_some_and(|owner| owner.epoch < revision) {
            its.depose(&mut self.shared);
        }
    }

    fn wake(&mut self, room: RoomId) {
        self.set_due(room, Instant::ZERO);
    }

    /// A node is gone: what it owned is free.
    fn wake_rooms_of(&mut self, gone: u64) {
        let keys = &self.shared.keys;
        let free = self
            .rooms
            .keys()
            .filter(|room| keys.room(**room).is_some_and(|(_, key)| key.incarnation == gone));
        let free: Vec<RoomId> = free.copied().collect();
        for room in free {
            self.wake(room);
        }
    }

    fn wake_all(&mut self) {
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.wake(room);
        }
    }

    fn set_due(&mut self, room: RoomId, at: Instant) {
        if !self.rooms.contains_key(&room) {
            return;
        }
        if let Some(before) = self.due.insert(room, at) {
            self.queue.remove(&(before, room));
        }
        self.queue.insert((at, room));
    }

    /// Does what is due.
    fn run(&mut self) {
        while let Some((call, purpose)) = self.shared.overdue() {
            self.answered_for(call, purpose, Answer::Unknown);
        }
        self.lease.tick(&mut self.shared);
        if self.shared.incarnation == 0 {
            return;
        }
        while let Some(gone) = self.shared.lapsed() {
            self.wake_rooms_of(gone);
        }
        while let Some(&(_, room)) = self.queue.first().filter(|(at, _)| *at <= self.shared.now) {
            let Some(its) = self.rooms.get_mut(&room) else {
                self.queue.pop_first();
                continue;
            };
            if its.is_over() {
                self.close(room);
                continue;
            }
            its.tick(&mut self.shared);
            if its.is_over() {
                self.close(room);
                continue;
            }
            // Once in a call: what is due at once is done in the next one.
            let at =
                its.due(&self.shared).max(self.shared.now + core::time::Duration::from_nanos(1));
            self.set_due(room, at);
        }
    }
}

/// A host that shows the events of its nodes.
impl core::fmt::Display for Event {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Started { incarnation } => write!(f, "started as {incarnation}"),
            Self::Retired => f.write_str("owns nothing that another may own"),
            Self::Left => f.write_str("has given its lease back"),
            Self::NameTaken => f.write_str("another node has this name"),
            Self::Owns { room, epoch } => write!(f, "owns {room} in epoch {epoch}"),
            Self::Deposed { room, epoch } => write!(f, "owns {room} no more (epoch {epoch})"),
            Self::Owner { room, epoch, silence } => {
                write!(f, "{room} has a new owner (epoch {epoch}, after {silence:?})")
            }
            Self::Stale { room } => write!(f, "hears nothing of {room}"),
            Self::Caught { room, silence, filled } => {
                write!(f, "has all of {room} again (silent for {silence:?}, {filled} records read)")
            }
            Self::Closed { room } => write!(f, "{room} is closed at every node"),
            Self::Incarnation { room } => write!(f, "the log of {room} was lost and begins anew"),
            Self::Unreadable { room } => write!(f, "a record of {room} cannot be read"),
        }
    }
}
