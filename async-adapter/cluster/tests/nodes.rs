//! Nodes that chat through the death of the owner: over a bus of one process, and over a real server, the
//! engine that the protocol was made for.

#[cfg(feature = "nats")]
mod server;

use roomcast_cluster::bus::{Connection, LocalBus};
#[cfg(feature = "nats")]
use roomcast_cluster::bus::{NatsBus, NatsOptions};
use roomcast_cluster::drive::Driver;
use roomcast_cluster::proto::{Event, Input, Node, NodeOptions, Outcome, Output};
use roomcast_cluster::wire::Decided;
use roomcast_core::admission::Received;
use roomcast_core::ids::{Seq, SessionKind};
use roomcast_core::{
    Audience, Budget, Edge, Group, Item, PerLevel, Publish, RoomConfig, RoomId, SessionId, Source,
    UserId,
};
#[cfg(feature = "nats")]
use server::Server;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const ROOM: RoomId = RoomId(42);
const LEASE: Duration = Duration::from_secs(2);
/// For what has to come, however busy the machine.
const LONG: Duration = Duration::from_secs(60);

/// What is heard of a node.
#[derive(Debug)]
enum Heard {
    Open,
    Owns,
    /// What a member there reads: the number, and what was said.
    Reads(u64, String),
    /// The fate of what was said there.
    Fate(String, Outcome),
    /// A member there was told that something is missing.
    Gap,
}

/// An edge of the room, and two members at it.
struct Place {
    edge: Edge<String>,
    audience: Audience<String>,
    speaker: SessionId,
    reader: SessionId,
}

/// A node in a task of its own, with an edge of the room.
struct Machine {
    task: JoinHandle<()>,
    say: mpsc::UnboundedSender<String>,
}

/// What the nodes talk over.
enum Over {
    Local(LocalBus),
    #[cfg(feature = "nats")]
    Nats(String),
}

/// The machines, and what has been heard of them.
struct Cluster {
    over: Over,
    tell: mpsc::UnboundedSender<(u64, Heard)>,
    hear: mpsc::UnboundedReceiver<(u64, Heard)>,
    machines: BTreeMap<u64, Machine>,
    /// Who has come to own the room, one after the other.
    owners: Vec<u64>,
    reads: BTreeMap<u64, Vec<(u64, String)>>,
    fates: BTreeMap<String, Outcome>,
}

impl Cluster {
    async fn new(over: Over, nodes: u64) -> Self {
        let (tell, hear) = mpsc::unbounded_channel();
        let mut cluster = Self {
            over,
            tell,
            hear,
            machines: BTreeMap::new(),
            owners: Vec::new(),
            reads: BTreeMap::new(),
            fates: BTreeMap::new(),
        };
        for name in 1..=nodes {
            cluster.start(name).await;
        }
        cluster
    }

    /// Starts a node, and waits until the room is open there.
    async fn start(&mut self, name: u64) {
        let (say, said) = mpsc::unbounded_channel();
        let tell = self.tell.clone();
        let task = match &self.over {
            Over::Local(bus) => tokio::spawn(live(name, driver(name, bus.connect()), said, tell)),
            #[cfg(feature = "nats")]
            Over::Nats(address) => {
                let bus = NatsBus::connect(address, NatsOptions::new()).await.expect("a server");
                tokio::spawn(live(name, driver(name, bus), said, tell))
            }
        };
        self.machines.insert(name, Machine { task, say });
        while !matches!(self.next().await, (its, Heard::Open) if its == name) {}
    }

    /// Ends it in the middle of whatever it does.
    async fn kill(&mut self, name: u64) {
        let machine = self.machines.remove(&name).expect("it lives");
        machine.task.abort();
        assert!(machine.task.await.expect_err("it goes on for ever").is_cancelled());
    }

    fn say(&self, name: u64, text: &str) {
        self.machines[&name].say.send(text.to_owned()).expect("it lives");
    }

    async fn next(&mut self) -> (u64, Heard) {
        let heard = timeout(LONG, self.hear.recv()).await.expect("it goes on").expect("it lives");
        match &heard {
            (name, Heard::Owns) => self.owners.push(*name),
            (name, Heard::Reads(seq, text)) => {
                self.reads.entry(*name).or_default().push((*seq, text.clone()));
            }
            (_, Heard::Fate(text, outcome)) => {
                let before = self.fates.insert(text.clone(), *outcome);
                assert_eq!(before, None, "{text} has one fate");
            }
            (name, Heard::Gap) => panic!("something is missing at {name}"),
            (_, Heard::Open) => {}
        }
        heard
    }

    /// Until so many have been told what became of what they said.
    async fn until_told(&mut self, messages: usize) {
        while self.fates.len() < messages {
            self.next().await;
        }
    }

    /// Until the member there has read so much.
    async fn until_read(&mut self, name: u64, messages: usize) {
        while self.reads.get(&name).map_or(0, Vec::len) < messages {
            self.next().await;
        }
    }
}

fn driver<B: Connection>(name: u64, bus: B) -> Driver<String, B> {
    let mut options = NodeOptions::new(name);
    options.lease = LEASE;
    Driver::new(Node::new(options), bus)
}

