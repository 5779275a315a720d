//! Edges in front of a room whose owners come and go, and flights from it that are lost, repeated and
//! reordered (clauses B17 and B20), beside what has to hold whatever happens: every message has one
//! fate, numbers and positions have no hole, the room's rate holds over all owners, nothing goes out
//! older than it may, what was said once is not said twice, and a member gets what went out, in
//! order, or is told how much not.

mod call;
mod side;

pub use call::{Call, Sequence};

use crate::oracle::tokens::Tokens;
use crate::violation::{Check, Law, Violation, same};
use roomcast_core::admission::Received;
use roomcast_core::config::RoomConfigBuilder;
use roomcast_core::handover::HandOver;
use roomcast_core::ids::{CorrelationId, Seq};
use roomcast_core::ledger::{DropReason, Ledger, RefusalReason};
use roomcast_core::message::{DedupKey, EdgeMessage, MessageParts, OutcomeSink, Sender};
use roomcast_core::time::Duration;
use roomcast_core::{
    Admission, Budget, Event, Instant, Item, Message, Outcome, PerLevel, Priority, Publish,
    RoomConfig, SessionId, Source, UserId,
};
use side::Side;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How long a message may wait, at its edge and at the room together.
const WITHIN: Duration = Duration::from_millis(700);

/// The tag of what an edge tells the outcome of.
type Tag = u64;

struct Place {
    side: Side,
    /// What waits for the room, and what the room has and has not decided on.
    waiting: VecDeque<EdgeMessage<Arc<str>>>,
    undecided: BTreeMap<Tag, EdgeMessage<Arc<str>>>,
    /// What each session has read of each level, up to where.
    read: [PerLevel<u64>; 2],
    missed: [PerLevel<u64>; 2],
    /// How often something was missing for good.
    holes: usize,
}

struct World {
    config: RoomConfig,
    owner: Admission<Arc<str>>,
    owners: u64,
    places: Vec<Place>,
    flights: Vec<HandOver<Arc<str>>>,
    /// All that went out.
    stream: Vec<Arc<Message<Arc<str>>>>,
    rate: Tokens,
    fates: BTreeMap<Tag, Option<Outcome>>,
    /// What the host said at the owner that is.
    hosts: BTreeSet<Tag>,
    said: BTreeSet<(Sender, u64)>,
    keys: BTreeMap<String, (Sender, u64)>,
    /// When each message was let in, here or there.
    let_in: BTreeMap<String, Instant>,
    /// By whom it was said, of those who sit at an edge.
    speakers: BTreeMap<String, (usize, SessionId)>,
    now: u64,
    tags: Tag,
}

fn level(at: u8) -> Priority {
    Priority::ALL[usize::from(at % 4)]
}

impl Place {
    fn new(config: &RoomConfig, index: u32, is_hub: bool, now: Instant) -> Option<Self> {
        let users = [UserId(10 + u64::from(index)), UserId(1)];
        let side = if is_hub {
            Side::hub(config, now, users)?
        } else {
            Side::halves(config, index, now, users)?
        };
        let (waiting, undecided) = (VecDeque::new(), BTreeMap::new());
        let (read, missed) = ([PerLevel::default(); 2], [PerLevel::default(); 2]);
        Some(Self { side, waiting, undecided, read, missed, holes: 0 })
    }
}

