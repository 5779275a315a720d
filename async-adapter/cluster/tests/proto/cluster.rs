//! Nodes and their bus, driven one step at a time.

use roomcast_cluster::bus::{Answer, Bus, ClientId, FromBus, MemoryBus, Push, Request};
use roomcast_cluster::proto::{Event, Input, Node, NodeOptions, Outcome, Output};
use roomcast_cluster::wire::{Command, Decided};
use roomcast_core::handover::HandOver;
use roomcast_core::ids::{MessageId, Seq};
use roomcast_core::message::{EdgeMessage, Sender};
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Instant, PerLevel, RoomConfig, RoomId, UserId};

pub(super) const ROOM: RoomId = RoomId(42);
pub(super) const MILLI: Duration = Duration::from_millis(1);

/// What reaches the bus of a node's requests, and the node of what the bus says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// Nothing, either way.
    Cut,
    /// Requests arrive; that something was appended is not heard.
    Deaf,
    /// Answers to appends do not arrive; records that are pushed do.
    NoAnswers,
    /// Records that are pushed do not.
    NoPushes,
}

pub(super) struct Cluster {
    pub(super) now: Instant,
    pub(super) bus: MemoryBus,
    pub(super) nodes: Vec<Option<Node<String>>>,
    pub(super) ways: Vec<Way>,
    pub(super) told: Vec<Vec<Output<String>>>,
    pub(super) appends: usize,
}

impl Cluster {
    /// So many nodes, at which the room is open.
    pub(super) fn new(nodes: u64) -> Self {
        Self::over(nodes, |bus| bus)
    }

    /// The same over a bus that is somehow different.
    pub(super) fn over(nodes: u64, change: impl Fn(MemoryBus) -> MemoryBus) -> Self {
        let now = Instant::from_secs(1_000);
        let mut cluster = Self {
            now,
            bus: change(MemoryBus::new(now)),
            nodes: Vec::new(),
            ways: Vec::new(),
            told: Vec::new(),
            appends: 0,
        };
        for name in 1..=nodes {
            cluster.start(name);
            cluster.wait(50);
        }
        cluster.told.iter_mut().for_each(Vec::clear);
        cluster
    }

    pub(super) fn start(&mut self, name: u64) -> usize {
        let mut node = Node::new(NodeOptions::new(name));
        // Nothing is too old, however long nobody owns the room.
        let builder = RoomConfig::builder(UserId(1)).rate(100).burst(100);
        let config = builder.fresh_within(PerLevel([None; 4])).build().expect("valid");
        node.handle(self.now, Input::Open { room: ROOM, config: Box::new(config) });
        self.nodes.push(Some(node));
        self.ways.push(Way::Open);
        self.told.push(Vec::new());
        self.settle();
        self.nodes.len() - 1
    }

    pub(super) fn node(&mut self, at: usize) -> &mut Node<String> {
        self.nodes[at].as_mut().expect("it lives")
    }

    pub(super) fn handle(&mut self, at: usize, input: Input<String>) {
        let now = self.now;
        self.node(at).handle(now, input);
        self.settle();
    }

    /// Everything that is wanted now is done.
    pub(super) fn settle(&mut self) {
        loop {
            let mut is_done = true;
            for at in 0..self.nodes.len() {
                let Some(node) = &mut self.nodes[at] else { continue };
                while let Some(output) = node.poll_output() {
                    is_done = false;
                    match output {
                        Output::Bus(call, request) => {
                            self.appends += usize::from(matches!(request, Request::Append { .. }));
                            if self.ways[at] != Way::Cut {
                                let client = ClientId(at as u64);
                                self.bus.request(self.now, client, call, request);
                            }
                        }
                        other => self.told[at].push(other),
                    }
                }
            }
            while let Some((client, from)) = self.bus.poll() {
                is_done = false;
                let at = usize::try_from(client.0).expect("small");
                let is_lost = match (self.ways[at], &from) {
                    (Way::Cut, _)
                    | (Way::Deaf | Way::NoPushes, FromBus::Push(Push::Record { .. })) => true,
                    (Way::Deaf | Way::NoAnswers, FromBus::Answer(_, Answer::Done(at))) => {
                        *at > 1_000_000
                    }
                    _ => false,
                };
                if let (Some(node), false) = (&mut self.nodes[at], is_lost) {
                    node.handle(self.now, Input::Bus(from));
                }
            }
            if is_done {
                return;
            }
        }
    }

    pub(super) fn wait(&mut self, millis: u32) {
        for _ in 0..millis {
            self.now = self.now + MILLI;
            self.bus.handle_timeout(self.now);
            for at in 0..self.nodes.len() {
                let now = self.now;
                let due = self.nodes[at]
                    .as_mut()
                    .filter(|node| node.poll_timeout().is_some_and(|at| at <= now));
                if let Some(node) = due {
                    node.handle(now, Input::Timeout);
                }
            }
            self.settle();
        }
    }

    pub(super) fn message(&self, text: &str) -> EdgeMessage<String> {
        EdgeMessage::new(MessageId(0), Sender::User(UserId(7)), self.now, text.to_owned())
    }

    pub(super) fn forward(&mut self, at: usize, message: EdgeMessage<String>) {
        self.handle(at, Input::Forward { room: ROOM, message: Box::new(message) });
    }

    pub(super) fn say(&mut self, at: usize, text: &str) {
        let message = self.message(text);
        self.forward(at, message);
    }

    pub(super) fn owner(&self) -> Option<usize> {
        let owns = |node: &Node<String>| node.owner(ROOM).is_some();
        self.nodes.iter().position(|node| node.as_ref().is_some_and(owns))
    }

    pub(super) fn kill(&mut self, at: usize) {
        self.nodes[at] = None;
        self.bus.disconnect(ClientId(at as u64));
    }

    /// The numbers and texts that came to an edge, in order.
    pub(super) fn texts(&self, at: usize) -> Vec<(u64, String)> {
        let flights = self.told[at].iter().filter_map(|output| match output {
            Output::Flight { handed, .. } => Some(handed),
            _ => None,
        });
        let messages = flights.flat_map(HandOver::messages);
        messages.map(|message| (message.seq.0, message.payload.clone())).collect()
    }

    pub(super) fn fates(&self, at: usize) -> Vec<(String, Outcome)> {
        let fates = self.told[at].iter().filter_map(|output| match output {
            Output::Fate { message, outcome, .. } => Some((message.payload.clone(), *outcome)),
            _ => None,
        });
        fates.collect()
    }

    pub(super) fn commanded(&self, at: usize) -> Vec<(u64, Outcome)> {
        let all = self.told[at].iter().filter_map(|output| match output {
            Output::Commanded { tag, outcome, .. } => Some((*tag, *outcome)),
            _ => None,
        });
        all.collect()
    }

    pub(super) fn events(&self, at: usize) -> Vec<Event> {
        let events = self.told[at].iter().filter_map(|output| match output {
            Output::Event(event) => Some(*event),
            _ => None,
        });
        events.collect()
    }

    pub(super) fn command(&mut self, at: usize, tag: u64, actor: Actor, command: Command) {
        self.handle(at, Input::Command { room: ROOM, tag, actor, command });
    }
}

pub(super) fn out(seq: u64) -> Outcome {
    Outcome::Decided(Decided::Dispatched { seq: Seq(seq) })
}

pub(super) fn numbered(texts: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(texts.iter().map(|text| (*text).to_owned())).collect()
}
