//! Nodes of a cluster over a bus in memory, in virtual time, with everything that goes wrong on the
//! way between them: drawn from a number, and the same for the same number on every machine.

mod ages;
mod end;
mod halves;
mod machine;
mod oracle;
mod orders;
mod place;
mod plan;
mod random;
mod seen;
mod way;

use ages::Ages;
use machine::Machine;
use oracle::{Oracle, Rate, WITHIN};
use orders::Orders;
use place::{Place, ROOM, Words};
use random::Random;
use roomcast_cluster::bus::{Bus, CallId, ClientId, FromBus, MemoryBus, Push, Request};
use roomcast_cluster::proto::{Event, Input, Node, Outcome, Output};
use roomcast_cluster::wire::{Command, Decided};
use roomcast_core::time::Duration;
use roomcast_core::{Actor, Instant, PerLevel, RoomConfig, UserId};
pub(crate) use seen::Seen;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) type Text = Arc<str>;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// Until when things go wrong, and until when everything has come to its end.
const TROUBLE: u64 = 16 * SECOND;
const END: u64 = TROUBLE + 16 * SECOND;

/// How bad the way to the bus is, in thousands, and in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Net {
    lost: u64,
    twice: u64,
    held: u64,
    delay: u64,
}

/// Something that is going to happen.
#[derive(Debug)]
enum Due {
    ToBus(ClientId, Option<CallId>, Request),
    ToNode(usize, ClientId, FromBus),
    Timer(usize, u64),
    /// The host of each edge does what is due, and everyone reads.
    Look(usize),
    Say(usize, Words),
    Command(usize, Command),
    Cut(usize, u64),
    Pause(usize, u64),
    Kill(usize, u64),
    Boot(usize),
    /// The room is opened again at a machine.
    Open(usize),
    HandOver(usize),
    /// It retires, leaves, stops, and is started again at that time.
    Retire(usize, u64),
    Leave(usize, u64, u64),
    LoseLogs,
    BusTimer,
}

struct World {
    random: Random,
    net: Net,
    bus: MemoryBus,
    machines: Vec<Machine>,
    config: RoomConfig,
    at: u64,
    numbers: u64,
    due: BTreeMap<(u64, u64), Due>,
    oracle: Oracle,
    ages: Ages,
    orders: Orders,
    /// At which machine, start and edge each message was said.
    said_at: BTreeMap<u64, (usize, u64, u64)>,
    /// Edges that died, by their node's incarnation, with what the node had not heard the fate of.
    gained_by_dead: i64,
    seen: Seen,
    is_traced: bool,
}

/// A life.
pub(crate) fn run(number: u64) -> Result<Seen, String> {
    let mut world = World::new(number);
    world.plan();
    while let Some(((at, _), due)) = world.due.pop_first() {
        if at > END {
            break;
        }
        world.at = at;
        world
            .happens(due)
            .and_then(|()| world.oracle.check())
            .map_err(|fault| format!("life {number}, after {} ms: {fault}", at / MILLI))?;
    }
    world.at = END;
    world.finish().map_err(|fault| format!("life {number}, in the end: {fault}"))
}

impl World {
    fn new(number: u64) -> Self {
        let mut random = Random::new(number);
        let is_quiet = random.per_mille(100);
        let most =
            |random: &mut Random, most: u64| if is_quiet { 0 } else { random.below(most + 1) };
        let net = Net {
            lost: most(&mut random, 80),
            twice: most(&mut random, 60),
            held: most(&mut random, 6),
            delay: random.between(1, 30) * MILLI,
        };
        let late = Duration::from_nanos(random.below(3) * random.below(SECOND));
        let machines = random.between(2, 4);
        let is_skewed = random.per_mille(700);
        let machines = (1..=machines).map(|name| Machine::new(name, &mut random, is_skewed));
        let machines: Vec<Machine> = machines.collect();
        let rate = u32::try_from(random.between(5, 40)).unwrap_or(5);
        let builder = RoomConfig::builder(UserId(99)).rate(rate).burst(rate);
        let config = builder.fresh_within(PerLevel([Some(WITHIN); 4])).build();
        Self {
            net,
            bus: MemoryBus::new(Instant::from_nanos(0)).lapsing_late(late),
            machines,
            config: config.expect("valid settings"),
            at: 0,
            numbers: 0,
            due: BTreeMap::new(),
            oracle: Oracle::new(Rate::new(rate, !is_skewed)),
            ages: Ages::default(),
            orders: Orders::default(),
            said_at: BTreeMap::new(),
            gained_by_dead: 0,
            seen: Seen::default(),
            is_traced: std::env::var_os("ROOMCAST_TRACE").is_some(),
            random,
        }
    }