impl World {
    fn new(sequence: &Sequence) -> Option<Self> {
        let rate = u32::from(sequence.rate % 8) + 1;
        let builder: RoomConfigBuilder = RoomConfig::builder(UserId(99)).rate(rate).burst(rate);
        let config = builder.fresh_within(PerLevel([Some(WITHIN); 4])).build().ok()?;
        let now = Instant::from_millis(10_000);
        Some(Self {
            owner: Admission::new(&config),
            owners: 1,
            places: vec![
                Place::new(&config, 0, false, now)?,
                Place::new(&config, 1, sequence.rate >= 128, now)?,
            ],
            flights: Vec::new(),
            stream: Vec::new(),
            rate: Tokens::new(rate, 1_000_000_000, rate),
            fates: BTreeMap::new(),
            hosts: BTreeSet::new(),
            said: BTreeSet::new(),
            keys: BTreeMap::new(),
            let_in: BTreeMap::new(),
            speakers: BTreeMap::new(),
            now: 10_000,
            tags: 0,
            config,
        })
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// A message has its fate: its only one.
    fn decide(&mut self, tag: Tag, outcome: Outcome) -> Check {
        let before = self.fates.insert(tag, Some(outcome));
        same(
            Law::L12OneFate,
            format_args!("the fate of {tag} before it has one"),
            Some(None),
            before,
        )?;
        let now = self.now();
        for place in &mut self.places {
            let Some(message) = place.undecided.remove(&tag) else { continue };
            // Whoever said it hears of it at its edge, once.
            let told = place.side.resolve(now, &message, outcome);
            let told: Vec<_> = told.into_iter().filter_map(outcome_of).collect();
            same(Law::L12OneFate, "what an edge tells of it", vec![(tag, outcome)], told)?;
        }
        Ok(())
    }

    fn publish(&mut self, at: Option<usize>, who: usize, at_level: Priority, key: u8) -> Check {
        let now = self.now();
        self.tags += 1;
        let tag = self.tags;
        let source =
            at.map_or(Source::Host, |place| Source::Session(self.places[place].side.session(who)));
        let mut publish = Publish::new(source, Arc::from(tag.to_string())).priority(at_level);
        publish = publish.outcome_sink(OutcomeSink::Event(CorrelationId(tag)));
        if key < 8 {
            publish = publish.dedup_key(DedupKey(key.into()));
            let user = match (at, who) {
                (None, _) => Sender::Host,
                (Some(place), 0) => Sender::User(UserId(10 + place as u64)),
                _ => Sender::User(UserId(1)),
            };
            self.keys.insert(tag.to_string(), (user, key.into()));
        }
        self.let_in.insert(tag.to_string(), now);
        if let (Some(place), Source::Session(session)) = (at, publish.source) {
            self.speakers.insert(tag.to_string(), (place, session));
        }
        let answer = match at {
            Some(place) => self.places[place].side.publish(now, publish),
            None => self.owner.publish(now, publish),
        };
        if let Ok(receipt) = answer {
            self.fates.insert(tag, None);
            self.hosts.extend(at.is_none().then_some(tag));
            if let Some(outcome) = receipt.outcome {
                self.decide(tag, outcome)?;
            }
        }
        self.settle()
    }

    /// What an edge has let in is offered to the room.
    fn offer(&mut self, place: usize, message: EdgeMessage<Arc<str>>) -> Check {
        let now = self.now();
        let OutcomeSink::Event(CorrelationId(tag)) = message.outcome_sink else { return Ok(()) };
        self.places[place].undecided.insert(tag, message.clone());
        match self.owner.publish(now, message.into_publish()) {
            Ok(receipt) => {
                if let Some(outcome) = receipt.outcome {
                    self.decide(tag, outcome)?;
                }
            }
            Err(refused) => {
                let is_known = refused.reason == RefusalReason::Duplicate;
                same(Law::L8NothingLost, "why the room refuses", true, is_known)?;
                let reason = DropReason::RoomRefused;
                self.decide(tag, Outcome::Dropped { reason, limit: None, retry_at: None })?;
            }
        }
        self.settle()
    }

    /// What is due is done everywhere; what is told is heard; what went out is a flight.
    fn settle(&mut self) -> Check {
        let now = self.now();
        self.owner.handle_timeout(now);
        while let Some(event) = self.owner.poll_event() {
            self.hear(event, true)?;
        }
        for place in 0..2 {
            let (events, messages) = self.places[place].side.settle(now);
            for event in events {
                self.hear(event, false)?;
            }
            self.places[place].waiting.extend(messages);
        }
        let handed = self.owner.hand_over(Seq(self.stream.len() as u64));
        let heads = handed.heads();
        if handed.messages().is_empty() {
            return Ok(());
        }
        for message in handed.messages() {
            self.went_out(message)?;
        }
        // Over a wire.
        let messages = handed.messages().iter().map(|message| {
            Arc::new(Message::assemble(MessageParts::from(Message::clone(message))))
        });
        let flight = HandOver::assemble(messages, heads);
        let flight = flight.map_err(|error| {
            Violation::new(Law::L4Order, "a flight", "what can be handed over", error)
        })?;
        self.flights.push(flight);
        self.owner.release_through(self.owner.dispatched());
        Ok(())
    }

    fn hear(&mut self, event: Event, is_room: bool) -> Check {
        let Some((tag, outcome)) = outcome_of(event) else { return Ok(()) };
        let says = is_room || !matches!(outcome, Outcome::Dispatched { .. });
        same(Law::Events, "who tells that something went out", true, says)?;
        self.decide(tag, outcome)
    }

    fn went_out(&mut self, message: &Arc<Message<Arc<str>>>) -> Check {
        let next = Seq(self.stream.len() as u64 + 1);
        let of_level = |other: &&Arc<Message<Arc<str>>>| other.priority == message.priority;
        let position = self.stream.iter().filter(of_level).count() as u64;
        let place = (next, position);
        same(Law::L13NoHole, "the next place", place, (message.seq, message.position))?;
        let at = message.dispatched_at;
        same(Law::L5Rate, "every window holds", true, self.rate.pass(at.as_nanos()))?;
        let let_in = self.let_in.get(&*message.payload).copied();
        same(Law::L4Order, "when it was let in", let_in, Some(message.admitted_at))?;
        let age = at.saturating_since(message.admitted_at);
        same(Law::L11Age, format_args!("whether {age:?} is in time"), true, age < WITHIN)?;
        if let Some(&said) = self.keys.get(&*message.payload) {
            let is_new = self.said.insert(said);
            same(Law::L8NothingLost, format_args!("whether {said:?} is said once"), true, is_new)?;
        }
        self.stream.push(Arc::clone(message));
        Ok(())
    }

    fn fly(&mut self, place: usize, first: usize, more: usize) -> Check {
        let flights = self.flights.iter().skip(first).take(more + 1);
        let Some(heads) = flights.clone().next_back().map(HandOver::heads) else { return Ok(()) };
        let messages = flights.flat_map(HandOver::messages).cloned();
        let Ok(flight) = HandOver::assemble(messages, heads) else {
            return Err(Violation::new(Law::L4Order, "flights as one", "fit", heads));
        };
        let flight = self.as_at(place, &flight)?;
        let now = self.now();
        let Place { side, holes, .. } = &mut self.places[place];
        let dispatched = |side: &Side| side.heads().0.values().sum::<u64>();
        let (before, lost) = (dispatched(side), side.lost());
        let received = side.receive(now, flight.clone());
        let first = flight.through().0 - flight.messages().len() as u64;
        let fits = match received {
            Received::Known => flight.through().0 <= before,
            Received::Held => first > before,
            Received::Taken(_) => dispatched(side) > before,
            Received::Foreign => false,
        };
        same(
            Law::L4Order,
            format_args!("whether {received:?} fits {before} and {first}"),
            true,
            fits,
        )?;
        *holes += usize::from(side.lost() != lost);
        let (admission, audience) = side.heads();
        same(Law::L4Order, "what the audience has", admission, audience)
    }

    /// A flight as an edge makes it of what comes over the wire: of sessions it knows its own.
    fn as_at(
        &self,
        place: usize,
        flight: &HandOver<Arc<str>>,
    ) -> Result<HandOver<Arc<str>>, Violation> {
        let messages = flight.messages().iter().map(|message| {
            let speaker = self.speakers.get(&*message.payload);
            let session = speaker.filter(|(at, _)| *at == place).map(|(_, session)| session.key());
            let parts = MessageParts { session, ..MessageParts::from(Message::clone(message)) };
            Arc::new(Message::assemble(parts))
        });
        HandOver::assemble(messages, flight.heads()).map_err(|error| {
            Violation::new(Law::L4Order, "a flight at an edge", "what can be handed over", error)
        })
    }

    fn read(&mut self, place: usize, messages: u32) -> Check {
        let budget = Budget { messages, bytes: 1 << 20 };
        let now = self.now();
        let Place { side, read, missed, .. } = &mut self.places[place];
        for who in 0..2 {
            let Some(batch) = side.next_batch(now, who, budget) else { continue };
            for item in batch.items() {
                match item {
                    Item::Gap { priority, count, .. } => missed[who][priority] += count,
                    Item::Message(message) => {
                        let is_it = self.stream.iter().any(|other| {
                            (other.seq, other.position, &other.payload)
                                == (message.seq, message.position, &message.payload)
                        });
                        same(Law::L14Told, "whether a member gets what went out", true, is_it)?;
                        let reached = &mut read[who][message.priority];
                        let is_next = message.position >= *reached;
                        same(Law::L4Order, "whether it is further on", true, is_next)?;
                        *reached = message.position + 1;
                    }
                    Item::Direct(_) => {}
                }
            }
        }
        same(Law::L2Deliveries, "whether deliveries balance", true, side.balances())
    }

    fn take_over(&mut self) -> Check {
        let now = self.now();
        let mut next = Admission::continuing(&self.config, now, &self.owner.continued());
        let said = self.owner.export(now);
        same(Law::Members, "an import", true, next.import(now, said).is_ok())?;
        self.owner = next;
        self.owners += 1;
        // What the host had offered to the dead one has no fate; what edges have offered they hold.
        let hosts = std::mem::take(&mut self.hosts);
        self.fates.retain(|tag, fate| fate.is_some() || !hosts.contains(tag));
        for place in 0..2 {
            let again: Vec<_> = self.places[place].undecided.values().cloned().collect();
            for message in again {
                self.offer(place, message)?;
            }
        }
        self.settle()
    }

    fn books(&self) -> Check {
        let now = self.now();
        let edges = self.places.iter().map(|place| place.side.ledger(now));
        let edges: Vec<Ledger> = edges.collect();
        let room = self.owner.snapshot(now).ledger;
        let balance = room.balances() && edges.iter().all(Ledger::balances);
        same(Law::L1Messages, "whether each balances", true, balance)?;
        if self.owners > 1 {
            return Ok(());
        }
        let whole = room.with_edges(edges);
        let on_its_way: usize = self.places.iter().map(|place| place.waiting.len()).sum();
        let found = (whole.missing.values().sum::<u64>(), whole.surplus.values().sum::<u64>());
        same(Law::L1Messages, "what is on its way", (on_its_way as u64, 0), found)?;
        same(Law::L1Messages, "what was published", self.tags, whole.ledger.total().submitted)
    }

    fn play(&mut self, call: Call) -> Check {
        let edge = |edge: u8| usize::from(edge % 2);
        match call {
            Call::Say { who, level: at, key } => {
                self.publish(Some(edge(who)), usize::from(who < 128), level(at), key)?;
            }
            Call::Host { level: at } => self.publish(None, 0, level(at), u8::MAX)?,
            Call::Forward { edge: at } => {
                if let Some(message) = self.places[edge(at)].waiting.pop_front() {
                    self.offer(edge(at), message)?;
                }
            }
            Call::Fly { edge: at, back } => {
                let (more, back) = (usize::from(back / 64), usize::from(back % 64));
                let back = back % self.flights.len().max(1);
                self.fly(edge(at), self.flights.len().wrapping_sub(back + 1), more)?;
            }
            Call::GiveUp { edge: at } => {
                let now = self.now();
                let Place { side, holes, .. } = &mut self.places[edge(at)];
                let (missing, given_up) = side.give_up(now);
                let wanted = missing.map_or(0, |missing| missing.end().0 + 1 - missing.start().0);
                same(Law::L4Order, "what is given up", wanted, given_up)?;
                *holes += usize::from(given_up > 0);
            }
            Call::Read { edge: at, messages } => {
                self.read(edge(at), u32::from(messages % 8))?;
            }
            Call::Takeover => self.take_over()?,
            Call::Wait { millis } => {
                self.now += u64::from(millis) * 2;
                self.settle()?;
            }
        }
        self.books()
    }

    /// Everything comes to its end: what waits goes on, what flies comes, everyone reads all.
    fn finish(&mut self) -> Check {
        for _ in 0..64 {
            self.now += 100;
            self.settle()?;
            for place in 0..2 {
                while let Some(message) = self.places[place].waiting.pop_front() {
                    self.offer(place, message)?;
                }
            }
        }
        let open = self.fates.iter().find(|(_, fate)| fate.is_none()).map(|(tag, _)| *tag);
        same(Law::L12OneFate, "a message without a fate", None, open)?;
        let is_out = |fate: &&Option<Outcome>| matches!(fate, Some(Outcome::Dispatched { .. }));
        let told = self.fates.values().filter(is_out).count();
        same(Law::L14Told, "what was told to have gone out", self.stream.len(), told)?;
        for place in 0..2 {
            for flight in 0..self.flights.len() {
                self.fly(place, flight, 0)?;
            }
            let now = self.now();
            while self.places[place].side.give_up(now).1 > 0 {}
            let heads = self.places[place].side.heads();
            same(
                Law::L13NoHole,
                "how far an edge comes",
                (self.owner.heads(), self.owner.heads()),
                heads,
            )?;
            for _ in 0..=self.stream.len() {
                self.read(place, 8)?;
            }
            let Place { side, missed, holes, .. } = &self.places[place];
            for (who, missed) in missed.iter().enumerate() {
                let (books, skips) = side.deliveries(who);
                for at in Priority::ALL {
                    let (row, head) = (books[at], self.owner.heads()[at]);
                    let all = row.delivered + row.skipped + row.excluded;
                    same(Law::L2Deliveries, "what was due is had or told", head, all)?;
                    same(Law::L2Deliveries, "gaps told", row.skipped, missed[at])?;
                    // Whoever reads rarely is told of the latest holes only, and that others are.
                    let (bus, lost) = (skips[at].bus, side.lost()[at]);
                    let fits = bus == lost || (*holes > 8 && bus < lost);
                    same(Law::L2Deliveries, format_args!("{bus} of {lost} lost"), true, fits)?;
                }
            }
        }
        Ok(())
    }
}

/// The outcome that an event tells, and the tag.
fn outcome_of(event: Event) -> Option<(Tag, Outcome)> {
    match event {
        Event::Outcome {
            outcome_sink: OutcomeSink::Event(CorrelationId(tag)), outcome, ..
        } => Some((tag, outcome)),
        _ => None,
    }
}

/// Does all of it, and looks after each call.
pub fn run(sequence: &Sequence) -> Check {
    let Some(mut world) = World::new(sequence) else {
        return Err(Violation::new(Law::Members, "the settings", "valid ones", sequence));
    };
    for (step, call) in sequence.calls.iter().enumerate() {
        world.play(*call).map_err(|violation| violation.at(step))?;
    }
    world.finish().map_err(|violation| violation.at(sequence.calls.len()))
}