/// What a node does, and its edge, and the members at it.
async fn live<B: Connection>(
    name: u64,
    mut driver: Driver<String, B>,
    mut said: mpsc::UnboundedReceiver<String>,
    tell: mpsc::UnboundedSender<(u64, Heard)>,
) {
    // Nothing is too old, however long nobody owns the room.
    let builder = RoomConfig::builder(UserId(1)).rate(100).burst(100);
    let config = builder.fresh_within(PerLevel([None; 4])).build().expect("valid");
    driver.handle(Input::Open { room: ROOM, config: Box::new(config.clone()) });
    let mut place: Option<Place> = None;
    let tell = move |heard| tell.send((name, heard)).expect("the test goes on");
    loop {
        let output = tokio::select! {
            Some(text) = said.recv() => {
                let Place { edge, speaker, .. } = place.as_mut().expect("it is open");
                let publish = Publish::new(Source::Session(*speaker), text);
                let receipt = edge.publish(driver.now(), publish).expect("it is let in");
                assert_eq!(receipt.outcome, None, "only the owner knows");
                None
            }
            output = driver.next() => Some(output.expect("a connection")),
            // What waits at the edge is looked at now and then.
            () = tokio::time::sleep(Duration::from_millis(5)) => None,
        };
        let now = driver.now();
        match output {
            Some(Output::Opened { heads, life, state, again: false, .. }) => {
                let mut edge = Edge::opened_at(&config, heads).with_life(life);
                edge.import(now, state).expect("it is of a room like this");
                let whole =
                    roomcast_core::shard_index::ShardIndex::new(0, 1).expect("the only one");
                let mut audience = Audience::shard(&config, whole, heads).with_life(life);
                // Nobody is handed what they said themselves: one speaks, and another one reads.
                let mut join = || audience.join(SessionKind::User, Group::default(), None);
                let [speaker, reader] =
                    [join(), join()].map(|joined| joined.expect("space").session);
                edge.add_session(now, UserId(100 + name), speaker);
                edge.add_session(now, UserId(200 + name), reader);
                place = Some(Place { edge, audience, speaker, reader });
                tell(Heard::Open);
            }
            Some(Output::Flight { handed, .. }) => {
                let Place { edge, audience, reader, .. } = place.as_mut().expect("it is open");
                assert!(
                    matches!(edge.receive(handed), Received::Taken(_) | Received::Known),
                    "it fits"
                );
                assert_eq!(edge.missing(), None, "nothing is lost");
                audience.take_over_at(now, edge.hand_over(audience.applied()));
                let through = edge.dispatched();
                edge.release_through(through);
                while let Ok(Some(batch)) = audience.next_batch(now, *reader, Budget::default()) {
                    for item in batch.items() {
                        tell(match item {
                            Item::Message(message) => {
                                Heard::Reads(message.seq.0, message.payload.clone())
                            }
                            _ => Heard::Gap,
                        });
                    }
                }
            }
            Some(Output::Fate { message, outcome, .. }) => {
                tell(Heard::Fate(message.payload.clone(), outcome));
            }
            Some(Output::Event(Event::Owns { .. })) => tell(Heard::Owns),
            Some(Output::Opened { .. }) => panic!("the log was not lost"),
            _ => {}
        }
        let Some(Place { edge, .. }) = &mut place else { continue };
        edge.handle_timeout(now);
        while driver.node().window(ROOM) > 0 {
            let Some(message) = edge.poll_message() else { break };
            driver.handle(Input::Forward { room: ROOM, message: Box::new(message) });
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_one_process_chat_through_the_death_of_the_owner() {
    chat_through_the_death_of_the_owner(Over::Local(LocalBus::new())).await;
}

#[cfg(feature = "nats")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_chat_through_the_death_of_the_owner() {
    let Some(server) = Server::start() else { return };
    chat_through_the_death_of_the_owner(Over::Nats(server.address())).await;
}

/// Members at two nodes, of which one owns the room and dies while they talk, and a third one comes.
async fn chat_through_the_death_of_the_owner(over: Over) {
    let mut cluster = Cluster::new(over, 2).await;
    for n in 0..20 {
        cluster.say(1 + n % 2, &format!("before {n}"));
    }
    cluster.until_read(1, 20).await;
    cluster.until_read(2, 20).await;
    cluster.until_told(20).await;
    assert_eq!(cluster.reads[&1], cluster.reads[&2]);

    // Nobody says anything for longer than a lease lasts, and all stays as it is.
    tokio::time::sleep(LEASE * 3 / 2).await;
    cluster.say(1, "is anybody there");
    cluster.until_read(2, 21).await;
    cluster.until_told(21).await;
    let [owner] = cluster.owners[..] else { panic!("{:?}", cluster.owners) };
    let other = 3 - owner;
    for n in 0..10 {
        cluster.say(other, &format!("at its death {n}"));
    }
    cluster.kill(owner).await;
    for n in 0..10 {
        cluster.say(other, &format!("after it {n}"));
    }
    cluster.until_read(other, 41).await;
    cluster.start(3).await;
    cluster.say(3, "here I am");
    cluster.until_read(3, 1).await;
    cluster.until_read(other, 42).await;
    assert_eq!(cluster.owners, [owner, other]);

    // One number after the other, each message once, and who said it was told that number.
    let reads = cluster.reads[&other].clone();
    let numbers: Vec<u64> = reads.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, (1..=42).collect::<Vec<_>>());
    assert_eq!(cluster.reads[&3], reads[41..]);
    cluster.until_told(42).await;
    for (seq, text) in reads {
        let told = Outcome::Decided(Decided::Dispatched { seq: Seq(seq) });
        assert_eq!(cluster.fates[&text], told, "{text}");
    }
}