    fn later(&mut self, at: u64, due: Due) {
        self.numbers += 1;
        self.due.insert((at.max(self.at), self.numbers), due);
    }

    /// Shows what happens, where the environment asks for it.
    fn trace(&self, what: std::fmt::Arguments<'_>) {
        if self.is_traced {
            eprintln!("{:>9.3} {what}", self.at as f64 / 1e9);
        }
    }

    fn happens(&mut self, due: Due) -> Result<(), String> {
        if !matches!(
            due,
            Due::ToBus(..) | Due::ToNode(..) | Due::Timer(..) | Due::Look(_) | Due::BusTimer
        ) {
            self.trace(format_args!("{due:?}"));
        }
        match due {
            Due::ToBus(client, call, request) => {
                self.bus_hears(client, call, request)?;
            }
            Due::ToNode(machine, client, from) => {
                if self.machines[machine].client() == client {
                    let paused_until = self.machines[machine].paused_until;
                    if paused_until > self.at {
                        self.later(paused_until, Due::ToNode(machine, client, from));
                    } else {
                        self.hears(machine, &from);
                        self.call(machine, Input::Bus(from))?;
                    }
                }
            }
            Due::Timer(machine, at) => {
                if self.machines[machine].timer_at == at {
                    self.machines[machine].timer_at = u64::MAX;
                    let paused_until = self.machines[machine].paused_until;
                    if paused_until > self.at {
                        self.set_timer(machine, paused_until);
                    } else {
                        self.call(machine, Input::Timeout)?;
                    }
                }
            }
            Due::Look(machine) => self.look(machine)?,
            Due::Say(machine, words) => self.say(machine, words)?,
            Due::Command(machine, command) => {
                self.numbers += 1;
                let (room, tag, actor) = (ROOM, self.numbers, Actor::Host);
                if self.machines[machine].place.is_some() && !self.is_paused(machine) {
                    let its = &self.machines[machine];
                    self.orders.given(tag, &command, (machine, its.start, its.again));
                    self.call(machine, Input::Command { room, tag, actor, command })?;
                }
            }
            Due::Cut(machine, until) => self.machines[machine].cut_until = until,
            Due::Pause(machine, until) => self.machines[machine].paused_until = until,
            Due::Kill(machine, until) => self.kill(machine, until)?,
            Due::Boot(machine) => self.boot(machine)?,
            Due::Open(machine) => self.open(machine)?,
            Due::HandOver(machine) => {
                let others = self.machines.iter().filter(|other| {
                    other.place.is_some() && other.name != self.machines[machine].name
                });
                if let Some(to) = others.map(|other| other.name).next() {
                    let owns = |node: &Node<Text>| node.owner(ROOM).is_some();
                    let mut machines = self.machines.iter();
                    let owner = machines.position(|all| all.node.as_ref().is_some_and(owns));
                    if let Some(owner) = owner.filter(|owner| !self.is_paused(*owner)) {
                        self.seen.handed_over += 1;
                        self.call(owner, Input::HandOver { room: ROOM, to })?;
                    }
                }
            }
            Due::Retire(machine, until) => {
                let start = self.machines[machine].start;
                if self.machines[machine].node.is_some() && !self.is_paused(machine) {
                    self.seen.retired += 1;
                    self.call(machine, Input::Retire)?;
                    let at = self.at + self.random.between(5 * MILLI, SECOND);
                    self.later(at, Due::Leave(machine, start, until));
                }
            }
            Due::Leave(machine, start, until) => {
                if self.machines[machine].start == start && !self.is_paused(machine) {
                    // Its edge is closed with what waits there.
                    if let Some(place) = self.machines[machine].place.take() {
                        self.gained_by_dead += place.gained;
                        self.call(machine, Input::Close { room: ROOM })?;
                    }
                    self.call(machine, Input::Leave)?;
                    let at = self.at + 100 * MILLI;
                    self.later(at, Due::Kill(machine, until.max(at)));
                }
            }
            Due::LoseLogs => {
                self.seen.losses += 1;
                self.oracle.losses += 1;
                self.bus.lose_logs(Instant::from_nanos(self.at));
            }
            Due::BusTimer => {
                self.bus.handle_timeout(Instant::from_nanos(self.at));
                self.bus_says();
            }
        }
        Ok(())
    }

    fn is_paused(&self, machine: usize) -> bool {
        self.machines[machine].paused_until > self.at
    }

    fn boot(&mut self, machine: usize) -> Result<(), String> {
        self.machines[machine].boot();
        self.ages.forgets(machine);
        self.open(machine)?;
        self.later(self.at + 20 * MILLI, Due::Look(machine));
        Ok(())
    }

    fn open(&mut self, machine: usize) -> Result<(), String> {
        let config = Box::new(self.config.clone());
        self.call(machine, Input::Open { room: ROOM, config })
    }

    fn kill(&mut self, machine: usize, until: u64) -> Result<(), String> {
        let its = &mut self.machines[machine];
        if its.node.take().is_none() {
            return Ok(());
        }
        self.seen.kills += 1;
        self.bus.disconnect(its.client());
        if let Some(mut place) = its.place.take() {
            place.books(its.now(self.at))?;
            // What waits there dies with it.
            place.waiting();
            self.gained_by_dead += place.gained;
        }
        self.later(until, Due::Boot(machine));
        Ok(())
    }

    fn say(&mut self, machine: usize, words: Words) -> Result<(), String> {
        let its = &mut self.machines[machine];
        let (now, start, again) = (its.now(self.at), its.start, its.again);
        if its.paused_until > self.at {
            return Ok(());
        }
        let (Some(place), Some(node)) = (&mut its.place, &mut its.node) else { return Ok(()) };
        self.seen.said += 1;
        self.said_at.insert(words.tag, (machine, start, again));
        place.say(now, words, &mut self.oracle);
        place.run(now, node, &mut self.oracle);
        self.after(machine)
    }

    fn look(&mut self, machine: usize) -> Result<(), String> {
        let its = &mut self.machines[machine];
        let now = its.now(self.at);
        if its.node.is_none() {
            return Ok(());
        }
        if its.paused_until <= self.at
            && let (Some(place), Some(node)) = (&mut its.place, &mut its.node)
        {
            place.run(now, node, &mut self.oracle);
            place.read(now, &mut self.oracle)?;
            place.books(now)?;
            let books = Box::new(place.edge_books(now));
            node.handle(now, Input::Books { room: ROOM, books });
            self.after(machine)?;
        }
        self.later(self.at + 40 * MILLI, Due::Look(machine));
        Ok(())
    }

    /// What a node hears of another's lease says how far its clock is from its own.
    fn hears(&mut self, machine: usize, from: &FromBus) {
        if let FromBus::Push(Push::Key { key, value, .. }) = from {
            let machines = &self.machines;
            let at = |its: usize, now| machines[its].at(now);
            self.ages.heard(machine, (*key, value.as_deref()), self.at, at);
        }
    }

    /// Something comes to a node.
    fn call(&mut self, machine: usize, input: Input<Text>) -> Result<(), String> {
        let its = &mut self.machines[machine];
        let now = its.now(self.at);
        let Some(node) = &mut its.node else { return Ok(()) };
        node.handle(now, input);
        self.after(machine)
    }

    /// What a node wants is done.
    fn after(&mut self, machine: usize) -> Result<(), String> {
        while let Some(output) = self.machines[machine].node.as_mut().and_then(Node::poll_output) {
            self.does(machine, output)?;
        }
        let its = &self.machines[machine];
        if let Some(due) = its.node.as_ref().and_then(Node::poll_timeout) {
            let at = its.at(due).max(self.at + 1);
            self.set_timer(machine, at);
        }
        Ok(())
    }

    fn set_timer(&mut self, machine: usize, at: u64) {
        if at < self.machines[machine].timer_at {
            self.machines[machine].timer_at = at;
            self.later(at, Due::Timer(machine, at));
        }
    }

    fn does(&mut self, machine: usize, output: Output<Text>) -> Result<(), String> {
        match &output {
            Output::Bus(call, request) => {
                self.trace(format_args!("{machine} asks {call:?} {}", short(request)));
            }
            Output::Flight { handed, .. } => {
                self.trace(format_args!("{machine} takes a flight up to {}", handed.through()));
            }
            Output::Fate { message, outcome, .. } => {
                self.trace(format_args!("{machine} hears of {}: {outcome:?}", message.payload));
            }
            Output::Opened { heads, again, .. } => {
                self.trace(format_args!("{machine} opens at {heads:?}, again: {again}"));
            }
            Output::Event(event) => self.trace(format_args!("{machine} says: {event}")),
            _ => {}
        }
        let its = &mut self.machines[machine];
        let now = its.now(self.at);
        match output {
            Output::Bus(call, request) => self.send(machine, call, &request),
            Output::Opened { heads, life, state, lasting, again, .. } => {
                if again != its.place.is_some() {
                    return Err(format!("an edge is opened, again: {again}"));
                }
                if again {
                    if self.oracle.losses == 0 {
                        return Err("an edge is opened again, and no log was lost".into());
                    }
                    its.again += 1;
                    self.seen.again += 1;
                    self.gained_by_dead += its.place.as_ref().map_or(0, |place| place.gained);
                }
                let config = lasting.configuration(&self.config);
                its.place =
                    Some(Place::open(&config, now, its.name, heads, life, (state, &lasting)));
            }
            Output::Flight { handed, .. } => {
                self.ages.handed_on(machine, &handed, (self.at, now))?;
                let place = its.place.as_mut().ok_or("a flight for no edge")?;
                if self.oracle.losses > 0 {
                    // What is missing in a log that was lost counts as overrun, if it is read much later.
                    place.read_all(now, &mut self.oracle)?;
                }
                let lost = place.take(now, handed)?;
                // However much comes at once, nobody falls out of the edge's own log.
                place.read(now, &mut self.oracle)?;
                if lost > 0 {
                    self.trace(format_args!("{machine} misses {lost}"));
                }
            }
            Output::Known { state, lasting, .. } => {
                if let (Some(place), Some(node)) = (&mut its.place, &mut its.node) {
                    place.hand_on_counts(now, node);
                    place.know(now, state, lasting.as_deref())?;
                }
            }
            Output::Withdrawn { what, .. } => {
                let place = its.place.as_mut().ok_or("something is taken back for no edge")?;
                self.seen.withdrawn += place.withdraw(now, what)?;
            }
            Output::Direct { to, direct, .. } => {
                let place = its.place.as_mut().ok_or("a direct message for no edge")?;
                place.send_direct(now, to, &direct)?;
                place.read(now, &mut self.oracle)?;
            }
            Output::Closed { .. } => {
                let place = its.place.take().ok_or("no edge is closed")?;
                // What has not gone to the node ends with the edge.
                (its.again, self.seen.closed) = (its.again + 1, self.seen.closed + 1);
                self.gained_by_dead += place.gained;
                let at = self.at + self.random.below(SECOND);
                self.later(at, Due::Open(machine));
            }
            Output::Commanded { tag, outcome, .. } => self.orders.told(tag, outcome)?,
            Output::Fate { message, outcome, .. } => {
                self.oracle.told_by_room(&message, outcome);
                self.seen.lost += u64::from(outcome == Outcome::Lost);
                let went_out = matches!(
                    outcome,
                    Outcome::Decided(Decided::Dispatched { .. } | Decided::Merged { .. })
                );
                if let (Some(place), false) = (&mut its.place, went_out) {
                    place.edge.not_dispatched(&message.forwarded());
                }
            }
            Output::Event(Event::Started { incarnation }) => {
                self.ages.started(incarnation, machine);
            }
            Output::Event(Event::Owns { .. }) => self.seen.owners += 1,
            Output::Event(Event::Unreadable { .. }) => return Err("a record is unreadable".into()),
            _ => {}
        }
        Ok(())
    }
}

/// A request in few words.
fn short(request: &Request) -> String {
    match request {
        Request::Append { expected, bytes, .. } => {
            let flight = roomcast_cluster::wire::Flight::<Text>::decode(
                bytes,
                &mut roomcast_cluster::wire::Numbers,
            );
            let flight = flight.map(|all| {
                let texts = all.messages.iter().map(|sent| sent.parts.payload.as_ref());
                format!(
                    "epoch {} number {} heads {:?} with {:?}, seen {:?}",
                    all.epoch,
                    all.number,
                    all.continued.heads.0,
                    texts.collect::<Vec<_>>(),
                    all.edges
                )
            });
            format!("append behind {expected}: {flight:?}")
        }
        Request::Put { key, expected, .. } => format!("put {key:?} at {expected}"),
        Request::Send { .. } => "send".into(),
        other => format!("{other:?}"),
    }
}
